"""Loops of the recalibration map: `segments`, `normaliser` and `judged` of kullback.evaluation._line."""

from __future__ import annotations

from typing import Any

import numpy as np

from kullback.evaluation._numba.jit import jit

Array = Any


@jit
def segments(c: Array, nodes: Array, where: Array, part: Array) -> None:
    last = nodes.size - 2
    for i in range(c.shape[0]):
        for k in range(c.shape[1]):
            x = c[i, k]
            s = 0
            while s < last and x >= nodes[s + 1]:
                s += 1
            where[i, k] = s
            part[i, k] = (x - nodes[s]) / (nodes[s + 1] - nodes[s])


@jit
def normaliser(
    where: Array, part: Array, use: Array, values: Array, bias: Array, with_bias: Any, curvature: Any
) -> Any:
    n, K = where.shape
    J = values.size
    size = J + (K if with_bias else 0)
    total = 0.0
    gradient = np.zeros(size)
    hessian = np.zeros((size, size)) if curvature else np.zeros((1, 1))
    p = np.empty(K)
    mean = np.empty(J)
    for i in range(n):
        if not use[i]:
            continue
        top = -np.inf
        for k in range(K):
            s = where[i, k]
            r = part[i, k]
            g = values[s] * (1.0 - r) + values[s + 1] * r + bias[k]
            p[k] = g
            top = max(top, g)
        mass = 0.0
        for k in range(K):
            p[k] = np.exp(p[k] - top)
            mass += p[k]
        total += top + np.log(mass)
        for j in range(J):
            mean[j] = 0.0
        for k in range(K):
            p[k] /= mass
            s = where[i, k]
            r = part[i, k]
            mean[s] += p[k] * (1.0 - r)
            mean[s + 1] += p[k] * r
        for j in range(J):
            gradient[j] += mean[j]
        if with_bias:
            for k in range(K):
                gradient[J + k] += p[k]
        if not curvature:
            continue
        for k in range(K):
            s = where[i, k]
            r = part[i, k]
            q = p[k]
            hessian[s, s] += q * (1.0 - r) * (1.0 - r)
            hessian[s + 1, s] += q * r * (1.0 - r)
            hessian[s + 1, s + 1] += q * r * r
            if with_bias:
                hessian[J + k, s] += q * (1.0 - r)
                hessian[J + k, s + 1] += q * r
        for a in range(J):
            for b in range(a + 1):
                hessian[a, b] -= mean[a] * mean[b]
        if with_bias:
            for k in range(K):
                q = p[k]
                for j in range(J):
                    hessian[J + k, j] -= q * mean[j]
                for l in range(k + 1):
                    hessian[J + k, J + l] -= q * p[l]
                hessian[J + k, J + k] += q
    return total, gradient, hessian


@jit
def judged(c: Array, nodes: Array, values: Array, bias: Array, codes: Array, loss: Array, brier: Array) -> None:
    K = c.shape[1]
    last = nodes.size - 2
    p = np.empty(K)
    for i in range(c.shape[0]):
        top = -np.inf
        for k in range(K):
            x = c[i, k]
            s = 0
            while s < last and x >= nodes[s + 1]:
                s += 1
            r = (x - nodes[s]) / (nodes[s + 1] - nodes[s])
            p[k] = values[s] * (1.0 - r) + values[s + 1] * r + bias[k]
            top = max(top, p[k])
        y = codes[i]
        at_truth = p[y] - top
        mass = 0.0
        square = 0.0
        for k in range(K):
            e = np.exp(p[k] - top)
            mass += e
            square += e * e
        loss[i] = np.log(mass) - at_truth
        brier[i] = square / (mass * mass) - 2.0 * np.exp(at_truth) / mass + 1.0
