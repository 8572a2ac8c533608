"""Entropy: what coding draws from P must cost."""

from __future__ import annotations

from typing import Any

from kullback._door import Base, Clean, measure
from kullback._pair import relative_to_top
from kullback.measures._fast import ENTROPY

Array = Any
Namespace = Any


def entropy(p: Array, /, *, axis: int = -1, base: Base = None, keepdims: bool = False, validate: bool = True) -> Array:
    """Entropy H(P) = −Σ pᵢ log pᵢ, with 0·log 0 = 0.

    Parameters
    ----------
    p
        Probabilities, or `LogProbs`, `Logits`, `Counts`, or a mapping; shape (..., K), the categories along `axis`.
    axis
        The axis of the categories.
    base
        Unit of the answer: None for nats, 2 or ``"bits"``, ``"hartleys"``, or any number > 1.
    keepdims
        Keep the category axis, with length 1.
    validate
        Check the values. Shapes and dtypes are always checked; under jit, grad, vmap or compile values are not.

    Returns
    -------
    array
        Shape of `p` without `axis`, in [0, log K]. The dtype of `p` (float32 for 16-bit input).

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them: the message names the first bad index and the way out.

    Notes
    -----
    With wᵢ = pᵢ/max p, H = log1p(Σ_{i≠max} wᵢ) − Σ wᵢ log wᵢ / Σ wᵢ: a sum of non-negative terms, exact also where one
    category holds nearly all the mass. Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.entropy([0.5, 0.25, 0.25], base=2)
    1.5
    """
    return measure(formula, p, axis=axis, base=base, keepdims=keepdims, validate=validate, fast=ENTROPY)


def formula(p: Clean, *, xp: Namespace) -> Array:
    """H = log1p(Σ_{i≠max} wᵢ) + Σ wᵢ·(−log wᵢ) / Σ wᵢ."""
    w, log_w, rest = relative_to_top(p, xp=xp)
    cost = -w * xp.where(w == 0, xp.zeros_like(w), log_w)
    return xp.squeeze(xp.log1p(rest), axis=-1) + xp.sum(cost, axis=-1) / xp.squeeze(1.0 + rest, axis=-1)
