"""Laws over K categories: Categorical and Multinomial."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kullback.errors import InvalidDistribution
from kullback.families.answer import FINITE_SUM, STABLE, Answer
from kullback.families.base import Family, generator, sample_shape, work
from kullback.families.namespace import to_host
from kullback.families.normal import made
from kullback.families.parameters import Constraint, family, parameter, whole
from kullback.families.symmetric import equal
from kullback.forms import Logits, Probs

Array = Any
Namespace = Any


def probs_parameter(*, default: Any = None) -> Any:
    """Probabilities along the last axis, or None."""
    words = "probabilities in [0, 1]"
    return parameter(Constraint(words, lambda x: (x >= 0) & (x <= 1), 1, optional=True), default=default)


def logits_parameter(*, default: Any = None) -> Any:
    """Logits along the last axis, or None."""
    return parameter(Constraint("numbers < inf, not NaN", lambda x: x < math.inf, 1, optional=True), default=default)


class _Masses(Family):
    """What is given by probs or by logits along the last axis."""

    __slots__ = ()

    @property
    def _k(self) -> int:
        given = self._given()
        return int(given.shape[-1])

    def _given(self) -> Array:
        probs, logits = getattr(self, "probs", None), getattr(self, "logits", None)
        return logits if probs is None else probs

    def _form(self) -> Any:
        return Logits(self._given()) if getattr(self, "probs", None) is None else Probs(self._given())

    def _check_masses(self) -> None:
        from kullback.measures.entropy import entropy

        name = type(self).__name__
        if (getattr(self, "probs", None) is None) == (getattr(self, "logits", None) is None):
            msg = f"{name} needs probs or logits, and not both."
            raise InvalidDistribution(msg)
        entropy(self._form())  # the door checks sums and signs, and says what is wrong


@family
class Categorical(_Masses):
    """One of K categories; give probs (summing to 1) or logits along the last axis."""

    probs: Array = probs_parameter()
    logits: Array = logits_parameter()

    def _check_together(self) -> None:
        self._check_masses()

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        from kullback.measures.kl_divergence import kl_divergence

        if type(q) is not Categorical:
            return _against_counts(self, q, xp)
        same_length(self, q)
        return Answer(kl_divergence(self._form(), q._form(), validate=False), STABLE)

    def _entropy(self, xp: Namespace) -> Array:
        from kullback.measures.entropy import entropy

        return entropy(self._form(), validate=False)

    def _cross_entropy(self, q: Any, xp: Namespace) -> Array | None:
        from kullback.measures.cross_entropy import cross_entropy

        if type(q) is not Categorical:
            return None
        same_length(self, q)
        return cross_entropy(self._form(), q._form(), validate=False)

    def log_prob(self, x: Array, /) -> Array:
        """Log-mass of category x = 0 … K − 1."""
        xp = work(*self._leaves())
        logs = log_masses(self._lifted(xp), xp)
        index = np.asarray(x.detach().cpu() if hasattr(x, "detach") else x).astype(np.int64)
        return (
            logs[..., index] if logs.ndim == 1 else np.take_along_axis(np.asarray(logs), index[..., None], -1)[..., 0]
        )

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Categories 0 … K − 1, shape `shape` + batch shape."""
        p = host_masses(self)
        u = generator(random_state).random(sample_shape(shape) + self.batch_shape)
        return (u[..., None] > np.cumsum(p, axis=-1)[..., :-1]).sum(axis=-1)


