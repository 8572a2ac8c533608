"""Loops of SNE: bandwidths, forces between all pairs, and the exact divergence pair by pair.

The repulsion visits each pair once and gives it to both points, 32-bit, on all lanes: n²/2 reciprocals. No tree and no
grid: up to about 20,000 points this is as fast as approximating, and it is exact.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
from __future__ import annotations

import math

import numpy as np

from kullback._lanes_numba import exp, log
from kullback.learn._numba.jit import jit
from kullback.learn._numba.psi import excess, excess_lanes


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
