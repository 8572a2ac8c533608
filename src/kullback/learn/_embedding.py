"""Moving the points of an embedding downhill: forces between all pairs, descent with momentum, L-BFGS to the end."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize

from kullback.learn._numba import sne
from kullback.learn._numba.jit import Rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Kernel:
    """Q_ij ∝ w_i w_j k(|y_i − y_j|²): Student-t with `dof` degrees of freedom, or Gaussian."""

    gaussian: bool
    dof: float


class Forces:
    """KL(P‖Q) and its gradient for positions Y (n, D); the plane and the usual kernel take the fast loops."""

    def __init__(self, P: sp.csr_matrix, weight: Floats, kernel: Kernel, dimensions: int, n_threads: int) -> None:
        n = P.shape[0]
        self.n, self.D, self.kernel, self.weight = n, dimensions, kernel, weight
        self.fast = dimensions == 2 and not kernel.gaussian and kernel.dof == 1.0 and bool((weight == weight[0]).all())
        self.P, self.p32 = P, P.data.astype(np.float32)
        logs = np.log(np.where(P.data > 0, P.data, 1.0))
        # KL = Σ P log P − Σ P log k + log Σ k (weights of equal rows cancel in the fast case)
        log_weight = np.log(np.where(weight > 0, weight, 1.0))
        row_mass = np.asarray(P.sum(axis=1)).ravel()
        self.constant = float(P.data @ logs) - (0.0 if self.fast else 2.0 * float(row_mass @ log_weight))
        self.gentle = 1.0 / (8.0 * float(row_mass.max()))
        self.n_threads = n_threads
        self.rows = Rows(n_threads)
        # Row i meets i others: equal areas of the triangle.
        self.edges = [round(n * (b / n_threads) ** 0.5) for b in range(n_threads + 1)]
        self.pulls = np.zeros((2, n), np.float32)
        self.pushes = np.zeros((n_threads, 2, n), np.float32)
        self.cost = np.zeros(n)
        self.Z = 1.0

    def __call__(
        self, Y: NDArray[Any], *, exaggeration: float = 1.0, value: bool = True, fresh: bool = True
    ) -> tuple[float, NDArray[Any]]:
        """(KL without exaggeration, gradient of shape (D, n)) at Y of shape (D, n).

        Without `fresh` the repulsion may be that of the last call.
        """
        if not self.fast:
            return self._any(Y, exaggeration)
        if fresh:
            self._repel(Y)
        return self._plane(Y, exaggeration, value)

    def _plane(self, Y: NDArray[Any], exaggeration: float, value: bool) -> tuple[float, NDArray[Any]]:  # noqa: FBT001
        x, y = np.ascontiguousarray(Y, np.float32)
        matrix = self.P
        self.rows(sne.attract, self.n, matrix.indptr, matrix.indices, self.p32, x, y, *self.pulls, self.cost, value)
        gradient = 4.0 * (exaggeration * self.pulls - self.pushes.sum(axis=0) / np.float32(self.Z))
        return (self.constant + float(self.cost.sum()) + float(np.log(self.Z)) if value else np.nan), gradient

    def _repel(self, Y: NDArray[Any]) -> None:
        x, y = np.ascontiguousarray(Y, np.float32)
        self.pushes[:] = 0.0
        spans = itertools.pairwise(self.edges)
        calls = [(a, b, x, y, *push) for (a, b), push in zip(spans, self.pushes, strict=True)]
        self.Z = 2.0 * sum(self.rows.together(sne.repel, calls))

    def _any(self, Y: NDArray[Any], exaggeration: float) -> tuple[float, NDArray[Any]]:
        at = np.ascontiguousarray(Y.T, np.float64)
        pull, push, z = np.empty_like(at), np.empty_like(at), np.empty(self.n)
        matrix, kernel = self.P, self.kernel
        self.rows(
            sne.forces,
            self.n,
            matrix.indptr,
            matrix.indices,
            matrix.data,
            self.weight,
            at,
            kernel.gaussian,
            float(kernel.dof),
            pull,
            push,
            self.cost,
            z,
        )
        Z = float(z.sum())
        if not Z > 0.0:  # all so far apart that no kernel is above 0: too far, for a line search to come back from
            return np.inf, np.ascontiguousarray((4.0 * exaggeration * pull).T)
        gradient = 4.0 * (exaggeration * pull - push / Z)
        return self.constant + float(self.cost.sum()) + float(np.log(Z)), np.ascontiguousarray(gradient.T)

    def __enter__(self) -> Forces:
        return self

    def __exit__(self, *_: object) -> None:
        self.rows.__exit__()


def descend(
    forces: Forces, Y: NDArray[Any], *, exaggeration: float, early: int, late: int, note: Callable[[float, Any], bool]
) -> NDArray[Any]:
    """Exaggerated attraction first, so that clusters find each other; then the true objective.

    Not with a Gaussian kernel: its pull does not fade with distance, and would carry all points to one.
    """
    exaggeration = 1.0 if forces.kernel.gaussian else exaggeration
    kind = np.float32 if forces.fast else np.float64
    Y = np.array(Y, kind, order="C")  # `flat` must be a view
    flat = Y.reshape(-1)
    velocity, gain = np.zeros_like(flat), np.ones_like(flat)
    for t in range(early + late):
        factor, momentum = (exaggeration, 0.5) if t < early else (1.0, 0.8)
        # A Gaussian's pull grows without end: its step must stay below 2 over the largest curvature, 8 factor Σ_j P_ij.
        rate = forces.gentle / factor if forces.kernel.gaussian else max(forces.n / factor, 10.0)
        look = t % 50 == 49
        # While attraction is exaggerated, repulsion is small and changes slowly: every third one will do.
        value, gradient = forces(Y, exaggeration=factor, value=look, fresh=look or t >= early or t % 3 == 0)
        sne.step(flat, gradient.reshape(-1).astype(kind, copy=False), velocity, gain, momentum, rate)
        if look and note(value, Y):
            break
    return Y


def rescale(forces: Forces, Y: NDArray[Any]) -> NDArray[Any]:
    """The best multiple of Y: descent leaves embeddings too small."""
    factors = np.geomspace(0.7, 2.5, 9)
    values = [forces(Y * f)[0] for f in factors]
    return np.asarray(Y * factors[int(np.argmin(values))])


def polish(
    forces: Forces, Y: NDArray[Any], *, rounds: int, tol: float, note: Callable[[float, Any], bool]
) -> tuple[NDArray[Any], bool]:
    """L-BFGS until ten rounds gain less than `tol` of the objective. (Y, converged)."""
    shape = Y.shape
    seen: list[float] = []
    done = {"converged": False}

    def function(v: Floats) -> tuple[float, Floats]:
        value, gradient = forces(v.reshape(shape))
        return value, gradient.astype(np.float64).ravel()

    def step(intermediate_result: Any) -> None:
        seen.append(float(intermediate_result.fun))
        done["converged"] = len(seen) > 10 and seen[-11] - seen[-1] <= tol * abs(seen[-1])
        if note(seen[-1], intermediate_result.x.reshape(shape)) or done["converged"]:
            raise StopIteration

    options = {"maxiter": rounds, "maxfun": 3 * rounds, "maxcor": 15, "gtol": 0.0, "ftol": 0.0, "maxls": 30}
    result = minimize(
        function, np.asarray(Y, np.float64).ravel(), jac=True, method="L-BFGS-B", callback=step, options=options
    )
    stuck = result.nit < rounds and not done["converged"] and result.status == 2  # no step improves any more
    return result.x.reshape(shape), bool(done["converged"] or stuck)
