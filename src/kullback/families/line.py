"""Families on the line: x = loc + scale·y, with log-density, mean, variance and support from what y is."""

from __future__ import annotations

import functools
import importlib
import math
from abc import abstractmethod
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from kullback.families.base import Family, generator, sample_shape, work
from kullback.families.expectations import Feature, Linear, Log, Square, expectation, of_standard, plus, times, value_at

Array = Any
Namespace = Any
# log q(y) = constant + Σ weight·feature(y)
Terms = tuple[Array, list[tuple[Array, Feature]]]


class Line(Family):
    """A density on the line, or a mass function on the whole numbers."""

    __slots__ = ()
    discrete: ClassVar[bool] = False
    # whether y > 0, so that powers of y have a meaning
    _positive: ClassVar[bool] = False
    # whether masses fall as a power of x, too slowly for a sum
    _power_tail: ClassVar[bool] = False
    # whether the parts are components, one of which is drawn
    _mixes: ClassVar[bool] = False

    @abstractmethod
    def _terms(self, xp: Namespace) -> Terms | None:
        """log-density of y on its support, as a sum of features; None where it is no such sum."""

    @abstractmethod
    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        """E f(y), or None where no closed form is known."""

    @abstractmethod
    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        """Draws of y; `self` has NumPy parameters."""

    def _loc_scale(self) -> tuple[Array | None, Array | None]:
        """(loc, scale) with x = loc + scale·y; None stands for the 0 and the 1 of a family without."""
        return None, None

    def _loc(self) -> Array | None:
        """Loc alone, for whom a scale is work to make."""
        return self._loc_scale()[0]

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        """The interval that carries y."""
        return (0.0, math.inf) if self._positive else (-math.inf, math.inf)

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        """log-density of y inside its support; `co` is 1 − y where that is known better than y."""
        terms = self._terms(xp)
        assert terms is not None
        constant, parts = terms
        total = constant
        for weight, f in parts:
            total = plus(total, times(weight, value_at(f, y, xp=xp, co=co), xp=xp), xp=xp)
        return total

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        """H(y), by what p expects of its own features."""
        terms = self._terms(xp)
        return None if terms is None else mean_of_terms(self, terms, None, None, xp=xp, sign=-1.0)

    def _standard_variance(self, xp: Namespace) -> Array | None:
        """Var y, where it has a form that does not cancel."""
        del xp
        return None

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        """KL from a member of a related family by a form in which nothing cancels, or None."""
        del q, xp
        return None

    def _mapped(self, q: Any, xp: Namespace) -> tuple[Line, Line] | None:
        """The two laws after a one-to-one map that carries the pair to one with a stable form, or None."""
        del q, xp
        return None

    def _kl(self, q: Any, xp: Namespace) -> Any:
        return _routes().line_kl(self, q, xp)

    def _entropy(self, xp: Namespace) -> Array | None:
        value = self._standard_entropy(xp)
        _, scale = self._loc_scale()
        return value if value is None or scale is None else value + xp.log(xp.double(scale))

    def _cross_entropy(self, q: Any, xp: Namespace) -> Array | None:
        value: Array | None = _routes().line_cross_entropy(self, q, xp)
        return value

    @property
    def support(self) -> tuple[Array, Array]:
        """(low, high): all the mass lies between."""
        xp = work(*self._leaves())
        low, high = self._lifted(xp)._support(xp)
        return _plain(low), _plain(high)

    def _support(self, xp: Namespace) -> tuple[Array, Array]:
        low, high = self._standard_support(xp)
        if not (_is_cone(low) and _is_cone(high)):
            scale = self._loc_scale()[1]
            if scale is not None:
                low, high = _scaled(low, scale), _scaled(high, scale)
        elif low != 0.0 and high != 0.0:
            return low, high
        loc = self._loc()
        return (low, high) if loc is None else (_moved(low, loc), _moved(high, loc))

    @property
    def mean(self) -> Array:
        """E x; ∞ or NaN where it does not exist."""
        return self._moment(1)

    @property
    def variance(self) -> Array:
        """Var x; ∞ or NaN where it does not exist."""
        return self._moment(2)

    def _moment(self, order: int) -> Array:
        xp = work(*self._leaves())
        p = self._lifted(xp)
        loc, scale = p._loc_scale()
        with np.errstate(all="ignore"):
            first = of_standard(p, Linear(), xp=xp)
            if first is None:
                return _plain(_by_quadrature(self, order))
            if order == 1:
                value = first if scale is None else scale * first
                return _plain(xp.broadcast_to(xp.double(value if loc is None else loc + value), self.batch_shape))
            value = p._standard_variance(xp)
            if value is None:
                second = of_standard(p, Square(), xp=xp)
                if second is None:
                    return _plain(_by_quadrature(self, order))
                second = xp.double(second)
                value = xp.where(second == math.inf, second, second - first * first)
            value = value if scale is None else scale * scale * value
            return _plain(xp.broadcast_to(xp.double(value), self.batch_shape))

    def log_prob(self, x: Array, /) -> Array:
        """Natural log of the density or mass at x; −∞ outside the support."""
        x = x if hasattr(x, "shape") else np.asarray(x, dtype=float)
        xp = work(x, *self._leaves())
        with np.errstate(all="ignore"):
            return _plain(self._lifted(xp)._log_prob(xp.double(x), xp))

    def _log_prob(self, x: Array, xp: Namespace) -> Array:
        loc, scale = self._loc_scale()
        low, high = self._support(xp)
        inside = (x >= low) & (x <= high)
        if self.discrete:
            inside = inside & (xp.floor(x) == x)
        y = x if loc is None else x - loc
        y = y if scale is None else y / scale
        # outside its support a formula may have no value; give it one and take it away again
        safe = xp.where(inside, y, xp.zeros_like(y) + self._inner_point(xp))
        value = self._log_density(safe, xp)
        value = value if scale is None else value - xp.log(scale)
        return xp.where(inside, value, xp.double(-math.inf))

    def _inner_point(self, xp: Namespace) -> Array:
        low, high = self._standard_support(xp)
        low, high = xp.double(low), xp.double(high)
        zero = 0.0 * (xp.where(xp.abs(low) < math.inf, low, 0.0 * xp.ones_like(low)) + xp.ones_like(high))
        below, above = xp.where(low == -math.inf, zero, low + zero), xp.where(high == math.inf, zero, high + zero)
        inner = xp.where(high == math.inf, xp.where(low == -math.inf, zero, below + 1.0), 0.5 * (below + above))
        return xp.where((low == -math.inf) & (high < math.inf), above - 1.0, inner)

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Draws of shape `shape` + batch shape, as NumPy makes them from `random_state` (a seed or a generator)."""
        from kullback.families.namespace import to_host

        p = self._with(to_host)
        size = sample_shape(shape) + self.batch_shape
        y = p._draw(generator(random_state), size)
        loc, scale = p._loc_scale()
        y = y if scale is None else scale * y
        y = y if loc is None else loc + y
        xp = work(*self._leaves())
        return y if xp.name in ("scalar", "numpy") else xp.double(np.array(y))


def mean_of_terms(
    p: Line, terms: Terms, m: Array | None, rho: Array | None, *, xp: Namespace, sign: float = 1.0
) -> Array | None:
    """sign·(c + Σ w E f(m + ρy)) for y standard under p; None where p does not know one of the features."""
    sized = sized_mean(p, terms, m, rho, xp=xp)
    return None if sized is None else sign * sized[0]


def sized_mean(
    p: Line, terms: Terms, m: Array | None, rho: Array | None, *, xp: Namespace
) -> tuple[Array, Array] | None:
    """(c + Σ w E f(m + ρy), the largest size among its terms), or None."""
    constant, parts = terms
    total, size = constant, xp.abs(xp.double(constant))
    for weight, f in parts:
        value = expectation(p, f, m, rho, xp=xp)
        if value is None:
            return None
        term = times(weight, value, xp=xp)
        total, size = plus(total, term, xp=xp), xp.maximum(size, xp.abs(term))
    return total, size


def log_term(weight: Array) -> list[tuple[Array, Feature]]:
    """weight·log y, left out where the weight is the number 0."""
    return [] if isinstance(weight, (int, float)) and weight == 0 else [(weight, Log())]


def _is_cone(edge: Array) -> bool:
    """Whether no scale moves an edge: 0, ∞, −∞."""
    return isinstance(edge, float) and (edge == 0.0 or math.isinf(edge))


def _scaled(edge: Array, scale: Array) -> Array:
    return edge if _is_cone(edge) else scale * edge


def _moved(edge: Array, loc: Array) -> Array:
    return edge if isinstance(edge, float) and math.isinf(edge) else loc + edge


def _plain(x: Array) -> Array:
    """A Python number for a NumPy scalar."""
    return float(x) if isinstance(x, (float, np.ndarray)) and getattr(x, "ndim", 0) == 0 else x


@functools.cache
def _routes() -> ModuleType:
    """The routes between two laws, which know what a Line is."""
    return importlib.import_module("kullback.families.routes")


def _by_quadrature(p: Line, order: int) -> Array:
    from kullback.families.quadrature import moment

    return moment(p, order)
