"""Loops of P in SNE: the bandwidth of every row, and the neighbours that count."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
from __future__ import annotations

import math

import numpy as np

from kullback._lanes_numba import exp
from kullback.learn._numba.jit import jit


@jit
def bandwidths(start, stop, D, first, log_weight, target, beta, low, log_z):
    """Per row of D (divergences or squared distances to all points) the β whose p_j ∝ w_j exp(−β d_j) has entropy
    `target`, by Newton's method on log β kept inside a bracket. Row r of D is point first + r, which is left out.
    """
    n = D.shape[1]
    weight = np.exp(log_weight)
    for r in range(start, stop):
        d = D[r]
        me = first + r
        least = np.inf
        mean = 0.0
        for j in range(n):
            if j != me and weight[j] > 0.0 and d[j] < np.inf:
                least = min(least, d[j])
                mean += d[j]
        if least == np.inf:  # reaches nobody
            least = 0.0
        low[me] = least
        spread = mean / max(n - 1, 1) - least
        if not spread > 0.0:  # all others equally far: any β will do
            beta[me] = 1.0
            total = 0.0
            for j in range(n):
                if j != me and d[j] < np.inf:
                    total += weight[j]
            log_z[me] = math.log(total) if total > 0.0 else 0.0
            continue
        b, below, above = 2.0 / spread, 0.0, np.inf
        z = 1.0
        for _ in range(100):
            z = 0.0
            m1 = 0.0
            m2 = 0.0
            for j in range(n):
                u = d[j] - least
                p = weight[j] * exp(-b * u) if j != me else 0.0
                u = u if p > 0.0 else 0.0
                z += p
                m1 += p * u
                m2 += p * u * u
            m1 /= z
            m2 /= z
            entropy = math.log(z) + b * m1  # −Σ p log(p/w): a weight is that many equal points
            gap = entropy - target
            if abs(gap) < 1e-10:
                break
            if gap > 0.0:
                below = b
            else:
                above = b
            slope = -b * b * (m2 - m1 * m1)  # dH/d log β
            step = -gap / slope if slope < -1e-300 else np.inf
            new = b * math.exp(min(max(step, -2.0), 2.0)) if step == step else b
            if not (below < new < above):
                new = 2.0 * b if above == np.inf else 0.5 * (below + above)
            if new == b:
                break
            b = new
        beta[me] = b
        log_z[me] = math.log(z)


@jit
def keep_near(start, stop, D, first, log_weight, beta, low, log_z, floor, counts, indices, values):
    """Write of each row the entries p_j ≥ floor: at most indices.shape[1] of them (the caller gives room enough)."""
    n = D.shape[1]
    room = indices.shape[1]
    for r in range(start, stop):
        me = first + r
        b = beta[me]
        cut = -math.log(floor)
        m = 0
        for j in range(n):
            e = b * (D[r, j] - low[me]) + log_z[me] - log_weight[j]
            if e <= cut and j != me and m < room:
                indices[r, m] = j
                values[r, m] = math.exp(-e)
                m += 1
        counts[r] = m
