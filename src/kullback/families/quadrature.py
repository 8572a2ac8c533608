"""Adaptive quadrature between two densities on the line, with an error estimate that is met or refused.

The nodes live on p's standard variable y. Break points are draws of p and of q, then steps of a factor of four out to
±∞ and in to a finite end, so that a spike, a heavy tail and a pole at the end are each seen by some piece. Before the
answer is believed, p itself must integrate to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kullback._special import phi
from kullback.errors import NoClosedForm
from kullback.families.answer import QUADRATURE, Answer

Vector = np.ndarray[Any, Any]
# f(y, 1 − y, log of the half-width of the piece): the width goes into the exponent, so that far tails do not underflow
Integrand = Callable[[Vector, Vector, Vector], Vector]

RTOL = 1e-10
_EPS = 2.2e-16
_FINE = np.polynomial.legendre.leggauss(24)
_COARSE = np.polynomial.legendre.leggauss(16)
_ROUNDS = 40
_MOST_PIECES = 60_000


def kl(p: Any, q: Any) -> Answer:
    """KL(p‖q) of one pair of densities; relative error RTOL or a refusal."""
    found = estimated_kl(p, q)
    value, error = found.value, found.error
    # between two laws that are nearly one, rounding of their log-densities is all that is left to err by
    nearly_one = error <= 1e-18 and (error <= 1e-6 * value or value + error < 1e-28)
    if value == math.inf or error <= RTOL * value or nearly_one:
        return found
    from kullback.families.dispatch import no_closed_form

    reached = f"{value:.10g} ± {error:.2g}"
    raise no_closed_form(p, q, f"quadrature reached {reached}, not the relative error {RTOL:g}")


def estimated_kl(p: Any, q: Any) -> Answer:
    """KL(p‖q) with whatever error quadrature reaches; refused only where it does not see all of p."""
    _, pair = _pair(p, q)
    pieces = _pieces(pair)

    def signed(y: Vector, co: Vector, log_width: Vector) -> Vector:
        a, _, u = pair.logs(y, co)
        mass = np.exp(a + log_width)
        return np.where(mass == 0, 0.0, -u * mass)

    def positive(y: Vector, co: Vector, log_width: Vector) -> Vector:
        # p·φ(u) = q − p − p·u: integrates to the KL divergence less what q has beyond the support of p
        a, b, u = pair.logs(y, co)
        mass = np.exp(a + log_width)
        big = (u > 1.0) | (a == -math.inf)
        far = np.exp(b + log_width) - np.where(mass == 0, 0.0, mass * (1.0 + u))
        near = np.where(mass == 0, 0.0, mass * phi(np.where(big, 0.0, u), xp=np))
        return np.where(big, far, near)

    def rounding(y: Vector, co: Vector, log_width: Vector) -> Vector:
        # of log p and log q, as it enters the signed form
        a, b, _ = pair.logs(y, co)
        mass = np.exp(a + log_width)
        return np.where(mass == 0, 0.0, mass * (_EPS * (np.abs(a) + np.abs(b))))

    def damped(y: Vector, co: Vector, log_width: Vector) -> Vector:
        # and the positive form, where it counts only as far as the two differ
        a, b, u = pair.logs(y, co)
        mass = np.exp(a + log_width)
        size = _EPS * (np.abs(a) + np.abs(b)) * np.minimum(np.abs(u), 1.0)
        return np.where(mass == 0, 0.0, mass * size)

    excess = _check_mass(p, q, pair, pieces)
    value, error, last = integrate(signed, pieces)
    if value == math.inf:
        return Answer(math.inf, QUADRATURE)
    # what p misses of 1 is rounding of its normaliser, and q's may be as much: it moves log(p/q) as a whole
    error += 2.0 * excess * (1.0 + abs(value)) + _total(rounding, last)
    if error <= RTOL * abs(value):
        return Answer(value, QUADRATURE, error)
    value, error, last = integrate(positive, pieces)
    beyond, its_error = (0.0, 0.0) if pair.same_support else _mass_beyond(q, pair)
    error += its_error + 2.0 * excess * abs(value) + excess * excess + _total(damped, last)
    return Answer(max(value + beyond, 0.0), QUADRATURE, error)


def _mass_beyond(q: Any, pair: _Pair) -> tuple[float, float]:
    """Mass of q outside the support of p, and its error."""
    low, high = (float(edge) for edge in pair.p._support(pair.xp))
    return mean_of(q, lambda x: ((x < low) | (x > high)).astype(float), cuts=(low, high))


def rest_of_power(p: Any, q: Any, beta: float) -> float:
    """∫p(e^{βu} − 1), u = log(q/p): how far ∫p^{1−β}q^β is from 1."""
    _, pair = _pair(p, q)
    pieces = _pieces(pair, beta=beta)
    _check_mass(p, q, pair, pieces)

    def direct(y: Vector, co: Vector, log_width: Vector) -> Vector:
        a, _, u = pair.logs(y, co)
        u, mass = beta * u, np.exp(a + log_width)
        near = np.where(mass == 0, 0.0, mass * np.expm1(np.minimum(u, 1.0)))
        # far out both factors may leave the range of floats while their product does not
        return np.where(u > 1.0, np.exp(a + u + log_width) - mass, near)

    def curved(y: Vector, co: Vector, log_width: Vector) -> Vector:
        a, _, u = pair.logs(y, co)
        u, mass = beta * u, np.exp(a + log_width)
        far = np.exp(a + u + log_width) - np.where(mass == 0, 0.0, mass * (1.0 + u))
        return np.where(u > 1.0, far, np.where(mass == 0, 0.0, mass * phi(np.minimum(u, 1.0), xp=np)))

    value, error, _ = integrate(direct, pieces)
    if value == math.inf or error <= RTOL * abs(value):
        return value
    if pair.same_support:
        curve, error, _ = integrate(curved, pieces)
        value = curve - beta * float(kl(p, q).value)
        if error <= RTOL * abs(value) or abs(value) + error < 1e-28:
            return value
    from kullback.families.dispatch import no_closed_form

    raise no_closed_form(p, q, f"quadrature of p·(q/p)^{beta:g} reached {value:.10g} ± {error:.2g}")


def entropy(p: Any) -> Answer:
    """H(p) of one density."""
    _, pair = _pair(p, p)
    pieces = _pieces(pair)
    _check_mass(p, p, pair, pieces)

    def integrand(y: Vector, co: Vector, log_width: Vector) -> Vector:
        a = pair.log_p(y, co)
        mass = np.exp(a + log_width)
        return np.where(mass == 0, 0.0, -a * mass)

    value, error, _ = integrate(integrand, pieces)
    if error > RTOL * max(1.0, abs(value)):
        msg = (
            f"the entropy of {type(p).__name__} was integrated to {value:.10g} ± {error:.2g}; that is not good enough."
        )
        raise NoClosedForm(msg)
    return Answer(value + pair.log_scale, QUADRATURE, error)


def mean_of(p: Any, g: Callable[[Vector], Vector], *, cuts: tuple[float, ...] = ()) -> tuple[float, float]:
    """E g(x) of one density and its error; `cuts` are places where g jumps."""
    _, pair = _pair(p, p)
    pieces = _pieces(pair, tuple((x - pair.loc) / pair.scale for x in cuts))

    def integrand(y: Vector, co: Vector, log_width: Vector) -> Vector:
        mass = np.exp(pair.log_p(y, co) + log_width)
        return np.where(mass == 0, 0.0, mass * g(pair.x(y)))

    value, error, _ = integrate(integrand, pieces)
    return value, error


def moment(p: Any, order: int) -> Any:
    """Mean (order 1) or variance (order 2) where no closed form is known."""
    if p.batch_shape != ():
        values = np.empty(p.batch_shape)
        for at in np.ndindex(p.batch_shape):
            values[at] = moment(p._pick(p.batch_shape, at), order)
        return values
    if p.discrete:
        from kullback.families.sums import moment as by_sum

        return by_sum(p, order)
    first, _ = mean_of(p, lambda x: x)
    return first if order == 1 else mean_of(p, lambda x: (x - first) ** 2)[0]


# ---- the pair on one variable ----------------------------------------------------------------------------------------


class _Pair:
    """log p and log q − log p as functions of p's standard variable y, and the interval that carries y."""

    def __init__(self, p: Any, q: Any, xp: Any) -> None:
        from kullback.families.dispatch import relative

        self.p, self.q, self.xp = p, q, xp
        self.m, self.rho, self.log_rho = relative(p, q, xp)
        loc, scale = p._loc_scale()
        self.loc, self.scale = 0.0 if loc is None else float(loc), 1.0 if scale is None else float(scale)
        self.log_scale = math.log(self.scale)
        self.low, self.high = (float(edge) for edge in p._standard_support(xp))
        ours, theirs = p._support(xp), q._support(xp)
        self.same_support = all(float(x) == float(y) for x, y in zip(ours, theirs, strict=True))
        self.unit = (self.low, self.high) == (0.0, 1.0)

    def x(self, y: Vector) -> Vector:
        return self.loc + self.scale * y

    def log_p(self, y: Vector, co: Vector) -> Vector:
        return np.asarray(self.p._log_density(y, self.xp, co=co) + 0.0 * y, dtype=float)

    def logs(self, y: Vector, co: Vector) -> tuple[Vector, Vector, Vector]:
        """Log p, log q (both as densities of y) and log q − log p, 0 where p is 0."""
        log_p = self.log_p(y, co)
        # e^{−1e200} is 0, and says so before a square in the other density overflows
        log_p = np.where(log_p < -1e200, -math.inf, log_p)
        z = y if self.rho is None else self.rho * y
        z = z if self.m is None else self.m + z
        same = self.m is None and self.rho is None
        log_q = np.asarray(
            self.q._log_density(z, self.xp, co=co if same else None) + self.log_rho + 0.0 * y, dtype=float
        )
        return log_p, log_q, np.where(log_p == -math.inf, 0.0, log_q - np.where(log_p == -math.inf, 0.0, log_p))


