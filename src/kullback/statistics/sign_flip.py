"""The sign-flip test: if the differences are symmetric about 0, any of their signs could have been the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kullback.statistics.means import cluster_sums

_ALL_SIGNS_UP_TO = 16


def sign_flip_test(
    differences: NDArray[np.float64],
    /,
    *,
    clusters: NDArray[np.intp] | None = None,
    resamples: int = 9999,
    random_state: int = 0,
) -> float:
    """Two-sided p-value of 'the differences are symmetric about 0'; with `clusters`, whole clusters flip together.

    Up to 16 units every one of the 2ᴳ signs is tried and the p-value is exact; above, random signs, the observed one
    counted among them (Phipson & Smyth 2010, doi:10.2202/1544-6115.1585), so that p is never 0 and never too small.

    Examples
    --------
    >>> import numpy as np
    >>> sign_flip_test(np.array([1.0, 2.0, 1.5, 0.5, 1.0]))
    0.0625
    """
    sums = differences if clusters is None else cluster_sums(differences, clusters)
    sums = sums[sums != 0.0]
    units = sums.shape[0]
    if units == 0:
        return 1.0
    observed = abs(float(sums.sum())) * (1.0 - 1e-12)  # a tie in exact arithmetic must not be lost to rounding
    if units <= _ALL_SIGNS_UP_TO:
        signs = 1.0 - 2.0 * ((np.arange(2**units)[:, None] >> np.arange(units)) & 1)
        return float(np.mean(np.abs(signs @ sums) >= observed))
    rng = np.random.default_rng(random_state)
    reached = 0
    step = max(1, 8_000_000 // units)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        signs = 1.0 - 2.0 * rng.integers(0, 2, size=(size, units), dtype=np.int8)
        reached += int(np.sum(np.abs(signs @ sums) >= observed))
    return (reached + 1) / (resamples + 1)
