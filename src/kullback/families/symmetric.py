"""Location-scale families on the line: Laplace, Logistic, Gumbel, GeneralizedNormal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._special import log_ratio, phi, psi_ratio
from kullback.families.expectations import (
    Absolute,
    AbsolutePower,
    Exp,
    Feature,
    Linear,
    LogMean,
    Softplus,
    Square,
)
from kullback.families.exponential_integral import scaled_exp1
from kullback.families.line import Line, Terms
from kullback.families.parameters import family, positive, real
from kullback.families.stacy import stacy_kl

Array = Any
Namespace = Any


@family
class Laplace(Line):
    """Density e^{−|x − loc|/scale}/(2·scale)."""

    loc: Array = real()
    scale: Array = positive()

    def _loc_scale(self) -> tuple[Array, Array]:
        return self.loc, self.scale

    def _terms(self, xp: Namespace) -> Terms:
        return -math.log(2), [(-1.0, Absolute(0.0))]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case Linear():
                return 0.0
            case Square():
                return 2.0
            case Absolute(c):
                size = xp.abs(xp.double(c))
                return size + xp.exp(-size)
            case LogMean(AbsolutePower(r)):
                return xp.gammaln(xp.double(r) + 1.0)
            case Exp(t):
                t = xp.double(t)
                exists = xp.abs(t) < 1
                inner = xp.where(exists, t, xp.zeros_like(t))
                return xp.where(exists, 1.0 / ((1.0 - inner) * (1.0 + inner)), math.inf + 0.0 * t)
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.laplace(size=size)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        # ψ(β−1) + βφ(−δ), β = b₁/b₂, δ = |μ₁−μ₂|/b₁
        if not isinstance(q, Laplace):
            return None
        delta = xp.abs(self.loc - q.loc) / self.scale
        beta = self.scale / q.scale + 0.0 * delta
        far = self.scale * delta / q.scale  # βφ(−δ) = β·expm1(−δ) + βδ, which stays finite where β is 0
        near = delta < 700
        inner = xp.where(near, delta, xp.zeros_like(delta))
        spread = xp.where(near, beta * phi(-inner, xp=xp), far - beta)
        return psi_ratio(q.scale + 0.0 * delta, self.scale + 0.0 * delta, xp=xp) + spread


@family
class Logistic(Line):
    """Distribution function 1/(1 + e^{−(x − loc)/scale})."""

    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _loc_scale(self) -> tuple[Array, Array]:
        return self.loc, self.scale

    def _terms(self, xp: Namespace) -> Terms:
        return 0.0, [(-1.0, Linear()), (-2.0, Softplus(-1.0))]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case Linear():
                return 0.0
            case Square():
                return math.pi**2 / 3
            case Softplus(_):
                return 1.0
            case Absolute(c):
                size = xp.abs(xp.double(c))
                return size + 2.0 * xp.log1p(xp.exp(-size))
            case Exp(t):
                return sine_ratio(math.pi * xp.double(t), xp=xp)
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.logistic(size=size)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        # δ·coth(δ/2) − 2 between equal scales, δ = (μ₁−μ₂)/s; between others no closed form is known
        if not isinstance(q, Logistic) or not equal(self.scale, q.scale):
            return None
        x = xp.abs(self.loc - q.loc) / (2.0 * self.scale)
        near = x < 1.0
        s = xp.where(near, x, xp.zeros_like(x))
        z = s * s
        # x·cosh x − sinh x = Σ 2k·x^{2k+1}/(2k+1)!, over sinh x
        top = z * 0.0
        for k in range(11, 0, -1):
            top = top * z + 2 * k / math.factorial(2 * k + 1)
        bottom = z * 0.0
        for k in range(11, -1, -1):
            bottom = bottom * z + 1 / math.factorial(2 * k + 1)
        far = xp.where(near, xp.ones_like(x), x)
        e = xp.exp(-2.0 * far)
        return 2.0 * xp.where(near, z * top / bottom, far * (1.0 + e) / (1.0 - e) - 1.0)


@family
class Gumbel(Line):
    """Extreme values of type I: distribution function exp(−e^{−(x − loc)/scale})."""

    loc: Array = real()
    scale: Array = positive()

    def _loc_scale(self) -> tuple[Array, Array]:
        return self.loc, self.scale

    def _terms(self, xp: Namespace) -> Terms:
        return 0.0, [(-1.0, Linear()), (-1.0, Exp(-1.0))]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case Linear():
                return np.euler_gamma
            case Square():
                return np.euler_gamma**2 + math.pi**2 / 6
            case LogMean(Exp(t)):
                t = xp.double(t)
                exists = t < 1
                inner = xp.where(exists, t, xp.zeros_like(t))
                return xp.where(exists, xp.gammaln(1.0 - inner), math.inf + 0.0 * t)
            case Absolute(c):
                # γ − c + 2E₁(e^{−c}); E₁(u) → −γ − log u for u → 0 and → 0 for u → ∞
                c = xp.double(c)
                mild = (c > -6.0) & (c < 600.0)
                u = xp.exp(-xp.where(mild, c, xp.zeros_like(c)))
                e1 = xp.where(mild, scaled_exp1(u, xp=xp) * xp.exp(-u), xp.where(c > 0, c - np.euler_gamma, 0.0 * c))
                return np.euler_gamma - c + 2.0 * e1
        return None

    def _standard_variance(self, xp: Namespace) -> Array:
        return xp.double(math.pi**2 / 6)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.gumbel(size=size)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        # e^{−x} is Weibull with scale e^{−loc} and power 1/scale
        if not isinstance(q, Gumbel):
            return None
        return stacy_kl(1.0, 1.0, 0.0, (q.scale, self.scale), (q.loc - self.loc) / q.scale, xp=xp)


@family
class GeneralizedNormal(Line):
    """Density ∝ e^{−|(x − loc)/scale|^power} (SciPy's beta): power 1 is Laplace, 2 is normal."""

    power: Array = positive()
    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _loc_scale(self) -> tuple[Array, Array]:
        return self.loc, self.scale

    def _terms(self, xp: Namespace) -> Terms:
        constant = xp.log(self.power) - math.log(2) - xp.gammaln(1.0 / self.power)
        return constant, [(-1.0, AbsolutePower(self.power))]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        k = 1.0 / self.power
        match f:
            case Linear():
                return 0.0 * k
            case Square():
                return xp.exp(xp.gammaln(3.0 * k) - xp.gammaln(k))
            case LogMean(AbsolutePower(r)):
                return xp.gammaln((r + 1.0) * k) - xp.gammaln(k)
            case Absolute(c):
                # c·P(k, u) + Γ(2k)/Γ(k)·Q(2k, u), u = |c|^power
                size = xp.abs(xp.double(c))
                some = size > 0
                u = xp.where(some, xp.where(some, size, xp.ones_like(size)) ** self.power, 0.0 * size)
                return size * xp.gammainc(k, u) + xp.exp(xp.gammaln(2 * k) - xp.gammaln(k)) * xp.gammaincc(2 * k, u)
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        power = np.broadcast_to(self.power, size)
        return rng.gamma(1.0 / power) ** (1.0 / power) * rng.choice([-1.0, 1.0], size)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        # |x − loc| is a generalised gamma with k = 1/power, c = power
        if not isinstance(q, GeneralizedNormal) or not equal(self.loc, q.loc):
            return None
        k1, k2 = 1.0 / self.power, 1.0 / q.power
        h = (self.power - q.power) * k1 * k2
        log_beta = q.power * log_ratio(self.scale, q.scale, xp=xp)
        return stacy_kl(k1, k2, h, (self.power, q.power), log_beta, xp=xp)


def sine_ratio(x: Array, *, xp: Namespace) -> Array:
    """x/sin x for |x| < π, ∞ beyond; 1 at 0."""
    exists = xp.abs(x) < math.pi
    zero = x == 0
    inner = xp.where(exists & (x != 0), x, xp.ones_like(x))
    return xp.where(exists, xp.where(zero, xp.ones_like(x), inner / xp.sin(inner)), math.inf + 0.0 * x)


def equal(x: Array, y: Array) -> bool:
    """Whether two parameters are known to be equal everywhere (values that cannot be looked at are not)."""
    from kullback.families.namespace import is_concrete

    if x is y:
        return True
    if not (is_concrete(x) and is_concrete(y)):
        return False
    return bool((x == y) if isinstance(x, float) and isinstance(y, float) else (x == y).all())
