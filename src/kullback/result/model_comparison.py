"""`ModelComparison`: how far one language model's next-token distributions are from another's, and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kullback.result.base import Result
from kullback.result.estimate import Estimate
from kullback.result.evaluation import plain

SCHEMA = "kullback-model-comparison/1"


@dataclass(frozen=True, slots=True)
class Group:
    """Positions that have something in common: their share of all, their mean KL and their share of it."""

    kind: str
    name: str
    positions: int
    share: float
    kl: float
    share_of_kl: float


@dataclass(frozen=True, slots=True)
class Position:
    """One position: where it is, what was expected there, and how far the models are apart."""

    index: int
    document: int | None
    position: int
    target: int | None
    kl: float
    top_base: int | None
    top_other: int | None
    probability_base: float | None
    probability_other: float | None
    context: str = ""


@dataclass(frozen=True, slots=True)
class ModelComparison(Result):
    """Two models P (base) and Q (other) on the same positions of the same text, in nats.

    Attributes
    ----------
    kl, kl_reverse, js, total_variation
        Means over positions of KL(P‖Q), KL(Q‖P), Jensen–Shannon and total variation; intervals clustered by document,
        or for the order of the positions if there are no documents.
    delta_cross_entropy, alignment
        NLL of Q minus NLL of P, and how much of it is not KL:  ΔCE = KL + alignment. KL says how much changed,
        alignment whether the change went with or against the text. None without targets.
    cross_entropy_base, cross_entropy_other, bits_per_byte
        The models' mean NLL; base, other and difference in bits per byte of text. None where unknown.
    same_top, delta_p
        Share of positions with the same most probable token; mean change of the target's probability.
    iid_errors
        By name, the standard errors that independent positions would have.
    quantiles, delta_p_quantiles
        Of KL over positions, and of the change of the target's probability: {"0.5": …, "0.99": …, "max": …}.
    by_position, worst
        Where KL sits: groups of positions; the positions where it is largest.
    certified
        None when the whole vocabulary was compared; else (low, high), what the mean KL must lie between given the
        probabilities that are known. Then `kl` is an unbiased estimate, or the low end itself, as its method says.
    noise_floor
        The KL that rounding in the files' format alone makes.
    positions_needed
        Positions after which the interval of the mean KL is ±5 % wide, at the spread seen.
    """

    base: str
    other: str
    positions: int
    documents: int | None
    vocabulary: int
    kl: Estimate
    kl_reverse: Estimate
    js: Estimate
    total_variation: Estimate
    same_top: Estimate
    delta_cross_entropy: Estimate | None
    alignment: Estimate | None
    cross_entropy_base: Estimate | None
    cross_entropy_other: Estimate | None
    bits_per_byte: tuple[Estimate, Estimate, Estimate] | None
    delta_p: Estimate | None
    iid_errors: dict[str, float]
    quantiles: dict[str, float]
    delta_p_quantiles: dict[str, float]
    by_position: tuple[Group, ...] = ()
    worst: tuple[Position, ...] = ()
    certified: tuple[float, float] | None = None
    noise_floor: float | None = None
    positions_needed: int | None = None
    llama: str = ""
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; `schema` names the layout, one key per attribute."""
        return {"schema": SCHEMA, **plain(self)}
