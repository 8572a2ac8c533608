"""Uniform, and the mean of any feature over an interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._special import log_ratio
from kullback.families.edges import refuse_unless
from kullback.families.expectations import (
    Absolute,
    AbsolutePower,
    At,
    Cosine,
    Exp,
    Feature,
    Linear,
    Log,
    Log1m,
    Log1pPower,
    Log1pSquare,
    LogSquare,
    Power,
    Square,
    value_at,
)
from kullback.families.line import Line, Terms
from kullback.families.namespace import is_concrete
from kullback.families.parameters import family, real

Array = Any
Namespace = Any


@family
class Uniform(Line):
    """Density 1/(high − low) between low and high."""

    low: Array = real()
    high: Array = real()

    def _check_together(self) -> None:
        refuse_unless(self.low < self.high, "Uniform", "low", self.low, "high", self.high)

    def _loc_scale(self) -> tuple[Array, Array]:
        return self.low, self.high - self.low

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 0.0, 1.0

    def _support(self, xp: Namespace) -> tuple[Array, Array]:
        return self.low, self.high

    def _terms(self, xp: Namespace) -> Terms:
        return 0.0, []

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        m, rho = None, None
        if isinstance(f, At):
            inner: At = f
            f, m, rho = inner.f, inner.m, inner.rho
        u = xp.double(0.0 if m is None else m)
        width = xp.double(1.0 if rho is None else rho)
        return _mean_over(f, u, u + width, width, xp)

    def _standard_variance(self, xp: Namespace) -> Array:
        return xp.double(1 / 12)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.random(size)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        # log((b₂−a₂)/(b₁−a₁)), the two differences taken edge by edge
        if not isinstance(q, Uniform):
            return None
        width, excess = self.high - self.low, (q.high - self.high) + (self.low - q.low)
        near = xp.abs(excess) < 0.5 * width
        safe = xp.where(near, excess / width, 0.0 * excess)
        far = xp.where(near, width, (q.high - q.low) + 0.0 * width)
        return xp.where(near, xp.log1p(safe), log_ratio(far, width + 0.0 * far, xp=xp))


def _mean_over(f: Feature, u: Array, v: Array, width: Array, xp: Namespace) -> Array | None:
    """Mean of f over [u, v], by its antiderivative."""

    def xlog(x: Array, g: Any) -> Array:
        some = x > 0
        safe = xp.where(some, x, xp.ones_like(x))
        return xp.where(some, safe * g(xp.log(safe)), xp.zeros_like(x))

    antiderivative: Any
    match f:
        case Linear():
            return u + 0.5 * width
        case Square():
            return (u * u + u * v + v * v) / 3.0
        case Log():
            antiderivative = lambda x: xlog(x, lambda log: log - 1.0)  # noqa: E731
        case LogSquare():
            antiderivative = lambda x: xlog(x, lambda log: log * log - 2.0 * log + 2.0)  # noqa: E731
        case Log1m():
            antiderivative = lambda x: -xlog(1.0 - x, lambda log: log - 1.0)  # noqa: E731
        case Power(r):
            r = xp.double(r)
            return _mean_power(r, u, v, width, xp)
        case AbsolutePower(r):
            antiderivative = lambda x: _signed_power(x, r + 1.0, xp) / (r + 1.0)  # noqa: E731
        case Absolute(c):
            # |middle − c|, and where c lies inside what its corner adds
            inside = xp.maximum(xp.minimum(v - c, c - u), 0.0 * (u + c))
            return xp.abs(u + 0.5 * width - c) + inside * inside / width
        case Exp(t):
            s = t * width
            near = xp.abs(s) < 1e-8
            safe = xp.where(near, xp.ones_like(s), s)
            return xp.exp(t * u) * xp.where(near, 1.0 + 0.5 * s, xp.expm1(safe) / safe)
        case Log1pSquare():
            antiderivative = lambda x: x * xp.log1p(x * x) - 2.0 * x + 2.0 * xp.arctan(x)  # noqa: E731
        case Cosine(c):
            middle, half = u + 0.5 * width - c, 0.5 * width
            return xp.cos(middle) * xp.sin(half) / half
        case Log1pPower(r) if isinstance(r, float) and r == 1.0:
            antiderivative = lambda x: (1.0 + x) * xp.log1p(x) - x  # noqa: E731
        case _:
            return None
    # far from f's singularity an antiderivative cancels, and a few nodes are exact
    narrow = width < 0.1 * _clearance(f, u, v, xp)
    whole = (antiderivative(v) - antiderivative(u)) / width
    if is_concrete(narrow) and not bool(narrow.any()):
        return whole
    inner = xp.where(narrow, u + 0.5 * width, 0.5 + 0.0 * u)
    half = xp.where(narrow, 0.5 * width, 0.25 + 0.0 * width)
    mean = sum(0.5 * float(w) * value_at(f, inner + half * float(t), xp=xp) for t, w in zip(*_NODES, strict=True))
    return xp.where(narrow, mean, whole)


_NODES = np.polynomial.legendre.leggauss(12)


def _clearance(f: Feature, u: Array, v: Array, xp: Namespace) -> Array:
    """How far [u, v] is from where f is not smooth: 0, 1, or ±i."""
    match f:
        case Log1m():
            return 1.0 - v
        case Log1pSquare():
            return xp.abs(u) + 1.0
        case Log1pPower(_):
            return 1.0 + u
    return xp.where(u > 0, u, xp.where(v < 0, -v, 0.0 * u))


def _signed_power(x: Array, r: Array, xp: Namespace) -> Array:
    some = x != 0
    size = xp.abs(xp.where(some, x, xp.ones_like(x)))
    return xp.where(some, xp.where(x > 0, xp.ones_like(x), -xp.ones_like(x)) * size**r, 0.0 * x)


def _mean_power(r: Array, u: Array, v: Array, width: Array, xp: Namespace) -> Array:
    """Mean of xʳ over [u, v], 0 ≤ u; ∞ where u = 0 and r ≤ −1."""
    s = r + 1.0
    log_v = xp.log(v)
    log_u = xp.log(xp.where(u > 0, u, v))
    near = xp.abs(s) < 1e-8
    safe = xp.where(near, xp.ones_like(s + v), s + 0.0 * v)
    inside = xp.where(near, (log_v - log_u) / width, (xp.exp(safe * log_v) - xp.exp(safe * log_u)) / (safe * width))
    from_zero = xp.where(s > 0, xp.exp(safe * log_v) / (safe * width), math.inf + 0.0 * (safe * log_v))
    return xp.where(u > 0, inside, from_zero)
