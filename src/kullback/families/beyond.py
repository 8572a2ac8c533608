"""Where log q leaves the range of floats: whether p·log q still adds up there, and to how much at most.

log q = −e^x is no float beyond x = 710, log q = −y⁻² none below y = 1e−154. What p has there may be nothing that
counts, more than the largest float, or a divergence that no node of a quadrature sees, as p itself underflows before.
With σ the logarithm of the distance, A(σ) = −log of p's mass per unit of σ is known as far as 1e±300, and
B(σ) = log(−log q) is continued beyond its last float as c₀ + c₁·e^{γσ}: exactly so for powers of the distance, for
exponentials and for exponentials of powers. p·log q adds up where A − B grows; p^{1−β}q^β has a logarithm of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback.families.pair import PairOnLine
from kullback.families.pieces import Pieces

Vector = np.ndarray[Any, Any]

_RANGE = math.log(1e300)
# from here on log(−log q) is near the end of floats, or −log q where the logarithm of a density that underflows ends
_LARGE, _UNDERFLOWED = 690.0, (690.0, 760.0)
# of A or B: what the continuation is known to
_NOISE = 1e-9
# a slope that is none
_FLAT = 1e-7
# logarithms with more rounding than this say nothing, unless the integrand has faded so far; places that show its trend
_DOUBT, _FADED, _TREND = 1e-3, 50.0, 12


@dataclass(frozen=True, slots=True)
class Blind:
    """One side of p, from y = `edge` on, where log q is no float."""

    low: bool
    edge: float
    # log of ∫p·|log q| there, from above; ∞ where it does not add up
    height: float
    # whether −log q is beyond the largest float, or only the density below the smallest one
    overflow: bool

    def hides(self, y: Vector) -> Any:
        """Which y lie there."""
        return y <= self.edge if self.low else y >= self.edge


class _Side:
    """Places on one side of p by σ, which grows towards its end."""

    def __init__(self, pair: PairOnLine, *, low: bool) -> None:
        self.pair, self.low = pair, low
        self.end = pair.low if low else pair.high
        self.sign = -1.0 if low else 1.0
        self.finite = math.isfinite(self.end)
        self.origin = self.end if self.finite else self._inner()
        reach = 1.0 if not pair.unit else 0.5
        self.start = -_RANGE if not (self.finite and pair.unit) else -math.log(reach)

    def _inner(self) -> float:
        """A place where log q is a float: p's own origin, or one the other way, or past a finite end."""
        steps = 10.0 ** np.arange(-3.0, 300.0)
        other = self.pair.high if self.low else self.pair.low
        if math.isfinite(other):
            places = np.concatenate([other + self.sign * steps, other + self.sign / steps])
        else:
            places = np.concatenate([[0.0], -self.sign * steps])
        good = np.flatnonzero(np.isfinite(self.pair.logs(places, 1.0 - places)[1]))
        return float(places[good[0]]) if len(good) else math.nan

    def at(self, sigma: Vector) -> tuple[Vector, Vector]:
        """(y, 1 − y)."""
        if not self.finite:
            y = self.origin + self.sign * np.exp(sigma)
            return y, 1.0 - y
        t = np.exp(-sigma)
        y = self.end - self.sign * t
        return y, t if self.end == 1.0 else 1.0 - y

    def sigma(self, y: Vector) -> Vector:
        """Of places on this side."""
        t = np.log(np.abs(y - self.origin))
        return -t if self.finite else t

    def cost(self, sigma: Vector) -> Vector:
        """−log q."""
        return -self.pair.logs(*self.at(sigma))[1]

    def rarity(self, sigma: Vector) -> Vector:
        """A: −log of p's mass per unit of σ."""
        return -self.pair.log_p(*self.at(sigma)) - (-sigma if self.finite else sigma)


def blind_sides(pair: PairOnLine, pieces: Pieces, beta: float = 0.0) -> list[Blind]:
    """The sides of p at which log q leaves the range of floats, for p·log q or (β ≠ 0) for p^{1−β}q^β."""
    with np.errstate(all="ignore"):
        found = [_blind(_Side(pair, low=low), pieces, beta) for low in (True, False)]
    return [side for side in found if side is not None]


def _blind(side: _Side, pieces: Pieces, beta: float) -> Blind | None:
    if math.isnan(side.origin) or (side.finite and side.end != 0.0 and not (side.pair.unit and side.end == 1.0)):
        return None
    grid = np.linspace(side.start, _RANGE, 2000)
    cost = side.cost(grid)
    seen = np.isfinite(cost)
    if seen.all() or not seen.any():
        return None
    last = int(np.flatnonzero(seen)[-1])
    if last + 1 == len(grid):
        return None
    edge = _last_before(lambda s: ~np.isfinite(side.cost(s)), grid[last], grid[last + 1])
    top = float(side.cost(np.array([edge]))[0])
    overflow = math.log(top) > _LARGE if top > 0 else False
    if not overflow and not _UNDERFLOWED[0] < top < _UNDERFLOWED[1]:
        return None
    y = float(side.at(np.array([edge]))[0][0])
    sigma, A, B = _continued(side, grid[: last + 1], cost[: last + 1], edge, pieces, depth=350.0 if overflow else 0.9)
    if beta:
        # log t enters each density once, and the integrand once
        log_t = -sigma if side.finite else sigma
        height = _log_total(sigma, -(1.0 - beta) * A - beta * (np.exp(B) - log_t), A)
    else:
        height = _log_total(sigma, B - A, A)
    return Blind(side.low, y, height, overflow)


