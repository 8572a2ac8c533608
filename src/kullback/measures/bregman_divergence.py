"""Bregman divergences: how far a convex function lies above its tangent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from kullback._door import Clean, measure
from kullback._pair import pair
from kullback._special import psi
from kullback.errors import InvalidForm
from kullback.measures import kl_divergence

Array = Any
Namespace = Any
Named = Literal["kl", "squared_euclidean", "itakura_saito"]


@dataclass(frozen=True, slots=True)
class Potential:
    """A convex function of one mass, and its derivative: together they generate a Bregman divergence.

    Both take arrays and must be finite on the masses given; the divergence is Σ φ(pᵢ) − φ(qᵢ) − φ′(qᵢ)(pᵢ−qᵢ).
    """

    phi: Callable[[Array], Array]
    slope: Callable[[Array], Array]


def bregman_divergence(
    p: Array,
    q: Array,
    potential: Potential | Named,
    /,
    *,
    axis: int = -1,
    keepdims: bool = False,
    validate: bool = True,
) -> Array:
    """Bregman divergence Σ φ(pᵢ) − φ(qᵢ) − φ′(qᵢ)(pᵢ−qᵢ) of a convex φ.

    Parameters
    ----------
    p, q
        As in `kl_divergence`.
    potential
        ``"kl"`` (φ = t log t), ``"squared_euclidean"`` (t²), ``"itakura_saito"`` (−log t), or your own `Potential`.
    axis, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, ∞]. The expected divergence to a point is smallest at the mean.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them; an unknown potential.

    Notes
    -----
    The named ones are sums of exact non-negative terms; of your own, the digits near P = Q are those that φ keeps.
    Bregman 1967, doi:10.1016/0041-5553(67)90040-7; Banerjee et al. 2005.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.bregman_divergence([0.5, 0.5], [0.25, 0.75], "squared_euclidean")
    0.125
    """
    if not isinstance(potential, Potential) and potential not in _NAMED:
        msg = f"potential={potential!r}; expected one of {', '.join(map(repr, _NAMED))} or kb.Potential(phi, slope)."
        raise InvalidForm(msg)
    formula = partial(_own, potential=potential) if isinstance(potential, Potential) else _NAMED[potential]
    return measure(formula, p, q, axis=axis, keepdims=keepdims, validate=validate)


def _squared_euclidean(p: Clean, q: Clean, *, xp: Namespace) -> Array:
    return xp.sum(pair(p, q, xp=xp).delta ** 2, axis=-1)


def _itakura_saito(p: Clean, q: Clean, *, xp: Namespace) -> Array:
    """Σ p/q − log(p/q) − 1 = Σ ψ((p−q)/q); ∞ where one side lacks a category, 0 where both do."""
    pq = pair(p, q, xp=xp)
    both = (pq.p > 0) & (pq.q > 0)
    zero, one = xp.zeros_like(pq.p), xp.ones_like(pq.p)
    s = xp.where(both, -pq.delta / xp.where(both, pq.q, one), zero)
    near = xp.abs(s) < 0.5
    far = xp.where(near, zero, s + xp.where(both, pq.u, zero))
    one_sided = (pq.p > 0) != (pq.q > 0)
    terms = xp.where(near, psi(xp.where(near, s, zero), xp=xp), far)
    return xp.sum(xp.where(one_sided, zero + float("inf"), terms), axis=-1)


def _own(p: Clean, q: Clean, *, potential: Potential, xp: Namespace) -> Array:
    pq = pair(p, q, xp=xp)
    terms = potential.phi(pq.p) - potential.phi(pq.q) + potential.slope(pq.q) * pq.delta
    return xp.sum(terms, axis=-1)


_NAMED: dict[str, Callable[..., Array]] = {
    "kl": kl_divergence.formula,
    "squared_euclidean": _squared_euclidean,
    "itakura_saito": _itakura_saito,
}
