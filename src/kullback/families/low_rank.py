"""LowRankMultivariateNormal, and KL between normal laws of covariance D + WWᵀ in O(d·r²), with no d × d matrix."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kullback._special import psi_ratio
from kullback.errors import InvalidDistribution
from kullback.families.answer import Answer
from kullback.families.base import Family, generator, sample_shape, work
from kullback.families.covariance import log_det
from kullback.families.multivariate_normal import MultivariateNormal, multivariate_normal_kl
from kullback.families.namespace import to_host
from kullback.families.normal import HALF_LOG_2PI, made
from kullback.families.parameters import family, positive_vector, real_matrix, real_vector

Array = Any
Namespace = Any
_NODES = np.polynomial.legendre.leggauss(16)


@family
class LowRankMultivariateNormal(Family):
    """The normal law of covariance cov_factor·cov_factorᵀ + diag(cov_diag), as in torch."""

    loc: Array = real_vector()
    cov_factor: Array = real_matrix()
    cov_diag: Array = positive_vector()
    _carrier: ClassVar[str] = "all vectors"

    def _check_together(self) -> None:
        sizes = {self.loc.shape[-1], self.cov_factor.shape[-2], self.cov_diag.shape[-1]}
        if len(sizes) > 1:
            msg = (
                f"LowRankMultivariateNormal got loc of {self.loc.shape[-1]}, cov_factor of {self.cov_factor.shape[-2]} "
                f"and cov_diag of {self.cov_diag.shape[-1]} dimensions; expected the same."
            )
            raise InvalidDistribution(msg)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(d,)."""
        return (int(self.cov_diag.shape[-1]),)

    def _factors(self, xp: Namespace) -> tuple[Array, Array, Array]:
        return self.loc, self.cov_diag, self.cov_factor

    def _dense(self, xp: Namespace) -> MultivariateNormal:
        W, d = self.cov_factor, self.cov_diag
        cov = xp.matmul(W, xp.transpose(W)) + d[..., None] * xp.double(np.eye(d.shape[-1]))
        dense: MultivariateNormal = made(MultivariateNormal, mean=self.loc, cov=cov)
        return dense

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        return multivariate_normal_kl(self, q, xp)

    def _log_det(self, A: Array, xp: Namespace) -> Array:
        return xp.sum(xp.log(self.cov_diag)) + log_det(xp.cholesky(_capacitance(A, xp)), xp=xp)

    def _entropy(self, xp: Namespace) -> Array:
        A = self.cov_factor / xp.sqrt(self.cov_diag)[..., None]
        return self.cov_diag.shape[-1] * (HALF_LOG_2PI + 0.5) + 0.5 * self._log_det(A, xp)

    def log_prob(self, x: Array, /) -> Array:
        """Log-density at x along the last axis."""
        x = np.asarray(x, dtype=float) if not hasattr(x, "shape") else x
        xp = work(x, *self._leaves())
        p = self._lifted(xp)
        root = xp.sqrt(p.cov_diag)
        A = p.cov_factor / root[..., None]
        z = _square((xp.double(x) - p.loc) / root, A, _capacitance(A, xp), xp)
        return -0.5 * (z + p._log_det(A, xp)) - root.shape[-1] * HALF_LOG_2PI

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Vectors, shape `shape` + batch shape + (d,)."""
        p, rng = self._with(to_host), generator(random_state)
        size = sample_shape(shape) + self.batch_shape
        z = rng.standard_normal(size + self.event_shape)
        common = rng.standard_normal((*size, self.cov_factor.shape[-1]))
        return p.loc + np.sqrt(p.cov_diag) * z + (p.cov_factor @ common[..., None])[..., 0]


def low_rank_kl(p: Any, q: Any, xp: Namespace) -> Array:
    """½[Δᵀ S₂⁻¹Δ + tr(S₂⁻¹S₁) − d − log det(S₂⁻¹S₁)], S = D + WWᵀ, from (mean, D, W).

    In units of √D₂: S₂ = I + A₂A₂ᵀ, S₁ = I + δ + A₁A₁ᵀ, E = A₁ − A₂, T = I + A₁A₁ᵀ between them, C = I + AᵀA. It
    is the spread of T and S₂, plus that of S₁ and T, plus tr((S₂⁻¹ − T⁻¹)δ). T − S₂ = BJBᵀ with B = [A₂, E] and
    J = [[0, I], [I, I]] has the relative eigenvalues of X = J·BᵀS₂⁻¹B; C₁ at D₁ is C₁ − N, N = A₁ᵀ(δ/(1+δ))A₁.
    """
    (m1, D1, W1), (m2, D2, W2) = p, q
    root = xp.sqrt(D2)
    delta = (D1 - D2) / D2
    A1, A2 = W1 / root[..., None], W2 / root[..., None]
    r = max(A1.shape[-1], A2.shape[-1])
    A1, A2 = _padded(A1, r, xp), _padded(A2, r, xp)
    E = _padded(W1, r, xp) - _padded(W2, r, xp)
    E = E / root[..., None]
    C1, C2 = _capacitance(A1, xp), _capacitance(A2, xp)
    t = xp.transpose
    # S₂⁻¹A₂ = A₂C₂⁻¹ and A₂ᵀS₂⁻¹ = C₂⁻¹A₂ᵀ, in which nothing cancels
    A2E = xp.solve(C2, xp.matmul(t(A2), E))
    G22, G2E = xp.solve(C2, xp.matmul(t(A2), A2)), A2E
    S2_E = E - xp.matmul(A2, A2E)
    GE2, GEE = t(G2E), xp.matmul(t(E), S2_E)
    X = _blocks(GE2, GEE, G22 + GE2, G2E + GEE, xp)
    spread = _excess(X, log_det(xp.cholesky(C1), xp=xp) - log_det(xp.cholesky(C2), xp=xp), xp)
    # S₁ against T
    N = xp.matmul(t(A1), (delta / (1.0 + delta))[..., None] * A1)
    second = xp.matmul(t(A1), (delta * delta / (1.0 + delta))[..., None] * A1)
    C_moved = C1 - N
    moved = _excess(-xp.solve(C1, N), log_det(xp.cholesky(C_moved), xp=xp) - log_det(xp.cholesky(C1), xp=xp), xp)
    trace = xp.sum(xp.diagonal(xp.solve(C1, second)))
    spread = spread + xp.sum(psi_ratio(D2 + 0.0 * D1, D1 + 0.0 * D2, xp=xp)) - trace + moved
    # the cross term: (S₂⁻¹ − T⁻¹)ᵢᵢ = (S₂⁻¹BJ)ᵢ·(T⁻¹B)ᵢ
    S2_A2 = t(xp.solve(C2, t(A2)))
    T_E = E - xp.matmul(A1, xp.solve(C1, xp.matmul(t(A1), E)))
    T_A2 = t(xp.solve(C1, t(A1))) - T_E
    spread = spread + xp.sum(delta * (xp.sum(S2_E * T_A2) + xp.sum((S2_A2 + S2_E) * T_E)))
    return 0.5 * (_square((m1 - m2) / root, A2, C2, xp) + spread)


def _capacitance(A: Array, xp: Namespace) -> Array:
    return xp.matmul(xp.transpose(A), A) + xp.double(np.eye(A.shape[-1]))


def _square(z: Array, A: Array, C: Array, xp: Namespace) -> Array:
    """zᵀ(I + AAᵀ)⁻¹z = |z − Ac|² + |c|², c = C⁻¹Aᵀz."""
    c = xp.solve(C, xp.matmul(xp.transpose(A), z[..., None]))
    y = z - xp.matmul(A, c)[..., 0]
    return xp.sum(y * y) + xp.sum(c[..., 0] * c[..., 0])


def _excess(X: Array, log_det_: Array, xp: Namespace) -> Array:
    """Tr X − log det(I + X): near 0 as ∫₀¹ t·tr(X(I + tX)⁻¹X)dt, in which first orders do not appear."""
    eye = xp.double(np.eye(X.shape[-1]))
    near = xp.sum(xp.sum(X * xp.transpose(X))) < 0.04
    Y = xp.where(near[..., None, None], X, 0.0 * X)
    close = 0.0
    for node, weight in zip(*_NODES, strict=True):
        s = 0.5 * (1.0 + float(node))
        inner = xp.matmul(Y, xp.solve(eye + s * Y, Y))
        close = close + 0.5 * float(weight) * s * xp.sum(xp.diagonal(inner))
    return xp.where(near, close, xp.sum(xp.diagonal(X)) - log_det_)


def _padded(W: Array, r: int, xp: Namespace) -> Array:
    """W with columns of zeros up to r."""
    missing = r - W.shape[-1]
    if not missing:
        return W
    zeros = xp.broadcast_to(xp.double(np.zeros(missing)), (*W.shape[:-1], missing))
    return xp.concat([W, zeros])


def _blocks(a: Array, b: Array, c: Array, d: Array, xp: Namespace) -> Array:
    t = xp.transpose
    return t(xp.concat([t(xp.concat([a, b])), t(xp.concat([c, d]))]))
