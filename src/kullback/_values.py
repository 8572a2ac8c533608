"""The door's look at the values: NaN, signs, mass. Messages say what was got, what was expected, and the way out."""

from __future__ import annotations

from typing import Any

import numpy as np

from kullback.errors import InvalidDistribution
from kullback.forms import Counts, Logits, LogProbs

Array = Any
Namespace = Any


def check(form: Any, x: Array, name: str, axis: int, xp: Namespace) -> None:
    """Raise InvalidDistribution, naming the first bad index, unless `x` can be what `form` says it is."""
    if 0 in x.shape:  # no rows: nothing can be wrong with them
        return
    if hasattr(x, "detach"):
        x = x.detach()
    look = {Logits: _check_logits, LogProbs: _check_log_probs, Counts: _check_counts}.get(type(form), _check_probs)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows or is NaN is refused below, in words
        look(x, name, axis, xp)


def tolerance(x: Array, axis: int, xp: Namespace) -> float:
    """How far a sum of n rounded probabilities may be from 1: n·eps of their dtype, at most 5 %."""
    slack: float = min(max(16, x.shape[axis]) * epsilon(x, xp), 0.05)
    return slack


def is_float(x: Array) -> bool:
    """Whether `x` holds floats, the 16-bit kinds that the array API standard does not name among them."""
    # NumPy takes microseconds to write out the name of a dtype.
    return getattr(x.dtype, "kind", "") == "f" or "float" in str(x.dtype)


def epsilon(x: Array, xp: Namespace) -> float:
    """Machine epsilon of the dtype of `x`; integers count as float64."""
    if not is_float(x):
        return float(np.finfo(np.float64).eps)
    if getattr(x.dtype, "kind", "") != "f" and "bfloat16" in str(x.dtype):
        return 2.0**-7
    return float(xp.finfo(x.dtype).eps)


def _check_probs(x: Array, name: str, axis: int, xp: Namespace) -> None:
    slack = tolerance(x, axis, xp)
    low, high = float(xp.min(x)), float(xp.max(x))
    total = _total(x, axis, xp)
    if low >= 0.0 and high <= 1.0 + slack and bool(xp.all(xp.abs(total - 1.0) <= slack)):
        return
    _refuse_nan(x, name, xp)
    if high <= 0.0 and low < 0.0:
        hint = f"Every value is ≤ 0, so this looks like log-probabilities: pass kb.LogProbs({name})."
        msg = f"{_first(x < 0, x, name)} is negative; probabilities are ≥ 0. {hint}"
        raise InvalidDistribution(msg)
    if low < 0.0:
        hint = f"If these are logits, pass kb.Logits({name}); otherwise find out where the negative mass comes from."
        msg = f"{_first(x < 0, x, name)} is negative; probabilities are ≥ 0. {hint}"
        raise InvalidDistribution(msg)
    if high > 1.0 + slack:
        msg = (
            f"{_first(x > 1.0 + slack, x, name)} is above 1: this looks like counts or logits. "
            f"Pass kb.Counts({name}) or kb.Logits({name})."
        )
        raise InvalidDistribution(msg)
    row, value = _worst(total, 1.0)
    msg = (
        f"{name} sums to {value:.17g} along axis {axis}{row}, expected 1 (tolerance {slack:.1e}, n·eps of {x.dtype}). "
        f"Nothing is normalised silently: pass kb.Counts({name}) for counts or weights, kb.Logits({name}) for logits."
    )
    raise InvalidDistribution(msg)


def _check_counts(x: Array, name: str, axis: int, xp: Namespace) -> None:
    if is_float(x):
        _refuse_nan(x, name, xp)
        if bool(xp.any(xp.isinf(x))):
            msg = f"{_first(xp.isinf(x), x, name)}; counts must be finite."
            raise InvalidDistribution(msg)
    if bool(xp.any(x < 0)):
        msg = f"{_first(x < 0, x, name)} is negative; counts are ≥ 0."
        raise InvalidDistribution(msg)
    total = _total(x, axis, xp)
    if bool(xp.any(total == 0)):
        row, _ = _worst(total, float(xp.max(total)) + 1.0)
        msg = f"{name} has no counts at all along axis {axis}{row}; a distribution needs a positive total."
        raise InvalidDistribution(msg)
    if not bool(xp.all(xp.isfinite(total))):
        msg = f"The counts of {name} overflow when added up; scale them down."
        raise InvalidDistribution(msg)


