"""Two densities on the scale of a logarithm, or of log-odds on (0, 1), where p has mass beyond the range of floats.

Six hundredths of LogLogistic(0.01) lie beyond 1e±300, nearly all of Kumaraswamy(1e−6, 2) below. With s = log y (or
log y − log(1−y)) as the variable, densities are asked where y, log y, 1 − y and log(1−y) are each known by themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback.families.affine import Affine
from kullback.families.expectations import (
    Absolute,
    AbsolutePower,
    At,
    Cosine,
    Exp,
    Feature,
    Linear,
    Log,
    Log1m,
    Log1mPower,
    Log1pPower,
    Log1pSquare,
    LogitSquare,
    LogSquare,
    Power,
    Softplus,
    Square,
    plus,
    times,
)
from kullback.families.line import Line
from kullback.families.mixture import Mixture
from kullback.families.namespace import extended
from kullback.families.pair import PairOnLine

Vector = np.ndarray[Any, Any]
# as far as y is taken as a float, and e to it
_FAR, _LAST = 500.0, 745.0


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a density is asked: y and log|y|, and where they are known 1 − y and its logarithm."""

    y: Vector
    log_y: Vector
    co: Vector | None = None
    log_co: Vector | None = None

    def moved(self, m: Any, rho: Any) -> Place:
        """M + ρy."""
        if m is None and rho is None:
            return self
        log_rho, rho = (0.0, 1.0) if rho is None else (np.log(rho), rho)
        if m is None:
            return Place(rho * self.y, self.log_y + log_rho)
        z = m + rho * self.y
        beyond = np.where(self.log_y > 0, self.log_y + log_rho, math.log(abs(m)) if m else self.log_y + log_rho)
        return Place(z, np.where(np.abs(self.log_y) < _FAR, np.log(np.abs(z)), beyond))

    def far(self) -> Any:
        """Whether y or 1 − y is near the end of floats."""
        near_one = False if self.log_co is None else self.log_co < -_FAR
        return (np.abs(self.log_y) > _FAR) | near_one


class PairOnLogScale(PairOnLine):
    """The pair with s as its variable."""

    def __init__(self, p: Any, q: Any, xp: Any) -> None:
        super().__init__(p, q, xp)
        self.odds, self.unit = self.unit, False
        self.low, self.high = math.log(self.low) if self.low > 0 else -math.inf, math.inf

    def logs(self, y: Vector, co: Vector) -> tuple[Vector, Vector, Vector]:
        """Log p, log q (both as densities of s) and log q − log p, 0 where p is 0."""
        y = y.astype(self.dtype)
        place, slope = self._place(y)
        log_p = log_density(self.p, place, self.xp)
        log_q = log_density(self.q, place.moved(self.m, self.rho), self.xp) + self.log_rho
        log_p = np.where(log_p < -1e200, -math.inf, log_p)
        for side in self.hidden:
            log_q = np.where(side.hides(y), log_p, log_q)
        u = np.where(log_p == -math.inf, 0.0, log_q - np.where(log_p == -math.inf, 0.0, log_p))
        return (log_p + slope).astype(float), (log_q + slope).astype(float), u.astype(float)

    def log_p(self, y: Vector, co: Vector) -> Vector:
        """Log p as a density of s."""
        place, slope = self._place(y.astype(self.dtype))
        return np.asarray(log_density(self.p, place, self.xp) + slope, dtype=float)

    def noise(self, y: Vector) -> Vector:
        """Rounding of the two log-densities besides that in their own size: log dy/ds and log y cancel in them."""
        return 4.0 * float(np.finfo(self.dtype).eps) * np.abs(y)

    def finer(self) -> None:
        """Nothing finer."""

    def own_places(self, draws: Vector) -> Vector:
        """Draws of p's standard variable, those beyond floats at their end."""
        with np.errstate(all="ignore"):
            s = np.log(draws) - np.log1p(-draws) if self.odds else np.log(draws)
        return np.asarray(np.clip(s, -_LAST, _LAST))

    def other_places(self, draws: Vector) -> Vector:
        """Draws of q's standard variable; those that p cannot have are no numbers."""
        return self.own_places(super().other_places(draws))

    def _place(self, s: Vector) -> tuple[Place, Vector]:
        """Y at s, and log dy/ds."""
        if not self.odds:
            return Place(np.exp(s), s), s
        log_y, log_co = -np.logaddexp(0.0, -s), -np.logaddexp(0.0, s)
        return Place(np.exp(log_y), log_y, np.exp(log_co), log_co), log_y + log_co


