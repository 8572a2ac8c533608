"""The family of recalibration maps: one broken line shared by all classes, and a bias per class.

For a row of log-probabilities c (centred), the map is  g(c)ₖ = s(cₖ) + bₖ − log Σₗ exp(s(cₗ) + bₗ)  with s the broken
line through (tⱼ, vⱼ). A line of two nodes is a temperature; a line that stays the identity, with b free, shifts base
rates. Being linear in (v, b) before the normaliser, its cross-entropy is convex, and for a truth Y (or a soft truth)

    n · CE(v, b) = Σᵢ log Σₖ exp(s(cᵢₖ) + bₖ)  −  ⟨(v, b), A⟩,    A = Σᵢ (features of the true class),

so the truth enters only through A, the `moments`, and the loops below never see it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Predictions below this are the same to the map: the log of 1e-15.
FLOOR = float(np.log(1e-15))


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A fitted map: nodes t, values v, biases b."""

    nodes: Floats
    values: Floats
    bias: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Where each c lies on the nodes: segment number and the part of the way through it."""

    nodes: Floats
    where: NDArray[np.uint8]
    part: Floats


def centred(log_p: Floats) -> Floats:
    """The map's input: max(log q, FLOOR) − its mean over the classes."""
    c = np.maximum(log_p, FLOOR)
    return np.asarray(c - c.mean(axis=1, keepdims=True))


def segments(c: Floats, nodes: Floats) -> Segments:
    """Locate every c; outside the nodes the first or last segment goes on straight."""
    from kullback.evaluation._numba import line

    where = np.empty(c.shape, dtype=np.uint8)
    part = np.empty(c.shape)
    line.segments(c, nodes, where, part)
    return Segments(nodes, where, part)


def moments(at: Segments, use: NDArray[np.bool_], codes: NDArray[np.intp] | None, soft: Floats | None) -> Floats:
    """A = Σᵢ Σₖ tᵢₖ · (hat functions at cᵢₖ, then the class indicator), over the rows in `use`; shape (J + K,)."""
    J, K = at.nodes.size, at.where.shape[1]
    if codes is not None:
        rows = np.flatnonzero(use)
        s, r = at.where[rows, codes[rows]], at.part[rows, codes[rows]]
        weight = np.ones(rows.size)
        of_class = np.bincount(codes[rows], minlength=K).astype(np.float64)
    else:
        assert soft is not None
        s, r, weight = at.where[use].ravel(), at.part[use].ravel(), soft[use].ravel()
        of_class = soft[use].sum(axis=0)
    hats = np.bincount(s, weights=weight * (1.0 - r), minlength=J) + np.bincount(s + 1, weights=weight * r, minlength=J)
    return np.concatenate([hats, of_class])


def normaliser(
    at: Segments, use: NDArray[np.bool_], values: Floats, bias: Floats, *, with_bias: bool, curvature: bool
) -> tuple[float, Floats, Floats]:
    """Σᵢ log Σₖ exp(s(cᵢₖ) + bₖ) over the rows in `use`, its gradient and (lower triangle of) its Hessian in (v, b)."""
    from kullback.evaluation._numba import line

    total, gradient, hessian = line.normaliser(at.where, at.part, use, values, bias, with_bias, curvature)
    return float(total), gradient, hessian


def mapped(c: Floats, line: Line) -> Floats:
    """Recalibrated log-probabilities log g(c), (n, K). The formula; `judged` is it, fused with the scores."""
    s = np.clip(np.searchsorted(line.nodes, c, side="right") - 1, 0, line.nodes.size - 2)
    r = (c - line.nodes[s]) / (line.nodes[s + 1] - line.nodes[s])
    g = line.values[s] * (1.0 - r) + line.values[s + 1] * r + line.bias
    g -= g.max(axis=1, keepdims=True)
    return np.asarray(g - np.log(np.sum(np.exp(g), axis=1, keepdims=True)))


def judged(c: Floats, line: Line, codes: NDArray[np.intp] | None, soft: Floats | None) -> tuple[Floats, Floats]:
    """Cross-entropy and Brier score of each row after the map: −Σ t log g and Σ (g − t)², shapes (n,)."""
    if codes is None:
        assert soft is not None
        log_g = mapped(c, line)
        return -np.einsum("nk,nk->n", soft, log_g), np.sum((np.exp(log_g) - soft) ** 2, axis=1)
    from kullback.evaluation._numba import line as loops

    loss, brier = np.empty(c.shape[0]), np.empty(c.shape[0])
    loops.judged(c, line.nodes, line.values, line.bias, codes, loss, brier)
    return loss, brier
