"""The primitives that keep every measure exact: ψ, φ, log1p-like helpers, right to the last bits and right at 0.

Each takes clean arrays of one namespace `xp` and is differentiable: a branch that is not taken is fed a harmless
argument, so that its derivative is finite (`where` differentiates both of its branches).
"""

from __future__ import annotations

import math
from typing import Any

Array = Any
Namespace = Any

# atanh series: 1/3, 1/5, 1/7, … ; t² ≤ .0295 below, so twelve terms leave less than 2⁻⁵⁶ of the leading one.
_ATANH = tuple(1.0 / (2 * k + 3) for k in range(12))
# 1/2!, 1/3!, … ; |u| ≤ .35, so fourteen terms.
_EXPM1 = tuple(1.0 / math.factorial(k) for k in range(2, 16))
# 1/(2k(2k−1)), k = 1…14 ; t² ≤ .09.
_SKEW = tuple(1.0 / (2 * k * (2 * k - 1)) for k in range(1, 15))

PSI_LOW, PSI_HIGH = -0.29, 0.41
PHI_RADIUS = 0.35
SKEW_RADIUS = 0.3


def _horner(coefficients: tuple[float, ...], x: Array) -> Array:
    total = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


def psi_series(s: Array) -> Array:
    """ψ(s) = s − log1p(s) = t·(s − 2t²(1/3 + t²/5 + …)), t = s/(2+s), for PSI_LOW < s < PSI_HIGH. No cancellation."""
    t = s / (2.0 + s)
    z = t * t
    return t * (s - 2.0 * z * _horner(_ATANH, z))


def psi(s: Array, *, xp: Namespace) -> Array:
    """ψ(s) = s − log1p(s) ≥ 0, s > −1; zero only at s = 0; ∞ at s = −1."""
    if (plain := getattr(xp, "plain", None)) is not None:
        return plain.psi_ratio(1.0, 1.0 + s, s)
    near = (s > PSI_LOW) & (s < PSI_HIGH)
    zero = xp.zeros_like(s)
    return xp.where(near, psi_series(xp.where(near, s, zero)), s - xp.log1p(xp.where(near, zero, s)))


def phi(u: Array, *, xp: Namespace) -> Array:
    """φ(u) = expm1(u) − u ≥ 0; zero only at u = 0."""
    if (plain := getattr(xp, "plain", None)) is not None:
        return plain.phi(u)
    near = xp.abs(u) < PHI_RADIUS
    zero = xp.zeros_like(u)
    small = xp.where(near, u, zero)
    far = xp.where(near, zero, u)
    return xp.where(near, small * small * _horner(_EXPM1, small), xp.expm1(far) - far)


def expm1(u: Array, *, xp: Namespace) -> Array:
    """Expm1 that keeps its digits near 0 in every library (torch's compiler writes exp(u) − 1)."""
    near = xp.abs(u) < PHI_RADIUS
    small = xp.where(near, u, xp.zeros_like(u))
    return xp.where(near, small + small * small * _horner(_EXPM1, small), xp.expm1(u))


def normal_kl_log(mean_p: Array, log_std_p: Array, mean_q: Array, log_std_q: Array, *, xp: Namespace) -> Array:
    """KL(N(μ₁,σ₁²)‖N(μ₂,σ₂²)) = ½[((μ₁−μ₂)/σ₂)² + φ(2·log(σ₁/σ₂))], from the logarithms of σ; both terms ≥ 0."""
    d = (mean_p - mean_q) * xp.exp(-log_std_q)
    return 0.5 * (d * d + phi(2.0 * (log_std_p - log_std_q), xp=xp))


def skew(t: Array, *, xp: Namespace) -> Array:
    """g(t) = ½[(1+t)log1p(t) + (1−t)log1p(−t)] = Σ t²ᵏ/(2k(2k−1)) for |t| < SKEW_RADIUS: the term of Jensen–Shannon."""
    del xp
    z = t * t
    return z * _horner(_SKEW, z)


def xlogy(x: Array, y: Array, *, xp: Namespace) -> Array:
    """x·log(y) with 0·log(y) = 0 for every y; gradients at x = 0 are 0 rather than NaN."""
    empty = x == 0
    return xp.where(empty, xp.zeros_like(x * y), x * xp.log(xp.where(empty, xp.ones_like(y), y)))