def on_log_scale(p: Any, q: Any) -> PairOnLogScale | None:
    """P and q with s as their variable, where p is positive and both densities are formulas of their features."""
    # long double, where it is longer: of s = 1e7 the double c − 1 of a power c keeps nine digits
    xp = extended()
    p, q = p._with(xp.double), q._with(xp.double)
    low, high = (float(edge) for edge in p._standard_support(xp))
    if (low, high) not in ((0.0, math.inf), (1.0, math.inf), (0.0, 1.0)) or not (
        _is_formula(p, xp) and _is_formula(q, xp)
    ):
        return None
    return PairOnLogScale(p, q, xp)


def _is_formula(p: Line, xp: Any) -> bool:
    while isinstance(p, Affine):
        p = p.base
    if isinstance(p, Mixture):
        return all(isinstance(part, Line) and _is_formula(part, xp) for part in p.components)
    return p._terms(xp) is not None


def log_density(p: Any, place: Place, xp: Any) -> Vector:
    """log-density of the standard variable of p: its own formula, and the sum of its features where y is extreme."""
    while isinstance(p, Affine):
        p = p.base
    if isinstance(p, Mixture):
        parts = []
        for k, part in enumerate(p.components):
            loc, scale = part._loc_scale()
            rho = None if scale is None else 1.0 / scale
            m = None if loc is None else -loc * (1.0 if rho is None else rho)
            log_scale = 0.0 if scale is None else np.log(scale)
            parts.append(np.log(p.weights[..., k]) - log_scale + log_density(part, place.moved(m, rho), xp))
        return np.asarray(np.logaddexp.reduce(parts))
    low, high = (float(edge) for edge in p._standard_support(xp))
    inside, far = (place.y >= low) & (place.y <= high), place.far()
    take = inside & ~far
    inner = float(p._inner_point(xp))
    co = None if place.co is None else np.where(take, place.co, 1.0 - inner)
    near = p._log_density(np.where(take, place.y, inner), xp, co=co)
    if far.any():
        total, parts = p._terms(xp)
        for weight, f in parts:
            total = plus(total, times(weight, _value(f, place), xp=xp), xp=xp)
        near = np.where(far, total, near)
    return np.where(inside, near, -math.inf)


def _value(f: Feature, place: Place) -> Any:
    """f(y)."""
    y, log_y = place.y, place.log_y
    log_co = np.log1p(-np.minimum(y, 1.0)) if place.log_co is None else place.log_co
    match f:
        case Linear():
            return y
        case Square():
            return np.exp(2.0 * log_y)
        case Power(r) | AbsolutePower(r):
            return np.exp(r * log_y)
        case Log():
            return log_y
        case LogSquare():
            return log_y * log_y
        case Log1m():
            return log_co
        case Log1mPower(r):
            # near 1, 1 − yʳ is r(1 − y)
            t = r * log_y
            return np.where(log_co < -_FAR, np.log(r) + log_co, np.log(-np.expm1(np.where(log_co < -_FAR, -1.0, t))))
        case LogitSquare():
            return (log_y - log_co) ** 2
        case Exp(t):
            return np.exp(t * y)
        case Absolute(c):
            return np.abs(y - c)
        case Softplus(sign):
            return np.logaddexp(0.0, sign * y)
        case Log1pSquare():
            return np.logaddexp(0.0, 2.0 * log_y)
        case Log1pPower(r):
            return np.logaddexp(0.0, r * log_y)
        case Cosine(c):
            return np.cos(y - c)
        case At(g, m, rho):
            return _value(g, place.moved(m, rho))
    msg = f"no value for {f}"
    raise AssertionError(msg)
