"""One entry of a sum: the terms of KL, JS and cross-entropy, branch-free, so that the loops over them are vectorised.

A mass of P where Q has none makes the term ∞. The last answer of a branch-free term says that it does not cover this
entry (a negative number, NaN, a subnormal): its block is then done in a scalar loop, by the term named `…_any`.
"""

from __future__ import annotations

import math

import numpy as np

from kullback._compile import INLINE, TERM, compiled
from kullback.measures._few import R0, R1, R2, R3, R4, R5, R6, R7
from kullback.measures._numba.instructions import bits, exponent, fma, from_bits

LEAST = 2.0**-960  # smaller numbers take the scalar loop: scaled, they could leave the normal floats
LIFTED, LIFT = 2.0**-400, 2.0**400  # an exact change of unit for the smallest ones
LN2 = math.log(2.0)
LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
# Exponents are biased so that their difference is positive; adding one half of a unit rounds to the nearest.
BIAS = 2000
ROUND = np.int64((1 << 51) + (BIAS << 52))
TO_FLOAT = np.int64(0x4338000000000000 - BIAS)  # the bits of 1.5·2⁵² − BIAS: adding a small integer converts it
FLOATED = 6755399441055744.0


@compiled(**INLINE)
def _near(a: float, b: float) -> tuple[float, float]:
    """(k, b') with b = 2ᵏ·b' and b' between a/1.5 and 1.5·a, so that no quotient overflows; normal a, b > 0."""
    e = exponent(bits(b) - bits(a) + ROUND)
    k = from_bits(e + TO_FLOAT) - FLOATED
    return k, from_bits(bits(b) - ((e - np.int64(BIAS)) << np.int64(52)))


@compiled(**INLINE)
def _r(z: float) -> float:
    w = z * z
    return (R0 + R1 * z) + w * ((R2 + R3 * z) + w * ((R4 + R5 * z) + w * (R6 + R7 * z)))


@compiled(**INLINE)
def kl_term(a: float, b: float, d: float) -> float:
    """a·ψ((b−a)/a) = (b − b') − a·k·ln2 + t·((b'−a) − 2a·t²·R(t²)), t = (b'−a)/(b'+a); normal a, b > 0, d = b − a."""
    k, near = _near(a, b)
    gap = d if k == 0.0 else near - a
    t = gap / (near + a)
    z = t * t
    ak = a * k
    return ((b - near) - ak * LN2_HIGH - ak * LN2_LOW) + t * (gap - 2.0 * (a * (z * _r(z))))


@compiled(**INLINE)
def log_ratio(a: float, b: float) -> float:
    """log(b/a) for normal a, b > 0, right also near 0."""
    k, near = _near(a, b)
    t = (near - a) / (near + a)
    z = t * t
    return k * LN2_HIGH + (2.0 * (t + t * (z * _r(z))) + k * LN2_LOW)


@compiled(**TERM)
def psi(s: float) -> float:
    """ψ(s) = s − log1p(s), s > −1."""
    if -0.3 < s < 0.4:
        t = s / (2.0 + s)
        z = t * t
        return t * (s - 2.0 * (z * _r(z)))
    return s - math.log1p(s)


@compiled(**INLINE)
def exact_gap(a: float, b: float, scale_a: float, scale_b: float, centre: float) -> float:
    """b·scale_b − a·scale_a·(1 + centre): with centre = 0 one rounding, however many digits the products share."""
    product = a * scale_a
    rounded: float = fma(a, scale_a, -product)
    difference: float = fma(b, scale_b, -product) - rounded
    return difference - centre * product


@compiled(**TERM)
def kl_term_any(a: float, b: float, scale_a: float, scale_b: float, centre: float) -> float:
    """The term of a·scale_a and b·scale_b for any a, b ≥ 0, subnormal ones too; ∞ for b = 0 < a."""
    if a == 0.0:
        return b * scale_b
    if b == 0.0:
        return math.inf
    x, y = a * scale_a, b * scale_b
    if x >= LEAST and y >= LEAST:
        return kl_term(x, y, exact_gap(a, b, scale_a, scale_b, centre))
    if a < LIFTED and b < LIFTED:
        return kl_term_any(a * LIFT, b * LIFT, scale_a, scale_b, centre) / LIFT
    return (y - x) - x * ((math.log(b) - math.log(a)) + (math.log(scale_b) - math.log(scale_a)))


