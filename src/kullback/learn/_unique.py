"""Equal rows merged into one of their joint weight, in an order that depends on their content alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def unique_rows(P: Any, weight: NDArray[np.float64]) -> tuple[Any, NDArray[np.float64], NDArray[np.int64]]:
    """Distinct rows of a canonical CSR matrix, their weights, and for each row of P its place there (−1: weight 0).

    A method that visits rows in random order then gives the same result for a row of weight 2 and for two equal rows,
    in whatever order they came.
    """
    kept = np.flatnonzero(weight > 0)
    rows = P[kept]
    key = rows @ np.random.default_rng(20010909).standard_normal(P.shape[1])  # equal rows: equal key, to the last bit
    order = np.argsort(key, kind="stable")
    rows, key = rows[order], key[order]
    first = np.ones(kept.size, bool)
    candidates = np.flatnonzero(key[1:] == key[:-1]) + 1
    for i in candidates:  # equal keys are compared entry by entry
        a, b, c = rows.indptr[i - 1], rows.indptr[i], rows.indptr[i + 1]
        same = (
            c - b == b - a
            and np.array_equal(rows.indices[a:b], rows.indices[b:c])
            and np.array_equal(rows.data[a:b], rows.data[b:c])
        )
        first[i] = not same
    group = np.cumsum(first) - 1
    inverse = np.full(P.shape[0], -1, dtype=np.int64)
    inverse[kept[order]] = group
    return rows[first], np.bincount(group, weight[kept][order]).astype(np.float64), inverse
