"""Laws made of laws: Independent, Product, Mixture, Affine, and what stands for a foreign law."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np

from kullback.errors import InvalidDistribution, InvalidForm
from kullback.families.answer import EXACT, Answer
from kullback.families.base import (
    Constraint,
    Family,
    family,
    generator,
    parameter,
    positive,
    real,
    work,
)
from kullback.families.expectations import At, Feature
from kullback.families.line import Line, Terms
from kullback.families.multivariate_normal import MultivariateNormal, multivariate_normal_kl
from kullback.families.namespace import to_host
from kullback.families.normal import Normal, made

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
    def batch_shape(self) -> tuple[int, ...]:
        """The batch axes that remain."""
        shape = self.base.batch_shape
        return shape[: len(shape) - self.reinterpreted_batch_ndims]

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The reinterpreted axes, then those of the base."""
        shape = self.base.batch_shape
        return shape[len(shape) - self.reinterpreted_batch_ndims :] + self.base.event_shape

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
            return multivariate_normal_kl(self, q, xp) if self._dense(xp) is not None else None
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
        object.__setattr__(self, "components", _families_of(self.components, "Product.components"))

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


@family
class Mixture(Line):
    """Σ weightsₖ·componentₖ: components of any kinds on one space, without batch axes."""

    weights: Array = parameter(Constraint("finite numbers ≥ 0", lambda x: (x >= 0) & (x < math.inf), 1))
    components: Any = dataclasses.field()
    _mixes: ClassVar[bool] = True

    def _check_together(self) -> None:
        object.__setattr__(self, "components", _families_of(self.components, "Mixture.components"))
        total = float(to_host(self.weights.detach() if hasattr(self.weights, "detach") else self.weights).sum())
        if self.weights.shape != (len(self.components),):
            got = tuple(self.weights.shape)
            msg = f"Mixture got weights of shape {got} for {len(self.components)} components; expected one each."
            raise InvalidDistribution(msg)
        if not abs(total - 1.0) <= 1e-6 * len(self.components):
            msg = f"Mixture.weights sum to {total:.8g}; expected 1. Divide them by their sum."
            raise InvalidDistribution(msg)
        kinds = {(c.event_shape, getattr(c, "discrete", False)) for c in self.components}
        if len(kinds) > 1 or any(c.batch_shape for c in self.components):
            msg = (
                "Mixture.components must live on one space, be all discrete or all continuous, and have no batch axes."
            )
            raise InvalidDistribution(msg)

    def _parts(self) -> tuple[Family, ...]:
        parts: tuple[Family, ...] = self.components
        return parts

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Always ()."""
        return ()

    @property
    def event_shape(self) -> tuple[int, ...]:
        """That of the components."""
        return tuple(self.components[0].event_shape)

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        """Whether the components are mass functions."""
        return bool(getattr(self.components[0], "discrete", False))

    def _terms(self, xp: Namespace) -> Terms | None:
        return None

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        """Expectations mix: E f = Σ wₖ Eₖ f."""
        from kullback.families.expectations import expectation, plus, times

        if not isinstance(f, At):
            f = At(f, None, None)
        total: Any = 0.0
        for k, part in enumerate(self.components):
            if not isinstance(part, Line):
                return None
            loc, scale = part._loc_scale()
            m = f.m
            if loc is not None:
                moved = loc if f.rho is None else f.rho * loc
                m = moved if m is None else m + moved
            rho = f.rho if scale is None else (scale if f.rho is None else f.rho * scale)
            if m is not None and isinstance(m, float) and m == 0:
                m = None
            value = expectation(part, f.f, m, rho, xp=xp)
            if value is None:
                return None
            total = plus(total, times(self.weights[k], value, xp=xp), xp=xp)
        return total

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        edges = [part._support(xp) for part in self.components if isinstance(part, Line)]
        return min(float(low) for low, _ in edges), max(float(high) for _, high in edges)

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        del co
        return _log_mixture(
            self.weights, [part._log_prob(y, xp) for part in self.components if isinstance(part, Line)], xp
        )

    _log_mass = _log_density

    def _center(self) -> float:
        return float(self.mean)

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        which = rng.choice(len(self.components), size=size, p=self.weights / np.sum(self.weights))
        draws = np.stack([np.asarray(c.sample(size, random_state=rng)) for c in self.components])
        index = which[(None, ..., *(None for _ in self.event_shape))]
        return np.take_along_axis(draws, index, axis=0)[0]

    def log_prob(self, x: Array, /) -> Array:
        """Natural log of the mixture's density or mass at x."""
        x = x if hasattr(x, "shape") else np.asarray(x, dtype=float)
        xp = work(x, *self._leaves())
        with np.errstate(all="ignore"):
            return _log_mixture(xp.double(self.weights), [xp.double(c.log_prob(x)) for c in self.components], xp)

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        if not all(isinstance(c, Line) for c in self.components):
            return None
        from kullback.families.dispatch import line_kl

        return line_kl(self, q, xp) if isinstance(q, Line) else None


def _log_mixture(weights: Array, logs: list[Array], xp: Namespace) -> Array:
    total = None
    for k, log in enumerate(logs):
        term = log + xp.log(weights[k])
        total = term if total is None else xp.logaddexp(total, term)
    return total


def _families_of(given: Any, where: str) -> tuple[Family, ...]:
    from kullback.families.dispatch import parsed

    parts = tuple(parsed(x, where) for x in given)
    if not parts:
        msg = f"{where} is empty; expected at least one family."
        raise InvalidDistribution(msg)
    return parts


@family
class Affine(Line):
    """loc + scale·x for x of any family on the line."""

    base: Line = dataclasses.field()
    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _parts(self) -> tuple[Family, ...]:
        return (self.base,)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The broadcast shape of base, loc and scale."""
        from kullback.families.base import shape_of

        return tuple(np.broadcast_shapes(self.base.batch_shape, shape_of(self.loc), shape_of(self.scale)))

    @property
    def _positive(self) -> bool:  # type: ignore[override]
        return self.base._positive

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        """As the base."""
        return self.base.discrete

    def _loc_scale(self) -> tuple[Array, Array]:
        loc, scale = self.base._loc_scale()
        moved = self.loc if loc is None else self.loc + self.scale * loc
        return moved, self.scale if scale is None else self.scale * scale

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return self.base._standard_support(xp)

    def _support(self, xp: Namespace) -> tuple[Array, Array]:
        low, high = self.base._support(xp)
        return self.loc + self.scale * low, self.loc + self.scale * high

    def _terms(self, xp: Namespace) -> Terms | None:
        return self.base._terms(xp)

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        return self.base._expect(f, xp)

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        return self.base._log_density(y, xp, co)

    def _log_mass(self, x: Array, xp: Namespace) -> Array:
        return self.base._log_mass(x - self.loc, xp)  # type: ignore[attr-defined]

    def _center(self) -> float:
        return float(self.mean)

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return self.base._standard_entropy(xp)

    def _standard_variance(self, xp: Namespace) -> Array | None:
        return self.base._standard_variance(xp)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return self.base._draw(rng, size)

    def _mapped(self, q: Any, xp: Namespace) -> tuple[Line, Line] | None:
        from kullback.families.symmetric import equal

        if type(q) is Affine and equal(self.loc, q.loc) and equal(self.scale, q.scale):
            return self.base, q.base
        return None
