"""One table: for each measure its formula, unit, range and which laws it obeys.

The law tests, the documentation and `kullback laws` all read it. A law that is marked False has a counterexample, which
`kullback.laws` computes on the spot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Unit = Literal["information", "number", "probability"]
Law = Literal[
    "non_negative",
    "bounded",
    "zero_at_equal",
    "zero_only_at_equal",
    "symmetric",
    "triangle",
    "convex",
    "data_processing",
    "additive",
    "relabelling",
]

LAWS: dict[Law, str] = {
    "non_negative": "m(P, Q) ≥ 0",
    "bounded": "m(P, Q) stays within its range",
    "zero_at_equal": "m(P, P) = 0",
    "zero_only_at_equal": "m(P, Q) = 0 only where P = Q",
    "symmetric": "m(P, Q) = m(Q, P)",
    "triangle": "m(P, R) ≤ m(P, Q) + m(Q, R)",
    "convex": "m(λP+(1−λ)P′, λQ+(1−λ)Q′) ≤ λ m(P, Q) + (1−λ) m(P′, Q′)",
    "data_processing": "merging categories never increases m",
    "additive": "m(P⊗P′, Q⊗Q′) = m(P, Q) + m(P′, Q′) for independent pairs",
    "relabelling": "renaming the categories changes nothing",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one measure. `options` are the keyword arguments at which the facts are stated."""

    name: str
    formula: str
    unit: Unit
    low: float
    high: float
    source: str
    limits: str
    symmetric: bool
    triangle: bool
    convex: bool
    data_processing: bool
    additive: bool
    zero_at_equal: bool = True
    zero_only_at_equal: bool = True
    non_negative: bool = True
    bounded: bool = True
    relabelling: bool = True
    options: tuple[tuple[str, float], ...] = ()

    def obeys(self, law: Law) -> bool:
        """Whether the measure obeys `law` for all distributions on finitely many categories."""
        return bool(getattr(self, law))

    @property
    def label(self) -> str:
        """The name with its options."""
        chosen = ", ".join(f"{k}={v:g}" for k, v in self.options)
        return f"{self.name}({chosen})" if chosen else self.name


