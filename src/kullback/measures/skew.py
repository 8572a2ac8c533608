"""Skew divergences: between P and a mixture of P and Q, finite where KL is not."""

from __future__ import annotations

from functools import partial
from typing import Any

from kullback._door import Base, Clean, measure
from kullback._pair import Pair, pair
from kullback.errors import InvalidDistribution

Array = Any
Namespace = Any


def skew_kl_divergence(
    p: Array,
    q: Array,
    /,
    beta: float,
    *,
    axis: int = -1,
    base: Base = None,
    keepdims: bool = False,
    validate: bool = True,
) -> Array:
    """Skew KL divergence KL(P‖M) with M = βP + (1−β)Q; β = 0 is KL(P‖Q). At most log 1/β.

    Parameters
    ----------
    p, q
        As in `kl_divergence`.
    beta
        Share of P in the mixture, in [0, 1].
    axis, base, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, log 1/β].

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them; β outside [0, 1].

    Notes
    -----
    Lee 1999, doi:10.3115/1034678.1034693.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.skew_kl_divergence([1.0, 0.0], [0.0, 1.0], 0.5, base=2)
    1.0
    """
    formula = partial(kl_formula, beta=_share(beta))
    return measure(formula, p, q, axis=axis, base=base, keepdims=keepdims, validate=validate)


def skew_js_divergence(
    p: Array,
    q: Array,
    /,
    beta: float,
    *,
    axis: int = -1,
    base: Base = None,
    keepdims: bool = False,
    validate: bool = True,
) -> Array:
    """Skew Jensen–Shannon divergence [β KL(P‖M) + (1−β) KL(Q‖M)]/(β(1−β)), M = βP + (1−β)Q.

    β → 0 is KL(P‖Q), β → 1 is KL(Q‖P), β = ½ is four times the Jensen–Shannon divergence.

    Parameters
    ----------
    p, q
        As in `kl_divergence`.
    beta
        Share of P in the mixture, in [0, 1].
    axis, base, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, ∞].

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them; β outside [0, 1].

    Notes
    -----
    Nielsen 2010, arXiv:1009.4004.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.skew_js_divergence([1.0, 0.0], [0.0, 1.0], 0.5, base=2)
    4.0
    """
    formula = partial(js_formula, beta=_share(beta))
    return measure(formula, p, q, axis=axis, base=base, keepdims=keepdims, validate=validate)


def _share(beta: Any) -> float:
    b = float(beta)
    if not 0.0 <= b <= 1.0:
        msg = f"beta={beta!r}; expected the share of P in the mixture, a number in [0, 1]."
        raise InvalidDistribution(msg)
    return b


def kl_formula(p: Clean, q: Clean, *, beta: float, xp: Namespace) -> Array:
    """KL(P‖P + (1−β)(Q−P))."""
    return xp.sum(_towards(pair(p, q, xp=xp), beta, 1.0 - beta), axis=-1)


def js_formula(p: Clean, q: Clean, *, beta: float, xp: Namespace) -> Array:
    """KL(P‖M)/(1−β) + KL(Q‖M)/β; each term alone at the ends, where the other vanishes."""
    pq = pair(p, q, xp=xp)
    from_p = xp.sum(_towards(pq, beta, 1.0 - beta), axis=-1) / (1.0 - beta) if beta < 1.0 else 0.0
    from_q = xp.sum(_towards(pq.reversed(), 1.0 - beta, beta), axis=-1) / beta if beta > 0.0 else 0.0
    return from_p + from_q


def _towards(pq: Pair, kept: float, step: float) -> Array:
    """KL terms between P and kept·P + step·Q = P + step·(Q−P)."""
    if kept == 0.0:
        return pq.kl_terms()
    xp, delta = pq.xp, step * pq.delta
    m = kept * pq.p + step * pq.q
    return Pair(pq.p, m, delta, xp).kl_terms()
