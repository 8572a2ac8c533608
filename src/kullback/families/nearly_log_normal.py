"""KL between two generalised gammas of large shapes, which are nearly log-normal: what is left when those agree.

With r = c₂/c₁, x = r/k₁, ρ = r²k₂/k₁ = 1 + σ (the ratio of the variances of log X), B = c₂·log(a₁/a₂),
L = B + r·log k₁ − log k₂ + G and R Stirling's series, where G = k₁[(1+x)log1p(x) − x] − ½log1p(x) + R(k₁+r) − R(k₁):

KL = ½ψ(σ) + k₂φ(L) + T,
T  = k₂[k₁((1+x)log1p(x) − x − x²/2) + ½ψ(x) + R(k₁+r) − R(k₁) − rR′(k₁)] + R(k₂) − R(k₁) + k₁R′(k₁).

Bauckhage's eq. (28), arXiv:1401.6853, with Stirling's formula put in for lnΓ(k₁), ψ₀(k₁), lnΓ(k₂) and lnΓ(k₁+r).
ψ(s) = s − log1p(s), φ(u) = expm1(u) − u. L and σ are of the size of 1/k where T is all there is: their sums run in
twice the digits of a float. T = Σ Tₙ/k₁ⁿ, and every Tₙ is a quadratic form in ε = r − 1 and σ near 0.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

from kullback import _double_double as twice
from kullback._special import _STIRLING, GAMMA_SHIFT, gamma_series, phi, psi, psi_series
from kullback.families.namespace import replaced

Array = Any
Namespace = Any
Polynomial = tuple[float, ...]

# Stirling's series reaches down to here; where powers are alike the general form has its digits up to _CLOSE
SMALLEST = float(GAMMA_SHIFT)
_CLOSE = 100.0
# r/k₁ up to here: ρ = 1 makes it 1/√(k₁k₂)
_FLAT = 0.05
# c²k stays a number, and splits
_LARGEST = 1e75
# 2⁻⁵³·√_LOST = 4e-14 of the value
_LOST = 1e5
_NEAR = 0.25
_ORDERS = 8
# (1+x)log1p(x) − x − x²/2 = Σ (−1)ʲ xʲ/(j(j−1)), j = 3…14
_CUBIC = tuple((-1.0) ** j / (j * (j - 1)) for j in range(3, 15))


def sharpened(
    value: Array, shapes: list[Array], scales: list[list[tuple[Array, float]]], log_beta: Array, *, xp: Namespace
) -> Array:
    """The general form's value where it has its digits, the form above where not.

    shapes are k₁, k₂, c₁, c₂ (one sign), scales the factors of a₁ and of a₂ with their powers. The general form takes
    k₂φ(L) from an L that is right to 2⁻⁵³ of the largest logarithm.
    """
    zero = xp.zeros_like(value)
    given = [xp.double(v) + zero for v in (*shapes, *(v for side in scales for v, _ in side))]
    k1, k2, c1, c2 = given[:4]
    chosen = (k1 > SMALLEST) & (k2 > SMALLEST) & (c2 / c1 < _FLAT * k1) & (value < k2)
    chosen = chosen & ((k1 > _CLOSE) & (k2 > _CLOSE) | (xp.abs(c2 - c1) >= _NEAR * xp.abs(c1)))
    for v in given[:4]:
        size = xp.abs(v)
        chosen = chosen & (size > 1.0 / _LARGEST) & (size < _LARGEST)
    # where the form is not wanted it is fed 200, and its derivatives are finite
    k1, k2 = (xp.where(chosen, k, 2.0 * _CLOSE + zero) for k in (k1, k2))
    logs = xp.abs(log_beta) + xp.abs((c2 - c1) / c1) * xp.log(k1) + xp.abs(xp.log(k2 / k1))
    chosen = chosen & (logs * logs * k2 > _LOST * value)
    given = [xp.where(chosen, v, 2.0 * _CLOSE + zero) for v in given]

    def f(given: list[Array]) -> Array:
        values, logs = iter(given[4:]), []
        for side in scales:
            total = (0.0 * given[0], 0.0 * given[0])
            for _, exponent in side:
                high, low = twice.log(next(values), xp)
                total = twice.add(total, (exponent * high, exponent * low))
            logs.append(total)
        return nearly_log_normal_kl(given[:4], (logs[0], logs[1]), xp=xp)

    return replaced(value, chosen, given, f, xp)


def nearly_log_normal_kl(shapes: list[Array], logs: tuple[twice.Double, twice.Double], *, xp: Namespace) -> Array:
    """The form above; logs are log a₁ and log a₂ in twice the digits, shapes k₁, k₂, c₁ and c₂ of one sign."""
    k1, k2, c1, c2 = shapes
    zero = 0.0 * (k1 + k2 + c1 + c2 + logs[0][0] + logs[1][0])
    k1, k2, c1, c2 = (v + zero for v in (k1, k2, c1, c2))
    power = twice.divide((c2, zero), (c1, zero), xp)
    r, epsilon = power[0], (c2 - c1) / c1
    shift = twice.multiply((c2, zero), twice.subtract(*logs), xp)
    shape = twice.subtract(twice.multiply(power, twice.log(k1, xp), xp), twice.log(k2, xp))
    M = twice.add(shift, shape)
    squares = [twice.multiply(twice.two_product(c, c, xp), (k, zero), xp) for c, k in ((c1, k1), (c2, k2))]
    sigma = twice.subtract(squares[1], squares[0])[0] / squares[0][0]
    x = r / k1
    cubic, square = _cubic(x), psi_series(x)
    rest = gamma_series(k1, k1 + r, r)
    # −½log1p(x) = ½ψ(x) − x/2 and R(k₁+r) − R(k₁) = rest + rR′(k₁)
    G = k1 * cubic + 0.5 * square + (rest + r * _stirling(k1, slope=True)) + 0.5 * x * epsilon
    L = twice.add(M, (G, zero))[0]
    far = k2 * (k1 * cubic + 0.5 * square + rest) + _stirling(k2) - _stirling(k1) + k1 * _stirling(k1, slope=True)
    near = (xp.abs(epsilon) < _NEAR) & (xp.abs(sigma) < 1.0)
    T = xp.where(near, _close(xp.where(near, epsilon, zero), xp.where(near, sigma, zero), 1.0 / k1), far)
    return 0.5 * psi(sigma, xp=xp) + k2 * phi(L, xp=xp) + T


def _cubic(x: Array) -> Array:
    total = 0.0 * x
    for coefficient in reversed(_CUBIC):
        total = total * x + coefficient
    return total * (x * x * x)


def _stirling(k: Array, *, slope: bool = False) -> Array:
    """R(k), or R′(k)."""
    total, power = 0.0 * k, (1.0 / k) * (1.0 / k if slope else 1.0)
    for j, s in enumerate(_STIRLING):
        total = total + (-(2 * j + 1) * s if slope else s) * power
        power = power / (k * k)
    return total


# ---- T where r and ρ are nearly 1 ------------------------------------------------------------------------------------
#
# Tₙ = ρ·αₙ(r) + sₙ(r²/ρ)ⁿ − (n+1)sₙ, sₙ Stirling's numbers (0 for even n),
# αₙ = (−r)ⁿ/((n+1)(n+2)) − ½(−1)ⁿrⁿ⁻¹/(n+1) + Σₘ sₘ·C(−m, i)·rⁱ⁻², i = n + 1 − m ≥ 2.
# ρ⁻ⁿ − 1 + nσ = σ²/ρ · Σⱼ j·ρ^{j−n}, j = 1…n, and what is left has the roots that T's minimum at (1, 1) gives:
# Tₙ = ε²·Qₙ(ε) + σε·Wₙ(ε) + sₙr²ⁿ·(ρ⁻ⁿ − 1 + nσ).


def _close(epsilon: Array, sigma: Array, p: Array) -> Array:
    r, v = 1.0 + epsilon, 1.0 / (1.0 + sigma)
    total = 0.0 * p
    for n in range(_ORDERS, 0, -1):
        square, mixed, s = _TABLE[n - 1]
        term = epsilon * (epsilon * _horner(square, epsilon) + sigma * _horner(mixed, epsilon))
        if s:
            curve = 0.0 * v
            for j in range(1, n + 1):
                curve = curve * v + j
            term = term + s * r ** (2 * n) * (sigma * sigma * v * curve)
        total = (total + term) * p
    return total


def _horner(coefficients: Polynomial, x: Array) -> Array:
    total = 0.0 * x
    for c in reversed(coefficients):
        total = total * x + c
    return total


def _table() -> list[tuple[Polynomial, Polynomial, float]]:
    """The coefficients of Qₙ and Wₙ in powers of ε, and sₙ."""
    stirling = {2 * j + 1: Fraction(s).limit_denominator(10**6) for j, s in enumerate(_STIRLING)}
    rows = []
    for n in range(1, _ORDERS + 1):
        alpha = [Fraction(0)] * (2 * n + 1)
        alpha[n] += Fraction((-1) ** n, (n + 1) * (n + 2))
        alpha[n - 1] -= Fraction((-1) ** n, 2 * (n + 1))
        for m in range(1, n, 2):
            i = n + 1 - m
            alpha[i - 2] += stirling[m] * (-1) ** i * comb(m + i - 1, i)
        s = stirling.get(n, Fraction(0))
        square, mixed = [*alpha], [*alpha]
        square[2 * n] += s
        square[0] -= (n + 1) * s
        mixed[2 * n] -= n * s
        square, mixed = _about_one(square), _about_one(mixed)
        assert square[:2] == [0, 0]
        assert mixed[0] == 0
        rows.append((tuple(map(float, square[2:])), tuple(map(float, mixed[1:])), float(s)))
    return rows


def _about_one(coefficients: list[Fraction]) -> list[Fraction]:
    """The same polynomial in powers of r − 1."""
    size = len(coefficients)
    return [sum((comb(i, j) * coefficients[i] for i in range(j, size)), Fraction(0)) for j in range(size)]


_TABLE = _table()
