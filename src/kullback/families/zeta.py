"""log ζ(s), its derivative and its Bregman divergence, s > 1, by Euler and Maclaurin's formula."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback.families.bregman import mean_curvature

Array = Any
Namespace = Any

_N = 12
_EULER = tuple(
    b / math.factorial(2 * k)
    for k, b in enumerate((1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510), 1)
)
_LOGS = np.log(np.arange(2.0, _N + 1.0))
_POWERS = np.arange(2.0 * len(_EULER))
# members at a time, so that the terms of each stay in the cache
_BLOCK = 4096


def _weights() -> tuple[Any, Any]:
    """What n^{−s} and sʲN^{−s} count for in ζ − 1, −ζ′ and ζ″: without the integral from N on.

    The rest of Euler's and Maclaurin's sum is N^{−s}P(s), P(s) = ½ + Σ B₂ₖ/(2k)!·s(s+1)…(s+2k−2)·N^{1−2k}.
    """
    P = np.zeros(len(_POWERS))
    P[0] = 0.5
    for k, b in enumerate(_EULER, 1):
        rising = np.polynomial.polynomial.polyfromroots(-np.arange(2.0 * k - 1.0))
        P[: 2 * k] += b * float(_N) ** (1 - 2 * k) * rising
    L = _LOGS[-1]
    first, second = (np.polynomial.polynomial.polyder(P, m) for m in (1, 2))
    first, second = np.append(first, 0.0), np.append(second, (0.0, 0.0))
    head = np.stack([_LOGS[:-1] ** j for j in range(3)], axis=-1)
    return head, np.stack([P, L * P - first, L * L * P - 2.0 * L * first + second], axis=-1)


_HEAD, _TAIL = _weights()


def _derivatives(s: Array, xp: Namespace) -> tuple[Array, Array, Array]:
    """(ζ(s) − 1, −ζ′(s), ζ″(s)): sums of n^{−s}·(log n)ʲ, j = 0, 1, 2."""
    if xp.name in ("scalar", "numpy"):
        s = np.asarray(s)
        if s.size <= _BLOCK:
            rest, first, second = _sums(s, _LOGS, _POWERS, _HEAD, _TAIL, np)
            return rest, first, second
        flat = s.reshape(-1)
        parts = [_derivatives(flat[i : i + _BLOCK], xp) for i in range(0, flat.size, _BLOCK)]
        rest, first, second = (np.concatenate(x).reshape(s.shape) for x in zip(*parts, strict=True))
        return rest, first, second
    logs, powers, head, tail = (xp.double(c) for c in (_LOGS, _POWERS, _HEAD, _TAIL))
    return _sums(s, logs, powers, head, tail, xp)


def _sums(s: Array, logs: Array, powers: Array, head: Array, tail: Array, xp: Namespace) -> tuple[Array, Array, Array]:
    terms = xp.exp(-s[..., None] * logs)
    edge = terms[..., -1]
    # sʲN^{−s} as one exponential: sʲ alone would overflow
    rest = xp.exp(xp.log(s)[..., None] * powers - (s * _LOGS[-1])[..., None])
    total = terms[..., :-1] @ head + rest @ tail
    # ∫_N^∞ x^{−s}(log x)ʲ dx
    h, L = 1.0 / (s - 1.0), float(_LOGS[-1])
    integral = edge * (_N * h)
    return (
        total[..., 0] + integral,
        total[..., 1] + integral * (L + h),
        total[..., 2] + integral * (L * L + 2.0 * h * (L + h)),
    )


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
    if xp.name == "scalar":
        if near:
            return d * d * mean_curvature(s, d, _curvature, xp)
        (rest, rest_t), (first, _), _ = _derivatives(np.array([s, t]), xp)
        return xp.log1p(rest_t) - xp.log1p(rest) + d * (first / (1.0 + rest))
    step = xp.where(near, d, 0.0 * d)
    # difference of logs at large s: both near 0, so log1p of their own small parts
    rest, first, _ = _derivatives(s, xp)
    far = zeta_log(t, xp=xp) - xp.log1p(rest) + d * (first / (1.0 + rest))
    return xp.where(near, step * step * mean_curvature(s, step, _curvature, xp), far)
