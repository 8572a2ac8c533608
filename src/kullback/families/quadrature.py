"""Adaptive quadrature between two densities on the line, with an error estimate that is met or refused.

The nodes live on p's standard variable y. What lies beyond the range of floats is a power of it or nothing, and is
added in closed form. Before the answer is believed, p itself must integrate to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kullback._special import phi, psi
from kullback.errors import NoClosedForm
from kullback.families.answer import QUADRATURE, Answer
from kullback.families.beyond import blind_sides, unsure_sides
from kullback.families.log_scale import on_log_scale
from kullback.families.pair import PairOnLine, on_one_variable
from kullback.families.pieces import RTOL, Pieces, break_up, integrate, plain_total
from kullback.families.power_tails import PowerTail, power_tails, without

Vector = np.ndarray[Any, Any]
_EPS = 2.2e-16
# of long double, and the coefficients of a series in it
_FINER_EPS = 3e-19
# logarithm of what is larger than any float
_LARGEST = 720.0


def kl(p: Any, q: Any) -> Answer:
    """KL(p‖q) of one pair of densities; relative error RTOL or, below 1e−14, six digits; or a refusal."""
    found = estimated_kl(p, q)
    value, error = found.value, found.error
    # below 1e−14 even long double leaves fewer digits; two laws that rounding cannot tell apart have none
    tiny = error <= 1e-24 and (error <= 1e-6 * value or value + error < 1e-28)
    if value == math.inf or error <= RTOL * value or tiny:
        return found
    from kullback.families.dispatch import no_closed_form

    reached = f"{value:.10g} ± {error:.2g}"
    why = f"quadrature reached {reached}, not the relative error {RTOL:g}"
    raise no_closed_form(p, q, " ".join([why, *found.notes]))


def estimated_kl(p: Any, q: Any) -> Answer:
    """KL(p‖q) with whatever error quadrature reaches; refused only where it does not see all of p."""
    try:
        found = _estimated(p, q, on_one_variable(p, q))
        if math.isfinite(found.error) or (on_logs := on_log_scale(p, q)) is None:
            return found
    except NoClosedForm:
        on_logs = on_log_scale(p, q)
        if on_logs is None:
            raise
    return _estimated(p, q, on_logs)


def _estimated(p: Any, q: Any, pair: PairOnLine) -> Answer:
    pieces = break_up(pair)
    pair.hidden = blind_sides(pair, pieces)
    highest = max((side.height for side in pair.hidden), default=-math.inf)
    if highest > _LARGEST:
        return Answer(math.inf, QUADRATURE)
    unseen = 2.0 * math.exp(min(highest, 709.0))
    notes = _what_is_hidden(pair) if unseen > 1e-12 else ()

    def signed(y: Vector, co: Vector, log_width: Vector) -> Vector:
        a, _, u = pair.logs(y, co)
        mass = np.exp(a + log_width)
        return np.where(mass == 0, 0.0, -u * mass)

    def rounding(y: Vector, co: Vector, log_width: Vector) -> Vector:
        # of log p and log q, as it enters the signed form
        a, b, _ = pair.logs(y, co)
        mass = np.exp(a + log_width)
        return np.where(mass == 0, 0.0, mass * (_EPS * (np.abs(a) + np.abs(b)) + pair.noise(y)))

    excess, pieces, tails = _all_of(p, q, pair, pieces)
    value, error, last = integrate(signed, pieces)
    for part, its_error in (tail.kl() for tail in tails):
        value, error = value + part, error + its_error
    if value == math.inf:
        return Answer(math.inf, QUADRATURE)
    # what p misses of 1 is rounding of its normaliser, and q's may be as much: it moves log(p/q) as a whole
    error += unseen + 2.0 * excess * (1.0 + abs(value)) + plain_total(rounding, last)
    if error <= RTOL * abs(value) or tails:
        return Answer(value, QUADRATURE, error, notes)
    beyond = (0.0, 0.0) if pair.same_support else _mass_beyond(q, pair)
    value, error = _curved(pair, pieces, beyond, _EPS, excess)
    if error > RTOL * value and (finer := pair.finer()) is not None:
        value, error = _curved(finer, last, beyond, _FINER_EPS, excess)
    return Answer(max(value, 0.0), QUADRATURE, error + unseen, notes)


def _curved(
    pair: PairOnLine, pieces: Pieces, beyond: tuple[float, float], eps: float, excess: float
) -> tuple[float, float]:
    """∫p·φ(u) + q's mass beyond p − ψ(m), and its error; m is by how much q is more than 1.

    p·φ(u) = q − p − p·u is ≥ 0 and keeps its digits where p and q are close; −ψ(m) takes out what the constant of log q
    has of rounding, whatever its size.
    """

    def positive(y: Vector, co: Vector, log_width: Vector) -> Vector:
        a, b, u = pair.logs(y, co)
        mass = np.exp(a + log_width)
        big = (u > 1.0) | (a == -math.inf)
        far = np.exp(b + log_width) - np.where(mass == 0, 0.0, mass * (1.0 + u))
        near = np.where(mass == 0, 0.0, mass * phi(np.where(big, 0.0, u), xp=np))
        return np.where(big, far, near)

    def more(y: Vector, co: Vector, log_width: Vector) -> Vector:
        a, b, u = pair.logs(y, co)
        mass = np.exp(a + log_width)
        big = (u > 1.0) | (a == -math.inf)
        return np.asarray(np.where(big, np.exp(b + log_width) - mass, mass * np.expm1(np.where(big, 0.0, u))))

    def damped(y: Vector, co: Vector, log_width: Vector) -> Vector:
        # the rounding of log p and log q counts only as far as the two differ
        a, b, u = pair.logs(y, co)
        mass = np.exp(a + log_width)
        size = (eps * (np.abs(a) + np.abs(b)) + pair.noise(y)) * np.minimum(np.abs(u), 1.0)
        return np.where(mass == 0, 0.0, mass * size)

    value, error, last = integrate(positive, pieces)
    m, m_error = plain_total(more, last) + beyond[0], plain_total(damped, last) + beyond[1]
    value += beyond[0] - float(psi(np.float64(m), xp=np))
    return value, error + beyond[1] + 2.0 * excess * abs(value) + m_error * (1.0 + abs(m))


def _what_is_hidden(pair: PairOnLine) -> tuple[str, ...]:
    """Said where log q is no float and p may have what counts there."""
    return tuple(
        f"({'Below' if side.low else 'Above'} x = {pair.x(np.asarray(side.edge)):.6g} log q is no float.)"
        for side in pair.hidden
        if side.height > -40.0
    )


def _mass_beyond(q: Any, pair: PairOnLine) -> tuple[float, float]:
    """Mass of q outside the support of p, and its error."""
    low, high = (float(edge) for edge in pair.p._support(pair.xp))
    return mean_of(q, lambda x: ((x < low) | (x > high)).astype(float), cuts=(low, high))


def rest_of_power(p: Any, q: Any, beta: float) -> float:
    """∫p(e^{βu} − 1), u = log(q/p): how far ∫p^{1−β}q^β is from 1."""
    pair = on_one_variable(p, q)
    pieces = break_up(pair, beta=beta)
    # what overflows says so by itself; where only q underflows, p^{1−β}q^β may still be something
    hidden = [side for side in blind_sides(pair, pieces, beta) if not side.overflow]
    if beta < 0:
        unsure = unsure_sides(pair, beta)
        if any(side.height == math.inf for side in unsure):
            return math.inf
        hidden += unsure
        pair.hidden = hidden
    unseen = sum(2.0 * math.exp(min(side.height, 709.0)) for side in hidden)
    if _all_of(p, q, pair, pieces)[2]:
        from kullback.families.dispatch import no_closed_form

        raise no_closed_form(p, q, "a part of p lies beyond the range of floats")

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
    error += unseen
    if value == math.inf or error <= RTOL * abs(value):
        return value
    if pair.same_support:
        curve, error, _ = integrate(curved, pieces)
        error += unseen
        value = curve - beta * float(kl(p, q).value)
        if error <= RTOL * abs(value) or abs(value) + error < 1e-28:
            return value
    from kullback.families.dispatch import no_closed_form

    raise no_closed_form(p, q, f"quadrature of p·(q/p)^{beta:g} reached {value:.10g} ± {error:.2g}")


def entropy(p: Any) -> Answer:
    """H(p) of one density."""
    pair = on_one_variable(p, p)
    _, pieces, tails = _all_of(p, p, pair, break_up(pair))

    def integrand(y: Vector, co: Vector, log_width: Vector) -> Vector:
        a = pair.log_p(y, co)
        mass = np.exp(a + log_width)
        return np.where(mass == 0, 0.0, -a * mass)

    value, error, _ = integrate(integrand, pieces)
    value += sum(tail.entropy() for tail in tails)
    if error > RTOL * max(1.0, abs(value)):
        msg = (
            f"the entropy of {type(p).__name__} was integrated to {value:.10g} ± {error:.2g}; that is not good enough."
        )
        raise NoClosedForm(msg)
    return Answer(value + pair.log_scale, QUADRATURE, error)


def mean_of(p: Any, g: Callable[[Vector], Vector], *, cuts: tuple[float, ...] = ()) -> tuple[float, float]:
    """E g(x) of one density and its error; `cuts` are places where g jumps."""
    pair = on_one_variable(p, p)
    pieces = break_up(pair, tuple((x - pair.loc) / pair.scale for x in cuts))

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


def _all_of(p: Any, q: Any, pair: PairOnLine, pieces: Pieces) -> tuple[float, Pieces, list[PowerTail]]:
    """How far p's mass is from 1, the pieces, and the tails beyond floats; refused where not all of p is seen."""
    tails = power_tails(pair)
    pieces = without(pieces, tails, pair)
    mass, error, _ = integrate(lambda y, co, log_width: np.exp(pair.log_p(y, co) + log_width), pieces)
    seen = mass + sum(tail.mass for tail in tails)
    noise = sum(tail.mass * tail.noise * (1.0 + 0.02 / tail.decay) for tail in tails)
    if not abs(seen - 1.0) <= 1e-9 + min(error, 1e-9) + noise:
        from kullback.families.dispatch import no_closed_form

        raise no_closed_form(p, q, f"quadrature sees {seen:.10g} of the mass of p = {p!r}, expected 1")
    if len(tails) == 1 and tails[0].mass > 0.01:
        return 0.0, pieces, [tails[0].with_mass(1.0 - mass)]
    return abs(seen - 1.0), pieces, tails