@compiled(**TERM)
def js_terms_any(a: float, b: float, scale_a: float, scale_b: float, centre: float) -> tuple[float, float]:
    """Both terms towards the middle of a·scale_a and b·scale_b, for any a, b ≥ 0."""
    if 0.0 < a < LIFTED and 0.0 < b < LIFTED:
        left, right = js_terms_any(a * LIFT, b * LIFT, scale_a, scale_b, centre)
        return left / LIFT, right / LIFT
    x, y = a * scale_a, b * scale_b
    if x >= LEAST and y >= LEAST:
        half = 0.5 * exact_gap(a, b, scale_a, scale_b, centre)
        return kl_term(x, 0.5 * (x + y), half), kl_term(y, 0.5 * (x + y), -half)
    # One of them is 0, or so small beside the other that the middle is half of that.
    m = 0.5 * (x + y)
    return kl_term_any(a, m, scale_a, 1.0, 0.0), kl_term_any(b, m, scale_b, 1.0, 0.0)


# ---- one entry of each, branch-free; the last of each answer says that the scalar loop must do the block -----------


@compiled(**INLINE)
def kl_pair(a: float, b: float) -> tuple[float, float, bool]:
    """a·ψ((b−a)/a) and b − a."""
    fine = (a >= LEAST) & (b >= LEAST)
    empty, lost = (a == 0.0) & (b >= 0.0), (a > 0.0) & (b == 0.0)
    d = b - a
    term = kl_term(a if fine else 1.0, b if fine else 1.0, d if fine else 0.0)
    return (b if empty else (math.inf if lost else term)), d, not (fine | empty | lost)


@compiled(**INLINE)
def kl_scaled_pair(a0: float, b0: float, scale_a: float, scale_b: float, centre: float) -> tuple[float, float, bool]:
    """The same of a·scale_a and b·scale_b."""
    a, b = a0 * scale_a, b0 * scale_b
    fine = (a >= LEAST) & (b >= LEAST)
    empty, lost = (a0 == 0.0) & (b0 >= 0.0), (a0 > 0.0) & (b0 == 0.0)
    d = exact_gap(a0, b0, scale_a, scale_b, centre)
    term = kl_term(a if fine else 1.0, b if fine else 1.0, d if fine else 0.0)
    return (b if empty else (math.inf if lost else term)), d, not (fine | empty | lost)


@compiled(**INLINE)
def _js_terms(a: float, b: float, d: float, fine: int) -> tuple[float, float]:
    x, y = (a if fine else 1.0), (b if fine else 1.0)
    m, half = 0.5 * x + 0.5 * y, (0.5 * d if fine else 0.0)
    # A mass that only one side has: m there, and for the other log 2 times it, less its half.
    only_b, only_a = (a == 0.0) & (b >= 0.0), (b == 0.0) & (a >= 0.0)
    left, right = kl_term(x, m, half), kl_term(y, m, -half)
    left = 0.5 * b if only_b else ((LN2 - 0.5) * a if only_a else left)
    right = (LN2 - 0.5) * b if only_b else (0.5 * a if only_a else right)
    return left, right


@compiled(**INLINE)
def js_pair(a: float, b: float) -> tuple[float, float, float, bool]:
    fine = (a >= LEAST) & (b >= LEAST)
    d = b - a
    left, right = _js_terms(a, b, d, fine)
    return left, right, d, not (fine | ((a == 0.0) & (b >= 0.0)) | ((b == 0.0) & (a >= 0.0)))


@compiled(**INLINE)
def js_scaled_pair(
    a0: float, b0: float, scale_a: float, scale_b: float, centre: float
) -> tuple[float, float, float, bool]:
    a, b = a0 * scale_a, b0 * scale_b
    fine = (a >= LEAST) & (b >= LEAST)
    d = exact_gap(a0, b0, scale_a, scale_b, centre)
    left, right = _js_terms(a, b, d, fine)
    return left, right, d, not (fine | ((a0 == 0.0) & (b0 >= 0.0)) | ((b0 == 0.0) & (a0 >= 0.0)))


@compiled(**INLINE)
def cost_pair(a: float, b: float) -> tuple[float, bool]:
    """−a·log b."""
    fine = (b >= LEAST) & (a >= 0.0)
    empty, lost = (a == 0.0) & (b >= 0.0), (a > 0.0) & (b == 0.0)
    cost = -a * log_ratio(1.0, b if fine else 1.0)
    return (0.0 if empty else (math.inf if lost else cost)), not (fine | empty | lost)


@compiled(**INLINE)
def cost_from_top_pair(a: float, b: float, top: float) -> tuple[float, bool]:
    """a·log(top/b)."""
    fine = (b >= LEAST) & (a >= 0.0)
    empty, lost = (a == 0.0) & (b >= 0.0), (a > 0.0) & (b == 0.0)
    cost = a * log_ratio(b if fine else top, top)
    return (0.0 if empty else (math.inf if lost else cost)), not (fine | empty | lost)


@compiled(**INLINE)
def plus(total: float, error: float, term: float) -> tuple[float, float]:
    """Neumaier's sum (doi:10.1002/zamm.19740540106): total and what it has lost."""
    new = total + term
    if abs(total) >= abs(term):
        return new, error + ((total - new) + term)
    return new, error + ((term - new) + total)
