"""The member r ∝ p^α q^{1−α} of an exponential family: natural parameters on the straight line between p's and q's."""

from __future__ import annotations

from typing import Any

from kullback.families import (
    counts,
    directional,
    dirichlet,
    interval,
    normal,
    power_series,
    tails,
    trials,
    wishart,
)
from kullback.families.base import Family
from kullback.families.circular import ContinuousBernoulli, VonMises
from kullback.families.gamma import GeneralizedGamma
from kullback.families.normal import made
from kullback.families.stacy import Stacy
from kullback.families.symmetric import equal

Array = Any
Namespace = Any


def between(p: Any, q: Any, alpha: float, xp: Namespace) -> tuple[Family, Any] | None:
    """(r, where it exists), lifted; None for a pair that shares no exponential family. For α > 1, r may not exist."""
    if isinstance(p, Stacy) and isinstance(q, Stacy):
        known: tuple[Family, Any] | None = _stacy(p, q, alpha, xp)
        return known
    rule = _RULES.get(type(p))
    found: tuple[Family, Any] | None = rule(p, q, alpha, xp) if rule is not None and type(q) is type(p) else None
    return found


def _mix(x: Array, y: Array, alpha: float) -> Array:
    return alpha * x + (1.0 - alpha) * y


def _safe(x: Array, xp: Namespace) -> tuple[Array, Any]:
    exists = x > 0
    return xp.where(exists, x, xp.ones_like(x)), exists


