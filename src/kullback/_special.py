"""The primitives that keep every measure exact: ψ, φ, log1p-like helpers, right to the last bits and right at 0.

Each takes clean arrays of one namespace `xp` and is differentiable: a branch that is not taken is fed a harmless
argument, so that its derivative is finite (`where` differentiates both of its branches).
"""

from __future__ import annotations

import math
from typing import Any

Array = Any
Namespace = Any

# atanh series: 1/3, 1/5, 1/7, … ; t² ≤ .0295 below, so twelve terms leave less than 2⁻⁵⁶ of the leading one.
_ATANH = tuple(1.0 / (2 * k + 3) for k in range(12))
# 1/2!, 1/3!, … ; |u| ≤ .35, so fourteen terms.
_EXPM1 = tuple(1.0 / math.factorial(k) for k in range(2, 16))
# 1/(2k(2k−1)), k = 1…14 ; t² ≤ .09.
_SKEW = tuple(1.0 / (2 * k * (2 * k - 1)) for k in range(1, 15))

PSI_LOW, PSI_HIGH = -0.29, 0.41
PHI_RADIUS = 0.35
SKEW_RADIUS = 0.3


def _horner(coefficients: tuple[float, ...], x: Array) -> Array:
    total = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


def psi_series(s: Array) -> Array:
    """ψ(s) = s − log1p(s) = t·(s − 2t²(1/3 + t²/5 + …)), t = s/(2+s), for PSI_LOW < s < PSI_HIGH. No cancellation."""
    t = s / (2.0 + s)
    z = t * t
    return t * (s - 2.0 * z * _horner(_ATANH, z))


def psi(s: Array, *, xp: Namespace) -> Array:
    """ψ(s) = s − log1p(s) ≥ 0, s > −1; zero only at s = 0; ∞ at s = −1."""
    near = (s > PSI_LOW) & (s < PSI_HIGH)
    zero = xp.zeros_like(s)
    return xp.where(near, psi_series(xp.where(near, s, zero)), s - xp.log1p(xp.where(near, zero, s)))


def phi(u: Array, *, xp: Namespace) -> Array:
    """φ(u) = expm1(u) − u ≥ 0; zero only at u = 0."""
    near = xp.abs(u) < PHI_RADIUS
    zero = xp.zeros_like(u)
    small = xp.where(near, u, zero)
    far = xp.where(near, zero, u)
    return xp.where(near, small * small * _horner(_EXPM1, small), xp.expm1(far) - far)


def expm1(u: Array, *, xp: Namespace) -> Array:
    """Expm1 that keeps its digits near 0 in every library (torch's compiler writes exp(u) − 1)."""
    near = xp.abs(u) < PHI_RADIUS
    small = xp.where(near, u, xp.zeros_like(u))
    return xp.where(near, small + small * small * _horner(_EXPM1, small), xp.expm1(u))


def skew(t: Array, *, xp: Namespace) -> Array:
    """g(t) = ½[(1+t)log1p(t) + (1−t)log1p(−t)] = Σ t²ᵏ/(2k(2k−1)) for |t| < SKEW_RADIUS: the term of Jensen–Shannon."""
    del xp
    z = t * t
    return z * _horner(_SKEW, z)


def xlogy(x: Array, y: Array, *, xp: Namespace) -> Array:
    """x·log(y) with 0·log(y) = 0 for every y; gradients at x = 0 are 0 rather than NaN."""
    empty = x == 0
    return xp.where(empty, xp.zeros_like(x * y), x * xp.log(xp.where(empty, xp.ones_like(y), y)))


def log_sum_exp(a: Array, *, xp: Namespace) -> Array:
    """Log Σ exp(a) over the last axis, kept; −∞ entries contribute nothing; an all −∞ row gives −∞."""
    top = xp.max(a, axis=-1, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    total = xp.sum(xp.exp(a - top), axis=-1, keepdims=True)
    none = total == 0
    return xp.where(none, total - float("inf"), top + xp.log(xp.where(none, total + 1.0, total)))


def root(x: Array, *, xp: Namespace) -> Array:
    """√x with derivative 0 at 0, where a distance has none: the symmetric choice, and never NaN."""
    none = x == 0
    return xp.where(none, xp.zeros_like(x), xp.sqrt(xp.where(none, xp.ones_like(x), x)))


def at_most_one(x: Array, *, xp: Namespace) -> Array:
    """1 + a rounding error is 1."""
    return xp.where(x > 1.0, xp.ones_like(x), x)


def phi_ratio(v: Array, *, xp: Namespace) -> Array:
    """φ(v)/v = expm1(v)/v − 1 = v/2 + v²/6 + …; 0 at v = 0."""
    near = xp.abs(v) < PHI_RADIUS
    zero = xp.zeros_like(v)
    small = xp.where(near, v, zero)
    far = xp.where(near, zero + 1.0, v)
    return xp.where(near, small * _horner(_EXPM1, small), xp.expm1(far) / far - 1.0)


def log1p_ratio(x: Array, *, xp: Namespace) -> Array:
    """log1p(x)/x; 1 at x = 0."""
    none = x == 0
    safe = xp.where(none, xp.ones_like(x), x)
    return xp.where(none, xp.ones_like(x), xp.log1p(safe) / safe)


def expm1_ratio(x: Array, *, xp: Namespace) -> Array:
    """expm1(x)/x; 1 at x = 0, 0 at −∞."""
    none = (x == 0) | xp.isinf(x)
    safe = xp.where(none, xp.ones_like(x), x)
    limit = xp.where(x == 0, xp.ones_like(x), xp.where(x > 0, x, xp.zeros_like(x)))
    return xp.where(none, limit, xp.expm1(safe) / safe)
