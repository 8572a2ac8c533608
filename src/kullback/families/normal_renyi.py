"""Rényi's divergence between normal vectors and matrices, from the relative difference X = L₂⁻¹(S₁ − S₂)L₂⁻ᵀ alone.

With c = 1 − α, λ the eigenvalues of X and z = L₂⁻¹Δ: D_α = ½[α·zᵀ(I + cX)⁻¹z + Σ log1p(cλ)/c − log1p(λ)] (Gil, Alajaji
& Linder 2013, doi:10.1016/j.ins.2013.06.018), ∞ unless I + cX is positive definite. The sum is written as terms that
are all ≥ 0, so that close pairs keep their digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kullback._special import psi
from kullback.families.covariance import log_det, whitened

Array = Any
Namespace = Any


def normal_vectors(p: Any, q: Any, alpha: float, xp: Namespace) -> tuple[Array, Any]:
    """(D_α, where it is finite) of two lifted normal vectors."""
    p, q = p._dense(xp), q._dense(xp)
    L2, X = whitened(p.cov, q.cov, xp=xp)
    z = xp.solve_lower(L2, (p.mean - q.mean)[..., None])
    logs = log_det(xp.cholesky(p.cov), xp=xp) - log_det(L2, xp=xp)
    return _renyi(z, X, xp.eigvalsh(X), logs, alpha, xp)


def normal_matrices(p: Any, q: Any, alpha: float, xp: Namespace) -> tuple[Array, Any]:
    """(D_α, where it is finite) of two lifted normal matrices: vectors whose covariance is a Kronecker product."""
    n, m = p.event_shape
    R2, rows = whitened(p.row_cov, q.row_cov, xp=xp)
    C2, columns = whitened(p.col_cov, q.col_cov, xp=xp)
    half = xp.solve_lower(R2, p.mean - q.mean)
    z = xp.transpose(xp.solve_lower(C2, xp.transpose(half)))
    z = z.reshape((*z.shape[:-2], n * m, 1))
    X = _kron(rows, _eye(m, xp)) + _kron(_eye(n, xp), columns) + _kron(rows, columns)
    u, v = xp.eigvalsh(rows)[..., :, None], xp.eigvalsh(columns)[..., None, :]
    values = u + v + u * v
    values = values.reshape((*values.shape[:-2], n * m))
    logs = m * (log_det(xp.cholesky(p.row_cov), xp=xp) - log_det(R2, xp=xp))
    logs = logs + n * (log_det(xp.cholesky(p.col_cov), xp=xp) - log_det(C2, xp=xp))
    return _renyi(z, X, values, logs, alpha, xp)


def _renyi(z: Array, X: Array, values: Array, logs: Array, alpha: float, xp: Namespace) -> tuple[Array, Any]:
    """`values` are the eigenvalues of X, `logs` is log det(I + X) by Cholesky factors."""
    c = 1.0 - alpha
    exists = (1.0 + c * values > 0).all(-1)
    values = xp.where(exists[..., None], values, xp.zeros_like(values))
    eye = _eye(X.shape[-1], xp)
    between = eye + c * xp.where(exists[..., None, None], X, xp.zeros_like(X))
    w = xp.solve_lower(xp.cholesky(between), z)[..., 0]
    value = 0.5 * (alpha * xp.sum(w * w) + _spread(values, logs, c, xp))
    return value, exists


def _spread(values: Array, logs: Array, c: float, xp: Namespace) -> Array:
    """Σ log1p(cλ)/c − log1p(λ); an eigenvalue near −1 has lost the digits of 1 + λ, which `logs` has."""
    far = (values < -0.5) | (values > 1e3)
    near = xp.where(far, xp.zeros_like(values), values)
    if c > 0:  # KL(r‖q) and KL(r‖p), r between them
        t = near / (1.0 + c * near)
        terms = psi((1.0 - c) * t, xp=xp) + (1.0 - c) / c * psi(-c * t, xp=xp)
    else:
        terms = psi(near, xp=xp) - psi(c * near, xp=xp) / c
    any_far = xp.sum(xp.where(far, xp.ones_like(values), xp.zeros_like(values))) > 0
    return xp.where(any_far, xp.sum(xp.log1p(c * values)) / c - logs, xp.sum(terms))


def _eye(d: int, xp: Namespace) -> Array:
    return xp.double(np.eye(d))


def _kron(A: Array, B: Array) -> Array:
    both = A[..., :, None, :, None] * B[..., None, :, None, :]
    d = A.shape[-1] * B.shape[-1]
    return both.reshape((*both.shape[:-4], d, d))
