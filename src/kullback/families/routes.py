"""The closed routes between two laws on the line: stable form, one-to-one map, expectations, support."""

from __future__ import annotations

import math
from typing import Any

from kullback._special import log_ratio
from kullback.families.answer import EXPECTATIONS, INVARIANCE, STABLE, SUPPORT, Answer
from kullback.families.base import Family
from kullback.families.line import Line, mean_of_terms, sized_mean
from kullback.families.namespace import is_concrete

Array = Any
Namespace = Any

# Of the largest of the terms that a divergence is left of: what their rounding may come to.
ROUNDING = 1e-14


def line_kl(p: Line, q: Line, xp: Namespace) -> Answer | None:
    """The closed routes between two laws on the line, lifted; None where a pair has none."""
    if p.discrete != q.discrete:
        note = "One side is discrete and the other continuous: neither has a density with respect to the other."
        return Answer(math.inf + 0.0 * anchor(p, q, xp), SUPPORT, notes=(note,))
    inside = contained(p, q, xp)
    if inside is False:
        return Answer(math.inf + 0.0 * anchor(p, q, xp), SUPPORT)
    answer = _closed(p, q, xp)
    if answer is None or inside is True:
        return answer
    value = xp.where(inside, answer.value, xp.double(math.inf))
    return Answer(value, answer.method, size=answer.size)


def _closed(p: Line, q: Line, xp: Namespace) -> Answer | None:
    anchored = p._positive and q._positive
    if not anchored or _difference(p._loc(), q._loc()) is None:
        value = p._stable(q, xp)
        if value is not None:
            return Answer(value, STABLE)
        mapped = p._mapped(q, xp)
        if mapped is not None:
            value = mapped[0]._stable(mapped[1], xp)
            if value is not None:
                return Answer(value, INVARIANCE)
    terms = q._terms(xp)
    if terms is None:
        return None
    m, rho, log_rho = relative(p, q, xp)
    sized = sized_mean(p, terms, m, rho, xp=xp)
    if sized is None:
        return None
    own = p._standard_entropy(xp)
    if own is None:
        return None
    expected, size = xp.double(sized[0]), sized[1]
    value = -own - expected - log_rho
    size = xp.maximum(xp.maximum(size, xp.abs(xp.double(own))), xp.abs(xp.double(log_rho)))
    # the divergence is ≥ 0: what rounded terms leave below it is rounding
    value = xp.where((value < 0) & (value > -ROUNDING * size), xp.zeros_like(value), value)
    infinite = expected == -math.inf
    value = xp.where(infinite, math.inf + xp.zeros_like(value), value)
    return Answer(value, EXPECTATIONS, size=xp.where(infinite, xp.zeros_like(value), size))


def line_cross_entropy(p: Line, q: Line, xp: Namespace) -> Array | None:
    """−E_p[log q], lifted; None where p does not know a feature of q."""
    if not isinstance(q, Line):
        return None
    if p.discrete != q.discrete:
        return math.inf + 0.0 * anchor(p, q, xp)
    inside = contained(p, q, xp)
    if inside is False:
        return math.inf + 0.0 * anchor(p, q, xp)
    terms = q._terms(xp)
    m, rho, _ = relative(p, q, xp)
    expected = None if terms is None else mean_of_terms(p, terms, m, rho, xp=xp, sign=-1.0)
    if expected is None:
        return None
    _, scale = q._loc_scale()
    value = expected if scale is None else expected + xp.log(xp.double(scale))
    return value if inside is True else xp.where(inside, value, xp.double(math.inf))


def relative(p: Line, q: Line, xp: Namespace) -> tuple[Array | None, Array | None, Array]:
    """(m, ρ, log ρ) with z = m + ρy, q's standard variable in p's; None for a known 0 and a known 1."""
    (loc1, scale1), (loc2, scale2) = p._loc_scale(), q._loc_scale()
    m = _difference(loc1, loc2)
    if m is not None and scale2 is not None:
        m = m / scale2
    if scale1 is None and scale2 is None:
        return m, None, 0.0
    one = xp.double(1.0)
    s1, s2 = (one if s is None else xp.double(s) for s in (scale1, scale2))
    return m, s1 / s2, log_ratio(s1 + 0.0 * s2, s2 + 0.0 * s1, xp=xp)


def _difference(x: Any, y: Any) -> Any:
    """X − y, None where it is known to be 0."""
    if x is None and y is None:
        return None
    d = (0.0 if x is None else x) - (0.0 if y is None else y)
    if isinstance(d, float):
        return None if d == 0 else d
    return None if is_concrete(d) and not getattr(d, "requires_grad", False) and bool((d == 0).all()) else d


def contained(p: Line, q: Line, xp: Namespace) -> Any:
    """Whether q's support holds p's: True, False, or an array of truths."""
    low1, high1 = p._support(xp)
    low2, high2 = q._support(xp)
    inside: Any = True
    for outer, inner in ((low2, low1), (high1, high2)):
        if isinstance(outer, (int, float)) and isinstance(inner, (int, float)):
            if not outer <= inner:
                return False
            continue
        if isinstance(outer, float) and outer == -math.inf:
            continue
        if isinstance(inner, float) and inner == math.inf:
            continue
        inside = (outer <= inner) & inside
    if inside is True or not is_concrete(inside):
        return inside
    if bool(inside.all()):
        return True
    return inside if bool(inside.any()) else False


def anchor(p: Family, q: Family, xp: Namespace) -> Array:
    """A zero of the right namespace and device."""
    leaves = [*p._leaves(), *q._leaves()]
    array: Any = next((x for x in leaves if not isinstance(x, float)), 0.0)
    return xp.double(0.0 * array.reshape(-1)[:1].sum() if hasattr(array, "reshape") and array.shape else 0.0)
