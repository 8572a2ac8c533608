"""What two densities have beyond the range of floats, in closed form where both are powers there.

Gamma(0.001, 0.001), a usual prior, has half of its mass below 1e−300. With σ = log t, t the distance from the end (or
−log|y| towards ±∞), log p = L₀ + λ(σ−σ₀) and log q = M₀ + μ(σ−σ₀); p's mass per unit of σ falls as e^{A(σ−σ₀)}, so that
the tail has the mass w = t₀e^{L₀}/A, and E(σ−σ₀) = −1/A in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kullback.families.pair import PairOnLine
from kullback.families.pieces import Pieces

_EPS = 2.2e-16
_DISTANCES = np.array([1e-250, 1e-275, 1e-300])
_REACH = math.log(_DISTANCES[0] / _DISTANCES[2])


@dataclass(frozen=True, slots=True)
class PowerTail:
    """One end: the mass and the decay of p there, and the logarithms and slopes of both densities where it begins."""

    low: bool
    finite: bool
    mass: float
    decay: float
    log_p: float
    log_q: float
    slope_p: float
    slope_q: float
    noise: float

    def kl(self) -> tuple[float, float]:
        """∫p·log(p/q) over the tail, and its error."""
        value = self.mass * (self.log_p - self.log_q - (self.slope_p - self.slope_q) / self.decay)
        return value, self.mass * self.noise * (1.0 + 2.0 / (_REACH * self.decay))

    def entropy(self) -> float:
        """−∫p·log p over the tail."""
        return -self.mass * (self.log_p - self.slope_p / self.decay)

    def with_mass(self, mass: float) -> PowerTail:
        """The same end, its decay told by its mass: more digits than a slope has where nearly all is in the tail."""
        return PowerTail(
            self.low, self.finite, mass, self.decay * self.mass / mass,
            self.log_p, self.log_q, self.slope_p, self.slope_q, self.noise,
        )  # fmt: skip


def power_tails(pair: PairOnLine) -> list[PowerTail]:
    """The ends at which p has mass beyond the range of floats and both densities are powers."""
    found = []
    for low, end in ((True, pair.low), (False, pair.high)):
        tail = _tail(pair, low=low, end=end)
        if tail is not None:
            found.append(tail)
    return found


def _tail(pair: PairOnLine, *, low: bool, end: float) -> PowerTail | None:
    finite = math.isfinite(end)
    if finite and not (end == 0.0 or (pair.unit and end == 1.0)):
        return None
    t = _DISTANCES if finite else 1.0 / _DISTANCES
    y = end - t if finite and not low else (-t if low and not finite else t)
    co = t if finite and end == 1.0 else 1.0 - y
    with np.errstate(all="ignore"):
        log_p, log_q, _ = pair.logs(y, co)
    if not (np.isfinite(log_p).all() and np.isfinite(log_q).all()):
        return None
    sigma = np.log(t) if finite else -np.log(t)
    noise = _EPS * float(np.max(np.abs(log_p)) + np.max(np.abs(log_q)))
    slopes = [np.diff(x) / np.diff(sigma) for x in (log_p, log_q)]
    if any(abs(s[0] - s[1]) > 0.2 * noise + 1e-12 * abs(s[0]) for s in slopes):
        return None
    slope_p, slope_q = (float((x[0] - x[2]) / (sigma[0] - sigma[2])) for x in (log_p, log_q))
    decay = slope_p + (1.0 if finite else -1.0)
    if not decay > 1e-12:
        return None
    mass = math.exp(min(float(log_p[0] + math.log(t[0])), 700.0)) / decay
    if mass < 1e-30:
        return None
    return PowerTail(low, finite, mass, decay, float(log_p[0]), float(log_q[0]), slope_p, slope_q, noise)


def without(pieces: Pieces, tails: list[PowerTail], pair: PairOnLine) -> Pieces:
    """The pieces up to where the tails begin."""
    a, b = pieces.a.copy(), pieces.b.copy()
    for tail in tails:
        if tail.finite:
            here = pieces.origin == (pair.low if tail.low else pair.high)
            a[here] = np.maximum(a[here], _DISTANCES[0])
        else:
            here = pieces.sign == (-1.0 if tail.low else 1.0)
            b[here] = np.minimum(b[here], 1.0 / _DISTANCES[0])
    return Pieces(a, b, pieces.origin, pieces.sign, pieces.unit)
