"""Two sets of samples as counts over buckets, and what those counts say about KL to mixtures, corrected for chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import cluster, stats

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def features(real: Floats, generated: Floats, most: int) -> tuple[Floats, Floats, int]:
    """Both sets on the main axes of their union (at most `most`), each side's rows weighing the same."""
    both = np.concatenate([real, generated])
    scale = both.std(axis=0)
    kept = scale > 0
    middle = 0.5 * (real.mean(axis=0) + generated.mean(axis=0))
    x = both[:, kept] - middle[kept]
    if x.shape[1] > most:
        covariance = x.T @ x / x.shape[0]
        _, vectors = np.linalg.eigh(covariance)
        x = x @ vectors[:, ::-1][:, :most]
    if x.shape[1] == 0:
        x = np.zeros((both.shape[0], 1))
    return x[: real.shape[0]], x[real.shape[0] :], x.shape[1]


def bucketed(
    real: Floats, generated: Floats, buckets: int, random_state: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """The bucket of every row, by k-means on the union: which side a row is on plays no part in it. And the middles."""
    both = np.concatenate([real, generated])
    rng = np.random.default_rng(random_state)
    sample = both[rng.choice(both.shape[0], size=min(both.shape[0], 60 * buckets), replace=False)]
    # No more buckets than different rows. k-means++ because buckets that mix hide what they mix.
    count = min(buckets, len(np.unique(sample, axis=0)))
    middles = _spread_out(sample, count, rng)
    if count > 1:
        middles, _ = cluster.vq.kmeans2(sample, middles, iter=15, minit="matrix", missing="warn")
    code, _ = cluster.vq.vq(both, middles)
    _, dense = np.unique(code, return_inverse=True)
    used = np.unique(code)
    return dense[: real.shape[0]], dense[real.shape[0] :], middles[used]


def _spread_out(x: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Start as k-means++ does (Arthur & Vassilvitskii 2007): the next row is drawn by its squared distance."""
    chosen = [int(rng.integers(len(x)))]
    nearest = np.sum((x - x[chosen[0]]) ** 2, axis=1)
    while len(chosen) < count:
        chosen.append(int(rng.choice(len(x), p=nearest / nearest.sum())))
        nearest = np.minimum(nearest, np.sum((x - x[chosen[-1]]) ** 2, axis=1))
    return np.asarray(x[chosen])


def to_mixture(a: Floats, b: Floats, weight: float) -> tuple[Floats, Floats]:
    """KL(P‖R) and KL(Q‖R), R = w P + (1−w) Q, for counts (…, K): plug-in, summed over the buckets."""
    p = a / a.sum(axis=-1, keepdims=True)
    q = b / b.sum(axis=-1, keepdims=True)
    r = weight * p + (1.0 - weight) * q
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(p > 0, p * np.log(p / r), 0.0).sum(axis=-1)
        second = np.where(q > 0, q * np.log(q / r), 0.0).sum(axis=-1)
    return np.asarray(first), np.asarray(second)


def shuffled(a: Counts, b: Counts, times: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Counts of both sides when rows are dealt to them at random, `times` times."""
    total = (a + b).astype(np.int64)
    dealt = rng.multivariate_hypergeometric(total, int(a.sum()), size=times, method="marginals")
    return dealt.astype(np.float64), (total - dealt).astype(np.float64)


def merged(middles: Floats, buckets: int, random_state: int) -> NDArray[np.intp]:
    """The region of each bucket: neighbouring buckets together, so that a region holds enough rows to be judged."""
    regions = int(np.clip(buckets // 4, min(buckets, 10), 60))
    if regions >= buckets:
        return np.arange(buckets)
    start = _spread_out(middles, regions, np.random.default_rng(random_state))
    found, _ = cluster.vq.kmeans2(middles, start, iter=20, minit="matrix", missing="warn")
    code, _ = cluster.vq.vq(middles, found)
    return np.asarray(np.unique(code, return_inverse=True)[1])


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


def second_order_bias(p: Floats, q: Floats, n: int, m: int, weight: float) -> tuple[float, float]:
    """Bias of the plug-in KL(P‖R) and KL(Q‖R), R = w P + (1−w) Q:  ½ Σ (second derivative · variance of the share).

    ½ (1−w)² Σ q (q/n + p/m)/r²  and  ½ w² Σ p (p/m + q/n)/r²; for P = Q and n = m the mean of the two at w = ½ is K/4n.
    """
    r = weight * p + (1.0 - weight) * q
    share = (p.size - 1) / p.size / np.maximum(r, 1e-300) ** 2  # shares sum to 1: one bucket fewer is free
    scatter = q / n + p / m
    first = 0.5 * (1.0 - weight) ** 2 * np.sum(share * q * scatter)
    return float(first), float(0.5 * weight**2 * np.sum(share * p * scatter))


def drawn(law: Floats, n: int, times: int, rng: np.random.Generator) -> Floats:
    """Counts of `n` rows of a law, `times` times."""
    return rng.multinomial(n, law, size=times).astype(np.float64)