def _pair(p: Any, q: Any) -> tuple[Any, _Pair]:
    from kullback.families.namespace import namespace_of

    xp = namespace_of(np.zeros(1))
    return xp, _Pair(p._lifted(xp), q._lifted(xp), xp)


def _check_mass(p: Any, q: Any, pair: _Pair, pieces: _Pieces) -> float:
    """How far the mass of p is from 1; refused where that is more than rounding."""
    mass, error, _ = integrate(lambda y, co, log_width: np.exp(pair.log_p(y, co) + log_width), pieces)
    if not abs(mass - 1.0) <= 1e-9 + error:
        from kullback.families.dispatch import no_closed_form

        raise no_closed_form(p, q, f"quadrature sees {mass:.10g} of the mass of p = {p!r}, expected 1")
    return abs(mass - 1.0)


# ---- pieces: each is an interval of distances from one end -----------------------------------------------------------


class _Pieces:
    """Intervals [a, b] of t with y = origin + sign·t; `unit` marks those whose complement 1 − y is t itself."""

    def __init__(self, a: Vector, b: Vector, origin: Vector, sign: Vector, unit: Vector) -> None:
        keep = b > a
        self.a, self.b, self.origin, self.sign, self.unit = (x[keep] for x in (a, b, origin, sign, unit))

    def split(self, which: Vector) -> _Pieces:
        middle = 0.5 * (self.a[which] + self.b[which])
        stay = ~which
        join = np.concatenate
        return _Pieces(
            join([self.a[stay], self.a[which], middle]),
            join([self.b[stay], middle, self.b[which]]),
            *(join([x[stay], x[which], x[which]]) for x in (self.origin, self.sign, self.unit)),
        )

    def only(self, which: Vector) -> _Pieces:
        return _Pieces(*(x[which] for x in (self.a, self.b, self.origin, self.sign, self.unit)))

    def ends(self) -> list[Vector]:
        """The pieces next to where floats end, outermost first: towards ±∞, and in to a finite end."""
        order = np.argsort(self.b)
        far, near = order[::-1][:8], order[(self.a[order] > 0) & (self.b[order] < 1e-250)][:8]
        return [end for end, reached in ((far, len(far) and self.b[far[0]] > 1e250), (near, len(near))) if reached]


