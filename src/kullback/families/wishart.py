"""Laws over covariance matrices: Wishart, InverseWishart, NormalInverseWishart."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kullback._special import gamma_bregman, psi, psi_ratio
from kullback.errors import InvalidDistribution
from kullback.families.answer import EXPECTATIONS, STABLE, Answer
from kullback.families.base import Family, generator, sample_shape, work
from kullback.families.covariance import check_spd, log_det, multivariate_gamma_log, relative_eigenvalues
from kullback.families.multivariate_normal import mahalanobis
from kullback.families.namespace import is_concrete, to_host
from kullback.families.parameters import family, positive, real_matrix, real_vector

Array = Any
Namespace = Any


def _check(p: Any) -> None:
    name, d = type(p).__name__, p.scale.shape[-1]
    check_spd(p.scale, f"{name}.scale")
    if not isinstance(p.df, float) and not is_concrete(p.df):
        return
    low = p.df if isinstance(p.df, float) else float(to_host(p.df.detach() if hasattr(p.df, "detach") else p.df).min())
    if not low > d - 1:
        msg = f"{name}.df = {low}; expected more than {d - 1}, the dimensions less one."
        raise InvalidDistribution(msg)


def _df_bregman(n1: Array, n2: Array, d: int, xp: Namespace) -> Array:
    """B of lnΓ_d at half the degrees of freedom."""
    h = 0.5 * (n2 - n1)
    total = 0.0 * h
    for j in range(d):
        total = total + gamma_bregman(0.5 * (n1 - j) + 0.0 * h, 0.5 * (n2 - j) + 0.0 * h, h, xp=xp)
    return total


def _wishart_kl(n1: Array, n2: Array, eigenvalues: Array, d: int, xp: Namespace) -> Array:
    """B + (n₁/2)Σψ(λ) + ((n₁−n₂)/2)Σlog1p(λ), λ the relative eigenvalues of the scales."""
    value = 0.5 * n1 * xp.sum(psi(eigenvalues, xp=xp)) + 0.5 * (n1 - n2) * xp.sum(xp.log1p(eigenvalues))
    return value + _df_bregman(n1, n2, d, xp)


def _digammas(n: Array, d: int, xp: Namespace) -> Array:
    """Σⱼ ψ₀((n − j)/2), j < d."""
    total = xp.digamma(0.5 * n)
    for j in range(1, d):
        total = total + xp.digamma(0.5 * (n - j))
    return total


def _from_expectations(p: Any, q: Any, xp: Namespace) -> Answer:
    """Between Wishart(n, S) and InverseWishart(m, Ψ): E log|X| and the mean of the inverse, tr(ΨS⁻¹)/(n − d − 1)."""
    d = p.scale.shape[-1]
    forward = type(p) is Wishart
    L, M = xp.cholesky(p.scale), xp.cholesky(q.scale)
    W = xp.solve_lower(L, M) if forward else xp.solve_lower(M, L)
    exists = p.df > d + 1
    trace = xp.sum(xp.sum(W * W)) / xp.where(exists, p.df - d - 1.0, xp.ones_like(p.df))
    sign = 1.0 if forward else -1.0
    mean_log_det = log_det(L, xp=xp) + sign * (d * math.log(2) + _digammas(p.df, d, xp))
    constant = 0.5 * q.df * (sign * log_det(M, xp=xp) - d * math.log(2)) - multivariate_gamma_log(0.5 * q.df, d, xp=xp)
    expected = constant - sign * 0.5 * (q.df + sign * (d + 1.0)) * mean_log_det - 0.5 * trace
    value = -p._entropy(xp) - expected
    return Answer(xp.where(exists, value, math.inf + 0.0 * value), EXPECTATIONS)


@family
class Wishart(Family):
    """The sum of df outer products of normal vectors with covariance `scale` (torch's covariance_matrix)."""

    df: Array = positive()
    scale: Array = real_matrix()
    _carrier: ClassVar[str] = "positive definite matrices"

    def _check_together(self) -> None:
        _check(self)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(d, d)."""
        d = int(self.scale.shape[-1])
        return (d, d)

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        if type(q) is InverseWishart:
            return _from_expectations(self, q, xp)
        if type(q) is not Wishart:
            return None
        values = relative_eigenvalues(self.scale, q.scale, xp=xp)
        return Answer(_wishart_kl(self.df, q.df, values, self.scale.shape[-1], xp), STABLE)

    def _entropy(self, xp: Namespace) -> Array:
        n, d = self.df, self.scale.shape[-1]
        logs = log_det(xp.cholesky(self.scale), xp=xp)
        return (
            0.5 * (d + 1) * logs
            + 0.5 * d * (d + 1) * math.log(2)
            + multivariate_gamma_log(0.5 * n, d, xp=xp)
            - 0.5 * (n - d - 1) * _digammas(n, d, xp)
            + 0.5 * n * d
        )

    def log_prob(self, x: Array, /) -> Array:
        """Log-density at positive definite matrices x."""
        x = np.asarray(x, dtype=float) if not hasattr(x, "shape") else x
        xp = work(x, *self._leaves())
        p = self._lifted(xp)
        n, d = p.df, p.scale.shape[-1]
        L, X = xp.cholesky(p.scale), xp.cholesky(xp.double(x))
        W = xp.solve_lower(L, X)
        constant = 0.5 * n * (d * math.log(2) + log_det(L, xp=xp)) + multivariate_gamma_log(0.5 * n, d, xp=xp)
        return 0.5 * (n - d - 1) * log_det(X, xp=xp) - 0.5 * xp.sum(xp.sum(W * W)) - constant

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Matrices by Bartlett's decomposition."""
        p, rng = self._with(to_host), generator(random_state)
        size, d = sample_shape(shape) + self.batch_shape, self.event_shape[0]
        A = np.tril(rng.standard_normal((*size, d, d)), -1)
        df = np.broadcast_to(p.df, size)[..., None] - np.arange(d)
        A[..., np.arange(d), np.arange(d)] = np.sqrt(rng.chisquare(df))
        B = np.linalg.cholesky(p.scale) @ A
        return B @ np.swapaxes(B, -1, -2)


@family
class InverseWishart(Family):
    """The inverse of a Wishart(df, scale⁻¹) matrix."""

    df: Array = positive()
    scale: Array = real_matrix()
    _carrier: ClassVar[str] = "positive definite matrices"

    def _check_together(self) -> None:
        _check(self)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(d, d)."""
        d = int(self.scale.shape[-1])
        return (d, d)

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        # inverting is one-to-one; the relative eigenvalues of the inverses are those of Ψ₁⁻¹Ψ₂
        if type(q) is Wishart:
            return _from_expectations(self, q, xp)
        if type(q) is not InverseWishart:
            return None
        values = relative_eigenvalues(q.scale, self.scale, xp=xp)
        return Answer(_wishart_kl(self.df, q.df, values, self.scale.shape[-1], xp), STABLE)

    def _entropy(self, xp: Namespace) -> Array:
        n, d = self.df, self.scale.shape[-1]
        logs = log_det(xp.cholesky(self.scale), xp=xp) - d * math.log(2)
        return (
            multivariate_gamma_log(0.5 * n, d, xp=xp)
            + 0.5 * n * d
            + 0.5 * (d + 1) * logs
            - 0.5 * (n + d + 1) * _digammas(n, d, xp)
        )

    def log_prob(self, x: Array, /) -> Array:
        """Log-density at positive definite matrices x."""
        x = np.asarray(x, dtype=float) if not hasattr(x, "shape") else x
        xp = work(x, *self._leaves())
        p = self._lifted(xp)
        n, d = p.df, p.scale.shape[-1]
        L, X = xp.cholesky(p.scale), xp.cholesky(xp.double(x))
        W = xp.solve_lower(X, L)
        constant = 0.5 * n * (d * math.log(2) - log_det(L, xp=xp)) + multivariate_gamma_log(0.5 * n, d, xp=xp)
        return -0.5 * (n + d + 1) * log_det(X, xp=xp) - 0.5 * xp.sum(xp.sum(W * W)) - constant

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Inverses of Wishart draws."""
        p = self._with(to_host)
        return np.linalg.inv(Wishart(p.df, np.linalg.inv(p.scale)).sample(shape, random_state=random_state))


@family
class NormalInverseWishart(Family):
    """cov ~ InverseWishart(df, scale), and mean given cov normal around `mean` with covariance cov/mean_count."""

    mean: Array = real_vector()
    mean_count: Array = positive()
    df: Array = positive()
    scale: Array = real_matrix()

    def _check_together(self) -> None:
        _check(self)
        if self.mean.shape[-1] != self.scale.shape[-1]:
            sizes = f"mean of {self.mean.shape[-1]} and scale of {self.scale.shape[-1]} dimensions"
            msg = f"NormalInverseWishart got {sizes}; expected the same."
            raise InvalidDistribution(msg)

    @property
    def event_shape(self) -> tuple[Any, ...]:
        """A vector and a matrix."""
        d = int(self.scale.shape[-1])
        return ((d,), (d, d))

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        # ½[dψ(κ₂/κ₁ − 1) + κ₂ν₁ΔᵀΨ₁⁻¹Δ] + the inverse Wishart part
        if type(q) is not NormalInverseWishart:
            return None
        d = self.scale.shape[-1]
        values = relative_eigenvalues(q.scale, self.scale, xp=xp)
        away = mahalanobis(self.mean - q.mean, xp.cholesky(self.scale), xp)
        counts = self.mean_count + 0.0 * q.mean_count, q.mean_count + 0.0 * self.mean_count
        location = 0.5 * (d * psi_ratio(*counts, xp=xp) + q.mean_count * self.df * away)
        return Answer(location + _wishart_kl(self.df, q.df, values, d, xp), STABLE)

    def _entropy(self, xp: Namespace) -> Array:
        from kullback.families.normal import HALF_LOG_2PI, made

        n, d = self.df, self.scale.shape[-1]
        expected_log_det = log_det(xp.cholesky(self.scale), xp=xp) - d * math.log(2) - _digammas(n, d, xp)
        vector = d * (HALF_LOG_2PI + 0.5) + 0.5 * (expected_log_det - d * xp.log(self.mean_count))
        return vector + made(InverseWishart, df=self.df, scale=self.scale)._entropy(xp)

    def log_prob(self, x: Any, /) -> Array:
        """Log-density at a pair (mean, cov)."""
        from kullback.families.multivariate_normal import MultivariateNormal

        mean, cov = x
        count = self.mean_count if isinstance(self.mean_count, float) else self.mean_count[..., None, None]
        return MultivariateNormal(self.mean, cov / count).log_prob(mean) + InverseWishart(self.df, self.scale).log_prob(
            cov
        )

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Any:
        """A pair (mean, cov) of draws."""
        p, rng = self._with(to_host), generator(random_state)
        cov = InverseWishart(p.df, p.scale).sample(shape, random_state=rng)
        z = rng.standard_normal(cov.shape[:-1])
        L = np.linalg.cholesky(cov)
        return p.mean + (L @ z[..., None])[..., 0] / np.sqrt(p.mean_count)[..., None], cov
