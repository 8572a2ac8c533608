"""Laws of independent trials: Bernoulli, Binomial, Geometric, NegativeBinomial."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._special import relative_term
from kullback.errors import InvalidDistribution
from kullback.families.base import Family
from kullback.families.expectations import Exp, Feature, Linear, LogGamma, LogMean, Square
from kullback.families.line import Terms
from kullback.families.normal import HALF_LOG_2PI, made
from kullback.families.parameters import family, open_probability, positive, probability, whole
from kullback.families.symmetric import equal
from kullback.families.whole import Whole, bernoulli_entropy, bernoulli_kl, stirling_rest

Array = Any
Namespace = Any


@family
class Bernoulli(Whole):
    """1 with probability probs, else 0."""

    probs: Array = probability()

    def _beside(self, other: Family, xp: Namespace) -> Family:
        """Two categories beside a law that is given as categories (torch's Bernoulli of logits is)."""
        from kullback.families.categorical import Categorical

        if type(other) is not Categorical:
            return self
        probs = xp.double(self.probs)
        masses = np.stack([1.0 - probs, probs], axis=-1) if xp.name == "scalar" else xp.stack([1.0 - probs, probs])
        two: Family = made(Categorical, probs=masses, logits=None)
        return two

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
        return bernoulli_entropy(self.probs, xp)

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
        errors = stirling_rest(safe_n, xp) - stirling_rest(safe_y, xp) - stirling_rest(safe_rest, xp)
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
        return bernoulli_entropy(self.probs, xp) / self.probs

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
        errors = stirling_rest(n, xp) - stirling_rest(y, xp) - stirling_rest(r + shape, xp)
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
