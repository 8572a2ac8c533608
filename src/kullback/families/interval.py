"""Families on (0, 1): Beta, Kumaraswamy, LogitNormal."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kullback._special import GAMMA_SHIFT, gamma_step, relative_term
from kullback.families.dirichlet_form import dirichlet_kl
from kullback.families.expectations import (
    Absolute,
    Exp,
    Feature,
    Linear,
    Log,
    Log1m,
    Log1mPower,
    LogitSquare,
    LogMean,
    LogSquare,
    Power,
    Square,
)
from kullback.families.gamma import Exponential
from kullback.families.line import Line, Terms, log_term
from kullback.families.normal import HALF_LOG_2PI, Normal, made
from kullback.families.parameters import family, positive, real
from kullback.families.stacy import stirling_error
from kullback.families.symmetric import equal

Array = Any
Namespace = Any


@family
class Beta(Line):
    """Density ∝ x^{concentration1−1} (1−x)^{concentration0−1} on (0, 1)."""

    concentration1: Array = positive()
    concentration0: Array = positive()
    _positive: ClassVar[bool] = True

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 0.0, 1.0

    def _terms(self, xp: Namespace) -> Terms:
        a, b = self.concentration1, self.concentration0
        return -log_beta(a, b, xp=xp), [*log_term(a - 1.0), (b - 1.0, Log1m())]

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        # Stirling for all three lnΓ leaves a·log(a/(ny)) + b·log(b/(n(1−y))), two deviances ≥ 0, n = a + b:
        # the peak of large parameters keeps its digits
        co = 1.0 - y if co is None else co
        a, b = (x + 0.0 * y for x in (self.concentration1, self.concentration0))
        peaked = (a > GAMMA_SHIFT) & (b > GAMMA_SHIFT) & (y > 0) & (co > 0)
        half = 0.5 + 0.0 * y
        u, v = xp.where(peaked, y, half), xp.where(peaked, co, half)
        c, d = (xp.where(peaked, x, 2.0 * GAMMA_SHIFT + 0.0 * x) for x in (a, b))
        n = c + d
        deviance = relative_term(c, n * u, xp=xp) + relative_term(d, n * v, xp=xp)
        series = stirling_error(n, xp=xp) - stirling_error(c, xp=xp) - stirling_error(d, xp=xp)
        near = series - deviance + 0.5 * (xp.log(c) + xp.log(d) - xp.log(n)) - xp.log(u) - xp.log(v) - HALF_LOG_2PI
        return xp.where(peaked, near, Line._log_density(self, y, xp, co))

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        a, b = self.concentration1, self.concentration0
        total = a + b
        match f:
            case Linear():
                return a / total
            case Square():
                return a / total * (a + 1.0) / (total + 1.0)
            case LogMean(Power(r)):
                r = xp.double(r)
                exists = a + r > 0
                t = xp.where(exists, r, 0.0 * (a + r))
                logs = gamma_step(a, t, xp=xp) - gamma_step(total, t, xp=xp)
                return xp.where(exists, logs, math.inf + 0.0 * logs)
            case Log():
                return xp.digamma(a) - xp.digamma(total)
            case Log1m():
                return xp.digamma(b) - xp.digamma(total)
            case LogSquare():
                return xp.polygamma(1, a) - xp.polygamma(1, total) + (xp.digamma(a) - xp.digamma(total)) ** 2
            case LogitSquare():
                return xp.polygamma(1, a) + xp.polygamma(1, b) + (xp.digamma(a) - xp.digamma(b)) ** 2
            case Absolute(c):
                c = xp.double(c)
                inside = (c > 0) & (c < 1)
                m = xp.where(inside, c, 0.5 + 0.0 * c)
                mean = a / total
                below, partial = xp.betainc(a, b, m + 0.0 * mean), mean * xp.betainc(a + 1.0, b, m + 0.0 * mean)
                return xp.where(inside, mean - m + 2.0 * (m * below - partial), xp.abs(mean - c))
            case Exp(t):
                return xp.host(_laplace_transform, a, total, t)
        return None

    def _standard_entropy(self, xp: Namespace) -> Array:
        # KL from the uniform law with its sign turned: exact near it, and no 1e6·log cancels for large parameters
        a, b = self.concentration1, self.concentration0
        one = 1.0 + 0.0 * (a + b)
        return -dirichlet_kl([a * one, b * one], [one, one], xp=xp)

    def _standard_variance(self, xp: Namespace) -> Array:
        a, b = self.concentration1, self.concentration0
        return a / (a + b) * (b / (a + b)) / (a + b + 1.0)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.beta(np.broadcast_to(self.concentration1, size), np.broadcast_to(self.concentration0, size))

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        if not isinstance(q, Beta):
            return None
        one = 1.0 + 0.0 * (self.concentration1 + self.concentration0 + q.concentration1 + q.concentration0)
        ours = [self.concentration1 * one, self.concentration0 * one]
        return dirichlet_kl(ours, [q.concentration1 * one, q.concentration0 * one], xp=xp)


@family
class Kumaraswamy(Line):
    """x^concentration1 is Beta(1, concentration0)."""

    concentration1: Array = positive()
    concentration0: Array = positive()
    _positive: ClassVar[bool] = True

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 0.0, 1.0

    def _terms(self, xp: Namespace) -> Terms:
        a, b = self.concentration1, self.concentration0
        return xp.log(a) + xp.log(b), [(a - 1.0, Log()), (b - 1.0, Log1mPower(a))]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        a, b = self.concentration1, self.concentration0
        match f:
            case LogMean(Power(r)):
                return _kumaraswamy_log_moment(a, b, r, xp)
            case Log():
                return -(np.euler_gamma + xp.digamma(b + 1.0)) / a
            case LogSquare():
                mean = np.euler_gamma + xp.digamma(b + 1.0)
                return (math.pi**2 / 6 - xp.polygamma(1, b + 1.0) + mean * mean) / (a * a)
            case Log1mPower(r) if r is a:
                return -1.0 / b
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return (-np.expm1(-rng.standard_exponential(size) / self.concentration0)) ** (1.0 / self.concentration1)

    def _mapped(self, q: Any, xp: Namespace) -> tuple[Line, Line] | None:
        # −log(1 − x^a) is exponential
        if not isinstance(q, Kumaraswamy) or not equal(self.concentration1, q.concentration1):
            return None
        return made(Exponential, rate=self.concentration0), made(Exponential, rate=q.concentration0)


@family
class LogitNormal(Line):
    """log(x/(1−x)) is Normal(loc, scale)."""

    loc: Array = real()
    scale: Array = positive()
    _positive: ClassVar[bool] = True

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 0.0, 1.0

    def _terms(self, xp: Namespace) -> Terms:
        variance = self.scale * self.scale
        constant = -HALF_LOG_2PI - xp.log(self.scale) - 0.5 * self.loc * self.loc / variance
        slope = self.loc / variance
        return constant, [(slope - 1.0, Log()), (-slope - 1.0, Log1m()), (-0.5 / variance, LogitSquare())]

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        # the square is not multiplied out: a narrow law keeps its digits
        co = 1.0 - y if co is None else co
        logs = xp.log(y), xp.where(y < 0.5, xp.log1p(-y), xp.log(co))
        z = (logs[0] - logs[1] - self.loc) / self.scale
        return -0.5 * z * z - HALF_LOG_2PI - xp.log(self.scale) - logs[0] - logs[1]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case LogitSquare():
                return self.scale * self.scale + self.loc * self.loc
        return None

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return 1.0 / (1.0 + np.exp(-(self.loc + self.scale * rng.standard_normal(size))))

    def _mapped(self, q: Any, xp: Namespace) -> tuple[Line, Line] | None:
        if not isinstance(q, LogitNormal):
            return None
        return made(Normal, mean=self.loc, std=self.scale), made(Normal, mean=q.loc, std=q.scale)


def log_beta(a: Array, b: Array, *, xp: Namespace) -> Array:
    """lnΓ(a) + lnΓ(b) − lnΓ(a+b), the larger of the two taken together with the sum."""
    zero = 0.0 * (a + b)
    small, large = xp.minimum(a + zero, b + zero), xp.maximum(a + zero, b + zero)
    return xp.gammaln(small) - gamma_step(large, small, xp=xp)


def _laplace_transform(a: Any, total: Any, t: Any) -> Any:
    """₁F₁(a; a+b; t), which SciPy has right up to |t| = 500; beyond that no number."""
    from scipy.special import hyp1f1

    return np.where(np.abs(t) <= 500.0, hyp1f1(a, total, t), math.nan)


def _kumaraswamy_log_moment(a: Array, b: Array, r: Array, xp: Namespace) -> Array:
    """Log of E xʳ = b·B(1 + r/a, b), r > −a."""
    t = 1.0 + xp.double(r) / a
    exists = t > 0
    t = xp.where(exists, t, xp.ones_like(t + b))
    value = xp.log(b) + xp.gammaln(t) - gamma_step(b, t, xp=xp)
    return xp.where(exists, value, math.inf + 0.0 * value)
