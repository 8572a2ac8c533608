"""KL between two Dirichlet laws (Beta is K = 2) in which nothing cancels, from 1e−8 to 1e15.

KL = Σ B_Γ(aᵢ, cᵢ) − B_Γ(A, C) with A = Σa, C = Σc. Two forms: one for parameters of like sizes, one for a parameter
that outweighs all others together, whose B_Γ is nearly that of the sum.
"""

from __future__ import annotations

from typing import Any

from kullback._special import _STIRLING, GAMMA_SHIFT, gamma_bregman, gamma_rest, gamma_shifted, psi, psi_ratio
from kullback.families.namespace import is_concrete, replaced

Array = Any
Namespace = Any

# a parameter is large beside the sum of the others from here on
_SHARE = 0.1
# beyond it the others' own B_Γ is what cancels, and the form for like sizes loses nothing
_LIGHT = 100.0


def dirichlet_kl(a: list[Array], c: list[Array], *, xp: Namespace) -> Array:
    """Σ B_Γ(aᵢ, cᵢ) − B_Γ(Σa, Σc), one array per component, all of one shape."""
    h = [y - x for x, y in zip(a, c, strict=True)]
    value = _alike(a, c, h, xp)
    for i in range(len(a)):
        others = [j for j in range(len(a)) if j != i]
        s, s_h = _total([a[j] for j in others]), _total([h[j] for j in others])
        chosen = _outweighs(a[i], s) & _outweighs(c[i], s + s_h)
        value = replaced(value, chosen, [*a, *c, *h, s, s_h], lambda xs, i=i: _outweighed(xs, i, xp), xp)
    return value


def dirichlet_kl_rows(a: Array, c: Array, *, xp: Namespace) -> Array:
    """`dirichlet_kl` with the components along the last axis."""
    h = c - a
    value = _alike_rows(a, c, h, xp)
    A, C = xp.sum(a), xp.sum(c)
    top = xp.max(a)[..., None]
    largest = a == top
    b, d = top[..., 0], xp.sum(xp.where(largest, c, xp.zeros_like(c)))
    # A − b counts ties, of which none outweighs the others
    chosen = _outweighs(b, A - b) & _outweighs(d, C - d)
    if is_concrete(chosen) and not bool(chosen.any()):
        return value
    zero = xp.zeros_like(a)
    small = [xp.where(largest, zero, x) for x in (a, h)]
    own = xp.sum(xp.where(largest, zero, gamma_bregman(a, c, h, xp=xp)))
    moved = xp.sum(xp.where(largest, h, zero))
    near = own + _difference(b, moved, xp.sum(small[0]), xp.sum(small[1]), xp)
    return xp.where(chosen, near, value)


def _outweighs(x: Array, others: Array) -> Any:
    """Whether x is so much larger than the others together that B_Γ(x) is nearly that of the sum."""
    return (others < _SHARE * x) & (others < _LIGHT)


# ---- one parameter outweighs the others ------------------------------------------------------------------------------


def _outweighed(xs: list[Array], i: int, xp: Namespace) -> Array:
    k = (len(xs) - 2) // 3
    a, c, h, (s, s_h) = xs[:k], xs[k : 2 * k], xs[2 * k : 3 * k], xs[3 * k :]
    own = _total([gamma_bregman(a[j], c[j], h[j], xp=xp) for j in range(k) if j != i])
    return own + _difference(a[i], h[i], s, s_h, xp)


def _difference(b: Array, h: Array, s: Array, s_h: Array, xp: Namespace) -> Array:
    """B_Γ(b, b+h) − B_Γ(b+s, b+h+s+s_h), s small beside b.

    Term by term of `gamma_bregman`: x = h/b, y = (h+s_h)/(b+s), δ = x − y, z = δ/(1+y), χ(x) = (1+x)log1p(x) − x and
    ψ(x) − ψ(y) = ψ(z) + δy/(1+y) and bχ(x) − (b+s)χ(y) = bδ·log1p(y) + b(1+y)χ(z) − sχ(y).
    """
    low = (b < GAMMA_SHIFT) | (b + h < GAMMA_SHIFT)

    def parts(shift: Any) -> tuple[Array, Array, Array, Array]:
        x, total = b + shift, b + shift + s
        b_delta = (h * s - s_h * x) / total
        y = (h + s_h) / total
        return x, b_delta, y, b_delta / x / (1.0 + y)

    def psi_difference(shift: Any) -> Array:
        x, b_delta, y, z = parts(shift)
        return psi(z, xp=xp) + b_delta / x * (y / (1.0 + y))

    recurrence = 0.0 * h
    for k in range(GAMMA_SHIFT):
        recurrence = recurrence + psi_difference(xp.where(low, float(k) + 0.0 * h, 0.0 * h))
    shift = xp.where(low, GAMMA_SHIFT + 0.0 * h, 0.0 * h)
    x, b_delta, y, z = parts(shift)
    leading = b_delta * xp.log1p(y) + x * (1.0 + y) * _chi(z, xp) - s * _chi(y, xp)
    value = leading + 0.5 * psi_difference(shift) + _series_difference(x, h, s, s_h)
    return value + xp.where(low, recurrence, 0.0 * recurrence)


