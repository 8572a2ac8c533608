"""ψ for the loops: `kullback._special.psi` for one number."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

from kullback.learn._numba.explog import log
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


@part
def psi_lanes(s):
    """The same without branches, for loops that run on all lanes; −1 < s < ∞."""
    t = s / (2.0 + s)
    z = t * t
    total = 1.0 / 25.0
    total = total * z + 1.0 / 23.0
    total = total * z + 1.0 / 21.0
    total = total * z + 1.0 / 19.0
    total = total * z + 1.0 / 17.0
    total = total * z + 1.0 / 15.0
    total = total * z + 1.0 / 13.0
    total = total * z + 1.0 / 11.0
    total = total * z + 1.0 / 9.0
    total = total * z + 1.0 / 7.0
    total = total * z + 1.0 / 5.0
    total = total * z + 1.0 / 3.0
    near = t * (s - 2.0 * z * total)
    far = s - log(max(1.0 + s, 1e-300))
    return near if -0.29 < s < 0.41 else far
