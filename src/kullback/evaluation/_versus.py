"""Two models on the same rows: the paired difference, its terms, and evidence that may be looked at after every row."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from kullback.evaluation._terms import Clusters, estimate_of
from kullback.result.estimate import Estimate
from kullback.result.evaluation import Versus
from kullback.statistics import cluster_sums, e_process, mean_error, sign_flip_test

Floats = NDArray[np.float64]

# Predictions are mixed with this much of the uniform distribution for the e-value alone: its bets need a bounded loss.
MIXED = 1e-3
# Log densities have no such bound: their differences are cut at this many nats, again for the e-value alone.
TRUNCATED = 5.0
_FLIPS_UP_TO = 2_000


def compare_losses(
    name: str,
    loss: Floats,
    other: Floats,
    gain: Floats,
    other_gain: Floats,
    spread: float,
    categories: int | None,
    /,
    *,
    clusters: Clusters = None,
    level: float = 0.95,
    random_state: int = 0,
) -> Versus:
    """Loss (n,) minus the other's, in total and in its terms; `gain` (n,) are the cross-fitted recalibration gains."""
    difference = loss - other
    of_reliability = gain - other_gain
    method = "paired mean over rows"
    error, degrees = mean_error(difference, clusters=clusters)
    if degrees + 1 <= _FLIPS_UP_TO:
        p_value = sign_flip_test(difference, clusters=clusters, random_state=random_state)
        test = "sign flips of rows" if clusters is None else "sign flips of clusters"
    else:
        t = float(difference.mean()) / error if error > 0 else 0.0
        p_value, test = float(2.0 * stats.t.sf(abs(t), degrees)), "paired t"
    if categories is None:
        bound, mixture = TRUNCATED, 0.0
        mixed = np.clip(difference, -bound, bound)
    else:
        bound, mixture = math.log((1.0 - MIXED) * categories / MIXED + 1.0), MIXED
        mixed = _mixed(loss, categories) - _mixed(other, categories)
    if clusters is not None:
        size = cluster_sums(np.ones(mixed.size), clusters)
        mixed = (cluster_sums(mixed, clusters) / size)[_first_seen(clusters)]
    evidence = e_process(mixed, bound=bound)

    def term(value: float, influence: Floats, second_order: float = 0.0) -> Estimate:
        return estimate_of(value, influence, clusters=clusters, level=level, method=method, second_order=second_order)

    total = float(difference.mean())
    reliability = float(of_reliability.mean())
    return Versus(
        name=name,
        difference=term(total, difference),
        reliability=term(reliability, of_reliability, spread),
        resolution=term(total - reliability, difference - of_reliability, spread),
        p_value=p_value,
        test=test,
        log_e=evidence.log_e,
        bound=bound,
        mixed=mixture,
        row=evidence.row,
    )


def _mixed(loss: Floats, categories: int) -> Floats:
    """−log((1−ε) q + ε/K) from −log q."""
    return np.asarray(-np.log((1.0 - MIXED) * np.exp(-loss) + MIXED / categories))


def _first_seen(clusters: NDArray[np.intp]) -> NDArray[np.intp]:
    """Clusters in the order in which the rows bring them."""
    _, first = np.unique(clusters, return_index=True)
    return np.argsort(first)
