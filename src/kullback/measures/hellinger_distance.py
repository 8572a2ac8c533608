"""Hellinger distance."""

from __future__ import annotations

from typing import Any

from kullback._door import Clean, measure
from kullback._pair import pair
from kullback._special import at_most_one, root

Array = Any
Namespace = Any


def hellinger_distance(
    p: Array, q: Array, /, *, axis: int = -1, keepdims: bool = False, validate: bool = True
) -> Array:
    """Hellinger distance √(½Σ(√pᵢ−√qᵢ)²): a metric without unit, so it takes no `base`.

    Parameters
    ----------
    p, q, axis, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, 1]; its square is 1 − Σ√(pᵢqᵢ).

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them.

    Notes
    -----
    √p − √q is taken as (p−q)/(√p+√q), which keeps the digits that 1 − Σ√(pq) loses. Hellinger 1909,
    doi:10.1515/crll.1909.136.210.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.hellinger_distance([1.0, 0.0], [0.0, 1.0])
    1.0
    """
    return measure(_distance, p, q, axis=axis, keepdims=keepdims, validate=validate)


def _distance(p: Clean, q: Clean, *, xp: Namespace) -> Array:
    return root(formula(p, q, xp=xp), xp=xp)


def formula(p: Clean, q: Clean, *, xp: Namespace) -> Array:
    """Squared: ½Σ (δᵢ/(√pᵢ+√qᵢ))², at most 1."""
    pq = pair(p, q, xp=xp)
    some = (pq.p > 0) | (pq.q > 0)
    one = xp.ones_like(pq.p)
    # √ has no derivative at 0: a category that one side lacks contributes the other side's mass itself.
    both = (pq.p > 0) & (pq.q > 0)
    roots = xp.sqrt(xp.where(both, pq.p, one)) + xp.sqrt(xp.where(both, pq.q, one))
    terms = xp.where(both, (pq.delta / roots) ** 2, xp.where(some, pq.p + pq.q, xp.zeros_like(one)))
    half = 0.5 * xp.sum(terms, axis=-1)
    return at_most_one(half, xp=xp)