_TABLE = (
    Facts(
        "cross_entropy",
        "−Σ p log q",
        "information",
        0.0,
        math.inf,
        "doi:10.1002/047174882X",
        "H(P) at Q = P; ∞ where q = 0 < p; p = 0 contributes 0",
        symmetric=False,
        triangle=False,
        convex=False,
        data_processing=True,
        additive=True,
        zero_at_equal=False,
        # Zero needs q = 1 wherever p > 0: both the same single category.
        zero_only_at_equal=True,
    ),
    Facts(
        "kl_divergence",
        "Σ p log(p/q)",
        "information",
        0.0,
        math.inf,
        "doi:10.1214/aoms/1177729694",
        "∞ where q = 0 < p; p = 0 contributes 0",
        symmetric=False,
        triangle=False,
        convex=True,
        data_processing=True,
        additive=True,
    ),
    Facts(
        "js_divergence",
        "½KL(P‖M) + ½KL(Q‖M), M = ½(P+Q)",
        "information",
        0.0,
        math.log(2.0),
        "doi:10.1109/18.61115",
        "ln 2 where P and Q share no category",
        symmetric=True,
        triangle=False,
        convex=True,
        data_processing=True,
        additive=False,
    ),
    Facts(
        "js_distance",
        "√JS(P, Q)",
        "information",
        0.0,
        math.sqrt(math.log(2.0)),
        "doi:10.1109/TIT.2003.813506",
        "√ln 2 where P and Q share no category",
        symmetric=True,
        triangle=True,
        convex=False,
        data_processing=True,
        additive=False,
    ),
    Facts(
        "jeffreys_divergence",
        "KL(P‖Q) + KL(Q‖P)",
        "information",
        0.0,
        math.inf,
        "doi:10.1098/rspa.1946.0056",
        "∞ where exactly one side has a category",
        symmetric=True,
        triangle=False,
        convex=True,
        data_processing=True,
        additive=True,
    ),
    Facts(
        "total_variation",
        "½Σ|p−q|",
        "probability",
        0.0,
        1.0,
        "doi:10.1090/mbk/107",
        "1 where P and Q share no category",
        symmetric=True,
        triangle=True,
        convex=True,
        data_processing=True,
        additive=False,
    ),
    Facts(
        "hellinger_distance",
        "√(½Σ(√p−√q)²)",
        "number",
        0.0,
        1.0,
        "doi:10.1515/crll.1909.136.210",
        "1 where P and Q share no category",
        symmetric=True,
        triangle=True,
        convex=False,
        data_processing=True,
        additive=False,
    ),
    Facts(
        "chi2_divergence",
        "Σ (p−q)²/q",
        "number",
        0.0,
        math.inf,
        "doi:10.1080/14786440009463897",
        "∞ where q = 0 < p",
        symmetric=False,
        triangle=False,
        convex=True,
        data_processing=True,
        additive=False,
    ),
    Facts(
        "renyi_divergence",
        "log(Σ pᵅ q¹⁻ᵅ)/(α−1)",
        "information",
        0.0,
        math.inf,
        "doi:10.1109/TIT.2014.2320500",
        "α = 0: −log Q(p > 0); α = 1: KL; α = ∞: log max p/q",
        symmetric=False,
        triangle=False,
        convex=True,
        data_processing=True,
        additive=True,
        options=(("alpha", 0.75),),
    ),
    Facts(
        "renyi_divergence",
        "log(Σ pᵅ q¹⁻ᵅ)/(α−1)",
        "information",
        0.0,
        math.inf,
        "doi:10.1109/TIT.2014.2320500",
        "∞ where q = 0 < p",
        symmetric=False,
        triangle=False,
        convex=False,
        data_processing=True,
        additive=True,
        options=(("alpha", 2.0),),
    ),
    Facts(
        "tsallis_divergence",
        "(Σ pᵅ q¹⁻ᵅ − 1)/(α−1)",
        "number",
        0.0,
        4.0,
        "doi:10.1103/PhysRevE.58.1442",
        "1/(1−α) where P and Q share no category; α = 1: KL; α = 2: χ²",
        symmetric=False,
        triangle=False,
        convex=True,
        data_processing=True,
        additive=False,
        options=(("alpha", 0.75),),
    ),
    Facts(
        "alpha_divergence",
        "4/(1−α²)·(1 − Σ p^((1−α)/2) q^((1+α)/2))",
        "number",
        0.0,
        math.inf,
        "doi:10.1007/978-1-4612-5056-2",
        "α = −1: KL(P‖Q); α = 1: KL(Q‖P); α = 0: 4·Hellinger²",
        symmetric=False,
        triangle=False,
        convex=True,
        data_processing=True,
        additive=False,
        options=(("alpha", -3.0),),
    ),
    Facts(
        "bhattacharyya_distance",
        "−log Σ√(pq)",
        "information",
        0.0,
        math.inf,
        "Bhattacharyya 1943",
        "∞ where P and Q share no category",
        symmetric=True,
        triangle=False,
        convex=True,
        data_processing=True,
        additive=True,
    ),
    Facts(
        "chernoff_information",
        "max over a of −log Σ pᵃ q¹⁻ᵃ",
        "information",
        0.0,
        math.inf,
        "doi:10.1214/aoms/1177729330",
        "∞ where P and Q share no category",
        symmetric=True,
        triangle=False,
        convex=True,
        data_processing=True,
        additive=False,
    ),
    Facts(
        "skew_kl_divergence",
        "KL(P‖βP + (1−β)Q)",
        "information",
        0.0,
        math.log(4.0),
        "doi:10.3115/1034678.1034693",
        "log 1/β where P and Q share no category",
        symmetric=False,
        triangle=False,
        convex=True,
        data_processing=True,
        additive=False,
        options=(("beta", 0.25),),
    ),
    Facts(
        "skew_js_divergence",
        "[β KL(P‖M) + (1−β) KL(Q‖M)]/(β(1−β)), M = βP + (1−β)Q",
        "information",
        0.0,
        math.log(4.0) / 0.75 + math.log(4.0 / 3.0) / 0.25,
        "arXiv:1009.4004",
        "β → 0: KL(P‖Q); β → 1: KL(Q‖P)",
        symmetric=False,
        triangle=False,
        convex=True,
        data_processing=True,
        additive=False,
        options=(("beta", 0.25),),
    ),
)

FACTS: dict[str, Facts] = {facts.label: facts for facts in _TABLE}
