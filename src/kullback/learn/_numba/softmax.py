"""Softmax, its cross-entropy with a target row, and the curvature along a direction: one pass over the logits each."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

import numpy as np

from kullback._lanes_numba import exp
from kullback.learn._numba.jit import jit


@jit
def forward(start, stop, Z, b, T, mass, G, loss):
    """Z ← softmax(Z + b); G ← mass·softmax − T; loss_i = Σ_k T_ik (lse_i − z_ik), all per row."""
    K = Z.shape[1]
    e = np.empty(K)
    for i in range(start, stop):
        z = Z[i]
        top = -np.inf
        for k in range(K):
            z[k] += b[k]
            top = max(top, z[k])
        total = 0.0
        cost = 0.0
        for k in range(K):
            shifted = z[k] - top
            cost += T[i, k] * shifted
            e[k] = exp(shifted)
            total += e[k]
        inverse = 1.0 / total
        m = mass[i]
        for k in range(K):
            p = e[k] * inverse
            z[k] = p
            G[i, k] = m * p - T[i, k]
        loss[i] = m * math.log(total) - cost


@jit
def curve(start, stop, A, c, P, mass):
    """A ← mass · p ∘ (a − Σ p a), a = A + c: the Hessian of log-sum-exp along a, per row."""
    K = A.shape[1]
    for i in range(start, stop):
        a = A[i]
        p = P[i]
        mean = 0.0
        for k in range(K):
            a[k] += c[k]
            mean += p[k] * a[k]
        m = mass[i]
        for k in range(K):
            a[k] = m * p[k] * (a[k] - mean)
