"""Bregman divergences of smooth convex functions: F(t) − F(s) − (t−s)F′(s) without its cancellation near t = s."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kullback.families.namespace import namespace_of

Array = Any
Namespace = Any
# an integrand whose poles are as far as half of the interval from its ends leaves 5.8⁻³²
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PLACES = 0.5 * (1.0 + _NODES)
_SHARES = 0.5 * _WEIGHTS * (1.0 - _PLACES)


def bregman(
    s: Array,
    t: Array,
    *,
    near: Array,
    curvature: Callable[[Array, Namespace], Array],
    far: Callable[[Array, Array], Array],
    xp: Namespace,
) -> Array:
    """(t−s)²∫₀¹(1−v)F″(s + v(t−s))dv where `near`, a sum of positive terms; far(s, t) elsewhere."""
    s, t = s + 0.0 * t, t + 0.0 * s
    d = t - s
    if xp.name == "scalar":
        return d * d * mean_curvature(s, d, curvature, xp) if near else far(s, t)
    close = xp.where(near, d, 0.0 * d)
    return xp.where(near, close * close * mean_curvature(s, close, curvature, xp), far(s, xp.where(near, s, t)))


def mean_curvature(s: Array, d: Array, curvature: Callable[[Array, Namespace], Array], xp: Namespace) -> Array:
    """∫₀¹(1−v)F″(s + vd)dv by Gauss–Legendre; a number's nodes go through F″ as one array."""
    if xp.name == "scalar":
        return np.float64(_SHARES @ curvature(s + _PLACES * d, namespace_of(_PLACES)))
    total = 0.0 * d
    for place, share in zip(_PLACES, _SHARES, strict=True):
        total = total + float(share) * curvature(s + float(place) * d, xp)
    return total
