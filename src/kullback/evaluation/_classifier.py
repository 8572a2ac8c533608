"""The evaluation of a classifier, from checked arrays to a result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInput
from kullback.evaluation import _where
from kullback.evaluation._ladder import IDENTITY, Ladder, Step, climb
from kullback.evaluation._line import FLOOR
from kullback.evaluation._scores import RowScores, row_scores
from kullback.evaluation._terms import Clusters, Terms, estimate_of, split
from kullback.evaluation._truth import Predictions, Truth
from kullback.evaluation._versus import compare_losses
from kullback.result.estimate import Estimate
from kullback.result.evaluation import Evaluation, Finite, Recalibrator, Rung, Versus

Floats = NDArray[np.float64]


def evaluate_classifier(
    truth: Truth,
    predictions: Predictions,
    /,
    *,
    clusters: Clusters = None,
    columns: Mapping[str, Any] | None = None,
    versus: tuple[str, Predictions] | None = None,
    folds: int = 5,
    level: float = 0.95,
    random_state: int = 0,
    source: str = "",
) -> Evaluation:
    """Scores, ladder, terms, slices, review: the whole report."""
    n, K = predictions.values.shape
    if n < 2 * folds:
        raise InvalidInput(f"{n} rows are too few to cross-fit with {folds} folds; expected at least {2 * folds}")
    scores = row_scores(predictions, truth)
    ladder = climb(
        scores.c, scores.clipped, scores.brier, truth, clusters=clusters, folds=folds, random_state=random_state
    )
    terms = split(scores.clipped, truth, ladder, K, clusters=clusters, level=level)
    infinite = np.flatnonzero(np.isinf(scores.loss))
    finite = None
    shown = terms
    if infinite.size:
        first = tuple(int(i) for i in infinite[:100])
        finite = Finite(math.exp(FLOOR), first, int(infinite.size), terms.cross_entropy, terms.reliability)
        shown = terms._replace(cross_entropy=_infinite(terms.cross_entropy), reliability=_infinite(terms.reliability))
    curve, calibration_error, by_chance = _where.reliability_curve(
        scores.confidence, scores.hit, clusters=clusters, level=level
    )
    compared = None
    if versus is not None:
        compared = _versus(versus, scores, ladder, truth, clusters, folds, level, random_state)
    saved = ladder.gain
    return Evaluation(
        kind="classifier",
        n=n,
        clusters=None if clusters is None else int(clusters.max()) + 1,
        classes=predictions.classes,
        cross_entropy=shown.cross_entropy,
        uncertainty=shown.uncertainty,
        resolution=shown.resolution,
        reliability=shown.reliability,
        certified=terms.certified,
        bracket=(float(ladder.widest.gain.mean()), ladder.widest.in_sample),
        recalibrated=estimate_of(
            float((scores.clipped - saved).mean()),
            scores.clipped - saved,
            clusters=clusters,
            level=level,
            method="cross-fitted recalibration, the rung chosen on the training rows",
        ),
        scores=_other_scores(scores, ladder, terms, truth, K, calibration_error, by_chance, clusters, level),
        ladder=_rungs(ladder, predictions.classes, clusters, level),
        slices=_where.slices(columns or {}, scores, truth, ladder, predictions.classes, clusters=clusters, level=level),
        review=_where.review(scores, truth, predictions.classes),
        curve=curve,
        recalibrator=_recalibrator(ladder, predictions.classes),
        finite=finite,
        versus=compared,
        concentration=_where.concentration(scores.clipped),
        source=source,
        notes=_notes(predictions, truth, scores, clusters),
    )


def _infinite(e: Estimate) -> Estimate:
    return replace(e, value=math.inf, low=math.inf, high=math.inf, standard_error=math.nan)


def _other_scores(
    scores: RowScores,
    ladder: Ladder,
    terms: Terms,
    truth: Truth,
    K: int,
    calibration_error: float,
    by_chance: float,
    clusters: Clusters,
    level: float,
) -> dict[str, Estimate]:
    def mean(x: Floats, method: str, unit: str = "", value: float | None = None) -> Estimate:
        middle = float(x.mean()) if value is None else value
        return estimate_of(middle, x, clusters=clusters, level=level, method=method, unit=unit)

    ce, unc = terms.cross_entropy.value, terms.uncertainty.value
    loss = scores.clipped
    out: dict[str, Estimate] = {}
    if unc > 0:
        # Delta method for 1 − CE/H.
        influence = -(loss - ce) / unc + ce * (terms.surprise - terms.surprise.mean()) / unc**2
        out["skill"] = mean(influence, "1 − cross-entropy / uncertainty", value=1.0 - ce / unc)
    e = terms.cross_entropy
    out["perplexity"] = Estimate(
        math.exp(ce),
        math.exp(e.low),
        math.exp(e.high),
        level,
        math.exp(ce) * e.standard_error,
        "",
        "exp(cross-entropy)",
        e.n,
    )
    out["accuracy"] = mean(scores.hit, "share of rows whose most probable class is the truth")
    out["confidence"] = mean(scores.confidence, "mean probability of the predicted class")
    out["brier"] = mean(scores.brier, "Σₖ (qₖ − tₖ)²")
    # For the Brier score the uncertainty term is 1 − Σ π̄², unbiased with n/(n−1); the split is as for the loss.
    if truth.codes is not None:
        share = np.bincount(truth.codes, minlength=K) / truth.n
        spread = (1.0 - share @ share) * truth.n / (truth.n - 1)
        reliability = max(ladder.brier_estimate, 0.0)
        purity = 1.0 - 2.0 * share[truth.codes] + share @ share
        out["brier_uncertainty"] = mean(purity, "1 − Σₖ π̄ₖ²", value=float(spread))
        out["brier_reliability"] = mean(
            ladder.brier_influence, "between cross-fitted and in-sample gain", value=reliability
        )
        out["brier_resolution"] = mean(
            purity + ladder.brier_influence - scores.brier,
            "uncertainty + reliability − Brier",
            value=float(spread) + reliability - out["brier"].value,
        )
    else:
        assert truth.soft is not None
        with np.errstate(divide="ignore", invalid="ignore"):
            own = -np.where(truth.soft > 0, truth.soft * np.log(truth.soft), 0.0).sum(axis=1)
        out["truth_entropy"] = mean(own, "mean entropy of the soft truth: no prediction can cost less", "nats")
        out["kl_divergence"] = mean(loss - own, "mean KL(truth‖prediction) = cross-entropy − truth entropy", "nats")
    sign = np.sign(float(scores.confidence.mean() - scores.hit.mean())) or 1.0
    ece = mean(
        sign * (scores.confidence - scores.hit),
        f"top label, 15 bins of equally many rows; calibrated predictions would show {by_chance:.4f} by chance",
        value=calibration_error,
    )
    out["calibration_error"] = replace(ece, low=max(ece.low, 0.0))
    return out


def _path(ladder: Ladder) -> list[str]:
    """The rungs that lead to the widest one, each refining the one before."""
    refines = {s.family.name: s.family.refines for s in ladder.steps}
    at, path = ladder.widest.family.name, []
    while at != IDENTITY:
        path.append(at)
        at = refines[at]
    return path[::-1]


def _rungs(ladder: Ladder, classes: tuple[str, ...], clusters: Clusters, level: float) -> tuple[Rung, ...]:
    path = _path(ladder)
    middle = {s.family.name: s.estimate for s in ladder.steps} | {IDENTITY: 0.0}
    before = {s.family.name: s.family.refines for s in ladder.steps}
    out = []
    for s in ladder.steps:
        name = s.family.name
        out.append(
            Rung(
                name=name,
                parameters=s.parameters,
                gain=estimate_of(
                    float(s.gain.mean()), s.gain, clusters=clusters, level=level, method="cross-fitted gain"
                ),
                in_sample=s.in_sample,
                step=middle[name] - middle[before[name]] if name in path else None,
                chosen=s is ladder.chosen,
                words=_words(s, classes),
            )
        )
    return tuple(out)


def _words(step: Step, classes: tuple[str, ...]) -> str:
    line, said = step.line, []
    assert line is not None
    if step.family.free_line and not step.family.curve:
        slope = (line.values[-1] - line.values[0]) / (line.nodes[-1] - line.nodes[0])
        if slope > 0:
            said.append(f"T = {1 / slope:.3g}, too {'confident' if slope < 1 else 'timid'}")
        else:
            said.append("predictions point the wrong way")
    if step.family.curve:
        slopes = np.diff(line.values) / np.diff(line.nodes)
        said.append(f"slope {slopes.min():.2f} to {slopes.max():.2f} along the curve")
    if step.family.with_bias:
        order = np.argsort(-np.abs(line.bias))[:3]
        said.append(", ".join(f"{_short(classes[k])} ×{math.exp(line.bias[k]):.3g}" for k in order))
    return "; ".join(said)


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"


def _recalibrator(ladder: Ladder, classes: tuple[str, ...]) -> Recalibrator:
    """The chosen map; when none is worth its parameters, the one that changes nothing."""
    if ladder.chosen is None:
        nodes = values = np.array([-1.0, 1.0])
        return Recalibrator(IDENTITY, classes, tuple(nodes), tuple(values), (0.0,) * len(classes), FLOOR)
    line = ladder.chosen.line
    assert line is not None
    return Recalibrator(
        ladder.chosen.family.name,
        classes,
        tuple(line.nodes.tolist()),
        tuple(line.values.tolist()),
        tuple(line.bias.tolist()),
        FLOOR,
    )


def _versus(
    versus: tuple[str, Predictions],
    scores: RowScores,
    ladder: Ladder,
    truth: Truth,
    clusters: Clusters,
    folds: int,
    level: float,
    random_state: int,
) -> Versus:
    name, predictions = versus
    other = row_scores(predictions, truth)
    theirs = climb(
        other.c, other.clipped, other.brier, truth, clusters=clusters, folds=folds, random_state=random_state
    )
    return compare_losses(
        name,
        scores.clipped,
        other.clipped,
        ladder.widest.gain,
        theirs.widest.gain,
        math.hypot(ladder.spread, theirs.spread),
        scores.c.shape[1],
        clusters=clusters,
        level=level,
        random_state=random_state,
    )


def _notes(predictions: Predictions, truth: Truth, scores: RowScores, clusters: Clusters) -> tuple[str, ...]:
    notes = []
    K = len(predictions.classes)
    if truth.codes is not None:
        absent = np.flatnonzero(np.bincount(truth.codes, minlength=K) == 0)
        if absent.size:
            shown = ", ".join(repr(predictions.classes[k]) for k in absent[:8]) + (", …" if absent.size > 8 else "")
            notes.append(f"{absent.size} of {K} classes never occur in the truth: {shown}")
        if absent.size == K - 1:
            notes.append("only one class occurs: there is no uncertainty to resolve, and skill has no meaning")
    if predictions.log and float(predictions.values.min()) >= 0.0:
        total = predictions.values.sum(axis=1, dtype=np.float64)
        if float(np.abs(total - 1.0).max()) <= 1e-4:
            notes.append("the logits of every row sum to 1: are they probabilities? They were read as logits")
    repeated = _repeated_rows(predictions, truth)
    if repeated:
        notes.append(
            f"{repeated} rows repeat another row's truth and prediction exactly: if rows were copied, the intervals "
            f"are too "
            "narrow (name the column that tells originals apart with clusters=)"
        )
    if clusters is not None and int(clusters.max()) + 1 < 20:
        notes.append(f"{int(clusters.max()) + 1} clusters are few: intervals from fewer than 20 clusters are rough")
    accuracy, confidence = float(scores.hit.mean()), float(scores.confidence.mean())
    if K > 1 and accuracy < 0.5 / K and confidence > 1.2 / K and truth.n >= 200:
        notes.append("the predicted class is nearly always wrong: are the columns in the order of their names?")
    return tuple(notes)


def _repeated_rows(predictions: Predictions, truth: Truth) -> int:
    """How many rows are copies, if most rows are not (few distinct forecasts, as of a climatology, are no mistake).

    Predictions with few digits meet by chance. Then their truths differ as well, as often as the predictions themselves
    say, which tells how many equal rows to expect.
    """
    if truth.codes is None:
        return 0
    x = np.ascontiguousarray(predictions.values[:, : min(8, predictions.values.shape[1])], dtype=np.float64)
    key = np.zeros(x.shape[0], dtype=np.uint64)
    for column in x.view(np.uint64).T:
        key = (key ^ column) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    met = key.size - np.unique(key).size
    own = (key ^ truth.codes.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    copies = int(key.size - np.unique(own).size)
    if not 0 < copies <= key.size // 2:
        return 0
    step = max(1, key.size // 10_000)
    q = np.exp(predictions.log_probabilities(np.arange(0, key.size, step)))
    same = float(np.mean(np.einsum("nk,nk->n", q, q)))
    by_chance = (met - copies) * same / max(1.0 - same, 1e-3)
    return copies if copies > 2.0 * by_chance + 3.0 * math.sqrt(by_chance) else 0
