"""The door: what truth and predictions are, in which order the classes stand, and which rows cannot be used."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidDistribution, InvalidForm, InvalidInput
from kullback.forms import Logits, LogProbs, Probs

Floats = NDArray[np.float64]

# Predictions that went through a file in four to six decimals are still probabilities; more is a mistake to be named.
ROW_SUM_TOLERANCE = 1e-6
_CALLED = {"Probs": "predictions", "LogProbs": "log-probabilities"}


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Checked predictions: `values` (n, K) as given, `log` whether they are log-masses."""

    values: NDArray[Any]
    log: bool
    classes: tuple[str, ...]

    def log_probabilities(self, rows: slice | NDArray[Any] = slice(None)) -> Floats:
        """Exactly normalised log-probabilities (rows, K) in float64; log 0 = −∞."""
        x = np.asarray(self.values[rows], dtype=np.float64)
        if self.log:
            top = x.max(axis=1, keepdims=True)
            return np.asarray(x - (top + np.log(np.sum(np.exp(x - top), axis=1, keepdims=True))))
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(x) - np.log(x.sum(axis=1, keepdims=True)))


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What happened: `codes` (n,) class numbers, or `soft` (n, K) probabilities of each class."""

    codes: NDArray[np.intp] | None
    soft: Floats | None

    @property
    def n(self) -> int:
        """Rows."""
        return int((self.codes if self.codes is not None else self.soft).shape[0])  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column of labels as numbers 0 … G−1 and what they stand for."""

    codes: NDArray[np.intp]
    levels: list[str]


def read_predictions(
    given: Any, /, *, classes: Sequence[Any] | None = None, pattern: str | None = None, normalise: bool = False
) -> Predictions:
    """An (n, K) array or frame of probabilities, kb.Logits or kb.LogProbs; (n,) is the probability of class 1."""
    log = isinstance(given, (Logits, LogProbs))
    kind = type(given).__name__ if isinstance(given, (Probs, Logits, LogProbs)) else "Probs"
    inner = given.values if isinstance(given, (Probs, Logits, LogProbs)) else given
    names, values = _names_and_values(inner, pattern)
    if values.dtype.kind not in "fiub":
        raise InvalidForm(f"predictions have dtype {values.dtype}; expected numbers, one column per class")
    if values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1):
        values, names = _binary(values.reshape(-1), kind), None
    if values.ndim != 2 or values.shape[0] == 0:
        raise InvalidForm(f"predictions have shape {values.shape}; expected (n, K): a row per case, a column per class")
    if classes is not None:
        if len(classes) != values.shape[1]:
            raise InvalidInput(f"{len(classes)} classes named for {values.shape[1]} columns of predictions")
        names = [str(c) for c in classes]
    labels = tuple(names) if names is not None else tuple(str(k) for k in range(values.shape[1]))
    if len(set(labels)) != len(labels):
        raise InvalidInput(f"two columns of predictions stand for the same class: {_repeated(labels)!r}")
    if kind != "Logits":
        values = _checked_mass(values, kind, normalise=normalise)
    else:
        _refuse_rows(np.isnan(values).any(axis=1) | (values == np.inf).any(axis=1), values, "holds NaN or +∞")
        _refuse_rows((values == -np.inf).all(axis=1), values, "rules out every class (−∞ throughout)")
    return Predictions(values, log, labels)


def read_truth(given: Any, /, classes: tuple[str, ...], n: int) -> Truth:
    """Labels (n,), matched to the class names as text; or (n, K) probabilities of each class."""
    if isinstance(given, Coded):
        if given.codes.size != n:
            raise InvalidInput(f"{given.codes.size} rows of truth and {n} rows of predictions; expected the same rows")
        return Truth(class_numbers(given.levels, given.codes, classes)[given.codes], None)
    values = plain_array(given)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape[0] != n:
        raise InvalidInput(f"{values.shape[0]} rows of truth and {n} rows of predictions; expected the same rows")
    if values.ndim == 2:
        if values.shape[1] != len(classes):
            raise InvalidInput(
                f"soft truth has {values.shape[1]} columns for {len(classes)} classes of the predictions"
            )
        soft = _checked_mass(values.astype(np.float64), "truth", normalise=False)
        return Truth(None, soft / soft.sum(axis=1, keepdims=True))
    if values.dtype.kind in "iu" and classes == tuple(str(k) for k in range(len(classes))):
        wrong = (values < 0) | (values >= len(classes))
        if wrong.any():
            _unknown_class(str(values[wrong][0]), int(np.argmax(wrong)), classes)
        return Truth(values.astype(np.intp), None)
    levels, inverse = _levels(values)
    return Truth(class_numbers(levels, inverse, classes)[inverse], None)


def class_numbers(levels: list[str], codes: NDArray[np.intp], classes: tuple[str, ...]) -> NDArray[np.intp]:
    """The class of each level of the labels."""
    where = {name: k for k, name in enumerate(classes)}
    out = np.zeros(len(levels), dtype=np.intp)
    for j, level in enumerate(levels):
        if level not in where:
            _unknown_class(level, int(np.argmax(codes == j)), classes)
        out[j] = where[level]
    return out


def match_columns(names: Sequence[str], pattern: str) -> list[tuple[str, str]]:
    """The columns that match `pattern` and the class that each stands for: what the `*` matched, else its name."""
    if "*" in pattern:
        head, _, tail = pattern.partition("*")
        return [
            (c, c[len(head) : len(c) - len(tail)] if "*" not in tail else c)
            for c in names
            if fnmatch.fnmatchcase(c, pattern)
        ]
    wanted = [part.strip() for part in pattern.split(",")]
    missing = [c for c in wanted if c not in names]
    if missing:
        raise InvalidInput(f"no column {missing[0]!r}; the columns are {', '.join(map(repr, list(names)[:20]))}")
    return [(c, c) for c in wanted]


