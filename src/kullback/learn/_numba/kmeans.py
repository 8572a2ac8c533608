"""Hartigan's method for KL k-means (Slonim, Aharony & Crammer 2013), and the divergences of rows from centroids.

With joint counts n_cj and f(t) = t log t, putting row x into cluster c raises Σ w KL by
f(N_c + |x|) − f(N_c) − Σ_j [f(n_cj + x_j) − f(n_cj)] (less a constant of the row): finite even where the cluster has
never seen the word, so that nothing needs smoothing.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

import numpy as np

from kullback._lanes_numba import log, part
from kullback.learn._numba.jit import jit
from kullback.learn._numba.psi import excess


@part
def _f(t):
    return t * math.log(t) if t > 0.0 else 0.0


@jit
def hartigan_pass(indptr, indices, data, row_mass, order, labels, size, N, C, F, start, stop):
    """Visit rows order[start:stop] once, moving each to its best cluster; C, F are (d, ≥ k). Returns (moves, gain).

    C and F come with empty columns up to a multiple of eight, so that every logarithm runs on full lanes.
    """
    k, lanes = N.shape[0], C.shape[1]
    cost = np.empty(lanes)
    moves = 0
    gained = 0.0
    for o in range(start, stop):
        i = order[o]
        home = labels[i]
        if size[home] == 1:
            continue
        mass = row_mass[i]
        a, b = indptr[i], indptr[i + 1]
        for p in range(a, b):
            j = indices[p]
            left = C[j, home] - data[p]
            if left < 1e-13 * data[p]:
                left = 0.0
            C[j, home] = left
            F[j, home] = _f(left)
        N[home] -= mass
        for c in range(lanes):
            cost[c] = 0.0
        for p in range(a, b):
            x = data[p]
            counts = C[indices[p]]
            known = F[indices[p]]
            for c in range(lanes):
                v = counts[c] + x
                cost[c] += known[c] - v * log(v)
        for c in range(k):
            cost[c] += _f(N[c] + mass) - _f(N[c])
        best = home
        for c in range(k):
            if cost[c] < cost[best]:
                best = c
        # A move must gain more than rounding can pretend to.
        if best != home and cost[home] - cost[best] <= 1e-12 * mass:
            best = home
        for p in range(a, b):
            j = indices[p]
            v = C[j, best] + data[p]
            C[j, best] = v
            F[j, best] = _f(v)
        N[best] += mass
        if best != home:
            size[home] -= 1
            size[best] += 1
            labels[i] = best
            moves += 1
            gained += cost[home] - cost[best]
    return moves, gained


@jit(fast=False)
def add_rows(indptr, indices, data, labels, C):
    """C[j, labels[i]] += x_ij: the rows of each cluster added up, in their order."""
    for i in range(indptr.shape[0] - 1):
        c = labels[i]
        for p in range(indptr[i], indptr[i + 1]):
            C[indices[p], c] += data[p]


@jit(fast=False)
def likeliest(indptr, indices, data, L, k, labels):
    """The first c < k of largest Σ_j x_ij l_jc; L is (d, ≥ k)."""
    lanes = L.shape[1]
    score = np.empty(lanes)
    for i in range(indptr.shape[0] - 1):
        for c in range(lanes):
            score[c] = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            x = data[p]
            logs = L[indices[p]]
            for c in range(lanes):
                score[c] += x * logs[c]
        best = 0
        for c in range(k):
            if score[c] > score[best]:
                best = c
        labels[i] = best


@jit
def insertion_cost(start, stop, indptr, indices, data, N, C, out):
    """What each cluster would lose by taking each row (p_i of mass 1): finite for any row. C is (d, k)."""
    k = N.shape[0]
    for i in range(start, stop):
        for c in range(k):
            out[i, c] = _f(N[c] + 1.0) - _f(N[c])
        for p in range(indptr[i], indptr[i + 1]):
            x = data[p]
            counts = C[indices[p]]
            for c in range(k):
                out[i, c] += _f(counts[c]) - _f(counts[c] + x)


@jit(fast=False)
def divergences(start, stop, indptr, indices, data, Q, out):
    """KL(p_i‖q_c) = Σ_j p ψ((q − p)/p) + Σ_{p=0} q for every row and centroid; Q is (d, k), its columns sum to 1."""
    k = Q.shape[1]
    covered = np.empty(k)
    for i in range(start, stop):
        covered[:] = 0.0
        for c in range(k):
            out[i, c] = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            v = data[p]
            for c in range(k):
                q = Q[indices[p], c]
                covered[c] += q
                out[i, c] += excess(v, q)
        if indptr[i + 1] - indptr[i] < Q.shape[0]:
            for c in range(k):
                out[i, c] += max(1.0 - covered[c], 0.0)


@jit(fast=False)
def contributions(indptr, indices, data, labels, weight, Q, mass_outside, per_row, per_column):
    """KL(p_i‖q_c(i)) per row, and weight × its terms per column; `mass_outside` (d, k) settles the zeros of p."""
    d = Q.shape[0]
    for i in range(indptr.shape[0] - 1):
        c = labels[i]
        total = 0.0
        covered = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            j = indices[p]
            v = data[p]
            q = Q[j, c]
            covered += q
            term = excess(v, q)
            total += term
            per_column[j] += weight[i] * term
            mass_outside[j, c] -= weight[i] * q
        if indptr[i + 1] - indptr[i] < d:
            total += max(1.0 - covered, 0.0)
        per_row[i] = total
