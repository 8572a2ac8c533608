"""What a comparison of two models says, in words: the terminal and the page read the same sentences."""

from __future__ import annotations

import math

from kullback.result.model_comparison import ModelComparison
from kullback.show.text import number, percent, plural


def size(r: ModelComparison) -> str:
    """Positions, documents, vocabulary."""
    said = [plural(r.positions, "position")]
    if r.documents is not None:
        said.append(plural(r.documents, "document"))
    if r.vocabulary:
        said.append(f"vocabulary {r.vocabulary:,}")
    return ", ".join(said)


def headline(r: ModelComparison) -> str:
    """The result in one sentence."""
    if math.isnan(r.kl.value):
        start = "Only scores are known: KL is not"
    elif r.kl.value == 0:
        return "The two models predict the same at every position."
    elif r.certified is not None and r.kl.high == math.inf:
        start = f"KL is at least {number(r.certified[0])} nats per token; the tokens that are known set no upper end"
    else:
        start = f"The other model is {number(r.kl.value)} nats per token away [{number(r.kl.low)}, {number(r.kl.high)}]"
    same = (
        f"and the most probable token is the same at {percent(r.same_top.value)} of the positions" if _known(r) else ""
    )
    return f"{start} {same}".strip() + "."


def _known(r: ModelComparison) -> bool:
    return not math.isnan(r.kl.value)


def direction(r: ModelComparison) -> str:
    """What ΔCE = KL + alignment means here."""
    if r.delta_cross_entropy is None or r.alignment is None:
        return ""
    a = r.alignment
    if a.low <= 0 <= a.high:
        return "as costly as a change of this size that knows nothing of the text"
    if a.value < 0:
        return "the change goes with the text: it costs less than its size" + (
            ", and the other model predicts better" if r.delta_cross_entropy.high < 0 else ""
        )
    return "the change goes against the text: it costs more than its size"


def enough(r: ModelComparison) -> str:
    """Whether more text is needed."""
    if r.positions_needed is None:
        return ""
    verdict = "enough" if r.positions_needed <= r.positions else "not yet"
    return f"±5 % of the mean KL takes about {r.positions_needed:,} positions; there are {r.positions:,}: {verdict}"


def design_effect(r: ModelComparison) -> float | None:
    """How much wider the interval is, squared, than if positions were independent."""
    iid = r.iid_errors.get("kl", math.nan)
    error = r.kl.standard_error
    return (error / iid) ** 2 if iid > 0 and math.isfinite(error) else None
