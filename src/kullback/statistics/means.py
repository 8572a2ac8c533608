"""The mean of many numbers, and how sure it is: independent rows, clusters of rows, or rows in an order."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from kullback.errors import InvalidInput

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


class Interval(NamedTuple):
    """A number, its two-sided interval and its standard error."""

    value: float
    low: float
    high: float
    standard_error: float


def cluster_sums(x: Floats, clusters: Codes, /) -> Floats:
    """Σ of the rows of each cluster: `x` (n,) or (n, m), `clusters` (n,) integers 0 … G−1; returns (G,) or (G, m)."""
    count = int(clusters.max()) + 1 if clusters.size else 0
    if x.ndim == 1:
        return np.asarray(np.bincount(clusters, weights=x, minlength=count), dtype=np.float64)
    return np.stack([np.bincount(clusters, weights=column, minlength=count) for column in x.T], axis=1)


def mean_error(x: Floats, /, *, clusters: Codes | None = None) -> tuple[float, int]:
    """Standard error of the mean of `x` and its degrees of freedom.

    Rows of one cluster may depend on each other in any way; clusters are independent (Liang & Zeger 1986,
    doi:10.1093/biomet/73.1.13):  SE² = G/(G−1) · Σ_g (Σ_{i∈g} (xᵢ − x̄))² / n².  Without clusters each row is its own.

    Parameters
    ----------
    x : array (n,)
    clusters : array (n,) of integers 0 … G−1, optional

    Returns
    -------
    standard_error : float
        NaN for fewer than two clusters: one cluster says nothing about the spread between clusters.
    degrees : int
        G − 1.

    Examples
    --------
    >>> import numpy as np
    >>> mean_error(np.array([1.0, 2.0, 3.0, 4.0]))
    (0.6454972243679028, 3)
    >>> mean_error(np.array([1.0, 2.0, 3.0, 4.0]), clusters=np.array([0, 0, 1, 1]))
    (1.0, 1)
    """
    n = x.shape[0]
    deviation = x - x.mean() if n else x
    if clusters is not None:
        deviation = cluster_sums(deviation, clusters)
    groups = deviation.shape[0]
    if groups < 2:
        return math.nan, max(groups - 1, 0)
    return math.sqrt(groups / (groups - 1) * float(deviation @ deviation)) / n, groups - 1


def serial_mean_error(x: Floats, /, *, lags: int | None = None) -> tuple[float, int]:
    """Standard error of the mean of rows that stand in an order, and the number of lags used (Newey & West 1987).

    SE² = (γ₀ + 2 Σ_{l≤L} (1 − l/(L+1)) γ_l) / n: autocovariances with Bartlett weights, never negative. Without `lags`,
    L is Andrews' plug-in for an AR(1) (doi:10.2307/2938229): 1.1447 · (4ρ²n/(1−ρ²)²)^⅓.
    """
    n = x.shape[0]
    if n < 2:
        return math.nan, 0
    deviation = x - x.mean()
    variance = float(deviation @ deviation)
    if lags is None:
        rho = float(deviation[1:] @ deviation[:-1]) / variance if variance > 0 else 0.0
        rho = min(max(rho, -0.97), 0.97)  # a unit root has no mean to be sure of; the plug-in would ask for all lags
        lags = math.ceil(1.1447 * (4.0 * rho**2 * n / (1.0 - rho**2) ** 2) ** (1.0 / 3.0))
    if lags < 0:
        raise InvalidInput(f"lags must be 0 or more, got {lags}")
    lags = min(lags, n - 1)
    for lag in range(1, lags + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * float(deviation[lag:] @ deviation[:-lag])
    return math.sqrt(max(variance, 0.0) / (n - 1) / n), lags


def mean_interval(x: Any, /, *, clusters: Codes | None = None, level: float = 0.95) -> Interval:
    """The mean of `x` with its Student-t interval; `clusters` as for `mean_error`.

    Examples
    --------
    >>> mean_interval([1.0, 2.0, 3.0, 4.0]).value
    2.5
    """
    values = np.asarray(x, dtype=np.float64)
    error, degrees = mean_error(values, clusters=clusters)
    value = float(values.mean()) if values.size else math.nan
    half = t_quantile(level, degrees) * error
    return Interval(value, value - half, value + half, error)


def t_quantile(level: float, degrees: int, /) -> float:
    """How many standard errors a two-sided interval of this level reaches; NaN without a degree of freedom."""
    if not 0.0 < level < 1.0:
        raise InvalidInput(f"level must lie between 0 and 1, got {level}; for 95 % say level=0.95")
    return float(stats.t.ppf(0.5 + level / 2.0, degrees)) if degrees > 0 else math.nan