def _check_logits(x: Array, name: str, axis: int, xp: Namespace) -> None:
    if not is_float(x):
        return
    _refuse_nan(x, name, xp)
    if bool(xp.any(x == float("inf"))):
        msg = f"{_first(x == float('inf'), x, name)}; log-masses must be < ∞ (−∞ masks a category)."
        raise InvalidDistribution(msg)
    top = xp.max(x, axis=axis)
    if bool(xp.any(top == float("-inf"))):
        row, _ = _worst(xp.astype(top == float("-inf"), xp.float32), 0.0)
        msg = f"Every category of {name} is masked (−∞) along axis {axis}{row}; a distribution needs one that is not."
        raise InvalidDistribution(msg)


def _check_log_probs(x: Array, name: str, axis: int, xp: Namespace) -> None:
    slack = tolerance(x, axis, xp)
    _check_logits(x, name, axis, xp)
    high, low = float(xp.max(x)), float(xp.min(x))
    if high > slack:
        looks = (
            "probabilities: pass the array itself" if low >= 0.0 and high <= 1.0 else f"logits: pass kb.Logits({name})"
        )
        msg = f"{_first(x > slack, x, name)} is above 0; log-probabilities are ≤ 0. This looks like {looks}."
        raise InvalidDistribution(msg)
    total = _total(xp.exp(x), axis, xp)
    # A rounding error of eps in a log-probability of size |x| moves the mass by |x|·eps.
    largest = float(xp.max(xp.where(xp.isinf(x), xp.zeros_like(x), xp.abs(x))))
    slack = min(slack * max(1.0, largest), 0.05)
    if not bool(xp.all(xp.abs(total - 1.0) <= slack)):
        row, value = _worst(total, 1.0)
        msg = (
            f"exp({name}) sums to {value:.17g} along axis {axis}{row}, expected 1 (tolerance {slack:.1e}). "
            f"If these are unnormalised logits, pass kb.Logits({name})."
        )
        raise InvalidDistribution(msg)


def _total(x: Array, axis: int, xp: Namespace) -> Array:
    """Sums in a dtype that does not itself lose what is checked."""
    if x.dtype == np.float64 if isinstance(x.dtype, np.dtype) else str(x.dtype).endswith("float64"):
        return xp.sum(x, axis=axis)
    jax_wide = not (type(x).__module__.startswith("jax") and xp.zeros(1).dtype != xp.float64)
    return xp.sum(xp.astype(x, xp.float64 if jax_wide else xp.float32), axis=axis)


def _refuse_nan(x: Array, name: str, xp: Namespace) -> None:
    bad = xp.isnan(x)
    if bool(xp.any(bad)):
        msg = f"{_first(bad, x, name)}; expected numbers. Find where it comes from, or drop that category or row."
        raise InvalidDistribution(msg)


def _first(bad: Array, x: Array, name: str) -> str:
    """`p[3, 0] = -0.1`: the first bad entry, as the user would index it."""
    at = tuple(int(i) for i in np.argwhere(_host(bad))[0])
    return f"{name}[{', '.join(map(str, at))}] = {float(_host(x)[at]):.6g}"


def _worst(total: Array, expected: float) -> tuple[str, float]:
    totals = _host(total)
    if totals.ndim == 0:
        return "", float(totals)
    off = np.where(np.isnan(totals), np.inf, np.abs(totals - expected))
    at = tuple(int(i) for i in np.unravel_index(int(np.argmax(off)), totals.shape))
    return f" in row {at if len(at) > 1 else at[0]}", float(totals[at])


def _host(x: Array) -> np.ndarray[Any, Any]:
    if hasattr(x, "cpu"):
        x = x.cpu()
        x = x.float() if "bfloat16" in str(x.dtype) else x
    host = np.asarray(x)
    return host.astype(float) if "float" in str(host.dtype) else host
