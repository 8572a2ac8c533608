"""The recalibration ladder: nested families of maps, each fitted, cross-fitted and judged by what it saves.

For every map g fitted on other rows, CE(f) − CE(g∘f) ≤ reliability in expectation (the variational form of the
calibration error: Berta, Holzmüller, Jordan & Bach 2025, arXiv 2501.19195). So the cross-fitted gain is a lower bound
for any family, the in-sample gain an upper one if the family holds the truth. A family of d parameters fitted on m rows
is off by d/2m on either side (Wilks): −d/2m cross-fitted with m = n(v−1)/v in v folds, +d/2n in sample. `between`
weighs the two so that the biases cancel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kullback.evaluation._fit import Fitted, fit_line
from kullback.evaluation._line import Line, Segments, judged, segments
from kullback.evaluation._truth import Truth
from kullback.statistics import fold_numbers, mean_error

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_KNOTS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97, 0.995, 1.0)
# The maps have few parameters: more rows than this move them by less than any interval shown.
_FIT_ENTRIES = 20_000_000
_FIT_ROWS = 200_000
# Beyond this the biases of the two ends of the bracket no longer mirror each other.
_ROWS_PER_PARAMETER = 20

IDENTITY = "as it is"


@dataclass(frozen=True, slots=True)
class Family:
    """One rung: is the line free, how fine, is there a bias, and which rung it refines."""

    name: str
    refines: str
    curve: bool = False
    free_line: bool = True
    with_bias: bool = False

    def holds(self, other: Family | None) -> bool:
        """Can this family do all that `other` (None: nothing) can?"""
        if other is None:
            return True
        wider = self.curve >= other.curve and self.with_bias >= other.with_bias
        return wider and self.free_line >= other.free_line

    def parameters(self, nodes: int, classes: int) -> int:
        """Free directions: levels of the line and of the biases change nothing."""
        return (nodes - 1 if self.free_line else 0) + (classes - 1 if self.with_bias else 0)


FAMILIES = (
    Family("base rate", IDENTITY, free_line=False, with_bias=True),
    Family("temperature", IDENTITY),
    Family("temperature + base rate", "base rate", with_bias=True),
    Family("curve", "temperature", curve=True),
    Family("curve + base rate", "temperature + base rate", curve=True, with_bias=True),
)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one family saves: per row that it has not seen (n,), on average over rows that it has, and in between."""

    family: Family
    parameters: int
    gain: Floats
    in_sample: float
    estimate: float
    line: Line | None


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """All rungs, the procedure 'choose the rung on the training rows, judge on the others', and the estimate.

    `gain` (n,) is that procedure's, cross-fitted. The reliability term is read off the `widest` rung that the data
    carry, whose misfit is least: its cross-fitted gain (`widest.gain`) and in-sample gain bracket it. `influence` and
    `brier_influence` (n,) are what each row adds to it, for the standard error: the gain under the map fitted on all
    rows, which scatters as the true map's does, where the maps of the folds add their own differences. `spread` is the
    part of the standard error that fitting brings; `inflation` the design effect of clusters (1 without).
    """

    steps: tuple[Step, ...]
    chosen: Step | None
    gain: Floats
    widest: Step
    influence: Floats
    brier_estimate: float
    brier_influence: Floats
    spread: float
    inflation: float


def between(cross_fitted: float, in_sample: float, folds: int) -> float:
    """The mean of the two gains in which their biases −d/2n · v/(v−1) and +d/2n cancel."""
    weight = (folds - 1) / (2 * folds - 1)
    return weight * cross_fitted + (1.0 - weight) * in_sample


