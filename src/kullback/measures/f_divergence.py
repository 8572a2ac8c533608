"""Any f-divergence, from its generator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from kullback._door import Clean, measure
from kullback._pair import Pair, pair
from kullback.errors import InvalidForm

Array = Any
Namespace = Any


@dataclass(frozen=True, slots=True)
class Generator:
    """A convex function f with f(1) = 0, and what it does where a category has mass on one side only.

    Attributes
    ----------
    f
        Takes an array of t = p/q > 0, written with operators or the array library's own functions.
    at_zero
        f(0), the limit for t → 0: categories that P lacks contribute q·f(0).
    slope_at_infinity
        f′(∞) = lim f(t)/t: categories that Q lacks contribute p·f′(∞).
    slope_at_one
        f′(1), or any subgradient. Terms are then q·[f(t) − f′(1)(t−1)] ≥ 0, and the sum is the same.
    around_one
        Optional s ↦ f(1+s) − f′(1)·s, right to the last bits for |s| < ½, where f itself would cancel.

    Examples
    --------
    >>> import kullback as kb
    >>> pearson = kb.Generator(lambda t: (t - 1) ** 2, at_zero=1.0, slope_at_infinity=float("inf"))
    >>> round(float(kb.f_divergence([0.5, 0.5], [0.25, 0.75], pearson)), 12)
    0.333333333333
    """

    f: Callable[[Array], Array]
    at_zero: float
    slope_at_infinity: float
    slope_at_one: float = 0.0
    around_one: Callable[[Array], Array] | None = None


def f_divergence(
    p: Array, q: Array, f: Generator, /, *, axis: int = -1, keepdims: bool = False, validate: bool = True
) -> Array:
    """The f-divergence Σ qᵢ f(pᵢ/qᵢ) of a convex generator f: a pure number, as f makes it.

    Parameters
    ----------
    p, q
        As in `kl_divergence`.
    f
        The generator, with its values where one side has no mass.
    axis, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, f(0) + f′(∞)].

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them; `f` that is no `Generator`.

    Notes
    -----
    The digits near P = Q are those that f keeps near 1: give `around_one` to keep all. For the named divergences (KL,
    Jensen–Shannon, χ², total variation, Hellinger, Rényi) use the functions of those names, which are exact everywhere.
    Csiszár 1963; Ali & Silvey 1966, doi:10.1111/j.2517-6161.1966.tb00626.x.

    Examples
    --------
    >>> import kullback as kb
    >>> tv = kb.Generator(lambda t: abs(t - 1) / 2, at_zero=0.5, slope_at_infinity=0.5)
    >>> kb.f_divergence([0.5, 0.5, 0.0], [0.25, 0.5, 0.25], tv)
    0.25
    """
    if not isinstance(f, Generator):
        msg = (
            f"f is {f!r}; expected kb.Generator(f, at_zero=f(0), slope_at_infinity=f′(∞)): "
            "without these two, categories that one side lacks cannot be measured."
        )
        raise InvalidForm(msg)
    return measure(partial(formula, f=f), p, q, axis=axis, keepdims=keepdims, validate=validate)


def formula(p: Clean, q: Clean, *, f: Generator, xp: Namespace) -> Array:
    """Σ q·[f(p/q) − f′(1)(p/q − 1)]."""
    return xp.sum(contributions(pair(p, q, xp=xp), f), axis=-1)


def contributions(pq: Pair, f: Generator) -> Array:
    """One non-negative term for each category."""
    xp = pq.xp
    zero, one = xp.zeros_like(pq.p), xp.ones_like(pq.p)
    both = (pq.p > 0) & (pq.q > 0)
    q = xp.where(both, pq.q, one)
    s = xp.where(both, -pq.delta / q, zero)
    excess = f.f(xp.where(both, pq.p, one) / q) - f.slope_at_one * s
    if f.around_one is not None:
        near = xp.abs(s) < 0.5
        excess = xp.where(near, f.around_one(xp.where(near, s, zero)), excess)
    only_q = _times(pq.q, f.at_zero + f.slope_at_one, xp)
    only_p = _times(pq.p, f.slope_at_infinity - f.slope_at_one, xp)
    return xp.where(both, q * excess, xp.where(pq.p > 0, only_p, only_q))


def _times(mass: Array, weight: float, xp: Namespace) -> Array:
    """mass·weight with 0·∞ = 0."""
    zero = xp.zeros_like(mass)
    return xp.where(mass > 0, xp.where(mass > 0, mass, zero + 1.0) * weight, zero)
