"""One file per fitted estimator: an `.npz` of plain arrays and a JSON header, nothing that runs when it is read.

The header holds the class by name (only estimators of this room are built), its parameters, what was learned, and what
`_archive` holds every array to: a file that was cut or changed, or that would expand without bound, is refused and
named. The digests find accidents and careless hands; they are no signature against somebody who rewrites them too.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from kullback.errors import InvalidInput
from kullback.learn._archive import Arrays, pack, refuse, unpack
from kullback.learn._checks import number

FORMAT, SCHEMA = "kullback.learn", 1
# Everything a file may name, and where it lives.
_ESTIMATORS = {
    "KLNMF": "nmf",
    "KLKMeans": "kmeans",
    "SoftmaxRegression": "softmax_regression",
    "SNE": "sne",
    "MixtureMLE": "mixture",
    "DistributionRegressor": "distribution_regressor",
    "SoftTarget": "soft_target",
    "Distilled": "soft_target",
}
_SHAPES = ("Normal", "Laplace", "Student", "Histogram")
# What each must have learned: kind and shape, a letter the same length wherever it stands, d the features, _ any.
_LEARNED = {
    "KLNMF": {"components_": "f kd", "feature_mass_": "f d"},
    "KLKMeans": {"cluster_centers_": "f kd", "_counts_": "f kd", "cluster_mass_": "f k"},
    "SoftmaxRegression": {"coef_": "f Kd", "intercept_": "f K", "classes_": "biufUO K"},
    "SNE": {
        "embedding_": "f np",
        "kl_per_point_": "f n",
        "_points_": "f m_",
        "_weight_": "f m",
        "_kept_": "f mp",
    },
    "MixtureMLE": {"weights_": "f k"},
    "SoftTarget": {"classes_": "biufUO K"},
    "Distilled": {"classes_": "biufUO K"},
}


def save(estimator: Any, path: str | os.PathLike[str], /) -> None:
    """Write a fitted estimator of this room to one file, whole or not at all.

    Raises
    ------
    TypeError
        Something inside is not ours: another library's model, a function, a random generator.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> from kullback.learn import KLNMF, load
    >>> model = KLNMF(2, random_state=0).fit(np.array([[3, 1], [2, 0], [0, 4]]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(pathlib.Path(folder) / "model.npz")
    ...     again = load(pathlib.Path(folder) / "model.npz")
    >>> bool((again.components_ == model.components_).all())
    True
    """
    arrays: Arrays = {}
    header = {"format": FORMAT, "schema": SCHEMA, "content": _write(estimator, arrays, type(estimator).__name__)}
    content = pack(header, arrays)
    target = Path(path)
    unfinished = target.with_name(target.name + ".part")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def load(path: str | os.PathLike[str], /, *, max_bytes: int = 1 << 31) -> Any:
    """Read an estimator that `save` wrote.

    Parameters
    ----------
    path
    max_bytes : int, default 2 GiB
        The most that the file may expand to; its sizes are compared with it before anything is read.

    Raises
    ------
    InvalidInput
        The file is not of this format, was cut or changed, would expand beyond `max_bytes`, or comes from a newer
        version. The message names the file.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> from kullback.learn import KLNMF, load
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "model.npz"
    ...     KLNMF(2, random_state=0).fit(np.eye(3) + 1).save(path)
    ...     load(path).n_features_in_
    3
    """
    path = Path(path)
    number("max_bytes", max_bytes, low=1, integer=True)
    header, arrays = unpack(path, int(max_bytes))
    try:
        if header["format"] != FORMAT:
            raise refuse(path, f"its format is {header['format']!r}, expected {FORMAT!r}")
        if header["schema"] > SCHEMA:
            raise refuse(path, f"its schema {header['schema']} is newer than {SCHEMA}: update kullback")
        estimator = _read(header["content"], arrays, path)
    except InvalidInput:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError, RecursionError) as error:
        raise refuse(path, f"its header is not as written by save ({type(error).__name__}: {error})") from None
    if type(estimator).__name__ not in _ESTIMATORS:
        raise refuse(path, f"it holds no estimator but {type(estimator).__name__}")
    return estimator


def _write(value: Any, arrays: Arrays, where: str) -> Any:
    """`value` as JSON, its arrays put into `arrays`."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return {"float": float(value).hex()}  # exact, and inf and nan too
    if isinstance(value, np.ndarray):
        return {"array": _store(value, arrays, where), "object": value.dtype == object}
    if sp.issparse(value):
        matrix = value.tocsr()
        parts = [_store(part, arrays, where) for part in (matrix.data, matrix.indices, matrix.indptr)]
        return {"csr": parts, "shape": list(matrix.shape)}
    if isinstance(value, (list, tuple)):
        return {"list" if isinstance(value, list) else "tuple": [_write(v, arrays, where) for v in value]}
    if isinstance(value, dict):
        return {"dict": [[_write(k, arrays, where), _write(v, arrays, where)] for k, v in value.items()]}
    name = type(value).__name__
    module = type(value).__module__
    if name == "Ensemble" and module == "kullback.learn._folds":
        return _write(value.models_, arrays, f"{where}.models_")  # whose library is named below
    if module == "kullback.learn._shapes" and name in _SHAPES:
        fields = {
            f.name: _write(getattr(value, f.name), arrays, f"{where}.{f.name}") for f in dataclasses.fields(value)
        }
        return {"shape": name, "fields": fields}
    if name in _ESTIMATORS and module == f"kullback.learn.{_ESTIMATORS[name]}":
        params = {k: _write(v, arrays, f"{where}.{k}") for k, v in value.get_params(deep=False).items()}
        learned = {k: _write(v, arrays, f"{where}.{k}") for k, v in vars(value).items() if _is_learned(k, params)}
        return {"estimator": name, "params": params, "learned": learned}
    raise TypeError(
        f"{where} is a {module}.{name}, which only its own library can write safely. Save the whole estimator with "
        "skops.io.dump, or with joblib where you trust the reader."
    )


def _is_learned(name: str, params: dict[str, Any]) -> bool:
    return name not in params and name.endswith("_")


def _store(array: np.ndarray[Any, Any], arrays: Arrays, where: str) -> str:
    if array.dtype == object:
        text = array.ravel().tolist()
        if not all(isinstance(v, str) for v in text):
            raise TypeError(f"{where} is an array of Python objects; only text and numbers can be written.")
        array = array.astype(str)
    name = str(len(arrays))
    arrays[name] = array
    return name


def _read(value: Any, arrays: Arrays, path: Path) -> Any:
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float.fromhex(value["float"])
    if "array" in value:
        array = arrays[value["array"]]
        if value["object"] and array.dtype.kind != "U":
            raise refuse(path, f"the array {value['array']!r} should be text, got {array.dtype}")
        return array.astype(object) if value["object"] else array
    if "csr" in value:
        matrix = sp.csr_matrix(tuple(arrays[name] for name in value["csr"]), shape=tuple(value["shape"]))
        matrix.check_format(full_check=True)  # compiled loops follow these indices without asking
        return matrix
    for kind, build in (("list", list), ("tuple", tuple)):
        if kind in value:
            return build(_read(v, arrays, path) for v in value[kind])
    if "dict" in value:
        return {_read(k, arrays, path): _read(v, arrays, path) for k, v in value["dict"]}
    if "fields" in value:
        if value["shape"] not in _SHAPES:
            raise refuse(path, f"it names the shape {value['shape']!r}")
        shapes = importlib.import_module("kullback.learn._shapes")
        return getattr(shapes, value["shape"])(**{k: _read(v, arrays, path) for k, v in value["fields"].items()})
    name = value["estimator"]
    if name not in _ESTIMATORS:
        raise refuse(path, f"it names the class {name!r}, which is none of this room")
    kind = getattr(importlib.import_module(f"kullback.learn.{_ESTIMATORS[name]}"), name)
    estimator = kind(**{k: _read(v, arrays, path) for k, v in value["params"].items()})
    for attribute, stored in value["learned"].items():
        if not _is_learned(attribute, value["params"]) or attribute.startswith("__"):
            raise refuse(path, f"it holds {attribute!r}, which no fit learns")
        object.__setattr__(estimator, attribute, _read(stored, arrays, path))
    if value["learned"]:  # a parameter of another may be unfitted
        _check_learned(estimator, name, path)
    return estimator


def _check_learned(estimator: Any, name: str, path: Path) -> None:
    """The learned arrays are those of this class and fit each other: compiled loops trust their shapes."""
    sizes = {"d": estimator.n_features_in_}
    learned = {attribute: (getattr(estimator, attribute), law) for attribute, law in _LEARNED[name].items()}
    if name == "MixtureMLE":
        axes = "kdd"
        learned |= {f"params_[{k!r}]": (v, "biuf " + axes[: np.ndim(v)]) for k, v in estimator.params_.items()}
    for attribute, (array, law) in learned.items():
        kinds, axes = law.split(" ")
        if array.dtype.kind not in kinds or array.ndim != len(axes):
            raise refuse(path, f"{name}.{attribute} is {array.dtype} of {array.ndim} axes, expected {kinds} of {axes}")
        for axis, length in zip(axes, array.shape, strict=True):
            if axis != "_" and length != sizes.setdefault(axis, length):
                raise refuse(path, f"{name}.{attribute} has shape {array.shape}, expected {sizes[axis]} along {axis}")
