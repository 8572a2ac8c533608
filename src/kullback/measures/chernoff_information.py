"""Chernoff information: the best exponent with which the error of telling P from Q vanishes."""

from __future__ import annotations

from typing import Any

from kullback._door import Base, Clean, measure
from kullback._pair import Pair, pair
from kullback.measures import _power

Array = Any
Namespace = Any

# The value is flat at its maximum: an error of 2⁻³⁰ in the exponent is one of 2⁻⁶⁰ in the value.
_HALVINGS = 30


def chernoff_information(
    p: Array, q: Array, /, *, axis: int = -1, base: Base = None, keepdims: bool = False, validate: bool = True
) -> Array:
    """Chernoff information max over 0 ≤ a ≤ 1 of −log Σ pᵢᵃ qᵢ¹⁻ᵃ.

    With n draws, the smallest error of deciding between P and Q is about exp(−n·C(P, Q)).

    Parameters
    ----------
    p, q, axis, base, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, ∞]; at least the Bhattacharyya distance, at most either KL divergence.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them.

    Notes
    -----
    The exponent a is found by halving on the sign of the derivative, E[log(q/p)] under the tilted distribution;
    gradients hold it fixed, which is exact at a maximum. Chernoff 1952, doi:10.1214/aoms/1177729330.

    Examples
    --------
    >>> import kullback as kb
    >>> round(float(kb.chernoff_information([0.5, 0.5], [0.25, 0.75])), 9)
    0.034817416
    """
    return measure(formula, p, q, axis=axis, base=base, keepdims=keepdims, validate=validate)


def formula(p: Clean, q: Clean, *, xp: Namespace) -> Array:
    """−log Σ pᵃ q¹⁻ᵃ at the best c = 1−a."""
    pq = pair(p, q, xp=xp)
    c = _best(pq)
    lower = c <= 0.5
    half = 0.5 + xp.zeros_like(c)  # for the form that is not taken
    direct = _power.log_sum(pq, xp.where(lower, c, half))
    exchanged = _power.log_sum(pq.reversed(), xp.where(lower, half, 1.0 - c))
    value = -xp.where(xp.squeeze(lower, axis=-1), direct, exchanged)
    return xp.where(value > 0, value, xp.zeros_like(value))


def _best(pq: Pair) -> Array:
    """The c at which the convex Σ p·e^{cu} over shared categories is smallest: its derivative changes sign there.

    Σ p·u·e^{cu} = Σ p·u·expm1(cu) − Σ pφ(u) + Σ δ, and the last sum is what only P has less what only Q has: no part
    cancels within itself, so the sign is right also where P and Q nearly agree.
    """
    xp = pq.xp
    both = (pq.p > 0) & xp.isfinite(pq.u)
    zero = xp.zeros_like(pq.p)
    u = xp.where(both, pq.u, zero)
    whole = xp.sum(xp.where(both, pq.kl_terms(), pq.q - pq.p), axis=-1, keepdims=True)
    low = xp.zeros_like(whole)
    high = low + 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        rising = xp.sum(xp.where(both, pq.p * u * xp.expm1(middle * u), zero), axis=-1, keepdims=True) > whole
        low, high = xp.where(rising, low, middle), xp.where(rising, middle, high)
    return 0.5 * (low + high)
