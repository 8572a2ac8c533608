"""Pairs of covariance matrices: checks, and ½Σψ(λᵢ) with λ the relative difference S₂⁻¹(S₁ − S₂)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._special import psi
from kullback.errors import InvalidDistribution
from kullback.families.namespace import is_concrete, to_host

Array = Any
Namespace = Any


def check_spd(x: Any, where: str) -> None:
    """Refuse what is not square, symmetric and positive definite, by the first bad member of the batch."""
    if x.shape[-1] != x.shape[-2]:
        msg = f"{where} has shape {tuple(x.shape)}; expected square matrices in the last two axes."
        raise InvalidDistribution(msg)
    if not is_concrete(x):
        return
    host = to_host(x.detach() if hasattr(x, "detach") else x)
    gap = np.abs(host - np.swapaxes(host, -1, -2)).max(axis=(-2, -1))
    size = np.abs(host).max(axis=(-2, -1))
    eps = 1e-5 if str(x.dtype).endswith(("32", "16")) else 1e-10
    if (gap > eps * size).any():
        at = tuple(int(i) for i in np.argwhere(gap > eps * size)[0])
        msg = f"{_at(where, at)} is not symmetric: it differs from its transpose by {gap[at]:.3g}."
        raise InvalidDistribution(msg)
    try:
        np.linalg.cholesky(host)
    except np.linalg.LinAlgError:
        low = np.linalg.eigvalsh(host).min(axis=-1)
        at = tuple(int(i) for i in np.argwhere(low == low.min())[0])
        msg = f"{_at(where, at)} is not positive definite: its smallest eigenvalue is {low[at]:.3g}; expected > 0."
        raise InvalidDistribution(msg) from None


def _at(where: str, at: tuple[int, ...]) -> str:
    return f"{where}[{', '.join(map(str, at))}]" if at else where


def whitened(S1: Array, S2: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """(L₂, X) with S₂ = L₂L₂ᵀ and X = L₂⁻¹(S₁ − S₂)L₂⁻ᵀ, symmetric; the difference is taken before anything is lost."""
    L2 = xp.cholesky(S2)
    half = xp.solve_lower(L2, S1 - S2)
    X = xp.solve_lower(L2, xp.transpose(half))
    return L2, 0.5 * (X + xp.transpose(X))


def relative_eigenvalues(S1: Array, S2: Array, *, xp: Namespace) -> Array:
    """The eigenvalues of S₂⁻¹S₁ − I, each to its own relative precision where it is not near −1."""
    _, X = whitened(S1, S2, xp=xp)
    return xp.eigvalsh(X)


def spread(S1: Array, S2: Array, *, xp: Namespace) -> Array:
    """Σψ(λᵢ) = tr(S₂⁻¹S₁) − d − log det(S₂⁻¹S₁) ≥ 0: by eigenvalues near S₁ = S₂, else by Cholesky factors."""
    L2, X = whitened(S1, S2, xp=xp)
    values = xp.eigvalsh(X)
    far = (values < -0.5) | (values > 1e3)
    safe = xp.where(far, xp.zeros_like(values), values)
    near_value = xp.sum(psi(safe, xp=xp))
    any_far = xp.sum(xp.where(far, xp.ones_like(values), xp.zeros_like(values))) > 0
    L1 = xp.cholesky(S1)
    W = xp.solve_lower(L2, L1)
    d = float(S1.shape[-1])
    logs = xp.log(xp.abs(xp.diagonal(W)))
    far_value = xp.sum(xp.sum(W * W)) - d - 2.0 * xp.sum(logs)
    return xp.where(any_far, far_value, near_value)


def log_det(L: Array, *, xp: Namespace) -> Array:
    """Log det(LLᵀ)."""
    return 2.0 * xp.sum(xp.log(xp.diagonal(L)))


def multivariate_gamma_log(a: Array, d: int, *, xp: Namespace) -> Array:
    """lnΓ_d(a)."""
    total = 0.25 * d * (d - 1) * math.log(math.pi)
    for j in range(d):
        total = total + xp.gammaln(a - 0.5 * j)
    return total
