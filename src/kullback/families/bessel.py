"""F(κ) = log(I_ν(κ)/κ^ν), the log-normaliser of von Mises and von Mises–Fisher laws, and its Bregman divergence.

F′ = I_{ν+1}/I_ν = A and F″ = 1 − A² − (2ν+1)A/κ. Up to κ = 40 + 2ν² the ratio A comes from its continued fraction,
above from Hankel's series I_ν(κ) ~ e^κ/√(2πκ)·T(κ), whose logarithms 1 − A and F″ need; large orders have `debye`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._special import psi_ratio
from kullback.families import debye
from kullback.families.bregman import bregman
from kullback.families.namespace import is_concrete

Array = Any
Namespace = Any

_TERMS = 26


def border(nu: float) -> float:
    """Where the series takes over."""
    return 40.0 + 2.0 * nu * nu


def ratio(kappa: Array, nu: float, *, xp: Namespace) -> Array:
    """A = I_{ν+1}(κ)/I_ν(κ), in [0, 1)."""
    if nu >= debye.LARGE_ORDER:
        return debye.ratio(kappa, nu, xp=xp)
    large = kappa > border(nu)
    if _none(large):
        return _fraction(kappa, nu, xp)
    high, low = _sides(large, kappa, nu, xp)
    return xp.where(large, 1.0 - _rest(high, nu), _fraction(low, nu, xp))


def _rest_of_ratio(kappa: Array, nu: float, xp: Namespace) -> Array:
    """1 − A."""
    large = kappa > border(nu)
    if _none(large):
        return 1.0 - _fraction(kappa, nu, xp)
    high, low = _sides(large, kappa, nu, xp)
    return xp.where(large, _rest(high, nu), 1.0 - _fraction(low, nu, xp))


def _sides(large: Any, kappa: Array, nu: float, xp: Namespace) -> tuple[Array, Array]:
    """κ for either side of the border, a harmless one where it is on the other."""
    return xp.where(large, kappa, border(nu) + 1.0 + 0.0 * kappa), xp.where(large, 1.0 + 0.0 * kappa, kappa)


def own_part(kappa: Array, nu: float, *, xp: Namespace) -> Array:
    """F − κF′, in which κ itself cancels."""
    if nu >= debye.LARGE_ORDER:
        return debye.own_part(kappa, nu, xp=xp)
    return kappa * _rest_of_ratio(kappa, nu, xp) - below_peak(kappa, nu, xp=xp)


def curvature(kappa: Array, nu: float, *, xp: Namespace) -> Array:
    """F″(κ) = 1 − A² − (2ν+1)A/κ > 0."""
    large = kappa > border(nu)
    k_small = xp.where(large, 1.0 + 0.0 * kappa, kappa)
    # A/κ = r with A = κr; near 0 A′ → 1/(2ν+2), as 1 − (2ν+1)r − κ²r² says without dividing
    r = _fraction_over(k_small, nu, xp)
    a = k_small * r
    small = 1.0 - (2.0 * nu + 1.0) * r - a * a
    if _none(large):
        return small
    k_large = xp.where(large, kappa, border(nu) + 1.0 + 0.0 * kappa)
    first, second = _log_series(k_large, nu)[1:]
    return xp.where(large, (nu + 0.5) / (k_large * k_large) + second, small) + 0.0 * first


def _none(large: Any) -> bool:
    """Whether no κ is known to be large."""
    return is_concrete(large) and not bool(large.any())


def log_normaliser(kappa: Array, nu: float, *, xp: Namespace) -> Array:
    """F(κ) = log(I_ν(κ)/κ^ν), finite at 0."""
    if nu >= debye.LARGE_ORDER:
        return debye.log_normaliser(kappa, nu, xp=xp)
    return kappa - below_peak(kappa, nu, xp=xp)


def below_peak(kappa: Array, nu: float, *, xp: Namespace) -> Array:
    """κ − F(κ): the density's peak, whose digits a large κ would take."""
    large = kappa > border(nu)
    k = xp.where(large, 1.0 + 0.0 * kappa, kappa)
    # power series Σ (κ²/4)^m/(m!·(ν+1)_m), all terms positive
    # up to the border of the largest order the sum, e^κ or so, is a float
    z, total = 0.25 * _plain(k * k, xp), 1.0
    for m in range(_terms(k, nu, xp), 0, -1):
        total = 1.0 + total * z / (m * (nu + m))
    small = k - xp.log(total) + math.lgamma(nu + 1.0) + nu * math.log(2.0)
    K = xp.where(large, kappa, border(nu) + 1.0 + 0.0 * kappa)
    log_T = _log_series(K, nu, xp)[0]
    return xp.where(large, (nu + 0.5) * xp.log(K) + 0.5 * math.log(2 * math.pi) - log_T, small)


