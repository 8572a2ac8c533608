"""The primitives between parameters as compiled loops over large NumPy arrays, in one pass and on all cores.

A namespace that carries this module as `plain` is answered here; tests hold it to the same digits. Ordinary numbers go
through the lanes of `_special_lanes_numba`, all others through the formulas of `_special_scalar`, compiled as they are.
numba is imported with this module, which is imported when a large array arrives.
"""

# numba ships no types that a strict checker can use
# mypy: disable-error-code="untyped-decorator,no-any-return,no-untyped-def,no-untyped-call"

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba.extending import register_jitable

from kullback import _special_lanes_numba as lanes
from kullback import _special_scalar as scalar
from kullback._compile import INLINE, TERM, compiled, threads
from kullback._special import GAMMA_SHIFT
from kullback._special_lanes_numba import LOGARITHM, ORDINARY, SHAPE

Array = Any

for _formula in (
    scalar._log_ratio,
    scalar._psi_ratio,
    scalar._relative_term,
    scalar._phi,
    scalar._shifts,
    scalar._rest,
    scalar._fallen,
    scalar._shape_and_scale,
):
    register_jitable(error_model="numpy")(_formula)

_inline, _loop = compiled(**INLINE), compiled(**TERM)


@_inline
def _odd(x, y, ordinary):
    """1 unless both numbers lie within the ordinary range: NaN does not."""
    return 0 if x >= ordinary[0] and y >= ordinary[0] and x <= ordinary[1] and y <= ordinary[1] else 1


@_loop
def _log_ratios(x, y, out):
    odd = 0
    for i in range(len(out)):
        odd += _odd(x[i], y[i], ORDINARY)
        out[i] = lanes.log_ratio(x[i], y[i])
    for i in range(len(out) if odd else 0):
        if _odd(x[i], y[i], ORDINARY):
            out[i] = scalar._log_ratio(x[i], y[i])


@_loop
def _psi_ratios(x, y, h, out):
    odd = 0
    for i in range(len(out)):
        odd += _odd(x[i], y[i], ORDINARY)
        out[i] = lanes.psi_ratio(x[i], y[i], h[i])
    for i in range(len(out) if odd else 0):
        if _odd(x[i], y[i], ORDINARY):
            out[i] = scalar._psi_ratio(x[i], y[i], h[i])


@_loop
def _relative_terms(x, y, h, out):
    odd = 0
    for i in range(len(out)):
        odd += _odd(x[i], y[i], ORDINARY)
        out[i] = x[i] * lanes.psi_ratio(x[i], y[i], h[i])
    for i in range(len(out) if odd else 0):
        if _odd(x[i], y[i], ORDINARY):
            out[i] = scalar._relative_term(x[i], y[i], h[i])


@_loop
def _phis(u, out):
    odd = 0
    for i in range(len(out)):
        odd += 0 if abs(u[i]) <= LOGARITHM else 1
        out[i] = lanes.phi(u[i])
    for i in range(len(out) if odd else 0):
        if not abs(u[i]) <= LOGARITHM:
            out[i] = scalar._phi(u[i])


@_loop
def _shift_sums(a, c, h, out):
    odd = 0
    for i in range(len(out)):
        odd += _odd(a[i], c[i], SHAPE)
        out[i] = lanes.shifts(a[i], c[i], h[i]) if min(a[i], c[i]) < GAMMA_SHIFT else 0.0
    for i in range(len(out) if odd else 0):
        if _odd(a[i], c[i], SHAPE):
            out[i] = scalar._shifts(a[i], c[i], h[i]) if min(a[i], c[i]) < GAMMA_SHIFT else 0.0


@_loop
def _rests(a, c, h, out):
    odd = 0
    for i in range(len(out)):
        odd += _odd(a[i], c[i], ORDINARY)
        out[i] = 0.5 * lanes.psi_ratio(a[i], c[i], h[i]) + lanes.series(a[i], c[i], h[i])
    for i in range(len(out) if odd else 0):
        if _odd(a[i], c[i], ORDINARY):
            out[i] = scalar._rest(a[i], c[i], h[i])


