"""Exact and bounded sums over the whole numbers, for mass functions without a closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._special import phi
from kullback.errors import NoClosedForm
from kullback.families.answer import FINITE_SUM, TRUNCATED_SUM, Answer

Vector = np.ndarray[Any, Any]

_LARGEST = 20_000_000
_TOLERANCE = 1e-15


def kl(p: Any, q: Any) -> Answer:
    """KL(p‖q) of one pair of mass functions."""
    xp, p, q = _lifted(p, q)

    def positive(x: Vector) -> Vector:
        # p·φ(u) = q − p − p·u ≥ 0 with u = log(q/p); q alone where p is 0. Adds up over all of q's support
        a, b = p._log_mass(x, xp), q._log_mass(x, xp)
        u = np.where(a == -math.inf, 0.0, b - a)
        big = u > 1.0
        near = np.exp(a) * phi(np.where(big, 0.0, u), xp=np)
        far = np.exp(b) - np.exp(a) * (1.0 + u)
        both: Vector = np.where(a == -math.inf, np.exp(b), np.where(big, far, near))
        return both

    def signed(x: Vector) -> Vector:
        a, b = p._log_mass(x, xp), q._log_mass(x, xp)
        return np.where(a == -math.inf, 0.0, (a - np.where(a == -math.inf, 0.0, b)) * np.exp(a))

    try:
        return _summed(p, q, positive, q._support(xp))
    except NoClosedForm:
        # q's tail is too long to add up; p's may not be
        return with_power_tail(p, q, signed) if p._power_tail else _summed(p, q, signed, p._support(xp))


def rest_of_power(p: Any, q: Any, beta: float) -> float:
    """Σp(e^{βu} − 1), u = log(q/p): how far Σp^{1−β}q^β is from 1."""
    xp, p, q = _lifted(p, q)

    def terms(x: Vector) -> Vector:
        a, b = p._log_mass(x, xp), q._log_mass(x, xp)
        none = a == -math.inf
        u = np.where(none, 0.0, beta * (b - np.where(none, 0.0, a)))
        return np.where(none, 0.0, np.exp(a) * np.expm1(u))

    return float(_summed(p, q, terms, p._support(xp)).value)


def entropy(p: Any) -> Answer:
    """H(p) of one mass function."""
    xp, p, _ = _lifted(p, p)

    def terms(x: Vector) -> Vector:
        a = p._log_mass(x, xp)
        return np.where(a == -math.inf, 0.0, -a * np.exp(a))

    return _summed(p, p, terms, p._support(xp))


def moment(p: Any, order: int) -> float:
    """Mean (order 1) or variance (order 2)."""
    xp, p, _ = _lifted(p, p)
    first = float(_summed(p, p, lambda x: x * np.exp(p._log_mass(x, xp)), p._support(xp)).value)
    if order == 1:
        return first
    return float(_summed(p, p, lambda x: (x - first) ** 2 * np.exp(p._log_mass(x, xp)), p._support(xp)).value)


def _lifted(p: Any, q: Any) -> tuple[Any, Any, Any]:
    from kullback.families.namespace import namespace_of

    xp = namespace_of(np.zeros(1))
    return xp, p._lifted(xp), q._lifted(xp)


def _summed(p: Any, q: Any, terms: Any, support: tuple[Any, Any]) -> Answer:
    low, high = (float(edge) for edge in support)
    with np.errstate(all="ignore"):
        if high - low < _LARGEST:
            values = terms(np.arange(low, high + 1.0))
            return Answer(math.fsum(values), FINITE_SUM)
        return _outward(p, q, terms, low, high)


def _outward(p: Any, q: Any, terms: Any, low: float, high: float) -> Answer:
    """From the middle of p outwards, until a geometric series bounds what is left on each side.

    The ratio of neighbouring terms is taken as its largest value in the last block: it only falls further out for laws
    whose tails are log-concave in ratio to q's growth, which all of ours but the zeta family have.
    """
    middle = float(np.clip(np.round(p._center()), low, high))
    spread = math.sqrt(abs(float(p.variance)))
    most = min(max(1_000_000, 60.0 * spread), _LARGEST) if math.isfinite(spread) else 1_000_000
    total = [math.fsum(terms(np.array([middle])))]
    error = 0.0
    for sign, end in ((1.0, high), (-1.0, low)):
        position, width, count = middle, 256, 0
        while True:
            room = abs(end - position)
            n = int(min(width, room))
            if n == 0:
                break
            x = position + sign * np.arange(1.0, n + 1.0)
            values = terms(x)
            if np.isinf(values).any():
                return Answer(math.inf, TRUNCATED_SUM)
            total.append(math.fsum(values))
            position, width, count = x[-1], min(2 * width, 1 << 20), count + n
            rest = _geometric_rest(values)
            if rest <= _TOLERANCE * abs(math.fsum(total)):
                error += rest
                break
            if count > most:
                from kullback.families.dispatch import no_closed_form

                raise no_closed_form(p, q, f"after {count} terms the rest of the sum could still be {rest:.2g}")
    value = math.fsum(total)
    return Answer(value, TRUNCATED_SUM, error + 4e-16 * abs(value))


def with_power_tail(p: Any, q: Any, terms: Any) -> Answer:
    """Σ terms(x), x = 1, 2, …, masses smooth in x that fall as a power: N terms, then the midpoint rule's integral.

    Σ_{x ≥ N} g(x) = ∫_{N−½}^∞ g + g′(N−½)/24 − 7g‴(N−½)/5760 + …, and by terms of relative size (s/N)² and (s/N)⁴.
    """
    from kullback.families.dispatch import no_closed_form

    n = 20_000.0
    nodes, weights = np.polynomial.legendre.leggauss(24)
    with np.errstate(all="ignore"):
        first = math.fsum(terms(np.arange(1.0, n)))
        low = n - 0.5
        slope = float(np.diff(terms(np.array([low - 0.5, low + 0.5])))[0])
        # as far as masses are floats
        edges = np.concatenate([np.arange(0.0, 10.0, 0.25), np.arange(10.0, 690.0 / float(p.exponent), 2.5)])
        half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
        s = middle + half * nodes
        x = low * np.exp(s)
        parts = (terms(x) * x * half) @ weights
    tail = math.fsum(parts)
    last = abs(float(parts[-1])) / max(abs(tail), 5e-324)
    if last > 1e-14:
        if parts[-1] >= parts[-9] > 0:
            return Answer(math.inf, TRUNCATED_SUM)
        raise no_closed_form(p, q, "the tails fade too slowly to be summed or integrated")
    value = first + tail + slope / 24.0
    error = abs(slope) / 24.0 * 1e-3 / n + 1e-15 * (abs(first) + abs(tail)) + last * abs(tail) * 1e3
    return Answer(value, TRUNCATED_SUM, error)


def _geometric_rest(values: Vector) -> float:
    size = np.abs(values)
    last = float(size[-1])
    if last == 0.0:
        return 0.0
    if len(size) < 8:
        return math.inf
    tail = size[-(len(size) // 2) :]
    ratio = float((tail[1:] / tail[:-1]).max())
    return last * ratio / (1.0 - ratio) if ratio < 1.0 else math.inf
