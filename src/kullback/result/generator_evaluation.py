"""`GeneratorEvaluation`: how far generated samples are from real ones, what is missing and what is invented."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kullback.result.base import Result
from kullback.result.estimate import Estimate
from kullback.result.evaluation import plain

SCHEMA = "kullback-generator-evaluation/1"


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """KL of real and of generated to the mixture  weight·real + (1 − weight)·generated."""

    weight: float
    kl_real: float
    kl_generated: float


@dataclass(frozen=True, slots=True)
class Region:
    """A bucket of samples that one side has and the other lacks.

    `share_*` are shares of each side's samples; `contribution` its part of the plug-in JS; `examples` the rows closest
    to its middle on the side that has it; `label` the most frequent label there, if labels were given.
    """

    bucket: int
    label: str
    share_real: float
    share_generated: float
    contribution: float
    p_value: float
    examples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GeneratorEvaluation(Result):
    """Real samples P against generated ones Q, in nats.

    Attributes
    ----------
    js
        Jensen–Shannon divergence of the bucketed samples, corrected by what it is for shuffled sides: on average a
        lower bound of the true one, and 0 on average for P = Q whatever the number of buckets.
    kl_real, kl_generated
        KL(P‖M) and KL(Q‖M) to the even mixture M: what of the real is missing (recall), what of the generated is
        invented (precision); their mean is `js`.
    p_value
        Of 'P = Q', by shuffling the sides.
    classifier_bound
        An independent check: JS is at least `low`, because a classifier tells unseen samples apart so well.
    frontier
        The two KLs for other mixtures.
    missing, invented
        Regions that differ beyond chance (false discovery rate 5 %), most first; `missing_labels` and `invented_labels`
        add them up by label: (label, share of real, share of generated).
    frechet
        Fréchet distance of two normals fitted to the features, a legacy yardstick: no divergence, biased in small
        samples.
    bits_per_dimension
        None, or from `nll`, with its constant in `method`.
    """

    n: tuple[int, int]
    buckets: int
    dimensions: int
    js: Estimate
    kl_real: Estimate
    kl_generated: Estimate
    p_value: float
    classifier_bound: Estimate
    frontier: tuple[FrontierPoint, ...]
    missing: tuple[Region, ...]
    invented: tuple[Region, ...]
    missing_labels: tuple[tuple[str, float, float], ...]
    invented_labels: tuple[tuple[str, float, float], ...]
    frechet: float
    bits_per_dimension: Estimate | None = None
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; `schema` names the layout, one key per attribute."""
        return {"schema": SCHEMA, **plain(self)}
