"""Jeffreys divergence: KL in both directions, added."""

from __future__ import annotations

from typing import Any

from kullback._door import Base, Clean, measure
from kullback._pair import pair

Array = Any
Namespace = Any


def jeffreys_divergence(
    p: Array, q: Array, /, *, axis: int = -1, base: Base = None, keepdims: bool = False, validate: bool = True
) -> Array:
    """Jeffreys divergence KL(P‖Q) + KL(Q‖P) = Σ (qᵢ−pᵢ) log(qᵢ/pᵢ); between binned tables it is called PSI.

    Parameters
    ----------
    p, q, axis, base, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, ∞]; ∞ where exactly one of P and Q has a category.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them.

    Notes
    -----
    Jeffreys 1946, doi:10.1098/rspa.1946.0056.

    Examples
    --------
    >>> import kullback as kb
    >>> round(float(kb.jeffreys_divergence([0.5, 0.5], [0.25, 0.75])), 12)
    0.274653072167
    """
    return measure(formula, p, q, axis=axis, base=base, keepdims=keepdims, validate=validate)


def formula(p: Clean, q: Clean, *, xp: Namespace) -> Array:
    """Σ δᵢ uᵢ, both factors of one sign; a category that one side lacks makes it ∞."""
    pq = pair(p, q, xp=xp)
    one_sided = xp.isinf(pq.u)
    zero = xp.zeros_like(pq.delta)
    terms = pq.delta * xp.where(one_sided, zero, pq.u)
    return xp.sum(xp.where(one_sided, zero + float("inf"), terms), axis=-1)
