"""Rényi's divergence between families, and Hellinger, Bhattacharyya and χ² from it.

With r ∝ p^α q^{1−α}: (1−α)·D_α(p‖q) = α·KL(r‖p) + (1−α)·KL(r‖q). In one exponential family r is the member at
αθ₁ + (1−α)θ₂, so D_α is two stable KL divergences; this is the log-normaliser formula of Nielsen & Nock
(arXiv:1105.3259) with its cancellation taken out. Normal vectors and matrices, and laws over
categories, have forms of their own; other pairs on the line go by quadrature.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback.errors import InvalidForm
from kullback.families import dispatch
from kullback.families.base import work
from kullback.families.between import between
from kullback.families.categorical import Categorical, Multinomial, renyi_of_masses
from kullback.families.line import Line
from kullback.families.low_rank import LowRankMultivariateNormal
from kullback.families.multivariate_normal import MatrixNormal, MultivariateNormal
from kullback.families.normal_renyi import normal_matrices, normal_vectors
from kullback.families.routes import contained

Array = Any


def renyi_divergence(p: Any, q: Any, /, *, alpha: float) -> Array:
    """D_α(p‖q) = log(∫p^α q^{1−α})/(α−1) in nats, α > 0; the KL divergence at α = 1.

    Parameters
    ----------
    p, q
        Families of one space; shapes broadcast.
    alpha
        A number > 0.

    Returns
    -------
    array
        The broadcast batch shape, in [0, ∞].

    Raises
    ------
    InvalidForm, NoClosedForm
        As `kullback.kl_divergence`; alpha that is not a finite number > 0.

    Examples
    --------
    >>> from kullback.families import Normal, renyi_divergence
    >>> round(renyi_divergence(Normal(0, 1), Normal(1, 1), alpha=0.5), 12)
    0.25
    """
    if not (isinstance(alpha, (int, float)) and 0 < alpha < math.inf):
        msg = f"alpha = {alpha!r}; expected a finite number > 0."
        raise InvalidForm(msg)
    p, q = dispatch.parsed(p, "p"), dispatch.parsed(q, "q")
    if alpha == 1:
        return dispatch._finished(dispatch._kl(p, q).value, p, q)
    xp = dispatch._together(p, q)
    dispatch._same_space(p, q)
    shape = dispatch._batch(p, q)
    p, q = p._beside(q, xp), q._beside(p, xp)
    with np.errstate(all="ignore"):
        if dispatch.same(p, q):
            return dispatch._finished(dispatch._zeros(shape, xp, p, q), p, q)
        value = _closed(p._lifted(xp), q._lifted(xp), alpha, xp)
        if value is None:
            value = _by_quadrature(p, q, alpha, shape, xp)
    return dispatch._finished(value, p, q)


def hellinger_distance(p: Any, q: Any, /) -> Array:
    """√(½∫(√p − √q)²) = √(1 − e^{−½D_½}), in [0, 1].

    Examples
    --------
    >>> from kullback.families import Normal, hellinger_distance
    >>> round(hellinger_distance(Normal(0, 1), Normal(1, 1)), 6)
    0.342787
    """
    half = renyi_divergence(p, q, alpha=0.5)
    xp = work(half)
    return _plain(xp.sqrt(-xp.expm1(-0.5 * xp.double(half))))


def bhattacharyya_distance(p: Any, q: Any, /) -> Array:
    """−log ∫√(pq) = ½D_½ in nats.

    Examples
    --------
    >>> from kullback.families import Normal, bhattacharyya_distance
    >>> round(bhattacharyya_distance(Normal(0, 1), Normal(1, 1)), 12)
    0.125
    """
    return 0.5 * renyi_divergence(p, q, alpha=0.5)


def chi2_divergence(p: Any, q: Any, /) -> Array:
    """∫(p − q)²/q = e^{D₂} − 1, in [0, ∞].

    Examples
    --------
    >>> from kullback.families import Normal, chi2_divergence
    >>> round(chi2_divergence(Normal(0, 1), Normal(1, 1)), 12)
    1.718281828459
    """
    two = renyi_divergence(p, q, alpha=2)
    xp = work(two)
    with np.errstate(over="ignore"):  # a value above the largest float is ∞
        return _plain(xp.expm1(xp.double(two)))


_NORMAL: list[tuple[Any, Any]] = [
    (normal_vectors, (MultivariateNormal, LowRankMultivariateNormal)),
    (normal_matrices, MatrixNormal),
]


def _plain(x: Array) -> Array:
    return float(x) if isinstance(x, np.floating) else x


def _closed(p: Any, q: Any, alpha: float, xp: Any) -> Array | None:
    if isinstance(p, (Categorical, Multinomial)):
        return renyi_of_masses(p, q, alpha, xp)
    for of, kinds in _NORMAL:
        if isinstance(p, kinds) and isinstance(q, kinds):
            value, exists = of(p, q, alpha, xp)
            return xp.where(exists, value, math.inf + 0.0 * value)
    found = between(p, q, alpha, xp)
    if found is None:
        return None
    r, exists = found
    ours, theirs = r._kl(p, xp), r._kl(q, xp)
    if ours is None or theirs is None:
        return None
    value = theirs.value + alpha / (1.0 - alpha) * ours.value
    return value if exists is True else xp.where(exists, value, math.inf + 0.0 * value)


def _by_quadrature(p: Any, q: Any, alpha: float, shape: tuple[int, ...], xp: Any) -> Array:
    if shape == ():
        value = _one(p._with(dispatch._number), q._with(dispatch._number), alpha)
        return dispatch._like(value, xp, p, q)
    values = np.empty(shape)
    for at in np.ndindex(shape):
        values[at] = float(
            renyi_divergence(dispatch._member(p, shape, at), dispatch._member(q, shape, at), alpha=alpha)
        )
    return dispatch._like(values, xp, p, q)


def _one(p: Any, q: Any, alpha: float) -> float:
    """One pair on the line: log1p(∫p(e^{βu} − 1))/(−β), β = 1 − α, u = log(q/p)."""
    if not (isinstance(p, Line) and isinstance(q, Line)) or p.event_shape != ():
        raise dispatch.no_closed_form(p, q, "it is not a pair on the line that quadrature could answer")
    if p.discrete != q.discrete:
        return math.inf
    beta = 1.0 - alpha
    inside = contained(p, q, work(1.0))
    if inside is False and alpha > 1:
        return math.inf
    if p.discrete:
        from kullback.families.sums import rest_of_power

        value = rest_of_power(p, q, beta)
    else:
        from kullback.families.quadrature import rest_of_power as by_quadrature

        value = by_quadrature(p, q, beta)
    return max(math.log1p(value) / -beta, 0.0) if value > -1.0 else math.inf
