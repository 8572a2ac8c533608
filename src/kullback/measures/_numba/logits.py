"""KL of logits, compiled: one look for the largest, then one pass with two exponentials a pair.

With w = exp(a − max a), W = Σw and d = b − a − c for any centre c, KL = Σwφ(d)/W − ψ(M), M = Σw·expm1(d)/W. The first
sum is of non-negative terms, and the second part is small beside it when c is near the true log-ratio of the totals:
c starts at the difference at the mode, and moves to c + log1p(M) where that was not near enough.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._compile import INLINE, SUM, TERM, compiled
from kullback.measures._numba.instructions import bits, from_bits
from kullback.measures._numba.terms import plus, psi

Array = Any
Sums = tuple[float, float, float, float, float]

BLOCK = 4096
LOG2_E = 1.4426950408889634
LN2_HIGH = float.fromhex("0x1.62e42fefa0000p-1")  # ends in zeros, so that k·LN2_HIGH is exact
LN2_LOW = float.fromhex("0x1.cf79abc9e3b3ap-40")
FLOATED = 6755399441055744.0  # 1.5·2⁵²: adding it rounds to an integer, whose bits are then the lowest
FLOATED_BITS = np.int64(0x4338000000000000)
# (expm1(r) − r)/r², |r| ≤ ½ ln 2: mpmath, mp.dps=50: chebyfit(…, [−h, h], 11), h = 1.001·½ ln 2; relative error 5e-18.
E0, E1, E2, E3 = 0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333326084
E4, E5, E6, E7 = 0.0013888888888883711, 0.0001984126987500228, 2.480158732567746e-05, 2.755725517000089e-06
E8, E9, E10 = 2.755727347871858e-07, 2.5105312729622103e-08, 2.09147553258932e-09

LOWEST, HIGHEST = -700.0, 500.0
APART = 32.0  # an offset between a and b beyond which each is first taken from its own mode
MOST = np.int64(0x7FFFFFFFFFFFFFFF)


@compiled(**INLINE)
def _reduced(x: float) -> tuple[float, float, float, float]:
    """(k, 2ᵏ, r, φ(r)) with x = k·ln 2 + r, for LOWEST ≤ x ≤ HIGHEST."""
    shifted = x * LOG2_E + FLOATED
    k = shifted - FLOATED
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    s = r * r
    u = s * s
    low = (E0 + E1 * r) + s * (E2 + E3 * r)
    high = (E4 + E5 * r) + s * (E6 + E7 * r)
    e = low + u * (high + u * ((E8 + E9 * r) + s * E10))
    return k, from_bits((bits(shifted) - FLOATED_BITS + 1023) << np.int64(52)), r, s * e


@compiled(**INLINE)
def _terms(
    a: float, b: float, top: float, from_a: float, from_b: float, centre: float
) -> tuple[float, float, float, bool, bool]:
    """(w·φ(d), w·expm1(d), w, infinite, strange); a category of Q alone adds its mass to both sums."""
    has_a, has_b = a > -math.inf, b > -math.inf
    both = has_a & has_b
    t = a - top if has_a else ((b - from_b) - centre) - (top - from_a)
    d = ((b - from_b if both else 0.0) - (a - from_a if both else 0.0)) - (centre if both else 0.0)
    gone, far = not (t >= LOWEST), not (d >= LOWEST)
    strange = (t > HIGHEST) | (d > HIGHEST)
    _, scale, r, e = _reduced(0.0 if gone | strange else t)
    w = 0.0 if gone else scale + scale * (r + e)
    k, scale, r, e = _reduced(0.0 if far | strange else d)
    grown = scale + scale * (r + e)
    same = k == 0.0
    gain = r + e if same else grown - 1.0
    rest = e if same else (grown - 1.0) - d
    gain = -1.0 if far else gain
    rest = -1.0 - d if far else rest
    only_b = has_b & (not has_a)
    return (
        w * (1.0 if only_b else rest),
        w * (1.0 if only_b else gain),
        (w if has_a else 0.0),
        has_a & (not has_b),
        strange,
    )


@compiled(**SUM)
def block(a: Array, i: int, b: Array, j: int, n: int, top: float, from_a: float, from_b: float, centre: float) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    total, gained, mass, infinite, odd = 0.0, 0.0, 0.0, 0, 0
    for k in range(n):
        term, gain, w, lost, strange = _terms(float(x[k]), float(y[k]), top, from_a, from_b, centre)
        total += term
        gained += gain
        mass += w
        infinite += int(lost)
        odd += int(strange)
    return total, gained, mass, float(infinite), float(odd)


@compiled(**INLINE)
def _order(bits: Any) -> Any:
    """The bits of a float as an integer that is in the order of the floats, and back: its maximum is vectorised."""
    return bits ^ ((bits >> np.int64(63)) & MOST)


@compiled(**SUM)
def _look(a: Array, i: int, n: int) -> tuple[float, int]:
    """The largest entry, and how many are NaN or +∞."""
    x = a[i : i + n]
    top: Any = -MOST
    unusable = 0
    for k in range(n):
        value = float(x[k])
        top = max(top, _order(bits(value)))
        unusable += int(not (value < math.inf))
    highest: float = from_bits(_order(top))
    return highest, unusable


@compiled(**TERM)
def _row(a: Array, i: int, b: Array, j: int, n: int) -> float:
    """KL of one row, or NaN where the formula must see it."""
    top, bad = _look(a, i, n)
    highest, worse = _look(b, j, n)
    if bad + worse > 0 or top == -math.inf or highest == -math.inf:
        return math.nan
    mode = 0
    while a[i + mode] != top:
        mode += 1
    centre = float(b[j + mode]) - top
    if centre == -math.inf:
        return math.inf
    from_a, from_b = 0.0, 0.0
    if abs(centre) > APART:
        # b − a would be rounded at the size of that offset; from their own modes they are not.
        from_a, from_b, centre = top, float(b[j + mode]), 0.0
    for _ in range(4):
        total, gained, mass, lost_t, lost_g, lost_m, infinite = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(0, n, BLOCK):
            sums = block(a, i + k, b, j + k, min(BLOCK, n - k), top, from_a, from_b, centre)
            if sums[4] > 0.0:
                return math.nan
            total, lost_t = plus(total, lost_t, sums[0])
            gained, lost_g = plus(gained, lost_g, sums[1])
            mass, lost_m = plus(mass, lost_m, sums[2])
            infinite += sums[3]
        if infinite > 0.0:
            return math.inf
        value, m = (total + lost_t) / (mass + lost_m), (gained + lost_g) / (mass + lost_m)
        less = psi(m) if m > -1.0 else math.inf
        if m > -0.75 and less <= 0.75 * value:
            return value - less
        if not -1.0 < m < math.inf:
            return math.nan
        centre += math.log1p(m)
    return max(0.0, value - less)


@compiled(**TERM)
def rows(a: Array, ps: Array, b: Array, qs: Array, span: Array, out: Array) -> bool:
    """`kernels.rows` for the KL of contiguous logits."""
    done = True
    for r in range(span[0], span[1]):
        i = ps[0] + (r // span[2]) * ps[1] + (r % span[2]) * ps[2]
        j = qs[0] + (r // span[2]) * qs[1] + (r % span[2]) * qs[2]
        out[r] = _row(a, i, b, j, span[3])
        done = done and not math.isnan(out[r])
    return done
