"""Rows dealt to folds by their content, predictions of each row by a model that has not seen it, and by all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def deal(X: Any, y: Floats, folds: int) -> list[tuple[Rows, Rows]]:
    """(training rows, test rows) of each fold: equal rows together, in an order that depends on content alone."""
    table: Any = (
        sp.csr_matrix(X) if sp.issparse(X) else np.nan_to_num(np.asarray(X, dtype=np.float64), nan=-0.123456789)
    )
    direction = np.random.default_rng(20010909).standard_normal(table.shape[1] + 1)
    # Row by row, not by a matrix product, whose sums may run in another order for another row.
    products = (
        table.multiply(direction[:-1]).sum(axis=1) if sp.issparse(table) else (table * direction[:-1]).sum(axis=1)
    )
    key = np.asarray(products, dtype=np.float64).ravel() + direction[-1] * y
    distinct, place = np.unique(key, return_inverse=True)
    fold = (np.random.RandomState(20010909).permutation(distinct.size) % folds)[place]
    splits = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(folds)]
    return [(train, test) for train, test in splits if len(train) and len(test)]


def fitted(model: Any, X: Any, y: Floats, weight: Floats | None, rows: Rows | None = None, held: Any = None) -> Any:
    """A copy of `model` fitted to these rows (None: all); boosting that stops early stops by the rows held out."""
    model, rows = clone(model), np.arange(len(y)) if rows is None else rows
    if weight is not None and not has_fit_parameter(model, "sample_weight"):
        raise TypeError(
            f"{type(model).__name__}.fit takes no sample_weight; leave it out or use a regressor that does."
        )
    more: dict[str, Any] = {} if weight is None else {"sample_weight": weight[rows]}
    stops = getattr(model, "early_stopping", None) is True and has_fit_parameter(model, "X_val")
    if held is not None and stops and (weight is None or weight[held].sum() > 0):
        more |= {"X_val": X[held], "y_val": y[held]}
        if weight is not None:
            more["sample_weight_val"] = weight[held]
    return model.fit(X[rows], y[rows], **more)


def out_of_fold(
    model: Any, X: Any, y: Floats, weight: Floats | None, splits: Any
) -> tuple[Floats, NDArray[np.bool_], list[Any]]:
    """Predictions of each row by a model that did not see it, which rows have one, and the models."""
    out, seen, models = np.zeros(len(y)), np.zeros(len(y), dtype=bool), []
    for train, test in splits:
        models.append(fitted(model, X, y, weight, train, test))
        out[test], seen[test] = models[-1].predict(X[test]), True
    return out, seen, models


class Ensemble:
    """The mean of several fitted regressors' predictions, or (`logs`) of their logarithms."""

    def __init__(self, models: list[Any], *, logs: bool = False) -> None:
        self.models_, self.logs_ = models, logs

    def predict(self, X: Any) -> Floats:
        """Prediction for each row, shape (n,)."""
        each = np.stack([np.asarray(model.predict(X), dtype=np.float64) for model in self.models_])
        return np.asarray(np.exp(np.log(each).mean(axis=0)) if self.logs_ else each.mean(axis=0))
