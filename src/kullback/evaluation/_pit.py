"""The recalibration ladder of a regressor: U = F(Y) should be uniform; what it is instead is what recalibration
removes.

With U of density g, the density f(y)·g(F(y)) costs E log g(U) less, and over all g the most that can be saved is
KL(law of U‖uniform). The rungs are the same as for classifiers in spirit: move it, widen it, then any shape.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from kullback.evaluation._ladder import IDENTITY, Family, Ladder, Step, between, design_effect
from kullback.statistics import fold_numbers

Floats = NDArray[np.float64]

SHIFT = Family("shift", IDENTITY)
SPREAD = Family("shift + spread", "shift")
SHAPE = Family("shape", "shift + spread")
_BINS = 20
_ROWS_PER_PARAMETER = 20


class Map(NamedTuple):
    """g(u) = φ((z−m)/s)/(s φ(z)) · h(Φ((z−m)/s)),  z = Φ⁻¹(u),  h a histogram on [0, 1] (None: flat)."""

    mean: float
    std: float
    heights: Floats | None


def _log_density(z: Floats, m: Map) -> Floats:
    x = (z - m.mean) / m.std
    out = 0.5 * (z * z - x * x) - math.log(m.std)
    if m.heights is not None:
        out = out + np.log(m.heights[_bin(x, m.heights.size)])
    return np.asarray(out)


def _bin(x: Floats, bins: int) -> NDArray[np.intp]:
    return np.asarray(np.minimum((special.ndtr(x) * bins).astype(np.intp), bins - 1))


def _fit(z: Floats, family: Family) -> Map:
    mean = float(z.mean())
    if family is SHIFT:
        return Map(mean, 1.0, None)
    std = max(float(z.std()), 1e-6)
    if family is SPREAD:
        return Map(mean, std, None)
    count = np.bincount(_bin((z - mean) / std, _BINS), minlength=_BINS) + 0.5
    return Map(mean, std, _BINS * count / count.sum())


def pit_ladder(
    pit: Floats, /, *, clusters: NDArray[np.intp] | None, loss: Floats, folds: int, random_state: int
) -> tuple[Ladder, dict[str, str]]:
    """The rungs fitted, cross-fitted and judged as for classifiers; and what each found, in words."""
    n = pit.size
    z = special.ndtri(np.clip(pit, 1e-12, 1 - 1e-12))
    fold = fold_numbers(n, folds=folds, clusters=clusters, random_state=random_state)
    families = (SHIFT, SPREAD, SHAPE)
    size = np.array([0.0, 1.0, 2.0, 2.0 + _BINS - 1])
    inflation = design_effect(loss, clusters)
    gains = np.zeros((4, n))
    total = np.zeros((4, folds + 1))  # gains on the training rows
    steps, words = [], {}
    for j, family in enumerate(families, start=1):
        whole = _fit(z, family)
        total[j, 0] = _log_density(z, whole).sum()
        for f in range(folds):
            train, held = z[fold != f], fold == f
            found = _fit(train, family)
            total[j, 1 + f] = _log_density(train, found).sum()
            gains[j, held] = _log_density(z[held], found)
        inside = float(total[j, 0]) / n
        estimate = between(float(gains[j].mean()), inside, folds)
        steps.append(Step(family, int(size[j]), gains[j], inside, estimate, None))
        words[family.name] = _words(whole, family)
    best = np.argmin(size[:, None] * inflation - total, axis=0)
    chosen = int(best[0])
    carried = [j for j in (1, 2, 3) if j == chosen or size[j] * _ROWS_PER_PARAMETER <= n]
    widest = max(carried, default=1)
    ladder = Ladder(
        steps=tuple(steps),
        chosen=steps[chosen - 1] if chosen else None,
        gain=gains[best[1:][fold], np.arange(n)],
        widest=steps[widest - 1],
        influence=gains[widest],
        brier_estimate=0.0,
        brier_influence=np.zeros(n),
        spread=math.sqrt(float(size[widest]) / 2.0) / n * inflation,
        inflation=inflation,
    )
    return ladder, words


def _words(m: Map, family: Family) -> str:
    said = f"truth {abs(m.mean):.2f} predicted deviations {'above' if m.mean > 0 else 'below'} the predictions"
    if family is SPREAD:
        said += f"; predictions {'too narrow' if m.std > 1 else 'too wide'}: widths × {m.std:.3g}"
    if family is SHAPE and m.heights is not None:
        said = f"density of U between {m.heights.min():.2f} and {m.heights.max():.2f} beyond shift and spread"
    return said
