"""`evaluate`: look at what the predictions are, and call the classifier's or the regressor's evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInput
from kullback.evaluation._classifier import evaluate_classifier
from kullback.evaluation._forecasts import is_forecast
from kullback.evaluation._regressor import evaluate_regressor
from kullback.evaluation._truth import Predictions, codes_of, plain_array, read_predictions, read_truth
from kullback.result.evaluation import Evaluation


def evaluate(
    y: Any,
    predictions: Any,
    /,
    *,
    versus: Any = None,
    classes: Sequence[Any] | None = None,
    clusters: Any = None,
    slices: Mapping[str, Any] | None = None,
    normalise: bool = False,
    folds: int = 5,
    level: float = 0.95,
    random_state: int = 0,
) -> Evaluation:
    """Split the loss of predictions: what nobody can remove, what recalibration removes, what a better model must.

    cross-entropy = uncertainty H(Y) − resolution I(Y; prediction) + reliability KL(calibrated‖prediction), in nats.

    Parameters
    ----------
    y : labels (n,), or (n, K) probabilities of each class; for a regressor numbers (n,)
    predictions
        Classifier: array or frame (n, K) of probabilities, `kb.Logits` or `kb.LogProbs` of one, or (n,), the
        probability of class 1. Regressor: a batched family such as `Normal(mean, std)` or a frozen scipy distribution,
        `kb.Samples(draws)` of shape (n, draws), `Quantiles(levels, values)` or `Histogram(edges, mass)`.
    versus
        Another model's predictions of the same rows, to compare with in pairs.
    classes
        Names of the columns, in their order. Default: the frame's column names, else 0 … K−1. Labels are matched to
        them as text; their order is never taken from sorting the labels.
    clusters : (n,), optional
        Rows with the same value are not independent (one user, one day): all intervals then count clusters.
    slices : mapping of names to columns (n,), optional
        Where to look for rows that fare worse than the rest.
    normalise
        Divide rows by their sum instead of refusing rows that do not sum to 1.
    folds, level, random_state
        Of the cross-fitting; of the intervals; the same seed gives the same bits.

    Returns
    -------
    Evaluation

    Raises
    ------
    InvalidInput, InvalidDistribution, InvalidForm
        Rows that are no distributions, labels that are no class, lengths that differ; with the first row concerned.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> p = rng.dirichlet(np.ones(3), size=500)
    >>> y = (np.cumsum(p, axis=1) < rng.random(500)[:, None]).sum(axis=1)
    >>> e = evaluate(y, p)
    >>> abs(e.uncertainty.value - e.resolution.value + e.reliability.value - e.cross_entropy.value) < 1e-12
    True
    """
    if folds < 2:
        raise InvalidInput(f"folds={folds}; cross-fitting needs at least 2")
    if is_forecast(predictions):
        numbers = plain_array(y).astype(np.float64).reshape(-1)
        grouping = (
            None if clusters is None else _in_order_of_appearance(codes_of(clusters, numbers.size, "clusters")[0])
        )
        return evaluate_regressor(
            numbers,
            predictions,
            clusters=grouping,
            columns=slices,
            versus=None if versus is None else ("the other model", versus),
            folds=folds,
            level=level,
            random_state=random_state,
        )
    read = read_predictions(predictions, classes=classes, normalise=normalise)
    n = read.values.shape[0]
    truth = read_truth(y, read.classes, n)
    groups = None if clusters is None else _in_order_of_appearance(codes_of(clusters, n, "clusters")[0])
    if groups is not None and int(groups.max()) + 1 < folds:
        raise InvalidInput(
            f"{int(groups.max()) + 1} clusters for {folds} folds; expected at least as many clusters as folds (see "
            f"folds=)"
        )
    other = None
    if versus is not None:
        second = read_predictions(versus, classes=classes, normalise=normalise)
        other = ("the other model", _same_order(second, read.classes))
    return evaluate_classifier(
        truth,
        read,
        clusters=groups,
        columns=slices,
        versus=other,
        folds=folds,
        level=level,
        random_state=random_state,
    )


def _in_order_of_appearance(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Clusters numbered as the rows bring them: how they are called must not decide which fold they fall into."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    number = np.empty(first.size, dtype=np.intp)
    number[np.argsort(first)] = np.arange(first.size)
    return number[inverse.reshape(-1)]


def _same_order(other: Predictions, classes: tuple[str, ...]) -> Predictions:
    if other.classes == classes:
        return other
    if set(other.classes) != set(classes):
        raise InvalidInput(
            f"the two models predict different classes: {list(classes)[:8]} and {list(other.classes)[:8]}"
        )
    order = np.array([other.classes.index(c) for c in classes])
    return Predictions(other.values[:, order], other.log, classes)
