"""EM for mixtures: alternating KL projections, from k-means once and from random rows, softened at first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.preprocessing import normalize

from kullback._special import log_sum_exp

Floats = NDArray[np.float64]

# How soft responsibilities are at first, as a power below 1, and by how much it grows each round.
_HEAT, _COOLING = 0.7, 1.06


@dataclass(frozen=True, slots=True)
class Run:
    """One start's result."""

    objective: float
    shares: Floats
    theta: Any
    path: list[float]
    converged: bool


@dataclass(frozen=True, slots=True)
class Task:
    """Distinct rows X of given weights, a family of k components, and `prior` pseudo-observations of each.

    `name` is the family's where it has one. `note` hears of each round and may stop the descent.
    """

    X: Any
    weight: Floats
    family: Any
    name: Any
    k: int
    prior: float
    tol: float
    max_iter: int
    note: Callable[[float], bool]

    @property
    def share(self) -> Floats:
        return self.weight / float(self.weight.sum())

    @property
    def extra(self) -> Floats:
        """A thousandth of the variance of each feature, times the prior."""
        if sp.issparse(self.X):
            return np.zeros(self.X.shape[1])
        variance = self.share @ (self.X - self.share @ self.X) ** 2
        return np.asarray(1e-3 * self.prior * np.where(variance > 0, variance, 1.0))

    def penalty(self, components: Floats, theta: Any, extra: Floats) -> float:
        """−(prior/W) Σ_k E log p(x; θ_k) over the pseudo-observations: what they cost."""
        if self.prior == 0:
            return 0.0
        strain = float(self.family.strain(theta, extra))
        return (-self.prior * float((self.share @ components).sum()) + strain) / float(self.weight.sum())


def descend(task: Task, start: int, random: np.random.RandomState, *, anneal: bool) -> Run:
    """EM from the start of this number."""
    X, weight, family, k = task.X, task.weight, task.family, task.k
    total = float(weight.sum())
    pseudo, extra = task.prior * task.share[:, None], task.extra  # every component sees the whole data this much
    theta, pi = _begin(task, start, random, pseudo, extra), np.full(k, 1 / k)
    heat = _HEAT if anneal and k > 1 else 1.0
    path: list[float] = []
    converged = False
    for _ in range(task.max_iter):
        value, joint, top = measure(task, pi, theta, extra)
        path.append(value)
        if task.note(value):
            break
        if heat == 1.0 and len(path) > 1 and abs(path[-2] - value) < task.tol:
            converged = True
            break
        if heat < 1.0:
            soft = heat * joint
            R = np.exp(soft - log_sum_exp(soft, xp=np)) * weight[:, None]
            heat = min(1.0, heat * _COOLING)
        else:
            R = np.exp(joint - top) * weight[:, None]
        mass = R.sum(axis=0)
        pi = mass / mass.sum()
        if task.prior == 0 and (mass <= 1e-12 * total).any():
            raise ValueError("A component lost all its rows. Use fewer components, another seed, or a prior > 0.")
        theta = family.fit(X, R + pseudo, extra)
    else:
        path.append(measure(task, pi, theta, extra)[0])
    return Run(path[-1], pi, theta, path, converged)


def _begin(task: Task, start: int, random: np.random.RandomState, pseudo: Floats, extra: Floats) -> Any:
    """First parameters: from k-means once (of square roots for counts), then from random rows."""
    X, weight, family, k, total = task.X, task.weight, task.family, task.k, float(task.weight.sum())
    blurred = np.tile(weight[:, None] / k, (1, k))
    if start == 0 and len(weight) > k > 1:
        Z = np.sqrt(X) if task.name in ("multinomial", "poisson", "bernoulli") else X
        means = KMeans(k, n_init=1, random_state=random)
        labels = means.fit(normalize(Z) if task.name == "multinomial" else Z, sample_weight=weight).labels_
    else:
        # Half at a seed and half at the data, then every row to the best of these.
        seeds = random.choice(len(weight), size=min(k, len(weight)), replace=False, p=weight / total)
        R = 0.5 * blurred
        R[seeds, np.arange(len(seeds))] += 0.5 * total / k
        labels = family.log_density(X, family.fit(X, R + pseudo, extra)).argmax(axis=1)
    return family.fit(X, np.eye(k)[labels] * weight[:, None] + pseudo + 1e-6 * blurred, extra)


def measure(task: Task, pi: Floats, theta: Any, extra: Floats) -> tuple[float, Floats, Floats]:
    """(objective, log π_k p_k, log Σ_k π_k p_k)."""
    components = task.family.log_density(task.X, theta)
    with np.errstate(divide="ignore"):
        joint = np.log(pi) + components
    top = log_sum_exp(joint, xp=np)
    return -float(task.share @ top[:, 0]) + task.penalty(components, theta, extra), joint, top
