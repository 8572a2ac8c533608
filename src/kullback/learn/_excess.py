"""p log(p/q) − p + q for NumPy arrays, without cancellation: the term of every KL."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kullback._special import PSI_HIGH, PSI_LOW, psi_series


def psi_of(s: ArrayLike, ratio: ArrayLike) -> NDArray[np.float64]:
    """ψ(s) = s − log(1 + s) given both s and ratio = 1 + s, each right to its own last bits."""
    s, ratio = np.asarray(s, np.float64), np.asarray(ratio, np.float64)
    near = (s > PSI_LOW) & (s < PSI_HIGH)
    with np.errstate(divide="ignore"):
        far: Any = s - np.log(np.where(near, 1.0, ratio))
    return np.asarray(np.where(near, psi_series(np.where(near, s, 0.0)), far))


def excess(p: ArrayLike, q: ArrayLike) -> NDArray[np.float64]:
    """P log(p/q) − p + q ≥ 0; q where p = 0, ∞ where only q is."""
    p, q = np.broadcast_arrays(np.asarray(p, np.float64), np.asarray(q, np.float64))
    safe = np.where(p > 0, p, 1.0)
    return np.asarray(np.where(p > 0, p * psi_of((q - p) / safe, np.where(p > 0, q / safe, 1.0)), q))