@_inline
def _quadratic(m, s, n, t):
    d, w = (m - n) / t, (s - t) / t
    return 0.5 * (d * d + w * w)


@_loop
def _normals(m, s, n, t, out):
    odd = 0
    for i in range(len(out)):
        odd += _odd(s[i], t[i], ORDINARY)
        out[i] = _quadratic(m[i], s[i], n[i], t[i]) + lanes.psi_ratio(t[i], s[i], s[i] - t[i])
    for i in range(len(out) if odd else 0):
        if _odd(s[i], t[i], ORDINARY):
            out[i] = _quadratic(m[i], s[i], n[i], t[i]) + scalar._psi_ratio(t[i], s[i], s[i] - t[i])


@_inline
def _odd_shapes(k1, k2, M):
    return _odd(k1, k2, SHAPE) if abs(M) <= LOGARITHM else 1


@_loop
def _shapes_and_scales(k1, k2, h, M, out):
    odd = 0
    for i in range(len(out)):
        odd += _odd_shapes(k1[i], k2[i], M[i])
        out[i] = lanes.shape_and_scale(k1[i], k2[i], h[i], M[i])
    for i in range(len(out) if odd else 0):
        if _odd_shapes(k1[i], k2[i], M[i]):
            out[i] = scalar._shape_and_scale(k1[i], k2[i], h[i], M[i])


def _in_parts(loop: Any, *xs: Array) -> Array:
    """loop(*xs), the rows shared among threads: the loops hold no lock, and a pool of threads survives a fork."""
    shape = np.broadcast_shapes(*(np.shape(x) for x in xs))
    out = np.empty(shape)
    flat = [np.ascontiguousarray(np.broadcast_to(x, shape), dtype=float).reshape(-1) for x in xs]
    flat.append(out.reshape(-1))
    many = min(threads(), out.size // _PER_THREAD)
    if many < 2:
        loop(*flat)
        return out
    edges = np.linspace(0, out.size, many + 1).astype(int)
    with ThreadPoolExecutor(many) as pool:
        list(pool.map(lambda part: loop(*(x[part] for x in flat)), itertools.starmap(slice, itertools.pairwise(edges))))
    return out


_PER_THREAD = 100_000


def log_ratio(x: Array, y: Array) -> Array:
    """log(x/y)."""
    return _in_parts(_log_ratios, x, y)


def psi_ratio(x: Array, y: Array, h: Array | None = None) -> Array:
    """ψ(y/x − 1)."""
    return _in_parts(_psi_ratios, x, y, y - x if h is None else h)


def phi(u: Array) -> Array:
    """expm1(u) − u."""
    return _in_parts(_phis, u)


def relative_term(x: Array, y: Array, h: Array) -> Array:
    """x·log(x/y) − x + y, h = y − x."""
    return _in_parts(_relative_terms, x, y, h)


def gamma_shifted(a: Array, c: Array, h: Array) -> tuple[Array, Array, Array]:
    """The recurrence of B_Γ."""
    n = np.where(np.minimum(a, c) < GAMMA_SHIFT, float(GAMMA_SHIFT), 0.0)
    return _in_parts(_shift_sums, a, c, h), a + n, c + n


def gamma_rest(a: Array, c: Array, h: Array) -> Array:
    """½ψ(c/a − 1) and Stirling's series."""
    return _in_parts(_rests, a, c, h)


def normal_kl(mean_p: Array, std_p: Array, mean_q: Array, std_q: Array) -> Array:
    """KL between normal laws."""
    return _in_parts(_normals, mean_p, std_p, mean_q, std_q)


def shape_and_scale(k1: Array, k2: Array, h: Array, M: Array) -> Array:
    """B_Γ(k₁,k₂) + k₁φ(M) − hM, with Stirling's part joined where both are large (`families.stacy`)."""
    return _in_parts(_shapes_and_scales, k1, k2, h, M)
