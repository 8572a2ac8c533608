"""Sums of rows by cluster, and what they say: centroids, losses, nearest clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.learn._checks import row_sums

Floats = NDArray[np.float64]


def xlogx(x: Floats) -> Floats:
    return np.asarray(x * np.log(np.where(x > 0, x, 1.0)))


def negentropies(P: Any) -> Floats:
    """Σ_j p log p of each row."""
    out = P.copy()
    out.data = xlogx(P.data)
    return row_sums(out)


def full_lanes(k: int) -> int:
    """Columns that `k` take when loops run on eight lanes."""
    return -(-k // 8) * 8


def loss(C: Floats) -> float:
    """Σ_c f(N_c) − Σ_cj f(n_cj), f(t) = t log t; C is (d, k)."""
    return float(xlogx(C.sum(axis=0)).sum() - xlogx(C).sum())


def weighted(P: Any, mass: Floats) -> Any:
    """Each row of P (CSR) times its mass."""
    joint = P.copy()
    joint.data *= np.repeat(mass, np.diff(P.indptr))
    return joint


def sum_by(joint: Any, labels: NDArray[np.int64], k: int) -> Floats:
    """The rows of each cluster added up, shape (d, k)."""
    from kullback.learn._numba import kmeans

    C = np.zeros((joint.shape[1], k))
    kmeans.add_rows(joint.indptr, joint.indices, joint.data, labels, C)
    return C


def overall_of(P: Any, mass: Floats) -> Floats:
    total = np.asarray(P.T @ mass).ravel()
    return np.asarray(total / total.sum())


def normalised(C: Floats, instead: Floats) -> Floats:
    """Rows as distributions; an empty cluster sits at the overall distribution."""
    sums = C.sum(axis=1, keepdims=True)
    return np.where(sums > 0, C / np.where(sums > 0, sums, 1.0), instead)


def nearest(P: Any, centers: Floats, smoothing: float) -> NDArray[np.int64]:
    """argmin_c KL(p_i‖q_c) = argmax_c Σ_j p_ij log q_cj: one sparse product."""
    from kullback.learn._numba import kmeans

    Q = (1 - smoothing) * centers + smoothing / centers.shape[1]
    logs = np.where(Q > 0, np.log(np.where(Q > 0, Q, 1.0)), -1e30)  # as good as −∞, and 0 of them is still 0
    k = len(centers)
    padded, labels = np.zeros((P.shape[1], full_lanes(k))), np.empty(P.shape[0], np.int64)
    padded[:, :k] = logs.T
    kmeans.likeliest(P.indptr, P.indices, P.data, padded, k, labels)
    return labels


def softmax(logits: Floats) -> Floats:
    top = logits.max(axis=1, keepdims=True)
    weights = np.exp(logits - top)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