def log_normaliser_bregman(s: Array, t: Array, nu: float, *, xp: Namespace) -> Array:
    """F(t) − F(s) − (t−s)F′(s) ≥ 0."""
    if nu >= debye.LARGE_ORDER:
        return debye.log_normaliser_bregman(s, t, nu, xp=xp)
    s, t = s + 0.0 * t, t + 0.0 * s
    low, high = xp.minimum(s, t), xp.maximum(s, t)
    near = (high - low < 1.0 + 0.5 * low) & ~((low <= border(nu)) & (high > border(nu)))

    def far(x: Array, y: Array) -> Array:
        both = (x > border(nu)) & (y > border(nu))
        X, Y = (xp.where(both, v, border(nu) + 1.0 + 0.0 * v) for v in (x, y))
        # (ν+½)ψ(y/x − 1) exactly, and the small log T
        one, two = _log_series(X, nu, xp), _log_series(Y, nu, xp)
        above = (nu + 0.5) * psi_ratio(X, Y, xp=xp) + (two[0] - one[0] - (Y - X) * one[1])
        # κ itself is taken out of F and of A
        plain = below_peak(x, nu, xp=xp) - below_peak(y, nu, xp=xp) + (y - x) * _rest_of_ratio(x, nu, xp)
        return xp.where(both, above, plain)

    return bregman(s, t, near=near, curvature=lambda k, xp: curvature(k, nu, xp=xp), far=far, xp=xp)


def _largest(kappa: Array, nu: float, xp: Namespace) -> float:
    """The largest κ where it can be seen, else what it is at most: a small κ needs few terms."""
    return float(kappa.max()) if xp.name in ("scalar", "numpy") and kappa.size else border(nu)


def _terms(kappa: Array, nu: float, xp: Namespace) -> int:
    """How many terms of the power series of I_ν leave less than 2⁻⁵³ of it."""
    return int(0.8 * _largest(kappa, nu, xp)) + 25


def _plain(x: Array, xp: Namespace) -> Array:
    """A number of NumPy as one of Python, with which a loop takes a third of the time."""
    return float(x) if xp.name == "scalar" else x


def _fraction_over(kappa: Array, nu: float, xp: Namespace) -> Array:
    """A/κ by the continued fraction 1/(2(ν+1) + κ²/(2(ν+2) + …)), closed by Amos's bound."""
    z = _plain(kappa * kappa, xp)
    # this many leave 2e−18 of A
    steps = 5 + int(5.6 * math.sqrt(_largest(kappa, nu, xp)))
    n = nu + steps
    r = _plain(1.0 / (n + 0.5 + xp.sqrt((n + 1.5) ** 2 + z)), xp)
    for j in range(steps, 0, -1):
        r = 1.0 / (2.0 * (nu + j) + z * r)
    return r


def _fraction(kappa: Array, nu: float, xp: Namespace) -> Array:
    return kappa * _fraction_over(kappa, nu, xp)


def _rest(kappa: Array, nu: float) -> Array:
    """1 − A = (ν+½)/κ − (log T)′."""
    return (nu + 0.5) / kappa - _log_series(kappa, nu)[1]


def _log_series(kappa: Array, nu: float, xp: Namespace = None) -> tuple[Array, Array, Array]:
    """(log T, (log T)′, (log T)″) for T = Σ (−1)^k aₖ(ν)/κ^k; log T only where xp is given."""
    u = 1.0 / kappa
    mu, coefficient = 4.0 * nu * nu, 1.0
    terms = []
    for k in range(1, _TERMS):
        coefficient = -coefficient * (mu - (2 * k - 1) ** 2) / (8.0 * k)
        if abs(coefficient) * border(nu) ** -k < 1e-19:
            break
        terms.append((k, coefficient))
    value, first, second = 0.0 * u, 0.0 * u, 0.0 * u
    for k, c in terms:
        power = c * u**k
        value = value + power
        first = first - k * power * u
        second = second + k * (k + 1) * power * u * u
    T = 1.0 + value
    slope = first / T
    return (0.0 * u if xp is None else xp.log1p(value)), slope, second / T - slope * slope


def host_ratio(kappa: Any, nu: float) -> Any:
    """A by SciPy, to check against."""
    from scipy.special import ive

    return ive(nu + 1, kappa) / np.asarray(ive(nu, kappa))
