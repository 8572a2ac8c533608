"""Laws of power series on 1, 2, 3, …: Zeta and LogSeries."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kullback._special import log_ratio, psi, psi_ratio
from kullback.families.bregman import bregman
from kullback.families.expectations import Feature, Linear, Log, Square
from kullback.families.line import Terms
from kullback.families.parameters import family, greater_than, open_probability
from kullback.families.whole import Whole
from kullback.families.zeta import log_zeta_bregman, mean_log, zeta_log

Array = Any
Namespace = Any


@family
class Zeta(Whole):
    """Mass x^{−exponent}/ζ(exponent) on 1, 2, 3, … (SciPy's zipf, a)."""

    exponent: Array = greater_than(1.0)
    _power_tail: ClassVar[bool] = True

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 1.0, math.inf

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        del co
        return -self.exponent * xp.log(y) - zeta_log(self.exponent, xp=xp)

    def _terms(self, xp: Namespace) -> Terms:
        return -zeta_log(self.exponent, xp=xp), [(-self.exponent, Log())]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        match f:
            case Log():
                return mean_log(self.exponent, xp=xp)
            case Linear():
                return _zeta_moment(self.exponent, 1.0, xp)
            case Square():
                return _zeta_moment(self.exponent, 2.0, xp)
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.zipf(np.broadcast_to(self.exponent, size)).astype(float)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        return log_zeta_bregman(self.exponent, q.exponent, xp=xp) if isinstance(q, Zeta) else None


@family
class LogSeries(Whole):
    """Mass −probsˣ/(x·log(1 − probs)) on 1, 2, 3, …"""

    probs: Array = open_probability()

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return 1.0, math.inf

    def _terms(self, xp: Namespace) -> Terms:
        return -xp.log(-xp.log1p(-self.probs)), [(xp.log(self.probs), Linear()), (-1.0, Log())]

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        p = self.probs
        a = -1.0 / xp.log1p(-p)
        match f:
            case Linear():
                return a * p / (1.0 - p)
            case Square():
                return a * p / (1.0 - p) ** 2
        return None

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return None

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return rng.logseries(np.broadcast_to(self.probs, size)).astype(float)

    def _stable(self, q: Any, xp: Namespace) -> Array | None:
        return log_series_kl(self.probs, q.probs, xp=xp) if isinstance(q, LogSeries) else None


def log_series_kl(p: Array, q: Array, *, xp: Namespace) -> Array:
    """E x·log(p/q) + log(L_q/L_p), L = −log1p(−·), in three forms, each where it does not cancel.

    Where p or q is above .3, with the first-order parts taken out: m·ψ(q/p − 1) + ψ(−(q−p)/(1−p))/L_p − ψ(L_q/L_p − 1).
    Below, x is nearly always 1: the Bregman divergence of log L in log p where p and q are close, and else
    log1p(ψ(−q)/q) − log1p(ψ(−p)/p) − E(x−1)·log(q/p), as L = p + ψ(−p) and E(x−1) = ψ(p/(1−p))/L_p.
    """
    d = q - p
    p, q = p + 0.0 * d, q + 0.0 * d
    low = (p < 0.3) & (q < 0.3)
    L = -xp.log1p(-p)
    moved = d / (1.0 - p)
    w = -xp.log1p(-moved) / L
    mean = p / ((1.0 - p) * L)
    high_value = mean * psi_ratio(p, q, xp=xp) + psi(-moved, xp=xp) / L - psi(w, xp=xp)
    a, b = xp.where(low, p, 0.1 + 0.0 * p), xp.where(low, q, 0.1 + 0.0 * q)
    step = log_ratio(b, a, xp=xp)

    def curvature(eta: Array, xp: Namespace) -> Array:
        # (log L)″ in log p: p·ψ(−p)/(L(1−p))², which is Var x
        x = a * xp.exp(eta)
        L_x = -xp.log1p(-x)
        return x * psi(-x, xp=xp) / (L_x * (1.0 - x)) ** 2

    def far(_: Array, __: Array) -> Array:
        excess = psi(a / (1.0 - a), xp=xp) / -xp.log1p(-a)
        return xp.log1p(psi(-b, xp=xp) / b) - xp.log1p(psi(-a, xp=xp) / a) - excess * step

    low_value = bregman(0.0 * step, step, near=xp.abs(step) < 1.0, curvature=curvature, far=far, xp=xp)
    return xp.where(low, low_value, high_value)


def _zeta_moment(s: Array, r: float, xp: Namespace) -> Array:
    exists = s - r > 1
    inner = xp.where(exists, s, r + 2.0 + 0.0 * s)
    one = xp.ones_like(inner)
    return xp.where(exists, xp.zeta(inner - r, one) / xp.zeta(inner, one), math.inf + 0.0 * s)
