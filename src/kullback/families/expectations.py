"""The features that log-densities are made of, and what p expects of each: the engine of every cross pair.

log q(z) = c + Σ wᵢ fᵢ(z) for few kinds of f, and z = m + ρ·y is q's standard variable written in p's, so that
E_p[log q] = c + Σ wᵢ E fᵢ(m + ρ·y). Scales enter through m and ρ alone: nothing overflows that the answer does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

Array = Any
Namespace = Any
Shift = Any  # an array, or None for a shift known to be 0
Ratio = Any  # an array, or None for a ratio known to be 1


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """A function of one variable."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear(Feature):
    """y."""


@dataclass(frozen=True, slots=True, eq=False)
class Square(Feature):
    """y²."""


@dataclass(frozen=True, slots=True, eq=False)
class Power(Feature):
    """yʳ, y > 0."""

    r: Array


@dataclass(frozen=True, slots=True, eq=False)
class Log(Feature):
    """log y."""


@dataclass(frozen=True, slots=True, eq=False)
class LogSquare(Feature):
    """(log y)²."""


@dataclass(frozen=True, slots=True, eq=False)
class Log1m(Feature):
    """log(1 − y), 0 < y < 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Log1mPower(Feature):
    """log(1 − yʳ), 0 < y < 1."""

    r: Array


@dataclass(frozen=True, slots=True, eq=False)
class LogitSquare(Feature):
    """(log y − log(1−y))², 0 < y < 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Exp(Feature):
    """e^{ty}."""

    t: Array


@dataclass(frozen=True, slots=True, eq=False)
class Absolute(Feature):
    """|y − c|."""

    c: Array


@dataclass(frozen=True, slots=True, eq=False)
class AbsolutePower(Feature):
    """|y|ʳ."""

    r: Array


@dataclass(frozen=True, slots=True, eq=False)
class Softplus(Feature):
    """log(1 + e^{s·y}), s = ±1."""

    sign: float


@dataclass(frozen=True, slots=True, eq=False)
class Log1pSquare(Feature):
    """log(1 + y²)."""


@dataclass(frozen=True, slots=True, eq=False)
class Log1pPower(Feature):
    """log(1 + yʳ), y > 0."""

    r: Array


@dataclass(frozen=True, slots=True, eq=False)
class Cosine(Feature):
    """cos(y − c)."""

    c: Array


@dataclass(frozen=True, slots=True, eq=False)
class LogGamma(Feature):
    """lnΓ(y + a)."""

    a: Array


@dataclass(frozen=True, slots=True, eq=False)
class LogMean(Feature):
    """Asks for log E f(y) of a power or an exponential, whose mean may leave the range of floats before its weight
    brings it back.
    """

    f: Feature


@dataclass(frozen=True, slots=True, eq=False)
class At(Feature):
    """f(m + ρy): a feature that has no rule of its own for a change of origin and scale."""

    f: Feature
    m: Shift
    rho: Ratio


def power(r: Any) -> Feature:
    """yʳ, as the simplest feature that it is."""
    if isinstance(r, (int, float)) and r == 1:
        return Linear()
    if isinstance(r, (int, float)) and r == 2:
        return Square()
    return Power(r)


def value_at(f: Feature, y: Array, *, xp: Namespace, co: Array | None = None) -> Array:
    """f(y); `co` is 1 − y, for those who know it better than y."""
    log_y = xp.log if co is None else (lambda x: xp.where(co < 0.5, xp.log1p(-co), xp.log(x)))
    match f:
        case Linear():
            return y
        case Square():
            return y * y
        case Power(r):
            return xp.exp(r * log_y(y))
        case Log():
            return log_y(y)
        case LogSquare():
            return log_y(y) ** 2
        case Log1m():
            return xp.log1p(-y) if co is None else xp.log(co)
        case Log1mPower(r):
            return xp.log(-xp.expm1(r * log_y(y)))
        case LogitSquare():
            return (log_y(y) - (xp.log1p(-y) if co is None else xp.log(co))) ** 2
        case Exp(t):
            return xp.exp(t * y)
        case Absolute(c):
            return xp.abs(y - c)
        case AbsolutePower(r):
            return xp.abs(y) ** r
        case Softplus(sign):
            return xp.logaddexp(0.0 * y, sign * y)
        case Log1pSquare():
            big = xp.abs(y) > 1e100
            inner = xp.where(big, xp.ones_like(y), y)
            return xp.where(big, 2 * xp.log(xp.abs(xp.where(big, y, xp.ones_like(y)))), xp.log1p(inner * inner))
        case Log1pPower(r):
            return xp.logaddexp(0.0 * y, r * xp.log(y))
        case Cosine(c):
            return xp.cos(y - c)
        case LogGamma(a):
            return xp.gammaln(y + a)
        case At(g, m, rho):
            y = y if rho is None else rho * y
            return value_at(g, y if m is None else m + y, xp=xp)
    msg = f"no value for {f}"
    raise AssertionError(msg)


