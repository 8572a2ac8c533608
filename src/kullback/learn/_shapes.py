"""Shapes of standardised residuals: normal, Laplace, Student, and a smoothed histogram with exponential tails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.optimize import minimize_scalar

Floats = NDArray[np.float64]

# No standardised residual need be narrower: where all are 0 the density would be infinite.
_NARROWEST = 1e-9


@dataclass(frozen=True, slots=True)
class Normal:
    """N(0, scale²)."""

    scale: float

    @classmethod
    def fit(cls, z: Floats, weight: Floats) -> Normal:
        return cls(max(float(np.sqrt(np.average(z**2, weights=weight))), _NARROWEST))

    def logpdf(self, z: Floats) -> Floats:
        return np.asarray(-0.5 * (z / self.scale) ** 2 - np.log(self.scale) - 0.5 * np.log(2 * np.pi))

    def cdf(self, z: Floats) -> Floats:
        return np.asarray(special.ndtr(z / self.scale))

    def ppf(self, u: Floats) -> Floats:
        return np.asarray(self.scale * special.ndtri(u))

    def mean(self) -> float:
        return 0.0

    def entropy(self) -> float:
        return float(0.5 * np.log(2 * np.pi * np.e) + np.log(self.scale))

    def crps(self, z: Floats) -> Floats:
        t = z / self.scale
        density = np.exp(-0.5 * t**2) / np.sqrt(2 * np.pi)
        return np.asarray(self.scale * (t * (2 * special.ndtr(t) - 1) + 2 * density - 1 / np.sqrt(np.pi)))


@dataclass(frozen=True, slots=True)
class Laplace:
    """exp(−|z|/scale)/(2 scale)."""

    scale: float

    @classmethod
    def fit(cls, z: Floats, weight: Floats) -> Laplace:
        return cls(max(float(np.average(np.abs(z), weights=weight)), _NARROWEST))

    def logpdf(self, z: Floats) -> Floats:
        return np.asarray(-np.abs(z) / self.scale - np.log(2 * self.scale))

    def cdf(self, z: Floats) -> Floats:
        t = z / self.scale
        return np.where(t < 0, 0.5 * np.exp(np.minimum(t, 0)), 1 - 0.5 * np.exp(-np.maximum(t, 0)))

    def ppf(self, u: Floats) -> Floats:
        u = np.asarray(u)
        with np.errstate(divide="ignore"):
            return np.asarray(self.scale * np.where(u < 0.5, np.log(2 * u), -np.log(2 * (1 - u))))

    def mean(self) -> float:
        return 0.0

    def entropy(self) -> float:
        return float(1 + np.log(2 * self.scale))

    def crps(self, z: Floats) -> Floats:
        t = np.abs(z) / self.scale
        return np.asarray(self.scale * (t + np.exp(-t) - 0.75))


@dataclass(frozen=True, slots=True)
class Student:
    """Student's t with `dof` > 1 degrees of freedom, times `scale`."""

    dof: float
    scale: float

    @classmethod
    def fit(cls, z: Floats, weight: Floats) -> Student:
        share = weight / weight.sum()

        def scale_of(dof: float) -> float:
            s2 = max(float(share @ z**2), _NARROWEST**2)
            for _ in range(100):  # EM for the scale: a t is a normal of random precision
                new = max(float(share @ ((dof + 1) / (dof + z**2 / s2) * z**2)), _NARROWEST**2)
                if abs(new - s2) <= 1e-10 * s2:
                    break
                s2 = new
            return float(np.sqrt(s2))

        def cost(t: float) -> float:
            dof = 1 + float(np.exp(t))
            return -float(share @ cls(dof, scale_of(dof)).logpdf(z))

        dof = 1 + float(np.exp(minimize_scalar(cost, bounds=(-3.0, 6.0), method="bounded").x))
        return cls(dof, scale_of(dof))

    def logpdf(self, z: Floats) -> Floats:
        v, t = self.dof, z / self.scale
        front = special.gammaln((v + 1) / 2) - special.gammaln(v / 2) - 0.5 * np.log(v * np.pi) - np.log(self.scale)
        return np.asarray(front - 0.5 * (v + 1) * np.log1p(t**2 / v))

    def cdf(self, z: Floats) -> Floats:
        return np.asarray(special.stdtr(self.dof, z / self.scale))

    def ppf(self, u: Floats) -> Floats:
        return np.asarray(self.scale * special.stdtrit(self.dof, u))

    def mean(self) -> float:
        return 0.0

    def entropy(self) -> float:
        v = self.dof
        half = (v + 1) / 2
        inner = half * (special.digamma(half) - special.digamma(v / 2)) + 0.5 * np.log(v) + special.betaln(v / 2, 0.5)
        return float(inner + np.log(self.scale))

    def crps(self, z: Floats) -> Floats:
        # Jordan, Krüger & Lerch 2019, doi:10.18637/jss.v090.i12
        v, t = self.dof, z / self.scale
        density = np.exp(self.logpdf(z)) * self.scale
        spread = np.exp(special.betaln(0.5, v - 0.5) - 2 * special.betaln(0.5, v / 2))
        value = (
            t * (2 * special.stdtr(v, t) - 1) + 2 * density * (v + t**2) / (v - 1) - 2 * np.sqrt(v) / (v - 1) * spread
        )
        return np.asarray(self.scale * value)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Density constant on bins, `mass` (K,) on `edges` (K + 1,), and exponential beyond: mass `tail`, mean `decay`."""

    edges: Floats
    mass: Floats
    tail: tuple[float, float]
    decay: tuple[float, float]

    @classmethod
    def fit(cls, z: Floats, weight: Floats, bins: int = 400, smoothing: float | None = None) -> Histogram:
        """Bins over the central 99 %, smoothed by the Gaussian width whose leave-one-out likelihood is best."""
        share = weight / weight.sum()
        order = np.argsort(z, kind="stable")
        below = np.cumsum(share[order])
        room = max(0.005, 5.0 / z.size) if z.size > 20 else 0.25
        low = float(z[order][np.searchsorted(below, room).clip(0, z.size - 1)])
        high = float(z[order][np.searchsorted(below, 1 - room).clip(0, z.size - 1)])
        if not high > low:
            low, high = low - 1e-3 * max(1.0, abs(low)), low + 1e-3 * max(1.0, abs(low))
        edges = np.linspace(low, high, bins + 1)
        sides = [share @ (z < low), share @ (z > high)]
        # The tails hold what lies outside, at least half an observation each.
        least = 0.5 * float((share**2).sum())
        tail = (max(float(sides[0]), least), max(float(sides[1]), least))
        excess = [share @ np.maximum(low - z, 0), share @ np.maximum(z - high, 0)]
        width = high - low
        decay = tuple(max(float(e) / s if s > 0 else 0.0, 0.02 * width) for e, s in zip(excess, sides, strict=True))
        inside = (z >= low) & (z <= high)
        bin_of = np.clip(np.searchsorted(edges, z[inside], side="right") - 1, 0, bins - 1)
        mass = _smooth(bin_of, share[inside], bins, smoothing, edges[1] - edges[0])
        mass *= (1 - sum(tail)) / mass.sum()
        return cls(edges, mass, tail, (decay[0], decay[1]))

    def _place(self, z: Floats) -> tuple[Any, Floats]:
        k = np.clip(np.searchsorted(self.edges, z, side="right") - 1, 0, self.mass.size - 1)
        return k, np.clip((z - self.edges[k]) / np.diff(self.edges)[k], 0, 1)

    def logpdf(self, z: Floats) -> Floats:
        z = np.asarray(z)
        k, _ = self._place(z)
        e, (a, b), (c, d) = self.edges, self.tail, self.decay
        inside = np.log(self.mass[k] / np.diff(e)[k])
        left = np.log(a / c) - np.maximum(e[0] - z, 0) / c
        right = np.log(b / d) - np.maximum(z - e[-1], 0) / d
        return np.asarray(np.where(z < e[0], left, np.where(z > e[-1], right, inside)))

    def cdf(self, z: Floats) -> Floats:
        z = np.asarray(z)
        k, t = self._place(z)
        e, (a, b), (c, d) = self.edges, self.tail, self.decay
        before = a + np.r_[0.0, np.cumsum(self.mass)][k]
        left = a * np.exp(-np.maximum(e[0] - z, 0) / c)
        right = 1 - b * np.exp(-np.maximum(z - e[-1], 0) / d)
        return np.asarray(np.where(z < e[0], left, np.where(z > e[-1], right, before + self.mass[k] * t)))

    def ppf(self, u: Floats) -> Floats:
        u = np.asarray(u, dtype=np.float64)
        e, (a, b), (c, d) = self.edges, self.tail, self.decay
        knots = a + np.r_[0.0, np.cumsum(self.mass)]
        inside = np.interp(u, knots, e)
        with np.errstate(divide="ignore"):
            left, right = e[0] + c * np.log(np.minimum(u / a, 1)), e[-1] - d * np.log(np.minimum((1 - u) / b, 1))
        return np.where(u < a, left, np.where(u > 1 - b, right, inside))

    def mean(self) -> float:
        e, (a, b), (c, d) = self.edges, self.tail, self.decay
        return float(self.mass @ (0.5 * (e[1:] + e[:-1])) + a * (e[0] - c) + b * (e[-1] + d))

    def entropy(self) -> float:
        (a, b), (c, d) = self.tail, self.decay
        tails = a * (1 + np.log(c / a)) + b * (1 + np.log(d / b))
        return float(tails - self.mass @ np.log(self.mass / np.diff(self.edges)))

    def crps(self, z: Floats) -> Floats:
        """∫ F² left of z plus ∫ (1 − F)² right of it: cubic within a bin, exponential in the tails."""
        z = np.asarray(z, dtype=np.float64)
        e, h, (a, b), (c, d) = self.edges, np.diff(self.edges), self.tail, self.decay
        F = a + np.r_[0.0, np.cumsum(self.mass)]
        lower = np.r_[0.0, np.cumsum(h * (F[1:] ** 2 + F[1:] * F[:-1] + F[:-1] ** 2) / 3)] + a * a * c / 2
        G = 1 - F
        upper = np.r_[np.cumsum((h * (G[1:] ** 2 + G[1:] * G[:-1] + G[:-1] ** 2) / 3)[::-1])[::-1], 0.0] + b * b * d / 2
        k, t = self._place(z)
        f = F[k] + self.mass[k] * t
        left = lower[k] + h[k] * t * (f**2 + f * F[k] + F[k] ** 2) / 3
        g = 1 - f
        right = upper[k + 1] + h[k] * (1 - t) * (g**2 + g * G[k + 1] + G[k + 1] ** 2) / 3
        inside = left + right
        far = np.maximum(e[0] - z, 0)
        low = (
            a * a * c / 2 * np.exp(-2 * far / c)
            + upper[0]
            + far
            - 2 * a * c * -np.expm1(-far / c)
            + a * a * c / 2 * -np.expm1(-2 * far / c)
        )
        out = np.maximum(z - e[-1], 0)
        high = (
            b * b * d / 2 * np.exp(-2 * out / d)
            + lower[-1]
            + out
            - 2 * b * d * -np.expm1(-out / d)
            + b * b * d / 2 * -np.expm1(-2 * out / d)
        )
        return np.asarray(np.where(z < e[0], low, np.where(z > e[-1], high, inside)))


def _smooth(bin_of: NDArray[np.int64], share: Floats, bins: int, smoothing: float | None, step: float) -> Floats:
    """Bin masses blurred by a Gaussian, of a given width in z, or the one of the best leave-one-out likelihood."""
    counts = np.bincount(bin_of, share, minlength=bins)
    squares = np.bincount(bin_of, share**2, minlength=bins)
    positions = np.arange(bins)
    best, chosen = -np.inf, np.full(bins, 1 / bins)
    widths = np.geomspace(0.6, bins / 3, 18) if smoothing is None else np.array([max(smoothing / step, 0.3)])
    for width in widths:
        kernel = np.exp(-0.5 * ((positions[:, None] - positions[None, :]) / width) ** 2)
        kernel /= kernel.sum(axis=0)
        mass = kernel @ counts
        # Leaving out a point of share s: (f − s K(0))/(1 − s), averaged over the bin.
        mean_share = np.divide(squares, counts, out=np.zeros(bins), where=counts > 0)
        without = mass - mean_share * np.diag(kernel)
        used = counts > 0
        value = float(counts[used] @ np.log(np.maximum(without[used], 1e-12)))
        if value > best:
            best, chosen = value, mass
    return np.asarray(np.maximum(chosen, 1e-9))


SHAPES: dict[str, Any] = {"normal": Normal, "laplace": Laplace, "student": Student, "histogram": Histogram}
