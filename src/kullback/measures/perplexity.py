"""Perplexity: the number of equally likely categories that are as hard to code."""

from __future__ import annotations

from typing import Any

from kullback._door import Clean, measure
from kullback.measures import cross_entropy, entropy

Array = Any
Namespace = Any


def perplexity(
    p: Array, q: Array | None = None, /, *, axis: int = -1, keepdims: bool = False, validate: bool = True
) -> Array:
    """Perplexity exp H(P), or of a model Q of P: exp H(P, Q). A pure number, whatever the base.

    Parameters
    ----------
    p
        As in `entropy`.
    q
        The model; None for the perplexity of P itself.
    axis, keepdims, validate
        As in `entropy`.

    Returns
    -------
    array
        Broadcast shape without `axis`; in [1, K] for P itself, in [1, ∞] for a model.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them.

    Notes
    -----
    Jelinek et al. 1977, doi:10.1121/1.2016299.

    Examples
    --------
    >>> import kullback as kb
    >>> round(float(kb.perplexity([0.25, 0.25, 0.25, 0.25])), 12)
    4.0
    """
    given = (p,) if q is None else (p, q)
    return measure(formula, *given, axis=axis, keepdims=keepdims, validate=validate)


def formula(p: Clean, q: Clean | None = None, *, xp: Namespace) -> Array:
    """Exp H(P), or exp H(P, Q)."""
    return xp.exp(entropy.formula(p, xp=xp) if q is None else cross_entropy.formula(p, q, xp=xp))
