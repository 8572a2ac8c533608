"""F(κ) = log(I_ν(κ)/κ^ν) for large orders ν by Debye's expansion, uniform in κ from 0 to ∞ (DLMF 10.41.3).

With r = √(ν² + κ²) and τ = ν/r, F = r − ν·log(ν + r) − ½log r − ½log 2π + S(τ), S = Σ sₖ(τ)/νᵏ the logarithm of
Σ Uₖ(τ)/νᵏ. The Bregman divergence of the first two terms is ν²(t−s)²/((r_t·r_s + ts + ν²)(ν + r_s)) + ν·ψ(x),
x = (r_t − r_s)/(ν + r_s), as r_t²r_s² = (ts + ν²)² + ν²(t−s)²: nothing cancels, however close or far s and t are.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import Any

from kullback._special import psi, psi_ratio
from kullback.families.bregman import mean_curvature

Array = Any
Namespace = Any

# From this order on, as many terms leave 2e−15 of F′ and 6e−15 of its differences.
LARGE_ORDER = 16.0
_TERMS = 14


def log_normaliser(kappa: Array, nu: float, *, xp: Namespace) -> Array:
    """F(κ)."""
    r = _radius(kappa, nu, xp)
    rest = 0.5 * xp.log(r) + 0.5 * math.log(2 * math.pi)
    # r − ν·log(ν + r), its first part from 0 on
    return nu + kappa * (kappa / (nu + r)) - nu * xp.log(nu + r) - rest + _series(nu / r, nu)[0]


def ratio(kappa: Array, nu: float, *, xp: Namespace) -> Array:
    """F′ = I_{ν+1}/I_ν = κ/(ν + r) − κ/(2r²) + S′."""
    r = _radius(kappa, nu, xp)
    tau = nu / r
    return kappa / (nu + r) - (0.5 + tau * _series(tau, nu)[1]) * (kappa / r) / r


def own_part(kappa: Array, nu: float, *, xp: Namespace) -> Array:
    """F − κF′ = ν − ν·log(ν + r) − ½log r − ½log 2π + ½(κ/r)² + S − κS′: the r of both have gone."""
    r = _radius(kappa, nu, xp)
    tau, share = nu / r, kappa / r
    value, first, _ = _series(tau, nu)
    moved = (0.5 + tau * first) * share * share
    return nu - nu * xp.log(nu + r) - 0.5 * xp.log(r) - 0.5 * math.log(2 * math.pi) + value + moved


def log_normaliser_bregman(s: Array, t: Array, nu: float, *, xp: Namespace) -> Array:
    """F(t) − F(s) − (t−s)F′(s) ≥ 0."""
    s, t = s + 0.0 * t, t + 0.0 * s
    d = t - s
    r_s, r_t = _radius(s, nu, xp), _radius(t, nu, xp)
    h = d * ((s + t) / (r_s + r_t))
    cross = (s / r_t) * t + r_s + (nu / r_t) * nu
    leading = (d / r_t) * (d / (nu + r_s)) * nu * (nu / cross) + nu * psi_ratio(nu + r_s, nu + r_t, h, xp=xp)
    # of −½log r: ¼ψ(y) − ¼(d/r_s)², y = (r_t/r_s)² − 1, where y is small
    step = d / r_s
    y = step * ((s + t) / r_s)
    close = xp.abs(y) < 0.5
    small = xp.where(close, y, 0.0 * y)
    far = xp.log(r_s) - xp.log(r_t) + step * (s / r_s)
    logs = xp.where(close, 0.5 * psi(small, xp=xp) - 0.5 * xp.where(close, step, 0.0 * y) ** 2, far)
    return leading + 0.5 * logs + _series_bregman(s, t, d, nu, xp)


def _series_bregman(s: Array, t: Array, d: Array, nu: float, xp: Namespace) -> Array:
    """Of S: by its curvature where s and t are close, else as it stands, small beside the rest."""
    near = xp.abs(d) < 1.0 + 0.5 * xp.minimum(s, t)
    close = xp.where(near, d, 0.0 * d)
    by_curvature = close * close * mean_curvature(s, close, lambda k, xp: _series_curvature(k, nu, xp), xp)
    r = _radius(s, nu, xp)
    tau = nu / r
    value, first, _ = _series(tau, nu)
    plain = _series(nu / _radius(t, nu, xp), nu)[0] - value + first * tau * (d / r) * (s / r)
    return xp.where(near, by_curvature, plain)


def _series_curvature(kappa: Array, nu: float, xp: Namespace) -> Array:
    """S″(κ), from dτ/dκ = −τ³κ/ν² and κ²τ² = ν²(1 − τ²)."""
    tau = nu / _radius(kappa, nu, xp)
    _, first, second = _series(tau, nu)
    turned = (kappa * tau / nu) ** 2
    return tau * (tau / nu) ** 2 * (turned * (3.0 * first + tau * second) - first)


def _radius(kappa: Array, nu: float, xp: Namespace) -> Array:
    """√(ν² + κ²), as far as κ is a float."""
    top = xp.maximum(kappa, nu + 0.0 * kappa)
    return top * xp.sqrt((nu / top) ** 2 + (kappa / top) ** 2)


def _series(tau: Array, nu: float) -> tuple[Array, Array, Array]:
    """(S, dS/dτ, d²S/dτ²)."""
    value: Any = 0.0
    first: Any = 0.0
    second: Any = 0.0
    for c in _coefficients(nu):
        second = second * tau + 2.0 * first
        first = first * tau + value
        value = value * tau + c
    return value, first, second


@functools.lru_cache(maxsize=64)
def _coefficients(nu: float) -> tuple[float, ...]:
    """Of S as a polynomial in τ, the highest power first."""
    series = _logarithms()
    degree = len(series[-1])
    by_power = [sum(float(s[j]) / nu**k for k, s in enumerate(series, 1) if j < len(s)) for j in range(degree)]
    return tuple(by_power[::-1])


@functools.cache
def _logarithms() -> tuple[list[Fraction], ...]:
    """s₁, s₂, …: k·sₖ = k·Uₖ − Σ_{j<k} j·sⱼ·U_{k−j}."""
    U = _debye()
    logs: list[list[Fraction]] = []
    for k in range(1, _TERMS + 1):
        s = list(U[k])
        for j in range(1, k):
            for a, x in enumerate(logs[j - 1]):
                for b, y in enumerate(U[k - j]):
                    s[a + b] -= Fraction(j, k) * x * y
        logs.append(s)
    return tuple(logs)


def _debye() -> list[list[Fraction]]:
    """U₀, U₁, …, the lowest power first: U_{k+1} = ½τ²(1 − τ²)Uₖ′ + ⅛∫₀^τ(1 − 5x²)Uₖ(x)dx (DLMF 10.41.9)."""
    U = [[Fraction(1)]]
    for k in range(_TERMS):
        new = [Fraction(0)] * (3 * k + 4)
        for j, c in enumerate(U[k]):
            new[j + 1] += c * (Fraction(j, 2) + Fraction(1, 8 * (j + 1)))
            new[j + 3] -= c * (Fraction(j, 2) + Fraction(5, 8 * (j + 3)))
        U.append(new)
    return U
