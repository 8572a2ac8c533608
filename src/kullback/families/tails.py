"""Heavy-tailed and waiting-time families on the half line: Pareto, Lomax, LogLogistic, InverseGaussian."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kullback._special import gamma_step, log_ratio, psi_ratio
from kullback.families.expectations import (
    Absolute,
    Feature,
    Linear,
    Log,
    Log1pPower,
    LogMean,
    LogSquare,
    Power,
    Square,
)
from kullback.families.exponential_integral import scaled_exp1
from kullback.families.gamma import Exponential
from kullback.families.line import Line, Terms, log_term
from kullback.families.normal import HALF_LOG_2PI, made
from kullback.families.parameters import family, positive, real
from kullback.families.symmetric import Logistic, equal, sine_ratio

Array = Any
Namespace = Any


@family
class Pareto(Line):
    """Density alpha·scale^alpha / x^{alpha+1}, x ≥ scale."""

    scale: Array = positive()
    alpha: Array = positive()
    _positive: ClassVar[bool] = True

    def _loc_scale(self) -> tuple[None, Array]:
        return None, self.scale

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 1.0, math.inf

    def _terms(self, xp: Namespace) -> Terms:
        return xp.log(self.alpha), log_term(-(self.alpha + 1.0))

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        a = self.alpha
        match f:
            case Linear():
                return _pareto_moment(a, 1.0, xp)
            case Power(r):
                return _pareto_moment(a, r, xp)
            case Log():
                return 1.0 / a
            case LogSquare():
                return 2.0 / (a * a)
            case Absolute(c):
                # E y − c + 2[c(1 − c^{−a}) − a/(a−1)·(1 − c^{1−a})] for c > 1
                mean = _pareto_moment(a, 1.0, xp)
                exists = a > 1
                b = xp.where(exists, a, 2.0 + 0.0 * a)
                c = xp.double(c)
                inside = c > 1
                log = xp.log(xp.where(inside, c, xp.ones_like(c)))
                part = -c * xp.expm1(-b * log) + b / (b - 1.0) * xp.expm1((1.0 - b) * log)
                value = b / (b - 1.0) - c + xp.where(inside, 2.0 * part, 0.0 * part)
                return xp.where(exists, value, mean + 0.0 * value)
        return None

    def _standard_variance(self, xp: Namespace) -> Array:
        a = self.alpha
        exists = a > 2
        b = xp.where(exists, a, 3.0 + 0.0 * a)
        return xp.where(exists, b / ((b - 1.0) ** 2 * (b - 2.0)), math.inf + 0.0 * a)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return np.exp(rng.standard_exponential(size) / self.alpha)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        # ψ(α₂/α₁ − 1) + α₂·log(s₁/s₂), s₁ ≥ s₂
        if not isinstance(q, Pareto):
            return None
        return psi_ratio(self.alpha, q.alpha, xp=xp) + q.alpha * log_ratio(self.scale, q.scale, xp=xp)


@family
class Lomax(Line):
    """Pareto of type II: 1 + (x − loc)/scale is Pareto(1, concentration) (SciPy's c)."""

    concentration: Array = positive()
    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)
    _positive: ClassVar[bool] = True

    def _loc_scale(self) -> tuple[Array, Array]:
        return self.loc, self.scale

    def _terms(self, xp: Namespace) -> Terms:
        return xp.log(self.concentration), [(-(self.concentration + 1.0), Log1pPower(1.0))]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        a = self.concentration
        match f:
            case Linear():
                return _exists(a > 1, a - 1.0, lambda b: 1.0 / b, xp)
            case Square():
                return _exists(a > 2, a - 2.0, lambda b: 2.0 / (b * (b + 1.0)), xp)
            case LogMean(Power(r)):
                return _lomax_log_moment(a, r, xp)
            case Log():
                return -np.euler_gamma - xp.digamma(a)
            case LogSquare():
                return math.pi**2 / 6 + xp.polygamma(1, a) + (np.euler_gamma + xp.digamma(a)) ** 2
            case Log1pPower(r) if isinstance(r, float) and r == 1.0:
                return 1.0 / a
        return None

    def _standard_variance(self, xp: Namespace) -> Array:
        a = self.concentration
        exists = a > 2
        b = xp.where(exists, a, 3.0 + 0.0 * a)
        return xp.where(exists, b / ((b - 1.0) ** 2 * (b - 2.0)), math.inf + 0.0 * a)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return np.expm1(rng.standard_exponential(size) / self.concentration)

    def _mapped(self, q: Any, xp: Namespace) -> tuple[Line, Line] | None:
        # log(1 + (x − loc)/scale) is exponential
        if not isinstance(q, Lomax) or not equal(self.loc, q.loc) or not equal(self.scale, q.scale):
            return None
        return made(Exponential, rate=self.concentration), made(Exponential, rate=q.concentration)


