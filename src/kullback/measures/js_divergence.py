"""Jensen–Shannon divergence, of two or more distributions, and the distance that is its square root."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from kullback._door import Base, Clean, log_base, measure
from kullback._pair import Pair, pair
from kullback._special import SKEW_RADIUS, root, skew, xlogy
from kullback.errors import InvalidDistribution, InvalidForm
from kullback.measures._fast import JS_DIVERGENCE

Array = Any
Namespace = Any


def js_divergence(
    *ps: Array,
    weights: Sequence[float] | None = None,
    axis: int = -1,
    base: Base = None,
    keepdims: bool = False,
    validate: bool = True,
) -> Array:
    """Jensen–Shannon divergence Σ wⱼ KL(Pⱼ‖M) of the mixture M = Σ wⱼ Pⱼ: what not knowing the source costs.

    Parameters
    ----------
    *ps
        Two or more distributions, in any form; K categories along `axis`, the other axes broadcast.
    weights
        One weight ≥ 0 for each distribution, summing to 1. None: equal weights.
    axis, base, keepdims, validate
        As in `entropy`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, H(weights)]; for two equal weights at most ln 2 (1 bit). Always finite.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them, or weights that do not fit.

    Notes
    -----
    For two, with m = (p+q)/2 and t = (p−q)/(p+q), it is Σ m·½[(1+t)log1p(t) + (1−t)log1p(−t)], never a difference of
    entropies. Lin 1991, doi:10.1109/18.61115.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.js_divergence([1.0, 0.0], [0.0, 1.0], base=2)
    1.0
    """
    shares = _check_weights(ps, weights)
    options: dict[str, Any] = {"axis": axis, "base": base, "keepdims": keepdims, "validate": validate}
    if len(ps) == 2 and shares[0] == shares[1]:
        return measure(formula, *ps, **options, fast=JS_DIVERGENCE)
    return measure(partial(weighted, shares=shares), *ps, names=[f"ps[{j}]" for j in range(len(ps))], **options)


def js_distance(
    p: Array, q: Array, /, *, axis: int = -1, base: Base = None, keepdims: bool = False, validate: bool = True
) -> Array:
    """Jensen–Shannon distance √JS(P, Q): a metric. The root is taken of the divergence in the unit of `base`.

    Parameters
    ----------
    p, q, axis, base, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, √ln 2] (nats) or [0, 1] (bits).

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them.

    Notes
    -----
    Endres & Schindelin 2003, doi:10.1109/TIT.2003.813506.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.js_distance([1.0, 0.0], [0.0, 1.0], base=2)
    1.0
    """
    unit = log_base(base)

    def distance(p: Clean, q: Clean, *, xp: Namespace) -> Array:
        return root(formula(p, q, xp=xp) / unit, xp=xp)

    return measure(distance, p, q, axis=axis, keepdims=keepdims, validate=validate)


def formula(p: Clean, q: Clean, *, xp: Namespace) -> Array:
    """Equal weights: Σ m·g(t), t = (p−q)/(p+q)."""
    return xp.sum(contributions(pair(p, q, xp=xp)), axis=-1)


def contributions(pq: Pair) -> Array:
    """½[pᵢ log(pᵢ/mᵢ) + qᵢ log(qᵢ/mᵢ)] ≥ 0 for each category."""
    xp = pq.xp
    p, q = pq.p, pq.q
    m = 0.5 * p + 0.5 * q
    some = m > 0
    safe = xp.where(some, m, xp.ones_like(m))
    t = -0.5 * pq.delta / safe
    near = xp.abs(t) < SKEW_RADIUS
    close = m * skew(xp.where(near, t, xp.zeros_like(t)), xp=xp)
    apart = 0.5 * (xlogy(p, p / safe, xp=xp) + xlogy(q, q / safe, xp=xp))
    return xp.where(near, close, apart)


def weighted(*parts: Clean, shares: Sequence[float], xp: Namespace) -> Array:
    """Σ wⱼ KL(Pⱼ‖M): all differences from M are made of differences from P₀, which keep their digits."""
    gaps = [pair(parts[0], part, xp=xp) for part in parts]
    centre = sum(w * g.delta for w, g in zip(shares, gaps, strict=True))
    total: Array = 0.0
    for w, g in zip(shares, gaps, strict=True):
        if w > 0:
            mixture = sum(v * h.q for v, h in zip(shares, gaps, strict=True))
            total = total + w * xp.sum(_towards(g.q, mixture, centre - g.delta, xp).kl_terms(), axis=-1)
    return total


def _towards(p: Array, m: Array, delta: Array, xp: Namespace) -> Pair:
    return Pair(p, m, delta, xp)


def _check_weights(ps: Sequence[Array], weights: Sequence[float] | None) -> list[float]:
    if len(ps) < 2:
        msg = f"js_divergence got {len(ps)} distribution(s); expected at least two: js_divergence(p, q)."
        raise InvalidForm(msg)
    if weights is None:
        return [1.0 / len(ps)] * len(ps)
    shares = [float(w) for w in weights]
    if len(shares) != len(ps):
        msg = f"weights has {len(shares)} entries for {len(ps)} distributions; expected one for each."
        raise InvalidDistribution(msg)
    if not all(w >= 0 for w in shares) or abs(sum(shares) - 1.0) > 1e-12:
        msg = f"weights={shares}; expected numbers ≥ 0 that sum to 1 (got {sum(shares):.17g})."
        raise InvalidDistribution(msg)
    return shares
