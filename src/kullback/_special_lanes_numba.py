"""The primitives between parameters on all lanes at once: the formulas of `_special_scalar`, without a branch.

For ordinary numbers, that is within the ranges named here; `_special_numba` has the loops, and what goes elsewhere.

log(y/x) = k·log 2 + 2t + r with the whole number k that the bits of y and x are nearest to, t = (y − 2ᵏx)/(y + 2ᵏx) and
r = 2(t³/3 + t⁵/5 + …), |t| ≤ .2003. Where k = 0, t = h/(x + y) keeps the digits of h = y − x, and then
ψ(y/x − 1) = (h/x)t − r and ψ(x/y − 1) = (h/y)t + r, in which nothing cancels.
"""

# numba ships no types that a strict checker can use
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import numpy as np

from kullback._compile import INLINE, compiled
from kullback._lanes_numba import _bits, _double
from kullback._special import _ATANH, _EXPM1, _STIRLING, GAMMA_SHIFT

# any parameter; a shape, whose tenth power must fit; a logarithm, whose exponential must
ORDINARY = 1e-150, 1e150
SHAPE = 1e-40, 1e18
LOGARITHM = 500.0

_lanes = compiled(**INLINE)
_52, _1023, _1024 = np.int64(52), np.int64(1023), np.int64(1024)
# 1024.5 as an exponent: what is shifted stays positive, and is rounded
_ROUND = np.int64((1024 << 52) + (1 << 51))
# 2⁵² + 2⁵¹: a whole number written into its low bits is the double 2⁵² + 2⁵¹ + it
_WHOLE_BITS, _WHOLE = np.int64(0x4338000000000000), 6755399441055744.0
_LN2, _LN2_HIGH, _LN2_LOW = 0.6931471805599453, 0.6931471803691238, 1.9082149292705877e-10
_LOG2_E = 1.4426950408889634
_A, _E, _S = _ATANH, _EXPM1, _STIRLING


@_lanes
def _parts(x, y, h):
    """(k, t, r) of log(y/x)."""
    e = ((_bits(y) - _bits(x) + _ROUND) >> _52) - _1024
    k = _double(e + _WHOLE_BITS) - _WHOLE
    moved = x * _double((e + _1023) << _52)
    t = (h if k == 0.0 else y - moved) / (y + moved)
    z = t * t
    z2 = z * z
    low = (_A[0] + _A[1] * z) + z2 * (_A[2] + _A[3] * z)
    high = (_A[4] + _A[5] * z) + z2 * (_A[6] + _A[7] * z) + z2 * z2 * (_A[8] + _A[9] * z)
    return k, t, 2.0 * t * (z * (low + z2 * z2 * high))


@_lanes
def log_ratio(x, y):
    """log(x/y)."""
    k, t, r = _parts(y, x, x - y)
    return k * _LN2_HIGH + (2.0 * t + (r + k * _LN2_LOW))


@_lanes
def psi_ratio(x, y, h):
    """ψ(y/x − 1), h = y − x."""
    k, t, r = _parts(x, y, h)
    s = h / x
    return s * t - r if k == 0.0 else (s - k * _LN2) - (2.0 * t + r)


@_lanes
def phi(u):
    """φ(u) = expm1(u) − u for |u| ≤ 700: 2ᵏeᵛ, |v| ≤ ½ log 2."""
    shifted = u * _LOG2_E + _WHOLE
    k = shifted - _WHOLE
    v = (u - k * _LN2_HIGH) - k * _LN2_LOW
    w = v * v
    w4 = w * w
    low = (_E[0] + _E[1] * v) + w * (_E[2] + _E[3] * v) + w4 * ((_E[4] + _E[5] * v) + w * (_E[6] + _E[7] * v))
    square = w * (low + w4 * w4 * ((_E[8] + _E[9] * v) + w * (_E[10] + _E[11] * v)))
    scale = _double((_bits(shifted) - _WHOLE_BITS + _1023) << _52)
    return square if k == 0.0 else (scale * (v + square) + (scale - 1.0)) - u


@_lanes
def _two_shifts(u, v, first, bend):
    """Two terms of `shifts`, log of u = (x+k)(x+9−k) less its tangent: v = u + first + bend, bend = h²."""
    step = first + bend
    k, t, r = _parts(u, v, step)
    inverse = 1.0 / u
    return (step * t - bend) * inverse - r if k == 0.0 else (first * inverse - k * _LN2) - (2.0 * t + r)


@_lanes
def shifts(a, c, h):
    """Σ_{k < 10} ψ((c+k)/(a+k) − 1), the k-th term and the (9−k)-th as one: (x+k)(x+9−k) = x(x+9) + k(9−k)."""
    u, v = a * (a + 9.0), c * (c + 9.0)
    first, bend = h * (2.0 * a + 9.0), h * h
    outer = _two_shifts(u, v, first, bend) + _two_shifts(u + 8.0, v + 8.0, first, bend)
    inner = _two_shifts(u + 14.0, v + 14.0, first, bend) + _two_shifts(u + 18.0, v + 18.0, first, bend)
    return outer + (inner + _two_shifts(u + 20.0, v + 20.0, first, bend))


@_lanes
def series(a, c, h):
    """`_special.gamma_series`."""
    p, u = 1.0 / a, 1.0 / c
    n, power = p, p * p  # Pₙ and p^{n+1}
    total = _S[0] * n
    n = n * u + 2.0 * power
    power *= p
    n = n * u + 3.0 * power
    power *= p
    total += _S[1] * n
    n = n * u + 4.0 * power
    power *= p
    n = n * u + 5.0 * power
    power *= p
    total += _S[2] * n
    n = n * u + 6.0 * power
    power *= p
    n = n * u + 7.0 * power
    power *= p
    total += _S[3] * n
    n = n * u + 8.0 * power
    power *= p
    n = n * u + 9.0 * power
    power *= p
    total += _S[4] * n
    n = n * u + 10.0 * power
    power *= p
    n = n * u + 11.0 * power
    power *= p
    total += _S[5] * n
    n = n * u + 12.0 * power
    power *= p
    n = n * u + 13.0 * power
    power *= p
    total += _S[6] * n
    n = n * u + 14.0 * power
    power *= p
    n = n * u + 15.0 * power
    total += _S[7] * n
    return (h * p) * (h * u) * total


@_lanes
def shape_and_scale(k1, k2, h, M):
    """B_Γ(k₁,k₂) + k₁φ(M) − hM.

    Where both shapes are large, or k₂ is small beside a large k₁, as k₂φ(M − log(k₂/k₁)) + what B_Γ has besides
    k₂ψ(k₁/k₂ − 1).
    """
    small = min(k1, k2) < GAMMA_SHIFT
    apart = small and not (k1 > 2.0 * GAMMA_SHIFT and k2 < GAMMA_SHIFT)
    n = 10.0 if small else 0.0
    a, c = k1 + n, k2 + n
    k, t, r = _parts(a, c, h)
    s, v = h / a, h / c
    near = k == 0.0
    log = k * _LN2 + (2.0 * t + r)
    rest = 0.5 * (s * t - r if near else s - log) + series(a, c, h)
    up = shifts(k1, k2, h) if small else 0.0
    lead = c * (v * t + r if near else log - v)
    between = log_ratio(k2, k1)
    fallen = c * log - k2 * between
    curved = (k1 if apart else k2) * phi(M if apart else M - between)
    return up + (lead + (curved - h * M) if apart else curved + (fallen if small else 0.0)) + rest
