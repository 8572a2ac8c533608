"""Where to cut an ordered column: by default pooled deciles, tail cells, and a cell of its own for each heavy value.

Equal width is blinded by a single outlier and plain quantiles do not see outliers at all. Edges come from a sample of
both sides in which each side weighs the same, by rules that treat the sides alike: swapping them gives the same edges.
They only decide where is counted, not what: counts are of all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kullback.tables.counts import TICKS, Floats, Range

TAILS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05)
OWN_CELLS = 64  # up to this many whole numbers each keep a cell of their own
SPIKE = 0.005  # a value with this share has its own cell if it stands out from its neighbours:
STANDS_OUT = 3.0  # it holds this many times what all but …
COMPANIONS = 2  # … this many others hold among the
NEIGHBOURS = 10  # next distinct values on each side


@dataclass(frozen=True, slots=True)
class Pooled:
    """The distinct values of both samples and their share, each side weighing the same; `repeats` counts rows.

    `whole`: the type holds nothing but whole numbers. `integral`: so does the sample, whatever the type (a whole number
    beside missing ones is often stored as a float).
    """

    values: Floats
    shares: Floats
    repeats: NDArray[np.int64]
    whole: bool
    integral: bool
    times: bool = False


def pool(reference: Floats, current: Floats, *, whole: bool, times: bool = False) -> Pooled:
    """Put two samples together. Weights are whole numbers, so that the order of the sides cannot matter."""
    values, index = np.unique(np.concatenate([reference, current]), return_inverse=True)
    n, m = len(reference), len(current)
    first = np.bincount(index[:n], minlength=len(values))
    second = np.bincount(index[n:], minlength=len(values))
    weights = first * max(m, 1) + second * max(n, 1)
    integral = whole or bool(len(values) and np.all(values == np.floor(values)) and np.all(np.abs(values) < 2.0**53))
    total = max(int(weights.sum()), 1)
    return Pooled(values, weights / total, first + second, whole, integral, times)


Rule = Callable[[Pooled, Range], list[float]]


def default(pooled: Pooled, range_: Range) -> list[float]:
    """Deciles and tails of the pool, heavy values apart; few whole numbers are all apart."""
    if pooled.integral and len(pooled.values) <= min(OWN_CELLS, pooled.repeats.sum() / 2):
        return own_cells(pooled.values, pooled)
    levels = [*TAILS, *(i / 10 for i in range(1, 10)), *(1 - tail for tail in reversed(TAILS))]
    heavy = _heavy(pooled)
    cuts = _rounded(_quantiles(pooled, levels), pooled)
    return _merged(cuts, own_cells(heavy, pooled), pooled, range_)


def quantiles(pooled: Pooled, range_: Range, *, bins: int = 10) -> list[float]:
    """Bins of equal share in the pool."""
    return _merged(_rounded(_quantiles(pooled, [i / bins for i in range(1, bins)]), pooled), [], pooled, range_)


def equal_width(pooled: Pooled, range_: Range, *, bins: int = 10) -> list[float]:
    """Bins of equal width from the least to the greatest value."""
    del pooled
    low, high = range_
    if low is None or high is None or not low < high:
        return []
    step = high / bins - low / bins
    return sorted({float(low) + i * step for i in range(1, bins)})


def own_cells(values: Sequence[float] | Floats, pooled: Pooled) -> list[float]:
    """Edges on both sides of each value: [v, v+1) for whole numbers, else [v, the next number)."""
    after = [v + 1 if pooled.whole and abs(v) < 2.0**53 else float(np.nextafter(v, np.inf)) for v in values]
    return sorted({*map(float, values), *map(float, after)})


def expected_shares(edges: Sequence[float], pooled: Pooled) -> list[float]:
    """The share of each bin in the pool, with a little for those that the sample did not meet."""
    at = np.searchsorted(np.asarray(edges, float), pooled.values, side="right")
    shares = np.bincount(at, weights=pooled.shares, minlength=len(edges) + 1)
    return [float(share) + 1e-6 for share in shares]


def _quantiles(pooled: Pooled, levels: Sequence[float]) -> list[float]:
    """Values of the sample whose cumulative share first reaches each level; the least value cuts nothing off."""
    if not len(pooled.values):
        return []
    reached = np.searchsorted(np.cumsum(pooled.shares), np.asarray(levels) - 1e-12)
    found = {float(pooled.values[min(i, len(pooled.values) - 1)]) for i in reached.tolist()}
    return sorted(found - {float(pooled.values[0])})


def _heavy(pooled: Pooled) -> Floats:
    """Values that stand out from their neighbours. Even ones need no help: deciles fall between them."""
    shares = pooled.shares
    found = []
    for i in np.flatnonzero((shares >= SPIKE) & (pooled.repeats > 1)).tolist():
        around = np.concatenate([shares[max(i - NEIGHBOURS, 0) : i], shares[i + 1 : i + 1 + NEIGHBOURS]])
        rest = np.sort(around)[: max(len(around) - COMPANIONS, 0)]
        if len(rest) and shares[i] > STANDS_OUT * rest[-1]:
            found.append(float(pooled.values[i]))
    return np.array(found)


def _rounded(cuts: list[float], pooled: Pooled) -> list[float]:
    """The cuts in as few digits as their distances need: 39.0 rather than 39.0173, and whole days where they do."""
    if not cuts:
        return cuts
    ends = [float(pooled.values[0]), *cuts, float(pooled.values[-1])]
    found = []
    for i, cut in enumerate(cuts, start=1):
        gap = min((gap for gap in (cut - ends[i - 1], ends[i + 1] - cut) if gap > 0), default=0.0)
        if pooled.times:
            short = _rounded_time(cut, gap)
        else:
            digits = 1 - int(np.floor(np.log10(gap))) if 1e-290 < gap < 1e290 else 300
            short = float(round(cut, digits)) if digits < 300 else cut
        found.append(short if abs(short - cut) < gap / 2 else cut)
    return sorted(set(found))


def _rounded_time(cut: float, gap: float) -> float:
    """A time (in ticks) at the day, hour, minute or second, whichever is the coarsest that moves it little."""
    unit = next((u * TICKS for u in (86_400, 3_600, 60, 1) if u * TICKS * 4 <= gap), 1)
    return float(round(cut / unit) * unit)


def _merged(cuts: Sequence[float], own: Sequence[float], pooled: Pooled, range_: Range) -> list[float]:
    """All edges together; a cut that falls inside a whole number's own cell, or cuts nothing off, is left out."""
    edges = {float(np.ceil(cut)) if pooled.integral else float(cut) for cut in cuts} | set(own)
    low, high = range_
    if low is not None and high is not None:
        edges = {edge for edge in edges if low < edge <= high or edge in own}
    return sorted(edges)