def _pieces(pair: _Pair, cuts: tuple[float, ...] = (), beta: float = 0.0) -> _Pieces:
    with np.errstate(all="ignore"):
        return _break(pair, cuts, beta)


def _break(pair: _Pair, cuts: tuple[float, ...], beta: float) -> _Pieces:
    low, high = pair.low, pair.high
    own = np.sort(_draws(pair.p, np.random.default_rng(0)))
    other = np.sort(_draws(pair.q, np.random.default_rng(0)))
    shift, ratio = 0.0 if pair.m is None else pair.m, 1.0 if pair.rho is None else pair.rho
    # where a density has a corner, it is at the origin of its own variable
    corners = np.array([0.0, -shift / ratio, *cuts])
    inner = np.unique(np.concatenate([_ranked(own), (_ranked(other) - shift) / ratio, corners]))
    inner = inner[np.isfinite(inner) & (inner > low) & (inner < high)]
    if not len(inner):
        inner = np.array([0.5 * (low + high) if math.isfinite(low + high) else 1.0])
    n = len(own)
    median = float(own[n // 2])
    spread = max(float(own[int(0.8 * n)] - own[int(0.2 * n)]), abs(median) * 1e-12, 5e-324)
    middle = float(np.clip(median, inner[0], inner[-1]))
    # outwards from p's middle, so that no piece next to p is much wider than p
    steps = spread * 4.0 ** np.arange(-2, 505)
    steps = steps[steps < 1e300]
    points = np.concatenate([inner, [middle], middle - steps, middle + steps])
    # each end is measured from itself, up to where the other one is nearer
    border = 0.5 * (low + high) if math.isfinite(low) and math.isfinite(high) else middle
    below = _half(low, border, middle, points[points < border], -1.0)
    above = _half(high, border, middle, points[points > border], 1.0)
    a, b, origin, sign, unit = [], [], [], [], []
    for o, t, s in (below, above):
        a.append(t[:-1])
        b.append(t[1:])
        origin.append(np.full(len(t) - 1, o))
        sign.append(np.full(len(t) - 1, s))
        unit.append(np.full(len(t) - 1, pair.unit and o == 1.0))
    return _with_mass(pair, _Pieces(*(np.concatenate(x) for x in (a, b, origin, sign, unit))), beta)


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


def _with_mass(pair: _Pair, pieces: _Pieces, beta: float) -> _Pieces:
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
    t = np.unique(np.concatenate([[0.0], np.abs(points - middle)]))
    return middle, t, side


# ---- integration -----------------------------------------------------------------------------------------------------


def integrate(f: Integrand, pieces: _Pieces) -> tuple[float, float, _Pieces]:
    """(∫f, error, pieces at the end). ∞ where the pieces next to an end do not fade."""
    with np.errstate(all="ignore"):
        fine, error = _gauss(f, pieces)
        bounds: list[float] = []
        for _ in range(_ROUNDS):
            total = math.fsum(fine)
            bound = math.fsum(error)
            if not math.isfinite(total) or bound <= 0.1 * RTOL * abs(total) or len(fine) > _MOST_PIECES:
                break
            # next to a singularity each round takes a part of the error away; what stays is rounding
            bounds.append(bound)
            if len(bounds) > 3 and bound > 0.5 * bounds[-4]:
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
                # what the last pieces before 1e±300 add does not fade: the integral has no value
                return (math.inf if tail[0] > 0.99 * tail[-1] else total), math.inf, pieces
    rounding = 4e-16 * math.fsum(np.abs(fine))
    return total, bound + rounding, pieces


def _total(f: Integrand, pieces: _Pieces) -> float:
    with np.errstate(all="ignore"):
        total = float(np.sum(_gauss(f, pieces)[0]))
    return total if math.isfinite(total) else 0.0


def _last(pieces: _Pieces, n: int) -> _Pieces:
    return _Pieces(pieces.a[-n:], pieces.b[-n:], pieces.origin[-n:], pieces.sign[-n:], pieces.unit[-n:])


def _gauss(f: Integrand, pieces: _Pieces) -> tuple[Vector, Vector]:
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
