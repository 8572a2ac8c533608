"""Cross-entropy of a sample and a family: the mean negative log-likelihood, with its interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._door import Base, log_base, unit_name
from kullback.errors import InvalidDistribution, InvalidForm
from kullback.forms import Samples
from kullback.result.estimate import Estimate


def cross_entropy(
    samples: Samples, q: Any, /, *, base: Base = None, clusters: Any = None, level: float = 0.95
) -> Estimate:
    """H(P, Q) = −E_P[log q] from draws of P: what coding them costs with a code made for Q.

    Parameters
    ----------
    samples
        Draws of P, shape (n,) or (n, d), with optional weights.
    q
        One member of a family, or a scipy.stats or torch distribution.
    base
        Unit, as in `kullback.entropy`.
    clusters
        A label for each draw, shape (n,): draws of one label may depend on each other, and the error is that of
        cluster totals. None means independent draws.
    level
        Coverage that the interval aims at.

    Returns
    -------
    Estimate
        The weighted mean of −log q(x), its standard error and Student interval; ∞ where a draw has no mass under q.

    Raises
    ------
    InvalidDistribution, InvalidForm
        Batches, draws of another dimension than q's, fewer than two draws or clusters.

    Examples
    --------
    >>> import kullback as kb
    >>> from kullback.families import Normal
    >>> told = kb.cross_entropy(kb.Samples([-1.0, 0.0, 1.0]), Normal(0, 1))
    >>> round(told.value, 6)
    1.252272
    """
    from kullback.families import dispatch

    q = dispatch.parsed(q, "q")
    if q.batch_shape:
        msg = f"cross_entropy of samples got a batch of families of shape {q.batch_shape}; expected one."
        raise InvalidForm(msg)
    x = _host(samples.values)
    dims = q.event_shape[0] if q.event_shape else 1
    if (x.shape[1] if x.ndim == 2 else 1) != dims:
        msg = f"the samples have shape {x.shape}, and {type(q).__name__} lives in {dims} dimensions; expected the same."
        raise InvalidForm(msg)
    x = x.reshape(len(x), *q.event_shape)
    loss = -_host(q.log_prob(x)).reshape(-1) / log_base(base)
    weights = np.ones(len(x)) if samples.weights is None else _host(samples.weights)
    share = weights / weights.sum()
    value = float(np.sum(np.where(share > 0, share * np.where(share > 0, loss, 0.0), 0.0)))
    if math.isinf(value):
        missing = int(np.isposinf(loss).sum())
        note = (
            f"{missing} of {len(x)} draws have no mass under q; the first is draw {int(np.argmax(np.isposinf(loss)))}."
        )
        return Estimate(value, value, value, level, math.nan, unit_name(base), _METHOD, (len(x),), (note,))
    groups, scores = len(x), share * (loss - value)
    method, notes = _METHOD, ()
    if clusters is not None:
        labels = np.asarray(clusters)
        if labels.shape != (len(x),):
            msg = f"clusters has shape {labels.shape}; expected one label per draw, ({len(x)},)."
            raise InvalidDistribution(msg)
        _, codes = np.unique(labels, return_inverse=True)
        groups = int(codes.max()) + 1
        scores = np.bincount(codes, weights=scores)
        method += ", error by clusters"
    if groups < 2:
        msg = f"got {groups} {'cluster' if clusters is not None else 'draw'}; an error needs at least 2."
        raise InvalidDistribution(msg)
    error = math.sqrt(groups / (groups - 1) * float(np.sum(scores**2)))
    from scipy.special import stdtrit

    half = float(stdtrit(groups - 1, 0.5 + 0.5 * level)) * error
    return Estimate(value, value - half, value + half, level, error, unit_name(base), method, (len(x),), notes)


_METHOD = "mean negative log-likelihood"


def _host(x: Any) -> Any:
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x, dtype=float)
