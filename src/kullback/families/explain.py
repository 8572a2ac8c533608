"""Where a divergence between two families sits: location, scale, correlation, components, values; or what q lacks."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from kullback._door import Base, log_base, unit_name
from kullback._special import psi_ratio, relative_term
from kullback.errors import InvalidForm
from kullback.families import dispatch
from kullback.families.answer import SUPPORT, Answer
from kullback.families.base import Family, work
from kullback.families.categorical import Categorical
from kullback.families.line import Line
from kullback.families.low_rank import LowRankMultivariateNormal
from kullback.families.multivariate_normal import MultivariateNormal, normal_parts
from kullback.families.namespace import to_host
from kullback.families.normal import LogNormal, Normal
from kullback.families.process import MarkovChain
from kullback.families.product import Independent, Product
from kullback.result.explanation import Explanation, Infinite

Array = Any
Parts = tuple[list[Hashable], Any, Any, Any]

_MOST_VALUES = 1000


def explain(p: Any, q: Any, /, *, labels: Sequence[Hashable] | None = None, base: Base = None) -> Explanation:
    """KL(p‖q) of one pair: value, method, error, parts that are ≥ 0 and add up, and why where it is infinite."""
    p, q = dispatch.parsed(p, "p"), dispatch.parsed(q, "q")
    if p.batch_shape or q.batch_shape:
        msg = f"explain got batches of shape {p.batch_shape} and {q.batch_shape}; expected one pair."
        raise InvalidForm(msg)
    if type(p) is Categorical and type(q) is Categorical:
        from kullback.measures.explain import explain_arrays

        return explain_arrays(p._form(), q._form(), labels=labels, base=base)
    p, q = p._with(_detached), q._with(_detached)
    answer = dispatch._kl(p, q)
    value, unit = float(answer.value), log_base(base)
    names, parts, masses_p, masses_q = _parts(p, q, value)
    if labels is not None:
        if len(labels) != len(names):
            msg = f"explain got {len(labels)} labels for {len(names)} parts ({', '.join(map(str, names[:5]))})."
            raise InvalidForm(msg)
        names = list(labels)
    entropy = _or_nan(dispatch.entropy, p)
    cross = math.inf if math.isinf(value) else _or_nan(dispatch.cross_entropy, p, q)
    return Explanation(
        value=value / unit,
        entropy=entropy / unit,
        cross_entropy=cross / unit,
        contributions=np.asarray(parts, dtype=float) / unit,
        labels=tuple(names),
        unit=unit_name(base),
        method=answer.method,
        p=np.asarray(masses_p, dtype=float),
        q=np.asarray(masses_q, dtype=float),
        infinite=_infinite(p, q, answer) if math.isinf(value) else None,
        error=float(answer.error) / unit,
        notes=answer.notes,
    )


def _detached(x: Any) -> Any:
    return x.detach() if hasattr(x, "detach") else x


def _or_nan(f: Any, *arguments: Any) -> float:
    from kullback.errors import NoClosedForm

    try:
        return float(f(*arguments))
    except NoClosedForm:
        return math.nan


def _parts(p: Any, q: Any, value: float) -> Parts:
    none: list[float] = []
    if math.isinf(value):
        return ["total"], [value], none, none
    if type(p) is type(q) and type(p) in (Normal, LogNormal):
        return ["location", "scale"], [float(x) for x in _scalar_parts(p, q)], none, none
    if all(isinstance(x, Independent) and _is_normal_vector(x) for x in (p, q)):
        location, scale = _scalar_parts(p.base, q.base)
        return ["location", "scale", "correlation"], [location.sum(), scale.sum(), 0.0], none, none
    if _is_normal_vector(p) and _is_normal_vector(q):
        location, scale, correlation = normal_parts(p, q)
        return ["location", "scale", "correlation"], [x.sum() for x in (location, scale, correlation)], none, none
    if isinstance(p, Independent) and isinstance(q, Independent) and len(p.event_shape) == 1:
        each = np.broadcast_to(to_host(dispatch._kl(p.base, q.base).value), p.event_shape)
        return list(range(len(each))), each, none, none
    if isinstance(p, Product) and isinstance(q, Product):
        pairs = zip(p.components, q.components, strict=True)
        return list(range(len(p.components))), [float(dispatch._kl(a, b).value) for a, b in pairs], none, none
    if isinstance(p, MarkovChain) and isinstance(q, MarkovChain):
        return _chain_parts(p, q)
    if isinstance(p, Line) and isinstance(q, Line) and p.discrete and q.discrete:
        found = _value_parts(p, q)
        if found is not None:
            return found
    return ["total"], [value], none, none


def _scalar_parts(p: Any, q: Any) -> tuple[Any, Any]:
    """½(Δμ/σ₂)² and ½w² + ψ(w), w = (σ₁−σ₂)/σ₂, of normal laws on the line."""
    (m1, s1), (m2, s2) = ([to_host(x) for x in f._leaves()] for f in (p, q))
    w, d = (s1 - s2) / s2, (m1 - m2) / s2
    return 0.5 * d * d, 0.5 * w * w + psi_ratio(s2 + 0.0 * w, s1 + 0.0 * w, xp=work(np.zeros(1)))


def _is_normal_vector(p: Family) -> bool:
    return type(p) in (MultivariateNormal, LowRankMultivariateNormal) or (
        isinstance(p, Independent) and type(p.base) is Normal and p.reinterpreted_batch_ndims == 1
    )


def _chain_parts(p: MarkovChain, q: MarkovChain) -> Parts:
    from kullback.families.namespace import namespace_of
    from kullback.forms import Probs
    from kullback.measures.kl_divergence import kl_divergence

    xp = namespace_of(np.zeros(1))
    p, q = p._with(to_host), q._with(to_host)
    visits = p._occupied(xp)
    rows = np.where(visits == 0, 0.0, kl_divergence(Probs(p.transition), Probs(q.transition)))
    names: list[Hashable] = [f"from state {i}" for i in range(len(rows))]
    parts = visits * rows
    if p.steps is None:
        return names, parts, [], []
    start = float(kl_divergence(Probs(p._first(xp)), Probs(q._first(xp))))
    return ["initial", *names], [start, *parts], [], []


def _value_parts(p: Any, q: Any) -> Parts | None:
    """One part per value of q's support, p·log(p/q) − p + q ≥ 0, while they are few."""
    low, high = (float(x) for x in q.support)
    if not high - low < _MOST_VALUES:
        return None
    from kullback.families.sums import _lifted

    xp, p, q = _lifted(p, q)
    x = np.arange(low, high + 1.0)
    with np.errstate(all="ignore"):
        a, b = (np.exp(f._log_mass(x, xp)) for f in (p, q))
        return [int(v) for v in x], relative_term(a, b, xp=xp), a, b


