"""P of stochastic neighbour embedding: distances or divergences between rows, bandwidths of a perplexity, P itself.

p_j|i ∝ w_j exp(−β_i d_ij), β_i such that its entropy is log perplexity; P_ij = (w_i p_j|i + w_j p_i|j) / (2 Σ w).
Distances are made block by block, so that all pairs of 20,000 points need no n × n matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kullback.learn._checks import no_empty_rows, non_negative, row_sums

Floats = NDArray[np.float64]
METRICS = ("euclidean", "kl", "js", "hellinger", "precomputed", "affinity")
# Numbers in a block of distances: 8 MB, which the allocator keeps and the cache nearly holds.
_BLOCK = 1_000_000


@dataclass(frozen=True, slots=True)
class Geometry:
    """Rows ready for comparison: `block(a, b)` gives d from rows a…b to all, `reverse(a, b)` from all to them."""

    n: int
    block: Callable[[int, int], Floats]
    reverse: Callable[[int, int], Floats] | None = None  # None: symmetric

    def spans(self, columns: int | None = None) -> Iterator[tuple[int, int]]:
        """Rows in blocks of a bounded size, given the number of columns (n)."""
        step = max(16, _BLOCK // (columns or self.n))
        return ((a, min(a + step, self.n)) for a in range(0, self.n, step))

    def blocks(self) -> Iterator[tuple[int, Floats, Floats]]:
        for a, b in self.spans():
            D = self.block(a, b)
            yield a, D, D if self.reverse is None else self.reverse(a, b)


@dataclass(frozen=True, slots=True)
class Bandwidths:
    """β_i, the smallest d_i, and log Σ_j w_j exp(−β_i (d_ij − low_i)), of every row."""

    beta: Floats
    low: Floats
    log_z: Floats


def geometry(X: Any, metric: str, other: Any = None) -> Geometry:
    """Distances from the rows of X to the rows of `other` (X itself by default)."""
    if metric == "precomputed":
        return Geometry(X.shape[0], lambda a, b: np.asarray(X[a:b], np.float64) ** 2)
    Z = X if other is None else other
    if metric == "euclidean":
        A, B = np.asarray(X, np.float64), np.asarray(Z, np.float64)
        largest = max(float(np.abs(A).max(initial=0.0)), float(np.abs(B).max(initial=0.0)))
        if largest > 1e100 or 0.0 < largest < 1e-100:  # squares would leave the range; P does not depend on the unit
            A, B = A / largest, B / largest
        center = B.mean(axis=0)  # the smaller the numbers, the less |a|² + |b|² − 2ab cancels
        A, B = A - center, B - center
        squares, lengths, twice = (A**2).sum(axis=1), (B**2).sum(axis=1), np.ascontiguousarray(-2.0 * B.T)

        def block(a: int, b: int) -> Floats:
            D = A[a:b] @ twice
            D += squares[a:b, None]
            D += lengths
            return np.asarray(np.maximum(D, 0.0, out=D))

        return Geometry(len(A), block)
    P, R = np.asarray(X, np.float64), np.asarray(Z, np.float64)  # already distributions
    if metric == "hellinger":
        A, B = np.sqrt(P), np.sqrt(R)
        return Geometry(len(A), lambda a, b: np.maximum(1.0 - A[a:b] @ B.T, 0.0))
    if metric == "kl":
        return Geometry(len(P), lambda a, b: _kl(P[a:b], R), lambda a, b: _kl(R, P[a:b]).T)
    return Geometry(len(P), lambda a, b: np.stack([_js(p, R) for p in P[a:b]]))


def bandwidths(shape: Geometry, perplexity: float, weight: Floats, rows: Any) -> Bandwidths:
    """Bandwidths of all rows, from all pairs."""
    from kullback.learn._numba import sne_affinities

    n = shape.n
    out = Bandwidths(np.empty(n), np.empty(n), np.empty(n))
    log_weight, target = _log(weight), float(np.log(perplexity))
    for a, b in shape.spans():
        D = shape.block(a, b)
        rows(sne_affinities.bandwidths, len(D), D, a, log_weight, target, out.beta, out.low, out.log_z)
    return out


def joint(shape: Geometry, found: Bandwidths, weight: Floats, floor: float, rows: Any) -> sp.csr_matrix:
    """P as a sparse symmetric matrix of sum 1, without the p_j|i < floor, which hold next to nothing."""
    from kullback.learn._numba import sne_affinities

    n, log_weight = shape.n, _log(weight)
    room = int(min(n - 1, np.ceil(1 / floor)))
    parts = []
    for a, b in shape.spans():
        D = shape.block(a, b)
        counts = np.zeros(len(D), np.int64)
        indices, values = np.empty((len(D), room), np.int32), np.empty((len(D), room))
        rows(
            sne_affinities.keep_near,
            len(D),
            D,
            a,
            log_weight,
            found.beta,
            found.low,
            found.log_z,
            floor,
            counts,
            indices,
            values,
        )
        used = np.arange(room) < counts[:, None]
        indptr = np.r_[0, np.cumsum(counts)]
        parts.append(sp.csr_matrix((values[used], indices[used], indptr), shape=(len(D), n)))
    conditional = sp.vstack(parts).tocsr()
    conditional.data *= np.repeat(weight, np.diff(conditional.indptr))
    P = (conditional + conditional.T).tocsr()
    P.data /= P.data.sum()
    P.sort_indices()
    return P


def without_small(P: sp.csr_matrix, floor: float) -> sp.csr_matrix:
    """P without its entries below `floor`, of sum 1 again."""
    out = P.copy()
    out.data[out.data < floor] = 0.0
    out.eliminate_zeros()
    if (np.diff(out.indptr) == 0).any():  # weights so uneven that a point would lose everything
        return P
    out.data /= out.data.sum()
    return out


def conditional(shape: Geometry, n_to: int, perplexity: float, weight: Floats, rows: Any) -> Floats:
    """p_j|i of new rows i over the known rows j, dense."""
    from kullback.learn._numba import sne_affinities

    n = shape.n
    P, log_weight = np.empty((n, n_to)), _log(weight)
    for a, b in shape.spans(n_to):
        D = shape.block(a, b)
        found = Bandwidths(*np.empty((3, len(D))))
        # Rows numbered from −len(D): they end up in their places from the end, and no column is left out as their own.
        rows(
            sne_affinities.bandwidths,
            len(D),
            D,
            -len(D),
            log_weight,
            float(np.log(perplexity)),
            found.beta,
            found.low,
            found.log_z,
        )
        P[a : a + len(D)] = np.exp(log_weight - found.beta[:, None] * (D - found.low[:, None]) - found.log_z[:, None])
    return P


def check_affinity(P: Any) -> sp.csr_matrix:
    """A given P: square, ≥ 0, made symmetric and of sum 1."""
    P = sp.csr_matrix(P, dtype=np.float64)
    if P.shape[0] != P.shape[1]:
        raise ValueError(f"X is {P.shape}; metric='affinity' expects a square matrix, one row and column per point.")
    non_negative(P, "SNE")
    P = ((P + P.T) * 0.5).tocsr()
    P.setdiag(0.0)
    P.eliminate_zeros()
    no_empty_rows(row_sums(P), "SNE")
    P.data /= P.data.sum()
    P.sort_indices()
    return P


def _log(weight: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(weight))


def rows_as_distributions(X: Any) -> Floats:
    """Dense rows of sum 1; negative or empty rows are refused."""
    non_negative(X, "SNE")
    dense = np.asarray(X.toarray() if sp.issparse(X) else X, np.float64)
    sums = dense.sum(axis=1)
    no_empty_rows(sums, "SNE")
    return np.asarray(dense / sums[:, None])


def _kl(P: Floats, Q: Floats) -> Floats:
    """KL(p_i‖q_j) by one product; good to rounding of the entropies, which bandwidths do not feel. ∞ where it is."""
    has = np.where(P > 0, P, 1.0)
    entropy = (P * np.log(has)).sum(axis=1)
    logs = np.log(np.where(Q > 0, Q, 1.0))
    out = np.maximum(entropy[:, None] - P @ logs.T, 0.0)
    out[(P > 0).astype(np.float64) @ (Q <= 0).astype(np.float64).T > 0] = np.inf
    return np.asarray(out)


def _js(p: Floats, R: Floats) -> Floats:
    m = 0.5 * (p + R)
    safe = np.where(m > 0, m, 1.0)
    left = p * np.log(np.where(p > 0, p, 1.0) / np.where(p > 0, safe, 1.0))
    right = R * np.log(np.where(R > 0, R, 1.0) / np.where(R > 0, safe, 1.0))
    return np.asarray(np.maximum(0.5 * (left + right).sum(axis=1), 0.0))
