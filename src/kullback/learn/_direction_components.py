"""Components of a mixture for directions: von Mises–Fisher."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from kullback.learn._components import Floats, Parameters, weighted_means


class VonMisesFisher:
    """Directions: C_d(κ) exp(κ μ·x) on the unit sphere."""

    sparse = False

    def check(self, X: Any) -> None:
        norms = np.linalg.norm(X, axis=1)
        wrong = np.flatnonzero(np.abs(norms - 1) > 1e-6)
        if wrong.size:
            raise ValueError(
                f"Row {wrong[0]} has length {norms[wrong[0]]:.6g}; family='vonmises-fisher' expects length 1. "
                "Divide each row by its norm: sklearn.preprocessing.normalize(X)."
            )

    def fit(self, X: Any, R: Floats, extra: Floats) -> Parameters:
        del extra
        d, resultant = X.shape[1], weighted_means(X, R)
        length = np.clip(np.linalg.norm(resultant, axis=1), 1e-12, 1 - 1e-9)
        kappa = length * (d - length**2) / (1 - length**2)  # Banerjee et al. 2005, then Newton on A_d(κ) = length
        for _ in range(20):
            ratio = _bessel_ratio(d, kappa)
            kappa = np.maximum(kappa - (ratio - length) / (1 - ratio**2 - (d - 1) / kappa * ratio), 1e-8)
        return {"directions": resultant / np.linalg.norm(resultant, axis=1, keepdims=True), "concentrations": kappa}

    def strain(self, theta: Parameters, extra: Floats) -> float:
        del theta, extra
        return 0.0

    def log_density(self, X: Any, theta: Parameters) -> Floats:
        kappa = theta["concentrations"]
        return np.asarray((X @ theta["directions"].T) * kappa + _log_normaliser(X.shape[1], kappa))

    def sample(self, theta: Parameters, component: NDArray[np.int64], random: np.random.RandomState) -> Floats:
        from scipy.stats import vonmises_fisher

        out = np.empty((component.size, theta["directions"].shape[1]))
        for c in np.unique(component):
            here = component == c
            law = vonmises_fisher(theta["directions"][c], theta["concentrations"][c])
            out[here] = law.rvs(int(here.sum()), random_state=random)
        return out

    def kl(self, a: Parameters, b: Parameters) -> Floats:
        d, ka, kb = a["directions"].shape[1], a["concentrations"], b["concentrations"]
        mean = _bessel_ratio(d, ka)[:, None]
        cosine = a["directions"] @ b["directions"].T
        own = (_log_normaliser(d, ka) + ka * mean[:, 0])[:, None]
        return np.maximum(own - _log_normaliser(d, kb) - kb * mean * cosine, 0.0)

    def free(self, d: int) -> int:
        return d


def _log_bessel(order: float, kappa: Floats) -> Floats:
    """Log I_order(κ); by its leading term where it underflows."""
    with np.errstate(divide="ignore"):
        value = np.log(special.ive(order, kappa)) + kappa
    series = order * np.log(kappa / 2) - special.gammaln(order + 1) + kappa**2 / (4 * (order + 1))
    return np.asarray(np.where(np.isfinite(value), value, series))


def _bessel_ratio(d: int, kappa: Floats) -> Floats:
    return np.asarray(np.exp(_log_bessel(d / 2, kappa) - _log_bessel(d / 2 - 1, kappa)))


def _log_normaliser(d: int, kappa: Floats) -> Floats:
    order = d / 2 - 1
    return np.asarray(order * np.log(kappa) - d / 2 * np.log(2 * np.pi) - _log_bessel(order, kappa))
