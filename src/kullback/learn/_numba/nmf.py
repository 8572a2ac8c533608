"""Coordinate descent for min_{W ≥ 0} D(V‖WH) one row at a time (Hsieh & Dhillon 2011), and the exact divergence.

In one coordinate w the derivative is s − g(w), g(w) = Σ_p v_p b_p/(r_p + (w' − w) b_p). Newton's step is taken on 1/g,
which is linear for a single term and concave for a sum: from the left it never overshoots, from the right less than
Newton on g does. Where it would cross 0 the derivative at 0 decides; if 0 is not the minimum, the multiplicative step
w g/s, which always descends, is taken instead.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

import numpy as np

from kullback.learn._numba.jit import jit
from kullback.learn._numba.psi import excess

ALL, LISTED_MISSING, ONLY_STORED = 0, 1, 2


@jit
def fit_rows(
    start,
    stop,
    indptr,
    indices,
    data,
    mode,
    mask_ptr,
    mask_idx,
    W,
    H,
    mass,
    penalty,
    inner,
    tol,
    judge,
    objective,
    moved,
):
    """Minimise each row's D(v‖wH) + Σ (penalty) w over w ≥ 0, starting from W; H is (d, k), mass its column sums.

    Writes the mass that moved and, to `judge`, the objective (the cheap form, right to rounding of its mass) per row.
    """
    k = W.shape[1]
    longest = 1
    for i in range(start, stop):
        longest = max(longest, indptr[i + 1] - indptr[i])
    B = np.empty((k, longest))
    r = np.empty(longest)
    x = np.empty(longest)
    s = np.empty(k)
    for i in range(start, stop):
        objective[i] = 0.0
        moved[i] = 0.0
        a = indptr[i]
        w = W[i]
        m = 0
        for p in range(a, indptr[i + 1]):
            row = H[indices[p]]
            reach = 0.0
            total = 0.0
            for t in range(k):
                reach += row[t]
                total += w[t] * row[t]
            if data[p] > 0.0 and reach > 0.0:  # what no component can reach is infinite whatever w is
                for t in range(k):
                    B[t, m] = row[t]
                x[m] = data[p]
                r[m] = total
                m += 1
        if m == 0:
            w[:] = 0.0
            continue
        if mode == ONLY_STORED:
            for t in range(k):
                total = 0.0
                for p in range(m):
                    total += B[t, p]
                s[t] = total
        else:
            s[:] = mass
            if mode == LISTED_MISSING:
                for p in range(mask_ptr[i], mask_ptr[i + 1]):
                    for t in range(k):
                        s[t] -= H[mask_idx[p], t]
                for t in range(k):
                    s[t] = max(s[t], 0.0)
        for t in range(k):
            s[t] += penalty
        full = True  # zeros are looked at every fourth sweep, and before the row is called done
        for sweep in range(inner):
            change = 0.0
            size = 0.0
            for t in range(k):
                if not full and w[t] == 0.0:
                    continue
                g = 0.0
                h = 0.0
                b = B[t]
                for p in range(m):
                    q = b[p] / r[p]
                    y = x[p] * q
                    g += y
                    h += y * q
                old = w[t]
                if h <= 0.0 or s[t] <= 0.0:
                    if old > 0.0 and s[t] > 0.0:
                        change += old * s[t]
                        w[t] = 0.0
                    continue
                new = old + (g - s[t]) / h * (g / s[t])
                if new <= 0.0:
                    if old == 0.0:
                        continue
                    at_zero = 0.0
                    for p in range(m):
                        rest = r[p] - old * b[p]
                        if b[p] > 0.0:
                            at_zero += x[p] * b[p] / max(rest, 1e-300)
                    new = 0.0 if at_zero <= s[t] else old * g / s[t]
                step = new - old
                w[t] = new
                worst = 1.0
                for p in range(m):
                    r[p] += step * b[p]
                    worst = min(worst, r[p])
                if worst <= 0.0:  # cancelled to nothing: sum again
                    for p in range(m):
                        total = 0.0
                        for u in range(k):
                            total += w[u] * B[u, p]
                        r[p] = max(total, 1e-300)
                change += abs(step) * s[t]
                size += new * s[t]
            if sweep == 0:
                moved[i] = change
            if change <= tol * size and full:
                break
            full = change <= tol * size or sweep % 4 == 3
        if not judge:
            continue
        total = 0.0
        for t in range(k):
            total += w[t] * s[t]
        for p in range(m):
            total += x[p] * math.log(x[p] / r[p]) - x[p]
        objective[i] = total


@jit(fast=False)
def divergence(indptr, indices, data, mode, mask_ptr, mask_idx, W, H, mass, per_row, per_column):
    """D(V‖WH) = Σ v ψ((r − v)/v) + Σ_{v=0} r, every term ≥ 0, added to its row and its column.

    Where a row has few zeros they are visited; where it has many, their sum is the row's mass less what was visited.
    `per_column` receives the visited terms and Σ_i w_i over its unvisited zeros through the caller.
    """
    n, k = W.shape
    d = H.shape[0]
    seen = np.zeros(d, np.bool_)
    visited_mass = np.zeros(d)  # Σ_i r_ij over the visited (i, j), per column
    for i in range(n):
        w = W[i]
        row = 0.0
        reached = 0.0
        a, b = indptr[i], indptr[i + 1]
        for p in range(a, b):
            j = indices[p]
            seen[j] = True
            r = 0.0
            for t in range(k):
                r += w[t] * H[j, t]
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