def codes_of(given: Any, n: int, what: str) -> tuple[NDArray[np.intp], list[str]]:
    """Numbers 0 … G−1 for the values of a column of clusters or slices, and the values as text."""
    if isinstance(given, Coded):
        return given.codes, given.levels
    values = plain_array(given)
    if values.shape != (n,):
        raise InvalidInput(f"{what} has shape {values.shape}; expected ({n},), one value per row")
    levels, inverse = _levels(values)
    return inverse.astype(np.intp), levels


def _levels(values: NDArray[Any]) -> tuple[list[str], NDArray[np.intp]]:
    if values.dtype.kind == "O":
        values = np.array(["" if v is None else str(v) for v in values], dtype=str)
    levels, inverse = np.unique(values, return_inverse=True)
    return [_text(level) for level in levels.tolist()], inverse.reshape(-1)


def _text(value: Any) -> str:
    """Labels that a file turned into floats are still the classes 0, 1, 2."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def plain_array(given: Any) -> NDArray[Any]:
    """Arrays, tensors and columns of frames as NumPy."""
    if isinstance(given, (Probs, Logits, LogProbs)):
        raise InvalidForm(
            f"truth is {type(given).__name__}; expected labels (n,) or a plain array (n, K) of probabilities"
        )
    if hasattr(given, "detach"):
        given = given.detach().cpu()
    if hasattr(given, "to_numpy"):
        given = given.to_numpy()
    return np.asarray(given)


def _names_and_values(inner: Any, pattern: str | None) -> tuple[list[str] | None, NDArray[Any]]:
    columns = getattr(inner, "columns", None)
    if columns is None or not hasattr(inner, "to_numpy"):
        if hasattr(inner, "detach"):
            inner = inner.detach().cpu()
        return None, np.asarray(inner)
    matched = match_columns([str(c) for c in columns], pattern) if pattern else [(str(c), str(c)) for c in columns]
    if not matched:
        raise InvalidInput(f"no column matches {pattern!r}; the columns are {', '.join(map(repr, list(columns)[:20]))}")
    own = {str(c): c for c in columns}
    return [name for _, name in matched], np.asarray(inner[[own[c] for c, _ in matched]].to_numpy())


def _binary(p: NDArray[Any], kind: str) -> NDArray[Any]:
    if kind == "Logits":
        return np.stack([np.zeros_like(p), p], axis=1)
    if kind == "LogProbs":
        with np.errstate(divide="ignore"):
            return np.stack([np.log(-np.expm1(p)), p], axis=1)
    # 1 − p in float64: in the column's own dtype a probability near 1 would leave a wrong remainder.
    p = p.astype(np.float64)
    return np.stack([1.0 - p, p], axis=1)


def _checked_mass(values: NDArray[Any], what: str, *, normalise: bool) -> NDArray[Any]:
    log = what == "LogProbs"
    mass = np.exp(values.astype(np.float64)) if log else values
    lowest, highest = float(np.nanmin(mass)), float(np.nanmax(values))
    with np.errstate(invalid="ignore"):
        total = mass.sum(axis=1, dtype=np.float64)
    _refuse_rows(np.isnan(total), values, "holds NaN")
    if lowest < 0.0:
        hint = "kb.LogProbs(...) (--log-probs)" if highest <= 0.0 else "kb.Logits(...) (--logits)"
        looks = "log-probabilities" if highest <= 0.0 else "logits"
        negative: NDArray[np.bool_] = np.any(mass < 0, axis=1)
        _refuse_rows(negative, values, f"has a negative probability; these look like {looks}: pass {hint}")
    slack = max(ROW_SUM_TOLERANCE, values.shape[1] * _epsilon(values))
    off = np.abs(total - 1.0) > slack
    if not off.any():
        return values
    if normalise and not log and (total > 0).all() and np.isfinite(total).all():
        return np.asarray(values / total[:, None])
    first = int(np.argmax(off))
    worst = int(np.argmax(np.abs(total - 1.0)))
    looks = " Values above 1 suggest logits: pass kb.Logits(...) (--logits)." if highest > 1.0 + slack else ""
    raise InvalidDistribution(
        f"{int(off.sum())} of {total.size} rows of {_CALLED.get(what, what)} do not sum to 1; row {first} sums to "
        f"{total[first]:.9g}, the worst, row {worst}, to {total[worst]:.9g} (tolerance {slack:.1e}).{looks} If they "
        f"are rounded, say normalise=True (--normalise)."
    )


def _epsilon(values: NDArray[Any]) -> float:
    return float(np.finfo(values.dtype).eps) if values.dtype.kind == "f" else 2.3e-16


def _refuse_rows(bad: NDArray[np.bool_], values: NDArray[Any], why: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        shown = ", ".join(f"{v:.6g}" for v in values[row, :6])
        more = ", …" if values.shape[1] > 6 else ""
        raise InvalidDistribution(f"row {row} ({shown}{more}) {why}; {int(bad.sum())} such rows. Drop or correct them.")


def _unknown_class(value: str, row: int, classes: tuple[str, ...]) -> None:
    known = ", ".join(map(repr, classes[:12])) + (", …" if len(classes) > 12 else "")
    raise InvalidInput(
        f"truth {value!r} (row {row}) is none of the {len(classes)} classes {known}. Class names come from the columns "
        "of the predictions, in their order; say classes=[...] (--classes) if the columns are called otherwise."
    )


def _repeated(labels: Sequence[str]) -> str:
    return next(name for k, name in enumerate(labels) if name in labels[:k])
