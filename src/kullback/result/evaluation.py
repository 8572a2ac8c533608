"""`Evaluation`: a loss split into what nobody can remove, what recalibration removes, what a better model must."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

from kullback.result.base import Result, finite_or_none
from kullback.result.estimate import Estimate

SCHEMA = "kullback-evaluation/1"


@dataclass(frozen=True, slots=True)
class Recalibrator:
    """A map from predicted probabilities to better ones, as plain numbers; `kb.recalibrate` applies it.

    With cₖ = log qₖ − mean(log q), never below `floor`, the new log-probability is  s(cₖ) + biasₖ − log Σ,  where s is
    the broken line through (nodes, values), continued straight at both ends.
    """

    rung: str
    classes: tuple[str, ...]
    nodes: tuple[float, ...]
    values: tuple[float, ...]
    bias: tuple[float, ...]
    floor: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; `kb.recalibrate` reads it back."""
        return {"schema": "kullback-recalibrator/1", **plain(self)}


@dataclass(frozen=True, slots=True)
class Rung:
    """One family of recalibration maps, and what it saves.

    `gain` (an interval, nats) is cross-fitted: judged on rows the map was not fitted on. `in_sample` is the same on the
    fitted rows, so that E[gain] ≤ what the family can save ≤ E[in_sample]. `step` is the gain over the rung before it
    on the path to the chosen one; None off the path. `words` says what was found.
    """

    name: str
    parameters: int
    gain: Estimate
    in_sample: float
    step: float | None
    chosen: bool
    words: str


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows with one value in one column: their share of the loss, and what recalibrating them alone would save."""

    column: str
    value: str
    rows: int
    share_of_rows: float
    share_of_loss: float
    cross_entropy: Estimate
    reliability_share: float | None
    own_gain: Estimate | None


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One row that costs much: a likely label error, or a prediction that ruled out what happened."""

    row: int
    truth: str
    predicted: str
    probability: float | None
    loss: float
    share: float


@dataclass(frozen=True, slots=True)
class Finite:
    """The finite line beside an infinite cross-entropy: the same terms with every zero read as `clip`."""

    clip: float
    rows: tuple[int, ...]
    count: int
    cross_entropy: Estimate
    reliability: Estimate


@dataclass(frozen=True, slots=True)
class Versus:
    """Two models on the same rows: this one's loss minus the other's, in total and in its terms (uncertainty cancels).

    `resolution` is signed as it enters the loss (more resolution of this model makes it negative). `log_e` is the log
    of the anytime-valid e-value after all rows, for losses of predictions mixed with `mixed` · uniform, bounded by
    `bound`; `row` is the first row at which it reached 20.
    """

    name: str
    difference: Estimate
    reliability: Estimate
    resolution: Estimate
    p_value: float
    test: str
    log_e: float
    bound: float
    mixed: float
    row: int | None


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of the reliability curve (classifiers: confidence of the predicted class; regressors: PIT)."""

    low: float
    high: float
    rows: int
    predicted: float
    observed: float
    observed_low: float
    observed_high: float


@dataclass(frozen=True, slots=True)
class Evaluation(Result):
    """A loss, split:  cross_entropy = uncertainty − resolution + reliability  (exactly, in nats).

    Attributes
    ----------
    kind
        "classifier" or "regressor"; for a regressor the cross-entropy is the mean negative log density.
    n, clusters, classes
        Rows; clusters (None: every row by itself); the classes in the order of the columns (empty for a regressor).
    cross_entropy, uncertainty, resolution, reliability
        The loss; H(Y), which knowing only base rates costs; what the predictions know about Y; what is wasted because
        they are not calibrated, and what recalibration removes.
    certified
        One-sided lower bound on the reliability term, valid for any family of maps.
    bracket
        The cross-fitted and the in-sample estimate of the reliability term; its value lies between them, where their
        biases cancel.
    recalibrated
        The cross-entropy that the recalibrated predictions reach on rows they were not fitted on.
    scores
        Other scores by name: accuracy, Brier and its split, expected calibration error, CRPS, coverage and the like.
    ladder, slices, review, curve
        Where the reliability loss sits; where the loss sits; single rows that cost most; the reliability curve.
    recalibrator
        The chosen map, fitted on all rows; None for a regressor.
    finite
        None, or the terms with zeros clipped when the cross-entropy is infinite.
    versus
        None, or the paired comparison with another model.
    concentration
        Share of the loss held by the costliest 1 % of the rows.
    notes
        What was noticed in the input, and what was done about it.
    """

    kind: Literal["classifier", "regressor"]
    n: int
    clusters: int | None
    classes: tuple[str, ...]
    cross_entropy: Estimate
    uncertainty: Estimate
    resolution: Estimate
    reliability: Estimate
    certified: float
    bracket: tuple[float, float]
    recalibrated: Estimate
    scores: dict[str, Estimate]
    ladder: tuple[Rung, ...]
    slices: tuple[Slice, ...] = ()
    review: tuple[ReviewRow, ...] = ()
    curve: tuple[Bin, ...] = ()
    recalibrator: Recalibrator | None = None
    finite: Finite | None = None
    versus: Versus | None = None
    concentration: float = 0.0
    source: str = ""
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; `schema` names the layout, one key per attribute."""
        return {"schema": SCHEMA, **plain(self)}


def plain(value: Any) -> Any:
    """Nested results as JSON knows them: numbers that are not finite become None, with a flag in a result of ours."""
    if isinstance(value, Estimate):
        return value.to_dict()
    if is_dataclass(value) and not isinstance(value, type):
        out: dict[str, Any] = {}
        for f in fields(value):
            item = getattr(value, f.name)
            out |= finite_or_none(f.name, item) if isinstance(item, float) else {f.name: plain(item)}
        return out
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, float) and not (abs(value) < float("inf")):
        return None
    return value
