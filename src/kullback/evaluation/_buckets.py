"""Two sets of samples as counts over buckets: several k-means of the union, in the view that tells the sets apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import cluster

from kullback.evaluation._chance import plug_in_bias, resampled, shuffled, to_mixture
from kullback.evaluation._views import views

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Counts = NDArray[np.int64]

# The mean over a few ways of bucketing has half the spread of one; with many rows one is precise enough.
_WAYS, _ROWS_IN_ALL = 5, 100_000
_SHUFFLES, _FEWER_SHUFFLES = 999, 199


@dataclass(frozen=True, slots=True, eq=False)
class Bucketing:
    """Bucket of every row, real ones first, in each of several ways; and the middles of the first way's buckets."""

    n: int
    codes: list[Codes]
    sizes: list[int]
    middles: Floats

    @property
    def times(self) -> int:
        """How often rows are dealt or drawn."""
        return _SHUFFLES if self.codes[0].size <= _ROWS_IN_ALL else _FEWER_SHUFFLES

    def counts(self) -> list[tuple[Counts, Counts]]:
        """Rows per bucket of the two sides, for each way."""
        return [
            (np.bincount(code[: self.n], minlength=K), np.bincount(code[self.n :], minlength=K))
            for code, K in zip(self.codes, self.sizes, strict=True)
        ]

    def plug_in(self, weight: float) -> Floats:
        """KL of both sides to the mixture, (2,), mean over the ways."""
        return _mean([to_mixture(a.astype(float), b.astype(float), weight) for a, b in self.counts()])

    def bias(self, weights: Sequence[float]) -> Floats:
        """What chance adds to `plug_in`, (weights, 2)."""
        return _mean([plug_in_bias(a, b, weights) for a, b in self.counts()])

    def by_chance(self, weight: float, seed: int) -> Floats:
        """`plug_in` when rows are dealt to the sides at random, (2, times)."""
        dealt = shuffled(self.codes, self.sizes, self.n, self.times, seed)
        pairs = zip(self.counts(), dealt, strict=True)
        return _mean([to_mixture(d, (a + b) - d, weight) for (a, b), d in pairs])

    def again(self, weight: float, seed: int) -> Floats:
        """`plug_in` when both sides' rows are drawn again, (2, times)."""
        real = resampled([code[: self.n] for code in self.codes], self.sizes, self.times, seed)
        generated = resampled([code[self.n :] for code in self.codes], self.sizes, self.times, seed + 1)
        return _mean([to_mixture(a, b, weight) for a, b in zip(real, generated, strict=True)])


def _mean(found: Sequence[Any]) -> Floats:
    return np.asarray(np.mean(found, axis=0))


def best_bucketing(x: Floats, n: int, buckets: int, random_state: int) -> tuple[Bucketing, float]:
    """The bucketing in which the first `n` rows and the others look least alike, and the p-value of no difference.

    Rows are dealt to the sides at random, in the same way for all views; the p-value is that of the largest distance
    from the mean deal, in its standard deviations, so that having had a choice costs what it must.
    """
    found = [_bucketing(view, n, buckets, random_state) for view in views(x, random_state)]
    scores = []
    for b in found:
        seen, chance = b.plug_in(0.5).sum(), b.by_chance(0.5, random_state).sum(axis=0)
        spread = float(chance.std())
        scores.append((np.append(chance, seen) - chance.mean()) / (spread if spread > 0 else 1.0))
    largest = np.max(scores, axis=0)
    # Ties are common where buckets are few: rounding must not decide them.
    p_value = float(np.mean(largest >= largest[-1] - 1e-9))
    return found[int(np.argmax([s[-1] for s in scores]))], p_value


def _bucketing(x: Floats, n: int, buckets: int, random_state: int) -> Bucketing:
    ways = int(np.clip(_ROWS_IN_ALL // len(x), 1, _WAYS))
    made = [bucketed(x, buckets, random_state + way) for way in range(ways)]
    return Bucketing(n, [code for code, _ in made], [len(middles) for _, middles in made], made[0][1])


def bucketed(x: Floats, buckets: int, random_state: int) -> tuple[Codes, Floats]:
    """The bucket of every row by k-means, which knows no sides; and the middles."""
    rng = np.random.default_rng(random_state)
    sample = x[rng.choice(len(x), size=min(len(x), 60 * buckets), replace=False)]
    # No more buckets than different rows. k-means++ because buckets that mix hide what they mix.
    count = min(buckets, len(np.unique(sample, axis=0)))
    middles = _spread_out(sample, count, rng)
    if count > 1:
        middles, _ = cluster.vq.kmeans2(sample, middles, iter=15, minit="matrix", missing="warn")
    code, _ = cluster.vq.vq(x, middles)
    used, dense = np.unique(code, return_inverse=True)
    return dense.reshape(-1), middles[used]


def _spread_out(x: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Start as k-means++ does (Arthur & Vassilvitskii 2007): the next row is drawn by its squared distance."""
    chosen = [int(rng.integers(len(x)))]
    nearest = np.sum((x - x[chosen[0]]) ** 2, axis=1)
    while len(chosen) < count:
        chosen.append(int(rng.choice(len(x), p=nearest / nearest.sum())))
        nearest = np.minimum(nearest, np.sum((x - x[chosen[-1]]) ** 2, axis=1))
    return np.asarray(x[chosen])


def merged(middles: Floats, buckets: int, random_state: int) -> Codes:
    """The region of each bucket: neighbouring buckets together, so that a region holds enough rows to be judged."""
    regions = int(np.clip(buckets // 4, min(buckets, 10), 60))
    if regions >= buckets:
        return np.arange(buckets)
    start = _spread_out(middles, regions, np.random.default_rng(random_state))
    found, _ = cluster.vq.kmeans2(middles, start, iter=20, minit="matrix", missing="warn")
    code, _ = cluster.vq.vq(middles, found)
    return np.asarray(np.unique(code, return_inverse=True)[1])
