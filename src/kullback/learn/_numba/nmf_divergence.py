"""D(V‖WH) exactly: a sum of terms ≥ 0 over the entries of V, and what the rates hold elsewhere."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import numpy as np

from kullback.learn._numba.jit import jit
from kullback.learn._numba.nmf import LISTED_MISSING, ONLY_STORED
from kullback.learn._numba.psi import excess


@jit
def _rates(indices, w, H, r):
    """Rates r = wH at these entries."""
    k, m = w.shape[0], indices.shape[0]
    for block in range(m // 4):
        p = 4 * block
        h0, h1, h2, h3 = H[indices[p]], H[indices[p + 1]], H[indices[p + 2]], H[indices[p + 3]]
        r0, r1, r2, r3 = 0.0, 0.0, 0.0, 0.0
        for t in range(k):
            r0 += w[t] * h0[t]
            r1 += w[t] * h1[t]
            r2 += w[t] * h2[t]
            r3 += w[t] * h3[t]
        r[p], r[p + 1], r[p + 2], r[p + 3] = r0, r1, r2, r3
    for p in range(m - m % 4, m):
        h = H[indices[p]]
        total = 0.0
        for t in range(k):
            total += w[t] * h[t]
        r[p] = total


@jit(fast=False)
def divergence(indptr, indices, data, mode, mask_ptr, mask_idx, W, H, mass, per_row, per_column):
    """D(V‖WH) = Σ v ψ((r − v)/v) + Σ_{v=0} r, every term ≥ 0, added to its row and its column.

    Where a row has few zeros they are visited; where it has many, their sum is the row's mass less what was visited.
    `per_column` receives the visited terms and Σ_i w_i over its unvisited zeros through the caller.
    """
    n, k = W.shape
    d = H.shape[0]
    rate = np.empty(d)
    seen = np.zeros(d, np.bool_)
    visited_mass = np.zeros(d)  # Σ_i r_ij over the visited (i, j), per column
    for i in range(n):
        w = W[i]
        row = 0.0
        reached = 0.0
        a, b = indptr[i], indptr[i + 1]
        _rates(indices[a:b], w, H, rate)
        for p in range(a, b):
            j = indices[p]
            seen[j] = True
            r = rate[p - a]
            v = data[p]
            if v > 0.0:
                term = excess(v, r)
            else:
                term = r if mode != ONLY_STORED else 0.0
            row += term
            reached += r
            per_column[j] += term
            visited_mass[j] += r
        if mode == LISTED_MISSING:
            for p in range(mask_ptr[i], mask_ptr[i + 1]):
                j = mask_idx[p]
                seen[j] = True
                r = 0.0
                for t in range(k):
                    r += w[t] * H[j, t]
                reached += r
                visited_mass[j] += r
        if mode != ONLY_STORED:
            listed = b - a
            if mode == LISTED_MISSING:
                listed += mask_ptr[i + 1] - mask_ptr[i]
            if 2 * listed >= d:
                for j in range(d):
                    if not seen[j]:
                        r = 0.0
                        for t in range(k):
                            r += w[t] * H[j, t]
                        row += r
                        per_column[j] += r
                        visited_mass[j] += r
            else:
                total = 0.0
                for t in range(k):
                    total += w[t] * mass[t]
                row += max(total - reached, 0.0)
        per_row[i] = row
        for p in range(a, b):
            seen[indices[p]] = False
        if mode == LISTED_MISSING:
            for p in range(mask_ptr[i], mask_ptr[i + 1]):
                seen[mask_idx[p]] = False
    return visited_mass
