"""The fixtures, read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.sparse as sp

FOLDER = Path(__file__).parent / "fixtures"


def reuters() -> tuple[sp.csr_matrix, np.ndarray]:
    file = np.load(FOLDER / "reuters.npz")
    parts = (file["data"].astype(float), file["indices"].astype(np.int32), file["indptr"].astype(np.int32))
    return sp.csr_matrix(parts, shape=(len(file["labels"]), 500)), file["labels"].astype(int)


def raters() -> tuple[sp.csr_matrix, np.ndarray]:
    """Word indicators (n, 600) and the raters' distributions over nine marks (n, 9)."""
    file = np.load(FOLDER / "raters.npz")
    indices, indptr = file["indices"].astype(np.int32), file["indptr"].astype(np.int32)
    X = sp.csr_matrix((np.ones(len(indices)), indices, indptr), shape=(len(indptr) - 1, 600))
    marks = file["marks"].astype(float)
    return X, marks / marks.sum(axis=1, keepdims=True)


def bikeshare() -> tuple[np.ndarray, np.ndarray]:
    file = np.load(FOLDER / "bikeshare.npz")
    return file["X"].astype(float), file["y"].astype(float)
