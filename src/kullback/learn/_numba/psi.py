"""ψ for the loops: `kullback._special.psi` for one number."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

from kullback.learn._numba.jit import part


@part
def psi(s):
    """ψ(s) = s − log1p(s) ≥ 0 without cancellation."""
    if -0.29 < s < 0.41:
        t = s / (2.0 + s)
        z = t * t
        total = 1.0 / 25.0
        for k in range(11):
            total = total * z + 1.0 / (23.0 - 2.0 * k)
        return t * (s - 2.0 * z * total)
    return s - math.log1p(s)
