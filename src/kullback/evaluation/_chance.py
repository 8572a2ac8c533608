"""What chance makes of equal and of unequal sides: the plug-in divergence of counts, its bias and its spread.

Given that a bucket holds t rows, how many of them are real is binomial; f(p, q), the bucket's part of a KL to the
mixture, grows in proportion to (p, q). So the bias of the plug-in is Σ over buckets of E f(J/n, (t−J)/m) − f(E J/n, …),
J ~ Binomial(t, π): exact, however few rows a bucket holds, if its π is known. It is not, but it is one of four things:
what equal sides make it, n/(n+m); anything; 0; or 1. How often each is the case is read off all buckets together
(empirical Bayes), and each bucket takes the mean over what it may be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def to_mixture(a: Floats, b: Floats, weight: float) -> tuple[Floats, Floats]:
    """KL(P‖R) and KL(Q‖R), R = w P + (1−w) Q, for counts (…, K): plug-in, summed over the buckets."""
    first, second = parts(a / a.sum(axis=-1, keepdims=True), b / b.sum(axis=-1, keepdims=True), weight)
    return np.asarray(first.sum(axis=-1)), np.asarray(second.sum(axis=-1))


def parts(p: Any, q: Any, weight: float) -> tuple[Floats, Floats]:
    """Each bucket's p log(p/r) and q log(q/r)."""
    p, q = np.asarray(p), np.asarray(q)
    r = weight * p + (1.0 - weight) * q
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, p * np.log(p / r), 0.0), np.where(q > 0, q * np.log(q / r), 0.0)


def plug_in_bias(a: Counts, b: Counts, weights: Sequence[float]) -> Floats:
    """The bias of `to_mixture` for these counts (K,), by empirical Bayes; for each weight the two KLs, (weights, 2)."""
    n, m = int(a.sum()), int(b.sum())
    cells, times = np.unique(np.stack([a, b], axis=1), axis=0, return_counts=True)
    alike, anything = _beliefs(cells, times, n / (n + m))
    # How much each pair (rows, share of the real side) counts: equal sides differ by their rows alone.
    counted: dict[tuple[int, float], float] = {}
    for (x, y), count, even, free in zip(cells.tolist(), times.tolist(), alike, anything, strict=True):
        for share, belief in ((n / (n + m), even), ((x + 1) / (x + y + 2), free)):
            if belief > 1e-9:
                counted[x + y, share] = counted.get((x + y, share), 0.0) + count * float(belief)
    total = np.zeros((len(weights), 2))
    for (rows, share), count in counted.items():
        total += count * _bucket_bias(rows, share, n, m, weights)
    return total * (1.0 - 1.0 / a.size)  # shares sum to 1: one bucket fewer is free


def _beliefs(cells: Counts, times: Counts, even: float) -> tuple[Floats, Floats]:
    """How probably each pair of counts is of a bucket that both sides share evenly, and of one with any share."""
    x, y = cells.T.astype(np.float64)
    log_like = np.stack(
        [
            special.xlogy(x, even) + special.xlog1py(y, -even),
            special.betaln(x + 1.0, y + 1.0),
            np.where(x == 0, 0.0, -np.inf),
            np.where(y == 0, 0.0, -np.inf),
        ],
        axis=1,
    )
    like = np.exp(log_like - log_like.max(axis=1, keepdims=True))
    share = np.array([0.85, 0.05, 0.05, 0.05])
    belief = like
    for _ in range(500):
        belief = share * like
        belief /= belief.sum(axis=1, keepdims=True)
        share, before = times @ belief / times.sum(), share
        if np.abs(share - before).max() < 1e-7:
            break
    return belief[:, 0], belief[:, 1]


def _bucket_bias(rows: int, share: float, n: int, m: int, weights: Sequence[float]) -> Floats:
    # Nine standard deviations of the binomial: what lies beyond weighs 1e-15 and less.
    spread = 9.0 * math.sqrt(rows * share * (1.0 - share)) + 1.0
    j = np.arange(max(0, int(rows * share - spread)), min(rows, int(rows * share + spread) + 1) + 1)
    log_mass = special.xlogy(j, share) + special.xlog1py(rows - j, -share)
    mass = np.exp(log_mass - special.betaln(j + 1, rows - j + 1) - math.log(rows + 1))
    middle = rows * share
    out = np.empty((len(weights), 2))
    for row, weight in zip(out, weights, strict=True):
        seen, there = parts(j / n, (rows - j) / m, weight), parts(middle / n, (rows - middle) / m, weight)
        row[:] = [float(mass @ s) - float(t) for s, t in zip(seen, there, strict=True)]
    return out


def shuffled(codes: list[NDArray[np.intp]], sizes: list[int], n: int, times: int, seed: int) -> list[Floats]:
    """Counts of the first side when rows are dealt to the sides at random: for each way of bucketing (times, K)."""
    rng = np.random.default_rng(seed)
    out = [np.empty((times, K)) for K in sizes]
    for t in range(times):
        rows = rng.permutation(codes[0].size)[:n]
        for code, K, table in zip(codes, sizes, out, strict=True):
            table[t] = np.bincount(code[rows], minlength=K)
    return out


def resampled(codes: list[NDArray[np.intp]], sizes: list[int], times: int, seed: int) -> list[Floats]:
    """Counts of rows drawn again with replacement, the same rows for each way of bucketing (times, K)."""
    rng = np.random.default_rng(seed)
    out = [np.empty((times, K)) for K in sizes]
    for t in range(times):
        rows = rng.integers(codes[0].size, size=codes[0].size)
        for code, K, table in zip(codes, sizes, out, strict=True):
            table[t] = np.bincount(code[rows], minlength=K)
    return out


def beyond_chance(a: Counts, b: Counts, level: float = 0.05) -> tuple[NDArray[np.bool_], Floats]:
    """Which of the pairs of counts differ, false discovery rate `level`, and their two-sided p-values.

    Given a pair's total, the first count is hypergeometric if the sides are alike (Fisher's exact test).
    """
    n, m, total = int(a.sum()), int(b.sum()), a + b
    low, high = stats.hypergeom.cdf(a, n + m, n, total), stats.hypergeom.sf(a - 1, n + m, n, total)
    p_value = np.minimum(1.0, 2 * np.minimum(low, high))
    order = np.argsort(p_value)
    passing = np.flatnonzero(p_value[order] <= level * np.arange(1, a.size + 1) / a.size)
    out = np.zeros(a.size, dtype=bool)
    if passing.size:
        out[order[: passing[-1] + 1]] = True
    return out, np.asarray(p_value)
