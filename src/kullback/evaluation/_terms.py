"""Cross-entropy = uncertainty − resolution + reliability, each with an interval, adding up exactly.

Bröcker 2009 (doi:10.1002/qj.456):  E[−log S_Y] = H(π̄) − I(Y; S) + E KL(π_S‖S),  π_S the law of Y given the prediction
S. Every term is a mean over rows, up to second order, so one row's influence on each gives the standard errors,
clustered if rows are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from kullback.evaluation._ladder import Ladder
from kullback.evaluation._truth import Truth
from kullback.result.estimate import Estimate
from kullback.statistics import cluster_sums, mean_error
from kullback.statistics.means import t_quantile

Floats = NDArray[np.float64]
Clusters = NDArray[np.intp] | None


class Terms(NamedTuple):
    """The four terms, the certified lower bound on reliability, and each row's influence on uncertainty."""

    cross_entropy: Estimate
    uncertainty: Estimate
    resolution: Estimate
    reliability: Estimate
    certified: float
    surprise: Floats


def estimate_of(
    value: float,
    influence: Floats,
    /,
    *,
    method: str,
    clusters: Clusters = None,
    level: float = 0.95,
    second_order: float = 0.0,
    unit: str = "nats",
    notes: tuple[str, ...] = (),
) -> Estimate:
    """An Estimate whose standard error is that of the mean of `influence`, and of `second_order` beside it."""
    error, degrees = mean_error(influence, clusters=clusters)
    error = math.hypot(error, second_order)
    half = t_quantile(level, degrees) * error
    n = (influence.shape[0],) if clusters is None else (influence.shape[0], degrees + 1)
    if math.isinf(value):
        return Estimate(value, value, value, level, math.nan, unit, method, n, notes)
    return Estimate(value, value - half, value + half, level, error, unit, method, n, notes)


def split(
    loss: Floats, truth: Truth, ladder: Ladder, K: int, /, *, clusters: Clusters = None, level: float = 0.95
) -> Terms:
    """The terms of a finite loss (n,)."""
    how = "mean over rows" if clusters is None else "mean over rows, clustered error"
    cross_entropy = estimate_of(float(loss.mean()), loss, clusters=clusters, level=level, method=how)
    surprise, correction, second = _uncertainty(truth, K, clusters)
    uncertainty = estimate_of(
        min(float(surprise.mean()) + correction, math.log(K)),
        surprise,
        clusters=clusters,
        level=level,
        second_order=second,
        method="entropy of the class shares, Miller–Madow",
    )
    widest = ladder.widest
    notes = () if widest.estimate >= 0 else (f"the estimate {widest.estimate:.3g} is below 0 and shown as 0",)
    reliability = estimate_of(
        max(widest.estimate, 0.0),
        ladder.influence,
        clusters=clusters,
        level=level,
        second_order=ladder.spread,
        method="between cross-fitted and in-sample gain of the widest recalibration",
        notes=notes,
    )
    reliability = _above_zero(reliability)
    resolution = estimate_of(
        uncertainty.value + reliability.value - cross_entropy.value,
        surprise + ladder.influence - loss,
        clusters=clusters,
        level=level,
        second_order=math.hypot(second, ladder.spread),
        method="uncertainty + reliability − cross-entropy",
    )
    error, degrees = mean_error(ladder.gain, clusters=clusters)
    one_sided = float(stats.t.ppf(level, degrees)) if degrees > 0 else math.inf
    mean = float(ladder.gain.mean())
    certified = max(0.0, mean - one_sided * error) if error > 0 else max(0.0, mean)
    return Terms(cross_entropy, uncertainty, resolution, reliability, certified, surprise)


def _uncertainty(truth: Truth, K: int, clusters: Clusters) -> tuple[Floats, float, float]:
    """Row by row −Σₖ tₖ log π̄ₖ (mean: the plug-in entropy), its bias ½ Σ Var(π̄ₖ)/π̄ₖ, and the second-order error.

    For labels and independent rows the bias is (K−1)/2n, Miller & Madow's; soft truths and clusters bring their own.
    """
    n = truth.n
    if truth.codes is not None:
        share = np.bincount(truth.codes, minlength=K) / n
    else:
        assert truth.soft is not None
        share = truth.soft.mean(axis=0)
    with np.errstate(divide="ignore"):
        log_share = np.where(share > 0, np.log(share), 0.0)
    if truth.codes is not None:
        surprise = -log_share[truth.codes]
    else:
        assert truth.soft is not None
        surprise = -(truth.soft @ log_share)
    present = share > 0
    variance = _share_variance(truth, share, clusters)
    correction = 0.5 * float(np.sum(variance[present] / share[present]))
    # The second-order term is a sum of ~ (K−1) squares whose mean is `correction`: its spread is mean · √(2/(K−1)).
    free = max(int(present.sum()) - 1, 1)
    return surprise, correction, correction * math.sqrt(2.0 / free)


def _share_variance(truth: Truth, share: Floats, clusters: Clusters) -> Floats:
    """Var(π̄ₖ) for each class."""
    n, K = truth.n, share.size
    if clusters is None:
        if truth.codes is not None:
            return np.asarray(share * (1.0 - share) / n)
        assert truth.soft is not None
        return np.asarray(truth.soft.var(axis=0) / n)
    groups = int(clusters.max()) + 1
    if truth.codes is not None:
        flat = np.bincount(clusters * K + truth.codes, minlength=groups * K).astype(np.float64).reshape(groups, K)
    else:
        assert truth.soft is not None
        flat = cluster_sums(truth.soft, clusters)
    size = flat.sum(axis=1, keepdims=True)
    scale = groups / (groups - 1) if groups > 1 else 1.0
    return np.asarray(scale * np.sum((flat - size * share) ** 2, axis=0) / n**2)


def _above_zero(e: Estimate) -> Estimate:
    """A divergence is not negative, and neither is the low end of its interval."""
    return Estimate(e.value, max(e.low, 0.0), e.high, e.level, e.standard_error, e.unit, e.method, e.n, e.notes)
