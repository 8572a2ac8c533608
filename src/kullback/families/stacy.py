"""The generalised gamma family of Stacy: y^c ~ Gamma(k, 1), c ≠ 0. Thirteen named families are members.

Density |c|/Γ(k) · y^{ck−1} e^{−y^c}, y > 0; c < 0 holds the inverse families. Stacy 1962, doi:10.1214/aoms/1177704481.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from kullback._special import (
    _STIRLING,
    GAMMA_SHIFT,
    gamma_bregman,
    gamma_leading,
    gamma_rest,
    gamma_shifted,
    gamma_step,
    log_ratio,
    phi,
    psi_ratio,
    relative_term,
)
from kullback.families.expectations import (
    Absolute,
    Exp,
    Feature,
    Linear,
    Log,
    LogMean,
    LogSquare,
    Power,
    Square,
    power,
)
from kullback.families.line import Line, Terms, log_term
from kullback.families.namespace import is_concrete, to_host
from kullback.families.nearly_log_normal import SMALLEST, sharpened

Array = Any
Namespace = Any
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Stacy(Line):
    """x = loc + a·y with y^c ~ Gamma(k, 1)."""

    __slots__ = ()
    _positive: ClassVar[bool] = True

    @abstractmethod
    def _shape(self) -> tuple[Array, Array]:
        """(k, c)."""

    @abstractmethod
    def _factors(self) -> tuple[float, list[tuple[Array, float]]]:
        """The scale a as a number and powers of parameters, so that ratios of scales keep their digits."""

    def _loc(self) -> Array | None:
        return getattr(self, "loc", None)

    def _loc_scale(self) -> tuple[Array | None, Array | None]:
        number, factors = self._factors()
        scale: Any = number
        for value, exponent in factors:
            scale = scale * (value if exponent == 1 else value**exponent)
        return self._loc(), scale

    def _terms(self, xp: Namespace) -> Terms:
        k, c = self._shape()
        constant = xp.log(xp.abs(xp.double(c))) - xp.gammaln(xp.double(k))
        return constant, [*log_term(c * k - 1.0), (-1.0, power(c))]

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        # −relative_term(k, w) less Stirling's series, w = y^c: the peak of a large k keeps its digits
        del co
        k, c = self._shape()
        k, log_y = xp.double(k), xp.log(y)
        w = _to_the(y, c, xp)
        peaked = (k > 100.0) & (w < math.inf)
        high = xp.where(peaked, k, 100.0 + 0.0 * (k + log_y))
        inner = xp.where(peaked, w, 100.0 + 0.0 * (k + log_y))
        near = -relative_term(high, inner, xp=xp) - stirling_error(high, xp=xp) + 0.5 * xp.log(high)
        low = xp.where(peaked, 1.0 + 0.0 * (k + log_y), k + 0.0 * log_y)
        plain = low * c * log_y - w - xp.gammaln(low)
        return xp.log(xp.abs(xp.double(c))) - log_y + xp.where(peaked, near - HALF_LOG_2PI, plain)

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        k, c = self._shape()
        match f:
            case LogMean(Power(r)):
                return _log_moment(k, c, r, xp)
            case Linear():
                return _moment(k, c, 1.0, xp)
            case Square():
                return _moment(k, c, 2.0, xp)
            case Log():
                return xp.digamma(xp.double(k)) / c
            case LogSquare():
                k = xp.double(k)
                return (xp.polygamma(1, k) + xp.digamma(k) ** 2) / (c * c)
            case Exp(t) if isinstance(c, float) and c == 2.0:
                return _laplace_transform(k, xp.double(t), xp)
            case LogMean(Exp(t)) if isinstance(c, float) and c == 1.0:
                t = xp.double(t)
                exists = t < 1
                value = -k * xp.log1p(-xp.where(exists, t, xp.zeros_like(t)))
                return xp.where(exists, value, math.inf + 0.0 * value)
            case Absolute(center):
                return _mean_deviation(k, c, xp.double(center), xp)
        return None

    def _standard_entropy(self, xp: Namespace) -> Array:
        # lnΓ(k) + k − log|c| + (1/c − k)ψ₀(k); for large k with Stirling's series put in, or 1e10 would cancel to 1e−6
        k, c = self._shape()
        k = xp.double(k)
        digamma = xp.digamma(k)
        large = k > GAMMA_SHIFT
        z = xp.where(large, k, xp.ones_like(k))
        series = -0.5 * xp.log(z) + 0.5 * math.log(2 * math.pi) + 0.5
        power_ = 1.0 / z
        for j, s in enumerate(_STIRLING):
            series = series + (2 * j + 2) * s * power_
            power_ = power_ / (z * z)
        near = xp.where(large, xp.ones_like(k), k)
        direct = xp.gammaln(near) + near - near * xp.digamma(near)
        return xp.where(large, series, direct) - xp.log(xp.abs(xp.double(c))) + digamma / c

    def _standard_variance(self, xp: Namespace) -> Array:
        # m₂ − m₁² = m₁²·expm1(lnΓ(k+2/c) + lnΓ(k) − 2lnΓ(k+1/c)), whose lnΓ's are two tangent differences at k + 1/c
        k, c = self._shape()
        k, step = xp.double(k), xp.double(1.0 / c)
        exists = k + 2 * step > 0
        step = xp.where(exists, step, xp.ones_like(step))
        middle = k + step
        spread = gamma_bregman(middle, middle + step, xp=xp) + gamma_bregman(middle, k, xp=xp)
        mean = _moment(k, c, 1.0, xp)
        return xp.where(exists, xp.where(exists, mean, xp.ones_like(mean)) ** 2 * xp.expm1(spread), math.inf + 0.0 * k)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        k, c = self._shape()
        return rng.gamma(np.broadcast_to(k, size)) ** (1.0 / c)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        if not isinstance(q, Stacy):
            return None
        ours, theirs = self._power_sign(), q._power_sign()
        if ours is not None and theirs is not None and ours * theirs <= 0:
            return None
        (k1, c1), (k2, c2) = self._shape(), q._shape()
        same_power = isinstance(c1, float) and isinstance(c2, float) and c1 == c2
        powers = None if same_power else (c1, c2)
        log_beta = c2 * _log_scale_ratio(self, q, xp)
        value = stacy_kl(k1, k2, k2 - k1, powers, log_beta, xp=xp)
        small = any(isinstance(k, float) and k <= SMALLEST for k in (k1, k2))
        (n1, f1), (n2, f2) = self._factors(), q._factors()
        if powers is None or small or n1 != n2:
            return value
        return sharpened(value, [k1, k2, c1, c2], [f1, f2], log_beta, xp=xp)

    def _power_sign(self) -> float | None:
        """+1, −1, 0 for a batch with both, None under a trace: there, powers of two signs give NaN."""
        _, c = self._shape()
        if isinstance(c, float):
            return math.copysign(1.0, c)
        if type(self).__name__ != "GeneralizedGamma":
            return -1.0 if type(self).__name__ == "Frechet" else 1.0
        if not is_concrete(c):
            return None
        signs = np.sign(to_host(c.detach() if hasattr(c, "detach") else c))
        return float(signs.flat[0]) if signs.size and np.all(signs == signs.flat[0]) else 0.0


def stacy_kl(
    k1: Array, k2: Array, h: Array, powers: tuple[Array, Array] | None, log_beta: Array, *, xp: Namespace
) -> Array:
    """KL between two generalised gammas: h = k₂ − k₁, powers as c₁ and c₂ (None: equal), log β = c₂·log(a₁/a₂).

    With ε = c₂/c₁ − 1, b = B_Γ(k₁+1, k₁+1+ε) and S = log E(x/a₂)^{c₂} − log k₁ = log β + ε·ψ₀(k₁+1) + b:
    KL = B_Γ(k₁,k₂) + k₁φ(S) − hS + (h/k₁)·ε + k₂·b + ψ(ε).
    Bauckhage's eq. (28), arXiv:1401.6853, with all first-order terms taken out by hand; ψ(s) = s − log1p(s),
    φ(u) = expm1(u) − u. For large k₁, Stirling's part of B_Γ joins the next two terms as k₂φ(S − log(k₂/k₁)).
    """
    one_shape = isinstance(h, float) and h == 0.0
    k1, k2, h, log_beta = xp.double(k1), xp.double(k2), xp.double(h), xp.double(log_beta)
    if powers is None:
        return _shape_and_scale(k1, k2, h, log_beta, one_shape=one_shape, xp=xp)
    c1, c2 = (xp.double(c) for c in powers)
    epsilon = (c2 - c1) / c1
    # log β may be infinite
    zero = 0.0 * (h + epsilon + k1)
    k1, k2, h, epsilon, c1, c2 = (x + zero for x in (k1, k2, h, epsilon, c1, c2))
    b = gamma_bregman(k1 + 1.0, k1 + (1.0 + epsilon), epsilon, xp=xp)
    S = log_beta + epsilon * xp.digamma(k1 + 1.0) + b
    value = _shape_and_scale(k1, k2, h, S, one_shape=one_shape, xp=xp) + k2 * b + psi_ratio(c1, c2, xp=xp)
    return value if one_shape else value + h / k1 * epsilon


def _shape_and_scale(k1: Array, k2: Array, h: Array, S: Array, *, one_shape: bool, xp: Namespace) -> Array:
    """B_Γ(k₁,k₂) + k₁φ(S) − hS."""
    if one_shape:
        return k1 * phi(S, xp=xp)
    if (fused := getattr(getattr(xp, "plain", None), "shape_and_scale", None)) is not None:
        return fused(k1, k2, h, S)
    S, h, k1, k2 = (x + 0.0 * (S + h) for x in (S, h, k1, k2))
    up, above1, above2 = gamma_shifted(k1, k2, h, xp=xp)
    joined = k2 * phi(S - log_ratio(k2, k1, xp=xp), xp=xp)
    apart = gamma_leading(above1, above2, h, xp=xp) + (k1 * phi(S, xp=xp) - h * S)
    value = up + gamma_rest(above1, above2, h, xp=xp) + xp.where(above1 == k1, joined, apart)
    # from a large shape to a small one: joined, with lnΓ(k₂) as it is
    fallen = (k1 > 2.0 * GAMMA_SHIFT) & (k2 < GAMMA_SHIFT)
    high, low = xp.where(fallen, k1, 2.0 * GAMMA_SHIFT + 0.0 * k1), xp.where(fallen, k2, 1.0 + 0.0 * k2)
    own = xp.gammaln(low) - (low - 0.5) * xp.log(low) + low - HALF_LOG_2PI
    rest = own - stirling_error(high, xp=xp) - h * _stirling_slope(high) + 0.5 * psi_ratio(high, low, xp=xp)
    return xp.where(fallen, joined + rest, value)


def stirling_error(x: Array, *, xp: Namespace) -> Array:
    """S(x) = lnΓ(x+1) − (x+½)log x + x − ½log 2π, x ≥ GAMMA_SHIFT."""
    del xp
    total, power_ = 0.0, 1.0 / x
    for s in _STIRLING:
        total = total + s * power_
        power_ = power_ / (x * x)
    return total


def _stirling_slope(x: Array) -> Array:
    """S′(x) for Stirling's series S."""
    total, power_ = 0.0, 1.0 / (x * x)
    for j, s in enumerate(_STIRLING):
        total = total - (2 * j + 1) * s * power_
        power_ = power_ / (x * x)
    return total


