"""What the most probable tokens alone prove about two distributions. Every bound holds; none is an estimate.

S are the stored tokens, T the rest with mass p_T, q_T; `core` = Σ_S p log(p/q). Everything is per position, shape (n,),
logarithms are natural. No top-k gives a finite upper bound on KL: the other model may give any unseen token nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def core(log_p: Floats, log_q: Floats) -> Floats:
    """Σ_S p (log p − log q) over the last axis; absent entries (−∞ in p) contribute nothing."""
    with np.errstate(invalid="ignore"):
        terms = np.where(np.isneginf(log_p), 0.0, np.exp(log_p) * (log_p - log_q))
    return np.asarray(terms.sum(axis=-1))


def kl_lower(core_value: Floats, p_tail: Floats, q_tail: Floats) -> Floats:
    """T1: KL ≥ core + p_T log(p_T/q_T), the tail seen as one token (log-sum inequality; tight if p/q is constant)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        tail = np.where(p_tail > 0, p_tail * (np.log(p_tail) - np.log(q_tail)), 0.0)
    return np.asarray(core_value + tail)


def kl_upper(core_value: Floats, p_tail: Floats, cap: Floats, log_q_floor: Floats) -> Floats:
    """T2: KL ≤ core + Σ_T p log p − p_T log q_min if no q is below q_min, with Σ_T p log p at its largest.

    The tail's p are at most `cap` (the least stored p): Σ p log p is convex, so it is largest with ⌊p_T/c⌋ tokens at
    the cap and one with the rest.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        full = np.floor(np.where(cap > 0, p_tail / cap, 0.0))
        rest = np.maximum(p_tail - full * cap, 0.0)
        largest = np.where(cap > 0, full * cap * np.log(cap), 0.0) + np.where(rest > 0, rest * np.log(rest), 0.0)
    return np.asarray(core_value + largest - p_tail * log_q_floor)


def kl_between(core_value: Floats, p_tail: Floats, tail_entropy: Floats, log_q_tail: Floats) -> tuple[Floats, Floats]:
    """T3: if H(P) is known and all of Q is at hand, KL lies between two numbers.

    The tail's Σ p log p is then known exactly; −Σ_T p log q is linear in p at fixed entropy h of p/p_T
    (`tail_entropy`), so its extremes are p ∝ qˢ, s ≥ 0 and s ≤ 0, found by bisection. `log_q_tail` is (n, m), the tail
    tokens of Q.
    """
    ends = []
    for sign in (1.0, -1.0):
        low, high = np.zeros(p_tail.shape), np.full(p_tail.shape, 1e6)
        for _ in range(70):
            middle = 0.5 * (low + high)
            entropy, _ = _tilted(log_q_tail, sign * middle)
            above = entropy > tail_entropy - 1e-12  # at the flat top of the entropy, rounding must not narrow the set
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        # `high` has at most the entropy asked for: beyond the extreme, never short of it.
        entropy, mean = _tilted(log_q_tail, sign * high)
        furthest = log_q_tail.max(axis=1) if sign > 0 else log_q_tail.min(axis=1)
        mean = np.where(entropy > tail_entropy, furthest, mean)
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.where(p_tail > 0, p_tail * (np.log(p_tail) - tail_entropy), 0.0)
        ends.append(np.asarray(core_value + own - p_tail * mean))
    first, second = ends
    return np.minimum(first, second), np.maximum(first, second)


def _tilted(log_q: Floats, s: Floats) -> tuple[Floats, Floats]:
    """Entropy of p ∝ qˢ, and Σ p log q."""
    a = s[:, None] * log_q
    a = a - a.max(axis=1, keepdims=True)
    weight = np.exp(a)
    total = weight.sum(axis=1, keepdims=True)
    p = weight / total
    return np.asarray(np.log(total[:, 0]) - np.sum(p * a, axis=1)), np.asarray(np.sum(p * log_q, axis=1))


def js_upper(js_coarse: Floats, p_tail: Floats, q_tail: Floats) -> Floats:
    """T5: Jensen–Shannon is at most that of the stored tokens, with ½(p_T + q_T) log 2 for the tail's own term."""
    with np.errstate(divide="ignore", invalid="ignore"):
        both = p_tail + q_tail
        own = 0.5 * (
            np.where(p_tail > 0, p_tail * np.log(2 * p_tail / both), 0.0)
            + np.where(q_tail > 0, q_tail * np.log(2 * q_tail / both), 0.0)
        )
    return np.asarray(np.minimum(js_coarse - own + 0.5 * both * np.log(2.0), np.log(2.0)))


def total_variation_upper(coarse: Floats, p_tail: Floats, q_tail: Floats) -> Floats:
    """T5: total variation lies between that of the coarse view and this, the tails not overlapping at all."""
    return np.asarray(np.minimum(coarse - 0.5 * np.abs(p_tail - q_tail) + 0.5 * (p_tail + q_tail), 1.0))


def entropy_between(log_p: Floats, p_tail: Floats, others: int) -> tuple[Floats, Floats]:
    """T6: H(P) between the tail's tokens as large as they may be (each ≤ the least stored p) and all `others` alike."""
    p = np.exp(log_p)
    stored = -np.sum(np.where(p > 0, p * log_p, 0.0), axis=-1)
    cap = np.minimum(p.min(axis=-1), p_tail)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(p_tail > 0, -p_tail * np.log(cap), 0.0)
        high = np.where(p_tail > 0, -p_tail * np.log(p_tail / others), 0.0)
    return np.asarray(stored + low), np.asarray(stored + high)


def sampled_kl(
    core_value: Floats, p_tail: Floats, q_tail: Floats, log_ratio: Floats, /, *, fold: NDArray[np.intp] | None = None
) -> Floats:
    """T7: unbiased estimates of KL from draws of the tail, i ~ P|T with ℓ = log(q/p) known, `log_ratio` (n, draws).

    core − p_T·mean(ℓ), with the control variate p_T·mean(e^ℓ) − q_T, whose mean is 0. Its coefficient is fitted on the
    other half of the positions (`fold`, 0 or 1), so that it costs no bias.
    """
    naive = core_value - p_tail * log_ratio.mean(axis=1)
    with np.errstate(over="ignore"):
        control = p_tail * np.exp(log_ratio).mean(axis=1) - q_tail
    halves = np.arange(naive.size) % 2 if fold is None else fold
    out = naive.copy()
    for half in (0, 1):
        fit, use = halves != half, halves == half
        x, y = control[fit], naive[fit]
        if x.size < 20 or not np.isfinite(x).all() or not np.isfinite(control[use]).all():
            continue
        spread = float(np.var(x))
        if spread > 0:
            beta = -float(np.mean((x - x.mean()) * (y - y.mean()))) / spread
            out[use] = naive[use] + beta * control[use]
    return np.asarray(out)
