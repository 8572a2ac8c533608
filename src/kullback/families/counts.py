"""Laws of counts: Poisson, Skellam, BetaBinomial, Hypergeometric."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._special import gamma_step, relative_term
from kullback.errors import InvalidDistribution
from kullback.families.expectations import Exp, Feature, Linear, LogGamma, LogMean, Square
from kullback.families.line import Terms
from kullback.families.normal import HALF_LOG_2PI
from kullback.families.parameters import family, non_negative, positive, whole
from kullback.families.whole import Whole, log_choose, stirling_rest

Array = Any
Namespace = Any


@family
class Poisson(Whole):
    """Counts of independent events, `rate` on average."""

    rate: Array = non_negative()

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 0.0, xp.where(self.rate == 0, xp.zeros_like(self.rate), math.inf * xp.ones_like(self.rate))

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        del co
        none = y + 0.0 * self.rate == 0
        safe = xp.where(none, 1.0 + 0.0 * (y + self.rate), y + 0.0 * self.rate)
        some = (
            -relative_term(safe, self.rate + 0.0 * safe, xp=xp)
            - stirling_rest(safe, xp)
            - HALF_LOG_2PI
            - 0.5 * xp.log(safe)
        )
        return xp.where(none, -self.rate + 0.0 * y, some)

    def _terms(self, xp: Namespace) -> Terms:
        return -self.rate, [(xp.log(self.rate), Linear()), (-1.0, LogGamma(1.0))]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case Linear():
                return self.rate
            case Square():
                return self.rate * (1.0 + self.rate)
            case LogMean(Exp(t)):
                return self.rate * xp.expm1(t)
        return None

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return None

    def _standard_variance(self, xp: Namespace) -> Array:
        return self.rate

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.poisson(self.rate, size).astype(float)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        if not isinstance(q, Poisson):
            return None
        zero = 0.0 * (self.rate + q.rate)
        return relative_term(self.rate + zero, q.rate + zero, xp=xp)


@family
class BetaBinomial(Whole):
    """Binomial(total_count, y) with y ~ Beta(concentration1, concentration0) (SciPy's n, a, b)."""

    total_count: Array = whole()
    concentration1: Array = positive()
    concentration0: Array = positive()

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 0.0, self.total_count

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        del co
        n, a, b = self.total_count, self.concentration1, self.concentration0
        choose = xp.gammaln(n + 1.0) - xp.gammaln(y + 1.0) - xp.gammaln(n - y + 1.0)
        return choose + gamma_step(a, y, xp=xp) + gamma_step(b, n - y, xp=xp) - gamma_step(a + b, n + 0.0 * y, xp=xp)

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        n, a, b = self.total_count, self.concentration1, self.concentration0
        match f:
            case Linear():
                return n * a / (a + b)
        return None

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return None

    def _standard_variance(self, xp: Namespace) -> Array:
        n, a, b = self.total_count, self.concentration1, self.concentration0
        return n * a / (a + b) * (b / (a + b)) * ((a + b + n) / (a + b + 1.0))

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        y = rng.beta(np.broadcast_to(self.concentration1, size), np.broadcast_to(self.concentration0, size))
        return rng.binomial(np.asarray(self.total_count, dtype=np.int64), y, size).astype(float)


@family
class Skellam(Whole):
    """The difference of two independent Poisson counts (SciPy's mu1, mu2)."""

    rate1: Array = positive()
    rate2: Array = positive()

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return -math.inf, math.inf

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        del co
        return xp.host(_skellam, y, self.rate1, self.rate2)

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case Linear():
                return self.rate1 - self.rate2
            case Square():
                return self.rate1 + self.rate2 + (self.rate1 - self.rate2) ** 2
        return None

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return None

    def _standard_variance(self, xp: Namespace) -> Array:
        return self.rate1 + self.rate2

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return (rng.poisson(self.rate1, size) - rng.poisson(self.rate2, size)).astype(float)


@family
class Hypergeometric(Whole):
    """Marked items among `draws` taken without return from `population`, of which `marked` are (SciPy's M, n, N)."""

    population: Array = whole()
    marked: Array = whole()
    draws: Array = whole()

    def _check_together(self) -> None:
        for name in ("marked", "draws"):
            value = getattr(self, name)
            good = value <= self.population
            if not (good if isinstance(good, bool) else bool(good.all())):
                msg = f"Hypergeometric.{name} = {value}; expected at most population = {self.population}."
                raise InvalidDistribution(msg)

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        N, K, n = self.population, self.marked, self.draws
        return xp.maximum(0.0 * n, n + K - N), xp.minimum(n, K)

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        del co
        N, K, n = self.population, self.marked, self.draws
        return log_choose(K, y, xp) + log_choose(N - K, n - y, xp) - log_choose(N, n, xp)

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case Linear():
                return self.draws * self.marked / self.population
        return None

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        N, K, n = (np.asarray(x, dtype=np.int64) for x in (self.population, self.marked, self.draws))
        return rng.hypergeometric(K, N - K, n, size).astype(float)


def _skellam(k: Any, mu1: Any, mu2: Any) -> Any:
    from scipy.special import ive

    mu1, mu2 = np.broadcast_arrays(mu1, mu2)
    z = 2.0 * np.sqrt(mu1 * mu2)
    size = np.abs(k)
    # e^{−μ₁−μ₂}(μ₁/μ₂)^{k/2} I_k(z) = e^{−(√μ₁−√μ₂)²}(μ₁/μ₂)^{k/2}·ive; where ive underflows its leading term stands in
    bessel = ive(size, z)
    from scipy.special import gammaln

    lead = size * np.log(np.maximum(z, 5e-324) / 2) - gammaln(size + 1) - z + z * z / 4 / (size + 1)
    log_bessel = np.where(bessel > 1e-290, np.log(np.where(bessel > 0, bessel, 1.0)), lead)
    return -((np.sqrt(mu1) - np.sqrt(mu2)) ** 2) + 0.5 * k * np.log(mu1 / mu2) + log_bessel
