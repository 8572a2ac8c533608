"""What `KLNMF` reads: counts as rows and as columns, with what was not observed, and one pass over either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kullback.learn._checks import row_sums

Floats = NDArray[np.float64]
_EVERYTHING = np.zeros(1, np.int32)


@dataclass(frozen=True, slots=True)
class Counts:
    """V as rows and as columns, and which entries were not observed."""

    rows: Any
    columns: Any
    mode: int
    masks: tuple[Any, Any]

    def pointers(self, axis: int) -> tuple[Any, ...]:
        matrix, mask = (self.rows, self.columns)[axis], self.masks[axis]
        where = (_EVERYTHING, _EVERYTHING) if mask is None else (mask.indptr, mask.indices)
        return matrix.indptr, matrix.indices.view(np.uint32), matrix.data, self.mode, *where


def read(X: Any, missing: str) -> Counts:
    """Counts from a checked matrix, dense or CSR: NaN or (`missing="zeros"`) every zero was not observed."""
    from kullback.learn._numba import nmf

    V = sp.csr_matrix(X, dtype=np.float64, copy=True)
    mask, mode = None, nmf.ALL
    if missing == "zeros":
        mode = nmf.ONLY_STORED
    elif np.isnan(V.data).any():
        mask = V.copy()
        mask.data = np.isnan(mask.data).astype(np.float64)
        mask.eliminate_zeros()
        V.data[np.isnan(V.data)] = 0.0
        mode = nmf.LISTED_MISSING
    V.eliminate_zeros()
    V.sum_duplicates()
    return Counts(V, V.T.tocsr(), mode, (None, None) if mask is None else (mask, mask.T.tocsr()))


def scaled_by(counts: Counts, weight: Floats) -> Counts:
    if (weight == 1).all():
        return counts
    V = sp.csr_matrix(counts.rows.multiply(weight[:, None]))
    V.eliminate_zeros()
    masks = counts.masks
    return Counts(V, V.T.tocsr(), counts.mode, masks)


def some_rows(V: Any, weight: Floats, k: int, random: np.random.RandomState) -> Floats:
    """The mean distributions of three rows each, (k, d); the same for a row of weight 2 and for that row twice."""
    sums = row_sums(V)
    key = V @ np.random.default_rng(20010909).standard_normal(V.shape[1])  # equal rows: equal key, to the last bit
    kept = np.flatnonzero((weight > 0) & (sums > 0))
    _, first, place = np.unique(key[kept], return_index=True, return_inverse=True)
    # The earliest of exponential times whose rates are the weights: rows drawn without replacement.
    arrival = random.standard_exponential(first.size) / np.bincount(place, weight[kept])
    pick = kept[first[np.argsort(arrival, kind="stable")[: 3 * k]]]
    member = sp.csr_matrix((1.0 / sums[pick], (np.arange(pick.size) % k, np.arange(pick.size))), shape=(k, pick.size))
    topics = (member @ V[pick]).toarray()
    mass = topics.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(topics, mass, out=topics, where=mass > 0))


def lower(
    rows: Any,
    counts: Counts,
    axis: int,
    factors: Floats,
    fixed: Floats,
    penalty: float,
    doubled: int,
    sweeps: int,
    tol: float,
    objective: Floats | None,
    moved: Floats,
) -> None:
    """`kullback.learn._numba.nmf.fit_rows` on rows (axis 0) or columns; `objective` only where it is asked for."""
    from kullback.learn._numba import nmf

    rows(
        nmf.fit_rows,
        factors.shape[0],
        *counts.pointers(axis),
        factors,
        fixed,
        fixed.sum(axis=0),
        float(penalty),
        doubled,
        sweeps,
        float(tol),
        objective is not None,
        moved if objective is None else objective,
        moved,
    )