@family
class LogLogistic(Line):
    """((x − loc)/scale)^concentration has odds F/(1 − F) of its own size (SciPy's fisk, c)."""

    concentration: Array = positive()
    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)
    _positive: ClassVar[bool] = True

    def _loc_scale(self) -> tuple[Array, Array]:
        return self.loc, self.scale

    def _terms(self, xp: Namespace) -> Terms:
        c = self.concentration
        return xp.log(c), [*log_term(c - 1.0), (-2.0, Log1pPower(c))]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        c = self.concentration
        match f:
            case Linear():
                return sine_ratio(math.pi / c, xp=xp)
            case Square():
                return sine_ratio(2 * math.pi / c, xp=xp)
            case Power(r):
                return sine_ratio(math.pi * xp.double(r) / c, xp=xp)
            case Log():
                return 0.0
            case LogSquare():
                return math.pi**2 / (3.0 * c * c)
        return None

    def _standard_entropy(self, xp: Namespace) -> Array:
        return 2.0 - xp.log(self.concentration)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return np.exp(rng.logistic(size=size) / self.concentration)

    def _mapped(self, q: Any, xp: Namespace) -> tuple[Line, Line] | None:
        # log(x − loc) is Logistic(log scale, 1/concentration)
        if not isinstance(q, LogLogistic) or not equal(self.loc, q.loc):
            return None
        ratio = log_ratio(self.scale, q.scale, xp=xp)
        one = made(Logistic, loc=ratio, scale=1.0 / self.concentration)
        return one, made(Logistic, loc=0.0 * ratio, scale=1.0 / q.concentration)


@family
class InverseGaussian(Line):
    """First passage times of a drifting Brownian motion: mean mu·scale, shape λ = scale (SciPy's invgauss)."""

    mu: Array = positive()
    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)
    _positive: ClassVar[bool] = True

    def _loc_scale(self) -> tuple[Array, Array]:
        return self.loc, self.scale

    def _terms(self, xp: Namespace) -> Terms:
        mu = self.mu
        return 1.0 / mu - HALF_LOG_2PI, [(-1.5, Log()), (-0.5 / (mu * mu), Linear()), (-0.5, Power(-1.0))]

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        # (y − μ)² is not multiplied out: a narrow law keeps its digits
        z = (y - self.mu) / self.mu
        return -HALF_LOG_2PI - 1.5 * xp.log(y) - 0.5 * z * (z / y)

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        mu = self.mu
        match f:
            case Linear():
                return mu
            case Square():
                return mu * mu * (1.0 + mu)
            case Power(r) if isinstance(r, (int, float)) and r == -1:
                return 1.0 / mu + 1.0
            case Power(r):
                return xp.host(_inverse_gaussian_moment, mu, r)
            case Log():
                return xp.log(mu) - scaled_exp1(2.0 / mu, xp=xp)
        return None

    def _standard_entropy(self, xp: Namespace) -> Array:
        expected_log = xp.log(self.mu) - scaled_exp1(2.0 / self.mu, xp=xp)
        return HALF_LOG_2PI + 0.5 + 1.5 * expected_log

    def _standard_variance(self, xp: Namespace) -> Array:
        return self.mu**3

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.wald(np.broadcast_to(self.mu, size), 1.0)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        # ½ψ(λ₂/λ₁ − 1) + λ₂(m₁−m₂)²/(2m₁m₂²), m = μ·scale and λ = scale
        if not isinstance(q, InverseGaussian):
            return None
        a, b = (self.mu - q.mu) / q.mu, (self.scale - q.scale) / q.scale
        relative = a + b + a * b
        return (
            0.5 * psi_ratio(self.scale, q.scale, xp=xp) + 0.5 * (q.scale / self.scale) / self.mu * relative * relative
        )


def _pareto_moment(a: Array, r: Array, xp: Namespace) -> Array:
    r = xp.double(r)
    exists = r < a
    return xp.where(exists, a / xp.where(exists, a - r, xp.ones_like(a - r)), math.inf + 0.0 * (a + r))


def _exists(where: Any, x: Array, f: Any, xp: Namespace) -> Array:
    """f(x), ∞ elsewhere."""
    value = f(xp.where(where, x, xp.ones_like(x)))
    return xp.where(where, value, math.inf + 0.0 * value)


def _lomax_log_moment(a: Array, r: Array, xp: Namespace) -> Array:
    """Log of E yʳ = Γ(1+r)Γ(a−r)/Γ(a), −1 < r < a."""
    r = xp.double(r)
    exists = (r < a) & (r > -1)
    inner = xp.where(exists, r, 0.0 * (a + r))
    value = xp.gammaln(1.0 + inner) + gamma_step(a, -inner, xp=xp)
    return xp.where(exists, value, math.inf + 0.0 * value)


def _inverse_gaussian_moment(mu: Any, r: Any) -> Any:
    """E yʳ = μʳ √(2/(πμ)) e^{1/μ} K_{r−½}(1/μ)."""
    from scipy.special import kve

    z = 1.0 / mu
    return mu**r * np.sqrt(2 * z / np.pi) * kve(r - 0.5, z)
