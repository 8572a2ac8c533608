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
    0.034688185
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
    inside = -xp.where(xp.squeeze(lower, axis=-1), direct, exchanged)
    # Where one side lacks categories the maximum may lie at an end: −log of the mass on the shared ones.
    value = inside
    for mass, lacking in ((pq.p, -float("inf")), (pq.q, float("inf"))):
        end = _minus_log_shared(mass, pq.u == lacking, xp)
        value = xp.where(end > value, end, value)
    return xp.where(value > 0, value, xp.zeros_like(value))


def _minus_log_shared(mass: Array, lost: Array, xp: Namespace) -> Array:
    """−log(1 − lost mass), from the lost or from the shared mass, whichever is smaller."""
    zero = xp.zeros_like(mass)
    gone = xp.sum(xp.where(lost, mass, zero), axis=-1)
    kept = xp.sum(xp.where(lost, zero, mass), axis=-1)
    little = gone < 0.5
    nothing = xp.zeros_like(gone)
    direct = -xp.log(xp.where(kept > 0, kept, nothing + 1.0))
    direct = xp.where(kept > 0, direct, nothing + float("inf"))
    return xp.where(little, -xp.log1p(-xp.where(little, gone, nothing)), direct)


def _best(pq: Pair) -> Array:
    """The c at which the convex Σ p·e^{cu} over shared categories is smallest: its derivative changes sign there.

    Σ p·u·e^{cu} = Σ p·u·expm1(cu) − Σ pφ(u) + Σ δ, and the last sum is what only P has less what only Q has: where P
    and Q nearly agree these parts are small and the plain sum cancels; where they are far apart it is the other way
    round. The form whose parts are smaller gives the sign.
    """
    xp = pq.xp
    both = (pq.p > 0) & xp.isfinite(pq.u)
    zero = xp.zeros_like(pq.p)
    u = xp.where(both, pq.u, zero)
    parts = xp.where(both, pq.kl_terms(), pq.q - pq.p)
    whole = xp.sum(parts, axis=-1, keepdims=True)
    scale = xp.sum(xp.abs(parts), axis=-1, keepdims=True)
    low = xp.zeros_like(whole)
    high = low + 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        plain = xp.where(both, pq.p * u * xp.exp(middle * u), zero)
        recentred = xp.sum(xp.where(both, pq.p * u * xp.expm1(middle * u), zero), axis=-1, keepdims=True) - whole
        close = scale < xp.sum(xp.abs(plain), axis=-1, keepdims=True)
        rising = xp.where(close, recentred, xp.sum(plain, axis=-1, keepdims=True)) > 0
        low, high = xp.where(rising, low, middle), xp.where(rising, middle, high)
    return 0.5 * (low + high)
