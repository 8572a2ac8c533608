"""Families on an interval: Uniform, Beta, Kumaraswamy, LogitNormal, TruncatedNormal."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kullback._special import GAMMA_SHIFT, gamma_step, log_ratio, relative_term
from kullback.errors import InvalidDistribution
from kullback.families.base import extended, family, positive, real
from kullback.families.dirichlet_form import dirichlet_kl
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
    Log1mPower,
    Log1pPower,
    Log1pSquare,
    LogitSquare,
    LogMean,
    LogSquare,
    Power,
    Square,
    value_at,
)
from kullback.families.gamma import Exponential
from kullback.families.line import Line, Terms, log_term
from kullback.families.namespace import is_concrete
from kullback.families.normal import HALF_LOG_2PI, Normal, made
from kullback.families.stacy import stirling_error
from kullback.families.symmetric import equal

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


@family
class Beta(Line):
    """Density ∝ x^{concentration1−1} (1−x)^{concentration0−1} on (0, 1)."""

    concentration1: Array = positive()
    concentration0: Array = positive()
    _positive: ClassVar[bool] = True

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 0.0, 1.0

    def _terms(self, xp: Namespace) -> Terms:
        a, b = self.concentration1, self.concentration0
        return -log_beta(a, b, xp=xp), [*log_term(a - 1.0), (b - 1.0, Log1m())]

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        # Stirling for all three lnΓ leaves a·log(a/(ny)) + b·log(b/(n(1−y))), two deviances ≥ 0, n = a + b:
        # the peak of large parameters keeps its digits
        co = 1.0 - y if co is None else co
        a, b = (x + 0.0 * y for x in (self.concentration1, self.concentration0))
        peaked = (a > GAMMA_SHIFT) & (b > GAMMA_SHIFT) & (y > 0) & (co > 0)
        half = 0.5 + 0.0 * y
        u, v = xp.where(peaked, y, half), xp.where(peaked, co, half)
        c, d = (xp.where(peaked, x, 2.0 * GAMMA_SHIFT + 0.0 * x) for x in (a, b))
        n = c + d
        deviance = relative_term(c, n * u, xp=xp) + relative_term(d, n * v, xp=xp)
        series = stirling_error(n, xp=xp) - stirling_error(c, xp=xp) - stirling_error(d, xp=xp)
        near = series - deviance + 0.5 * (xp.log(c) + xp.log(d) - xp.log(n)) - xp.log(u) - xp.log(v) - HALF_LOG_2PI
        return xp.where(peaked, near, Line._log_density(self, y, xp, co))

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        a, b = self.concentration1, self.concentration0
        total = a + b
        match f:
            case Linear():
                return a / total
            case Square():
                return a / total * (a + 1.0) / (total + 1.0)
            case LogMean(Power(r)):
                r = xp.double(r)
                exists = a + r > 0
                t = xp.where(exists, r, 0.0 * (a + r))
                logs = gamma_step(a, t, xp=xp) - gamma_step(total, t, xp=xp)
                return xp.where(exists, logs, math.inf + 0.0 * logs)
            case Log():
                return xp.digamma(a) - xp.digamma(total)
            case Log1m():
                return xp.digamma(b) - xp.digamma(total)
            case LogSquare():
                return xp.polygamma(1, a) - xp.polygamma(1, total) + (xp.digamma(a) - xp.digamma(total)) ** 2
            case LogitSquare():
                return xp.polygamma(1, a) + xp.polygamma(1, b) + (xp.digamma(a) - xp.digamma(b)) ** 2
            case Absolute(c):
                c = xp.double(c)
                inside = (c > 0) & (c < 1)
                m = xp.where(inside, c, 0.5 + 0.0 * c)
                mean = a / total
                below, partial = xp.betainc(a, b, m + 0.0 * mean), mean * xp.betainc(a + 1.0, b, m + 0.0 * mean)
                return xp.where(inside, mean - m + 2.0 * (m * below - partial), xp.abs(mean - c))
            case Exp(t):
                return xp.host(_laplace_transform, a, total, t)
        return None

    def _standard_entropy(self, xp: Namespace) -> Array:
        # KL from the uniform law with its sign turned: exact near it, and no 1e6·log cancels for large parameters
        a, b = self.concentration1, self.concentration0
        one = 1.0 + 0.0 * (a + b)
        return -dirichlet_kl([a * one, b * one], [one, one], xp=xp)

    def _standard_variance(self, xp: Namespace) -> Array:
        a, b = self.concentration1, self.concentration0
        return a / (a + b) * (b / (a + b)) / (a + b + 1.0)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.beta(np.broadcast_to(self.concentration1, size), np.broadcast_to(self.concentration0, size))

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        if not isinstance(q, Beta):
            return None
        one = 1.0 + 0.0 * (self.concentration1 + self.concentration0 + q.concentration1 + q.concentration0)
        ours = [self.concentration1 * one, self.concentration0 * one]
        return dirichlet_kl(ours, [q.concentration1 * one, q.concentration0 * one], xp=xp)


@family
class Kumaraswamy(Line):
    """x^concentration1 is Beta(1, concentration0)."""

    concentration1: Array = positive()
    concentration0: Array = positive()
    _positive: ClassVar[bool] = True

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 0.0, 1.0

    def _terms(self, xp: Namespace) -> Terms:
        a, b = self.concentration1, self.concentration0
        return xp.log(a) + xp.log(b), [(a - 1.0, Log()), (b - 1.0, Log1mPower(a))]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        a, b = self.concentration1, self.concentration0
        match f:
            case LogMean(Power(r)):
                return _kumaraswamy_log_moment(a, b, r, xp)
            case Log():
                return -(np.euler_gamma + xp.digamma(b + 1.0)) / a
            case LogSquare():
                mean = np.euler_gamma + xp.digamma(b + 1.0)
                return (math.pi**2 / 6 - xp.polygamma(1, b + 1.0) + mean * mean) / (a * a)
            case Log1mPower(r) if r is a:
                return -1.0 / b
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return (-np.expm1(-rng.standard_exponential(size) / self.concentration0)) ** (1.0 / self.concentration1)

    def _mapped(self, q: Any, xp: Namespace) -> tuple[Line, Line] | None:
        # −log(1 − x^a) is exponential
        if not isinstance(q, Kumaraswamy) or not equal(self.concentration1, q.concentration1):
            return None
        return made(Exponential, rate=self.concentration0), made(Exponential, rate=q.concentration0)


@family
class LogitNormal(Line):
    """log(x/(1−x)) is Normal(loc, scale)."""

    loc: Array = real()
    scale: Array = positive()
    _positive: ClassVar[bool] = True

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 0.0, 1.0

    def _terms(self, xp: Namespace) -> Terms:
        variance = self.scale * self.scale
        constant = -HALF_LOG_2PI - xp.log(self.scale) - 0.5 * self.loc * self.loc / variance
        slope = self.loc / variance
        return constant, [(slope - 1.0, Log()), (-slope - 1.0, Log1m()), (-0.5 / variance, LogitSquare())]

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        # the square is not multiplied out: a narrow law keeps its digits
        co = 1.0 - y if co is None else co
        logs = xp.log(y), xp.where(y < 0.5, xp.log1p(-y), xp.log(co))
        z = (logs[0] - logs[1] - self.loc) / self.scale
        return -0.5 * z * z - HALF_LOG_2PI - xp.log(self.scale) - logs[0] - logs[1]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case LogitSquare():
                return self.scale * self.scale + self.loc * self.loc
        return None

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return 1.0 / (1.0 + np.exp(-(self.loc + self.scale * rng.standard_normal(size))))

    def _mapped(self, q: Any, xp: Namespace) -> tuple[Line, Line] | None:
        if not isinstance(q, LogitNormal):
            return None
        return made(Normal, mean=self.loc, std=self.scale), made(Normal, mean=q.loc, std=q.scale)


@family
class TruncatedNormal(Line):
    """loc + scale·y, y standard normal kept between lower and upper (in standard units: SciPy's a and b)."""

    lower: Array = extended()
    upper: Array = extended()
    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _check_together(self) -> None:
        refuse_unless(self.lower < self.upper, "TruncatedNormal", "lower", self.lower, "upper", self.upper)

    def _loc_scale(self) -> tuple[Array, Array]:
        return self.loc, self.scale

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return self.lower, self.upper

    def _support(self, xp: Namespace) -> tuple[Array, Array]:
        return self.loc + self.scale * self.lower, self.loc + self.scale * self.upper

    def _terms(self, xp: Namespace) -> Terms:
        return -HALF_LOG_2PI - log_normal_mass(self.lower, self.upper, xp), [(-0.5, Square())]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        a, b = self.lower, self.upper
        log_mass = log_normal_mass(a, b, xp)
        at_a, at_b = (xp.exp(-0.5 * edge * edge - HALF_LOG_2PI - log_mass) for edge in (a, b))
        match f:
            case Linear():
                return at_a - at_b
            case Square():
                return 1.0 + _edge_term(a, at_a, xp) - _edge_term(b, at_b, xp)
            case LogMean(Exp(t)):
                return 0.5 * t * t + log_normal_mass(a - t, b - t, xp) - log_mass
            case Absolute(c):
                inside = (c > a) & (c < b)
                m = xp.double(c)
                at_m = xp.exp(-0.5 * m * m - HALF_LOG_2PI - log_mass)
                below = xp.exp(log_normal_mass(a, xp.where(inside, m, b), xp) - log_mass)
                value = (at_a - at_b) - m + 2.0 * (m * below - (at_a - at_m))
                return xp.where(inside, value, xp.abs(at_a - at_b - m))
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        from scipy.stats import truncnorm

        return truncnorm.ppf(rng.random(size), self.lower, self.upper)


def log_beta(a: Array, b: Array, *, xp: Namespace) -> Array:
    """lnΓ(a) + lnΓ(b) − lnΓ(a+b), the larger of the two taken together with the sum."""
    zero = 0.0 * (a + b)
    small, large = xp.minimum(a + zero, b + zero), xp.maximum(a + zero, b + zero)
    return xp.gammaln(small) - gamma_step(large, small, xp=xp)


def refuse_unless(good: Any, name: str, first: str, x: Any, second: str, y: Any) -> None:
    """Refuse two edges in the wrong order, by the first bad index."""
    from kullback.families.namespace import is_concrete

    if isinstance(good, (bool, np.bool_)):
        if not good:
            msg = f"{name} got {first} = {x} and {second} = {y}; expected {first} < {second}."
            raise InvalidDistribution(msg)
        return
    if not is_concrete(good) or bool(good.all()):
        return
    at = tuple(int(i) for i in np.argwhere(~np.asarray(good))[0])
    x, y = (np.broadcast_to(np.asarray(v.detach() if hasattr(v, "detach") else v), good.shape)[at] for v in (x, y))
    msg = f"{name} got {first} = {x} and {second} = {y} at {list(at)}; expected {first} < {second}."
    raise InvalidDistribution(msg)


def log_normal_mass(a: Array, b: Array, xp: Namespace) -> Array:
    """log(Φ(b) − Φ(a)), on the side of the tail where neither is near 1."""
    flip = a > 0
    a, b = xp.where(flip, -b, a), xp.where(flip, -a, b)
    straddles = (a < 0) & (b > 0)
    low, high = xp.log_ndtr(a), xp.log_ndtr(xp.where(straddles, xp.zeros_like(b), b))
    one_side = high + xp.log(-xp.expm1(xp.where(straddles, -1.0 + 0.0 * low, low - high)))
    outside = xp.exp(xp.log_ndtr(a)) + xp.exp(xp.log_ndtr(-b))
    wide = xp.where(straddles, xp.log1p(-xp.where(straddles, outside, 0.0 * outside)), one_side)
    # a narrow interval: its width times the mean density, e^{−m²/2} taken out
    narrow = b - a < 0.1
    m, h = xp.where(narrow, 0.5 * (a + b), 0.0 * wide), xp.where(narrow, 0.5 * (b - a), 1.0 + 0.0 * wide)
    mean = sum(
        0.5 * float(w) * xp.exp(xp.where(narrow, -h * float(t) * (m + 0.5 * h * float(t)), 0.0 * h))
        for t, w in zip(*_NODES, strict=True)
    )
    return xp.where(narrow, xp.log(2.0 * h) - HALF_LOG_2PI - 0.5 * m * m + xp.log(mean), wide)


def _edge_term(edge: Array, density: Array, xp: Namespace) -> Array:
    finite = (edge < math.inf) & (edge > -math.inf)
    return xp.where(finite, xp.where(finite, edge, xp.zeros_like(edge)) * density, xp.zeros_like(density))


def _laplace_transform(a: Any, total: Any, t: Any) -> Any:
    """₁F₁(a; a+b; t), which SciPy has right up to |t| = 500; beyond that no number."""
    from scipy.special import hyp1f1

    return np.where(np.abs(t) <= 500.0, hyp1f1(a, total, t), math.nan)


def _kumaraswamy_log_moment(a: Array, b: Array, r: Array, xp: Namespace) -> Array:
    """Log of E xʳ = b·B(1 + r/a, b), r > −a."""
    t = 1.0 + xp.double(r) / a
    exists = t > 0
    t = xp.where(exists, t, xp.ones_like(t + b))
    value = xp.log(b) + xp.gammaln(t) - gamma_step(b, t, xp=xp)
    return xp.where(exists, value, math.inf + 0.0 * value)


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
