"""Divergences between two rows of float32 logits: the formulas of `kinds` for all lanes at once.

Normalisers, log-ratios and sums are float64; the terms are float32, and right to its last bits also where the two
distributions are close, because s − t is made from the ratio of the two and not as a difference.
"""

# numba ships no types that a strict checker can use
# mypy: disable-error-code="untyped-decorator,no-any-return"

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from kullback._compile import INLINE, SUM, TERM, compiled
from kullback.losses._numba.primitives import (
    HALF,
    LEAST,
    ONE,
    ZERO,
    difference,
    expm1_times,
    kl_entry,
    log_ratio,
    probability,
)
from kullback.losses._numba.rows import statistics

Array = Any
Single = Any

FORWARD, REVERSE, SKEW_JS, SKEW_KL, TV, REVERSE_SKEW = range(6)
SHOWS = 2.0**-21
BLOCK = 1024  # entries whose float32 sum is added to the float64 one


@compiled(**INLINE)
def _kl(a: Single, b: Single, d: Single, u: Single) -> Single:
    """The entry of KL(a‖b), d = b − a, u = log b − log a: b where a is 0, ∞ where b is 0 (u = −∞) and a is not."""
    fine = (a >= LEAST) & (b >= LEAST)
    entry = kl_entry(a if fine else ONE, b if fine else ONE, d if fine else ZERO)
    far = b if a == ZERO else (b - a) - a * u
    return entry if fine else (ZERO if far < ZERO else far)


@compiled(**INLINE)
def _kl_mixture(a: Single, m: Single, d: Single) -> Single:
    """The entry of KL(a‖m) for a mixture m that holds a part of a, d = m − a."""
    fine = a >= LEAST
    entry = kl_entry(a if fine else ONE, m if fine else ONE, d if fine else ZERO)
    return entry if fine else (ZERO if d < ZERO else d)


@compiled(**INLINE)
def _log_ratio(a: Single, m: Single, d: Single) -> Single:
    fine = a >= LEAST
    ratio = log_ratio(a if fine else ONE, m if fine else ONE, d if fine else ZERO)
    return ratio if fine else ZERO


@compiled(**INLINE)
def _entry(kind: int, t: Single, s: Single, d: Single, u: Single, beta: Single) -> Single:
    """`kinds.entries`, d = s − t."""
    if kind == FORWARD:
        return _kl(t, s, d, u)
    if kind == REVERSE:
        return _kl(s, t, -d, -u)
    if kind == TV:
        return HALF * abs(d)
    rest = ONE - beta
    if kind == REVERSE_SKEW:
        return _kl_mixture(s, beta * s + rest * t, -rest * d)
    m = beta * t + rest * s
    entry = _kl_mixture(t, m, rest * d)
    if kind == SKEW_JS:
        return entry / rest + _kl_mixture(s, m, -beta * d) / beta
    return entry


@compiled(**INLINE)
def _score(kind: int, t: Single, s: Single, d: Single, u: Single, beta: Single) -> Single:
    """`kinds.score`; 0 where s is."""
    rest = ONE - beta
    if kind == REVERSE:
        return u if s > ZERO else ZERO
    if kind == TV:
        return HALF if d > ZERO else (-HALF if d < ZERO else ZERO)
    if kind == SKEW_JS:
        return -_log_ratio(s, beta * t + rest * s, -beta * d) / beta
    if kind == REVERSE_SKEW:
        m = beta * s + rest * t
        return -_log_ratio(s, m, -rest * d) - (beta * rest * d / m if m > ZERO else ZERO)
    m = beta * t + rest * s
    return rest * rest * d / m if m > ZERO else ZERO


@compiled(**INLINE)
def _both(x: Single, y: Single, scale: Single, lse: Any) -> tuple[Single, Single, Single, Single]:
    """(t, s, s − t, log s − log t) of a teacher's and a student's logit; lse: two parts each of t's, s's, s's − t's."""
    t = probability(x, lse[0], lse[1], scale)
    s = probability(y, lse[2], lse[3], scale)
    u = difference(y, x, lse[4], lse[5]) * scale
    return t, s, expm1_times(t, s, u), u


