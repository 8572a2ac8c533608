"""How wide residuals are: their size, the smallest scale to believe, and what an even spread would cost."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.learn._shapes import Histogram, Normal

Floats = NDArray[np.float64]

# The smallest absolute residual and scale a row may have, as a share of the standard deviation of y.
FLOOR = 1e-3


def floor(residual: Floats, width: Floats, constant: float, weight: Floats, least: float, shape: str) -> float:
    """The smallest scale to believe: of some shares of the constant one, that of the least cross-entropy.

    Judged by a normal shape only where that is the one asked for: a few outliers would make it choose too wide a floor.
    """
    candidates = np.r_[least, constant * np.geomspace(1e-2, 1.0, 13)]
    costs = []
    for low in candidates:
        v = np.maximum(width, low)
        z = residual / v
        law: Any = Normal.fit(z, weight) if shape == "normal" else Histogram.fit(z, weight, bins=100, smoothing=0.15)
        costs.append(float(np.average(np.log(v) - law.logpdf(z), weights=weight)))
    return max(float(candidates[int(np.argmin(costs))]), least)


def even(residual: Floats, location: Floats, weight: Floats | None) -> float:
    """Cross-entropy of a normal shape whose log scale is a straight line in the location."""
    w = np.ones(len(residual)) if weight is None else weight
    width = size(residual, w)
    logs = np.log(np.maximum(np.abs(residual), max(FLOOR * width, 1e-150)))
    centred = location - np.average(location, weights=w)
    slope = float(w @ (centred * logs)) / max(float(w @ centred**2), 1e-300)
    line = np.clip(slope * centred, -10.0, 10.0)
    law = Normal.fit(residual / np.exp(line), w)
    return float(np.average(line - law.logpdf(residual / np.exp(line)), weights=w))


def size(residual: Floats, weight: Floats) -> float:
    """Root mean square."""
    return float(np.sqrt(np.average(residual**2, weights=weight)))


def some(weight: Floats, rows: NDArray[np.bool_]) -> Floats:
    """The weights of these rows; all alike where they have none."""
    return weight[rows] if weight[rows].sum() > 0 else np.ones(int(rows.sum()))
