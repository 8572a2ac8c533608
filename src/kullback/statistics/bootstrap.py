"""Bootstrap intervals (BCa) for a function of means: ratios, perplexities, differences of exponentials."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from kullback.errors import InvalidInput
from kullback.statistics.means import Interval, cluster_sums

Floats = NDArray[np.float64]

# Above this many units, rows are added up at random into this many blocks first: the variance of a sum of sums is the
# same, and the bootstrap's cost no longer grows with n.
_BLOCKS = 4000


def bootstrap_of_means(
    columns: Floats,
    function: Callable[[Floats], Floats],
    /,
    *,
    clusters: NDArray[np.intp] | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    random_state: int = 0,
) -> Interval:
    """Bias-corrected accelerated interval (Efron 1987, doi:10.1080/01621459.1987.10478410) of f(mean of the columns).

    Whole rows are drawn, so columns that were measured on the same rows stay paired; with `clusters`, whole clusters.

    Parameters
    ----------
    columns : array (n, m)
    function : maps means (..., m) to numbers (...)
    clusters : array (n,) of integers 0 … G−1, optional
    level, resamples, random_state
        The same `random_state` gives the same bits.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(1).exponential(size=(500, 2))
    >>> interval = bootstrap_of_means(x, lambda m: m[..., 0] / m[..., 1])
    >>> interval.low < 1.0 < interval.high
    True
    """
    if columns.ndim != 2 or columns.shape[0] < 2:
        raise InvalidInput(f"columns must have shape (n, m) with n ≥ 2, got {columns.shape}")
    rng = np.random.default_rng(random_state)
    # The size of a unit is one more mean: then a mean per row is a ratio of two means per unit, clusters uneven or not.
    table = np.column_stack([columns, np.ones(columns.shape[0])])
    if clusters is not None:
        table = cluster_sums(table, clusters)
    if table.shape[0] > _BLOCKS:
        table = cluster_sums(table, rng.permutation(table.shape[0]) % _BLOCKS)
    units = table.shape[0]
    if units < 2:
        raise InvalidInput("a bootstrap over clusters needs at least 2 clusters, got 1")

    def evaluate(totals: Floats) -> Floats:
        return np.asarray(function(totals[..., :-1] / totals[..., -1:]), dtype=np.float64)

    total = table.sum(axis=0)
    value = float(evaluate(total))
    draws = np.empty(resamples)
    step = max(1, 4_000_000 // units)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        times = rng.multinomial(units, np.full(units, 1.0 / units), size=size)
        draws[start : start + size] = evaluate(times.astype(np.float64) @ table)
    error = float(draws.std(ddof=1))
    without_one = evaluate(total - table)
    spread = without_one.mean() - without_one
    cubed = float(np.sum(spread**2)) ** 1.5
    acceleration = float(np.sum(spread**3)) / (6.0 * cubed) if cubed > 0 else 0.0
    below = (np.sum(draws < value) + 0.5 * np.sum(draws == value)) / resamples
    bias = stats.norm.ppf(min(max(below, 1.0 / resamples), 1.0 - 1.0 / resamples))
    tail = stats.norm.ppf(0.5 + level / 2.0)

    def corrected(z: float) -> float:
        return float(stats.norm.cdf(bias + (bias + z) / (1.0 - acceleration * (bias + z))))

    low, high = np.quantile(draws, [corrected(-tail), corrected(tail)])
    return Interval(value, float(low), float(high), error if math.isfinite(error) else math.nan)