def _normal(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    mean, std = ("mean", "std") if type(p) is normal.Normal else ("loc", "scale")
    (m1, s1), (m2, s2) = ((getattr(f, mean), getattr(f, std)) for f in (p, q))
    # in units of q: 1/s² = α(s₂/s₁)² + (1 − α)
    precision, exists = _safe(_mix((s2 / s1) ** 2, xp.ones_like(s1 + s2), alpha), xp)
    m = m2 + alpha * (s2 / s1) ** 2 / precision * (m1 - m2)
    return made(type(p), **{mean: m, std: s2 / xp.sqrt(precision)}), exists


def _stacy(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    (k1, c1), (k2, c2) = p._shape(), q._shape()
    if not equal(c1, c2) or not p._power_sign():
        return None
    (loc1, a1), (loc2, a2) = p._loc_scale(), q._loc_scale()
    zero = xp.double(0.0)
    loc1, loc2 = (zero if x is None else x for x in (loc1, loc2))
    if not equal(loc1, loc2):
        return None
    k, some = _safe(_mix(xp.double(k1), xp.double(k2), alpha), xp)
    ratio = xp.exp(xp.double(c2) * xp.log(xp.double(a2) / xp.double(a1)))  # (a₂/a₁)^c
    rate, exists = _safe(_mix(ratio, xp.ones_like(ratio), alpha), xp)
    scale = xp.double(a2) * xp.exp(-xp.log(rate) / xp.double(c2))
    return made(GeneralizedGamma, concentration=k, power=c1, loc=loc1, scale=scale), some & exists


def _plain(*names: str) -> Any:
    """Families whose natural parameters are their own, up to constants."""

    def rule(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
        values, exists = {}, True
        for name in names:
            values[name], some = _safe(_mix(getattr(p, name), getattr(q, name), alpha), xp)
            exists = some if exists is True else exists & some
        return made(type(p), **values), exists

    return rule


def _poisson(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    return made(type(p), rate=xp.exp(_mix(xp.log(p.rate), xp.log(q.rate), alpha))), True


def _logit(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    """Natural parameter log(probs/(1 − probs))."""
    logits = _mix(xp.log(p.probs) - xp.log1p(-p.probs), xp.log(q.probs) - xp.log1p(-q.probs), alpha)
    probs = xp.where(logits > 0, 1.0 / (1.0 + xp.exp(-logits)), xp.exp(logits) / (1.0 + xp.exp(logits)))
    if hasattr(p, "total_count"):
        if not equal(p.total_count, q.total_count):
            return None
        return made(type(p), total_count=p.total_count, probs=probs), True
    return made(type(p), probs=probs), True


def _geometric(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    """Natural parameter log(1 − probs) < 0."""
    natural = _mix(xp.log1p(-p.probs), xp.log1p(-q.probs), alpha)
    exists = natural < 0
    return made(type(p), probs=-xp.expm1(xp.where(exists, natural, -1.0 + 0.0 * natural))), exists


def _negative_binomial(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    if not equal(p.total_count, q.total_count):
        return None
    natural = _mix(xp.log(p.probs), xp.log(q.probs), alpha)
    exists = natural < 0
    probs = xp.exp(xp.where(exists, natural, -1.0 + 0.0 * natural))
    return made(type(p), total_count=p.total_count, probs=probs), exists


def _inverse(S: Array, xp: Namespace) -> Array:
    import numpy as np

    L = xp.solve_lower(xp.cholesky(S), xp.double(np.eye(S.shape[-1])))
    return xp.matmul(xp.transpose(L), L)


def _definite(P: Array, alpha: float, xp: Namespace) -> tuple[Array, Any]:
    """(P, whether it is positive definite), P replaced by I where it is not; for α ≤ 1 it always is."""
    import numpy as np

    if alpha <= 1:
        return P, True
    exists = (xp.eigvalsh(P) > 0).all(-1)
    return xp.where(exists[..., None, None], P, xp.double(np.eye(P.shape[-1]))), exists


def _wishart(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    """Natural parameters n and S⁻¹; Ψ for the inverse."""
    d = p.scale.shape[-1]
    df = xp.double(_mix(p.df, q.df, alpha))
    forward = type(p) is wishart.Wishart
    ours, theirs = ((_inverse(f.scale, xp) if forward else f.scale) for f in (p, q))
    mixed = _mix(ours, theirs, alpha)
    safe, exists = _definite(mixed, alpha, xp)
    some = df > d - 1
    df = xp.where(some, df, d + 0.0 * df)
    return made(type(p), df=df, scale=_inverse(safe, xp) if forward else safe), some & exists


def _normal_inverse_wishart(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    """Natural parameters n, κ, κm and Ψ + κmmᵀ; the last without its cancellation."""
    d = p.scale.shape[-1]
    k1, k2 = p.mean_count + 0.0 * q.mean_count, q.mean_count + 0.0 * p.mean_count
    count, some = _safe(xp.double(_mix(k1, k2, alpha)), xp)
    share = xp.double(alpha * k1 / count)
    apart = p.mean - q.mean
    outer = (share * (1.0 - alpha) * k2)[..., None, None] * apart[..., :, None] * apart[..., None, :]
    scale, exists = _definite(_mix(p.scale, q.scale, alpha) + outer, alpha, xp)
    df = xp.double(_mix(p.df, q.df, alpha))
    enough = df > d - 1
    df = xp.where(enough, df, d + 0.0 * df)
    mean = q.mean + share[..., None] * apart
    return made(type(p), mean=mean, mean_count=count, df=df, scale=scale), some & enough & exists


def _log_series(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    natural = _mix(xp.log(p.probs), xp.log(q.probs), alpha)
    exists = natural < 0
    return made(type(p), probs=xp.exp(xp.where(exists, natural, -1.0 + 0.0 * natural))), exists


def _von_mises_fisher(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    """Natural parameter κμ."""
    zero = 0.0 * xp.sum(p.mean_direction + q.mean_direction)
    ours, theirs = ((f.concentration + zero)[..., None] * f.mean_direction for f in (p, q))
    mixed = _mix(ours, theirs, alpha)
    length = xp.sqrt(xp.sum(mixed * mixed))
    none = length == 0
    direction = mixed / xp.where(none, xp.ones_like(length), length)[..., None]
    direction = xp.where(none[..., None], p.mean_direction, direction)
    return made(type(p), mean_direction=direction, concentration=length), True


def _von_mises(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    turn = p.loc - q.loc
    along = alpha * p.concentration * xp.cos(turn) + (1.0 - alpha) * q.concentration
    across = alpha * p.concentration * xp.sin(turn)
    length = xp.sqrt(along * along + across * across)
    # half-angle: the arctangent of across/(length + along) is half the turn from q
    loc = q.loc + 2.0 * xp.arctan(across / (length + along))
    return made(type(p), loc=loc, concentration=length), True


def _inverse_gaussian(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    """Natural parameters λ and λ/m², m = μ·scale, λ = scale."""
    if not equal(p.loc, q.loc):
        return None
    shape, some = _safe(_mix(p.scale, q.scale, alpha), xp)
    tail, exists = _safe(_mix(1.0 / (p.mu * p.mu * p.scale), 1.0 / (q.mu * q.mu * q.scale), alpha), xp)
    return made(type(p), mu=1.0 / xp.sqrt(shape * tail), loc=p.loc, scale=shape), some & exists


def _pareto(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    if not equal(p.scale, q.scale):
        return None
    a, exists = _safe(_mix(p.alpha, q.alpha, alpha), xp)
    return made(type(p), scale=p.scale, alpha=a), exists


def _dirichlet(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    a = _mix(p.concentration, q.concentration, alpha)
    exists = (a > 0).all(-1)
    return made(type(p), concentration=xp.where(exists[..., None], a, xp.ones_like(a))), exists


def _zeta(p: Any, q: Any, alpha: float, xp: Namespace) -> Any:
    s = _mix(p.exponent, q.exponent, alpha)
    exists = s > 1
    return made(type(p), exponent=xp.where(exists, s, 2.0 + 0.0 * s)), exists


_RULES: dict[type, Any] = {
    normal.Normal: _normal,
    normal.LogNormal: _normal,
    interval.LogitNormal: _normal,
    interval.Beta: _plain("concentration1", "concentration0"),
    dirichlet.Dirichlet: _dirichlet,
    counts.Poisson: _poisson,
    trials.Bernoulli: _logit,
    trials.Binomial: _logit,
    ContinuousBernoulli: _logit,
    trials.Geometric: _geometric,
    trials.NegativeBinomial: _negative_binomial,
    power_series.Zeta: _zeta,
    power_series.LogSeries: _log_series,
    wishart.Wishart: _wishart,
    wishart.InverseWishart: _wishart,
    wishart.NormalInverseWishart: _normal_inverse_wishart,
    directional.VonMisesFisher: _von_mises_fisher,
    VonMises: _von_mises,
    tails.InverseGaussian: _inverse_gaussian,
    tails.Pareto: _pareto,
}
