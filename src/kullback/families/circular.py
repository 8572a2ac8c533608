"""VonMises on the circle and ContinuousBernoulli on (0, 1): exponential families with one curved log-normaliser."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback.families.base import work
from kullback.families.bessel import below_peak, log_normaliser, log_normaliser_bregman, ratio
from kullback.families.bregman import bregman
from kullback.families.expectations import At, Cosine, Exp, Feature, Linear, LogMean, Square
from kullback.families.line import Line, Terms
from kullback.families.normal import made
from kullback.families.parameters import family, non_negative, open_probability, real

Array = Any
Namespace = Any
_LOG_2PI = math.log(2 * math.pi)
# Bernoulli numbers B₂ … B₄₀
_BERNOULLI = (
    1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330,
    854513 / 138, -236364091 / 2730, 8553103 / 6, -23749461029 / 870, 8615841276005 / 14322,
)  # fmt: skip
# coth x − 1/x = Σ 4ᵏB₂ₖ/(2k)!·x^{2k−1}, its integral and its slope; highest powers first
_LANGEVIN = [4.0**k * b / math.factorial(2 * k) for k, b in enumerate(_BERNOULLI, 1)][::-1]
_LOG_SINHC = [c / (2 * k) for k, c in zip(range(len(_BERNOULLI), 0, -1), _LANGEVIN, strict=True)]
_SLOPE = [c * (2 * k - 1) for k, c in zip(range(len(_BERNOULLI), 0, -1), _LANGEVIN, strict=True)]


@family
class VonMises(Line):
    """Density e^{concentration·cos(x − loc)}/(2πI₀(concentration)) on the turn [−π, π], wherever loc is.

    `mean` is the circular mean, loc; `variance` that of the turn around it.
    """

    loc: Array = real()
    concentration: Array = non_negative()

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return -math.pi, math.pi

    def _terms(self, xp: Namespace) -> Terms:
        return -_LOG_2PI - log_normaliser(self.concentration, 0.0, xp=xp), [(self.concentration, Cosine(self.loc))]

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        # κ(cos t − 1) + (κ − log 2πI₀(κ)): the peak of a large κ keeps its digits
        del co
        half = xp.sin(0.5 * (y - self.loc))
        peak = below_peak(self.concentration, 0.0, xp=xp) - _LOG_2PI
        return peak - 2.0 * self.concentration * half * half

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        a = ratio(self.concentration, 0.0, xp=xp)
        match f:
            case Cosine(c):
                return a * xp.cos(xp.double(self.loc - c))
            case At(f=Cosine(c), m=m, rho=None):
                return a * xp.cos(self.loc - c + (0.0 if m is None else m))
        return None

    def _standard_entropy(self, xp: Namespace) -> Array:
        # log 2πI₀ − κA, κ taken out of both
        rest = self.concentration * (1.0 - ratio(self.concentration, 0.0, xp=xp))
        return _LOG_2PI - below_peak(self.concentration, 0.0, xp=xp) + rest

    def _moment(self, order: int) -> Array:
        xp = work(*self._leaves())
        if order == 1:
            return xp.broadcast_to(xp.double(self.loc), self.batch_shape) if self.batch_shape else self.loc
        centred: Line = made(VonMises, loc=0.0, concentration=self.concentration)
        return Line._moment(centred, order)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.vonmises(self.loc, np.broadcast_to(self.concentration, size))

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        # Bregman divergence of log I₀ plus A(κ₁)κ₂(1 − cos Δ), 1 − cos Δ = 2sin²(Δ/2)
        if not isinstance(q, VonMises):
            return None
        turn = xp.sin(0.5 * (self.loc - q.loc))
        location = ratio(self.concentration, 0.0, xp=xp) * q.concentration * 2.0 * turn * turn
        return log_normaliser_bregman(self.concentration, q.concentration, 0.0, xp=xp) + location


@family
class ContinuousBernoulli(Line):
    """Density ∝ probsˣ(1 − probs)^{1−x} on [0, 1]."""

    probs: Array = open_probability()

    def _logit(self, xp: Namespace) -> Array:
        return xp.log(self.probs) - xp.log1p(-self.probs)

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 0.0, 1.0

    def _terms(self, xp: Namespace) -> Terms:
        eta = self._logit(xp)
        return -0.5 * eta - _log_sinhc(0.5 * eta, xp), [(eta, Linear())]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        eta = self._logit(xp)
        mean = 0.5 + 0.5 * _langevin(0.5 * eta, xp)
        match f:
            case Linear():
                return mean
            case Square():
                return 0.25 * _langevin_slope(0.5 * eta, xp) + mean * mean
            case LogMean(Exp(t)):
                moved = eta + t
                return 0.5 * t + _log_sinhc(0.5 * moved, xp) - _log_sinhc(0.5 * eta, xp)
        return None

    def _standard_variance(self, xp: Namespace) -> Array:
        return 0.25 * _langevin_slope(0.5 * self._logit(xp), xp)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        eta = np.log(self.probs) - np.log1p(-np.asarray(self.probs))
        u = rng.random(size)
        small = np.abs(eta) < 1e-9
        safe = np.where(small, 1.0, eta)
        return np.where(small, u, np.log1p(u * np.expm1(safe)) / safe)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        # Bregman divergence of log(sinh x/x) at half the logits
        if not isinstance(q, ContinuousBernoulli):
            return None
        p1, p2 = self.probs, q.probs
        # logit difference with the digits of p₂ − p₁, unless it takes nearly all of 1 away
        d = p2 - p1
        ratio_ = d / (p1 * (1.0 - p2))
        some = ratio_ > -0.5
        step = xp.where(some, xp.log1p(xp.where(some, ratio_, 0.0 * ratio_)), q._logit(xp) - self._logit(xp))
        x = 0.5 * self._logit(xp)
        return _sinhc_bregman(x, x + 0.5 * step, 0.5 * step, xp)


def _sinhc_bregman(x: Array, y: Array, h: Array, xp: Namespace) -> Array:
    near = xp.abs(h) < 1.0

    def far(s: Array, t: Array) -> Array:
        return _log_sinhc(t, xp) - _log_sinhc(s, xp) - (t - s) * _langevin(s, xp)

    # `bregman` takes its own difference; hand it one that is exact
    close = xp.where(near, h, 0.0 * h)
    value = bregman(
        0.0 * close,
        close,
        near=near,
        curvature=lambda v, xp: _langevin_slope(x + v, xp),
        far=lambda s, t: 0.0 * (s + t),
        xp=xp,
    )
    return xp.where(near, value, far(x, xp.where(near, x, y)))


def _small(x: Array, xp: Namespace) -> tuple[Array, Array, Array]:
    near = xp.abs(x) < 1.0
    return near, xp.where(near, x, 0.0 * x), xp.where(near, 2.0 + 0.0 * x, x)


def _log_sinhc(x: Array, xp: Namespace) -> Array:
    """log(sinh x/x), even, 0 at 0."""
    near, s, t = _small(x, xp)
    z, total = s * s, 0.0 * s
    for c in _LOG_SINHC:
        total = (total + c) * z
    size = xp.abs(t)
    return xp.where(near, total, size + xp.log1p(-xp.exp(-2.0 * size)) - xp.log(2.0 * size))


def _langevin(x: Array, xp: Namespace) -> Array:
    """Coth x − 1/x."""
    near, s, t = _small(x, xp)
    z, total = s * s, 0.0 * s
    for c in _LANGEVIN:
        total = total * z + c
    e = xp.exp(-2.0 * xp.abs(t))
    coth = (1.0 + e) / (1.0 - e)
    return xp.where(near, s * total, xp.where(t > 0, coth, -coth) - 1.0 / t)


def _langevin_slope(x: Array, xp: Namespace) -> Array:
    """1/x² − 1/sinh²x > 0."""
    near, s, t = _small(x, xp)
    z, total = s * s, 0.0 * s
    for c in _SLOPE:
        total = total * z + c
    e = xp.exp(-2.0 * xp.abs(t))
    return xp.where(near, total, 1.0 / (t * t) - 4.0 * e / (1.0 - e) ** 2)
