"""log ζ(s), its derivative and its Bregman divergence, s > 1, by Euler and Maclaurin's formula."""

from __future__ import annotations

import math
from typing import Any

from kullback.families.bregman import mean_curvature

Array = Any
Namespace = Any

_N = 12
_EULER = tuple(
    b / math.factorial(2 * k)
    for k, b in enumerate((1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510), 1)
)


def _derivatives(s: Array, xp: Namespace) -> tuple[Array, Array, Array]:
    """(ζ(s) − 1)·… as sums of n^{−s}·(log n)ʲ, j = 0, 1, 2: ζ − 1, −ζ′, ζ″."""
    total = [0.0 * s, 0.0 * s, 0.0 * s]
    for n in range(2, _N):
        log = math.log(n)
        term = xp.exp(-s * log)
        for j in range(3):
            total[j] = total[j] + term * log**j
    L, a = math.log(_N), s - 1.0
    edge = xp.exp(-s * L)
    # ∫_N^∞ x^{−s}(log x)ʲ dx and half the first term
    total[0] = total[0] + edge * (_N / a + 0.5)
    total[1] = total[1] + edge * (_N * (L / a + 1.0 / (a * a)) + 0.5 * L)
    total[2] = total[2] + edge * (_N * (L * L / a + 2.0 * L / (a * a) + 2.0 / (a * a * a)) + 0.5 * L * L)
    # Σ B₂ₖ/(2k)! · s(s+1)…(s+2k−2) N^{−s−2k+1}, and its derivatives in s by the product rule
    rising, first, second = s, 1.0 + 0.0 * s, 0.0 * s
    power = edge / _N
    for k, b in enumerate(_EULER, 1):
        total[0] = total[0] + b * power * rising
        total[1] = total[1] + b * power * (L * rising - first)
        total[2] = total[2] + b * power * (L * L * rising - 2.0 * L * first + second)
        for step in (2 * k - 1, 2 * k):
            t = s + step
            rising, first, second = rising * t, first * t + rising, second * t + 2.0 * first
        power = power / (_N * _N)
    return total[0], total[1], total[2]


def zeta_log(s: Array, *, xp: Namespace) -> Array:
    """Log ζ(s)."""
    return xp.log1p(_derivatives(s, xp)[0])


def mean_log(s: Array, *, xp: Namespace) -> Array:
    """−ζ′(s)/ζ(s) = E log x."""
    rest, first, _ = _derivatives(s, xp)
    return first / (1.0 + rest)


def _curvature(s: Array, xp: Namespace) -> Array:
    """(log ζ)″(s) = Var log x."""
    rest, first, second = _derivatives(s, xp)
    mean = first / (1.0 + rest)
    return second / (1.0 + rest) - mean * mean


def log_zeta_bregman(s: Array, t: Array, *, xp: Namespace) -> Array:
    """Log ζ(t) − log ζ(s) + (t−s)·E_s log x ≥ 0: near s as (t−s)²∫(1−v)·(log ζ)″(s + v(t−s))dv, no cancellation."""
    d = t - s
    near = xp.abs(d) < 0.5 * (s - 1.0)
    if xp.name == "scalar" and near:
        return d * d * mean_curvature(s, d, _curvature, xp)
    step = xp.where(near, d, 0.0 * d)
    # difference of logs at large s: both near 0, so log1p of their own small parts
    far = zeta_log(t, xp=xp) - zeta_log(s, xp=xp) + d * mean_log(s, xp=xp)
    return xp.where(near, step * step * mean_curvature(s, step, _curvature, xp), far)
