"""Pearson's χ² divergence."""

from __future__ import annotations

from typing import Any

from kullback._door import Clean, measure
from kullback._pair import pair

Array = Any
Namespace = Any


def chi2_divergence(p: Array, q: Array, /, *, axis: int = -1, keepdims: bool = False, validate: bool = True) -> Array:
    """χ²(P‖Q) = Σ (pᵢ−qᵢ)²/qᵢ: a pure number, so it takes no `base`.

    Parameters
    ----------
    p, q, axis, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, ∞]; ∞ where qᵢ = 0 < pᵢ. Never below KL(P‖Q) in nats.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them.

    Notes
    -----
    Pearson 1900, doi:10.1080/14786440009463897.

    Examples
    --------
    >>> import kullback as kb
    >>> round(float(kb.chi2_divergence([0.5, 0.5], [0.25, 0.75])), 12)
    0.333333333333
    """
    return measure(formula, p, q, axis=axis, keepdims=keepdims, validate=validate)


def formula(p: Clean, q: Clean, *, xp: Namespace) -> Array:
    """Σ δᵢ²/qᵢ; a category with qᵢ = 0 contributes 0 or ∞."""
    pq = pair(p, q, xp=xp)
    some = pq.q > 0
    zero = xp.zeros_like(pq.q)
    # δ·(δ/q), not δ²/q: the square of a small difference would underflow.
    terms = pq.delta * (pq.delta / xp.where(some, pq.q, xp.ones_like(pq.q)))
    return xp.sum(xp.where(some, terms, xp.where(pq.p > 0, zero + float("inf"), zero)), axis=-1)
