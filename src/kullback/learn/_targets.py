"""Targets of classification: labels, or one distribution over the classes per row, read into one matrix."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, column_or_1d

from kullback.learn._checks import distributions

Floats = NDArray[np.float64]


def is_soft(y: Any) -> bool:
    """Whether y is two-dimensional with two columns or more: distributions, not labels."""
    shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
    return len(shape) == 2 and shape[1] > 1


def targets(y: Any) -> tuple[Floats, NDArray[Any], bool]:
    """(T, classes, soft): T is (n, K), each row a distribution over `classes`; a label is a row with a single 1."""
    if y is None:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None. Pass labels or distributions."
        )
    if is_soft(y):
        names = getattr(y, "columns", None)
        dense = y.toarray() if sp.issparse(y) else np.asarray(y)
        if dense.shape[1] < 2:
            raise ValueError("y has one class (one column); a classifier needs at least 2 classes.")
        T = distributions(dense)
        return T, np.arange(T.shape[1]) if names is None else np.asarray(names), True
    if sp.issparse(y):
        raise ValueError(f"y is sparse of shape {y.shape}; expected labels (n,), or distributions (n, K) with K ≥ 2.")
    labels = _labels(y)
    classes, code = np.unique(labels, return_inverse=True)
    if classes.size < 2:
        raise ValueError(f"y has one class, {classes[0]!r}; a classifier needs at least 2 classes.")
    return np.eye(classes.size)[code.ravel()], classes, False


def against(y: Any, classes: NDArray[Any], name: str = "y") -> Floats:
    """Rows of y as distributions over classes already known; an unseen class is refused by name."""
    if is_soft(y):
        columns = getattr(y, "columns", None)
        if columns is not None and set(columns) == set(classes.tolist()):
            y = y[list(classes)]
        T = distributions(y.toarray() if sp.issparse(y) else np.asarray(y), name)
        if T.shape[1] != classes.size:
            raise ValueError(
                f"{name} has {T.shape[1]} columns, the classifier has {classes.size} classes. "
                "Expected one column per class, in the order of classes_."
            )
        return T
    labels = _labels(y)
    place = np.searchsorted(classes, labels).clip(0, classes.size - 1)
    unseen = classes[place] != labels
    if unseen.any():
        row = int(np.flatnonzero(unseen)[0])
        raise ValueError(
            f"Row {row} of {name} has the class {labels[row]!r}, which the classifier has never seen "
            f"(classes_: {', '.join(map(str, classes[:10]))}). Its cross-entropy would be infinite; "
            "refit with that class present, or drop the row."
        )
    return np.asarray(np.eye(classes.size)[place])


def _labels(y: Any) -> NDArray[Any]:
    y = np.asarray(y)
    if y.ndim == 2:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples,).",
            DataConversionWarning,
            stacklevel=3,
        )
    labels = column_or_1d(y)
    if labels.dtype.kind == "f":
        _check_y(labels, y_numeric=True)
    check_classification_targets(labels)
    return np.asarray(labels)
