"""Kullback–Leibler divergence: what is wasted because Q is not P."""

from __future__ import annotations

from typing import Any

from kullback._door import Base, Clean, measure
from kullback._pair import pair
from kullback.measures._fast import KL_DIVERGENCE

Array = Any
Namespace = Any


def kl_divergence(
    p: Array, q: Array, /, *, axis: int = -1, base: Base = None, keepdims: bool = False, validate: bool = True
) -> Array:
    """KL(P‖Q) = Σ pᵢ log(pᵢ/qᵢ): the extra information paid when Q stands in for P. Never negative.

    pᵢ = 0 contributes nothing to that sum; qᵢ = 0 < pᵢ makes it ∞ (`kb.explain` names the categories).

    Parameters
    ----------
    p, q
        The true distribution (reference, teacher) and its model (current, student), each as probabilities, `LogProbs`,
        `Logits`, `Counts` or a mapping; K categories along `axis`, the other axes broadcast.
    axis, base, keepdims, validate
        As in `entropy`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, ∞]; 0 exactly where P = Q.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them.

    Notes
    -----
    Computed as Σ pᵢ ψ((qᵢ−pᵢ)/pᵢ), ψ(s) = s − log1p(s): every term is ≥ 0, so nothing cancels however close P and Q
    are, and the terms are contributions that add up. Sums that differ from 1 by rounding are measured as if exactly
    normalised, by normalising the ratio and never the vectors. The gradient is that of this normalised function; at
    pᵢ = 0 it is finite. Kullback & Leibler 1951, doi:10.1214/aoms/1177729694.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.kl_divergence([0.5, 0.5], [0.25, 0.75], base=2)
    0.2075187496394219
    """
    return measure(formula, p, q, axis=axis, base=base, keepdims=keepdims, validate=validate, fast=KL_DIVERGENCE)


def formula(p: Clean, q: Clean, *, xp: Namespace) -> Array:
    """KL(P‖Q) = Σ pᵢ ψ((qᵢ−pᵢ)/pᵢ)."""
    return xp.sum(contributions(p, q, xp=xp), axis=-1)


def contributions(p: Clean, q: Clean, *, xp: Namespace) -> Array:
    """pᵢ log(pᵢ/qᵢ) − pᵢ + qᵢ ≥ 0 for each category."""
    return pair(p, q, xp=xp).kl_terms()