def _to_the(y: Array, c: Array, xp: Namespace) -> Array:
    """y^c, to rounding where c is one of the named families': e^{c·log y} loses digits of a large power."""
    if isinstance(c, float) and c in (1.0, 2.0, -1.0):
        return {1.0: y, 2.0: y * y, -1.0: 1.0 / y}[c]
    return xp.exp(c * xp.log(y))


def _log_scale_ratio(p: Stacy, q: Stacy, xp: Namespace) -> Array:
    """log(a₁/a₂), factor by factor where both scales are made alike."""
    (n1, f1), (n2, f2) = p._factors(), q._factors()
    if [e for _, e in f1] == [e for _, e in f2]:
        total: Any = 0.0 if n1 == n2 else math.log(n1 / n2)
        for (v1, e), (v2, _) in zip(f1, f2, strict=True):
            total = total + e * log_ratio(xp.double(v1), xp.double(v2), xp=xp)
        return total
    total = math.log(n1 / n2)
    for v, e in f1:
        total = total + e * xp.log(xp.double(v))
    for v, e in f2:
        total = total - e * xp.log(xp.double(v))
    return total


def _moment(k: Array, c: Array, r: float, xp: Namespace) -> Array:
    """E yʳ, by hand where it is a rising product."""
    k = xp.double(k)
    if isinstance(c, float) and r / c in (1.0, 2.0):
        return (k, k * (k + 1.0))[int(r / c) - 1]
    return xp.exp(_log_moment(k, c, r, xp))


