"""The most probable tokens of each position and the mass of the rest: aligned, and seen by both models alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """Per position: `ids` (n, k), −1 where there is none, `log_p` (n, k), and `log_tail` (n,) of the rest."""

    ids: NDArray[np.int64]
    log_p: Floats
    log_tail: Floats


def aligned(p: Sparse, q: Sparse) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Log-masses (n, k+1) on the tokens that both store, then everything else as one; and whether all of p's are
    stored.

    Seeing several tokens as one only lowers every f-divergence (data processing): what is measured on these rows is a
    lower bound of the truth.
    """
    from kullback.evaluation._numba import align

    n, k = p.ids.shape
    a, b = np.full((n, k + 1), -np.inf), np.full((n, k + 1), -np.inf)
    whole = np.empty(n, dtype=np.bool_)
    align.aligned(p.ids, p.log_p, p.log_tail, q.ids, q.log_p, q.log_tail, a, b, whole)
    return a, b, whole


def gathered(p: Sparse, logits: NDArray[Any]) -> Sparse:
    """What a model with all its logits (n, V) says about the tokens that `p` stores."""
    x = np.asarray(logits, dtype=np.float64)
    log_z = _log_sum_exp(x)
    rows = np.arange(x.shape[0])[:, None]
    known = p.ids >= 0
    ids = np.where(known, p.ids, 0)
    log_q = np.where(known, x[rows, ids] - log_z[:, None], -np.inf)
    rest = x.copy()
    r, c = np.nonzero(known)
    rest[r, p.ids[r, c]] = -np.inf
    return Sparse(p.ids, log_q, _log_sum_exp(rest) - log_z)


def _log_sum_exp(x: Floats) -> Floats:
    top = x.max(axis=1)
    safe = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(safe + np.log(np.sum(np.exp(x - safe[:, None]), axis=1)))


def top_k(logits: NDArray[Any], k: int) -> Sparse:
    """The k most probable tokens of each row and the log-mass of the rest, by log-sum-exp over it, not by 1 − Σ."""
    x = np.asarray(logits, dtype=np.float64)
    log_z = _log_sum_exp(x)
    k = min(k, x.shape[1] - 1)
    ids = np.argpartition(-x, k, axis=1)[:, :k].astype(np.int64)
    log_p = np.take_along_axis(x, ids, axis=1) - log_z[:, None]
    order = np.argsort(-log_p, axis=1, kind="stable")
    rest = x.copy()
    np.put_along_axis(rest, ids, -np.inf, axis=1)
    tail = _log_sum_exp(rest) - log_z
    return Sparse(np.take_along_axis(ids, order, axis=1), np.take_along_axis(log_p, order, axis=1), tail)


def tail_of(log_p: Floats) -> Floats:
    """Log of 1 − Σ p: what an interface that reports only top tokens leaves to the rest (0 if rounding passes 1)."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.maximum(1.0 - np.exp(log_p).sum(axis=1), 0.0)))
