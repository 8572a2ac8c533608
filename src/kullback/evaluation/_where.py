"""Where the loss sits: slices of rows, single rows, the reliability curve."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.evaluation._ladder import Ladder, climb
from kullback.evaluation._scores import RowScores
from kullback.evaluation._terms import Clusters, estimate_of
from kullback.evaluation._truth import Truth, codes_of
from kullback.result.evaluation import Bin, ReviewRow, Slice
from kullback.statistics import mean_error
from kullback.statistics.means import t_quantile

Floats = NDArray[np.float64]

_SMALLEST_SLICE = 30
_SMALLEST_TO_RECALIBRATE = 300
_MOST_RECALIBRATED = 8
_BINS = 15


def slices(
    columns: Mapping[str, Any],
    scores: RowScores,
    truth: Truth,
    ladder: Ladder,
    classes: tuple[str, ...],
    /,
    *,
    clusters: Clusters = None,
    level: float = 0.95,
    most: int = 20,
) -> tuple[Slice, ...]:
    """The slices that lose most beyond their share of rows: of named columns, of the truth, of the prediction."""
    n = truth.n
    loss, total = scores.clipped, float(scores.clipped.sum())
    wasted = float(ladder.widest.gain.sum())
    found: list[tuple[float, str, str, NDArray[np.intp]]] = []
    groups = {name: codes_of(values, n, f"slice {name!r}") for name, values in columns.items()}
    if len(classes) > 1:
        if truth.codes is not None:
            groups["(truth)"] = (truth.codes, list(classes))
        groups["(predicted)"] = (scores.top, list(classes))
    for name, (code, values) in groups.items():
        order = np.argsort(code, kind="stable")
        edges = np.searchsorted(code[order], np.arange(len(values) + 1))
        for j, value in enumerate(values):
            rows = order[edges[j] : edges[j + 1]]
            if _SMALLEST_SLICE <= rows.size < n:
                found.append((float(loss[rows].sum()) - total * rows.size / n, name, value, rows))
    found.sort(key=lambda f: -f[0])
    out: list[Slice] = []
    for excess, name, value, rows in found[:most]:
        inside = None if clusters is None else np.unique(clusters[rows], return_inverse=True)[1]
        own = None
        named = name in columns
        if named and classes and rows.size >= _SMALLEST_TO_RECALIBRATE and len(out) < _MOST_RECALIBRATED and excess > 0:
            own = _own_gain(scores, truth, rows, inside, level)
        out.append(
            Slice(
                column=name,
                value=value,
                rows=int(rows.size),
                share_of_rows=rows.size / n,
                share_of_loss=float(loss[rows].sum()) / total if total > 0 else 0.0,
                cross_entropy=estimate_of(
                    float(loss[rows].mean()), loss[rows], clusters=inside, level=level, method="mean over the slice"
                ),
                reliability_share=float(ladder.widest.gain[rows].sum()) / wasted if wasted > 0 else None,
                own_gain=own,
            )
        )
    return tuple(out)


def _own_gain(scores: RowScores, truth: Truth, rows: NDArray[np.intp], clusters: Clusters, level: float) -> Any:
    part = Truth(None if truth.codes is None else truth.codes[rows], None if truth.soft is None else truth.soft[rows])
    if clusters is not None and int(clusters.max()) < 5:
        return None
    ladder = climb(scores.c[rows], scores.clipped[rows], scores.brier[rows], part, clusters=clusters)
    return estimate_of(
        float(ladder.gain.mean()),
        ladder.gain,
        clusters=clusters,
        level=level,
        method="cross-fitted gain of a recalibration fitted to the slice",
    )


def review(scores: RowScores, truth: Truth, classes: tuple[str, ...], /, *, most: int = 20) -> tuple[ReviewRow, ...]:
    """The rows that cost most, an infinite loss first; their share is of the loss with zeros clipped."""
    total = float(scores.clipped.sum())
    most = min(most, scores.loss.size)
    at = np.argpartition(-scores.clipped, most - 1)[:most]
    at = at[np.lexsort((at, -scores.clipped[at]))]
    return tuple(
        ReviewRow(
            row=int(i),
            truth=classes[truth.codes[i]] if truth.codes is not None else "(soft)",
            predicted=classes[scores.top[i]],
            probability=float(np.exp(-scores.loss[i])) if truth.codes is not None else None,
            loss=float(scores.loss[i]),
            share=float(scores.clipped[i]) / total if total > 0 else 0.0,
        )
        for i in at.tolist()
    )


def concentration(loss: Floats) -> float:
    """Share of the loss held by the costliest 1 % of the rows."""
    top = max(1, loss.size // 100)
    total = float(loss.sum())
    return float(np.partition(loss, loss.size - top)[loss.size - top :].sum()) / total if total > 0 else 0.0


def reliability_curve(
    confidence: Floats, hit: Floats, /, *, clusters: Clusters = None, level: float = 0.95
) -> tuple[tuple[Bin, ...], float, float]:
    """Bins of equally many rows by confidence; the calibration error; what a calibrated model would show by chance."""
    n = confidence.size
    bins = min(_BINS, max(1, n // 20))
    order = np.argsort(confidence, kind="stable")
    edges = np.linspace(0, n, bins + 1).astype(int)
    # Rows with the same confidence are not told apart by where they stand in the file: an edge moves to where it
    # changes.
    ordered = confidence[order]
    edges[1:-1] = np.searchsorted(ordered, ordered[edges[1:-1]], side="left")
    edges = np.unique(edges)
    out, error, by_chance = [], 0.0, 0.0
    for a, b in pairwise(edges.tolist()):
        rows = order[a:b]
        codes = None if clusters is None else np.unique(clusters[rows], return_inverse=True)[1]
        spread, degrees = mean_error(hit[rows], clusters=codes)
        observed, predicted = float(hit[rows].mean()), float(confidence[rows].mean())
        half = t_quantile(level, degrees) * spread if degrees > 0 else 1.0
        out.append(
            Bin(
                low=float(ordered[a]),
                high=float(ordered[b - 1]),
                rows=int(b - a),
                predicted=predicted,
                observed=observed,
                observed_low=max(0.0, observed - half),
                observed_high=min(1.0, observed + half),
            )
        )
        error += abs(observed - predicted) * (b - a) / n
        by_chance += np.sqrt(2.0 / np.pi * np.mean(confidence[rows] * (1.0 - confidence[rows])) / (b - a)) * (b - a) / n
    return tuple(out), error, float(by_chance)
