"""Break points for two densities on one variable, and adaptive Gauss–Legendre quadrature over the pieces between them.

Break points are draws of p and of q, then steps of a factor of four: out to ±∞, in to a finite end, and from p's middle
both ways, so that a spike, a heavy tail and a pole at the end are each seen by some piece.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kullback.families.namespace import to_host
from kullback.families.pair import PairOnLine

Vector = np.ndarray[Any, Any]
# f(y, 1 − y, log of the half-width of the piece): the width goes into the exponent, so that far tails do not underflow
Integrand = Callable[[Vector, Vector, Vector], Vector]

RTOL = 1e-10
_FINE = np.polynomial.legendre.leggauss(24)
_COARSE = np.polynomial.legendre.leggauss(16)
_ROUNDS = 40
_MOST_PIECES = 60_000


class Pieces:
    """Intervals [a, b] of t with y = origin + sign·t; `unit` marks those whose complement 1 − y is t itself."""

    def __init__(self, a: Vector, b: Vector, origin: Vector, sign: Vector, unit: Vector) -> None:
        keep = b > a
        self.a, self.b, self.origin, self.sign, self.unit = (x[keep] for x in (a, b, origin, sign, unit))

    def split(self, which: Vector) -> Pieces:
        """Those that stay, then the lower and the upper halves of `which`."""
        middle = 0.5 * (self.a[which] + self.b[which])
        stay = ~which
        join = np.concatenate
        return Pieces(
            join([self.a[stay], self.a[which], middle]),
            join([self.b[stay], middle, self.b[which]]),
            *(join([x[stay], x[which], x[which]]) for x in (self.origin, self.sign, self.unit)),
        )

    def only(self, which: Vector) -> Pieces:
        """Some of them."""
        return Pieces(*(x[which] for x in (self.a, self.b, self.origin, self.sign, self.unit)))

    def ends(self) -> list[Vector]:
        """The pieces next to where floats end, outermost first: towards ±∞, and in to a finite end."""
        order = np.argsort(self.b)
        far, near = order[::-1][:8], order[(self.a[order] > 0) & (self.b[order] < 1e-250)][:8]
        return [end for end, reached in ((far, len(far) and self.b[far[0]] > 1e250), (near, len(near))) if reached]


def break_up(pair: PairOnLine, cuts: tuple[float, ...] = (), beta: float = 0.0) -> Pieces:
    """Pieces that cover what p, q or p^{1−β}q^β have of mass; `cuts` are further break points."""
    with np.errstate(all="ignore"):
        return _break(pair, cuts, beta)


def _break(pair: PairOnLine, cuts: tuple[float, ...], beta: float) -> Pieces:
    low, high = pair.low, pair.high
    # generators take doubles
    p, q = pair.p._with(to_host), pair.q._with(to_host)
    own = np.sort(pair.own_places(_draws(p, np.random.default_rng(0))))
    other = np.sort(pair.other_places(_draws(q, np.random.default_rng(0))))
    ratio = 1.0 if pair.rho is None else float(pair.rho)
    # where a density has a corner, it is at the origin of its own variable
    corners = np.array([0.0, float(pair.other_places(np.zeros(1))[0]), *cuts])
    inner = np.unique(np.concatenate([_ranked(own), _ranked(other), corners]).astype(float))
    inner = inner[np.isfinite(inner) & (inner > low) & (inner < high)]
    if not len(inner):
        inner = np.array([0.5 * (low + high) if math.isfinite(low + high) else 1.0])
    n = len(own)
    median = float(own[n // 2])
    spread = max(float(own[int(0.8 * n)] - own[int(0.2 * n)]), abs(median) * 1e-12, 5e-324)
    middle = float(np.clip(median, inner[0], inner[-1]))
    # outwards from p's middle, so that no piece next to p is much wider than p; by its draws and by its own unit, as
    # the draws of a heavy tail may all be far out
    steps = np.concatenate([size * 4.0 ** np.arange(-2, 505) for size in (spread, 1.0) if size < 1e290])
    steps = steps[steps < 1e300 / max(1.0, ratio)]
    points = np.concatenate([inner, [middle], middle - steps, middle + steps])
    # each finite end is measured from itself: up to where the other one is nearer, or past the last draw
    ends = math.isfinite(low), math.isfinite(high)
    border = {(True, True): 0.5 * (low + high), (True, False): inner[-1], (False, True): inner[0]}.get(ends, middle)
    below = _half(low, border, middle, points[points < border], -1.0)
    above = _half(high, border, middle, points[points > border], 1.0)
    a, b, origin, sign, unit = [], [], [], [], []
    for o, t, s in (below, above):
        a.append(t[:-1])
        b.append(t[1:])
        origin.append(np.full(len(t) - 1, o))
        sign.append(np.full(len(t) - 1, s))
        unit.append(np.full(len(t) - 1, pair.unit and o == 1.0))
    return _with_mass(pair, Pieces(*(np.concatenate(x) for x in (a, b, origin, sign, unit))), beta)


def _draws(p: Any, rng: np.random.Generator) -> Vector:
    """Draws of p's standard variable; of a mixture's components, each as many, however small its weight."""
    parts = p._parts()
    if p._mixes and parts:
        return np.concatenate([_moved(part, _draws(part, rng)) for part in parts])
    return np.asarray(p._draw(rng, (512,)), dtype=float).ravel()


def _moved(p: Any, y: Vector) -> Vector:
    loc, scale = p._loc_scale()
    return np.asarray((0.0 if loc is None else loc) + (1.0 if scale is None else scale) * y, dtype=float)


def _ranked(x: Vector) -> Vector:
    """A few of the sorted draws: the extremes, and every so many in between."""
    ranks = [0, 1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 320, 384, 448, 480, 496, 504, 508, 510, 511]
    # as dense for a mixture of many as for one law
    return np.unique(np.concatenate([x[ranks], x[[len(x) - 1 - r for r in ranks]], x[:: max(len(x) // 64, 32)]]))


def _with_mass(pair: PairOnLine, pieces: Pieces, beta: float) -> Pieces:
    """Without the pieces in which neither p, nor q, nor p^{1−β}q^β has any mass that a float can hold."""
    t = pieces.a[:, None] + (pieces.b - pieces.a)[:, None] * np.array([1e-6, 0.25, 0.5, 0.75, 1.0 - 1e-6])
    y = pieces.origin[:, None] + pieces.sign[:, None] * t
    co = np.where(pieces.unit[:, None], t, 1.0 - y)
    ours, theirs, u = pair.logs(y, co)
    theirs = np.fmax(theirs, ours + beta * u)
    width = np.log(pieces.b - pieces.a)[:, None]
    return pieces.only(~(np.fmax(ours, theirs) + width < -750.0).all(axis=1))


def _half(end: float, border: float, middle: float, points: Vector, side: float) -> tuple[float, Vector, float]:
    """Break points between the border and one end, as distances from the end if it is finite, else from the middle."""
    if math.isfinite(end):
        reach = abs(end - border)
        floor = 1e-300 if end in (0.0, 1.0) else max(abs(end) * 1e-15, 1e-300)
        steps = reach * 0.25 ** np.arange(0, 600)
        t = np.unique(np.concatenate([[0.0, reach], steps[steps > floor], np.abs(end - points)]))
        return end, t[t <= reach], -side
    return middle, np.unique(np.append(np.abs(points - middle), abs(border - middle))), side


def integrate(f: Integrand, pieces: Pieces) -> tuple[float, float, Pieces]:
    """(∫f, error, pieces at the end). ∞ where the pieces next to an end do not fade."""
    with np.errstate(all="ignore"):
        fine, error = _gauss(f, pieces)
        bounds: list[float] = []
        for _ in range(_ROUNDS):
            total = math.fsum(fine)
            bound = math.fsum(error)
            if not math.isfinite(total) or bound <= 0.1 * RTOL * abs(total) or len(fine) > _MOST_PIECES:
                break
            # a small error that eight halvings do not halve is rounding
            bounds.append(bound)
            if bound < 1e-6 * math.fsum(np.abs(fine)) and len(bounds) > 8 and bound > 0.5 * bounds[-9]:
                break
            bad = error > np.maximum(0.1 * RTOL * abs(total) / len(fine), 0.05 * error.max())
            if not bad.any() or bound <= 1e-30:
                break
            halves = pieces.split(bad)
            new_fine, new_error = _gauss(f, _last(halves, 2 * int(bad.sum())))
            pieces = halves
            fine = np.concatenate([fine[~bad], new_fine])
            error = np.concatenate([error[~bad], new_error])
        total, bound = math.fsum(fine), math.fsum(error)
        if math.isnan(total) or total == math.inf:
            return (math.inf if not np.isnan(fine).any() else math.nan), math.inf, pieces
        for end in pieces.ends():
            tail = np.abs(fine[end])
            if tail.max() > 1e-3 * RTOL * abs(total):
                # what the last pieces before 1e±300 add to each factor of e does not fade: the integral has no value
                rate = tail / np.log(pieces.b[end] / np.maximum(pieces.a[end], 1e-320))
                return (math.inf if rate[0] > 0.99 * rate[-1] else total), math.inf, pieces
    rounding = 4e-16 * math.fsum(np.abs(fine))
    return total, bound + rounding, pieces


def plain_total(f: Integrand, pieces: Pieces) -> float:
    """∫f over pieces that are fine enough."""
    with np.errstate(all="ignore"):
        total = float(np.sum(_gauss(f, pieces)[0]))
    return total if math.isfinite(total) else 0.0


def _last(pieces: Pieces, n: int) -> Pieces:
    return Pieces(pieces.a[-n:], pieces.b[-n:], pieces.origin[-n:], pieces.sign[-n:], pieces.unit[-n:])


def _gauss(f: Integrand, pieces: Pieces) -> tuple[Vector, Vector]:
    results = []
    half = 0.5 * (pieces.b - pieces.a)
    middle = pieces.a + half
    for nodes, weights in (_FINE, _COARSE):
        t = middle[:, None] + half[:, None] * nodes
        y = pieces.origin[:, None] + pieces.sign[:, None] * t
        complement = np.where(pieces.unit[:, None], t, 1.0 - y)
        values = f(y, complement, np.log(half)[:, None])
        results.append(np.where(half > 0, values @ weights, 0.0))
    fine, coarse = results
    return fine, np.abs(fine - coarse)
