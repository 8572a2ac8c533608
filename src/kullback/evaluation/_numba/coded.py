"""Two rows of which at least one comes from llama.cpp's 16-bit codes: `coded_pairs` of kullback.evaluation._coded."""

from __future__ import annotations

from typing import Any

import numpy as np

from kullback._lanes_numba import exp
from kullback.evaluation._numba.jit import jit
from kullback.evaluation._numba.pairs import _first, _largest, _sums, _weights

Array = Any


@jit
def _decoded(codes: Array, scale: float, low: float, out: Array) -> None:
    # float32 steps by way of float64, where both are exact before they are rounded: they must not be fused into one.
    for i in range(codes.size):
        step = np.float64(np.float32(scale * np.float64(codes[i])))
        value = np.float64(np.float32(step + low))
        out[i] = value if codes[i] > 0 else -np.inf


@jit
def _mass(x: Array) -> Any:
    total = 0.0
    for i in range(x.size):
        total += exp(x[i])
    return total


@jit
def _plain(x: Array, out: Array) -> Any:
    """Log-probabilities of a row of logits; returns the log-normaliser."""
    top = np.float64(_largest(x))
    log_z = top + np.log(_weights(x, top, out))
    for i in range(x.size):
        out[i] = np.float64(x[i]) - log_z
    return log_z


@jit
def _join(a: Array, b: Array) -> Any:
    """Tokens that not both rows know are moved out of them; returns the masses of what was moved."""
    p = q = 0.0
    for i in range(a.size):
        known = a[i] > -np.inf and b[i] > -np.inf
        p += 0.0 if known else exp(a[i])
        q += 0.0 if known else exp(b[i])
        a[i] = a[i] if known else -np.inf
        b[i] = b[i] if known else -np.inf
    return p, q


@jit
def _cut(codes: Array, scale: float, low: float, x: Array) -> Any:
    """The mass that the cut tokens of a row hold together, between what rounding and the least stored mass allow."""
    absent = 0
    for i in range(codes.size):
        absent += 1 if codes[i] == 0 else 0
    most = absent * np.exp(low)
    return min(max(1.0 - _mass(x), min(0.5 * scale, most)), most)


@jit
def coded_pairs(
    codes_a: Array,
    head_a: Array,
    dense_a: Array,
    codes_b: Array,
    head_b: Array,
    dense_b: Array,
    out: Array,
    top: Array,
    log_z: Array,
    rest: Array,
) -> None:
    """As `pairs`, everything unknown to either row being one more token; a side is coded if it has rows of codes.

    log_z holds the log-normalisers of dense rows (0 for codes), rest the two masses of the token that is the rest.
    """
    n = out.shape[0]
    coded_a, coded_b = codes_a.shape[0] > 0, codes_b.shape[0] > 0
    V = codes_a.shape[1] if coded_a else dense_a.shape[1]
    a, b = np.empty(V + 1), np.empty(V + 1)
    e, f = np.empty(V + 1), np.empty(V + 1)
    for i in range(n):
        cut_a = cut_b = log_z[i, 0] = log_z[i, 1] = 0.0
        if coded_a:
            scale, low = np.float64(head_a[i, 0]), np.float64(head_a[i, 1])
            _decoded(codes_a[i], scale, low, a[:V])
            cut_a = _cut(codes_a[i], scale, low, a[:V])
        else:
            log_z[i, 0] = _plain(dense_a[i], a[:V])
        if coded_b:
            scale, low = np.float64(head_b[i, 0]), np.float64(head_b[i, 1])
            _decoded(codes_b[i], scale, low, b[:V])
            cut_b = _cut(codes_b[i], scale, low, b[:V])
        else:
            log_z[i, 1] = _plain(dense_b[i], b[:V])
        moved_a, moved_b = _join(a[:V], b[:V])
        rest[i, 0], rest[i, 1] = moved_a + cut_a, moved_b + cut_b
        a[V], b[V] = np.log(rest[i, 0]), np.log(rest[i, 1])
        ta, tb = _largest(a), _largest(b)
        za, zb = _weights(a, ta, e), _weights(b, tb, f)
        la, lb = ta + np.log(za), tb + np.log(zb)
        _sums(a, b, e, f, za, zb, lb - la, out[i])
        out[i, 4] = la - out[i, 4]
        # The rest is no token that could be the most probable one.
        top[i, 0], top[i, 1] = _first(a[:V], _largest(a[:V])), _first(b[:V], _largest(b[:V]))
