"""Bregman divergences of smooth convex functions: F(t) − F(s) − (t−s)F′(s) without its cancellation near t = s."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any
Namespace = Any
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


def bregman(
    s: Array,
    t: Array,
    *,
    near: Array,
    curvature: Callable[[Array], Array],
    far: Callable[[Array, Array], Array],
    xp: Namespace,
) -> Array:
    """(t−s)²∫₀¹(1−v)F″(s + v(t−s))dv where `near`, a sum of positive terms; far(s, t) elsewhere."""
    s, t = s + 0.0 * t, t + 0.0 * s
    d = t - s
    close = xp.where(near, d, 0.0 * d)
    total = 0.0 * d
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        v = 0.5 * (1.0 + float(node))
        total = total + 0.5 * float(weight) * (1.0 - v) * curvature(s + v * close)
    return xp.where(near, close * close * total, far(s, xp.where(near, s, t)))
