"""One pair with a few categories, in plain Python: there the calls into NumPy would take longer than the arithmetic.

Each takes what the user gave and answers None for everything but one-dimensional float64 arrays and lists of floats
whose values are beyond doubt: the door then checks them, in words. Sums are `math.fsum`, rounded once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback.forms import Probs

MOST = 64  # categories; from about 150 on, the array formula is faster
LEAST = 1e-280  # smaller masses leave the range in which quotients are safe
EPSILON = 2.0**-52
FLOAT64 = np.dtype(np.float64)
LN2 = math.log(2.0)
FAR = 0.0295  # t² from which on the logarithm loses no more than the series
# R(z) = (atanh(t)/t − 1)/z, z = t²: mpmath, mp.dps=50: chebyfit(R, [0, .0401], 8); relative error 6e-17.
R0, R1, R2, R3 = 0.3333333333333333, 0.2000000000000397, 0.14285714283637968, 0.11111111524175794
R4, R5, R6, R7 = 0.09090868813151469, 0.07694433902806859, 0.06604854121029731, 0.06804515131429249
R = R0, R1, R2, R3, R4, R5, R6, R7


def kl_divergence(p: Any, q: Any, axis: int) -> float | None:
    """Σ p·ψ((q−p)/p), of the exactly normalised pair."""
    if (x := _masses(p, axis)) is None or (y := _masses(q, axis)) is None or len(x) != len(y):
        return None
    terms, gaps, infinite = [], [], False
    for a, b in zip(x, y, strict=True):
        d = b - a
        gaps.append(d)
        if a == 0.0:
            terms.append(b)
        elif b == 0.0:
            infinite = True
        else:
            terms.append(_term(a, b, d))
    if infinite:
        return math.inf
    mass = math.fsum(x)
    value, e = math.fsum(terms) / mass, math.fsum(gaps) / mass
    less = e * e * (0.5 - e / 3.0)  # ψ(e), |e| < 1e-13
    return value - less if less <= 0.25 * value else None


def js_divergence(p: Any, q: Any, axis: int) -> float | None:
    """½Σ [p·ψ((m−p)/p) + q·ψ((m−q)/q)], m = (p+q)/2."""
    if (x := _masses(p, axis)) is None or (y := _masses(q, axis)) is None or len(x) != len(y):
        return None
    left, right, gaps = [], [], []
    for a, b in zip(x, y, strict=True):
        d = b - a
        gaps.append(d)
        if a == 0.0:
            left.append(0.5 * b)
            right.append((LN2 - 0.5) * b)
        elif b == 0.0:
            left.append((LN2 - 0.5) * a)
            right.append(0.5 * a)
        else:
            m = 0.5 * (a + b)
            left.append(_term(a, m, 0.5 * d))
            right.append(_term(b, m, -0.5 * d))
    mass, towards_q = math.fsum(x), math.fsum(right)
    value, e = 0.5 * (math.fsum(left) + towards_q) / mass, math.fsum(gaps) / mass
    # To second order, as if exactly normalised: see `_numba/stages.py`.
    if not (e * e <= value and e * e <= 1e-15 * math.sqrt(value)):
        return None
    return value - 0.5 * e * (towards_q / mass) - 0.125 * e * e


def entropy(p: Any, axis: int) -> float | None:
    """log1p(Σ_{i≠max} wᵢ) + Σ wᵢ·(−log wᵢ) / Σ wᵢ, w = p/max p."""
    x = _masses(p, axis)
    return None if x is None else _cost(x, x)


def cross_entropy(p: Any, q: Any, axis: int) -> float | None:
    """log1p(Σ_{i≠max} wᵢ) + Σ pᵢ·(−log wᵢ), w = q/max q."""
    if (x := _masses(p, axis)) is None or (y := _masses(q, axis)) is None or len(x) != len(y):
        return None
    return _cost(x, y)


def _cost(x: list[float], y: list[float]) -> float:
    top = max(y)
    log = math.log
    if 0.0 in y and any(b == 0.0 < a for a, b in zip(x, y, strict=True)):
        return math.inf
    cost = math.fsum([a * -log(b / top) for a, b in zip(x, y, strict=True) if a > 0.0])
    return math.log1p(math.fsum([*y, -top]) / top) + cost / math.fsum(x)


def _term(a: float, b: float, d: float) -> float:
    """a·ψ(d/a) for b = a + d: by the series of atanh (as `_special.psi_series`) near 0, by the logarithm beyond."""
    t = d / (a + b)
    z = t * t
    if z > FAR:
        return d - a * math.log(b / a)
    r = R4 + z * (R5 + z * (R6 + z * R7))
    r = R1 + z * (R2 + z * (R3 + z * r))
    return t * (d - 2.0 * a * z * (R0 + z * r))


def _masses(x: Any, axis: int) -> list[float] | None:
    """The entries, if they are one distribution beyond doubt."""
    if type(x) is Probs:
        x = x.values
    if type(x) is np.ndarray:
        if x.dtype is not FLOAT64 or x.ndim != 1 or x.size > MOST:
            return None
        masses: list[float] = x.tolist()
    elif type(x) is list and len(x) <= MOST and all(type(v) is float for v in x):
        masses = x
    else:
        return None
    if not masses or axis not in (-1, 0):
        return None
    # Half the door's tolerance; a NaN compares false. No mass but 0 may be below LEAST.
    if not abs(math.fsum(masses) - 1.0) <= 0.5 * max(16, len(masses)) * EPSILON:
        return None
    least = min(masses)
    if least < LEAST and (least < 0.0 or any(0.0 < v < LEAST for v in masses)):
        return None
    return masses
