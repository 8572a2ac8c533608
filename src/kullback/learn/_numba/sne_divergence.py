"""KL(P‖Q) of an embedding, pair by pair, as a sum of terms ≥ 0; in 64 bits."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
from __future__ import annotations

import math

import numpy as np

from kullback._lanes_numba import exp, log
from kullback.learn._numba.jit import jit
from kullback.learn._numba.psi import excess, excess_lanes


@jit
def kernel_sums(start, stop, Y, weight, gaussian, dof, out):
    """Σ_j w_i w_j k(|y_i − y_j|²) per point, in 64 bits."""
    n, D = Y.shape
    half = 0.5 * (dof + 1.0)
    for i in range(start, stop):
        s = 0.0
        for j in range(n):
            if j == i:  # left out rather than taken off again: far apart, all others together are below its rounding
                continue
            d2 = 0.0
            for c in range(D):
                d2 += (Y[i, c] - Y[j, c]) ** 2
            if gaussian:
                k = exp(-d2)
            elif dof == 1.0:
                k = 1.0 / (1.0 + d2)
            else:
                k = exp(-half * log(1.0 + d2 / dof))
            s += weight[j] * k
        out[i] = weight[i] * s


@jit
def divergence_rows(
    start, stop, first, D, DT, log_weight, beta, low, log_z, Y, gaussian, dof, log_total, log_mass, per_point
):
    """Σ_j P log(P/Q) − P + Q of each point over all pairs, P from the bandwidths, Q from the embedding.

    P_ij = (w_i p_j|i + w_j p_i|j)/(2 Σ w), p_j|i = w_j exp(−β_i (d_ij − low_i))/z_i.
    """
    # One plain loop per step, so that each runs on all lanes; a branch in one long loop kept it from that.
    n, dimensions = Y.shape
    half = 0.5 * (dof + 1.0)
    log_half = math.log(0.5) - log_mass
    log_k = np.empty(n)
    P = np.empty(n)
    for r in range(start, stop):
        i = first + r
        log_k[:] = 0.0
        for c in range(dimensions):
            here = Y[i, c]
            for j in range(n):
                log_k[j] += (here - Y[j, c]) ** 2
        if gaussian:
            for j in range(n):
                log_k[j] = -log_k[j]
        else:
            for j in range(n):
                log_k[j] = -half * log(1.0 + log_k[j] / dof)
        b = beta[i]
        shift = log_weight[i] + log_half
        mine = log_z[i] - b * low[i]
        for j in range(n):
            pair = shift + log_weight[j]
            P[j] = exp(pair - b * D[r, j] - mine) + exp(pair - beta[j] * (DT[r, j] - low[j]) - log_z[j])
        P[i] = 0.0
        log_k[i] = -np.inf
        shift = log_weight[i] - log_total
        total = 0.0
        for j in range(n):
            Q = exp(shift + log_weight[j] + log_k[j])
            total += excess_lanes(max(P[j], 1e-300), max(Q, 1e-300))
        per_point[i] = total


@jit(fast=False)
def sparse_divergence_rows(start, stop, indptr, indices, p, log_weight, Y, gaussian, dof, log_total, row_mass, out):
    """The same where P is stored: Σ over stored P, plus the Q of all other pairs (`row_mass` is Σ_j Q_ij)."""
    dimensions = Y.shape[1]
    half = 0.5 * (dof + 1.0)
    for i in range(start, stop):
        total = 0.0
        covered = 0.0
        for t in range(indptr[i], indptr[i + 1]):
            j = indices[t]
            d2 = 0.0
            for c in range(dimensions):
                d2 += (Y[i, c] - Y[j, c]) ** 2
            log_k = -d2 if gaussian else -half * math.log1p(d2 / dof)
            Q = math.exp(log_weight[i] + log_weight[j] + log_k - log_total)
            covered += Q
            total += excess(p[t], Q) if p[t] > 0.0 else Q
        out[i] = total + max(row_mass[i] - covered, 0.0)
