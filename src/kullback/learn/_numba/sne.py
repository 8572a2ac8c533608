"""Loops that move the points of SNE: forces between all pairs, a step with momentum, places for new points.

The repulsion visits each pair once and gives it to both points, 32-bit, on all lanes: n²/2 reciprocals. No tree and no
grid: up to about 20,000 points this is as fast as approximating, and it is exact.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
from __future__ import annotations

import math

import numpy as np

from kullback._lanes_numba import exp, log
from kullback.learn._numba.jit import jit


@jit
def repel(start, stop, x, y, fx, fy):
    """Student-t repulsion in the plane over pairs j < i, i in [start, stop): adds Σ q²(y_i − y_j) to i and to j.

    Returns Σ q over these pairs.
    """
    z = 0.0
    for i in range(start, stop):
        a = x[i]
        b = y[i]
        s = np.float32(0.0)
        gx = np.float32(0.0)
        gy = np.float32(0.0)
        for j in range(i):
            dx = a - x[j]
            dy = b - y[j]
            q = np.float32(1.0) / (np.float32(1.0) + dx * dx + dy * dy)
            s += q
            q2 = q * q
            tx = q2 * dx
            ty = q2 * dy
            gx += tx
            gy += ty
            fx[j] -= tx
            fy[j] -= ty
        fx[i] += gx
        fy[i] += gy
        z += s
    return z


@jit
def attract(start, stop, indptr, indices, p, x, y, fx, fy, cost, with_cost):
    """Student-t attraction over the stored P in the plane: f_i = Σ p (y_i − y_j)/(1 + d²), cost_i = Σ p log(1 + d²)."""
    for i in range(start, stop):
        a = x[i]
        b = y[i]
        gx = np.float32(0.0)
        gy = np.float32(0.0)
        for t in range(indptr[i], indptr[i + 1]):
            j = indices[t]
            dx = a - x[j]
            dy = b - y[j]
            w = p[t] / (np.float32(1.0) + dx * dx + dy * dy)
            gx += w * dx
            gy += w * dy
        fx[i] = gx
        fy[i] = gy
        if with_cost:
            total = 0.0
            for t in range(indptr[i], indptr[i + 1]):
                j = indices[t]
                dx = np.float64(a - x[j])
                dy = np.float64(b - y[j])
                total += p[t] * log(1.0 + dx * dx + dy * dy)
            cost[i] = total


@jit
def forces(start, stop, indptr, indices, p, weight, Y, gaussian, dof, attraction, repulsion, cost, z):
    """The same for any number of dimensions, degrees of freedom, weights and the Gaussian kernel, in 64 bits.

    k(d²) = (1 + d²/dof)^(−(dof+1)/2) or exp(−d²); both forces carry −½ ∂ log k/∂d² = ½(dof + 1)/(dof + d²), or ½·2.
    """
    n, D = Y.shape
    half = 0.5 * (dof + 1.0)
    for i in range(start, stop):
        for c in range(D):
            attraction[i, c] = 0.0
            repulsion[i, c] = 0.0
        s = 0.0
        for j in range(n):
            if j == i:
                continue
            d2 = 0.0
            for c in range(D):
                d2 += (Y[i, c] - Y[j, c]) ** 2
            if gaussian:
                k = exp(-d2)
                pull = 1.0
            else:
                k = exp(-half * log(1.0 + d2 / dof))
                pull = half / (dof + d2)
            k *= weight[i] * weight[j]
            s += k
            for c in range(D):
                repulsion[i, c] += k * pull * (Y[i, c] - Y[j, c])
        z[i] = s
        total = 0.0
        for t in range(indptr[i], indptr[i + 1]):
            j = indices[t]
            d2 = 0.0
            for c in range(D):
                d2 += (Y[i, c] - Y[j, c]) ** 2
            if gaussian:
                total += p[t] * d2
                pull = 1.0
            else:
                total += p[t] * half * log(1.0 + d2 / dof)
                pull = half / (dof + d2)
            for c in range(D):
                attraction[i, c] += p[t] * pull * (Y[i, c] - Y[j, c])
        cost[i] = total


@jit
def step(x, gradient, velocity, gain, momentum, rate):
    """Delta-bar-delta with momentum, as in van der Maaten & Hinton 2008."""
    for i in range(x.shape[0]):
        g = gradient[i]
        same = (g > 0.0) == (velocity[i] > 0.0)
        gain[i] = max(gain[i] * 0.8 if same else gain[i] + 0.2, 0.01)
        velocity[i] = momentum * velocity[i] - rate * gain[i] * g
        x[i] += velocity[i]


@jit
def place(start, stop, P, weight, Y, gaussian, dof, rounds, out):
    """Put each new point where KL(p‖q) is least, all embedded points held: descent with a step that adapts."""
    n, D = Y.shape
    half = 0.5 * (dof + 1.0)
    trial = np.empty(D)
    gradient = np.empty(D)
    new_gradient = np.empty(D)
    for i in range(start, stop):
        p = P[i]
        y = out[i]
        rate = 1.0
        value = np.inf
        for c in range(D):
            gradient[c] = 0.0
        for _ in range(rounds):
            for c in range(D):
                trial[c] = y[c] - rate * gradient[c]
            z = 0.0
            cost = 0.0
            for j in range(n):
                d2 = 0.0
                for c in range(D):
                    d2 += (trial[c] - Y[j, c]) ** 2
                l = d2 if gaussian else half * log(1.0 + d2 / dof)
                cost += p[j] * l
                z += weight[j] * exp(-l)
            new = cost + math.log(max(z, 1e-300))
            if new < value:
                for c in range(D):
                    new_gradient[c] = 0.0
                for j in range(n):
                    d2 = 0.0
                    for c in range(D):
                        d2 += (trial[c] - Y[j, c]) ** 2
                    l = d2 if gaussian else half * log(1.0 + d2 / dof)
                    pull = 1.0 if gaussian else half / (dof + d2)
                    f = (p[j] - weight[j] * exp(-l) / z) * pull
                    for c in range(D):
                        new_gradient[c] += 2.0 * f * (trial[c] - Y[j, c])
                gained = value - new
                value = new
                size = 0.0
                for c in range(D):
                    y[c] = trial[c]
                    gradient[c] = new_gradient[c]
                    size += gradient[c] ** 2
                rate *= 1.6
                if gained < 1e-9 or size < 1e-18:
                    break
            else:
                rate *= 0.35
                if rate < 1e-8:
                    break
