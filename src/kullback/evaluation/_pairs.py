"""How far two models' next-token distributions are apart at each position, from full logits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kullback._special import phi

Floats = NDArray[np.float64]


class Pairs(NamedTuple):
    """Per position: KL(P‖Q), KL(Q‖P), JS, TV, H(P), both argmaxes (n, 2) and both log-normalisers (n, 2)."""

    kl: Floats
    kl_reverse: Floats
    js: Floats
    total_variation: Floats
    entropy: Floats
    top: NDArray[np.int64]
    log_normaliser: Floats


def pairs_formula(a: NDArray[Any], b: NDArray[Any]) -> Pairs:
    """The formula, on logits (n, V):  KL(P‖Q) = Σ p φ(log q/p), φ(u) = eᵘ − 1 − u, a sum of non-negative terms."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    log_z = np.stack([_log_sum_exp(a), _log_sum_exp(b)], axis=1)
    log_p, log_q = a - log_z[:, :1], b - log_z[:, 1:]
    p, q = np.exp(log_p), np.exp(log_q)
    middle = np.logaddexp(log_p, log_q) - np.log(2.0)
    with np.errstate(invalid="ignore", over="ignore"):
        forward, backward = _excess(p, q, log_q - log_p), _excess(q, p, log_p - log_q)
        js = _excess(p, 0.5 * (p + q), middle - log_p) + _excess(q, 0.5 * (p + q), middle - log_q)
        entropy = -np.sum(np.where(p > 0, p * log_p, 0.0), axis=1)
    return Pairs(
        forward.sum(axis=1),
        backward.sum(axis=1),
        0.5 * js.sum(axis=1),
        0.5 * np.abs(p - q).sum(axis=1),
        entropy,
        np.stack([a.argmax(axis=1), b.argmax(axis=1)], axis=1),
        log_z,
    )


def _excess(p: Floats, q: Floats, u: Floats) -> Floats:
    """P φ(u) with q = p eᵘ; far from u = 0 as q − p − p u, where eᵘ may overflow; p = 0 contributes q."""
    near = np.abs(u) < 1.0
    far = q - p - np.where(p > 0, p * u, 0.0)
    return np.asarray(np.where(near, p * phi(np.where(near, u, 0.0), xp=np), far))


def pairs(a: NDArray[Any], b: NDArray[Any]) -> Pairs:
    """The same, fused: sums in float64 whatever the logits are, one row in memory at a time."""
    from kullback.evaluation._numba import pairs as loops

    a, b = _plain(a), _plain(b)
    n = a.shape[0]
    out, top, log_z = np.empty((n, 5)), np.empty((n, 2), dtype=np.int64), np.empty((n, 2))
    loops.pairs(a, b, out, top, log_z)
    kl, reverse, js, variation, entropy = np.ascontiguousarray(out.T)
    return Pairs(kl, reverse, js, variation, entropy, top, log_z)


def _log_sum_exp(x: Floats) -> Floats:
    top = x.max(axis=1)
    return np.asarray(top + np.log(np.sum(np.exp(x - top[:, None]), axis=1)))


def _plain(x: NDArray[Any]) -> NDArray[Any]:
    """Contiguous float32 or float64; shorter floats are widened, not computed with."""
    # Writeable, because the loops are compiled once more for arrays that are not, with another order of sums.
    return np.require(x, dtype=np.float64 if x.dtype == np.float64 else np.float32, requirements=["C", "W", "E"])
