"""What a mixture asks of its components, and what several of their families share.

A family works on all k components at once: parameters are arrays whose first axis is the component. `fit` receives
responsibilities R (n, k) with a column's sum as its mass, and `extra` (d,): a scatter per feature that every component
has besides its rows (`strain` is what it costs), so that no normal collapses. Other families ignore it.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Parameters = dict[str, Floats]


class Family(Protocol):
    """What a mixture asks of its components."""

    sparse: bool

    def check(self, X: Any) -> None: ...
    def fit(self, X: Any, R: Floats, extra: Floats) -> Parameters: ...
    def strain(self, theta: Parameters, extra: Floats) -> float: ...
    def log_density(self, X: Any, theta: Parameters) -> Floats: ...
    def sample(self, theta: Parameters, component: NDArray[np.int64], random: np.random.RandomState) -> Floats: ...
    def kl(self, a: Parameters, b: Parameters) -> Floats: ...
    def free(self, d: int) -> int: ...


def weighted_means(X: Any, R: Floats) -> Floats:
    """Weighted means (k, d)."""
    mass = R.sum(axis=0)[:, None]
    return np.asarray(((X.T @ R).T if sp.issparse(X) else R.T @ X) / mass)