def log_sum_exp(a: Array, *, xp: Namespace) -> Array:
    """Log Σ exp(a) over the last axis, kept; −∞ entries contribute nothing; an all −∞ row gives −∞."""
    top = xp.max(a, axis=-1, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    total = xp.sum(xp.exp(a - top), axis=-1, keepdims=True)
    none = total == 0
    return xp.where(none, total - float("inf"), top + xp.log(xp.where(none, total + 1.0, total)))


def root(x: Array, *, xp: Namespace) -> Array:
    """√x with derivative 0 at 0, where a distance has none: the symmetric choice, and never NaN."""
    none = x == 0
    return xp.where(none, xp.zeros_like(x), xp.sqrt(xp.where(none, xp.ones_like(x), x)))


def at_most_one(x: Array, *, xp: Namespace) -> Array:
    """1 + a rounding error is 1."""
    return xp.where(x > 1.0, xp.ones_like(x), x)


def phi_ratio(v: Array, *, xp: Namespace) -> Array:
    """φ(v)/v = expm1(v)/v − 1 = v/2 + v²/6 + …; 0 at v = 0."""
    near = xp.abs(v) < PHI_RADIUS
    zero = xp.zeros_like(v)
    small = xp.where(near, v, zero)
    far = xp.where(near, zero + 1.0, v)
    return xp.where(near, small * _horner(_EXPM1, small), xp.expm1(far) / far - 1.0)


def log1p_ratio(x: Array, *, xp: Namespace) -> Array:
    """log1p(x)/x; 1 at x = 0."""
    none = x == 0
    safe = xp.where(none, xp.ones_like(x), x)
    return xp.where(none, xp.ones_like(x), xp.log1p(safe) / safe)


def expm1_ratio(x: Array, *, xp: Namespace) -> Array:
    """expm1(x)/x; 1 at x = 0, 0 at −∞."""
    none = (x == 0) | xp.isinf(x)
    safe = xp.where(none, xp.ones_like(x), x)
    limit = xp.where(x == 0, xp.ones_like(x), xp.where(x > 0, x, xp.zeros_like(x)))
    return xp.where(none, limit, xp.expm1(safe) / safe)


# ---- between parameters: ψ at a ratio, lnΓ without its tangent -------------------------------------------------------

# Σ B₂ⱼ/(2j(2j−1)) z^{−(2j−1)}, j = 1…8: what Stirling's formula leaves of lnΓ(z). Below 2⁻⁵³ of B_Γ from z = 10 on.
_STIRLING = (
    1 / 12,
    -1 / 360,
    1 / 1260,
    -1 / 1680,
    1 / 1188,
    -691 / 360360,
    1 / 156,
    -3617 / 122400,
)
GAMMA_SHIFT = 10


def log_ratio(x: Array, y: Array, *, xp: Namespace) -> Array:
    """log(x/y) for x, y > 0: exact when they are close, finite when x/y leaves the range of floats."""
    if (plain := getattr(xp, "plain", None)) is not None:
        return plain.log_ratio(x, y)
    s = (x - y) / y
    near = (s > -0.5) & (s < 1.0)
    ratio = x / y
    fits = (ratio > 0) & (ratio < float("inf"))
    one = xp.ones_like(ratio)
    far = xp.where(fits, xp.log(xp.where(fits, ratio, one)), xp.log(x) - xp.log(y))
    return xp.where(near, xp.log1p(xp.where(near, s, xp.zeros_like(s))), far)


def psi_ratio(x: Array, y: Array, h: Array | None = None, *, xp: Namespace) -> Array:
    """ψ(y/x − 1) = h/x − log(y/x) ≥ 0, h = y − x, for x > 0, y ≥ 0; give h where it is known exactly."""
    if (plain := getattr(xp, "plain", None)) is not None:
        return plain.psi_ratio(x, y, h)
    s = ((y - x) if h is None else h) / x
    near = (s > PSI_LOW) & (s < PSI_HIGH)
    zero = xp.zeros_like(s)
    one = xp.ones_like(s)
    return xp.where(near, psi_series(xp.where(near, s, zero)), s - log_ratio(xp.where(near, one, y), x + zero, xp=xp))


def relative_term(x: Array, y: Array, h: Array | None = None, *, xp: Namespace) -> Array:
    """x·log(x/y) − x + y ≥ 0 for x, y ≥ 0: the KL divergence of Poisson(x) from Poisson(y), and a term of any KL.

    Give h = y − x where it is known exactly.
    """
    h = y - x if h is None else h
    if (plain := getattr(xp, "plain", None)) is not None:
        return plain.relative_term(x, y, h)
    empty = x == 0
    one = xp.ones_like(x + y)
    x = xp.where(empty, one, x)
    change = xp.where(empty, 0.0 * one, h)
    return xp.where(empty, y + 0.0 * one, x * psi_ratio(x, xp.where(empty, one, y), change, xp=xp))


def gamma_bregman(a: Array, c: Array, h: Array | None = None, *, xp: Namespace) -> Array:
    """B_Γ(a, c) = lnΓ(c) − lnΓ(a) − (c−a)ψ₀(a) ≥ 0 for a, c > 0: lnΓ less its tangent, every term ≥ 0 or tiny.

    Below GAMMA_SHIFT by recurrence, B_Γ(a, c) = ψ(c/a − 1) + B_Γ(a+1, c+1); above it by Stirling's formula,
    c·ψ(a/c − 1) + ½ψ(c/a − 1) + the Bregman divergence of its remainder. ψ(s) = s − log1p(s). Give h = c − a where it
    is known exactly.
    """
    h = c - a if h is None else h
    up, above_a, above_c = gamma_shifted(a, c, h, xp=xp)
    return up + gamma_leading(above_a, above_c, h, xp=xp) + gamma_rest(above_a, above_c, h, xp=xp)


def gamma_step(a: Array, h: Array, *, xp: Namespace) -> Array:
    """lnΓ(a+h) − lnΓ(a): above GAMMA_SHIFT as hψ₀(a) + B_Γ(a, a+h), which no large lnΓ enters."""
    a, h = a + 0.0 * h, h + 0.0 * a
    large = a > GAMMA_SHIFT
    one = xp.ones_like(a)
    high, low = xp.where(large, a, GAMMA_SHIFT * one), xp.where(large, one, a)
    step, small = xp.where(large, h, 0.0 * h), xp.where(large, 0.0 * h, h)
    far = step * xp.digamma(high) + gamma_bregman(high, high + step, step, xp=xp)
    return xp.where(large, far, xp.gammaln(low + small) - xp.gammaln(low))


def gamma_shifted(a: Array, c: Array, h: Array, *, xp: Namespace) -> tuple[Array, Array, Array]:
    """Σ_{k < 10} ψ((c+k)/(a+k) − 1), a + 10, c + 10 where a or c is below GAMMA_SHIFT; 0, a, c elsewhere; h = c − a."""
    if (plain := getattr(xp, "plain", None)) is not None:
        up, low, high = plain.gamma_shifted(a, c, h)
        return up, low, high
    small = (a < GAMMA_SHIFT) | (c < GAMMA_SHIFT)
    zero = xp.zeros_like(h)
    one = xp.ones_like(h)
    low_a, low_c, low_h = xp.where(small, a, one), xp.where(small, c, one), xp.where(small, h, zero)
    total = zero
    for k in range(GAMMA_SHIFT):
        total = total + psi_ratio(low_a + k, low_c + k, low_h, xp=xp)
    return total, xp.where(small, a + GAMMA_SHIFT, a), xp.where(small, c + GAMMA_SHIFT, c)


def gamma_leading(a: Array, c: Array, h: Array, *, xp: Namespace) -> Array:
    """c·log(c/a) − h = c·ψ(a/c − 1): what Stirling's x·log x − x gives to B_Γ(a, c)."""
    return c * psi_ratio(c, a, -h, xp=xp)


def gamma_rest(a: Array, c: Array, h: Array, *, xp: Namespace) -> Array:
    """½ψ(c/a − 1) + S(c) − S(a) − h·S′(a): what −½log x and Stirling's series S give to B_Γ(a, c), a, c ≥ GAMMA_SHIFT.

    c⁻ⁿ − a⁻ⁿ + n·h·a⁻ⁿ⁻¹ = h²/(ac) · Pₙ with Pₙ = Σⱼ j·a⁻ʲ·c^{j−n}, in which nothing cancels.
    """
    if (plain := getattr(xp, "plain", None)) is not None:
        return plain.gamma_rest(a, c, h)
    return 0.5 * psi_ratio(a, c, h, xp=xp) + gamma_series(a, c, h)


def gamma_series(a: Array, c: Array, h: Array) -> Array:
    """S(c) − S(a) − h·S′(a) for Stirling's series S: the last part of `gamma_rest`."""
    p, u = 1.0 / a, 1.0 / c
    total, polynomial, power = 0.0, 0.0, 1.0
    for n in range(1, 2 * len(_STIRLING)):
        power = power * p
        polynomial = polynomial * u + n * power
        if n % 2:
            total = total + _STIRLING[n // 2] * polynomial
    return (h * p) * (h * u) * total


def normal_kl(mean_p: Array, std_p: Array, mean_q: Array, std_q: Array, *, xp: Namespace) -> Array:
    """KL(N(μ₁,σ₁²)‖N(μ₂,σ₂²)) = ½[(Δμ/σ₂)² + w² + 2ψ(w)], w = (σ₁−σ₂)/σ₂; every term ≥ 0."""
    if (fused := getattr(getattr(xp, "plain", None), "normal_kl", None)) is not None:
        return fused(mean_p, std_p, mean_q, std_q)
    d = (mean_p - mean_q) / std_q
    w = (std_p - std_q) / std_q
    return 0.5 * (d * d + w * w) + psi_ratio(std_q + 0.0 * w, std_p + 0.0 * w, xp=xp)
