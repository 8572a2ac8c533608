"""Rows of factors: min_{w ≥ 0} D(v‖wH), one row at a time.

With r = wH and g_t = Σ_p v_p h_pt/r_p, the gradient is s − g. Two steps share one pass over a row's entries:

- w_t ← w_t (g_t/s_t)², rescaled so that Σ s w = Σ v. That is EM (Lee & Seung's multiplicative update) with its length
  doubled: EM's rates of convergence lie in [0, 1], so twice its step is still stable near the optimum, and nearly
  halves the number of rounds. It is cheap, and it cannot reach 0.
- Coordinate descent over the factors that are positive or want to be (`nmf_descent`).
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
from __future__ import annotations

import numpy as np

from kullback._lanes_numba import log
from kullback.learn._numba.jit import jit
from kullback.learn._numba.nmf_descent import descend

ALL, LISTED_MISSING, ONLY_STORED = 0, 1, 2
_ONE, _TWO, _THREE, _FOUR = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)


@jit
def _pull(indices, x, w, H, r, g):
    """Rates r = wH at the row's entries and g_t = Σ x h_t/r; what no factor reaches is left out.

    Four entries at a time. Returns the mass that is reached.
    """
    k, m = w.shape[0], x.shape[0]
    for t in range(k):
        g[t] = 0.0
    reached = 0.0
    for block in range(np.uint64(m // 4)):
        p = _FOUR * block
        p1, p2, p3 = p + _ONE, p + _TWO, p + _THREE
        h0, h1, h2, h3 = H[indices[p]], H[indices[p1]], H[indices[p2]], H[indices[p3]]
        r0, r1, r2, r3 = 0.0, 0.0, 0.0, 0.0
        for t in range(k):
            r0 += w[t] * h0[t]
            r1 += w[t] * h1[t]
            r2 += w[t] * h2[t]
            r3 += w[t] * h3[t]
        r[p], r[p1], r[p2], r[p3] = r0, r1, r2, r3
        x0, x1 = x[p] if r0 > 0.0 else 0.0, x[p1] if r1 > 0.0 else 0.0
        x2, x3 = x[p2] if r2 > 0.0 else 0.0, x[p3] if r3 > 0.0 else 0.0
        reached += (x0 + x1) + (x2 + x3)
        q0, q1 = x0 / max(r0, 1e-300), x1 / max(r1, 1e-300)
        q2, q3 = x2 / max(r2, 1e-300), x3 / max(r3, 1e-300)
        for t in range(k):
            g[t] += (q0 * h0[t] + q1 * h1[t]) + (q2 * h2[t] + q3 * h3[t])
    for p in range(m - m % 4, m):
        h = H[indices[p]]
        total = 0.0
        for t in range(k):
            total += w[t] * h[t]
        r[p] = total
        if total > 0.0:
            reached += x[p]
            q = x[p] / total
            for t in range(k):
                g[t] += q * h[t]
    return reached


@jit
def _cost(x, r, w, s, ratio, weight):
    """Σ x log(x/r) − x + Σ s w, over what is reached: right to the rounding of its mass. Two buffers."""
    total = 0.0
    m = x.shape[0]
    full = 8 * ((m + 7) // 8)
    for p in range(m, full):
        ratio[p], weight[p] = 1.0, 0.0
    for p in range(m):
        ratio[p] = x[p] / r[p] if r[p] > 0.0 else 1.0
        weight[p] = x[p] if r[p] > 0.0 else 0.0
    for p in range(full):
        total += weight[p] * log(ratio[p]) - weight[p]
    for t in range(w.shape[0]):
        total += w[t] * s[t]
    return total


@jit
def _double(w, g, s, inverse_s, reached):
    """Replace w by w (g/s)², rescaled to the mass that the data have."""
    total = 0.0
    for t in range(w.shape[0]):
        # A factor that nothing needs shrinks by at most 1e-20 a step: entries that it alone reaches stay reached.
        ratio = max(g[t] * inverse_s[t], 1e-10)
        w[t] *= ratio * ratio
        total += w[t] * s[t]
    scale = reached / total if total > 0.0 else 0.0
    for t in range(w.shape[0]):
        new = w[t] * scale
        w[t] = new if new > 1e-290 else 0.0  # less no sum can feel, and arithmetic would slow down


@jit
def _unlisted(i, mode, ids, mass, penalty, mask_ptr, mask_idx, H, s):
    """s_t = Σ_j h_jt over the entries that were observed, plus the penalty."""
    k = s.shape[0]
    if mode == ONLY_STORED:
        s[:] = 0.0
        for p in range(ids.shape[0]):
            h = H[ids[p]]
            for t in range(k):
                s[t] += h[t]
    else:
        s[:] = mass
        for p in range(mask_ptr[i], mask_ptr[i + 1]):
            h = H[mask_idx[p]]
            for t in range(k):
                s[t] -= h[t]
    for t in range(k):
        s[t] = max(s[t], 0.0) + penalty


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
    doubled,
    sweeps,
    tol,
    judge,
    objective,
    moved,
):
    """Lower each row's D(v‖wH) + Σ (penalty) w over w ≥ 0, starting from W; H is (d, k), mass its column sums.

    `doubled` doubled EM steps, then, unless `sweeps` is 0, rounds of coordinate descent of at most that many sweeps in
    all. Writes per row, where there are sweeps, the mass that moved, and to `judge` the objective at its start, right
    to the rounding of its mass.
    """
    k = W.shape[1]
    longest = 1
    for i in range(start, stop):
        longest = max(longest, indptr[i + 1] - indptr[i])
    longest = 8 * ((longest + 7) // 8)
    r, inverse, trial, x = np.empty(longest), np.empty(longest), np.empty(longest), np.empty(longest)
    s, inverse_s, g, before = np.empty(k), np.empty(k), np.empty(k), np.empty(k)
    B, A, d = np.empty((k, longest)), np.empty((k, k)), np.empty(k)
    coordinates = np.empty(k, np.int64)
    for i in range(start, stop):
        a, b = indptr[i], indptr[i + 1]
        ids, values, w = indices[a:b], data[a:b], W[i]
        if mode != ALL or i == start:
            if mode == ALL:
                for t in range(k):
                    s[t] = mass[t] + penalty
            else:
                _unlisted(i, mode, ids, mass, penalty, mask_ptr, mask_idx, H, s)
            for t in range(k):
                inverse_s[t] = 1.0 / s[t] if s[t] > 0.0 else 0.0
        if sweeps > 0:
            before[:] = w
        reached = _pull(ids, values, w, H, r, g)
        if judge:
            objective[i] = _cost(values, r, w, s, inverse, x)
        for step in range(doubled):
            if step > 0:
                reached = _pull(ids, values, w, H, r, g)
            _double(w, g, s, inverse_s, reached)
        left, settled = sweeps, False
        while left > 0:
            if doubled > 0 or left < sweeps:
                reached = _pull(ids, values, w, H, r, g)
            if reached == 0.0:
                w[:] = 0.0
                break
            # Unwanted factors that together hold less than 1/16 of the smallest entry go to 0 at once. That descends:
            # they are a part u ≤ 1/16 of each r, so Σ x log(r/r') = −Σ x log(1 − u) ≤ 16/15 Σ x u = 16/15 Σ g w ≤ Σ s w
            least = np.inf
            for p in range(b - a):
                least = min(least, values[p])
            room = least / 16.0
            for t in range(k):
                if w[t] > 0.0 and 16.0 * g[t] <= 15.0 * s[t] and w[t] * s[t] <= room:
                    room -= w[t] * s[t]
                    w[t] = 0.0
            used, waiting = 0, not settled
            for t in range(k):
                if w[t] > 0.0 or g[t] > s[t]:
                    coordinates[used] = t
                    used += 1
                    # Once settled, a factor at 0 must want more than rounding to be taken up.
                    waiting |= w[t] == 0.0 and g[t] > s[t] * (1.0 + 1e-9)
            if not waiting:
                break
            m = 0
            for p in range(b - a):
                if r[p] > 0.0:  # what no factor can reach is infinite whatever w is
                    h, total = H[ids[p]], 0.0
                    for u in range(used):
                        B[u, m] = h[coordinates[u]]
                        total += w[coordinates[u]] * B[u, m]
                    x[m], r[m], inverse[m] = values[p], total, 1.0 / total
                    m += 1
            while m % 8:  # full lanes: the loops below are mostly shorter than their remainders would cost
                for u in range(used):
                    B[u, m] = 0.0
                x[m], r[m], inverse[m] = 0.0, 1.0, 1.0
                m += 1
            now = min(left, 50)
            settled = descend(B, x, r, inverse, trial, w, s, coordinates, used, m, now, tol, least, A, d)
            left -= now
        if sweeps > 0:
            total = 0.0
            for t in range(k):
                total += abs(w[t] - before[t]) * s[t]
            moved[i] = total
