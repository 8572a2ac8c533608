"""The evaluation of predictions of a number, from checked arrays to a result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from kullback.errors import InvalidInput
from kullback.evaluation import _where
from kullback.evaluation._forecasts import judge
from kullback.evaluation._pit import pit_ladder
from kullback.evaluation._scores import RowScores
from kullback.evaluation._terms import Clusters, estimate_of
from kullback.evaluation._truth import Truth
from kullback.evaluation._versus import compare_losses
from kullback.result.estimate import Estimate
from kullback.result.evaluation import Bin, Evaluation, Finite, ReviewRow, Rung

Floats = NDArray[np.float64]

_CLIP = 1e-15  # of the density, in units of one over the spread of the truth


def evaluate_regressor(
    y: Floats,
    predictions: Any,
    /,
    *,
    clusters: Clusters = None,
    columns: Mapping[str, Any] | None = None,
    versus: tuple[str, Any] | None = None,
    folds: int = 5,
    level: float = 0.95,
    random_state: int = 0,
    source: str = "",
) -> Evaluation:
    """Negative log density split as for classifiers, CRPS, coverage, PIT, slices and review."""
    if not np.isfinite(y).all():
        row = int(np.argmax(~np.isfinite(y)))
        raise InvalidInput(f"row {row} of the truth is {y[row]}; expected finite numbers")
    n = y.size
    if n < 2 * folds:
        raise InvalidInput(f"{n} rows are too few to cross-fit with {folds} folds; expected at least {2 * folds}")
    judged = judge(y, predictions, random_state)
    floor = -math.log(_CLIP) + math.log(max(float(y.std()), 1e-300))
    loss = np.where(np.isinf(judged.loss), floor, judged.loss)
    ladder, words = pit_ladder(judged.pit, clusters=clusters, loss=loss, folds=folds, random_state=random_state)
    surprise, notes = _climatology(y, random_state)

    def mean(value: float, x: Floats, method: str, unit: str = "nats", second: float = 0.0) -> Estimate:
        return estimate_of(value, x, clusters=clusters, level=level, method=method, unit=unit, second_order=second)

    how = f"mean negative log {judged.method}"
    cross_entropy = mean(float(loss.mean()), loss, how)
    uncertainty = mean(float(surprise.mean()), surprise, "differential entropy of the truth, nearest neighbours")
    widest = ladder.widest
    reliability = mean(
        max(widest.estimate, 0.0),
        ladder.influence,
        "KL(law of U‖uniform), between cross-fitted and in-sample",
        second=ladder.spread,
    )
    reliability = replace(reliability, low=max(reliability.low, 0.0))
    resolution = mean(
        uncertainty.value + reliability.value - cross_entropy.value,
        surprise + ladder.influence - loss,
        "uncertainty + reliability − negative log-likelihood",
        second=ladder.spread,
    )
    gain = mean(float(ladder.gain.mean()), ladder.gain, "")
    one_sided = float(stats.t.ppf(level, gain.n[-1] - 1)) * gain.standard_error
    finite = None
    infinite = np.flatnonzero(np.isinf(judged.loss))
    shown, shown_reliability = cross_entropy, reliability
    if infinite.size:
        finite = Finite(_CLIP, tuple(infinite[:100].tolist()), int(infinite.size), cross_entropy, reliability)
        shown, shown_reliability = (
            replace(e, value=math.inf, low=math.inf, high=math.inf, standard_error=math.nan)
            for e in (cross_entropy, reliability)
        )
    compared = None
    if versus is not None:
        name, other = versus
        second = judge(y, other, random_state)
        other_loss = np.where(np.isinf(second.loss), floor, second.loss)
        theirs, _ = pit_ladder(second.pit, clusters=clusters, loss=other_loss, folds=folds, random_state=random_state)
        compared = compare_losses(
            name,
            loss,
            other_loss,
            widest.gain,
            theirs.widest.gain,
            math.hypot(ladder.spread, theirs.spread),
            None,
            clusters=clusters,
            level=level,
            random_state=random_state,
        )
    scores = {
        "crps": mean(float(judged.crps.mean()), judged.crps, "continuous ranked probability score", "of the truth")
    }
    for share in (0.5, 0.9):
        inside = (np.abs(judged.pit - 0.5) <= share / 2).astype(np.float64)
        said = f"share of rows inside the central {share:.0%} of their prediction"
        scores[f"coverage_{share * 100:.0f}"] = mean(float(inside.mean()), inside, said, "")
    wrong = np.abs(y - judged.median)
    scores["absolute_error"] = mean(float(wrong.mean()), wrong, "mean |truth − median|", "of the truth")
    nothing = np.zeros(0)
    rows = RowScores(judged.loss, loss, nothing, np.zeros(0, dtype=np.intp), nothing, nothing, np.zeros((0, 0)))
    at = np.argsort(-loss, kind="stable")[:20]
    total = float(np.abs(loss).sum())
    return Evaluation(
        kind="regressor",
        n=n,
        clusters=None if clusters is None else int(clusters.max()) + 1,
        classes=(),
        cross_entropy=shown,
        uncertainty=uncertainty,
        resolution=resolution,
        reliability=shown_reliability,
        certified=max(0.0, gain.value - one_sided) if math.isfinite(one_sided) else 0.0,
        bracket=(float(widest.gain.mean()), widest.in_sample),
        recalibrated=mean(float((loss - ladder.gain).mean()), loss - ladder.gain, "cross-fitted recalibration"),
        scores=scores,
        ladder=tuple(
            Rung(
                name=s.family.name,
                parameters=s.parameters,
                gain=mean(float(s.gain.mean()), s.gain, "cross-fitted gain"),
                in_sample=s.in_sample,
                step=None,
                chosen=s is ladder.chosen,
                words=words[s.family.name],
            )
            for s in ladder.steps
        ),
        slices=_where.slices(
            columns or {}, rows, Truth(np.zeros(n, dtype=np.intp), None), ladder, (), clusters=clusters, level=level
        ),
        review=tuple(
            ReviewRow(
                int(i), f"{y[i]:.6g}", f"{judged.median[i]:.6g}", None, float(judged.loss[i]), float(loss[i]) / total
            )
            for i in at.tolist()
        ),
        curve=_flatness(judged.pit, level),
        finite=finite,
        versus=compared,
        concentration=_where.concentration(np.maximum(loss - float(loss.min()), 0.0)),
        source=source,
        notes=notes,
    )


def _climatology(y: Floats, random_state: int) -> tuple[Floats, tuple[str, ...]]:
    """Row by row the surprise under the truth's own law: log of the distance to the k-th neighbour.

    Kozachenko & Leonenko 1987 in one dimension:  h = ψ(n) − ψ(k) + log 2 + mean log ε_k.
    """
    k, n = 3, y.size
    x = y
    notes: tuple[str, ...] = ()
    ordered = np.sort(x)
    gaps = np.diff(ordered)
    if (gaps == 0).mean() > 0.01:
        step = float(gaps[gaps > 0].min()) if (gaps > 0).any() else 1.0
        x = y + np.random.default_rng(random_state).uniform(-0.5, 0.5, n) * step
        notes = (f"the truth repeats values: its uncertainty is that of numbers spread over steps of {step:.3g}",)
    order = np.argsort(x, kind="stable")
    ordered = x[order]
    padded = np.concatenate([np.full(k, -np.inf), ordered, np.full(k, np.inf)])
    # The k-th nearest of a sorted line: among the windows of k neighbours, the one whose far end is nearest.
    reach = np.min(
        [
            np.maximum(ordered - padded[k - j : k - j + n], padded[2 * k - j : 2 * k - j + n] - ordered)
            for j in range(k + 1)
        ],
        axis=0,
    )
    out = np.empty(n)
    out[order] = special.digamma(n) - special.digamma(k) + math.log(2.0) + np.log(np.maximum(reach, 1e-300))
    return out, notes


def _flatness(pit: Floats, level: float) -> tuple[Bin, ...]:
    """The PIT histogram as densities, with Wilson intervals."""
    bins, n = 20, pit.size
    count = np.bincount(np.minimum((pit * bins).astype(int), bins - 1), minlength=bins)
    z = float(stats.norm.ppf(0.5 + level / 2))
    share = count / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return tuple(
        Bin(
            j / bins,
            (j + 1) / bins,
            int(count[j]),
            1.0,
            float(share[j] * bins),
            float((middle - half)[j] * bins),
            float((middle + half)[j] * bins),
        )
        for j in range(bins)
    )
