"""Two densities on the line written in one variable, as quadrature needs them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback.families.namespace import extended, namespace_of
from kullback.families.stacy import Stacy

Vector = np.ndarray[Any, Any]


class PairOnLine:
    """log p and log q − log p as functions of p's standard variable y, and the interval that carries y."""

    def __init__(self, p: Any, q: Any, xp: Any) -> None:
        from kullback.families.routes import relative

        self.p, self.q, self.xp = p, q, xp
        self.m, self.rho, self.log_rho = relative(p, q, xp)
        self.dtype = xp.double(0.0).dtype
        loc, scale = p._loc_scale()
        self.loc, self.scale = 0.0 if loc is None else float(loc), 1.0 if scale is None else float(scale)
        self.log_scale = math.log(self.scale)
        self.low, self.high = (float(edge) for edge in p._standard_support(xp))
        ours, theirs = p._support(xp), q._support(xp)
        self.same_support = all(float(x) == float(y) for x, y in zip(ours, theirs, strict=True))
        self.unit = (self.low, self.high) == (0.0, 1.0)
        # sides on which log q is no float, and p has nothing that counts
        self.hidden: list[Any] = []

    def own_places(self, draws: Vector) -> Vector:
        """Draws of p's standard variable in that of the pair."""
        return draws

    def other_places(self, draws: Vector) -> Vector:
        """Draws of q's standard variable in that of the pair."""
        shift, ratio = 0.0 if self.m is None else self.m, 1.0 if self.rho is None else self.rho
        return np.asarray((draws - shift) / ratio)

    def noise(self, y: Vector) -> Vector:
        """Rounding of the two log-densities besides that in their own size."""
        return 0.0 * y

    def x(self, y: Vector) -> Vector:
        """The variable itself."""
        return self.loc + self.scale * y

    def log_p(self, y: Vector, co: Vector) -> Vector:
        """Log p as a density of y; co is 1 − y."""
        return np.asarray(self._own(*self._placed(y, co)), dtype=float)

    def _own(self, y: Vector, co: Vector) -> Vector:
        return np.asarray(self.p._log_density(y, self.xp, co=co) + 0.0 * y, dtype=self.dtype)

    def _placed(self, y: Vector, co: Vector) -> tuple[Vector, Vector]:
        """Y and 1 − y in the digits of this pair, each from the one that is known better."""
        if self.dtype == float:
            return y, co
        y, co = y.astype(self.dtype), co.astype(self.dtype)
        near = (co < 0.5) & self.unit
        y = np.where(near, 1.0 - co, y)
        return y, np.where(near, co, 1.0 - y)

    def logs(self, y: Vector, co: Vector) -> tuple[Vector, Vector, Vector]:
        """Log p, log q (both as densities of y) and log q − log p, 0 where p is 0."""
        y, co = self._placed(y, co)
        log_p = self._own(y, co)
        # e^{−1e200} is 0, and says so before a square in the other density overflows
        log_p = np.where(log_p < -1e200, -math.inf, log_p)
        z = y if self.rho is None else self.rho * y
        z = z if self.m is None else self.m + z
        same = self.m is None and self.rho is None
        log_q = np.asarray(
            self.q._log_density(z, self.xp, co=co if same else None) + self.log_rho + 0.0 * y, dtype=self.dtype
        )
        for side in self.hidden:
            log_q = np.where(side.hides(y), log_p, log_q)
        u = np.where(log_p == -math.inf, 0.0, log_q - np.where(log_p == -math.inf, 0.0, log_p))
        return log_p.astype(float), log_q.astype(float), u.astype(float)

    def finer(self) -> PairOnLine | None:
        """The same in long double, where that is longer and both densities are formulas in it."""
        xp = extended()
        if np.finfo(np.longdouble).eps > 1e-18 or not (_is_formula(self.p) and _is_formula(self.q)):
            return None
        found = PairOnLine(self.p._with(xp.double), self.q._with(xp.double), xp)
        found.hidden = self.hidden
        return found


def _is_formula(p: Any) -> bool:
    """Whether every place in the log-density of p is computed from its parameters, and these from exact numbers."""
    if not p._comparable:
        return False
    number = p._factors()[0] if isinstance(p, Stacy) else 1.0
    return math.frexp(number)[0] == 0.5 and all(_is_formula(part) for part in p._parts())


def on_one_variable(p: Any, q: Any) -> PairOnLine:
    """P and q as functions of p's standard variable; one member each, NumPy parameters."""
    xp = namespace_of(np.zeros(1))
    return PairOnLine(p._lifted(xp), q._lifted(xp), xp)
