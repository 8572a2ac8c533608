"""Evidence that may be looked at after every row: a bet against 'the mean difference is 0'."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInput

# Stakes as shares of the bound: from bold (a large difference in a dozen rows) to timid (a small one in millions).
_STAKES = 0.5 * 2.0 ** -np.arange(14.0)


class EProcess(NamedTuple):
    """Log of the money won by betting against 'E[dᵢ | past] = 0'.

    `log_e` after the last row, `log_e_largest` on the way, and `row`, the first at which e ≥ 1/alpha (None: never).
    By Ville's inequality the chance that e ever reaches 1/α is at most α when the difference is 0.
    """

    log_e: float
    log_e_largest: float
    row: int | None


def e_process(differences: NDArray[np.float64], /, *, bound: float, alpha: float = 0.05) -> EProcess:
    """E-process against mean 0 for numbers in [−bound, bound], in the order they came (Waudby-Smith & Ramdas 2024).

    The capital is the average over both directions and a grid of stakes λ of  Π (1 + λ dᵢ/bound),  a non-negative
    martingale under the null whatever the distribution and the dependence (doi:10.1093/jrsssb/qkad009).

    Parameters
    ----------
    differences : array (n,)
    bound : float
        Known beforehand, not read off the data: a difference beyond it is refused.
    alpha : float
        The level for `row`.

    Examples
    --------
    >>> import numpy as np
    >>> d = np.random.default_rng(0).uniform(-1, 1.4, size=2000)
    >>> e_process(d, bound=1.4).log_e > 4.6
    True
    """
    if not bound > 0:
        raise InvalidInput(f"bound must be positive, got {bound}")
    widest = float(np.max(np.abs(differences))) if differences.size else 0.0
    if widest > bound * (1.0 + 1e-12):
        raise InvalidInput(f"a difference of {widest:.6g} lies beyond the declared bound {bound:.6g}")
    stakes = np.concatenate([_STAKES, -_STAKES])
    capital = np.zeros(stakes.size)
    largest, row = 0.0, None
    step = 65_536
    for start in range(0, differences.shape[0], step):
        share = differences[start : start + step, None] / bound
        path = capital + np.cumsum(np.log1p(stakes * share), axis=0)
        top = path.max(axis=1)
        log_e = top + np.log(np.mean(np.exp(path - top[:, None]), axis=1))
        if row is None:
            reached = np.flatnonzero(log_e >= -np.log(alpha))
            row = start + int(reached[0]) if reached.size else None
        largest = max(largest, float(log_e.max()))
        capital = path[-1]
    top = capital.max()
    return EProcess(float(top + np.log(np.mean(np.exp(capital - top)))), largest, row)
