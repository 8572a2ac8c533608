"""KL between two Dirichlet laws (Beta is K = 2) in which nothing cancels, from 1e−8 to 1e15."""

from __future__ import annotations

from typing import Any

from kullback._special import gamma_rest, gamma_shifted, psi_ratio

Array = Any
Namespace = Any


def dirichlet_kl(a: list[Array], c: list[Array], *, xp: Namespace) -> Array:
    """Σ B_Γ(aᵢ, cᵢ) − B_Γ(Σa, Σc), one array per component, all of one shape.

    Stirling's leading parts Σ cᵢlog(cᵢ/aᵢ) − C·log(C/A) belong together: they are Σ cᵢψ((C/cᵢ)(aᵢ/A) − 1) ≥ 0, C times
    the KL divergence of the means. Small parameters are first moved up by n = 10, which moves A to A′ = A + M, and
    A·χ(H/A) = A′χ(H/A′) + (A+H)ψ(−y) + Mψ(H/A′), y = HM/(A′(A+H)), with A·χ(H/A) = C·log(C/A) − H.
    """
    h = [y - x for x, y in zip(a, c, strict=True)]
    A, H = _total(a), _total(h)
    shifted = [gamma_shifted(x, y, d, xp=xp) for x, y, d in zip(a, c, h, strict=True)]
    value = _total([up for up, _, _ in shifted])
    A_all = _total([x for _, x, _ in shifted])
    C_all = A_all + H
    T = H / A_all
    for (_, x, y), d in zip(shifted, h, strict=True):
        t = d / x
        # (1 + T)/(1 + t) − 1, the difference of T and t taken before anything is rounded away
        value = value + y * psi_ratio(y / x, C_all / A_all, T - t, xp=xp) + gamma_rest(x, y, d, xp=xp)
    return value - _rest_of_total(A, H, A_all, C_all, xp)


def _total(xs: list[Array]) -> Array:
    total = xs[0]
    for x in xs[1:]:
        total = total + x
    return total


def dirichlet_kl_rows(a: Array, c: Array, *, xp: Namespace) -> Array:
    """`dirichlet_kl` with the components along the last axis."""
    h = c - a
    A, H = xp.sum(a), xp.sum(h)
    up, x, y = gamma_shifted(a, c, h, xp=xp)
    A_all = xp.sum(x)
    C_all = A_all + H
    t, T = h / x, (H / A_all)[..., None]
    means = (C_all / A_all)[..., None]
    value = xp.sum(up + y * psi_ratio(y / x, means + 0.0 * x, T - t, xp=xp) + gamma_rest(x, y, h, xp=xp))
    return value - _rest_of_total(A, H, A_all, C_all, xp)


def _rest_of_total(A: Array, H: Array, A_all: Array, C_all: Array, xp: Namespace) -> Array:
    up, A0, C0 = gamma_shifted(A, A + H, H, xp=xp)
    moved = A_all - A0
    y = H / A_all * (moved / C0)
    joined = C0 * psi_ratio(1.0 + 0.0 * y, 1.0 - y, -y, xp=xp) + moved * psi_ratio(A_all, C_all, H, xp=xp)
    return up + joined + gamma_rest(A0, C0, H, xp=xp)
