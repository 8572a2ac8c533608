"""A distribution that nobody here knows: its log-density, its support and its draws are enough for quadrature."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np

from kullback.errors import InvalidForm, NoClosedForm
from kullback.families.base import Family
from kullback.families.expectations import Feature
from kullback.families.line import Line, Terms
from kullback.families.parameters import family

Array = Any
Namespace = Any


@family
class Foreign(Line):
    """A law on the line known by its functions alone."""

    wrapped: Any = dataclasses.field()
    log_density: Any = dataclasses.field()
    draw: Any = dataclasses.field()
    edges: Any = dataclasses.field()
    whole: bool = False
    shape: tuple[int, ...] = ()
    index: Any = None
    _comparable: ClassVar[bool] = False

    def __repr__(self) -> str:
        return f"Foreign({self.wrapped!r})"

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The batch shape of what is wrapped."""
        return self.shape if self.index is None else ()

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        """Whether it has masses."""
        return self.whole

    def _pick(self, shape: tuple[int, ...], at: tuple[int, ...]) -> Any:
        """The member at `at` of the batch broadcast to `shape`."""
        own = tuple(
            np.broadcast_to(np.arange(n).reshape(-1, *(1,) * (len(self.shape) - 1 - i)), shape)[at]
            for i, n in enumerate(self.shape)
        )
        return dataclasses.replace(self, index=tuple(int(i) for i in own))

    def _along(self, k: int | slice, skip: int = 0) -> Any:
        if len(self.shape) != 1 or skip or isinstance(k, slice):
            msg = f"a batch of mixtures of {self.wrapped!r}, which is not known here, cannot be taken apart."
            raise NoClosedForm(msg)
        return dataclasses.replace(self, index=(k,))

    def _terms(self, xp: Namespace) -> Terms | None:
        return None

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        return None

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        low, high = (np.asarray(edge, dtype=float) for edge in self.edges)
        if self.index is not None:
            low, high = (np.broadcast_to(edge, self.shape)[self.index] for edge in (low, high))
        return (float(low), float(high)) if low.ndim == 0 and high.ndim == 0 else (low, high)

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        del co
        y = np.asarray(y, dtype=float)
        if not self.shape:
            return np.asarray(self.log_density(y), dtype=float)
        spread = y.reshape(y.shape + (1,) * len(self.shape))
        values = np.asarray(self.log_density(np.broadcast_to(spread, y.shape + self.shape)), dtype=float)
        return values if self.index is None else values[(..., *self.index)]

    def _log_prob(self, x: Array, xp: Namespace) -> Array:
        low, high = self._support(xp)
        inside = (x >= low) & (x <= high)
        return np.where(inside, self._log_density(np.where(inside, x, self._inner_point(xp)), xp), -math.inf)

    def _log_mass(self, x: Array, xp: Namespace) -> Array:
        return self._log_prob(x, xp)

    def _center(self) -> float:
        return float(np.median(self._draw(np.random.default_rng(0), (257,))))

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        values = np.asarray(
            self.draw(rng, size if self.index is not None or not self.shape else size[: len(size) - len(self.shape)]),
            dtype=float,
        )
        return values if self.index is None else values[(..., *self.index)]


def adapted(x: Any) -> Family:
    """Anything with logpdf, logpmf or log_prob, support and a way to draw."""
    log_density = next(getattr(x, f) for f in ("logpdf", "logpmf", "log_prob") if hasattr(x, f))
    support = getattr(x, "support", None)
    edges = support() if callable(support) else support
    if not (isinstance(edges, (tuple, list)) and len(edges) == 2):
        msg = f"{type(x).__name__} has a log-density but no support that is a pair (low, high); expected both."
        raise InvalidForm(msg)

    def draw(rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        if hasattr(x, "rvs"):
            return x.rvs(size=size, random_state=rng)
        if hasattr(x, "sample"):
            return x.sample(size)
        # no draws: spread points over the support
        low, high = (float(np.clip(e, -1e3, 1e3)) for e in edges)
        return rng.uniform(low, high, size)

    return Foreign(x, log_density, draw, edges, whole=hasattr(x, "logpmf") and not hasattr(x, "logpdf"))
