"""Components of a mixture for counts and indicators: multinomial, Poisson, Bernoulli."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy import special

from kullback.learn._checks import no_empty_rows, non_negative, row_sums
from kullback.learn._components import Floats, Parameters, weighted_means
from kullback.learn._excess import excess


class Multinomial:
    """Counts of d categories, given their total."""

    sparse = True

    def check(self, X: Any) -> None:
        non_negative(X, "MixtureMLE(family='multinomial')")
        no_empty_rows(row_sums(X), "MixtureMLE(family='multinomial')")

    def fit(self, X: Any, R: Floats, extra: Floats) -> Parameters:
        del extra
        counts = np.asarray((X.T @ R).T if sp.issparse(X) else R.T @ X)
        return {"probabilities": counts / counts.sum(axis=1, keepdims=True)}

    def strain(self, theta: Parameters, extra: Floats) -> float:
        del theta, extra
        return 0.0

    def log_density(self, X: Any, theta: Parameters) -> Floats:
        return _times_log(X, theta["probabilities"]) + _arrangements(X)[:, None]

    def sample(self, theta: Parameters, component: NDArray[np.int64], random: np.random.RandomState) -> Floats:
        total = int(theta["total"]) if "total" in theta else 100
        return np.stack([random.multinomial(total, _exact(theta["probabilities"][c])) for c in component]).astype(float)

    def kl(self, a: Parameters, b: Parameters) -> Floats:
        """Per count."""
        P, Q = a["probabilities"][:, None], b["probabilities"][None]
        return np.asarray(excess(P, Q).sum(axis=-1))

    def free(self, d: int) -> int:
        return d - 1


class Poisson:
    """Independent counts of given rates."""

    sparse = True

    def check(self, X: Any) -> None:
        non_negative(X, "MixtureMLE(family='poisson')")

    def fit(self, X: Any, R: Floats, extra: Floats) -> Parameters:
        del extra
        return {"rates": weighted_means(X, R)}

    def strain(self, theta: Parameters, extra: Floats) -> float:
        del theta, extra
        return 0.0

    def log_density(self, X: Any, theta: Parameters) -> Floats:
        return np.asarray(_times_log(X, theta["rates"]) - theta["rates"].sum(axis=1) - _log_factorials(X)[:, None])

    def sample(self, theta: Parameters, component: NDArray[np.int64], random: np.random.RandomState) -> Floats:
        return np.asarray(random.poisson(theta["rates"][component]), dtype=np.float64)

    def kl(self, a: Parameters, b: Parameters) -> Floats:
        A, B = a["rates"][:, None], b["rates"][None]
        return np.asarray(excess(A, B).sum(axis=-1))

    def free(self, d: int) -> int:
        return d


class Bernoulli:
    """Independent zeros and ones."""

    sparse = True

    def check(self, X: Any) -> None:
        values = X.data if sp.issparse(X) else X
        if ((values != 0) & (values != 1)).any():
            raise ValueError(
                "MixtureMLE(family='bernoulli') expects zeros and ones; binarise X, or use 'poisson' for counts."
            )

    def fit(self, X: Any, R: Floats, extra: Floats) -> Parameters:
        del extra
        return {"probabilities": np.clip(weighted_means(X, R), 0.0, 1.0)}

    def strain(self, theta: Parameters, extra: Floats) -> float:
        del theta, extra
        return 0.0

    def log_density(self, X: Any, theta: Parameters) -> Floats:
        p = theta["probabilities"]
        ones = np.asarray(_times_log(X, p))
        rest = 1.0 - p
        # Σ (1 − x) log(1 − p): the zeros are all entries less the ones
        with np.errstate(divide="ignore"):
            logs = np.where(rest > 0, np.log(np.where(rest > 0, rest, 1.0)), -1e30)
        return np.asarray(ones + logs.sum(axis=1) - np.asarray(X @ logs.T))

    def sample(self, theta: Parameters, component: NDArray[np.int64], random: np.random.RandomState) -> Floats:
        p = theta["probabilities"][component]
        return np.asarray(random.uniform(size=p.shape) < p, dtype=np.float64)

    def kl(self, a: Parameters, b: Parameters) -> Floats:
        both = [{"probabilities": np.stack([t["probabilities"], 1 - t["probabilities"]], -1)} for t in (a, b)]
        d = a["probabilities"].shape[1]
        features = [{"probabilities": t["probabilities"][:, j]} for t in both for j in range(d)]
        return np.asarray(sum(Multinomial().kl(features[j], features[d + j]) for j in range(d)))

    def free(self, d: int) -> int:
        return d


def _exact(p: Floats) -> Floats:
    return np.asarray(p / p.sum())


def _times_log(X: Any, P: Floats) -> Floats:
    """Σ_j x_j log p_j with 0 log 0 = 0."""
    logs = np.where(P > 0, np.log(np.where(P > 0, P, 1.0)), -1e30)  # as good as −∞, and 0 of them is still 0
    return np.asarray(X @ np.ascontiguousarray(logs.T))


def _log_factorials(X: Any) -> Floats:
    if sp.issparse(X):
        out = X.copy()
        out.data = special.gammaln(X.data + 1)
        return row_sums(out)
    return np.asarray(special.gammaln(X + 1).sum(axis=1))


def _arrangements(X: Any) -> Floats:
    return np.asarray(special.gammaln(row_sums(X) + 1) - _log_factorials(X))
