"""Rényi entropy and divergence of order α."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from kullback._door import Base, Clean, measure
from kullback._pair import Pair, is_top, pair, relative_to_top
from kullback._special import log1p_ratio, phi_ratio
from kullback.errors import InvalidDistribution
from kullback.measures import _power
from kullback.measures import entropy as shannon

Array = Any
Namespace = Any


def renyi_divergence(
    p: Array,
    q: Array,
    /,
    alpha: float,
    *,
    axis: int = -1,
    base: Base = None,
    keepdims: bool = False,
    validate: bool = True,
) -> Array:
    """Rényi divergence D_α(P‖Q) = log(Σ pᵅ q¹⁻ᵅ)/(α−1); α = 1 is KL, α = 0 is −log Q(p > 0), α = ∞ is log max p/q.

    Parameters
    ----------
    p, q
        As in `kl_divergence`.
    alpha
        Order in [0, ∞].
    axis, base, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, ∞], never decreasing in α. For α < 1 it is ∞ only where P and Q share no
        category, for α ≥ 1 also where q = 0 < p.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them; α < 0 or NaN.

    Notes
    -----
    Continuous through α = 0, 1 and ∞ to rounding; see `kullback.measures._power`. Rényi 1961; van Erven & Harremoës
    2014, doi:10.1109/TIT.2014.2320500.

    Examples
    --------
    >>> import kullback as kb
    >>> round(float(kb.renyi_divergence([0.5, 0.5], [0.25, 0.75], 2)), 12)
    0.287682072452
    """
    a = order(alpha, low=0.0)
    return measure(partial(formula, a=a, c=1.0 - a), p, q, axis=axis, base=base, keepdims=keepdims, validate=validate)


def renyi_entropy(
    p: Array, /, alpha: float, *, axis: int = -1, base: Base = None, keepdims: bool = False, validate: bool = True
) -> Array:
    """Rényi entropy H_α(P) = log(Σ pᵅ)/(1−α); α = 0 counts the support, α = 1 is Shannon's, α = ∞ is −log max p.

    Parameters
    ----------
    p
        As in `entropy`.
    alpha
        Order in [0, ∞].
    axis, base, keepdims, validate
        As in `entropy`.

    Returns
    -------
    array
        Shape of `p` without `axis`, in [0, log K], never increasing in α.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them; α < 0 or NaN.

    Notes
    -----
    Rényi 1961, On measures of entropy and information.

    Examples
    --------
    >>> import kullback as kb
    >>> round(float(kb.renyi_entropy([0.5, 0.25, 0.25], 0, base=3)), 12)
    1.0
    """
    a = order(alpha, low=0.0)
    return measure(partial(entropy_formula, a=a), p, axis=axis, base=base, keepdims=keepdims, validate=validate)


def order(alpha: Any, *, low: float = -math.inf) -> float:
    """A real number ≥ low."""
    a = float(alpha)
    if math.isnan(a) or a < low:
        msg = f"alpha={alpha!r}; expected a number" + (f" ≥ {low:g}." if low > -math.inf else ".")
        raise InvalidDistribution(msg)
    return a


def formula(p: Clean, q: Clean, *, a: float, c: float, xp: Namespace) -> Array:
    """For α ≥ ½ from G(c), c = 1−α; below, D_α(P‖Q) = α/(1−α)·D_{1−α}(Q‖P)."""
    pq = pair(p, q, xp=xp)
    if a == math.inf:
        return _largest(pq)
    if a >= 0.5:
        return _power.renyi(pq, c)
    return -_power.log_sum(pq.reversed(), a) / c


def _largest(pq: Pair) -> Array:
    """Log max p/q over p > 0."""
    xp = pq.xp
    here = pq.p > 0
    top = xp.max(xp.where(here, -pq.u, xp.zeros_like(pq.u) - float("inf")), axis=-1)
    return xp.where(top > 0, top, xp.zeros_like(top))


def entropy_formula(p: Clean, *, a: float, xp: Namespace) -> Array:
    """With wᵢ = pᵢ/max p: [log Σ wᵅ − α log Σ w]/(1−α); both sums are 1 + what the other categories hold."""
    w, log_w, rest = relative_to_top(p, xp=xp)
    log_total = xp.squeeze(xp.log1p(rest), axis=-1)
    if a == math.inf:
        return log_total
    zero = xp.zeros_like(w)
    here = log_w > -math.inf
    log_w = xp.where(here, log_w, zero)
    if abs(a - 1.0) > 0.25:
        powers = xp.where(here & ~is_top(p.values, xp), xp.exp(a * log_w), zero)
        return (xp.log1p(xp.sum(powers, axis=-1)) - a * log_total) / (1.0 - a)
    # z = log p + H has mean 0, so H_α = H − log(1 + Σ pφ(cz))/c, c = α−1, and the first order has cancelled on paper.
    h = shannon.formula(p, xp=xp)
    mass = w / (1.0 + rest)
    z = xp.where(here, log_w - xp.log1p(rest) + xp.expand_dims(h, axis=-1), zero)
    second = xp.sum(mass * z * phi_ratio((a - 1.0) * z, xp=xp), axis=-1)
    return h - second * log1p_ratio((a - 1.0) * second, xp=xp)
