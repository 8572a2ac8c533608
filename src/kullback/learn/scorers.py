"""Scorers for model selection by cross-entropy, KL and CRPS: they take labels or distributions as y.

Larger is better, so each is the negative of its loss in nats (CRPS in the unit of y); the d2 versions are the share of
the loss removed, 1 − loss/loss of a constant prediction fitted to y, as scikit-learn's d2 scores.

Use them as `scoring=`: ``cross_val_score(model, X, Y, scoring=cross_entropy_scorer)`` with Y (n, K).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kullback.forms import LogProbs, Probs
from kullback.learn._targets import against
from kullback.measures.cross_entropy import cross_entropy
from kullback.measures.entropy import entropy
from kullback.measures.kl_divergence import kl_divergence

Floats = NDArray[np.float64]


def cross_entropy_scorer(estimator: Any, X: Any, y: ArrayLike, sample_weight: Any = None) -> float:
    """−E CE(y, q(·|x)): for a classifier from its probabilities, for a `DistributionRegressor` −E −log q(y|x)."""
    if hasattr(estimator, "predict_dist"):
        return float(np.average(estimator.predict_dist(X).logpdf(_flat(y)), weights=sample_weight))
    T, L = _pair(estimator, X, y)
    return -float(np.average(cross_entropy(Probs(T), L), weights=sample_weight))


def kl_scorer(estimator: Any, X: Any, y: ArrayLike, sample_weight: Any = None) -> float:
    """−E KL(y‖q(·|x)): the cross-entropy less the entropy of y, which nobody can remove."""
    T, L = _pair(estimator, X, y)
    return -float(np.average(kl_divergence(Probs(T), L), weights=sample_weight))


def crps_scorer(estimator: Any, X: Any, y: ArrayLike, sample_weight: Any = None) -> float:
    """−E CRPS(q(·|x), y) of an estimator with `predict_dist`."""
    return -float(np.average(estimator.predict_dist(X).crps(_flat(y)), weights=sample_weight))


def d2_cross_entropy_scorer(estimator: Any, X: Any, y: ArrayLike, sample_weight: Any = None) -> float:
    """1 − CE(y, q)/CE(y, mean of y): 0 for the best constant, up to 1."""
    T, L = _pair(estimator, X, y)
    weight = _weight(T, sample_weight)
    loss = float(weight @ cross_entropy(Probs(T), L))
    constant = float(entropy(Probs(weight @ T)))  # E CE(y, ȳ) = H(ȳ)
    return _share_removed(loss, constant, "y is the same in every row")


def d2_kl_scorer(estimator: Any, X: Any, y: ArrayLike, sample_weight: Any = None) -> float:
    """1 − KL(y‖q)/KL(y‖mean of y)."""
    T, L = _pair(estimator, X, y)
    weight = _weight(T, sample_weight)
    constant = float(weight @ kl_divergence(Probs(T), Probs(np.broadcast_to(weight @ T, T.shape))))
    return _share_removed(float(weight @ kl_divergence(Probs(T), L)), constant, "y is the same in every row")


def d2_crps_scorer(estimator: Any, X: Any, y: ArrayLike, sample_weight: Any = None) -> float:
    """1 − CRPS(q, y)/CRPS(empirical distribution of y, y)."""
    y = _flat(y)
    weight = _weight(y, sample_weight)
    loss = float(weight @ estimator.predict_dist(X).crps(y))
    # E_i CRPS(F̂, y_i) = ½ E|Y − Y'| over the sample.
    order = np.argsort(y, kind="stable")
    below = np.cumsum(weight[order])
    constant = float((below[:-1] * (1 - below[:-1])) @ np.diff(y[order]))
    return _share_removed(loss, constant, "all y are equal")


def _pair(estimator: Any, X: Any, y: ArrayLike) -> tuple[Floats, LogProbs | Probs]:
    if not hasattr(estimator, "classes_"):
        raise TypeError(
            f"{type(estimator).__name__} has no classes_: this scorer is for classifiers. For an estimator with "
            "predict_dist use cross_entropy_scorer, crps_scorer or d2_crps_scorer: a ratio of the cross-entropies of "
            "densities would depend on the unit of y."
        )
    T = against(y, np.asarray(estimator.classes_))
    if hasattr(estimator, "predict_log_proba"):
        return T, LogProbs(np.asarray(estimator.predict_log_proba(X), dtype=np.float64))
    P = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    return T, Probs(P / P.sum(axis=1, keepdims=True))


def _flat(y: ArrayLike) -> Floats:
    return np.asarray(y, dtype=np.float64).ravel()


def _weight(rows: Floats, sample_weight: Any) -> Floats:
    weight = np.ones(len(rows)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    return np.asarray(weight / weight.sum())


def _share_removed(loss: float, constant: float, why: str) -> float:
    if constant <= 0:
        raise ValueError(f"A d2 score divides by the loss of a constant prediction, which is 0: {why}.")
    return 1 - loss / constant
