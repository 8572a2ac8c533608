"""The normal law on vectors and matrices: MultivariateNormal, MatrixNormal."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kullback._special import psi
from kullback.errors import InvalidDistribution
from kullback.families.answer import STABLE, Answer
from kullback.families.base import Family, generator, sample_shape, work
from kullback.families.covariance import check_spd, log_det, relative_eigenvalues, spread
from kullback.families.namespace import to_host
from kullback.families.normal import HALF_LOG_2PI
from kullback.families.parameters import family, real_matrix, real_vector

Array = Any
Namespace = Any


@family
class MultivariateNormal(Family):
    """The normal law of mean vector `mean` and covariance matrix `cov`."""

    mean: Array = real_vector()
    cov: Array = real_matrix()
    _carrier: ClassVar[str] = "all vectors"

    def _check_together(self) -> None:
        check_spd(self.cov, "MultivariateNormal.cov")
        if self.mean.shape[-1] != self.cov.shape[-1]:
            sizes = f"mean of {self.mean.shape[-1]} and cov of {self.cov.shape[-1]} dimensions"
            msg = f"MultivariateNormal got {sizes}; expected the same."
            raise InvalidDistribution(msg)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(d,)."""
        return (int(self.cov.shape[-1]),)

    def _dense(self, xp: Namespace) -> MultivariateNormal:
        return self

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        return multivariate_normal_kl(self, q, xp)

    def _entropy(self, xp: Namespace) -> Array:
        d = self.cov.shape[-1]
        return d * (HALF_LOG_2PI + 0.5) + 0.5 * log_det(xp.cholesky(self.cov), xp=xp)

    def log_prob(self, x: Array, /) -> Array:
        """Log-density at x along the last axis."""
        x = np.asarray(x, dtype=float) if not hasattr(x, "shape") else x
        xp = work(x, *self._leaves())
        p = self._lifted(xp)
        L = xp.cholesky(p.cov)
        z = mahalanobis(xp.double(x) - p.mean, L, xp)
        return -0.5 * z - L.shape[-1] * HALF_LOG_2PI - 0.5 * log_det(L, xp=xp)

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Vectors, shape `shape` + batch shape + (d,)."""
        mean, cov = to_host(self.mean), to_host(self.cov)
        z = generator(random_state).standard_normal(sample_shape(shape) + self.batch_shape + self.event_shape)
        return mean + (np.linalg.cholesky(cov) @ z[..., None])[..., 0]


@family
class MatrixNormal(Family):
    """A normal matrix with covariance row_cov between rows and col_cov between columns (SciPy's rowcov, colcov)."""

    mean: Array = real_matrix()
    row_cov: Array = real_matrix()
    col_cov: Array = real_matrix()
    _carrier: ClassVar[str] = "all matrices"

    def _check_together(self) -> None:
        check_spd(self.row_cov, "MatrixNormal.row_cov")
        check_spd(self.col_cov, "MatrixNormal.col_cov")
        if tuple(self.mean.shape[-2:]) != (self.row_cov.shape[-1], self.col_cov.shape[-1]):
            msg = (
                f"MatrixNormal got a mean of shape {tuple(self.mean.shape[-2:])}, row_cov of {self.row_cov.shape[-1]} "
                f"and col_cov of {self.col_cov.shape[-1]} dimensions; expected (rows, columns)."
            )
            raise InvalidDistribution(msg)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(rows, columns)."""
        return (int(self.row_cov.shape[-1]), int(self.col_cov.shape[-1]))

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        # ½[tr(V₂⁻¹ΔᵀU₂⁻¹Δ) + Σᵢⱼψ(λᵢ + μⱼ + λᵢμⱼ)], λ and μ the relative eigenvalues of the two covariances
        if type(q) is not MatrixNormal:
            return None
        rows = relative_eigenvalues(self.row_cov, q.row_cov, xp=xp)[..., :, None]
        columns = relative_eigenvalues(self.col_cov, q.col_cov, xp=xp)[..., None, :]
        shape = xp.sum(xp.sum(psi(rows + columns + rows * columns, xp=xp)))
        half = xp.solve_lower(xp.cholesky(q.row_cov), self.mean - q.mean)
        both = xp.solve_lower(xp.cholesky(q.col_cov), xp.transpose(half))
        return Answer(0.5 * (shape + xp.sum(xp.sum(both * both))), STABLE)

    def _entropy(self, xp: Namespace) -> Array:
        n, m = self.event_shape
        rows, columns = (log_det(xp.cholesky(S), xp=xp) for S in (self.row_cov, self.col_cov))
        return n * m * (HALF_LOG_2PI + 0.5) + 0.5 * (m * rows + n * columns)

    def log_prob(self, x: Array, /) -> Array:
        """Log-density at the matrices x."""
        x = np.asarray(x, dtype=float) if not hasattr(x, "shape") else x
        xp = work(x, *self._leaves())
        p = self._lifted(xp)
        n, m = self.event_shape
        L, R = xp.cholesky(p.row_cov), xp.cholesky(p.col_cov)
        z = xp.solve_lower(R, xp.transpose(xp.solve_lower(L, xp.double(x) - p.mean)))
        return -0.5 * (xp.sum(xp.sum(z * z)) + m * log_det(L, xp=xp) + n * log_det(R, xp=xp)) - n * m * HALF_LOG_2PI

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Matrices, shape `shape` + batch shape + (rows, columns)."""
        p = self._with(to_host)
        z = generator(random_state).standard_normal(sample_shape(shape) + self.batch_shape + self.event_shape)
        L, R = np.linalg.cholesky(p.row_cov), np.linalg.cholesky(p.col_cov)
        return p.mean + L @ z @ np.swapaxes(R, -1, -2)


def multivariate_normal_kl(p: Any, q: Any, xp: Namespace) -> Answer | None:
    """½[Δᵀ S₂⁻¹ Δ + Σψ(λᵢ)]: location and spread, both ≥ 0; by factors where both have them."""
    ours, theirs = (getattr(x, "_factors", lambda _: None)(xp) for x in (p, q))
    if ours is not None and theirs is not None:
        from kullback.families.low_rank import low_rank_kl

        return Answer(low_rank_kl(ours, theirs, xp), STABLE)
    as_dense = getattr(q, "_dense", None)
    dense = None if as_dense is None else as_dense(xp)
    if type(dense) is not MultivariateNormal:
        return None
    ours = p._dense(xp)
    location = mahalanobis(ours.mean - dense.mean, xp.cholesky(dense.cov), xp)
    return Answer(0.5 * (location + spread(ours.cov, dense.cov, xp=xp)), STABLE)


def mahalanobis(d: Array, L: Array, xp: Namespace) -> Array:
    """dᵀ(LLᵀ)⁻¹d."""
    z = xp.solve_lower(L, d[..., None])[..., 0]
    return xp.sum(z * z)


def normal_parts(p: Any, q: Any) -> tuple[Any, Any, Any]:
    """Location per dimension, scale per dimension, correlation per pair i > j of KL between two normal vectors.

    With G = chol(S₂)⁻¹chol(S₁) = I + W: ½z², z = L₂⁻¹Δ; ½(wᵢᵢ² + 2ψ(wᵢᵢ)); ½wᵢⱼ². All ≥ 0, and they add up. W is found
    from X = L₂⁻¹(S₁−S₂)L₂⁻ᵀ by a Cholesky recursion for I + X that keeps the digits of a small X.
    """
    from kullback.families.covariance import whitened
    from kullback.families.namespace import namespace_of

    xp = namespace_of(np.zeros(1))
    p, q = p._with(to_host)._dense(xp), q._with(to_host)._dense(xp)
    L2, X = whitened(p.cov, q.cov, xp=xp)
    d = len(X)
    W = np.zeros((d, d))
    for j in range(d):
        s = X[j, j] - W[j, :j] @ W[j, :j]
        W[j, j] = s / (1.0 + math.sqrt(max(1.0 + s, 0.0)))
        W[j + 1 :, j] = (X[j + 1 :, j] - W[j + 1 :, :j] @ W[j, :j]) / (1.0 + W[j, j])
    z = xp.solve_lower(L2, (p.mean - q.mean)[:, None])[:, 0]
    w = np.diagonal(W)
    return 0.5 * z * z, 0.5 * w * w + psi(w, xp=np), 0.5 * W * W * np.tri(d, k=-1)
