"""The primitives between parameters on plain numbers: the formulas of `_special`, each branch taken once.

A namespace that carries this module as `plain` is answered here; tests hold the two to the same digits.
"""

from __future__ import annotations

import math

import numpy as np

from kullback._special import _ATANH, _EXPM1, _STIRLING, GAMMA_SHIFT, PHI_RADIUS, PSI_HIGH, PSI_LOW

_INF = math.inf
# highest first; below t² = .009 the terms from the eighth on are less than 2⁻⁵⁶ of the leading one
_ATANH_HIGH, _ATANH_LOW = _ATANH[:6:-1], _ATANH[6::-1]
_EXPM1_DOWN = _EXPM1[::-1]
_STIRLING_ODD = tuple((2.0 * j + 1.0, s) for j, s in enumerate(_STIRLING))


def log_ratio(x: float, y: float) -> np.float64:
    """log(x/y)."""
    return np.float64(_log_ratio(float(x), float(y)))


def psi_ratio(x: float, y: float, h: float | None = None) -> np.float64:
    """ψ(y/x − 1)."""
    x, y = float(x), float(y)
    return np.float64(_psi_ratio(x, y, y - x if h is None else float(h)))


def phi(u: float) -> np.float64:
    """expm1(u) − u."""
    return np.float64(_phi(float(u)))


def relative_term(x: float, y: float, h: float) -> np.float64:
    """x·log(x/y) − x + y, h = y − x."""
    return np.float64(_relative_term(float(x), float(y), float(h)))


def gamma_shifted(a: float, c: float, h: float) -> tuple[np.float64, np.float64, np.float64]:
    """The recurrence of B_Γ."""
    a, c, h = float(a), float(c), float(h)
    if min(a, c) >= GAMMA_SHIFT:
        return np.float64(0.0), np.float64(a), np.float64(c)
    return np.float64(_shifts(a, c, h)), np.float64(a + GAMMA_SHIFT), np.float64(c + GAMMA_SHIFT)


def gamma_rest(a: float, c: float, h: float) -> np.float64:
    """½ψ(c/a − 1) and Stirling's series."""
    return np.float64(_rest(float(a), float(c), float(h)))


def shape_and_scale(k1: float, k2: float, h: float, M: float) -> np.float64:
    """B_Γ(k₁,k₂) + k₁φ(M) − hM, each case of `families.stacy` taken once."""
    return np.float64(_shape_and_scale(float(k1), float(k2), float(h), float(M)))


def dirichlet_alike(a: list[float], c: list[float], h: list[float]) -> np.float64:
    """The form of `families.dirichlet_form` for parameters of like sizes."""
    a, c, h = ([float(x) for x in xs] for xs in (a, c, h))
    moved = [GAMMA_SHIFT if min(x, y) < GAMMA_SHIFT else 0.0 for x, y in zip(a, c, strict=True)]
    A, C, H = sum(a), sum(c), sum(h)
    A_all = A + sum(moved)
    C_all = A_all + H
    T, mean = H / A_all, C_all / A_all
    value = 0.0
    for x, y, d, n in zip(a, c, h, moved, strict=True):
        if n:
            value += _shifts(x, y, d)
        x, y = x + n, y + n
        value += y * _psi_ratio(y / x, mean, T - d / x) + _rest(x, y, d)
    n = GAMMA_SHIFT if min(A, C) < GAMMA_SHIFT else 0.0
    A_0, C_0 = A + n, C + n
    z = T * ((A_all - A_0) / C_0)
    joined = C_0 * _psi_ratio(1.0, 1.0 - z, -z) + (A_all - A_0) * _psi_ratio(A_all, C_all, H)
    return np.float64(value - ((_shifts(A, C, H) if n else 0.0) + joined + _rest(A_0, C_0, H)))


# ---- Python's numbers from here on; `_special_numba` compiles these as they are --------------------------------------


def _shape_and_scale(k1: float, k2: float, h: float, M: float) -> float:
    if k1 > 2 * GAMMA_SHIFT and k2 < GAMMA_SHIFT:
        return k2 * _phi(M - _log_ratio(k2, k1)) + _fallen(k1, k2, h)
    if min(k1, k2) < GAMMA_SHIFT:
        a, c = k1 + GAMMA_SHIFT, k2 + GAMMA_SHIFT
        leading = c * _psi_ratio(c, a, -h) + (k1 * _phi(M) - h * M)
        return _shifts(k1, k2, h) + leading + _rest(a, c, h)
    return k2 * _phi(M - _log_ratio(k2, k1)) + _rest(k1, k2, h)


def _rest(a: float, c: float, h: float) -> float:
    p, u = 1.0 / a, 1.0 / c
    total, polynomial, power = 0.0, 0.0, 1.0
    for n, s in _STIRLING_ODD:
        power *= p
        polynomial = polynomial * u + n * power
        total += s * polynomial
        power *= p
        polynomial = polynomial * u + (n + 1.0) * power
    return 0.5 * _psi_ratio(a, c, h) + (h * p) * (h * u) * total


def _shifts(a: float, c: float, h: float) -> float:
    """Σ_{k < 10} ψ((c+k)/(a+k) − 1); where a and c are apart, as h·P′(a)/P(a) − log P(c)/P(a), P(x) = x(x+1)…(x+9)."""
    if a == 0.0:
        return math.nan
    if not PSI_LOW < h / a < PSI_HIGH and max(a, c) < 1e20 and min(a, c) > 1e-200:
        p, q, slope = a, c, 1.0
        for k in range(1, GAMMA_SHIFT):
            slope = slope * (a + k) + p
            p *= a + k
            q *= c + k
        return h * (slope / p) - math.log(q / p)
    total = 0.0
    for k in range(GAMMA_SHIFT):
        total += _psi_ratio(a + k, c + k, h)
    return total


def _fallen(k1: float, k2: float, h: float) -> float:
    own = math.lgamma(k2) - (k2 - 0.5) * math.log(k2) + k2 - 0.5 * math.log(2 * math.pi)
    error, slope, power = 0.0, 0.0, 1.0 / k1
    for j, s in enumerate(_STIRLING):
        error += s * power
        slope -= (2 * j + 1) * s * power / k1
        power /= k1 * k1
    return own - error - h * slope + 0.5 * _psi_ratio(k1, k2, h)


def _relative_term(x: float, y: float, h: float) -> float:
    return y if x == 0.0 else x * _psi_ratio(x, y, h)


def _phi(u: float) -> float:
    if abs(u) < PHI_RADIUS:
        total = 0.0
        for c in _EXPM1_DOWN:
            total = total * u + c
        return u * u * total
    return _INF if u > 709.78 else math.expm1(u) - u


def _log_ratio(x: float, y: float) -> float:
    if y == 0.0 or x == _INF:
        return _INF if x > 0 else math.nan
    s = (x - y) / y
    if -0.5 < s < 1.0:
        return math.log1p(s)
    ratio = x / y
    if 0.0 < ratio < _INF:
        return math.log(ratio)
    return math.log(x) - math.log(y) if x > 0 else -_INF


def _psi_ratio(x: float, y: float, h: float) -> float:
    if x == 0.0:
        return math.nan
    s = h / x
    if not PSI_LOW < s < PSI_HIGH:
        return s - (math.log1p(s) if -0.5 < s < 1.0 else _log_ratio(y, x))
    t = s / (2.0 + s)
    z = t * t
    total = 0.0
    if z > 0.009:
        for c in _ATANH_HIGH:
            total = total * z + c
    for c in _ATANH_LOW:
        total = total * z + c
    return t * (s - 2.0 * z * total)
