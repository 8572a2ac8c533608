"""A classifier of real against generated that is fitted on some rows and judged on others: an independent witness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

from kullback.result.estimate import Estimate
from kullback.statistics import fold_numbers, jensen_shannon_lower_bound

Floats = NDArray[np.float64]

_WAVES = 256
_MOST_ROWS = 20_000  # per side: the bound is no less valid with fewer, only a little lower


def classifier_bound(real: Floats, generated: Floats, level: float, random_state: int) -> Estimate:
    """One-sided lower bound on JS: ridge logistic regression on random Fourier features, cross-fitted in 5 folds."""
    rng = np.random.default_rng(random_state)
    sides = [x if len(x) <= _MOST_ROWS else x[rng.choice(len(x), _MOST_ROWS, replace=False)] for x in (real, generated)]
    x = np.concatenate(sides)
    y = np.concatenate([np.ones(len(sides[0])), np.zeros(len(sides[1]))])
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0).max(), 1e-300)
    # Waves as long as typical distances between rows, and twice and half that.
    pairs = rng.integers(0, len(x), size=(2, 2000))
    distance = np.sqrt(np.median(np.sum((x[pairs[0]] - x[pairs[1]]) ** 2, axis=1))) or 1.0
    length = np.repeat([0.5, 1.0, 2.0, 4.0], _WAVES // 4) * distance / np.sqrt(x.shape[1])
    waves = rng.standard_normal((x.shape[1], _WAVES)) / (length * np.sqrt(x.shape[1]))
    features = np.concatenate([np.ones((len(x), 1)), x, np.cos(x @ waves + rng.uniform(0, 2 * np.pi, _WAVES))], axis=1)
    fold = fold_numbers(len(x), folds=5, random_state=random_state)
    odds = np.empty(len(x))
    for f in range(5):
        train = fold != f
        share = y[train].mean()
        fitted = _logistic(features[train], y[train])
        # The bound is for even sides: what the odds owe to unequal sizes is taken out.
        odds[fold == f] = features[fold == f] @ fitted - np.log(share / (1.0 - share))
    bound = jensen_shannon_lower_bound(odds[y == 1], odds[y == 0], level=level)
    method = f"cross-fitted classifier, one-sided {level:.0%} bound"
    return Estimate(
        bound.value,
        max(bound.low, 0.0),
        bound.high,
        level,
        bound.standard_error,
        "nats",
        method,
        tuple(map(len, sides)),
    )


def _logistic(x: Floats, y: Floats) -> Floats:
    """Newton's method on the penalised likelihood; the penalty is worth about one row per feature."""
    w = np.zeros(x.shape[1])
    penalty = np.full(x.shape[1], 1.0)
    penalty[0] = 1e-6
    for _ in range(25):
        p = special.expit(x @ w)
        gradient = x.T @ (p - y) + penalty * w
        curvature = np.maximum(p * (1 - p), 1e-4)
        step = linalg.solve(x.T @ (x * curvature[:, None]) + np.diag(penalty), gradient, assume_a="pos")
        w -= step
        if float(gradient @ step) < 1e-4:
            break
    return w
