"""Normal and LogNormal."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kullback._special import normal_kl
from kullback.families.expectations import (
    Absolute,
    AbsolutePower,
    Exp,
    Feature,
    Linear,
    Log,
    LogMean,
    LogSquare,
    Power,
    Square,
)
from kullback.families.line import Line, Terms
from kullback.families.namespace import namespace_of
from kullback.families.parameters import family, positive, real

Array = Any
Namespace = Any
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@family
class Normal(Line):
    """The normal law of mean `mean` and standard deviation `std`."""

    mean: Array = real()
    std: Array = positive()

    def _loc_scale(self) -> tuple[Array, Array]:
        return self.mean, self.std

    def _terms(self, xp: Namespace) -> Terms:
        return -HALF_LOG_2PI, [(-0.5, Square())]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case Linear():
                return 0.0
            case Square():
                return 1.0
            case LogMean(Exp(t)):
                return 0.5 * t * t
            case Absolute(c):
                c = xp.double(c)
                return math.sqrt(2 / math.pi) * xp.exp(-0.5 * c * c) + c * xp.erf(c / math.sqrt(2))
            case LogMean(AbsolutePower(r)):
                r = xp.double(r)
                return 0.5 * r * math.log(2) + xp.gammaln(0.5 * (r + 1)) - 0.5 * math.log(math.pi)
        return None

    def _standard_variance(self, xp: Namespace) -> Array:
        return xp.double(1.0)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.standard_normal(size)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        return normal_kl(self.mean, self.std, q.mean, q.std, xp=xp) if isinstance(q, Normal) else None


@family
class LogNormal(Line):
    """The law of e^y, y ~ Normal(loc, scale)."""

    loc: Array = real()
    scale: Array = positive()
    _positive: ClassVar[bool] = True

    def _loc(self) -> None:
        return None

    def _loc_scale(self) -> tuple[Array | None, Array | None]:
        # e^loc is the median; y = x/e^loc has log y ~ Normal(0, scale)
        return None, _exp(self.loc)

    def _terms(self, xp: Namespace) -> Terms:
        constant = -HALF_LOG_2PI - xp.log(self.scale)
        return constant, [(-1.0, Log()), (-0.5 / (self.scale * self.scale), LogSquare())]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case Linear():
                return xp.exp(0.5 * self.scale * self.scale)
            case LogMean(Power(r)):
                return 0.5 * (r * self.scale) ** 2
            case Log():
                return 0.0
            case LogSquare():
                return self.scale * self.scale
            case Absolute(c):
                # E y − c + 2[c·Φ(log c/σ) − E y·Φ(log c/σ − σ)] for c > 0
                c, s = xp.double(c), self.scale
                inside = c > 0
                z = xp.log(xp.where(inside, c, xp.ones_like(c))) / s
                mean = xp.exp(0.5 * s * s)
                part = c * xp.exp(xp.log_ndtr(z)) - mean * xp.exp(xp.log_ndtr(z - s))
                return mean - c + xp.where(inside, 2.0 * part, 0.0 * part)
        return None

    def _standard_variance(self, xp: Namespace) -> Array:
        square = self.scale * self.scale
        return xp.expm1(square) * xp.exp(square)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return np.exp(self.scale * rng.standard_normal(size))

    def _mapped(self, q: Any, xp: Namespace) -> tuple[Line, Line] | None:
        if not isinstance(q, LogNormal):
            return None
        return made(Normal, mean=self.loc, std=self.scale), made(Normal, mean=q.loc, std=q.scale)


def made(cls: Any, **parameters: Any) -> Any:
    """A member of `cls` whose parameters are known to be right."""
    new = object.__new__(cls)
    for name, value in parameters.items():
        object.__setattr__(new, name, value)
    return new


def _exp(x: Array) -> Array:
    return namespace_of(x).exp(x)
