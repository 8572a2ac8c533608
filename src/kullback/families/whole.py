"""Laws on whole numbers: what they share, and the divergence of one trial.

Their log-masses follow Loader (2000): deviance parts and Stirling's error in place of differences of large lnΓ's.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from kullback._special import GAMMA_SHIFT, relative_term
from kullback.families.expectations import Feature
from kullback.families.line import Line, Terms
from kullback.families.normal import HALF_LOG_2PI
from kullback.families.stacy import stirling_error

Array = Any
Namespace = Any


class Whole(Line):
    """A law on whole numbers."""

    __slots__ = ()
    discrete: ClassVar[bool] = True

    def _log_mass(self, x: Array, xp: Namespace) -> Array:
        """log-mass at whole numbers x, −∞ outside the support."""
        low, high = self._support(xp)
        inside = (x >= low) & (x <= high)
        safe = xp.where(inside, x, 0.0 * x + low)
        return xp.where(inside, self._log_density(safe, xp), xp.double(-math.inf))

    def _center(self) -> float:
        return float(self.mean)

    def _terms(self, xp: Namespace) -> Terms | None:
        return None

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        return None


def bernoulli_kl(p: Array, q: Array, *, xp: Namespace) -> Array:
    """pψ((q−p)/p) + (1−p)ψ((p−q)/(1−p)): no digits lost at either end, the differences being exact."""
    d = q - p
    one = xp.ones_like(d)
    return relative_term(p * one, q * one, d, xp=xp) + relative_term(1.0 - p * one, 1.0 - q * one, -d, xp=xp)


def bernoulli_entropy(p: Array, xp: Namespace) -> Array:
    """H of one trial, 0 at both ends."""
    none, all_ = p == 0, p == 1
    edge = none | all_
    inner = xp.where(edge, 0.5 * xp.ones_like(p), p)
    return xp.where(edge, 0.0 * p, -inner * xp.log(inner) - (1.0 - inner) * xp.log1p(-inner))


def stirling_rest(x: Array, xp: Namespace) -> Array:
    """lnΓ(x+1) − (x+½)log x + x − ½log 2π for x > 0."""
    large = x > 4 * GAMMA_SHIFT
    one = xp.ones_like(x)
    small = xp.where(large, one, x)
    direct = xp.gammaln(small + 1.0) - (small + 0.5) * xp.log(small) + small - HALF_LOG_2PI
    return xp.where(large, stirling_error(xp.where(large, x, 40.0 * one), xp=xp), direct)


def log_choose(n: Array, k: Array, xp: Namespace) -> Array:
    """Log of n over k."""
    return xp.gammaln(n + 1.0) - xp.gammaln(k + 1.0) - xp.gammaln(n - k + 1.0)
