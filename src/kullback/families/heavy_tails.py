"""Heavy-tailed families on the line: Cauchy, HalfCauchy, StudentT."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kullback._special import gamma_step
from kullback.families.expectations import (
    Absolute,
    AbsolutePower,
    At,
    Exp,
    Feature,
    Linear,
    Log1pSquare,
    LogMean,
    Square,
)
from kullback.families.line import Line, Terms
from kullback.families.parameters import family, positive, real

Array = Any
Namespace = Any


@family
class Cauchy(Line):
    """Density 1/(π·scale·(1 + ((x − loc)/scale)²))."""

    loc: Array = real()
    scale: Array = positive()

    def _loc_scale(self) -> tuple[Array, Array]:
        return self.loc, self.scale

    def _terms(self, xp: Namespace) -> Terms:
        return -math.log(math.pi), [(-1.0, Log1pSquare())]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case Linear():
                return math.nan
            case Square() | Absolute(_):
                return math.inf
            case Exp(t):
                return math.inf + 0.0 * xp.double(t)
            case Log1pSquare():
                return 2 * math.log(2)
            case At(f=Log1pSquare(), m=m, rho=rho):
                # E log(1 + (m + ρy)²) = log((1 + ρ)² + m²)
                rho = xp.double(1.0 if rho is None else rho)
                if m is None:
                    return 2.0 * xp.log1p(rho)
                return xp.log((1.0 + rho) ** 2 + m * m)
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.standard_cauchy(size)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        return cauchy_kl(self.loc - q.loc, self.scale, q.scale, xp=xp) if isinstance(q, Cauchy) else None


@family
class HalfCauchy(Line):
    """The absolute value of Cauchy(0, scale)."""

    scale: Array = positive()
    _positive: ClassVar[bool] = True

    def _loc_scale(self) -> tuple[None, Array]:
        return None, self.scale

    def _terms(self, xp: Namespace) -> Terms:
        return math.log(2 / math.pi), [(-1.0, Log1pSquare())]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case Linear() | Square() | Absolute(_):
                return math.inf
            case Log1pSquare():
                return 2 * math.log(2)
            case At(f=Log1pSquare(), m=None, rho=rho):
                return 2.0 * xp.log1p(xp.double(1.0 if rho is None else rho))
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return np.abs(rng.standard_cauchy(size))

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        return cauchy_kl(0.0, self.scale, q.scale, xp=xp) if isinstance(q, HalfCauchy) else None


@family
class StudentT(Line):
    """Student's t with df degrees of freedom, moved to loc and stretched by scale."""

    df: Array = positive()
    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _loc_scale(self) -> tuple[Array, Array]:
        return self.loc, self.scale

    def _terms(self, xp: Namespace) -> Terms:
        df = self.df
        constant = gamma_step(0.5 * df, 0.5, xp=xp) - 0.5 * xp.log(df * math.pi)
        return constant, [(-0.5 * (df + 1.0), At(Log1pSquare(), None, 1.0 / xp.sqrt(df)))]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        df = self.df
        one = xp.ones_like(df)
        match f:
            case Linear():
                return xp.where(df > 1, 0.0 * one, math.nan * one)
            case Square():
                return xp.where(df > 2, df / xp.where(df > 2, df - 2.0, one), math.inf * one)
            case Exp(t):
                return math.inf + 0.0 * xp.double(t) * one
            case LogMean(AbsolutePower(r)):
                # (E|y|ʳ) = ν^{r/2} Γ((r+1)/2)Γ((ν−r)/2)/(√π Γ(ν/2)), r < ν
                r = xp.double(r)
                exists = r < df
                inner = xp.where(exists, r, 0.0 * one)
                value = (
                    0.5 * inner * xp.log(df)
                    + xp.gammaln(0.5 * (inner + 1.0))
                    + gamma_step(0.5 * df, -0.5 * inner, xp=xp)
                    - 0.5 * math.log(math.pi)
                )
                return xp.where(exists, value, math.inf * one)
            case Absolute(c):
                return _student_deviation(df, xp.double(c), xp)
        return None

    def _standard_entropy(self, xp: Namespace) -> Array:
        constant, _ = self._terms(xp)
        half = 0.5 * self.df
        return (half + 0.5) * (xp.digamma(half + 0.5) - xp.digamma(half)) - constant

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.standard_t(np.broadcast_to(self.df, size))


def cauchy_kl(shift: Array, s: Array, t: Array, *, xp: Namespace) -> Array:
    """log1p(((s−t)² + Δ²)/(4st)). Chyzak & Nielsen 2019, arXiv:1905.10965."""
    return xp.log1p(0.25 * (((s - t) / s) * ((s - t) / t) + (shift / s) * (shift / t)))


def _student_deviation(df: Array, c: Array, xp: Namespace) -> Array:
    """E|y − c| = |c|·(1 − 2·P(y > |c|)) + 2·(ν + c²)/(ν − 1)·f(c), ν > 1."""
    exists = df > 1
    nu = xp.where(exists, df, 2.0 + 0.0 * df)
    size = xp.abs(c)
    beyond = xp.betainc(0.5 * nu, 0.5 + 0.0 * nu, nu / (nu + size * size))  # P(|y| > |c|)
    log_f = gamma_step(0.5 * nu, 0.5, xp=xp) - 0.5 * xp.log(nu * math.pi)
    density = xp.exp(log_f - 0.5 * (nu + 1.0) * xp.log1p(size * size / nu))
    value = size * (1.0 - beyond) + 2.0 * (nu + size * size) / (nu - 1.0) * density
    return xp.where(exists, value, math.inf + 0.0 * value)
