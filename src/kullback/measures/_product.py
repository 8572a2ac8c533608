"""All pairs by one matrix product, and for which of them that is exact enough: the others are left to be summed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BLOCK = 64  # categories in one product: its rounding errors grow with them, and with the number of blocks
EXACT = 1e-13  # relative error that a pair must be certain to keep
LEAST = 1e-290  # smaller masses leave the range in which quotients keep their digits
EPSILON = 2.0**-53


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # what overflows is not certain
def kl_divergence(x: Array, y: Array) -> tuple[Array, Array]:
    """(KL(Pᵢ‖Qⱼ), whether it is certain) of the rows of x and y, masses of any total.

    With any r > 0, KL(p‖q) = Σ p log(p/r) − Σ p log(q/r); near the middle of all rows both sums are small, and the
    second of them is a product of matrices. Its rounding error is at most γₙ Σ p|log(q/r)| (Higham 2002, §3.1,
    doi:10.1137/1.9780898718027), and Σ p|log(q/r)| ≤ Σ p|log(p/r)| + KL + 2·TV, TV ≤ min(1, √(KL/2)).
    """
    p, q = (z / z.sum(axis=1, keepdims=True, dtype=np.float64) for z in (x, y))
    middle = 0.5 * (p.mean(axis=0) + q.mean(axis=0))
    middle[middle == 0.0] = 1.0
    own, logs = _log_ratio(p, middle), _log_ratio(q, middle)
    size = (p * np.abs(own)).sum(axis=1)[:, None]
    value = np.repeat((p * own).sum(axis=1)[:, None], len(q), axis=1)
    categories = p.shape[1]
    for k in range(0, categories, BLOCK):
        value -= p[:, k : k + BLOCK] @ logs[:, k : k + BLOCK].T
    np.maximum(value, 0.0, out=value)
    terms = min(BLOCK, categories) + -(-categories // BLOCK) + 2
    # NumPy sums in pairs: what totals, quotients and logarithms lose is as small as the logarithm of their number.
    pairs = 2.0 * (math.log2(categories) + 20.0) * (1.0 + size)
    error = EPSILON * (pairs + terms * (size + value + 2.0 * np.minimum(1.0, np.sqrt(0.5 * value))))
    certain = error <= EXACT * value
    if not q.all():
        infinite = (p > 0.0).astype(np.float32) @ (q == 0.0).astype(np.float32).T > 0.0
        value[infinite], certain[infinite] = np.inf, True
    smallest = min(z[z > 0.0].min(initial=1.0) for z in (p, q))
    return value, certain & (smallest >= LEAST)


def _log_ratio(p: Array, middle: Array) -> Array:
    """log(p/middle), 0 where p is 0."""
    return np.where(p > 0.0, np.log(p / middle), 0.0)