@compiled(**TERM)
def _parts(lse_t: float, lse_s: float, scale: float) -> tuple[Single, Single, Single, Single, Single, Single]:
    """The normalisers in units of the logits, each in two float32 parts; 0 for a row of −∞."""
    a = 0.0 if lse_t == -math.inf else lse_t / scale
    b = 0.0 if lse_s == -math.inf else lse_s / scale
    ah, bh, ch = np.float32(a), np.float32(b), np.float32(b - a)
    return (
        ah, np.float32(a - np.float64(ah)), bh, np.float32(b - np.float64(bh)), ch, np.float32(b - a - np.float64(ch))
    )  # fmt: skip


@cache
def sums(kind: int) -> Any:
    """The compiled loop of one kind: (Σ entries, Σ s·G) of rows first to last; `normalise` takes the normalisers too.

    What float32 terms leave in those shows in Σ (s − t), which has to be 0. Where two distributions are so close that
    it would show in the value as well, the student's normaliser is mended and the row summed once more.
    """

    def loop(
        z_t: Array, z_s: Array, first: int, last: int, normalise: int, scale: float, beta: float, lse_t: Array,
        lse_s: Array, value: Array, mean: Array,
    ) -> None:  # fmt: skip
        scale_, beta_ = np.float32(scale), np.float32(beta)
        for r in range(first, last):
            if normalise:
                statistics(z_t, r, r + 1, scale, lse_t, mean[:0])
                statistics(z_s, r, r + 1, scale, lse_s, mean[:0])
            for again in range(2):
                lse = _parts(lse_t[r], lse_s[r], scale)
                total, scores, more = 0.0, 0.0, 0.0
                for start in range(0, z_t.shape[1], BLOCK):
                    x, y = z_t[r, start : start + BLOCK], z_s[r, start : start + BLOCK]
                    entries, score, gap = ZERO, ZERO, ZERO
                    for k in range(len(x)):
                        t, s, d, u = _both(x[k], y[k], scale_, lse)
                        entries += _entry(kind, t, s, d, u, beta_)
                        gap += d
                        if kind != FORWARD:
                            score += s * _score(kind, t, s, d, u, beta_)
                    total += np.float64(entries)
                    scores += np.float64(score)
                    more += np.float64(gap)
                value[r], mean[r] = total, scores
                first_order = 0.0 if kind == FORWARD else abs(more * scores)  # of the value, in the student's mass
                shows = (abs(more) if kind == TV else max(more * more, first_order)) > SHOWS * total
                shows = shows and again == 0
                if not (normalise and abs(more) < 0.5):
                    break
                if kind == FORWARD or shows:  # its gradient is s − t itself; of others the mean belongs to this lse
                    lse_s[r] += math.log1p(more)
                if not shows:
                    break

    return compiled(**SUM)(loop)


@cache
def gradients(kind: int) -> Any:
    """The compiled loop of one kind: weight·s·(G − mean)·scale; 0 for a weight of 0 or an infinite mean."""

    def loop(
        z_t: Array, z_s: Array, first: int, last: int, scale: float, beta: float, lse_t: Array, lse_s: Array,
        mean: Array, weight: Array, out: Array,
    ) -> None:  # fmt: skip
        scale_, beta_ = np.float32(scale), np.float32(beta)
        for r in range(first, last):
            x, y, dz = z_t[r], z_s[r], out[r]
            if weight[r] == 0.0 or abs(mean[r]) == math.inf:
                dz[:] = ZERO
                continue
            lse = _parts(lse_t[r], lse_s[r], scale)
            g, middle = np.float32(weight[r] * scale), np.float32(mean[r])
            for k in range(len(x)):
                t, s, d, u = _both(x[k], y[k], scale_, lse)
                dz[k] = g * (d if kind == FORWARD else s * (_score(kind, t, s, d, u, beta_) - middle))

    return compiled(**SUM)(loop)