def expectation(p: Any, f: Feature, m: Shift, rho: Ratio, *, xp: Namespace) -> Array | None:
    """E f(m + ρ·y) for y standard under p, or None where no closed form is known."""
    if isinstance(f, At):
        inner: At = f
        moved = None if m is None else _product(inner.rho, m)
        f, m, rho = inner.f, _sum(inner.m, moved), _product(inner.rho, rho)
    if m is None and rho is None:
        return of_standard(p, f, xp=xp)
    own = p._expect(At(f, m, rho), xp)
    if own is not None:
        return own
    if isinstance(f, (Exp, Power, AbsolutePower)):
        return _multiplied(p, f, m, rho, xp)
    moved = _moved(f, m, rho, xp)
    if moved is None:
        return None
    total = 0.0
    for weight, feature in moved:
        value = 1.0 if feature is None else of_standard(p, feature, xp=xp)
        if value is None:
            return None
        total = plus(total, times(weight, value, xp=xp), xp=xp)
    return total


def _product(x: Any, y: Any) -> Any:
    if x is None or y is None:
        return y if x is None else x
    return x * y


def _sum(x: Any, y: Any) -> Any:
    if x is None or y is None:
        return y if x is None else x
    return x + y


def of_standard(p: Any, f: Feature, *, xp: Namespace) -> Array | None:
    """E f(y): p's own answer, or by the feature that f is a special case of."""
    value = p._expect(f, xp)
    if value is not None:
        return value
    if p._positive:
        match f:
            case Linear():
                return of_standard(p, Power(1.0), xp=xp)
            case Square():
                return of_standard(p, Power(2.0), xp=xp)
            case AbsolutePower(r):
                return of_standard(p, Power(r), xp=xp)
    log = p._expect(LogMean(f), xp) if isinstance(f, (Exp, Power, AbsolutePower)) else None
    return None if log is None else xp.exp(log)


def _multiplied(p: Any, f: Feature, m: Shift, rho: Ratio, xp: Namespace) -> Array | None:
    """E f(m + ρy) = weight·E g(y) for a power or an exponential; weight and mean are joined by their logarithms."""
    log_weight: Any
    match f:
        case Exp(t):
            log_weight, f = 0.0 if m is None else t * m, Exp(t if rho is None else t * rho)
        case Power(r) | AbsolutePower(r):
            if m is not None:
                return None
            log_weight = r * xp.log(xp.double(rho))
    plain = Power(f.r) if p._positive and isinstance(f, AbsolutePower) else f
    log = p._expect(LogMean(plain), xp)
    if log is not None:
        return xp.exp(plus(log, log_weight, xp=xp))
    value = of_standard(p, f, xp=xp)
    if value is None:
        return None
    value = xp.double(value)
    # a weight that underflows is not 0: what is infinite stays so
    return xp.where(value == math.inf, value, xp.exp(xp.double(log_weight)) * value)


def _moved(f: Feature, m: Shift, rho: Ratio, xp: Namespace) -> list[tuple[Array, Feature | None]] | None:
    """f(m + ρy) = Σ wᵢ gᵢ(y), None standing for 1; or None where f has no such rule."""
    rho = 1.0 if rho is None else rho
    match f:
        case Linear():
            return [(rho, Linear())] if m is None else [(m, None), (rho, Linear())]
        case Square():
            if m is None:
                return [(rho * rho, Square())]
            return [(m * m, None), (rho * rho, Square()), (2 * m * rho, Linear())]
        case Absolute(c):
            return [(rho, Absolute((c if m is None else c - m) / rho))]
    if m is not None:
        return None
    match f:
        case Log():
            return [(xp.log(rho), None), (1.0, Log())]
        case LogSquare():
            log = xp.log(rho)
            return [(log * log, None), (2 * log, Log()), (1.0, LogSquare())]
    return None


def times(weight: Array, value: Array, *, xp: Namespace) -> Array:
    """weight·value with 0·∞ = 0: a term that q does not have, or that p never meets, costs nothing."""
    if xp.name == "scalar":
        return 0.0 if weight == 0 or value == 0 else weight * value
    weight, value = xp.double(weight), xp.double(value)
    none = ((weight == 0) & (xp.abs(value) == math.inf)) | ((value == 0) & (xp.abs(weight) == math.inf))
    zero = xp.zeros_like(weight)
    return xp.where(none, zero, xp.where(none, zero, weight) * value)


def plus(x: Array, y: Array, *, xp: Namespace) -> Array:
    """X + y, where an infinite side wins over a side that does not exist (NaN)."""
    if xp.name == "scalar":
        return x if abs(x) == math.inf else y if abs(y) == math.inf else x + y
    x, y = xp.double(x), xp.double(y)
    return xp.where(xp.abs(x) == math.inf, x, xp.where(xp.abs(y) == math.inf, y, x + y))
