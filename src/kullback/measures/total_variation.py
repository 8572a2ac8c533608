"""Total variation: the largest difference of probability that P and Q give to any one event."""

from __future__ import annotations

from typing import Any

from kullback._door import Clean, measure
from kullback._pair import pair
from kullback._special import at_most_one

Array = Any
Namespace = Any


def total_variation(p: Array, q: Array, /, *, axis: int = -1, keepdims: bool = False, validate: bool = True) -> Array:
    """Total variation distance ½Σ|pᵢ−qᵢ|: a probability, so it takes no `base`.

    Parameters
    ----------
    p, q, axis, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, 1]; 1 where P and Q share no category.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them.

    Notes
    -----
    (1 + TV)/2 is the accuracy of the best possible classifier that tells P from Q. Source: Levin & Peres, Markov Chains
    and Mixing Times, chapter 4, doi:10.1090/mbk/107.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.total_variation([0.5, 0.5], [0.25, 0.75])
    0.25
    """
    return measure(formula, p, q, axis=axis, keepdims=keepdims, validate=validate)


def formula(p: Clean, q: Clean, *, xp: Namespace) -> Array:
    """½Σ|δᵢ|."""
    return at_most_one(0.5 * xp.sum(xp.abs(pair(p, q, xp=xp).delta), axis=-1), xp=xp)
