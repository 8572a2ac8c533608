"""Cross-entropy: what coding draws from P costs with a code made for Q."""

from __future__ import annotations

from typing import Any

from kullback._door import Base, Clean, measure
from kullback._pair import masses, relative_to_top
from kullback.measures._fast import CROSS_ENTROPY

Array = Any
Namespace = Any


def cross_entropy(
    p: Array, q: Array, /, *, axis: int = -1, base: Base = None, keepdims: bool = False, validate: bool = True
) -> Array:
    """Cross-entropy H(P, Q) = −Σ pᵢ log qᵢ = H(P) + KL(P‖Q); ∞ where qᵢ = 0 < pᵢ, and pᵢ = 0 contributes 0.

    Parameters
    ----------
    p, q
        The true distribution and its model, each as probabilities, `LogProbs`, `Logits`, `Counts` or a mapping; K
        categories along `axis`, the other axes broadcast.
    axis, base, keepdims, validate
        As in `entropy`.

    Returns
    -------
    array
        Broadcast shape without `axis`, ≥ H(P) ≥ 0. It is not symmetric, and it is zero only where P and Q are both the
        same single category.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them.

    Notes
    -----
    With wᵢ = qᵢ/max q, H(P, Q) = log1p(Σ_{i≠max} wᵢ) − Σ pᵢ log wᵢ: only non-negative terms, so no digits cancel.
    Source: Cover & Thomas, Elements of Information Theory, doi:10.1002/047174882X.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.cross_entropy([0.5, 0.5], [0.25, 0.75], base=2)
    1.207518749639422
    """
    return measure(formula, p, q, axis=axis, base=base, keepdims=keepdims, validate=validate, fast=CROSS_ENTROPY)


def formula(p: Clean, q: Clean, *, xp: Namespace) -> Array:
    """H(P, Q) = log1p(Σ_{i≠max} wᵢ) + Σ pᵢ·(−log wᵢ)."""
    _, log_w, rest = relative_to_top(q, xp=xp)
    mass = masses(p, xp=xp)
    empty = mass == 0
    cost = mass * xp.where(empty, xp.zeros_like(log_w), -log_w)
    return xp.squeeze(xp.log1p(rest), axis=-1) + xp.sum(cost, axis=-1)