def _series_difference(x: Array, h: Array, s: Array, s_h: Array) -> Array:
    """`gamma_series` at x and x + h less that at x + s and x + h + s + s_h, which would lose the digits of a small s.

    Its factors and Pₙ step by step, the difference of a product as Δ(uv) = Δu·v + u′·Δv, u′ the one of the sum.
    """
    p, u, q, v = 1.0 / x, 1.0 / (x + h), 1.0 / (x + s), 1.0 / (x + h + (s + s_h))
    p_less, u_less = p * (q * s), u * (v * (s + s_h))
    total_less, their_total = 0.0, 0.0
    polynomial_less, their_polynomial = 0.0, 0.0
    power_less, their_power = 0.0, 1.0
    for n in range(1, 2 * len(_STIRLING)):
        power_less, their_power = power_less * p + their_power * p_less, their_power * q
        polynomial_less = polynomial_less * u + their_polynomial * u_less + n * power_less
        their_polynomial = their_polynomial * v + n * their_power
        if n % 2:
            total_less = total_less + _STIRLING[n // 2] * polynomial_less
            their_total = their_total + _STIRLING[n // 2] * their_polynomial
    # h²pu·total − (h + s_h)²qv·their_total
    squares = (h * p) * (h * u_less) + (h * p_less) * (h * v) - (s_h * q) * ((2.0 * h + s_h) * v)
    return (h * p) * (h * u) * total_less + squares * their_total


def _chi(x: Array, xp: Namespace) -> Array:
    """(1+x)log1p(x) − x = (1+x)·ψ(−x/(1+x)) ≥ 0."""
    return (1.0 + x) * psi(-x / (1.0 + x), xp=xp)


# ---- parameters of like sizes ----------------------------------------------------------------------------------------


def _alike(a: list[Array], c: list[Array], h: list[Array], xp: Namespace) -> Array:
    """Stirling's leading parts Σ cᵢlog(cᵢ/aᵢ) − C·log(C/A) taken together.

    They are Σ cᵢψ((C/cᵢ)(aᵢ/A) − 1) ≥ 0, C times the KL divergence of the means. Small parameters are first moved up by
    n = 10, which moves A to A′ = A + M, and
    A·χ(H/A) = A′χ(H/A′) + (A+H)ψ(−y) + Mψ(H/A′), y = HM/(A′(A+H)), with A·χ(H/A) = C·log(C/A) − H.
    """
    if (plain := getattr(getattr(xp, "plain", None), "dirichlet_alike", None)) is not None:
        return plain(a, c, h)
    A, C, H = _total(a), _total(c), _total(h)
    shifted = [gamma_shifted(x, y, d, xp=xp) for x, y, d in zip(a, c, h, strict=True)]
    value = _total([up for up, _, _ in shifted])
    A_all = _total([x for _, x, _ in shifted])
    C_all = A_all + H
    T = H / A_all
    for (_, x, y), d in zip(shifted, h, strict=True):
        t = d / x
        # (1 + T)/(1 + t) − 1, the difference of T and t taken before anything is rounded away
        value = value + y * psi_ratio(y / x, C_all / A_all, T - t, xp=xp) + gamma_rest(x, y, d, xp=xp)
    return value - _rest_of_total(A, C, H, A_all, C_all, xp)


def _alike_rows(a: Array, c: Array, h: Array, xp: Namespace) -> Array:
    A, C, H = xp.sum(a), xp.sum(c), xp.sum(h)
    up, x, y = gamma_shifted(a, c, h, xp=xp)
    A_all = xp.sum(x)
    C_all = A_all + H
    t, T = h / x, (H / A_all)[..., None]
    means = (C_all / A_all)[..., None]
    value = xp.sum(up + y * psi_ratio(y / x, means + 0.0 * x, T - t, xp=xp) + gamma_rest(x, y, h, xp=xp))
    return value - _rest_of_total(A, C, H, A_all, C_all, xp)


def _total(xs: list[Array]) -> Array:
    total = xs[0]
    for x in xs[1:]:
        total = total + x
    return total


def _rest_of_total(A: Array, C: Array, H: Array, A_all: Array, C_all: Array, xp: Namespace) -> Array:
    up, A0, C0 = gamma_shifted(A, C, H, xp=xp)
    moved = A_all - A0
    y = H / A_all * (moved / C0)
    joined = C0 * psi_ratio(1.0 + 0.0 * y, 1.0 - y, -y, xp=xp) + moved * psi_ratio(A_all, C_all, H, xp=xp)
    return up + joined + gamma_rest(A0, C0, H, xp=xp)
