"""Mass functions on the whole numbers: Bernoulli, Binomial, Geometric, NegativeBinomial, Poisson, Zeta, LogSeries, …

Their log-masses follow Loader (2000): deviance parts and Stirling's error in place of differences of large lnΓ's.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kullback._special import GAMMA_SHIFT, gamma_step, log_ratio, psi, psi_ratio, relative_term
from kullback.errors import InvalidDistribution
from kullback.families.base import family, greater_than, non_negative, open_probability, positive, probability, whole
from kullback.families.bregman import bregman
from kullback.families.expectations import Exp, Feature, Linear, Log, LogGamma, LogMean, Square
from kullback.families.line import Line, Terms
from kullback.families.normal import HALF_LOG_2PI
from kullback.families.stacy import stirling_error
from kullback.families.symmetric import equal
from kullback.families.zeta import log_zeta_bregman, mean_log, zeta_log

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
    ours, rest = p * one, 1.0 - p * one
    none, all_ = ours == 0, rest == 0
    value = xp.where(
        none,
        q * one,
        ours * psi_ratio(xp.where(none, one, ours), xp.where(none, one, q * one), xp.where(none, 0.0 * d, d), xp=xp),
    )
    other = xp.where(
        all_,
        1.0 - q * one,
        rest
        * psi_ratio(xp.where(all_, one, rest), xp.where(all_, one, 1.0 - q * one), xp.where(all_, 0.0 * d, -d), xp=xp),
    )
    return value + other


def _bernoulli_entropy(p: Array, xp: Namespace) -> Array:
    none, all_ = p == 0, p == 1
    edge = none | all_
    inner = xp.where(edge, 0.5 * xp.ones_like(p), p)
    return xp.where(edge, 0.0 * p, -inner * xp.log(inner) - (1.0 - inner) * xp.log1p(-inner))


@family
class Bernoulli(Whole):
    """1 with probability probs, else 0."""

    probs: Array = probability()

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        p = self.probs
        return xp.where(p == 1, xp.ones_like(p), xp.zeros_like(p)), xp.where(p == 0, xp.zeros_like(p), xp.ones_like(p))

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        del co
        return xp.where(y == 1, xp.log(self.probs), xp.log1p(-self.probs))

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        p = self.probs
        match f:
            case Linear() | Square():
                return p
            case Exp(t):
                return 1.0 + p * xp.expm1(t)
            case LogGamma(a) if isinstance(a, float) and a == 1.0:
                return 0.0 * p
        return None

    def _standard_entropy(self, xp: Namespace) -> Array:
        return _bernoulli_entropy(self.probs, xp)

    def _standard_variance(self, xp: Namespace) -> Array:
        return self.probs * (1.0 - self.probs)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return (rng.random(size) < self.probs).astype(float)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        return bernoulli_kl(self.probs, q.probs, xp=xp) if isinstance(q, Bernoulli) else None


@family
class Binomial(Whole):
    """Successes in total_count independent trials."""

    total_count: Array = whole()
    probs: Array = probability()

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        n, p = self.total_count, self.probs
        return xp.where(p == 1, n + 0.0 * p, 0.0 * n * p), xp.where(p == 0, 0.0 * n * p, n + 0.0 * p)

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        del co
        n, p = self.total_count, self.probs
        shape = 0.0 * (y + n + p)
        y, rest = y + shape, n - y + shape
        inner = (y > 0) & (rest > 0)
        one = xp.ones_like(shape)
        safe_y, safe_rest = xp.where(inner, y, one), xp.where(inner, rest, one)
        safe_n = xp.where(inner, n + shape, 2.0 * one)
        safe_p = xp.where(inner, p + shape, 0.5 * one)
        errors = _stirling(safe_n, xp) - _stirling(safe_y, xp) - _stirling(safe_rest, xp)
        deviance = relative_term(safe_y, safe_n * safe_p, xp=xp) + relative_term(
            safe_rest, safe_n * (1.0 - safe_p), xp=xp
        )
        middle = errors - deviance - HALF_LOG_2PI + 0.5 * (xp.log(safe_n) - xp.log(safe_y) - xp.log(safe_rest))
        none, all_ = y == 0, rest == 0
        at_0 = xp.where(n + shape == 0, shape, n * xp.log1p(-xp.where(none, p + shape, shape)))
        at_n = n * xp.log(xp.where(all_, p + shape, one))
        return xp.where(inner, middle, xp.where(none, at_0, at_n))

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        n, p = self.total_count, self.probs
        match f:
            case Linear():
                return n * p
            case Square():
                return n * p * (1.0 - p) + (n * p) ** 2
            case LogMean(Exp(t)):
                return n * xp.log1p(p * xp.expm1(t))
        return None

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return None

    def _standard_variance(self, xp: Namespace) -> Array:
        return self.total_count * self.probs * (1.0 - self.probs)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.binomial(np.asarray(self.total_count, dtype=np.int64), self.probs, size).astype(float)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        if not isinstance(q, Binomial) or not equal(self.total_count, q.total_count):
            return None
        n = self.total_count
        one = bernoulli_kl(self.probs, q.probs, xp=xp)
        # no trial tells nothing, also where one would tell all
        return xp.where(n + 0.0 * self.probs == 0, 0.0 * self.probs, n * one)


@family
class Geometric(Whole):
    """Failures before the first success, 0, 1, 2, …, as in torch (SciPy counts the success too)."""

    probs: Array = open_probability(upper_included=True)

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        p = self.probs
        return 0.0, xp.where(p == 1, xp.zeros_like(p), math.inf * xp.ones_like(p))

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        del co
        none = y + 0.0 * self.probs == 0
        rate = xp.log1p(-xp.where(none, 0.0 * y + 0.5 + 0.0 * self.probs, self.probs + 0.0 * y))
        return xp.log(self.probs) + xp.where(none, 0.0 * y, y * rate)

    def _terms(self, xp: Namespace) -> Terms:
        return xp.log(self.probs), [(xp.log1p(-self.probs), Linear())]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        p = self.probs
        match f:
            case Linear():
                return (1.0 - p) / p
            case Square():
                return (1.0 - p) * (2.0 - p) / (p * p)
        return None

    def _standard_entropy(self, xp: Namespace) -> Array:
        return _bernoulli_entropy(self.probs, xp) / self.probs

    def _standard_variance(self, xp: Namespace) -> Array:
        return (1.0 - self.probs) / (self.probs * self.probs)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.geometric(np.broadcast_to(self.probs, size)).astype(float) - 1.0

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        return bernoulli_kl(self.probs, q.probs, xp=xp) / self.probs if isinstance(q, Geometric) else None


@family
class NegativeBinomial(Whole):
    """Successes of chance probs before the total_count-th failure, as in torch; total_count > 0 need not be whole."""

    total_count: Array = positive()
    probs: Array = probability()

    def _check_together(self) -> None:
        bad = self.probs == 1 if isinstance(self.probs, float) else bool((self.probs == 1).any())
        if bad:
            msg = "NegativeBinomial.probs = 1.0; expected a probability in [0, 1): with 1 no failure ever comes."
            raise InvalidDistribution(msg)

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        p = self.probs
        return 0.0, xp.where(p == 0, xp.zeros_like(p), math.inf * xp.ones_like(p))

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        # Γ(r+y)/(Γ(r)Γ(y+1)) as binomial(r+y, y)·r/(r+y)
        del co
        r, p = self.total_count, self.probs
        shape = 0.0 * (y + r + p)
        none = y + shape == 0
        y = xp.where(none, 1.0 + shape, y + shape)
        n = r + y
        failing = 1.0 - p
        deviance = relative_term(y, n * p, xp=xp) + relative_term(r + shape, n * failing, xp=xp)
        errors = _stirling(n, xp) - _stirling(y, xp) - _stirling(r + shape, xp)
        some = errors - deviance - HALF_LOG_2PI + 0.5 * (xp.log(r) - xp.log(n) - xp.log(y))
        return xp.where(none, r * xp.log1p(-p) + shape, some)

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        odds = self.probs / (1.0 - self.probs)
        match f:
            case Linear():
                return self.total_count * odds
            case Square():
                mean = self.total_count * odds
                return mean * (1.0 + odds) + mean * mean
        return None

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return None

    def _standard_variance(self, xp: Namespace) -> Array:
        return self.total_count * self.probs / (1.0 - self.probs) ** 2

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.negative_binomial(np.broadcast_to(self.total_count, size), 1.0 - np.asarray(self.probs)).astype(
            float
        )

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        if not isinstance(q, NegativeBinomial) or not equal(self.total_count, q.total_count):
            return None
        return self.total_count * bernoulli_kl(self.probs, q.probs, xp=xp) / (1.0 - self.probs)


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
            - _stirling(safe, xp)
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
class Zeta(Whole):
    """Mass x^{−exponent}/ζ(exponent) on 1, 2, 3, … (SciPy's zipf, a)."""

    exponent: Array = greater_than(1.0)
    _power_tail: ClassVar[bool] = True

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 1.0, math.inf

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        del co
        return -self.exponent * xp.log(y) - zeta_log(self.exponent, xp=xp)

    def _terms(self, xp: Namespace) -> Terms:
        return -zeta_log(self.exponent, xp=xp), [(-self.exponent, Log())]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case Log():
                return mean_log(self.exponent, xp=xp)
            case Linear():
                return _zeta_moment(self.exponent, 1.0, xp)
            case Square():
                return _zeta_moment(self.exponent, 2.0, xp)
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.zipf(np.broadcast_to(self.exponent, size)).astype(float)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        return log_zeta_bregman(self.exponent, q.exponent, xp=xp) if isinstance(q, Zeta) else None


@family
class LogSeries(Whole):
    """Mass −probsˣ/(x·log(1 − probs)) on 1, 2, 3, …"""

    probs: Array = open_probability()

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 1.0, math.inf

    def _terms(self, xp: Namespace) -> Terms:
        return -xp.log(-xp.log1p(-self.probs)), [(xp.log(self.probs), Linear()), (-1.0, Log())]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        p = self.probs
        a = -1.0 / xp.log1p(-p)
        match f:
            case Linear():
                return a * p / (1.0 - p)
            case Square():
                return a * p / (1.0 - p) ** 2
        return None

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.logseries(np.broadcast_to(self.probs, size)).astype(float)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        return log_series_kl(self.probs, q.probs, xp=xp) if isinstance(q, LogSeries) else None


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
        return _log_choose(K, y, xp) + _log_choose(N - K, n - y, xp) - _log_choose(N, n, xp)

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


def log_series_kl(p: Array, q: Array, *, xp: Namespace) -> Array:
    """E x·log(p/q) + log(L_q/L_p), L = −log1p(−·), in three forms, each where it does not cancel.

    Where p or q is above .3, with the first-order parts taken out: m·ψ(q/p − 1) + ψ(−(q−p)/(1−p))/L_p − ψ(L_q/L_p − 1).
    Below, x is nearly always 1: the Bregman divergence of log L in log p where p and q are close, and else
    log1p(ψ(−q)/q) − log1p(ψ(−p)/p) − E(x−1)·log(q/p), as L = p + ψ(−p) and E(x−1) = ψ(p/(1−p))/L_p.
    """
    d = q - p
    p, q = p + 0.0 * d, q + 0.0 * d
    low = (p < 0.3) & (q < 0.3)
    L = -xp.log1p(-p)
    moved = d / (1.0 - p)
    w = -xp.log1p(-moved) / L
    mean = p / ((1.0 - p) * L)
    high_value = mean * psi_ratio(p, q, xp=xp) + psi(-moved, xp=xp) / L - psi(w, xp=xp)
    a, b = xp.where(low, p, 0.1 + 0.0 * p), xp.where(low, q, 0.1 + 0.0 * q)
    step = log_ratio(b, a, xp=xp)

    def curvature(eta: Array, xp: Namespace) -> Array:
        # (log L)″ in log p: p·ψ(−p)/(L(1−p))², which is Var x
        x = a * xp.exp(eta)
        L_x = -xp.log1p(-x)
        return x * psi(-x, xp=xp) / (L_x * (1.0 - x)) ** 2

    def far(_: Array, __: Array) -> Array:
        excess = psi(a / (1.0 - a), xp=xp) / -xp.log1p(-a)
        return xp.log1p(psi(-b, xp=xp) / b) - xp.log1p(psi(-a, xp=xp) / a) - excess * step

    low_value = bregman(0.0 * step, step, near=xp.abs(step) < 1.0, curvature=curvature, far=far, xp=xp)
    return xp.where(low, low_value, high_value)


def _stirling(x: Array, xp: Namespace) -> Array:
    """lnΓ(x+1) − (x+½)log x + x − ½log 2π for x > 0."""
    large = x > 4 * GAMMA_SHIFT
    one = xp.ones_like(x)
    small = xp.where(large, one, x)
    direct = xp.gammaln(small + 1.0) - (small + 0.5) * xp.log(small) + small - HALF_LOG_2PI
    return xp.where(large, stirling_error(xp.where(large, x, 40.0 * one), xp=xp), direct)


def _log_choose(n: Array, k: Array, xp: Namespace) -> Array:
    return xp.gammaln(n + 1.0) - xp.gammaln(k + 1.0) - xp.gammaln(n - k + 1.0)


def _zeta_moment(s: Array, r: float, xp: Namespace) -> Array:
    exists = s - r > 1
    inner = xp.where(exists, s, r + 2.0 + 0.0 * s)
    one = xp.ones_like(inner)
    return xp.where(exists, xp.zeta(inner - r, one) / xp.zeta(inner, one), math.inf + 0.0 * s)


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
