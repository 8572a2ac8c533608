"""One file per fitted estimator: an `.npz` of plain arrays and a JSON header, nothing that runs when it is read.

The header holds the class by name (only estimators of this room are built), its parameters, what was learned, and a
digest of every array and of itself: a file that was cut or changed is refused and named. The digests find accidents and
careless hands; they are no signature against somebody who rewrites them too.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from kullback.errors import InvalidInput

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
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    header = {"format": FORMAT, "schema": SCHEMA, "content": _write(estimator, arrays, type(estimator).__name__)}
    header["digests"] = {name: _digest(array) for name, array in arrays.items()}
    text = json.dumps(header, ensure_ascii=False, sort_keys=True).encode()
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        header=np.frombuffer(text, dtype=np.uint8),
        header_digest=np.frombuffer(hashlib.sha256(text).digest(), dtype=np.uint8),
        **{f"array_{name}": array for name, array in arrays.items()},
    )
    target = Path(path)
    unfinished = target.with_name(target.name + ".part")
    try:
        unfinished.write_bytes(buffer.getvalue())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def load(path: str | os.PathLike[str], /) -> Any:
    """Read an estimator that `save` wrote.

    Raises
    ------
    InvalidInput
        The file is not of this format, was cut or changed, or comes from a newer version.
    """
    path = Path(path)
    try:
        # Read whole first: a broken archive then leaves no open file behind.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            stored = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise _refuse(path, f"it cannot be read as .npz ({error})") from None
    text = bytes(stored.get("header", np.zeros(0, np.uint8)))
    if hashlib.sha256(text).digest() != bytes(stored.get("header_digest", np.zeros(0, np.uint8))):
        raise _refuse(path, "its header does not match its digest, or it has none")
    try:
        header = json.loads(text)
        if header["format"] != FORMAT:
            raise _refuse(path, f"its format is {header['format']!r}, expected {FORMAT!r}")
        if header["schema"] > SCHEMA:
            raise _refuse(path, f"its schema {header['schema']} is newer than {SCHEMA}: update kullback")
        arrays = {name.removeprefix("array_"): value for name, value in stored.items() if name.startswith("array_")}
        if set(arrays) != set(header["digests"]):
            raise _refuse(path, "arrays are missing or were added")
        for name, array in arrays.items():
            if _digest(array) != header["digests"][name]:
                raise _refuse(path, f"the array {name!r} does not match its digest")
        return _read(header["content"], arrays, path)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise _refuse(path, f"its header is not as written by save ({error})") from None


def _refuse(path: Path, why: str) -> InvalidInput:
    return InvalidInput(f"{path}: not loaded, because {why}. Save the estimator again from where it was fitted.")


def _digest(array: np.ndarray[Any, Any]) -> str:
    array = np.ascontiguousarray(array)
    head = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()


def _write(value: Any, arrays: dict[str, np.ndarray[Any, Any]], where: str) -> Any:
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
    if name == "Ensemble" and module == "kullback.learn.distribution_regressor":
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


def _store(array: np.ndarray[Any, Any], arrays: dict[str, np.ndarray[Any, Any]], where: str) -> str:
    if array.dtype == object:
        text = array.ravel().tolist()
        if not all(isinstance(v, str) for v in text):
            raise TypeError(f"{where} is an array of Python objects; only text and numbers can be written.")
        array = array.astype(str)
    name = str(len(arrays))
    arrays[name] = array
    return name


def _read(value: Any, arrays: dict[str, np.ndarray[Any, Any]], path: Path) -> Any:
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float.fromhex(value["float"])
    if "array" in value:
        array = arrays[value["array"]]
        return array.astype(object) if value["object"] else array
    if "csr" in value:
        return sp.csr_matrix(tuple(arrays[name] for name in value["csr"]), shape=tuple(value["shape"]))
    for kind, build in (("list", list), ("tuple", tuple)):
        if kind in value:
            return build(_read(v, arrays, path) for v in value[kind])
    if "dict" in value:
        return {_read(k, arrays, path): _read(v, arrays, path) for k, v in value["dict"]}
    if "fields" in value:
        if value["shape"] not in _SHAPES:
            raise _refuse(path, f"it names the shape {value['shape']!r}")
        shapes = importlib.import_module("kullback.learn._shapes")
        return getattr(shapes, value["shape"])(**{k: _read(v, arrays, path) for k, v in value["fields"].items()})
    name = value["estimator"]
    if name not in _ESTIMATORS:
        raise _refuse(path, f"it names the class {name!r}, which is none of this room")
    kind = getattr(importlib.import_module(f"kullback.learn.{_ESTIMATORS[name]}"), name)
    estimator = kind(**{k: _read(v, arrays, path) for k, v in value["params"].items()})
    for attribute, stored in value["learned"].items():
        if not _is_learned(attribute, value["params"]) or attribute.startswith("__"):
            raise _refuse(path, f"it holds {attribute!r}, which no fit learns")
        object.__setattr__(estimator, attribute, _read(stored, arrays, path))
    return estimator
