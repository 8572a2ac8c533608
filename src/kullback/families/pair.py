"""Two densities on the line written in one variable, as quadrature needs them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Vector = np.ndarray[Any, Any]


class PairOnLine:
    """log p and log q − log p as functions of p's standard variable y, and the interval that carries y."""

    def __init__(self, p: Any, q: Any, xp: Any) -> None:
        from kullback.families.routes import relative

        self.p, self.q, self.xp = p, q, xp
        self.m, self.rho, self.log_rho = relative(p, q, xp)
        loc, scale = p._loc_scale()
        self.loc, self.scale = 0.0 if loc is None else float(loc), 1.0 if scale is None else float(scale)
        self.log_scale = math.log(self.scale)
        self.low, self.high = (float(edge) for edge in p._standard_support(xp))
        ours, theirs = p._support(xp), q._support(xp)
        self.same_support = all(float(x) == float(y) for x, y in zip(ours, theirs, strict=True))
        self.unit = (self.low, self.high) == (0.0, 1.0)
        # sides on which log q is no float, and p has nothing that counts
        self.hidden: list[Any] = []

    def x(self, y: Vector) -> Vector:
        """The variable itself."""
        return self.loc + self.scale * y

    def log_p(self, y: Vector, co: Vector) -> Vector:
        """Log p as a density of y; co is 1 − y."""
        return np.asarray(self.p._log_density(y, self.xp, co=co) + 0.0 * y, dtype=float)

    def logs(self, y: Vector, co: Vector) -> tuple[Vector, Vector, Vector]:
        """Log p, log q (both as densities of y) and log q − log p, 0 where p is 0."""
        log_p = self.log_p(y, co)
        # e^{−1e200} is 0, and says so before a square in the other density overflows
        log_p = np.where(log_p < -1e200, -math.inf, log_p)
        z = y if self.rho is None else self.rho * y
        z = z if self.m is None else self.m + z
        same = self.m is None and self.rho is None
        log_q = np.asarray(
            self.q._log_density(z, self.xp, co=co if same else None) + self.log_rho + 0.0 * y, dtype=float
        )
        for side in self.hidden:
            log_q = np.where(side.hides(y), log_p, log_q)
        return log_p, log_q, np.where(log_p == -math.inf, 0.0, log_q - np.where(log_p == -math.inf, 0.0, log_p))


def on_one_variable(p: Any, q: Any) -> PairOnLine:
    """P and q as functions of p's standard variable; one member each, NumPy parameters."""
    from kullback.families.namespace import namespace_of

    xp = namespace_of(np.zeros(1))
    return PairOnLine(p._lifted(xp), q._lifted(xp), xp)
