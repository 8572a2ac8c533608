"""Three ways down KL k-means: one row at a time, all rows at once, and soft memberships that are paid for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.learn._centroids import (
    full_lanes,
    loss,
    nearest,
    negentropies,
    normalised,
    overall_of,
    softmax,
    sum_by,
    weighted,
    xlogx,
)

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(slots=True)
class Solution:
    """One start's result: labels of the distinct rows (or soft memberships), and the objective."""

    objective: float
    labels: Labels
    membership: Floats | None
    path: list[float]
    converged: bool


@dataclass(frozen=True, slots=True)
class Task:
    """Rows P (n, d) of sum 1 and their masses into k clusters; when to stop; who hears of each round and may stop."""

    P: Any
    mass: Floats
    k: int
    tol: float
    max_iter: int
    note: Callable[[float], bool]

    @property
    def floor(self) -> float:
        """E Σ p log p: the objective is this less the centroids' share."""
        return float(negentropies(self.P) @ self.mass) / float(self.mass.sum())


def hartigan(task: Task, labels: Labels, random: np.random.RandomState) -> Solution:
    """Each row in turn to the cluster that loses least by it, until a round moves (nearly) nothing."""
    from kullback.learn._numba import kmeans

    P, mass, k = task.P, task.mass, task.k
    joint, floor, total, lanes = weighted(P, mass), task.floor, mass.sum(), full_lanes(k)
    labels, size = labels.astype(np.int64), np.bincount(labels, minlength=k).astype(np.int64)
    order, path, converged = random.permutation(P.shape[0]), [], False
    C = sum_by(joint, labels, lanes)
    for _ in range(task.max_iter):
        N = C.sum(axis=0)[:k]
        moves, gain = kmeans.hartigan_pass(
            joint.indptr, joint.indices, joint.data, mass, order, labels, size, N, C, xlogx(C), 0, order.size
        )
        C = sum_by(joint, labels, lanes)  # afresh: what was added and removed leaves no rounding behind
        value = floor + loss(C) / total
        path.append(value)
        if task.note(value):
            break
        if moves == 0 or gain <= task.tol * max(value, 0.0) * total:
            converged = True
            break
    return Solution(path[-1], labels, None, path, converged)


def lloyd(task: Task, labels: Labels, smoothing: float) -> Solution:
    """All rows to their nearest centroid, smoothed much at first and then less, down to `smoothing`."""
    P, mass, k = task.P, task.mass, task.k
    overall, joint, floor = overall_of(P, mass), weighted(P, mass), task.floor
    path: list[float] = []
    converged = False
    C = sum_by(joint, labels, k)
    pseudo = 20.0  # mass of the uniform distribution added to a centroid of mass 1
    for _ in range(task.max_iter):
        centers = normalised(C.T, overall)
        annealing = pseudo > 0.05
        # Unsmoothed centroids are stuck where they start (Dhillon & Guan 2003): smooth much, then less.
        share = max(pseudo / (1 + pseudo), smoothing) if annealing else smoothing
        labels = nearest(P, centers, share)
        pseudo *= 0.7
        C = sum_by(joint, labels, k)
        value = floor + loss(C) / mass.sum()
        path.append(value)
        if task.note(value):
            break
        if not annealing and len(path) > 1 and abs(path[-2] - value) <= task.tol * max(value, 0.0):
            converged = True
            break
    return Solution(path[-1], labels, None, path, converged)


def bottleneck(task: Task, labels: Labels, beta: float) -> Solution:
    """Blahut–Arimoto: q(t|x) ∝ q(t) exp(−β KL(p_x‖q_t)), q_t = Σ_x q(x|t) p_x."""
    P, share, floor = task.P, task.mass / task.mass.sum(), task.floor
    overall, negentropy = overall_of(P, task.mass), negentropies(P)
    T = 0.99 * np.eye(task.k)[labels] + 0.01 / task.k
    path: list[float] = []
    converged = False
    for _ in range(task.max_iter):
        size = share @ T
        centers = normalised((P.T @ (T * share[:, None])).T, overall)
        with np.errstate(divide="ignore"):
            logs = np.where(centers > 0, np.log(np.where(centers > 0, centers, 1.0)), -1e4)
            distance = negentropy[:, None] - P @ logs.T
            logits = np.log(size) - beta * np.maximum(distance, 0.0)
        T = softmax(logits)
        T[T < 1e-100] = 0.0  # their products with p would vanish, and leave an infinite divergence of no weight
        size = share @ T
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = float(share @ np.where(T > 0, T * np.log(T / size), 0.0).sum(axis=1))
        value = floor + loss(P.T @ (T * share[:, None])) + rate / beta
        path.append(value)
        if task.note(value):
            break
        if len(path) > 1 and path[-2] - value <= task.tol * max(value, 0.0):
            converged = True
            break
    return Solution(path[-1], T.argmax(axis=1), T, path, converged)


def plus_plus(P: Any, mass: Floats, k: int, random: np.random.RandomState) -> Labels:
    """k-means++ with KL to ½(seed + overall) in place of the squared distance: labels to start from."""
    overall, n = overall_of(P, mass), P.shape[0]
    negentropy = negentropies(P)
    score = np.full(n, np.inf)
    labels = np.zeros(n, np.int64)
    weight = mass / mass.sum()
    for c in range(k):
        seed = int(np.searchsorted(np.cumsum(weight), random.uniform() * weight.sum()).clip(0, n - 1))
        center = 0.5 * (P[seed].toarray().ravel() + overall)
        distance = np.maximum(negentropy - P @ np.log(np.where(center > 0, center, 1.0)), 0.0)
        labels[distance < score] = c
        score = np.minimum(score, distance)
        weight = mass * score
        if weight.sum() <= 0:
            weight = mass.copy()
    return labels
