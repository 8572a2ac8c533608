"""The primitives between parameters as compiled loops over large NumPy arrays: the formulas of `_special`, in one pass.

A namespace that carries this module as `plain` is answered here; tests hold the two to the same digits. numba is
imported with this module, which is imported when a large array arrives.
"""

# numba ships no types that a strict checker can use
# mypy: disable-error-code="untyped-decorator,no-any-return"

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

from kullback._compile import compiled, threads
from kullback._special import _ATANH, _EXPM1, _STIRLING, GAMMA_SHIFT, PHI_RADIUS, PSI_HIGH, PSI_LOW

Array = Any

_A = np.array(_ATANH)
_E = np.array(_EXPM1)
_S = np.array(_STIRLING)
_INF = math.inf
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_inline = compiled(error_model="numpy")


@_inline
def _psi_series(s: float) -> float:
    t = s / (2.0 + s)
    z = t * t
    if z < 1e-3:  # z⁶/15 is below 2⁻⁵³: the six first terms are enough
        return t * (s - 2.0 * z * (_A[0] + z * (_A[1] + z * (_A[2] + z * (_A[3] + z * (_A[4] + z * _A[5]))))))
    total = _A[11]
    for i in range(10, -1, -1):
        total = total * z + _A[i]
    return t * (s - 2.0 * z * total)


@_inline
def _log_ratio(x: float, y: float) -> float:
    s = (x - y) / y
    if -0.5 < s < 1.0:
        return math.log1p(s)
    ratio = x / y
    if 0.0 < ratio < _INF:
        return math.log(ratio)
    return np.log(x) - np.log(y)


@_inline
def _psi_ratio(x: float, y: float, h: float) -> float:
    s = h / x
    if PSI_LOW < s < PSI_HIGH:
        return _psi_series(s)
    return s - _log_ratio(y, x)


@_inline
def _phi(u: float) -> float:
    if abs(u) < PHI_RADIUS:
        total = _E[13]
        for i in range(12, -1, -1):
            total = total * u + _E[i]
        return u * u * total
    return math.expm1(u) - u


@_inline
def _shifts(a: float, c: float, h: float) -> float:
    """Σ_{k < 10} ψ((c+k)/(a+k) − 1): term by term where a and c are close, else h·P′(a)/P(a) − log P(c)/P(a).

    P(x) = x(x+1)…(x+9), so that ten logarithms and ten divisions are one each.
    """
    if PSI_LOW < h / a < PSI_HIGH:
        total = 0.0
        for k in range(GAMMA_SHIFT):
            total += _psi_series(h / (a + k))
        return total
    if max(a, c) < 1e20 and min(a, c) > 1e-200:
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


