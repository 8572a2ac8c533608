"""KL by draws, for the pairs that nothing else answers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._door import Base, log_base, unit_name
from kullback.errors import InvalidForm
from kullback.families import dispatch
from kullback.result.estimate import Estimate


def monte_carlo(
    p: Any, q: Any, /, *, n: int = 100_000, random_state: Any = None, level: float = 0.95, base: Base = None
) -> Estimate:
    """Estimate KL(p‖q) from n draws of p.

    Parameters
    ----------
    p, q
        One pair of families on one space, or scipy.stats or torch distributions.
    n
        Draws from p, at least 2.
    random_state
        A seed or a NumPy generator; the same seed gives the same bits.
    level
        Coverage that the interval aims at.
    base
        Unit, as in `kullback.entropy`.

    Returns
    -------
    Estimate
        The mean of log p(x) − log q(x), its standard error and a normal interval; ∞ where a draw has no mass under q.

    Raises
    ------
    InvalidForm
        Batches, different spaces, or n < 2.

    Examples
    --------
    >>> from kullback.families import Normal, monte_carlo
    >>> told = monte_carlo(Normal(0, 1), Normal(1, 1), n=10_000, random_state=0)
    >>> told.low < 0.5 < told.high
    True
    """
    p, q = dispatch.parsed(p, "p"), dispatch.parsed(q, "q")
    dispatch._same_space(p, q)
    if p.batch_shape or q.batch_shape:
        msg = f"monte_carlo got batches of shape {p.batch_shape} and {q.batch_shape}; expected one pair."
        raise InvalidForm(msg)
    if not n >= 2:
        msg = f"n = {n}; expected at least 2 draws."
        raise InvalidForm(msg)
    from scipy.special import ndtri

    x = p.sample(n, random_state=np.random.default_rng(random_state))
    ratios = _host(p.log_prob(x)) - _host(q.log_prob(x))
    unit = log_base(base)
    value = float(ratios.mean()) / unit
    error = float(ratios.std(ddof=1)) / math.sqrt(n) / unit if math.isfinite(value) else math.nan
    half = float(ndtri(0.5 + 0.5 * level)) * error
    notes = () if math.isfinite(value) else (f"{int(np.isposinf(ratios).sum())} draws of p have no mass under q.",)
    interval = (value - half, value + half) if math.isfinite(value) else (value, value)
    return Estimate(value, *interval, level, error, unit_name(base), "mean log-ratio over draws of p", (n,), notes)


def _host(x: Any) -> Any:
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x, dtype=float)