def unsure_sides(pair: PairOnLine, beta: float) -> list[Blind]:
    """For β < 0, the sides of p on which p^{1−β}q^β is what is left of two logarithms that have cancelled to nothing.

    Its logarithm per unit of σ is followed as far as it is known; if it still rises there, the integral diverges.
    """
    with np.errstate(all="ignore"):
        found = [_unsure(_Side(pair, low=low), beta) for low in (True, False)]
    return [side for side in found if side is not None]


def _unsure(side: _Side, beta: float) -> Blind | None:
    if math.isnan(side.origin):
        return None
    sigma = np.linspace(side.start, _RANGE, 2000)
    y, co = side.at(sigma)
    log_p, _, u = side.pair.logs(y, co)
    height = log_p + beta * u + (-sigma if side.finite else sigma)
    doubt = 4.0 * np.finfo(float).eps * (np.abs(log_p) + np.abs(beta * u))
    known = np.isfinite(height) & (doubt < _DOUBT)
    if not known.any():
        return None
    open_ = np.isfinite(height) & ~known & (height + doubt > height[known].max() - _FADED)
    if not open_.any():
        return None
    first = int(np.argmax(open_))
    before = np.flatnonzero(known[:first])
    if len(before) < _TREND:
        return None
    k = int(before[-1])
    slope = float((height[k] - height[before[-_TREND]]) / (sigma[k] - sigma[before[-_TREND]]))
    # what a power leaves beyond: its height over its slope
    left = float(height[k]) - math.log(-slope) if slope < -_FLAT else math.inf
    return Blind(side.low, float(y[k]), left, overflow=False)


def _last_before(beyond: Any, inside: float, outside: float) -> float:
    """Nearly the last float before `beyond` holds, which it does at `outside`."""
    for _ in range(6):
        between = np.linspace(inside, outside, 66)
        k = int(np.argmax(np.append(beyond(between[1:-1]), True)))
        inside, outside = float(between[k]), float(between[k + 1])
    return inside


def _continued(
    side: _Side, grid: Vector, cost: Vector, edge: float, pieces: Pieces, *, depth: float
) -> tuple[Vector, Vector, Vector]:
    """(σ, A, B) beyond the edge, where A is a float."""

    def log_cost(sigma: Vector) -> Vector:
        return np.log(side.cost(sigma))

    top, first = float(log_cost(np.array([edge]))[0]), float(np.log(cost[0]))
    level = max(top - depth, 0.5 * (top + first)) if first < top else top - depth
    below = np.flatnonzero(~(np.log(cost) > level))
    start = float(grid[below[-1]]) if len(below) else float(grid[0])
    h = 0.5 * (edge - _last_before(lambda s: log_cost(s) > level, start, edge))
    steps = np.diff(log_cost(edge - h * np.array([2.0, 1.0, 0.0])))
    ratio = float(steps[1] / steps[0])
    far = side.sigma(pieces.origin + pieces.sign * pieces.b)
    sigma = np.unique(np.concatenate([np.linspace(edge, _RANGE, 400), edge + np.geomspace(1e-9, 1.0, 40), far]))
    sigma = sigma[(sigma >= edge) & (sigma <= _RANGE)]
    A = side.rarity(sigma)
    n = (sigma - edge) / h
    growth = n if abs(ratio - 1.0) < 1e-9 else ratio * np.expm1(n * math.log(ratio)) / (ratio - 1.0)
    known = np.isfinite(A)
    return sigma[known], A[known], (top + float(steps[1]) * growth)[known]


def _log_total(sigma: Vector, excess: Vector, A: Vector) -> float:
    """Log of ∫e^excess dσ, from above; ∞ where it does not fall in the end."""
    # what is left of two that are nearly one is the error of the continuation
    known = (np.abs(excess) > _NOISE * np.abs(A)) | (np.abs(A) < 1e4)
    sigma, excess = sigma[known], excess[known]
    if len(sigma) < 3:
        return float(np.max(excess, initial=-math.inf))
    # the slope at the far end, and half-way to it: what falls ever less, as of a power, does not fall in the end
    slope, before = (_slope(sigma, excess, share) for share in (1.0, 0.5))
    if excess[-1] == math.inf or (slope > -_FLAT and slope >= before - 0.05 * abs(before) - _FLAT):
        return math.inf
    highest = np.maximum(excess[1:], excess[:-1]) + np.log(np.diff(sigma))
    return float(np.logaddexp.reduce(highest))


def _slope(sigma: Vector, excess: Vector, share: float) -> float:
    k = max(int(share * (len(sigma) - 1)), 1)
    return float((excess[k] - excess[k - 1]) / (sigma[k] - sigma[k - 1]))
