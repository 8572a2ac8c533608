"""Two rows of logits over one vocabulary: `pairs` of kullback.evaluation._pairs, in three walks over the row."""

from __future__ import annotations

from typing import Any

import numpy as np

from kullback._lanes_numba import exp
from kullback.evaluation._numba.jit import jit

Array = Any

_NEAR = 0.35


@jit
def _largest(x: Array) -> Any:
    top = x[0]
    for i in range(x.size):
        top = max(top, x[i])
    return top


@jit
def _weights(x: Array, top: float, out: Array) -> Any:
    total = 0.0
    for i in range(x.size):
        e = exp(np.float64(x[i]) - top)
        out[i] = e
        total += e
    return total


@jit
def _sums(a: Array, b: Array, e: Array, f: Array, za: float, zb: float, shift: float, out: Array) -> None:
    """KL, reverse KL, JS, TV and Σ p·a of one row, given the weights e = exp(a − top) and f, and their sums."""
    forward = backward = js = variation = mean = 0.0
    ra, rb = 1.0 / za, 1.0 / zb
    for i in range(a.size):
        x = np.float64(a[i])
        p, q = e[i] * ra, f[i] * rb
        u = (np.float64(b[i]) - x) - shift
        near = abs(u) < _NEAR
        v = u if near else 0.0
        # φ(u) = u² (1/2! + u/3! + …): even and odd terms apart serve both directions.
        z = v * v
        even = 1 / 2 + z * (1 / 24 + z * (1 / 720 + z * (1 / 40320 + z * (1 / 3628800 + z / 479001600))))
        odd = v * (1 / 6 + z * (1 / 120 + z * (1 / 5040 + z * (1 / 362880 + z / 39916800))))
        gap = q - p
        pu = p * u if p > 0.0 else 0.0  # 0·∞
        qu = q * u if q > 0.0 else 0.0
        forward += p * z * (even + odd) if near else gap - pu
        backward += q * z * (even - odd) if near else qu - gap
        variation += abs(gap)
        both = p + q
        # Jensen–Shannon: (p+q)/2 · g(t) near, ½[(M+m)(log 2 − log1p ρ) − m|u|] far, ρ = m/M = 2s/(1−s).
        safe = both if both > 0.0 else 1.0
        t = gap / safe
        w = t * t
        close = w * (1 / 2 + w * (1 / 12 + w * (1 / 30 + w * (1 / 56 + w * (1 / 90 + w * (1 / 132 + w / 182))))))
        less, more = min(p, q), max(p, q)
        s = less / (2.0 * more + less if more > 0.0 else 1.0)
        d = s * s
        series = 1 / 7 + d * (1 / 9 + d * (1 / 11 + d * (1 / 13 + d * (1 / 15 + d * (1 / 17 + d * (1 / 19 + d / 21))))))
        log1p = 2.0 * s * (1.0 + d * (1 / 3 + d * (1 / 5 + d * series)))
        lu = less * abs(u) if less > 0.0 else 0.0
        js += both * close if near else both * (0.6931471805599453 - log1p) - lu
        mean += p * x if p > 0.0 else 0.0
    out[0], out[1], out[2], out[3], out[4] = forward, backward, 0.5 * js, 0.5 * variation, mean


@jit
def _first(x: Array, value: float) -> Any:
    for i in range(x.size):
        if x[i] == value:
            return i
    return 0


@jit
def pairs(a: Array, b: Array, out: Array, top: Array, log_z: Array) -> None:
    """For each row: out = KL, reverse, JS, TV, entropy of P; top = both argmaxes; log_z = both normalisers."""
    n, V = a.shape
    e, f = np.empty(V), np.empty(V)
    for i in range(n):
        ta, tb = np.float64(_largest(a[i])), np.float64(_largest(b[i]))
        za, zb = _weights(a[i], ta, e), _weights(b[i], tb, f)
        la, lb = ta + np.log(za), tb + np.log(zb)
        _sums(a[i], b[i], e, f, za, zb, lb - la, out[i])
        out[i, 4] = la - out[i, 4]
        top[i, 0], top[i, 1] = _first(a[i], ta), _first(b[i], tb)
        log_z[i, 0], log_z[i, 1] = la, lb
