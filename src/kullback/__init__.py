"""How far one probability distribution is from another, where the difference sits, and how sure the number is.

For a true distribution P and a model Q, H(P, Q) = H(P) + KL(P‖Q): what it costs, what it must cost, what is wasted.
Names are resolved when first used, so that `import kullback` costs little more than numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kullback._version import __version__

if TYPE_CHECKING:
    from kullback.errors import InvalidDistribution as InvalidDistribution
    from kullback.errors import InvalidForm as InvalidForm
    from kullback.errors import InvalidInput as InvalidInput
    from kullback.errors import MissingExtra as MissingExtra
    from kullback.errors import NoClosedForm as NoClosedForm
    from kullback.forms import Counts as Counts
    from kullback.forms import Logits as Logits
    from kullback.forms import LogProbs as LogProbs
    from kullback.forms import Probs as Probs
    from kullback.forms import Samples as Samples
    from kullback.measures.accumulator import Accumulator as Accumulator
    from kullback.measures.alpha_divergence import alpha_divergence as alpha_divergence
    from kullback.measures.bhattacharyya_distance import bhattacharyya_distance as bhattacharyya_distance
    from kullback.measures.bregman_divergence import Potential as Potential
    from kullback.measures.bregman_divergence import bregman_divergence as bregman_divergence
    from kullback.measures.chernoff_information import chernoff_information as chernoff_information
    from kullback.measures.chi2_divergence import chi2_divergence as chi2_divergence
    from kullback.measures.f_divergence import Generator as Generator
    from kullback.measures.f_divergence import f_divergence as f_divergence
    from kullback.measures.hellinger_distance import hellinger_distance as hellinger_distance
    from kullback.measures.inequalities import Reading as Reading
    from kullback.measures.inequalities import bounds as bounds
    from kullback.measures.inequalities import interpret as interpret
    from kullback.measures.jeffreys_divergence import jeffreys_divergence as jeffreys_divergence
    from kullback.measures.joint import ChainRule as ChainRule
    from kullback.measures.joint import chain_rule as chain_rule
    from kullback.measures.joint import conditional_entropy as conditional_entropy
    from kullback.measures.joint import mutual_information as mutual_information
    from kullback.measures.joint import total_correlation as total_correlation
    from kullback.measures.js_divergence import js_distance as js_distance
    from kullback.measures.js_divergence import js_divergence as js_divergence
    from kullback.measures.pairwise import pairwise_js_divergence as pairwise_js_divergence
    from kullback.measures.pairwise import pairwise_kl_divergence as pairwise_kl_divergence
    from kullback.measures.perplexity import perplexity as perplexity
    from kullback.measures.renyi import renyi_divergence as renyi_divergence
    from kullback.measures.renyi import renyi_entropy as renyi_entropy
    from kullback.measures.skew import skew_js_divergence as skew_js_divergence
    from kullback.measures.skew import skew_kl_divergence as skew_kl_divergence
    from kullback.measures.total_variation import total_variation as total_variation
    from kullback.measures.tsallis import tsallis_divergence as tsallis_divergence
    from kullback.measures.tsallis import tsallis_entropy as tsallis_entropy
    from kullback.result.comparison import Comparison as Comparison
    from kullback.result.estimate import Estimate as Estimate
    from kullback.result.explanation import Explanation as Explanation
    from kullback.tables.compare import compare as compare
    from kullback.verbs import cross_entropy as cross_entropy
    from kullback.verbs import entropy as entropy
    from kullback.verbs import explain as explain
    from kullback.verbs import kl_divergence as kl_divergence

# public name -> the module that defines it
_PUBLIC = {
    "Probs": "forms",
    "LogProbs": "forms",
    "Logits": "forms",
    "Counts": "forms",
    "Samples": "forms",
    "InvalidDistribution": "errors",
    "InvalidForm": "errors",
    "InvalidInput": "errors",
    "NoClosedForm": "errors",
    "MissingExtra": "errors",
    "entropy": "verbs",
    "cross_entropy": "verbs",
    "kl_divergence": "verbs",
    "explain": "verbs",
    "js_divergence": "measures.js_divergence",
    "js_distance": "measures.js_divergence",
    "pairwise_kl_divergence": "measures.pairwise",
    "pairwise_js_divergence": "measures.pairwise",
    "Accumulator": "measures.accumulator",
    "jeffreys_divergence": "measures.jeffreys_divergence",
    "total_variation": "measures.total_variation",
    "hellinger_distance": "measures.hellinger_distance",
    "chi2_divergence": "measures.chi2_divergence",
    "renyi_divergence": "measures.renyi",
    "renyi_entropy": "measures.renyi",
    "tsallis_divergence": "measures.tsallis",
    "tsallis_entropy": "measures.tsallis",
    "alpha_divergence": "measures.alpha_divergence",
    "bhattacharyya_distance": "measures.bhattacharyya_distance",
    "chernoff_information": "measures.chernoff_information",
    "perplexity": "measures.perplexity",
    "skew_kl_divergence": "measures.skew",
    "skew_js_divergence": "measures.skew",
    "f_divergence": "measures.f_divergence",
    "Generator": "measures.f_divergence",
    "bregman_divergence": "measures.bregman_divergence",
    "Potential": "measures.bregman_divergence",
    "mutual_information": "measures.joint",
    "conditional_entropy": "measures.joint",
    "total_correlation": "measures.joint",
    "chain_rule": "measures.joint",
    "ChainRule": "measures.joint",
    "bounds": "measures.inequalities",
    "interpret": "measures.inequalities",
    "Reading": "measures.inequalities",
    "compare": "tables.compare",
    "Estimate": "result.estimate",
    "Explanation": "result.explanation",
    "Comparison": "result.comparison",
}

# sub-packages, imported on first use
_ROOMS = ("evaluation", "facts", "families", "laws", "learn", "losses", "measures", "show", "statistics", "tables")

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"kullback.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return importlib.import_module(f"kullback.{name}")
    msg = f"module 'kullback' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
