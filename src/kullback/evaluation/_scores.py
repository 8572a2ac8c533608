"""The scores of each row: log-loss, Brier score, what was predicted, and with which confidence."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kullback.evaluation._line import FLOOR, centred
from kullback.evaluation._truth import ROW_SUM_TOLERANCE, Predictions, Truth, read_predictions, read_truth
from kullback.result.estimate import Estimate
from kullback.statistics import mean_interval

Floats = NDArray[np.float64]
_ROWS = 65_536


class RowScores(NamedTuple):
    """Per row: loss −Σ t log q, the same with zeros read as 1e-15, Brier Σ (q−t)², argmax, its mass, hit, and c."""

    loss: Floats
    clipped: Floats
    brier: Floats
    top: NDArray[np.intp]
    confidence: Floats
    hit: Floats
    c: Floats


def row_scores(predictions: Predictions, truth: Truth) -> RowScores:
    """All scores in one pass over blocks of rows; `hit` is the truth's mass on the predicted class."""
    n, K = predictions.values.shape
    out = RowScores(
        np.empty(n), np.empty(n), np.empty(n), np.empty(n, dtype=np.intp), np.empty(n), np.empty(n), np.empty((n, K))
    )
    step = max(1, _ROWS * 16 // K)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        log_q = predictions.log_probabilities(rows)
        q = np.exp(log_q)
        out.top[rows] = top = log_q.argmax(axis=1)
        each = np.arange(top.size)
        out.confidence[rows] = q[each, top]
        out.c[rows] = centred(log_q)
        if truth.codes is not None:
            y = truth.codes[rows]
            loss = -log_q[each, y]
            out.brier[rows] = np.einsum("nk,nk->n", q, q) - 2.0 * q[each, y] + 1.0
            out.hit[rows] = top == y
            out.clipped[rows] = np.where(np.isinf(loss), -FLOOR, loss)
        else:
            assert truth.soft is not None
            t = truth.soft[rows]
            masked = np.where(t > 0, log_q, 0.0)  # 0·log 0 = 0
            loss = -np.einsum("nk,nk->n", t, np.where(np.isinf(masked), 0.0, masked))
            lost = np.where(np.isinf(masked), t, 0.0).sum(axis=1)
            out.clipped[rows] = loss - lost * FLOOR
            loss = np.where(lost > 0, np.inf, loss)
            out.brier[rows] = np.sum((q - t) ** 2, axis=1)
            out.hit[rows] = t[each, top]
        out.loss[rows] = loss
    return out


def log_loss(
    y: Any,
    probabilities: Any,
    /,
    *,
    classes: Any = None,
    clusters: NDArray[np.intp] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Mean −log of the probability given to what happened, with its interval: the fast way when only that is asked.

    Parameters
    ----------
    y : labels (n,), or (n, K) probabilities of each class
    probabilities : array or frame (n, K), `kb.Logits` or `kb.LogProbs` of one; or (n,), the probability of class 1
    classes : names of the columns, in their order; default: the frame's columns, else 0 … K−1
    clusters : integers (n,), optional: rows of one cluster are not independent

    Returns
    -------
    Estimate
        In nats; ∞ if a class was ruled out (probability 0) where it happened.

    Examples
    --------
    >>> import numpy as np
    >>> log_loss([1, 0], np.array([[0.5, 0.5], [0.5, 0.5]])).value
    0.6931471805599453
    """
    loss = _fast_loss(y, probabilities) if classes is None else None
    if loss is None:
        predictions = read_predictions(probabilities, classes=classes)
        truth = read_truth(y, predictions.classes, predictions.values.shape[0])
        loss = _losses(predictions, truth)
    interval = mean_interval(loss, clusters=clusters, level=level) if np.isfinite(loss).all() else None
    if interval is None:
        value = float("inf")
        return Estimate(value, value, value, level, float("nan"), "nats", "mean over rows", (loss.size,))
    return Estimate(
        interval.value,
        interval.low,
        interval.high,
        level,
        interval.standard_error,
        "nats",
        "mean over rows",
        (loss.size,),
    )


def _losses(predictions: Predictions, truth: Truth) -> Floats:
    """−log qᵧ, row by row: the formula of the fast path."""
    if truth.codes is None or predictions.log:
        return row_scores(predictions, truth).loss
    q = predictions.values
    with np.errstate(divide="ignore"):
        chosen = np.log(q[np.arange(q.shape[0]), truth.codes].astype(np.float64))
    return np.asarray(np.log(q.sum(axis=1, dtype=np.float64)) - chosen)


def _fast_loss(y: Any, p: Any) -> Floats | None:
    """The same for plain arrays of float64 or float32 and integer labels; None where the door must look closer."""
    if type(p) is not np.ndarray or p.ndim != 2 or p.dtype not in (np.float32, np.float64) or p.shape[1] < 2:
        return None
    codes = np.asarray(y)
    if codes.dtype.kind not in "iu" or codes.shape != p.shape[:1] or not codes.size:
        return None
    if codes.min() < 0 or codes.max() >= p.shape[1]:
        return None
    from kullback.evaluation._numba import rows

    slack = max(ROW_SUM_TOLERANCE, p.shape[1] * float(np.finfo(p.dtype).eps))
    loss = np.empty(codes.size)
    if not rows.gathered(p, codes, slack, loss):
        return None
    return np.log(loss, out=loss)
