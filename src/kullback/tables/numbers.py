"""From the counts of a column's cells to its numbers. Pure numpy: no engine, no table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from kullback._door import Base, Clean, enter, log_base
from kullback.forms import Counts
from kullback.measures import (
    cross_entropy,
    entropy,
    hellinger_distance,
    jeffreys_divergence,
    js_divergence,
    kl_divergence,
    total_variation,
)
from kullback.result.comparison import Cell, Column, ColumnKind, Sides
from kullback.tables.cells import Counted
from kullback.tables.counts import Kind

_KINDS: dict[Kind, ColumnKind] = {
    "numeric": "numeric",
    "boolean": "boolean",
    "categorical": "categorical",
    "datetime": "datetime",
    "time": "datetime",
}


def column(
    name: str,
    kind: Kind,
    cells: Sequence[Counted],
    *,
    base: Base = None,
    edges: Sequence[float] = (),
    ends: tuple[float | None, float | None] = (None, None),
) -> Column:
    """All numbers of one column.

    With K cells and n_eff = nm/(n+m), two samples of one law have on average KL (K−1)/(2n_eff), PSI (K−1)/n_eff and JS
    (K−1)/(8n_eff): half, once and an eighth of a χ² with K−1 degrees of freedom over n_eff. That much is taken off the
    smoothed values, and what is then below 0 is 0.
    """
    r = np.array([cell.reference for cell in cells], np.int64)
    c = np.array([cell.current for cell in cells], np.int64)
    n, m = int(r.sum()), int(c.sum())
    # Through the door once for all measures: with hundreds of columns it is what costs.
    p, q = enter(Counts(r), Counts(c)).parts
    smooth_p, smooth_q = enter(Counts(r, smoothing="jeffreys"), Counts(c, smoothing="jeffreys")).parts
    unit = log_base(base)
    chance = (len(cells) - 1) * (1 / n + 1 / m) / unit

    contributions = kl_divergence.contributions(smooth_p, smooth_q, xp=np) / unit
    kl_smoothed = _value(kl_divergence, smooth_p, smooth_q) / unit
    kl = max(0.0, kl_smoothed - chance / 2)
    missing = next((cell for cell in cells if cell.kind == "missing"), None)
    ordered = [cell for cell in cells if cell.low is not None]
    distances = _distances(ordered) if ordered else None
    return Column(
        name=name,
        kind=_KINDS[kind],
        rows=Sides(n, m),
        missing=Sides(missing.reference, missing.current) if missing else Sides(0, 0),
        kl=kl,
        kl_reverse=max(0.0, _value(kl_divergence, smooth_q, smooth_p) / unit - chance / 2),
        js=max(0.0, _value(js_divergence, smooth_p, smooth_q) / unit - chance / 8),
        psi=max(0.0, _value(jeffreys_divergence, smooth_p, smooth_q) / unit - chance),
        kl_smoothed=kl_smoothed,
        kl_raw=_value(kl_divergence, p, q) / unit,
        kl_reverse_raw=_value(kl_divergence, q, p) / unit,
        entropy_reference=_value(entropy, p) / unit,
        entropy_current=_value(entropy, q) / unit,
        cross_entropy=_value(cross_entropy, p, q) / unit,
        hellinger=math.sqrt(_value(hellinger_distance, p, q)),
        total_variation=_value(total_variation, p, q),
        ks=distances and distances[0],
        wasserstein=distances and distances[1],
        vanished_mass=int(r[c == 0].sum()) / n,
        new_mass=int(c[r == 0].sum()) / m,
        d_eq=math.sqrt(2 * kl * unit),
        cells=tuple(
            Cell(
                kind=cell.kind,
                label=cell.label,
                low=cell.low if cell.kind == "bin" else None,
                high=cell.high if cell.kind == "bin" else None,
                reference=cell.reference,
                current=cell.current,
                contribution=float(part),
            )
            for cell, part in zip(cells, contributions, strict=True)
        ),
        edges=tuple(edges),
        min=ends[0],
        max=ends[1],
    )


def _value(measure: ModuleType, *clean: Clean) -> float:
    """The formula of a measure, of arrays that have passed the door."""
    return float(measure.formula(*clean, xp=np))


def _distances(ordered: Sequence[Counted]) -> tuple[float, float] | None:
    """Kolmogorov–Smirnov max|F−G| and W₁ = ∫|F−G| of the finite values, both F and G linear within bins."""
    r = np.array([cell.reference for cell in ordered], float)
    c = np.array([cell.current for cell in ordered], float)
    if not r.sum() or not c.sum():
        return None
    after = np.cumsum(r) / r.sum() - np.cumsum(c) / c.sum()
    after[-1] = 0.0
    before = np.concatenate([[0.0], after[:-1]])
    ends: list[tuple[Any, Any]] = [(cell.low, cell.high) for cell in ordered]
    origin = ends[0][0]  # differences first: times are large numbers
    part = 1 if math.isfinite(float(ends[-1][1]) - float(origin)) else 4  # of a range that is itself beyond all floats
    low = np.array([float(low / part - origin / part) if part > 1 else float(low - origin) for low, _ in ends])
    high = np.array([float(high / part - origin / part) if part > 1 else float(high - origin) for _, high in ends])
    gaps = np.abs(before[1:]) * np.maximum(low[1:] - high[:-1], 0.0)
    same = before * after >= 0
    size = np.abs(before) + np.abs(after)
    crossing = (before**2 + after**2) / np.where(size > 0, 2 * size, 1.0)
    within = np.where(same, size / 2, crossing) * (high - low)
    return float(np.abs(after).max()), float(gaps.sum() + within.sum()) * part
