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
    V.sum_duplicates()  # before NaN is looked for: what is missing must be listed once
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
    return Counts(V, V.T.tocsr(), mode, (None, None) if mask is None else (mask, mask.T.tocsr()))


def scaled_by(counts: Counts, weight: Floats) -> Counts:
    if (weight == 1).all():
        return counts
    V = sp.csr_matrix(counts.rows.multiply(weight[:, None]))
    V.eliminate_zeros()
    masks = counts.masks
    return Counts(V, V.T.tocsr(), counts.mode, masks)


def part(counts: Counts, rows: NDArray[np.int64]) -> tuple[Counts, NDArray[np.intp]]:
    """These rows alone, with the columns where they hold anything; and which columns those are."""
    V, mask = counts.rows[rows], counts.masks[0]
    seen = np.flatnonzero(np.bincount(V.indices, minlength=V.shape[1]))
    V, some = V[:, seen], None if mask is None else mask[rows][:, seen]
    return Counts(V, V.T.tocsr(), counts.mode, (some, None if some is None else some.T.tocsr())), seen


def flat(counts: Counts, H: Floats) -> Floats:
    """The factors of rows that use all columns of H alike: a start that depends on H alone."""
    return np.repeat((row_sums(counts.rows) / max(float(H.sum()), 1e-300))[:, None], H.shape[1], axis=1)


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
