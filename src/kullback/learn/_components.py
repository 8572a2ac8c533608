"""Families of mixture components: log-density, weighted maximum likelihood, draws and closed KL, by moment matching.

A family works on all k components at once: parameters are arrays whose first axis is the component. `fit` receives
responsibilities R (n, k) with a column's sum as its mass, and `extra` (d,): a scatter per feature that every component
has besides its rows (`strain` is what it costs), so that no normal collapses. Other families ignore it.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy import special
from scipy.linalg import solve_triangular

from kullback._special import psi
from kullback.learn._checks import no_empty_rows, non_negative, row_sums
from kullback.learn._excess import excess

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


def _means(X: Any, R: Floats) -> Floats:
    """Weighted means (k, d)."""
    mass = R.sum(axis=0)[:, None]
    return np.asarray(((X.T @ R).T if sp.issparse(X) else R.T @ X) / mass)


class Gaussian:
    """N(mean, covariance)."""

    sparse = False

    def check(self, X: Any) -> None:
        del X

    def fit(self, X: Any, R: Floats, extra: Floats) -> Parameters:
        means, mass = _means(X, R), R.sum(axis=0)
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
        means = _means(X, R)
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
        return {"rates": _means(X, R)}

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
        return {"probabilities": np.clip(_means(X, R), 0.0, 1.0)}

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
        d, resultant = X.shape[1], _means(X, R)
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


class Product:
    """Independent blocks of columns, each of its own family."""

    sparse = False

    def __init__(self, parts: list[tuple[Any, NDArray[np.int64]]]) -> None:
        self.parts = parts

    def check(self, X: Any) -> None:
        for family, columns in self.parts:
            family.check(X[:, columns])

    def fit(self, X: Any, R: Floats, extra: Floats) -> Parameters:
        return {
            f"{i}.{name}": value
            for i, (family, columns) in enumerate(self.parts)
            for name, value in family.fit(X[:, columns], R, extra[columns]).items()
        }

    def strain(self, theta: Parameters, extra: Floats) -> float:
        return math.fsum(f.strain(self._of(theta, i), extra[c]) for i, (f, c) in enumerate(self.parts))

    def log_density(self, X: Any, theta: Parameters) -> Floats:
        return np.asarray(sum(f.log_density(X[:, c], self._of(theta, i)) for i, (f, c) in enumerate(self.parts)))

    def sample(self, theta: Parameters, component: NDArray[np.int64], random: np.random.RandomState) -> Floats:
        out = np.empty((component.size, sum(len(c) for _, c in self.parts)))
        for i, (family, columns) in enumerate(self.parts):
            out[:, columns] = family.sample(self._of(theta, i), component, random)
        return out

    def kl(self, a: Parameters, b: Parameters) -> Floats:
        return np.asarray(sum(f.kl(self._of(a, i), self._of(b, i)) for i, (f, _) in enumerate(self.parts)))

    def free(self, d: int) -> int:
        del d
        return sum(family.free(len(columns)) for family, columns in self.parts)

    @staticmethod
    def _of(theta: Parameters, i: int) -> Parameters:
        return {name.split(".", 1)[1]: value for name, value in theta.items() if name.startswith(f"{i}.")}


FAMILIES: dict[str, Any] = {
    "gaussian": Gaussian,
    "diag": Diagonal,
    "multinomial": Multinomial,
    "poisson": Poisson,
    "bernoulli": Bernoulli,
    "vonmises-fisher": VonMisesFisher,
}


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
