"""Gamma and its powers: Exponential, Gamma, ChiSquared, Chi, Weibull, Rayleigh, Maxwell, HalfNormal, Nakagami, …

Each says which generalised gamma it is (`kullback.families.stacy`); everything else follows.
"""

from __future__ import annotations

import math
from typing import Any

from kullback.families.parameters import family, nonzero, positive, real
from kullback.families.stacy import Stacy

Array = Any
Factors = tuple[float, list[tuple[Array, float]]]
_ROOT2 = math.sqrt(2.0)


@family
class Exponential(Stacy):
    """Density rate·e^{−rate·x}, x ≥ 0."""

    rate: Array = positive()

    def _shape(self) -> tuple[Array, Array]:
        return 1.0, 1.0

    def _factors(self) -> Factors:
        return 1.0, [(self.rate, -1)]


@family
class Gamma(Stacy):
    """Density rate^k x^{k−1} e^{−rate·x}/Γ(k), k = concentration."""

    concentration: Array = positive()
    rate: Array = positive()

    def _shape(self) -> tuple[Array, Array]:
        return self.concentration, 1.0

    def _factors(self) -> Factors:
        return 1.0, [(self.rate, -1)]


@family
class ChiSquared(Stacy):
    """The sum of df squared standard normals."""

    df: Array = positive()

    def _shape(self) -> tuple[Array, Array]:
        return 0.5 * self.df, 1.0

    def _factors(self) -> Factors:
        return 2.0, []


@family
class Chi(Stacy):
    """loc + scale·√(ChiSquared(df))."""

    df: Array = positive()
    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _shape(self) -> tuple[Array, Array]:
        return 0.5 * self.df, 2.0

    def _factors(self) -> Factors:
        return _ROOT2, [(self.scale, 1)]


@family
class HalfNormal(Stacy):
    """The absolute value of Normal(0, scale)."""

    scale: Array = positive()

    def _shape(self) -> tuple[Array, Array]:
        return 0.5, 2.0

    def _factors(self) -> Factors:
        return _ROOT2, [(self.scale, 1)]


@family
class Rayleigh(Stacy):
    """loc + scale times the length of a standard normal vector in two dimensions."""

    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _shape(self) -> tuple[Array, Array]:
        return 1.0, 2.0

    def _factors(self) -> Factors:
        return _ROOT2, [(self.scale, 1)]


@family
class Maxwell(Stacy):
    """loc + scale times the length of a standard normal vector in three dimensions."""

    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _shape(self) -> tuple[Array, Array]:
        return 1.5, 2.0

    def _factors(self) -> Factors:
        return _ROOT2, [(self.scale, 1)]


@family
class Nakagami(Stacy):
    """loc + scale·y with y² ~ Gamma(concentration, rate=concentration) (SciPy's nu)."""

    concentration: Array = positive()
    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _shape(self) -> tuple[Array, Array]:
        return self.concentration, 2.0

    def _factors(self) -> Factors:
        return 1.0, [(self.scale, 1), (self.concentration, -0.5)]


@family
class Weibull(Stacy):
    """(x/scale)^concentration is standard exponential."""

    scale: Array = positive()
    concentration: Array = positive()

    def _shape(self) -> tuple[Array, Array]:
        return 1.0, self.concentration

    def _factors(self) -> Factors:
        return 1.0, [(self.scale, 1)]


@family
class GeneralizedGamma(Stacy):
    """loc + scale·y with y^power ~ Gamma(concentration, 1), power ≠ 0 (SciPy's a and c)."""

    concentration: Array = positive()
    power: Array = nonzero()
    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _shape(self) -> tuple[Array, Array]:
        return self.concentration, self.power

    def _factors(self) -> Factors:
        return 1.0, [(self.scale, 1)]


@family
class InverseGamma(Stacy):
    """rate / Gamma(concentration, 1)."""

    concentration: Array = positive()
    rate: Array = positive()

    def _shape(self) -> tuple[Array, Array]:
        return self.concentration, -1.0

    def _factors(self) -> Factors:
        return 1.0, [(self.rate, 1)]


@family
class Frechet(Stacy):
    """Extreme values of type II: ((x − loc)/scale)^{−concentration} is standard exponential (SciPy's invweibull)."""

    concentration: Array = positive()
    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _shape(self) -> tuple[Array, Array]:
        return 1.0, -self.concentration

    def _factors(self) -> Factors:
        return 1.0, [(self.scale, 1)]


@family
class Levy(Stacy):
    """Stable law of index ½: scale / y² with y standard normal."""

    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _shape(self) -> tuple[Array, Array]:
        return 0.5, -1.0

    def _factors(self) -> Factors:
        return 0.5, [(self.scale, 1)]