@family
class Multinomial(_Masses):
    """Counts of total_count independent draws from K categories."""

    total_count: Array = whole()
    probs: Array = probs_parameter()
    logits: Array = logits_parameter()
    _carrier: ClassVar[str] = "vectors of counts"

    def _check_together(self) -> None:
        self._check_masses()

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(K,)."""
        return (self._k,)

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        from kullback.measures.kl_divergence import kl_divergence

        if type(q) is not Multinomial or not equal(self.total_count, q.total_count):
            from kullback.families.dirichlet import counts_kl

            return counts_kl(self, q, xp)
        same_length(self, q)
        return Answer(_times(self.total_count, kl_divergence(self._form(), q._form(), validate=False), xp), STABLE)

    def _entropy(self, xp: Namespace) -> Array | None:
        # −log n! − n·Σpᵢ log pᵢ + Σᵢ E log Xᵢ!, Xᵢ binomial
        from kullback.families.trials import Binomial
        from kullback.measures.entropy import entropy

        if self.batch_shape or self._k * float(to_host(self.total_count)) > 5e6:
            return None
        n = self.total_count
        masses = xp.double(host_masses(self)) if self.probs is None else self.probs
        x = xp.double(np.arange(float(to_host(n)) + 1.0))
        each = made(Binomial, total_count=xp.double(n), probs=masses[..., None])
        factorials = xp.sum(xp.sum(xp.exp(each._log_density(x, xp)) * xp.gammaln(x + 1.0)))
        return n * entropy(self._form(), validate=False) - xp.gammaln(xp.double(n) + 1.0) + factorials

    def log_prob(self, x: Array, /) -> Array:
        """Log-mass of counts x along the last axis."""
        x = np.asarray(x, dtype=float) if not hasattr(x, "shape") else x
        xp = work(x, *self._leaves())
        p = self._lifted(xp)
        x, logs = xp.double(x), log_masses(p, xp)
        counted = xp.where((x == 0) & (logs == -math.inf), 0.0 * x, x * xp.where(x == 0, 0.0 * logs, logs))
        value = xp.gammaln(p.total_count + 1.0) - xp.sum(xp.gammaln(x + 1.0)) + xp.sum(counted)
        return xp.where(xp.sum(x) == p.total_count, value, xp.double(-math.inf))

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Counts, shape `shape` + batch shape + (K,)."""
        size = sample_shape(shape) + self.batch_shape
        n = np.asarray(self._with(np.asarray).total_count, dtype=np.int64)
        return generator(random_state).multinomial(
            np.broadcast_to(n, size), np.broadcast_to(host_masses(self), (*size, self._k))
        )


def _times(n: Array, one: Array, xp: Namespace) -> Array:
    """N draws tell n times what one tells; no draw tells nothing, also where one would tell all."""
    n, one = xp.double(n), xp.double(one)
    return xp.where(n + xp.zeros_like(one) == 0, xp.zeros_like(n * one), n * one)


def renyi_of_masses(p: Any, q: Any, alpha: float, xp: Namespace) -> Array | None:
    """D_α of two laws over the same categories, by the same number of draws; None for other pairs."""
    from kullback.measures.renyi import renyi_divergence

    if type(q) is not type(p):
        return None
    counted = type(p) is Multinomial
    if counted and not equal(p.total_count, q.total_count):
        return None
    same_length(p, q)
    one = renyi_divergence(p._form(), q._form(), alpha, validate=False)
    return _times(p.total_count, one, xp) if counted else one


def _against_counts(p: Categorical, q: Any, xp: Namespace) -> Answer | None:
    """Categories 0 … K−1 against a law of whole numbers: Σ pₖ·log(pₖ/q(k))."""
    if not getattr(q, "discrete", False) or q.batch_shape:
        return None
    from kullback.families.line import Line

    if not isinstance(q, Line):
        return None
    logs, others = log_masses(p, xp), q._log_prob(xp.double(np.arange(float(p._k))), xp)
    none = logs == -math.inf
    gap = xp.where(none, 0.0 * others, logs - xp.where(none, 0.0 * others, others))
    value = xp.sum(xp.where(none, 0.0 * gap, xp.exp(xp.where(none, 0.0 * gap, logs)) * gap))
    return Answer(value, FINITE_SUM, 1e-15 * p._k)


def log_masses(p: Any, xp: Namespace) -> Array:
    """Normalised log-masses of a lifted family given by probs or logits."""
    if p.probs is not None:
        return xp.log(p.probs)
    a = p.logits
    top = a.max(-1)
    top = getattr(top, "values", top)[..., None]
    return a - top - xp.log(xp.sum(xp.exp(a - top)))[..., None]


def host_masses(p: Any) -> Any:
    """Masses as a NumPy array that sums to 1."""
    if p.probs is not None:
        masses = to_host(p.probs)
    else:
        a = to_host(p.logits)
        masses = np.exp(a - a.max(axis=-1, keepdims=True))
    return masses / masses.sum(axis=-1, keepdims=True)


def same_length(p: Any, q: Any) -> None:
    """Refuse two numbers of categories: no broadcasting among them."""
    from kullback.errors import InvalidForm

    if p._k != q._k:
        msg = f"p has {p._k} categories and q {q._k}; expected the same number."
        raise InvalidForm(msg)
