"""Coordinate descent for one row of factors, min_{w ≥ 0} Σ s w − Σ x log(wB), with Newton's steps at the end.

In one coordinate (Hsieh & Dhillon 2011) Newton's step is taken on 1/g, which is linear for a single term and concave
for a sum: from the left it never overshoots, from the right less than Newton on g does. Where it would cross 0 the
derivative at 0 decides; if 0 is not the minimum, the multiplicative step w g/s, which always descends, is taken.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import numpy as np

from kullback.learn._numba.jit import jit


@jit
def _newton(B, x, inverse, w, s, coordinates, used, m, least, A, d):
    """Solve Hessian · d = g − s over the positive coordinates; their number, or 0 where the step might not descend.

    It descends where the solution stays positive and dᵀ(Hessian)d is at most ¼ of the smallest entry: in units of that
    entry Σ s w − Σ x log r is self-concordant (Hien & Gillis 2021), and its Newton decrement ½ is below .68.
    """
    n = 0
    for u in range(used):
        if w[coordinates[u]] > 0.0:
            coordinates[n], coordinates[u] = coordinates[u], coordinates[n]
            if u != n:
                for p in range(m):
                    B[u, p], B[n, p] = B[n, p], B[u, p]
            n += 1
    for u in range(n):
        b = B[u]
        g = 0.0
        for p in range(m):
            g += x[p] * (b[p] * inverse[p])
        d[u] = g - s[coordinates[u]]
        for v in range(u + 1):
            c = B[v]
            total = 0.0
            for p in range(m):
                total += x[p] * (b[p] * inverse[p]) * (c[p] * inverse[p])
            A[u, v] = total
    # Cholesky, and the two triangular solutions in place
    for u in range(n):
        for v in range(u + 1):
            total = A[u, v]
            for t in range(v):
                total -= A[u, t] * A[v, t]
            if v < u:
                A[u, v] = total / A[v, v]
            elif total <= 1e-10 * A[u, u]:
                return 0
            else:
                A[u, u] = np.sqrt(total)
    decrement = 0.0
    for u in range(n):
        for t in range(u):
            d[u] -= A[u, t] * d[t]
        d[u] /= A[u, u]
        decrement += d[u] * d[u]
    if decrement > 0.25 * least:
        return 0
    for u in range(n - 1, -1, -1):
        for t in range(u + 1, n):
            d[u] -= A[t, u] * d[t]
        d[u] /= A[u, u]
        if w[coordinates[u]] + d[u] <= 0.0:
            return 0
    return n


@jit
def descend(B, x, r, inverse, trial, w, s, coordinates, used, m, sweeps, tol, least, A, d):
    """Newton sweeps over `coordinates[:used]`, whose columns of H are the rows of B. True: moved less than tol.

    One that is at 0 after the first sweep is left out of the others. From the third on Newton's step in all coordinates
    together is taken instead, where it is sure to descend.
    """
    for sweep in range(sweeps):
        change, size = 0.0, 0.0
        n = _newton(B, x, inverse, w, s, coordinates, used, m, least, A, d) if sweep > 1 else 0
        if n > 0:
            for p in range(m):
                r[p] = 0.0 if x[p] > 0.0 else 1.0
            for u in range(n):
                t, b = coordinates[u], B[u]
                w[t] += d[u]
                change += abs(d[u]) * s[t]
                size += w[t] * s[t]
                for p in range(m):
                    r[p] += w[t] * b[p]
            for p in range(m):
                inverse[p] = 1.0 / r[p]
            if change <= max(tol, 0.1 * np.sqrt(tol)) * size:  # the next step would be its square
                return True
            continue
        for u in range(used):
            t, b = coordinates[u], B[u]
            if w[t] == 0.0 and sweep > 0:
                continue
            g, h = 0.0, 0.0
            for p in range(m):
                q = b[p] * inverse[p]
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
                    rest = max(r[p] - old * b[p], 1e-300)
                    trial[p] = 1.0 / rest
                    at_zero += x[p] * b[p] * trial[p]
                if at_zero <= s[t]:
                    w[t] = 0.0
                    for p in range(m):
                        r[p] = max(r[p] - old * b[p], 1e-300)
                        inverse[p] = trial[p]
                    change += old * s[t]
                    continue
                new = old * g / s[t]
            step = new - old
            w[t] = new
            worst = 1.0
            for p in range(m):
                r[p] += step * b[p]
                worst = min(worst, r[p])
                inverse[p] = 1.0 / r[p]
            if worst <= 0.0:  # cancelled to nothing: sum again
                for p in range(m):
                    total = 0.0
                    for v in range(used):
                        total += w[coordinates[v]] * B[v, p]
                    r[p] = max(total, 1e-300)
                    inverse[p] = 1.0 / r[p]
            change += abs(step) * s[t]
            size += new * s[t]
        if change <= tol * size:
            return True
    return False
