"""Some thousands of numbers in NumPy arrays: the formulas of float64 masses in as few calls as they allow.

Each takes what the user gave and answers None for everything but arrays of probabilities whose values are beyond doubt:
the door then checks them, in words. It is the way between `_few`, where a call into NumPy would take longer than the
arithmetic, and the compiled loops, whose import takes longer than this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback._values import tolerance
from kullback.forms import Probs
from kullback.measures._few import FAR, LEAST, R

Array = np.ndarray[Any, Any]

MOST = (1 << 16) - 1  # numbers; this many take NumPy half a millisecond, and importing numba 200 to 500 ms
FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


@dataclass(frozen=True, slots=True)
class _Masses:
    """Categories last; the total of each row, whether any entry is 0, and the dtype that came in."""

    values: Array
    total: Any
    zeros: bool
    dtype: Any


def kl_divergence(p: Any, q: Any, axis: int) -> Any:
    """Σ p·ψ((q−p)/p), of the exactly normalised pair."""
    if (pair := _pair(p, q, axis)) is None:
        return None
    a, b = pair
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        gap = b.values - a.values
        value = _terms(a, b.values, gap).sum(axis=-1) / a.total
        e = gap.sum(axis=-1) / a.total
        less = e * e * (0.5 - e / 3.0)  # ψ(e), |e| < 1e-10
        return _told(value - less, a, b) if np.all(less <= 0.25 * value) else None


def js_divergence(p: Any, q: Any, axis: int) -> Any:
    """½Σ [p·ψ((m−p)/p) + q·ψ((m−q)/q)], m = (p+q)/2."""
    if (pair := _pair(p, q, axis)) is None:
        return None
    a, b = pair
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        gap = b.values - a.values
        middle, half = 0.5 * (a.values + b.values), 0.5 * gap
        towards_q = _terms(b, middle, -half).sum(axis=-1) / a.total
        value = 0.5 * (_terms(a, middle, half).sum(axis=-1) / a.total + towards_q)
        e = gap.sum(axis=-1) / a.total
        # To second order, as if exactly normalised: see `_numba/stages.py`.
        if not np.all((e * e <= value) & (e * e <= 1e-15 * np.sqrt(value))):
            return None
        return _told(value - 0.5 * e * towards_q - 0.125 * e * e, a, b)


def cross_entropy(p: Any, q: Any, axis: int) -> Any:
    """log1p(Σ_{i≠max} wᵢ) + Σ pᵢ·(−log wᵢ), w = q/max q."""
    if (pair := _pair(p, q, axis)) is None:
        return None
    return _cost(*pair)


def entropy(p: Any, axis: int) -> Any:
    """log1p(Σ_{i≠max} wᵢ) + Σ wᵢ·(−log wᵢ) / Σ wᵢ, w = p/max p."""
    if (a := _masses(p, axis)) is None:
        return None
    return _cost(a, a)


def _cost(a: _Masses, b: _Masses) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        where = b.values.argmax(axis=-1)[..., None]
        w = b.values / np.take_along_axis(b.values, where, axis=-1)
        cost = a.values * np.log(w)
        if a.zeros:
            cost = np.where(a.values == 0.0, 0.0, cost)
        np.put_along_axis(w, where, 0.0, axis=-1)
        return _told(np.log1p(w.sum(axis=-1)) - cost.sum(axis=-1) / a.total, a, b)


def _terms(a: _Masses, b: Array, gap: Array) -> Array:
    """a·ψ(gap/a) for b = a + gap: by the series of atanh near 0, by the logarithm beyond; see `_few`."""
    x = a.values
    t = gap / (x + b)
    z = t * t
    r = R[7] * z
    for c in R[6:0:-1]:
        r += c
        r *= z
    r += R[0]
    r *= z
    r *= x
    terms = t * (gap - 2.0 * r)
    close = z <= FAR
    if not close.all():
        terms = np.where(close, terms, gap - x * np.log(b / x))
    return np.where(x == 0.0, b, terms) if a.zeros else terms


def _told(answer: Any, *parts: _Masses) -> Any:
    single = all(part.dtype == FLOATS[1] for part in parts)
    return answer.astype(FLOATS[1]) if single else answer


def _pair(p: Any, q: Any, axis: int) -> tuple[_Masses, _Masses] | None:
    if (a := _masses(p, axis)) is None or (b := _masses(q, axis)) is None:
        return None
    x, y = a.values.shape, b.values.shape
    if x == y:
        return a, b
    # Axes beside the categories broadcast, the answer being no longer than this way is meant for.
    if x[-1] != y[-1] or any(n != m and 1 not in (n, m) for n, m in zip(x[-2::-1], y[-2::-1], strict=False)):
        return None
    return (a, b) if np.broadcast(a.values, b.values).size <= MOST else None


def _masses(x: Any, axis: int) -> _Masses | None:
    """The array with its categories last, if its rows are distributions beyond doubt."""
    if type(x) is Probs:
        x = x.values
    if type(x) is not np.ndarray or x.dtype not in FLOATS or not 0 < x.size <= MOST:
        return None
    if not -x.ndim <= axis < x.ndim:
        return None
    values = np.ascontiguousarray(x if axis in (-1, x.ndim - 1) else np.moveaxis(x, axis, -1), dtype=FLOATS[0])
    least = values.min()
    zeros = bool(least == 0.0)
    if least < LEAST and not (zeros and values[values != 0.0].min(initial=1.0) >= LEAST):
        return None
    total = values.sum(axis=-1)
    # Half the door's tolerance; a NaN compares false.
    return _Masses(values, total, zeros, x.dtype) if np.all(abs(total - 1.0) <= 0.5 * tolerance(x, axis, np)) else None
