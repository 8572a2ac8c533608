"""Two preconditioned ways down the cross-entropy of a linear softmax: whitened L-BFGS, and Newton with CG."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import cho_factor, solve_triangular
from scipy.optimize import minimize

Floats = NDArray[np.float64]

# Dense features up to which the Gram matrix and its factor cost less than they save.
_WHITEN_UP_TO = 3000
# Parameters up to which Newton's method is taken, and taken to the end.
_SMALL = 300


class Problem:
    """f(W, b) = Σ_i CE(T_i, softmax(x_i W + b))/total + ridge/2 ‖W‖², its gradient, and its Hessian along a direction.

    W is (d, K); the last row of a parameter matrix V (d + 1, K) is b. T's rows carry their weight as their sum.
    """

    def __init__(self, X: Any, T: Floats, total: float, *, ridge: float, intercept: bool, rows: Any) -> None:
        # A dense matrix that is mostly zeros is faster as a sparse one.
        if not sp.issparse(X) and np.count_nonzero(X) < 0.25 * X.size and X.shape[1] >= 32:
            self.X = sp.csr_matrix(X, dtype=np.float64)
        else:
            self.X = X.astype(np.float64, copy=False)
        self.XT = self.X.T.tocsr() if sp.issparse(self.X) else self.X.T
        self.T, self.mass, self.total = np.ascontiguousarray(T), T.sum(axis=1), total
        self.ridge, self.intercept, self.rows = ridge, intercept, rows
        self.n, self.d = X.shape
        self.K = T.shape[1]
        self.G, self.loss = np.empty((self.n, self.K)), np.empty(self.n)
        self.small = self.d * self.K <= _SMALL
        self.can_whiten = not sp.issparse(X) and self.d <= _WHITEN_UP_TO
        self.P = np.empty((0, 0))
        # A tenth of the curvature at p = 1/K: what a fitted model has, and measured to need the fewest steps.
        self.assumed = 0.1 * (1 / self.K) * (1 - 1 / self.K)

    def value(self, W: Floats, b: Floats) -> float:
        return self(np.vstack([W, b]))[0]

    def __call__(self, V: Floats) -> tuple[float, Floats]:
        """Value and gradient; keeps the probabilities for `curve`."""
        from kullback.learn._numba import softmax

        self.P = self._times(V[:-1])
        self.rows(softmax.forward, self.n, self.P, V[-1].copy(), self.T, self.mass, self.G, self.loss)
        value = float(self.loss.sum()) / self.total + 0.5 * self.ridge * float((V[:-1] ** 2).sum())
        return value, self._gradient(self.G, V)

    def flatter(self) -> float:
        """How much flatter than assumed the objective is: the assumed curvature over the last mean p(1 − p)."""
        mean = 1.0 - float(self.mass @ np.einsum("nk,nk->n", self.P, self.P)) / float(self.mass.sum())
        return float(max(1.0, self.assumed * self.K / max(mean, 1e-12)))

    def curve(self, V: Floats) -> Floats:
        """The Hessian at the last point, times V."""
        from kullback.learn._numba import softmax

        A = self._times(V[:-1])
        self.rows(softmax.curve, self.n, A, V[-1].copy(), self.P, self.mass)
        return self._gradient(A, V)

    def preconditioner(self) -> tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]:
        """(R⁻¹, R⁻ᵀ) with RRᵀ close to the Hessian: Gram of the features, or its diagonal, at a curvature p(1 − p)."""
        curvature = self.assumed * self.mass / self.total
        if self.can_whiten:
            # The Gram matrix of [X, 1], without copying X.
            M = np.empty((self.d + 1, self.d + 1))
            if sp.issparse(self.X):
                M[:-1, :-1] = (self.XT @ self.X.multiply(curvature[:, None]).tocsr()).toarray()
            else:
                M[:-1, :-1] = self.XT @ (self.X * curvature[:, None])
            M[-1, :-1] = M[:-1, -1] = self.XT @ curvature
            M[-1, -1] = curvature.sum()
            diagonal = np.arange(self.d + 1)
            M[diagonal[:-1], diagonal[:-1]] += self.ridge
            M[diagonal, diagonal] += 1e-10 * max(np.trace(M) / (self.d + 1), 1e-300)
            R = cho_factor(M, lower=True)[0]
            return (
                lambda g: np.asarray(solve_triangular(R, g, lower=True)),
                lambda u: np.asarray(solve_triangular(R, u, lower=True, trans="T")),
            )
        squares = self.XT.power(2) @ curvature if sp.issparse(self.X) else (self.XT**2) @ curvature
        scale = np.sqrt(np.r_[squares + self.ridge, curvature.sum()])[:, None]
        scale = np.maximum(scale, 1e-8 * scale.max())
        return (lambda g: g / scale), (lambda u: u / scale)

    def _times(self, W: Floats) -> Floats:
        if sp.issparse(self.X) or self.d < 64:
            return np.ascontiguousarray(self.X @ np.ascontiguousarray(W))
        return np.ascontiguousarray((np.ascontiguousarray(W.T) @ self.XT).T)  # BLAS is faster on wide than on tall

    def _gradient(self, G: Floats, V: Floats) -> Floats:
        out = np.empty_like(V)
        if sp.issparse(self.X) or self.d < 64:
            out[:-1] = self.XT @ G
        else:
            out[:-1] = (np.ascontiguousarray(G.T) @ self.X).T
        out[-1] = G.sum(axis=0) if self.intercept else 0.0
        out /= self.total
        out[:-1] += self.ridge * V[:-1]
        return out


def minimise(
    problem: Problem, solver: str, tol: float, max_iter: int, track: Any, learned: Callable[[Floats, Floats], Any]
) -> tuple[Floats, Floats, int, bool]:
    """(W, b, iterations, converged), from W = 0. Converged: what is left to gain, about ½ ‖R⁻¹ gradient‖²
    where the curvature is as assumed and more where it is flatter, ≤ tol·f.
    """
    run = _lbfgs if solver == "lbfgs" else _newton
    V, n_iter, converged = run(problem, tol, max_iter, lambda f, V: track(f, lambda: learned(V[:-1], V[-1])))
    return V[:-1], V[-1], n_iter, converged


def _lbfgs(problem: Problem, tol: float, max_iter: int, note: Callable[..., bool]) -> tuple[Floats, int, bool]:
    down, up = problem.preconditioner()
    shape, at = (problem.d + 1, problem.K), {"left": np.inf, "f": np.inf}

    def function(u: Floats) -> tuple[float, Floats]:
        f, gradient = problem(up(u.reshape(shape)))
        g = down(gradient).ravel()
        at["left"], at["f"] = 0.5 * float(g @ g) * problem.flatter(), f
        return f, g

    def step(intermediate_result: Any) -> None:
        # scipy calls after each accepted step, whose point was the last one evaluated.
        if note(float(intermediate_result.fun), up(intermediate_result.x.reshape(shape))):
            raise StopIteration
        if at["left"] <= tol * max(abs(at["f"]), 1e-300):
            raise StopIteration

    start = np.zeros(shape).ravel()
    f = function(start)[0]
    if at["left"] <= 1e-15 * max(abs(f), 1e-300):  # nothing to learn: already there
        return start.reshape(shape), 0, True
    options = {"maxiter": max_iter, "maxfun": 4 * max_iter, "maxcor": 15, "gtol": 0.0, "ftol": 0.0, "maxls": 40}
    result = minimize(function, start, jac=True, method="L-BFGS-B", callback=step, options=options)
    f = function(result.x)[0]
    # At the limit of precision the line search finds nothing more.
    converged = at["left"] <= max(tol, 1e-9) * max(abs(f), 1e-300)
    return up(result.x.reshape(shape)), int(result.nit), bool(converged)


def _newton(problem: Problem, tol: float, max_iter: int, note: Callable[..., bool]) -> tuple[Floats, int, bool]:
    down, up = problem.preconditioner()
    V = np.zeros((problem.d + 1, problem.K))
    f, g = problem(V)
    first: float | None = None
    for iteration in range(max_iter):
        z = up(down(g))
        left = 0.5 * float((g * z).sum()) * problem.flatter()
        if left <= tol * max(abs(f), 1e-300):
            if not problem.small:
                return V, iteration, True
            # Where it costs nothing one exact step more squares the error that is left.
            return V + _conjugate_gradients(problem, g, z, 1e-8, lambda r: up(down(r))), iteration + 1, True
        first = first or left
        step = _conjugate_gradients(problem, g, z, min(0.3, (left / first) ** 0.5), lambda r: up(down(r)))
        slope, length = float((g * step).sum()), 1.0
        for _ in range(30):
            new, gradient = problem(V + length * step)
            if new <= f + 1e-4 * length * slope:
                break
            length *= 0.5
        else:
            problem(V)
            return V, iteration, bool(left <= max(tol, 1e-9) * max(abs(f), 1e-300))
        V, f, g = V + length * step, new, gradient
        if note(f, V):
            return V, iteration + 1, False
    return V, max_iter, False


def _conjugate_gradients(
    problem: Problem, g: Floats, z: Floats, enough: float, solve: Callable[[Floats], Floats]
) -> Floats:
    """A step s with Hs ≈ −g: the residual falls to `enough` of its first size."""
    step, r, z = np.zeros_like(g), -g, -z
    direction, size = z.copy(), float((r * z).sum())
    first = size
    for _ in range(100):
        curved = problem.curve(direction)
        bend = float((direction * curved).sum())
        if bend <= 0:
            break
        length = size / bend
        step += length * direction
        r = r - length * curved
        z = solve(r)
        new = float((r * z).sum())
        if new <= enough * enough * first:
            break
        direction = z + (new / size) * direction
        size = new
    return step
