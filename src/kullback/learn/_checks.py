"""The doors of the estimators: what they refuse, in words that name the row and the way out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from kullback.errors import InvalidDistribution

Floats = NDArray[np.floating[Any]]

_SUM_TOLERANCE = 1e-6


def choice(name: str, got: Any, allowed: Sequence[str]) -> None:
    """Refuse an option that is not one of the allowed words."""
    if got not in allowed:
        raise ValueError(f"{name} = {got!r} is not known. Choose one of {', '.join(map(repr, allowed))}.")


def number(
    name: str, got: Any, *, low: float = 0.0, high: float = np.inf, above: bool = False, integer: bool = False
) -> None:
    """Refuse a number outside [low, high], or (low, high] with `above`."""
    whole = isinstance(got, (int, np.integer)) and not isinstance(got, bool)
    if not whole and (integer or not isinstance(got, (float, np.floating))):
        what = "an integer" if integer else "a number"
        raise ValueError(f"{name} must be {what}, got {got!r}.")
    if not (low <= got <= high) or (above and got == low):
        bracket = "(" if above else "["
        raise ValueError(f"{name} must lie in {bracket}{low:g}, {high:g}], got {got!r}.")


def row_sums(X: Any) -> NDArray[np.float64]:
    """Σ_j X_ij as a float64 vector, dense or sparse."""
    return np.asarray(X.sum(axis=1), dtype=np.float64).ravel()


def non_negative(X: Any, whom: str) -> None:
    """Refuse negative entries, naming the first row that has one."""
    values = X.data if sp.issparse(X) else X
    if values.size == 0 or not (np.nanmin(values) < 0):
        return
    if sp.issparse(X):
        entry = int(np.flatnonzero(values < 0)[0])
        row, got = int(np.searchsorted(X.indptr, entry, side="right") - 1), float(values[entry])
    else:
        row, column = (int(v) for v in np.argwhere(values < 0)[0])
        got = float(values[row, column])
    raise ValueError(
        f"Negative values in data passed to {whom}: row {row} holds {got:g}, and counts or probabilities are ≥ 0. "
        "Remove the sign, or use an estimator for real values."
    )


def no_empty_rows(sums: NDArray[np.float64], whom: str) -> None:
    """Refuse rows without mass: they are no distribution."""
    empty = np.flatnonzero(sums <= 0)
    if empty.size:
        raise InvalidDistribution(
            f"Row {empty[0]} given to {whom} is all zeros ({empty.size} such rows), so it is no distribution. "
            "Drop these rows, X[X.sum(axis=1) > 0], or give them counts."
        )


def distributions(Y: Floats, name: str = "y") -> NDArray[np.float64]:
    """Rows that sum to 1, normalised to the last bit; anything else is refused by row."""
    try:
        Y = np.asarray(Y, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidDistribution(
            f"{name} has shape {np.shape(Y)}, so its rows are distributions over the classes, but it holds no numbers. "
            f"Give labels as a vector (n,), or one column per class."
        ) from None
    if not np.isfinite(Y).all():
        row = int(np.flatnonzero(~np.isfinite(Y).all(axis=1))[0])
        raise InvalidDistribution(f"{name} contains NaN or inf, first in row {row}. Drop or fill that row.")
    if (Y < 0).any():
        row = int(np.flatnonzero((Y < 0).any(axis=1))[0])
        raise InvalidDistribution(f"Row {row} of {name} holds a negative probability, {Y[row].min():g}. Expected ≥ 0.")
    sums = Y.sum(axis=1)
    wrong = np.flatnonzero(np.abs(sums - 1) > _SUM_TOLERANCE)
    if wrong.size:
        row = int(wrong[0])
        raise InvalidDistribution(
            f"Row {row} of {name} sums to {sums[row]:.9g}, expected 1 ({wrong.size} such rows): a two-dimensional "
            f"{name} holds one distribution over the classes per row. For counts of raters, "
            f"divide each row by its sum: {name} / {name}.sum(axis=1, keepdims=True)."
        )
    return np.asarray(Y / sums[:, None])


def seeded(model: Any, random_state: Any) -> Any:
    """`model`, given a seed drawn from `random_state` where it has none of its own."""
    if random_state is not None and "random_state" in model.get_params() and model.random_state is None:
        model.set_params(random_state=check_random_state(random_state).randint(2**31 - 1))
    return model