def climb(
    c: Floats,
    loss: Floats,
    brier: Floats,
    truth: Truth,
    /,
    *,
    clusters: NDArray[np.intp] | None = None,
    folds: int = 5,
    random_state: int = 0,
) -> Ladder:
    """Fit every family on all rows and on all but each fold; `loss` and `brier` (n,) are the scores of 'as it is'."""
    n, K = c.shape
    fit_rows = _rows_to_fit(n, K, random_state)
    inside = np.zeros(n, dtype=bool)
    inside[fit_rows] = True
    fold = fold_numbers(n, folds=folds, clusters=clusters, random_state=random_state)
    inner = _Part(c[fit_rows], _take(truth, fit_rows))
    inner_fold, m = fold[fit_rows], fit_rows.size
    inflation = design_effect(loss, clusters)
    families = [f for f in FAMILIES if not f.curve or inner.curve.nodes.size > 2]

    # Rows of the table: 'as it is', then the families; columns: all rows, then each training part.
    mean_loss = np.empty((1 + len(families), folds + 1))
    size = np.empty((1 + len(families), 1))
    size[0] = 0
    training = [np.ones(m, dtype=bool)] + [inner_fold != f for f in range(folds)]
    mean_loss[0] = [loss[fit_rows][use].mean() for use in training]
    gains, briers, lines = np.zeros((1 + len(families), n)), np.zeros((1 + len(families), n)), []
    for j, family in enumerate(families, start=1):
        size[j] = family.parameters(inner.of(family).nodes.size, K)
        fits = [inner.fit(family, training[0], None)]
        fits += [inner.fit(family, use, fits[0].line) for use in training[1:]]
        mean_loss[j] = [f.cross_entropy for f in fits]
        lines.append(fits[0].line)
        for f in range(folds):
            held = np.flatnonzero(fold == f)
            part = _take(truth, held)
            new_loss, new_brier = judged(c[held], fits[1 + f].line, part.codes, part.soft)
            gains[j, held] = loss[held] - new_loss
            briers[j, held] = brier[held] - new_brier

    # Akaike's criterion, on training rows alone: choosing on the judged rows would make the lower bound a lie.
    rows = np.array([use.sum() for use in training])
    best = np.argmin(mean_loss * rows + size * inflation, axis=0)
    gain = gains[best[1:][fold], np.arange(n)]
    in_sample_gain = mean_loss[0, 0] - mean_loss[:, 0]
    in_sample = [_whole(in_sample_gain[j], gains[j], fit_rows) for j in range(len(families) + 1)]
    steps = tuple(
        Step(
            family,
            int(size[j, 0]),
            gains[j],
            in_sample[j],
            between(float(gains[j].mean()), in_sample[j], folds),
            lines[j - 1],
        )
        for j, family in enumerate(families, start=1)
    )
    chosen = int(best[0])
    # A wider family that cannot do what the chosen one does would hide a part of the loss.
    picked = steps[chosen - 1].family if chosen else None
    carried = [
        j
        for j, s in enumerate(steps, start=1)
        if j == chosen or (size[j, 0] * _ROWS_PER_PARAMETER <= m and s.family.holds(picked))
    ]
    widest = max(carried, key=lambda j: float(size[j, 0]), default=1)
    part = inner.truth
    loss_in, brier_in = judged(inner.c, lines[widest - 1], part.codes, part.soft)
    loss_in, brier_in = loss[fit_rows] - loss_in, brier[fit_rows] - brier_in
    brier_whole = _whole(float(brier_in.mean()), briers[widest], fit_rows)
    everything = m == n
    return Ladder(
        steps=steps,
        chosen=steps[chosen - 1] if chosen else None,
        gain=gain,
        widest=steps[widest - 1],
        influence=loss_in if everything else gains[widest],
        brier_estimate=between(float(briers[widest].mean()), brier_whole, folds),
        brier_influence=brier_in if everything else briers[widest],
        spread=math.sqrt(float(size[widest, 0]) / 2.0) / m * inflation,
        inflation=inflation,
    )


class _Part:
    """The rows that maps are fitted on, located once on the two sets of nodes."""

    def __init__(self, c: Floats, truth: Truth) -> None:
        self.c, self.truth = c, truth
        entries = c.ravel()[:: max(1, c.size // 400_000)]
        low, high = float(c.min()), float(c.max())
        if not high > low:
            low, high = low - 1.0, high + 1.0
        knots = np.quantile(entries, _KNOTS[1:-1])
        nodes = [low]
        for knot in [*knots.tolist(), high]:
            if knot - nodes[-1] > 1e-6 * (high - low):
                nodes.append(knot)
        self.straight = segments(c, np.array([low, high]))
        self.curve = segments(c, np.array(nodes))

    def of(self, family: Family) -> Segments:
        return self.curve if family.curve else self.straight

    def fit(self, family: Family, use: Mask, start: Line | None) -> Fitted:
        return fit_line(
            self.of(family),
            use,
            self.truth.codes,
            self.truth.soft,
            free_line=family.free_line,
            with_bias=family.with_bias,
            start=start,
        )


def _take(truth: Truth, rows: NDArray[np.intp]) -> Truth:
    return Truth(None if truth.codes is None else truth.codes[rows], None if truth.soft is None else truth.soft[rows])


def _rows_to_fit(n: int, K: int, random_state: int) -> NDArray[np.intp]:
    most = min(_FIT_ROWS, max(2_000, _FIT_ENTRIES // K))
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(random_state).choice(n, size=most, replace=False))


def _whole(in_sample: float, gain: Floats, fit_rows: NDArray[np.intp]) -> float:
    """In-sample gain for all rows: on the fitted ones, moved by how much the others differ from them."""
    return float(in_sample) + float(gain.mean() - gain[fit_rows].mean())


def design_effect(loss: Floats, clusters: NDArray[np.intp] | None) -> float:
    """How many rows of a cluster are worth one, ≥ 1: the design effect of the loss."""
    if clusters is None:
        return 1.0
    alone, together = mean_error(loss)[0], mean_error(loss, clusters=clusters)[0]
    return max(1.0, (together / alone) ** 2) if alone > 0 and together == together else 1.0
