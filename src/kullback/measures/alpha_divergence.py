"""Amari's α-divergence: one family from KL(P‖Q) to KL(Q‖P) and beyond."""

from __future__ import annotations

from functools import partial
from typing import Any

from kullback._door import Clean, measure
from kullback.measures import renyi, tsallis

Array = Any
Namespace = Any


def alpha_divergence(
    p: Array, q: Array, /, alpha: float, *, axis: int = -1, keepdims: bool = False, validate: bool = True
) -> Array:
    """Amari's α-divergence 4/(1−α²)·(1 − Σ p^((1−α)/2) q^((1+α)/2)): a pure number, for every real α.

    α = −1 is KL(P‖Q) in nats, α = 1 is KL(Q‖P), α = 0 is four times the squared Hellinger distance, α = −3 is χ²/2.

    Parameters
    ----------
    p, q
        As in `kl_divergence`.
    alpha
        Any finite real number; exchanging P and Q changes its sign.
    axis, keepdims, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Broadcast shape without `axis`, in [0, ∞]; for |α| < 1 at most 4/(1−α²).

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them; α not finite.

    Notes
    -----
    Continuous through α = ±1 to rounding. Amari 1985, doi:10.1007/978-1-4612-5056-2.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.alpha_divergence([0.5, 0.5], [0.25, 0.75], -1) == kb.kl_divergence([0.5, 0.5], [0.25, 0.75])
    True
    """
    a = renyi.order(alpha)
    tsallis.require_finite(a, "Amari's α-divergence has no limit there")
    return measure(partial(formula, alpha=a), p, q, axis=axis, keepdims=keepdims, validate=validate)


def formula(p: Clean, q: Clean, *, alpha: float, xp: Namespace) -> Array:
    """With a = (1−α)/2, Tsallis_a(P‖Q)/a; for a < ½ the same of Q and P with 1−a."""
    # Both halves from α itself: 1 − a would lose the digits of a small c.
    a, c = (1.0 - alpha) / 2.0, (1.0 + alpha) / 2.0
    if a < 0.5:
        p, q, a, c = q, p, c, a
    return tsallis.formula(p, q, a=a, c=c, xp=xp) / a
