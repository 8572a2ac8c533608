"""Independent parts as one law: Independent (one family, batch axes read as axes of a draw) and Product (any kinds)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from kullback.errors import InvalidDistribution, InvalidForm
from kullback.families.answer import EXACT, Answer
from kullback.families.base import Family, generator
from kullback.families.multivariate_normal import MultivariateNormal, multivariate_normal_kl
from kullback.families.namespace import to_host
from kullback.families.normal import Normal, made
from kullback.families.parameters import family

Array = Any
Namespace = Any


@family
class Independent(Family):
    """The last `reinterpreted_batch_ndims` batch axes of `base` read as the axes of one draw, as in torch."""

    base: Family = dataclasses.field()
    reinterpreted_batch_ndims: int = 1

    def _check_together(self) -> None:
        if not isinstance(self.base, Family):
            msg = f"Independent.base is a {type(self.base).__name__}; expected a family of kullback.families."
            raise InvalidForm(msg)
        n = self.reinterpreted_batch_ndims
        if not 0 < n <= len(self.base.batch_shape):
            axes = len(self.base.batch_shape)
            msg = f"Independent.reinterpreted_batch_ndims = {n}; expected 1 … {axes}, the batch axes of the base."
            raise InvalidDistribution(msg)

    def _parts(self) -> tuple[Family, ...]:
        return (self.base,)

    @property
    def _carrier(self) -> str:  # type: ignore[override]
        if self.base.event_shape or len(self.event_shape) != 1:
            return ""
        return "vectors of counts" if getattr(self.base, "discrete", False) else "all vectors"

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The batch axes that remain."""
        shape = self.base.batch_shape
        return shape[: len(shape) - self.reinterpreted_batch_ndims]

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The reinterpreted axes, then those of the base."""
        shape = self.base.batch_shape
        return shape[len(shape) - self.reinterpreted_batch_ndims :] + self.base.event_shape

    def _factors(self, xp: Namespace) -> tuple[Array, Array, Array] | None:
        """Mean, D and W of a normal law of covariance D + WWᵀ."""
        if type(self.base) is not Normal or self.reinterpreted_batch_ndims != 1:
            return None
        shape = self.base.batch_shape
        std = xp.broadcast_to(self.base.std, shape)
        return xp.broadcast_to(self.base.mean, shape), std * std, 0.0 * std[..., None]

    def _dense(self, xp: Namespace) -> MultivariateNormal | None:
        if type(self.base) is not Normal or self.reinterpreted_batch_ndims != 1:
            return None
        shape = self.base.batch_shape
        std = xp.broadcast_to(self.base.std, shape)
        cov = (std * std)[..., None] * xp.double(np.eye(shape[-1]))
        found: MultivariateNormal = made(MultivariateNormal, mean=xp.broadcast_to(self.base.mean, shape), cov=cov)
        return found

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        from kullback.families import dispatch

        if type(q) is not Independent:
            return multivariate_normal_kl(self, q, xp) if self._factors(xp) is not None else None
        answer = dispatch._kl(self.base, q.base)
        shape = np.broadcast_shapes(self.base.batch_shape, q.base.batch_shape)
        return Answer(_sum_last(answer.value, shape, self.reinterpreted_batch_ndims, xp), answer.method, answer.error)

    def _entropy(self, xp: Namespace) -> Array | None:
        value = self.base._entropy(xp)
        if value is None:
            from kullback.families import dispatch

            value = dispatch.entropy(self.base)
        return _sum_last(value, self.base.batch_shape, self.reinterpreted_batch_ndims, xp)

    def log_prob(self, x: Array, /) -> Array:
        """The sum of the base's log-densities over the reinterpreted axes."""
        value = self.base.log_prob(x)
        for _ in range(self.reinterpreted_batch_ndims):
            value = value.sum(-1)
        return value

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Draws of the base."""
        return self.base.sample(shape, random_state=random_state)

    def _along(self, k: int | slice, skip: int = 0) -> Any:
        n = self.reinterpreted_batch_ndims
        return made(Independent, base=self.base._along(k, skip + n), reinterpreted_batch_ndims=n)

    def _pick(self, shape: tuple[int, ...], at: tuple[int, ...]) -> Any:
        inner = self.base.batch_shape[len(self.base.batch_shape) - self.reinterpreted_batch_ndims :]
        whole = shape + inner

        def member(value: Any) -> Any:
            return np.broadcast_to(to_host(value), whole)[at]

        return made(Independent, base=self.base._with(member), reinterpreted_batch_ndims=self.reinterpreted_batch_ndims)


def _sum_last(value: Array, shape: tuple[int, ...], n: int, xp: Namespace) -> Array:
    value = xp.broadcast_to(xp.double(value), shape)
    for _ in range(n):
        value = xp.sum(value)
    return value


@family
class Product(Family):
    """Independent components of any kinds; one draw is a tuple of draws."""

    components: Any = dataclasses.field()

    def _check_together(self) -> None:
        object.__setattr__(self, "components", families_of(self.components, "Product.components"))

    def _parts(self) -> tuple[Family, ...]:
        parts: tuple[Family, ...] = self.components
        return parts

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The broadcast shape of the components."""
        return tuple(np.broadcast_shapes(*(c.batch_shape for c in self.components)))

    @property
    def event_shape(self) -> tuple[Any, ...]:
        """The event shapes of the components."""
        return ("product", *(c.event_shape for c in self.components))

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        from kullback.families import dispatch

        if type(q) is not Product:
            return None
        answers = [dispatch._kl(a, b) for a, b in zip(self.components, q.components, strict=True)]
        total, error = answers[0].value, answers[0].error
        for answer in answers[1:]:
            total, error = total + answer.value, error + answer.error
        return Answer(total, next((a.method for a in answers if a.method not in EXACT), answers[0].method), error)

    def _entropy(self, xp: Namespace) -> Array | None:
        from kullback.families import dispatch

        total = dispatch.entropy(self.components[0])
        for part in self.components[1:]:
            total = total + dispatch.entropy(part)
        return total

    def log_prob(self, x: Any, /) -> Array:
        """The sum of the components' log-densities at a tuple x."""
        total = self.components[0].log_prob(x[0])
        for part, value in zip(self.components[1:], x[1:], strict=True):
            total = total + part.log_prob(value)
        return total

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Any:
        """A tuple with the draws of each component."""
        rng = generator(random_state)
        return tuple(part.sample(shape, random_state=rng) for part in self.components)


def families_of(given: Any, where: str) -> tuple[Family, ...]:
    """The parts of a compound law, each parsed as one side of a pair would be."""
    from kullback.families.dispatch import parsed

    parts = tuple(parsed(x, where) for x in given)
    if not parts:
        msg = f"{where} is empty; expected at least one family."
        raise InvalidDistribution(msg)
    return parts
