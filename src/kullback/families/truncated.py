"""TruncatedNormal, and the mass of a normal law between two points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback.families.edges import refuse_unless
from kullback.families.expectations import (
    Absolute,
    Exp,
    Feature,
    Linear,
    LogMean,
    Square,
)
from kullback.families.line import Line, Terms
from kullback.families.normal import HALF_LOG_2PI
from kullback.families.parameters import extended, family, positive, real

Array = Any
Namespace = Any
_NODES = np.polynomial.legendre.leggauss(12)


@family
class TruncatedNormal(Line):
    """loc + scale·y, y standard normal kept between lower and upper (in standard units: SciPy's a and b)."""

    lower: Array = extended()
    upper: Array = extended()
    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _check_together(self) -> None:
        refuse_unless(self.lower < self.upper, "TruncatedNormal", "lower", self.lower, "upper", self.upper)

    def _loc_scale(self) -> tuple[Array, Array]:
        return self.loc, self.scale

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return self.lower, self.upper

    def _support(self, xp: Namespace) -> tuple[Array, Array]:
        return self.loc + self.scale * self.lower, self.loc + self.scale * self.upper

    def _terms(self, xp: Namespace) -> Terms:
        return -HALF_LOG_2PI - log_normal_mass(self.lower, self.upper, xp), [(-0.5, Square())]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        a, b = self.lower, self.upper
        log_mass = log_normal_mass(a, b, xp)
        at_a, at_b = (xp.exp(-0.5 * edge * edge - HALF_LOG_2PI - log_mass) for edge in (a, b))
        match f:
            case Linear():
                return at_a - at_b
            case Square():
                return 1.0 + _edge_term(a, at_a, xp) - _edge_term(b, at_b, xp)
            case LogMean(Exp(t)):
                return 0.5 * t * t + log_normal_mass(a - t, b - t, xp) - log_mass
            case Absolute(c):
                inside = (c > a) & (c < b)
                m = xp.double(c)
                at_m = xp.exp(-0.5 * m * m - HALF_LOG_2PI - log_mass)
                below = xp.exp(log_normal_mass(a, xp.where(inside, m, b), xp) - log_mass)
                value = (at_a - at_b) - m + 2.0 * (m * below - (at_a - at_m))
                return xp.where(inside, value, xp.abs(at_a - at_b - m))
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        from scipy.stats import truncnorm

        return truncnorm.ppf(rng.random(size), self.lower, self.upper)


def log_normal_mass(a: Array, b: Array, xp: Namespace) -> Array:
    """log(Φ(b) − Φ(a)), on the side of the tail where neither is near 1."""
    flip = a > 0
    a, b = xp.where(flip, -b, a), xp.where(flip, -a, b)
    straddles = (a < 0) & (b > 0)
    low, high = xp.log_ndtr(a), xp.log_ndtr(xp.where(straddles, xp.zeros_like(b), b))
    one_side = high + xp.log(-xp.expm1(xp.where(straddles, -1.0 + 0.0 * low, low - high)))
    outside = xp.exp(xp.log_ndtr(a)) + xp.exp(xp.log_ndtr(-b))
    wide = xp.where(straddles, xp.log1p(-xp.where(straddles, outside, 0.0 * outside)), one_side)
    # a narrow interval: its width times the mean density, e^{−m²/2} taken out
    narrow = b - a < 0.1
    m, h = xp.where(narrow, 0.5 * (a + b), 0.0 * wide), xp.where(narrow, 0.5 * (b - a), 1.0 + 0.0 * wide)
    mean = sum(
        0.5 * float(w) * xp.exp(xp.where(narrow, -h * float(t) * (m + 0.5 * h * float(t)), 0.0 * h))
        for t, w in zip(*_NODES, strict=True)
    )
    return xp.where(narrow, xp.log(2.0 * h) - HALF_LOG_2PI - 0.5 * m * m + xp.log(mean), wide)


def _edge_term(edge: Array, density: Array, xp: Namespace) -> Array:
    finite = (edge < math.inf) & (edge > -math.inf)
    return xp.where(finite, xp.where(finite, edge, xp.zeros_like(edge)) * density, xp.zeros_like(density))
