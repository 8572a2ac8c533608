"""Bhattacharyya distance."""

from __future__ import annotations

from typing import Any

from kullback._door import Base, Clean, measure
from kullback._pair import pair
from kullback.measures import _power

Array = Any
Namespace = Any


def bhattacharyya_distance(
    p: Array, q: Array, /, *, axis: int = -1, base: Base = None, keepdims: bool = False, validate: bool = True
) -> Array:
    """Bhattacharyya distance −log Σ√(pᵢqᵢ): half the Rényi divergence of order ½. No metric, in spite of its name.

    Parameters
    ----------
    p, q, axis, base, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, ∞]; ∞ where P and Q share no category.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them.

    Notes
    -----
    Bhattacharyya 1943, On a measure of divergence between two statistical populations.

    Examples
    --------
    >>> import kullback as kb
    >>> round(float(kb.bhattacharyya_distance([0.5, 0.5], [0.25, 0.75])), 12)
    0.034668232098
    """
    return measure(formula, p, q, axis=axis, base=base, keepdims=keepdims, validate=validate)


def formula(p: Clean, q: Clean, *, xp: Namespace) -> Array:
    """−log Σ√(pq)."""
    return -_power.log_sum(pair(p, q, xp=xp), 0.5)
