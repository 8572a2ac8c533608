"""Estimators with scikit-learn's interface whose objective is a cross-entropy or a KL divergence, and who report it.

    from kullback.learn import KLKMeans, KLNMF, MixtureMLE, SNE, SoftmaxRegression, DistributionRegressor

Each has `objective_` (nats), `objective_path_`, `n_iter_`, `converged_`, `explain(...)` into parts that add up, and
`save(path)`; `kullback.learn.load(path)` reads it back without pickles.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kullback.learn.checks import EXPECTED_FAILED_CHECKS as EXPECTED_FAILED_CHECKS
    from kullback.learn.distribution_regressor import DistributionRegressor as DistributionRegressor
    from kullback.learn.embeddings import embedding_divergence as embedding_divergence
    from kullback.learn.histogram_target import HistogramTarget as HistogramTarget
    from kullback.learn.kmeans import KLKMeans as KLKMeans
    from kullback.learn.mixture import MixtureMLE as MixtureMLE
    from kullback.learn.nmf import KLNMF as KLNMF
    from kullback.learn.persistence import load as load
    from kullback.learn.persistence import save as save
    from kullback.learn.predictive import Predictive as Predictive
    from kullback.learn.scorers import cross_entropy_scorer as cross_entropy_scorer
    from kullback.learn.scorers import crps_scorer as crps_scorer
    from kullback.learn.scorers import d2_cross_entropy_scorer as d2_cross_entropy_scorer
    from kullback.learn.scorers import d2_crps_scorer as d2_crps_scorer
    from kullback.learn.scorers import d2_kl_scorer as d2_kl_scorer
    from kullback.learn.scorers import kl_scorer as kl_scorer
    from kullback.learn.sne import SNE as SNE
    from kullback.learn.soft_target import Distilled as Distilled
    from kullback.learn.soft_target import SoftTarget as SoftTarget
    from kullback.learn.softmax_regression import SoftmaxRegression as SoftmaxRegression

# public name -> the module that defines it
_PUBLIC = {
    "KLNMF": "nmf",
    "KLKMeans": "kmeans",
    "SoftmaxRegression": "softmax_regression",
    "SNE": "sne",
    "MixtureMLE": "mixture",
    "DistributionRegressor": "distribution_regressor",
    "Predictive": "predictive",
    "SoftTarget": "soft_target",
    "Distilled": "soft_target",
    "HistogramTarget": "histogram_target",
    "embedding_divergence": "embeddings",
    "cross_entropy_scorer": "scorers",
    "kl_scorer": "scorers",
    "crps_scorer": "scorers",
    "d2_cross_entropy_scorer": "scorers",
    "d2_kl_scorer": "scorers",
    "d2_crps_scorer": "scorers",
    "save": "persistence",
    "load": "persistence",
    "EXPECTED_FAILED_CHECKS": "checks",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"kullback.learn.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    msg = f"module 'kullback.learn' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
