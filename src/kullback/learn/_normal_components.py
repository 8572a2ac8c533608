"""Normal components of a mixture, with full and with diagonal covariance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from kullback._special import psi
from kullback.learn._components import Floats, Parameters, weighted_means
from kullback.learn._excess import excess


class Gaussian:
    """N(mean, covariance)."""

    sparse = False

    def check(self, X: Any) -> None:
        del X

    def fit(self, X: Any, R: Floats, extra: Floats) -> Parameters:
        means, mass = weighted_means(X, R), R.sum(axis=0)
        covariances = np.empty((R.shape[1], X.shape[1], X.shape[1]))
        for c in range(R.shape[1]):
            centred = X - means[c]
            covariances[c] = ((centred * R[:, c, None]).T @ centred + np.diag(extra)) / mass[c]
        return {"means": means, "covariances": covariances}

    def strain(self, theta: Parameters, extra: Floats) -> float:
        roots = (solve_triangular(root, np.diag(np.sqrt(extra)), lower=True) for root in _roots(theta["covariances"]))
        return 0.5 * sum(float((half**2).sum()) for half in roots)

    def log_density(self, X: Any, theta: Parameters) -> Floats:
        out = np.empty((X.shape[0], len(theta["means"])))
        for c, (mean, root) in enumerate(zip(theta["means"], _roots(theta["covariances"]), strict=True)):
            z = solve_triangular(root, (X - mean).T, lower=True)
            out[:, c] = -0.5 * (z**2).sum(axis=0) - np.log(np.diag(root)).sum()
        return np.asarray(out - 0.5 * X.shape[1] * np.log(2 * np.pi))

    def sample(self, theta: Parameters, component: NDArray[np.int64], random: np.random.RandomState) -> Floats:
        noise = random.standard_normal((component.size, theta["means"].shape[1]))
        roots = np.stack(_roots(theta["covariances"]))
        return np.asarray(theta["means"][component] + np.einsum("nij,nj->ni", roots[component], noise))

    def kl(self, a: Parameters, b: Parameters) -> Floats:
        # ½ [Σ (λ − 1 − log λ) + |L⁻¹(μ_a − μ_b)|²], λ the eigenvalues of Σ_a relative to Σ_b
        roots = _roots(b["covariances"])
        out = np.empty((len(a["means"]), len(roots)))
        for j, root in enumerate(roots):
            for i, (mean, covariance) in enumerate(zip(a["means"], a["covariances"], strict=True)):
                half = solve_triangular(root, covariance - root @ root.T, lower=True)
                relative = np.linalg.eigvalsh(solve_triangular(root, half.T, lower=True))
                shift = solve_triangular(root, mean - b["means"][j], lower=True)
                out[i, j] = 0.5 * (float(psi(relative, xp=np).sum()) + float(shift @ shift))
        return out

    def free(self, d: int) -> int:
        return d + d * (d + 1) // 2


def _roots(covariances: Floats) -> list[Floats]:
    try:
        return [np.linalg.cholesky(C) for C in covariances]
    except np.linalg.LinAlgError:
        raise ValueError(
            "A component's covariance is singular: it sits on points that span no volume. Use fewer components, "
            "family='diag', or a larger prior."
        ) from None


class Diagonal:
    """Independent normals."""

    sparse = False

    def check(self, X: Any) -> None:
        del X

    def fit(self, X: Any, R: Floats, extra: Floats) -> Parameters:
        means = weighted_means(X, R)
        # Σ r (x − m)², about each component's own mean: nothing cancels
        spread = np.stack([R[:, c] @ (X - means[c]) ** 2 for c in range(R.shape[1])])
        return {"means": means, "variances": (spread + extra) / R.sum(axis=0)[:, None]}

    def strain(self, theta: Parameters, extra: Floats) -> float:
        return 0.5 * float((extra / theta["variances"]).sum())

    def log_density(self, X: Any, theta: Parameters) -> Floats:
        means, variances = theta["means"], theta["variances"]
        if (variances <= 0).any():
            raise ValueError("A component has no spread in some feature. Use fewer components or a larger prior.")
        out = np.stack([-0.5 * ((X - m) ** 2 / v).sum(axis=1) for m, v in zip(means, variances, strict=True)], axis=1)
        return np.asarray(out - 0.5 * np.log(2 * np.pi * variances).sum(axis=1))

    def sample(self, theta: Parameters, component: NDArray[np.int64], random: np.random.RandomState) -> Floats:
        noise = random.standard_normal((component.size, theta["means"].shape[1]))
        return np.asarray(theta["means"][component] + np.sqrt(theta["variances"])[component] * noise)

    def kl(self, a: Parameters, b: Parameters) -> Floats:
        va, vb = a["variances"][:, None], b["variances"][None]
        terms = excess(vb, va) / vb + (a["means"][:, None] - b["means"][None]) ** 2 / vb
        return np.asarray(0.5 * terms.sum(axis=-1))

    def free(self, d: int) -> int:
        return 2 * d
