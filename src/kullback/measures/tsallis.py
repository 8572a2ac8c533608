"""Tsallis entropy and divergence of order α: Rényi's, deformed."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from kullback._door import Clean, measure
from kullback._special import expm1_ratio
from kullback.errors import InvalidDistribution
from kullback.measures import renyi

Array = Any
Namespace = Any


def tsallis_divergence(
    p: Array, q: Array, /, alpha: float, *, axis: int = -1, keepdims: bool = False, validate: bool = True
) -> Array:
    """Tsallis divergence (Σ pᵅ q¹⁻ᵅ − 1)/(α−1): a pure number; α = 1 is KL in nats, α = 2 is χ².

    Parameters
    ----------
    p, q
        As in `kl_divergence`.
    alpha
        Order in [0, ∞).
    axis, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, ∞]; for α < 1 at most 1/(1−α).

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them; α < 0 or not finite.

    Notes
    -----
    expm1((α−1)·D_α)/(α−1) of Rényi's D_α, so it is as exact as that one. Tsallis 1998, doi:10.1103/PhysRevE.58.1442.

    Examples
    --------
    >>> import kullback as kb
    >>> round(float(kb.tsallis_divergence([0.5, 0.5], [0.25, 0.75], 2)), 12)
    0.333333333333
    """
    a = _finite(alpha)
    return measure(partial(formula, a=a, c=1.0 - a), p, q, axis=axis, keepdims=keepdims, validate=validate)


def tsallis_entropy(
    p: Array, /, alpha: float, *, axis: int = -1, keepdims: bool = False, validate: bool = True
) -> Array:
    """Tsallis entropy (1 − Σ pᵅ)/(α−1): a pure number; α = 1 is Shannon's in nats, α = 2 is Gini's impurity.

    Parameters
    ----------
    p
        As in `entropy`.
    alpha
        Order in [0, ∞).
    axis, keepdims, validate
        As in `entropy`.

    Returns
    -------
    array
        Shape of `p` without `axis`, ≥ 0.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them; α < 0 or not finite.

    Notes
    -----
    Tsallis 1988, doi:10.1007/BF01016429.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.tsallis_entropy([0.5, 0.5], 2)
    0.5
    """
    return measure(partial(entropy_formula, a=_finite(alpha)), p, axis=axis, keepdims=keepdims, validate=validate)


def _finite(alpha: Any) -> float:
    a = renyi.order(alpha, low=0.0)
    require_finite(a, "Tsallis measures have no limit there; renyi_divergence and renyi_entropy have")
    return a


def require_finite(a: float, why: str) -> None:
    """Refuse α = ±∞, saying why."""
    if math.isinf(a):
        msg = f"alpha={a}; expected a finite number: {why}."
        raise InvalidDistribution(msg)


def formula(p: Clean, q: Clean, *, a: float, c: float, xp: Namespace) -> Array:
    """expm1(−cD_α)/(−c) = D_α·expm1(x)/x at x = −cD_α, c = 1−α."""
    return deformed(renyi.formula(p, q, a=a, c=c, xp=xp), -c, xp)


def entropy_formula(p: Clean, *, a: float, xp: Namespace) -> Array:
    """expm1((1−α)H_α)/(1−α)."""
    return deformed(renyi.entropy_formula(p, a=a, xp=xp), 1.0 - a, xp)


def deformed(d: Array, c: float, xp: Namespace) -> Array:
    """expm1(c·d)/c; d at c = 0; its limit where d = ∞."""
    finite = xp.isfinite(d)
    safe = xp.where(finite, d, xp.zeros_like(d))
    at_infinity = -1.0 / c if c < 0 else math.inf
    return xp.where(finite, safe * expm1_ratio(c * safe, xp=xp), xp.zeros_like(d) + at_infinity)
