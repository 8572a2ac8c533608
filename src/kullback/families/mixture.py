"""Mixtures of components of any kinds, one mixture or a batch of them."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from kullback.errors import InvalidDistribution
from kullback.families.answer import Answer
from kullback.families.base import work
from kullback.families.expectations import At, Feature, Linear, expectation, plus, times
from kullback.families.line import Line, Terms
from kullback.families.namespace import is_concrete, to_host
from kullback.families.parameters import Constraint, family, parameter
from kullback.families.product import families_of

Array = Any
Namespace = Any


@family
class Mixture(Line):
    """Σ weightsₖ·componentₖ: components of any kinds on one space; weights, shape (..., K), sum to 1."""

    weights: Array = parameter(Constraint("finite numbers ≥ 0", lambda x: (x >= 0) & (x < float("inf")), 1))
    components: Any = dataclasses.field()
    _mixes: ClassVar[bool] = True

    def _check_together(self) -> None:
        object.__setattr__(self, "components", families_of(self.components, "Mixture.components"))
        if self.weights.shape[-1] != len(self.components):
            got = tuple(self.weights.shape)
            msg = f"Mixture got weights of shape {got} for {len(self.components)} components; expected one each."
            raise InvalidDistribution(msg)
        if is_concrete(self.weights):
            total = to_host(self.weights.detach() if hasattr(self.weights, "detach") else self.weights).sum(axis=-1)
            bad = ~(np.abs(total - 1.0) <= 1e-6 * len(self.components))
            if bad.any():
                at = tuple(int(i) for i in np.argwhere(bad)[0])
                where = f"Mixture.weights{list(at) if at else ''}"
                msg = f"{where} sum to {float(total[at]):.8g}; expected 1. Divide them by their sum."
                raise InvalidDistribution(msg)
        kinds = {(c.event_shape, getattr(c, "discrete", False)) for c in self.components}
        if len(kinds) > 1:
            msg = "Mixture.components must live on one space, and be all discrete or all continuous."
            raise InvalidDistribution(msg)

    def _parts(self) -> tuple[Any, ...]:
        parts: tuple[Any, ...] = self.components
        return parts

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The broadcast shape of the weights without their last axis, and of the components."""
        shapes = (tuple(self.weights.shape[:-1]), *(c.batch_shape for c in self.components))
        return tuple(np.broadcast_shapes(*shapes))

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
            total = plus(total, times(self.weights[..., k], value, xp=xp), xp=xp)
        return total

    def _standard_variance(self, xp: Namespace) -> Array | None:
        # within and between: two sums of terms ≥ 0
        mean = self._expect(Linear(), xp)
        if mean is None:
            return None
        total: Any = 0.0
        for k, part in enumerate(self.components):
            total = total + self.weights[..., k] * (xp.double(part.variance) + (xp.double(part.mean) - mean) ** 2)
        return total

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        edges = [part._support(xp) for part in self.components if isinstance(part, Line)]
        low, high = edges[0]
        for other_low, other_high in edges[1:]:
            low, high = _least(low, other_low, xp), _greatest(high, other_high, xp)
        return low, high

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        del co
        parts = [part._log_prob(y, xp) for part in self.components if isinstance(part, Line)]
        return _log_mixture(self.weights, parts, xp)

    _log_mass = _log_density

    def _center(self) -> float:
        return float(self.mean)

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        shares = np.cumsum(np.broadcast_to(self.weights, (*size, self.weights.shape[-1])), axis=-1)
        which = np.sum(rng.random(size)[..., None] * shares[..., -1:] >= shares[..., :-1], axis=-1)
        event = self.event_shape
        total = None
        for k, part in enumerate(self.components):
            free = size[: len(size) - len(part.batch_shape)]
            draws = np.broadcast_to(np.asarray(part.sample(free, random_state=rng)), size + event)
            here = (which == k).reshape(size + (1,) * len(event))
            total = np.where(here, draws, 0.0 if total is None else total)
        return total

    def log_prob(self, x: Array, /) -> Array:
        """Natural log of the mixture's density or mass at x."""
        x = x if hasattr(x, "shape") else np.asarray(x, dtype=float)
        xp = work(x, *self._leaves())
        with np.errstate(all="ignore"):
            logs = [xp.double(c.log_prob(x)) for c in self.components]
            value = _log_mixture(xp.double(self.weights), logs, xp)
        return float(value) if isinstance(value, np.floating) else value

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        if not all(isinstance(c, Line) for c in self.components):
            return None
        from kullback.families.routes import line_kl

        return line_kl(self, q, xp) if isinstance(q, Line) else None


def _log_mixture(weights: Array, logs: list[Array], xp: Namespace) -> Array:
    total = None
    for k, log in enumerate(logs):
        term = log + xp.log(weights[..., k])
        total = term if total is None else xp.logaddexp(total, term)
    return total


def _least(x: Array, y: Array, xp: Namespace) -> Array:
    return min(x, y) if isinstance(x, float) and isinstance(y, float) else xp.minimum(xp.double(x), xp.double(y))


def _greatest(x: Array, y: Array, xp: Namespace) -> Array:
    return max(x, y) if isinstance(x, float) and isinstance(y, float) else xp.maximum(xp.double(x), xp.double(y))
