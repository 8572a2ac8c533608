"""An upper bound of the KL between two mixtures from the KLs of their components (Hershey & Olsen 2007)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def variational_bound(a: Floats, b: Floats, pairs: Floats) -> float:
    """Min over joint weights φ (rows sum to a) and ψ (columns sum to b) of Σ φ [log(φ/ψ) + KL_ij], alternately."""
    phi = np.outer(a, b)
    for _ in range(200):
        psi_ = phi / phi.sum(axis=0) * b
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            logits = np.where(psi_ > 0, np.log(np.where(psi_ > 0, psi_, 1.0)) - pairs, -np.inf)
        new = np.exp(logits - logits.max(axis=1, keepdims=True))
        new = new / new.sum(axis=1, keepdims=True) * a[:, None]
        done = float(np.abs(new - phi).max()) < 1e-14
        phi = np.maximum(new, 1e-300)
        if done:
            break
    psi_ = phi / phi.sum(axis=0) * b
    with np.errstate(invalid="ignore"):
        terms = np.where(phi > 1e-250, phi * (np.log(phi / psi_) + pairs), 0.0)
    return max(float(terms.sum()), 0.0)
