"""What a classifier proves: if it tells two samples apart on rows it has not seen, their laws differ by so much."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from kullback.statistics.means import Interval, mean_error


def jensen_shannon_lower_bound(
    log_odds_p: NDArray[np.float64], log_odds_q: NDArray[np.float64], /, *, level: float = 0.95
) -> Interval:
    """One-sided lower bound on JS(P, Q) from a classifier's log-odds of P, on held-out rows of P and of Q.

    For every classifier c,  JS(P, Q) ≥ log 2 + ½ E_P log c + ½ E_Q log(1 − c)  (equality at the true log-ratio; Nguyen,
    Wainwright & Jordan 2010, doi:10.1109/TIT.2010.2068870). The mean is an unbiased estimate of the right-hand side as
    long as no row was used to fit the classifier that scores it, so `low` is a valid bound for any classifier.

    Returns
    -------
    Interval
        `value` and `low` in nats; `high` is log 2, which JS cannot exceed: no classifier can prove that laws are close.

    Examples
    --------
    >>> import numpy as np
    >>> jensen_shannon_lower_bound(np.full(500, 3.0), np.full(500, -3.0)).low > 0.64
    True
    """
    on_p = -np.logaddexp(0.0, -log_odds_p)
    on_q = -np.logaddexp(0.0, log_odds_q)
    value = math.log(2.0) + 0.5 * float(on_p.mean()) + 0.5 * float(on_q.mean())
    error = 0.5 * math.hypot(mean_error(on_p)[0], mean_error(on_q)[0])
    low = value - float(stats.norm.ppf(level)) * error
    return Interval(value, low, math.log(2.0), error)