@_inline
def _series(a: float, c: float, h: float) -> float:
    p, u = 1.0 / a, 1.0 / c
    total, polynomial, power = 0.0, 0.0, 1.0
    for n in range(1, 16):
        power *= p
        polynomial = polynomial * u + n * power
        if n % 2:
            total += _S[n // 2] * polynomial
    return (h * p) * (h * u) * total


@_inline
def _rest(a: float, c: float, h: float) -> float:
    return 0.5 * _psi_ratio(a, c, h) + _series(a, c, h)


_two, _three, _four = (
    "float64(float64, float64)",
    "float64(float64, float64, float64)",
    "float64(float64, float64, float64, float64)",
)


def _loop(signature: str) -> Any:
    return numba.vectorize([signature], nopython=True, cache=True)


@_loop(_two)
def _log_ratios(x: float, y: float) -> float:
    return _log_ratio(x, y)


@_loop(_three)
def _psi_ratios(x: float, y: float, h: float) -> float:
    return _psi_ratio(x, y, h)


@_loop(_three)
def _shift_sums(a: float, c: float, h: float) -> float:
    return _shifts(a, c, h) if min(a, c) < GAMMA_SHIFT else 0.0


@_loop(_three)
def _rests(a: float, c: float, h: float) -> float:
    return _rest(a, c, h)


@_loop(_four)
def _normals(m: float, s: float, n: float, t: float) -> float:
    d, w = (m - n) / t, (s - t) / t
    return 0.5 * (d * d + w * w) + _psi_ratio(t, s, s - t)


@_inline
def _fallen(k1: float, k2: float, h: float) -> float:
    """What B_Γ(k₁, k₂) has besides Stirling's leading part, for a large k₁ and a small k₂."""
    own = math.lgamma(k2) - (k2 - 0.5) * math.log(k2) + k2 - _HALF_LOG_2PI
    error, slope, power = 0.0, 0.0, 1.0 / k1
    for j in range(len(_S)):
        error += _S[j] * power
        slope -= (2 * j + 1) * _S[j] * power / k1
        power /= k1 * k1
    return own - error - h * slope + 0.5 * _psi_ratio(k1, k2, h)


@_loop(_four)
def _shape_and_scale(k1: float, k2: float, h: float, M: float) -> float:
    if k1 > 2 * GAMMA_SHIFT and k2 < GAMMA_SHIFT:
        return k2 * _phi(M - _log_ratio(k2, k1)) + _fallen(k1, k2, h)
    if min(k1, k2) < GAMMA_SHIFT:
        a, c = k1 + GAMMA_SHIFT, k2 + GAMMA_SHIFT
        s = h / a
        if PSI_LOW < s < PSI_HIGH and PSI_LOW < -h / c < PSI_HIGH:
            both = c * _psi_series(-h / c) + 0.5 * _psi_series(s)
        else:
            ratio = _log_ratio(c, a)  # c·ψ(a/c − 1) + ½ψ(c/a − 1)
            both = (c - 0.5) * ratio - h + 0.5 * s
        return _shifts(k1, k2, h) + both + (k1 * _phi(M) - h * M) + _series(a, c, h)
    return k2 * _phi(M - _log_ratio(k2, k1)) + _rest(k1, k2, h)


def _in_parts(loop: Any, *xs: Array) -> Array:
    """loop(*xs), the rows shared among threads: the loops hold no lock, and a pool of threads survives a fork."""
    shape = np.broadcast_shapes(*(np.shape(x) for x in xs))
    many = min(threads(), math.prod(shape) // _PER_THREAD)
    if many < 2:
        return loop(*xs)
    flat = [x if np.ndim(x) == 0 else np.broadcast_to(x, shape).reshape(-1) for x in xs]
    out = np.empty(math.prod(shape))
    edges = np.linspace(0, len(out), many + 1).astype(int)
    parts = [slice(i, j) for i, j in itertools.pairwise(edges)]

    def run(part: slice) -> None:
        loop(*(x if np.ndim(x) == 0 else x[part] for x in flat), out=out[part])

    with ThreadPoolExecutor(many) as pool:
        list(pool.map(run, parts))
    return out.reshape(shape)


_PER_THREAD = 100_000


def log_ratio(x: Array, y: Array) -> Array:
    """log(x/y)."""
    return _in_parts(_log_ratios, x, y)


def psi_ratio(x: Array, y: Array, h: Array | None = None) -> Array:
    """ψ(y/x − 1)."""
    return _in_parts(_psi_ratios, x, y, y - x if h is None else h)


def gamma_shifted(a: Array, c: Array, h: Array) -> tuple[Array, Array, Array]:
    """The recurrence of B_Γ."""
    small = np.minimum(a, c) < GAMMA_SHIFT
    return _in_parts(_shift_sums, a, c, h), np.where(small, a + GAMMA_SHIFT, a), np.where(small, c + GAMMA_SHIFT, c)


def gamma_rest(a: Array, c: Array, h: Array) -> Array:
    """½ψ(c/a − 1) and Stirling's series."""
    return _in_parts(_rests, a, c, h)


def normal_kl(mean_p: Array, std_p: Array, mean_q: Array, std_q: Array) -> Array:
    """KL between normal laws."""
    return _in_parts(_normals, mean_p, std_p, mean_q, std_q)


def shape_and_scale(k1: Array, k2: Array, h: Array, M: Array) -> Array:
    """B_Γ(k₁,k₂) + k₁φ(M) − hM, with Stirling's part joined where both are large (`families.stacy`)."""
    return _in_parts(_shape_and_scale, k1, k2, h, M)
