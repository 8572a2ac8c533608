"""Σ pᵃ q¹⁻ᵃ, the one sum behind Rényi, Tsallis, Amari, Bhattacharyya and Chernoff.

With c = 1−a and u = log(q/p), write Σ pᵃ q¹⁻ᵃ = 1 − c·G, where

    G(c) = Σ p·[φ(u) − φ(cu)/c],   φ(x) = expm1(x) − x,

and p = 0 contributes q, q = 0 < p contributes p(1−c)/c (∞ for c ≤ 0). For c ≤ ½ every term is ≥ 0 and nothing cancels;
at c = 0 it is KL(P‖Q), reached without a jump. For a < ½ exchange P and Q: Σ pᵃ q¹⁻ᵃ is the same with c′ = a.
"""

from __future__ import annotations

from typing import Any

from kullback._pair import Pair
from kullback._special import log1p_ratio, log_sum_exp, phi_ratio

Array = Any


def gap(pq: Pair, c: Any) -> Array:
    """G(c) for c ≤ ½, a number or an array that broadcasts against the batch (last axis 1)."""
    xp = pq.xp
    zero = xp.zeros_like(pq.p)
    c = c + zero
    inside = (pq.p > 0) & xp.isfinite(pq.u)
    u = xp.where(inside, pq.u, zero)
    # A term above e⁷⁰⁰ makes the sum large, which `_near` leaves to the logarithm; here it only must not overflow.
    v = xp.where(c * u > 700.0, zero + 700.0, c * u)
    whole = xp.where(inside, pq.kl_terms(), zero)
    terms = whole - pq.p * u * phi_ratio(v, xp=xp)
    # Far apart the two parts share their leading term p·u: there without it, p·[expm1(u) − expm1(cu)/c].
    apart = xp.abs(v) > 1.0
    safe = xp.where(apart, c, zero + 1.0)
    terms = xp.where(apart, pq.delta - pq.p * (xp.expm1(xp.where(apart, v, zero)) / safe), terms)
    lost = xp.where(c > 0, pq.p * (1.0 - c) / xp.where(c > 0, c, zero + 1.0), zero + float("inf"))
    lost = xp.where(pq.p > 0, lost, pq.q)
    return xp.sum(xp.where(inside, terms, lost), axis=-1)


def renyi(pq: Pair, c: Any) -> Array:
    """−(1/c)·log Σ pᵃ q¹⁻ᵃ = G·log1p(x)/x at x = −cG near 1, by log-sum-exp where the sum is far from 1."""
    xp = pq.xp
    g, x, near = _near(pq, c)
    flat = _squeezed(c, pq) + xp.zeros_like(g)
    none = flat == 0
    far = -_log_sum_far(pq, c) / xp.where(none, xp.ones_like(flat), flat)
    close = xp.where(near, g, xp.zeros_like(g)) * log1p_ratio(x, xp=xp)
    return xp.where(none, g, xp.where(near, close, far))


def log_sum(pq: Pair, c: Any) -> Array:
    """Log Σ pᵃ q¹⁻ᵃ ≤ 0 for 0 ≤ c ≤ ½: log1p(−cG) near 0, by log-sum-exp where the sum is far from 1."""
    _, x, near = _near(pq, c)
    return pq.xp.where(near, pq.xp.log1p(x), _log_sum_far(pq, c))


def _near(pq: Pair, c: Any) -> tuple[Array, Array, Array]:
    """G, x = −cG where the sum 1+x is near 1 (0 elsewhere), and where that is."""
    xp = pq.xp
    g = gap(pq, c)
    x = -_squeezed(c, pq) * xp.where(xp.isfinite(g), g, xp.zeros_like(g))
    near = xp.isfinite(g) & (x > -0.5) & (x < 1.0)
    return g, xp.where(near, x, xp.zeros_like(x)), near


def _log_sum_far(pq: Pair, c: Any) -> Array:
    xp = pq.xp
    zero = xp.zeros_like(pq.p)
    here = (pq.p > 0) & xp.isfinite(pq.u)
    log_p = xp.log(xp.where(here, pq.p, xp.ones_like(zero)))
    scores = log_p + (c + zero) * xp.where(here, pq.u, zero)
    total = xp.squeeze(log_sum_exp(xp.where(here, scores, zero - float("inf")), xp=xp), axis=-1)
    # For c < 0 a category that Q lacks makes the sum infinite.
    lacks = xp.max(xp.where((pq.p > 0) & ~here, zero + 1.0, zero), axis=-1) > 0
    negative = _squeezed(c, pq) + xp.zeros_like(total) < 0
    return xp.where(lacks & negative, xp.zeros_like(total) + float("inf"), total)


def _squeezed(c: Any, pq: Pair) -> Any:
    return pq.xp.squeeze(c, axis=-1) if hasattr(c, "ndim") and c.ndim > 0 else c
