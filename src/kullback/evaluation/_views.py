"""How samples are looked at before they are put into buckets: by their coordinates, and by who their neighbours are.

Coordinates show shifts and scales. Neighbours show which samples hang together, however bent the shape they lie on, so
that k-means on them mixes fewer kinds in one bucket; but they do not see how dense a cloud is. Neither view knows which
side a row is on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

Floats = NDArray[np.float64]

# All distances between rows are computed: beyond this many rows they cost more than finer buckets would bring.
_NEIGHBOURS_UP_TO = 12_000
_NEIGHBOURS, _DIRECTIONS = 10, 30
_ROWS = 1000


def main_axes(real: Floats, generated: Floats, most: int) -> Floats:
    """Both sets, one after the other, on the main axes of their union (at most `most`); each side weighs the same."""
    both = np.concatenate([real, generated])
    kept = both.std(axis=0) > 0
    middle = 0.5 * (real.mean(axis=0) + generated.mean(axis=0))
    x = both[:, kept] - middle[kept]
    if x.shape[1] > most:
        _, vectors = np.linalg.eigh(x.T @ x / x.shape[0])
        x = x @ vectors[:, ::-1][:, :most]
    return x if x.shape[1] else np.zeros((both.shape[0], 1))


def views(x: Floats, random_state: int) -> list[Floats]:
    """The coordinates (N, d) themselves and, of not too many rows that are not all alike, the neighbours."""
    if not _NEIGHBOURS * 10 <= len(x) <= _NEIGHBOURS_UP_TO or x.shape[1] < 3:
        return [x]
    found = neighbourhoods(x, random_state)
    return [x] if found is None else [x, found]


def neighbourhoods(x: Floats, random_state: int) -> Floats | None:
    """Directions of the leading eigenvectors of the graph of nearest neighbours (Ng, Jordan & Weiss 2001), (N, 30).

    An edge weighs exp(−d²/s²), s² the squared distance to a row's middle neighbour; None where rows coincide.
    """
    n, k = len(x), _NEIGHBOURS
    square = np.einsum("nd,nd->n", x, x)
    near, distance = np.empty((n, k), dtype=np.intp), np.empty((n, k))
    for start in range(0, n, _ROWS):
        rows = slice(start, min(start + _ROWS, n))
        d = square[rows, None] - 2.0 * (x[rows] @ x.T) + square
        d[np.arange(d.shape[0]), np.arange(rows.start, rows.stop)] = np.inf
        near[rows] = np.argpartition(d, k, axis=1)[:, :k]
        distance[rows] = np.maximum(np.take_along_axis(d, near[rows], axis=1), 0.0)
    scale = np.sort(distance, axis=1)[:, k // 2]
    if not scale.min() > 1e-12 * square.max():
        return None
    weight = np.exp(-distance / scale[:, None])
    graph = sparse.csr_matrix((weight.ravel(), (np.repeat(np.arange(n), k), near.ravel())), shape=(n, n))
    graph = graph.maximum(graph.T)
    degree = np.asarray(graph.sum(axis=1)).ravel()
    root = sparse.diags(degree**-0.5)
    start_at = np.random.default_rng(random_state).standard_normal(n)  # ARPACK's own start is not the same twice
    try:
        _, vectors = linalg.eigsh(root @ graph @ root, k=_DIRECTIONS, which="LA", v0=start_at)
    except linalg.ArpackNoConvergence:
        return None
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0))