def _infinite(p: Family, q: Family, answer: Answer) -> Infinite:
    """What q lacks, and how much of p lies there."""
    if answer.method != SUPPORT or not isinstance(p, Line) or not isinstance(q, Line):
        return Infinite(("the tails of p, where q falls too fast",), 0.0)
    if p.discrete != q.discrete:
        return Infinite(("everything: one side is discrete, the other continuous",), 1.0)
    (low1, high1), (low2, high2) = ([float(x) for x in f.support] for f in (p, q))
    names: list[Hashable] = []
    mass = 0.0
    if low1 < low2:
        names.append(f"x < {low2:g}")
        mass += _mass_below(p, low2)
    if high1 > high2:
        names.append(f"x > {high2:g}")
        mass += _mass_above(p, high2)
    return Infinite(tuple(names), min(mass, 1.0))


def _mass_below(p: Line, edge: float) -> float:
    return _mass(p, lambda x: x < edge, edge)


def _mass_above(p: Line, edge: float) -> float:
    return _mass(p, lambda x: x > edge, edge)


def _mass(p: Any, where: Any, edge: float) -> float:
    """P(where) by the sum or the integral of p alone."""
    from kullback.families.quadrature import mean_of
    from kullback.families.sums import _lifted, _summed

    if p.discrete:
        xp, p, _ = _lifted(p, p)
        return float(_summed(p, p, lambda x: where(x) * np.exp(p._log_mass(x, xp)), p._support(xp)).value)
    return float(mean_of(p, lambda x: where(x).astype(float), cuts=(edge,))[0])