def _log_moment(k: Array, c: Array, r: Array, xp: Namespace) -> Array:
    """Log of E yʳ = Γ(k + r/c)/Γ(k), ∞ where k + r/c ≤ 0."""
    k, t = xp.double(k), xp.double(r / c)
    exists = k + t > 0
    t = xp.where(exists, t, xp.zeros_like(t + k))
    value = gamma_step(k, t, xp=xp)
    return xp.where(exists, value, math.inf + 0.0 * value)


def _laplace_transform(k: Array, t: Array, xp: Namespace) -> Array | None:
    """E e^{ty} for |Normal| and Rayleigh; elsewhere no closed form."""
    if not isinstance(k, float) or k not in (0.5, 1.0):
        return None
    scaled = xp.erfcx(-0.5 * t)
    return scaled if k == 0.5 else 1.0 + 0.5 * math.sqrt(math.pi) * t * scaled


def _mean_deviation(k: Array, c: Array, center: Array, xp: Namespace) -> Array | None:
    """E|y − m| = E y − m + 2[m·P(y < m) − E(y; y < m)], by the incomplete gamma function."""
    mean = _moment(k, c, 1.0, xp)
    inside = center > 0
    m = xp.where(inside, center, xp.ones_like(center))
    if isinstance(c, float) and isinstance(k, float) and c == 1.0 and k == 1.0:
        return xp.where(inside, m - 1.0 + 2.0 * xp.exp(-m), mean - center)
    k, u = xp.double(k), xp.exp(c * xp.log(m))
    if isinstance(c, float):
        below = xp.gammainc if c > 0 else xp.gammaincc
        share, partial = below(k, u), below(xp.where(k + 1 / c > 0, k + 1 / c, xp.ones_like(k)), u)
    else:
        c = xp.double(c)
        shifted = xp.where(k + 1 / c > 0, k + 1 / c, xp.ones_like(k + c))
        share = xp.where(c > 0, xp.gammainc(k, u), xp.gammaincc(k, u))
        partial = xp.where(c > 0, xp.gammainc(shifted, u), xp.gammaincc(shifted, u))
    finite = mean < math.inf
    mean_or_0 = xp.where(finite, mean, xp.zeros_like(mean))
    value = xp.where(inside, mean_or_0 - m + 2.0 * (m * share - mean_or_0 * partial), mean_or_0 - center)
    return xp.where(finite, value, math.inf + 0.0 * value)
