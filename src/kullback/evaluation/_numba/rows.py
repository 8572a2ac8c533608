"""Loops over rows of predictions: `gathered` of kullback.evaluation._scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from kullback.evaluation._numba.jit import jit

Array = Any


@jit
def gathered(p: Array, codes: Array, slack: float, loss: Array) -> bool:
    # Whether every row is a distribution is read off in the same pass: reading the matrix is what costs.
    n, K = p.shape
    fine = True
    for i in range(n):
        total = 0.0
        below = 0.0  # twice what lies below 0: a sum runs on all lanes, a minimum that minds NaN does not
        for k in range(K):
            x = np.float64(p[i, k])
            total += x
            below += abs(x) - x
        fine &= (abs(total - 1.0) <= slack) & (below == 0.0)
        loss[i] = total / p[i, codes[i]] if p[i, codes[i]] > 0 else np.inf
    return fine
