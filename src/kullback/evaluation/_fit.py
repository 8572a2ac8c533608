"""Fitting a recalibration map: Newton's method on a convex cross-entropy with a weak pull towards 'change nothing'."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from kullback.evaluation._line import Line, Segments, moments, normaliser

Floats = NDArray[np.float64]


class Objective(Protocol):
    """What is minimised: value, gradient and, when asked, the lower triangle of the Hessian."""

    def __call__(self, x: Floats, /, *, curvature: bool) -> tuple[float, Floats, Floats]: ...


# The pull is a Gaussian prior: a bias of 1 costs ½ nat of the whole sum, a change of slope of 1 a twentieth. More on the
# slopes left a bias of −.001 at 1,000 binary rows (truth .015); less let the curve follow noise.
_BIAS_PRECISION = 1.0
_SLOPE_PRECISION = 0.1
_STEPS = 50
# Above this many parameters the Hessian's K²/2 sums per row cost more than the extra steps of L-BFGS.
_NEWTON_UP_TO = 160


class Fitted(NamedTuple):
    """A map and the mean cross-entropy it reaches on the rows it was fitted on."""

    line: Line
    cross_entropy: float


def fit_line(
    at: Segments,
    use: NDArray[np.bool_],
    codes: NDArray[np.intp] | None,
    soft: Floats | None,
    /,
    *,
    free_line: bool,
    with_bias: bool,
    start: Line | None = None,
) -> Fitted:
    """Minimise n·CE(v, b) + ½ (v−t)ᵀR(v−t) + ½ ρ|b|² over the rows in `use`; v stays t unless `free_line`."""
    J, K = at.nodes.size, at.where.shape[1]
    rows = int(use.sum())
    target = moments(at, use, codes, soft)
    pull = _pull(at.nodes, K)
    free = np.concatenate([np.full(J, free_line), np.full(K, with_bias)])
    identity = np.concatenate([at.nodes, np.zeros(K)])
    theta = identity.copy() if start is None else np.concatenate([start.values, start.bias])

    def objective(x: Floats, /, *, curvature: bool) -> tuple[float, Floats, Floats]:
        total, gradient, hessian = normaliser(at, use, x[:J], x[J:], with_bias=with_bias, curvature=curvature)
        full = np.concatenate([gradient, np.zeros(J + K - gradient.size)]) - target
        moved = x - identity
        full += pull @ moved
        return total - float(target @ x) + 0.5 * float(moved @ pull @ moved), full, hessian

    if int(free.sum()) <= _NEWTON_UP_TO:
        theta = _newton(objective, theta, free, pull, rows)
    else:
        theta = _limited_memory(objective, theta, free, pull, target, rows)
    line = Line(at.nodes, theta[:J], theta[J:] - theta[J:].mean() if with_bias else theta[J:])
    total, _, _ = normaliser(at, use, theta[:J], theta[J:], with_bias=False, curvature=False)
    return Fitted(line, (total - float(target @ theta)) / rows)


def _pull(nodes: Floats, K: int) -> Floats:
    """Precision of (v − t, b): changes of slope and biases cost; level and overall slope next to nothing."""
    J = nodes.size
    out = np.zeros((J + K, J + K))
    out[:J, :J] = 1e-6 * np.eye(J)  # only the level, which the normaliser cannot see, needs it
    if J > 2:
        width = np.diff(nodes)
        bend = np.zeros((J - 2, J))
        for j in range(J - 2):
            bend[j, j : j + 3] = [1 / width[j], -1 / width[j] - 1 / width[j + 1], 1 / width[j + 1]]
        out[:J, :J] += _SLOPE_PRECISION * bend.T @ bend
    out[J:, J:] = _BIAS_PRECISION * np.eye(K)
    return out


def _newton(objective: Objective, theta: Floats, free: NDArray[np.bool_], pull: Floats, rows: int) -> Floats:
    index = np.flatnonzero(free)
    value, gradient, hessian = objective(theta, curvature=True)
    for _ in range(_STEPS):
        matrix = np.zeros_like(pull)
        matrix[: hessian.shape[0], : hessian.shape[1]] = np.tril(hessian) + np.tril(hessian, -1).T
        matrix = (matrix + pull)[np.ix_(index, index)]
        # The level of the line and the mean bias are one direction that changes nothing: keep it from being singular.
        matrix[np.diag_indices(index.size)] += 1e-9 * rows + 1e-9
        step = np.zeros_like(theta)
        step[index] = -linalg.solve(matrix, gradient[index], assume_a="pos")
        decrement = -float(gradient @ step)
        if decrement < 1e-9 * max(1.0, rows * 1e-4):  # the loss still to gain is far below d/2n
            break
        length = 1.0
        for _ in range(30):
            tried, g, h = objective(theta + length * step, curvature=True)
            if tried <= value - 1e-4 * length * decrement:
                break
            length *= 0.5
        theta, value, gradient, hessian = theta + length * step, tried, g, h
    return theta


def _limited_memory(
    objective: Objective, theta: Floats, free: NDArray[np.bool_], pull: Floats, target: Floats, rows: int
) -> Floats:
    # Scaled by the square root of the curvature at the target's own rate, so that rare and common classes step alike.
    index = np.flatnonzero(free)
    scale = 1.0 / np.sqrt(np.maximum(np.abs(target[index]), 1.0) * 0.5 + np.diag(pull)[index])

    def scaled(z: Floats) -> tuple[float, Floats]:
        x = theta.copy()
        x[index] += scale * z
        value, gradient, _ = objective(x, curvature=False)
        return value / rows, scale * gradient[index] / rows

    found = optimize.minimize(
        scaled, np.zeros(index.size), jac=True, method="L-BFGS-B", options={"maxiter": 200, "ftol": 1e-10, "gtol": 1e-7}
    )
    out = theta.copy()
    out[index] += scale * found.x
    return out
