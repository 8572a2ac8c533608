"""F(κ) = log(I_ν(κ)/κ^ν), the log-normaliser of von Mises and von Mises–Fisher laws, and its Bregman divergence.

F′ = I_{ν+1}/I_ν = A and F″ = 1 − A² − (2ν+1)A/κ. Up to κ = 40 + 2ν² the ratio A comes from its continued fraction,
above from Hankel's series I_ν(κ) ~ e^κ/√(2πκ)·T(κ), whose logarithms 1 − A and F″ need; large orders have `debye`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
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
    return _by_side(kappa > border(nu), lambda k: 1.0 - _rest(k, nu), lambda k: _fraction(k, nu, xp), (kappa,), nu, xp)


def _rest_of_ratio(kappa: Array, nu: float, xp: Namespace) -> Array:
    """1 − A."""
    return _by_side(kappa > border(nu), lambda k: _rest(k, nu), lambda k: 1.0 - _fraction(k, nu, xp), (kappa,), nu, xp)


def _by_side(
    large: Any,
    above: Callable[..., Array],
    below: Callable[..., Array],
    kappas: tuple[Array, ...],
    nu: float,
    xp: Namespace,
) -> Array:
    """above(κ) where large, below(κ) elsewhere, each given a harmless κ on the other side, or not asked at all."""
    if is_concrete(large):
        if not bool(large.any()):
            return below(*kappas)
        if bool(large.all()):
            return above(*kappas)
    high = (xp.where(large, k, border(nu) + 1.0 + 0.0 * k) for k in kappas)
    low = (xp.where(large, 1.0 + 0.0 * k, k) for k in kappas)
    return xp.where(large, above(*high), below(*low))


def own_part(kappa: Array, nu: float, *, xp: Namespace) -> Array:
    """F − κF′, in which κ itself cancels."""
    if nu >= debye.LARGE_ORDER:
        return debye.own_part(kappa, nu, xp=xp)
    return kappa * _rest_of_ratio(kappa, nu, xp) - below_peak(kappa, nu, xp=xp)


def curvature(kappa: Array, nu: float, *, xp: Namespace) -> Array:
    """F″(κ) = 1 − A² − (2ν+1)A/κ > 0."""

    def below(k: Array) -> Array:
        # A/κ = r with A = κr; near 0 A′ → 1/(2ν+2), as 1 − (2ν+1)r − κ²r² says without dividing
        r = _fraction_over(k, nu, xp)
        return 1.0 - (2.0 * nu + 1.0) * r - (k * r) ** 2

    def above(k: Array) -> Array:
        return (nu + 0.5) / (k * k) + _log_series(k, nu)[2]

    return _by_side(kappa > border(nu), above, below, (kappa,), nu, xp)


def log_normaliser(kappa: Array, nu: float, *, xp: Namespace) -> Array:
    """F(κ) = log(I_ν(κ)/κ^ν), finite at 0."""
    if nu >= debye.LARGE_ORDER:
        return debye.log_normaliser(kappa, nu, xp=xp)
    return kappa - below_peak(kappa, nu, xp=xp)


def below_peak(kappa: Array, nu: float, *, xp: Namespace) -> Array:
    """κ − F(κ): the density's peak, whose digits a large κ would take."""

    def below(k: Array) -> Array:
        # power series Σ (κ²/4)^m/(m!·(ν+1)_m), all terms positive
        # up to the border of the largest order the sum, e^κ or so, is a float
        z, total = 0.25 * _plain(k * k, xp), 1.0
        for m in range(_terms(k, nu, xp), 0, -1):
            total = 1.0 + total * z / (m * (nu + m))
        return k - xp.log(total) + math.lgamma(nu + 1.0) + nu * math.log(2.0)

    def above(k: Array) -> Array:
        return (nu + 0.5) * xp.log(k) + 0.5 * math.log(2 * math.pi) - _log_series(k, nu, xp)[0]

    return _by_side(kappa > border(nu), above, below, (kappa,), nu, xp)


def log_normaliser_bregman(s: Array, t: Array, nu: float, *, xp: Namespace) -> Array:
    """F(t) − F(s) − (t−s)F′(s) ≥ 0."""
    if nu >= debye.LARGE_ORDER:
        return debye.log_normaliser_bregman(s, t, nu, xp=xp)
    s, t = s + 0.0 * t, t + 0.0 * s
    low, high = xp.minimum(s, t), xp.maximum(s, t)
    near = (high - low < 1.0 + 0.5 * low) & ~((low <= border(nu)) & (high > border(nu)))

    def above(x: Array, y: Array) -> Array:
        # (ν+½)ψ(y/x − 1) exactly, and the small log T
        one, two = _log_series(x, nu, xp), _log_series(y, nu, xp)
        return (nu + 0.5) * psi_ratio(x, y, xp=xp) + (two[0] - one[0] - (y - x) * one[1])

    def below(x: Array, y: Array) -> Array:
        # κ itself is taken out of F and of A
        return below_peak(x, nu, xp=xp) - below_peak(y, nu, xp=xp) + (y - x) * _rest_of_ratio(x, nu, xp)

    def far(x: Array, y: Array) -> Array:
        return _by_side((x > border(nu)) & (y > border(nu)), above, below, (x, y), nu, xp)

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
    value, first, second = 0.0 * u, 0.0 * u, 0.0 * u
    for c, d, e in _hankel(nu):
        value, first, second = (value + c) * u, (first + d) * u, (second + e) * u
    T = 1.0 + value
    slope = -u * first / T
    return (0.0 * u if xp is None else xp.log1p(value)), slope, u * u * second / T - slope * slope


@functools.cache
def _hankel(nu: float) -> tuple[tuple[float, float, float], ...]:
    """(aₖ, k·aₖ, k(k+1)·aₖ) of T with their signs, the highest k first, as many as count beyond the border."""
    mu, coefficient = 4.0 * nu * nu, 1.0
    terms: list[tuple[float, float, float]] = []
    for k in range(1, _TERMS):
        coefficient = -coefficient * (mu - (2 * k - 1) ** 2) / (8.0 * k)
        if abs(coefficient) * border(nu) ** -k < 1e-19:
            break
        terms.append((coefficient, k * coefficient, k * (k + 1) * coefficient))
    return tuple(terms[::-1])


def host_ratio(kappa: Any, nu: float) -> Any:
    """A by SciPy, to check against."""
    from scipy.special import ive

    return ive(nu + 1, kappa) / np.asarray(ive(nu, kappa))
