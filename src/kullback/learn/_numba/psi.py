"""The term of every KL here: p log(p/q) − p + q ≥ 0, without cancellation, for loops."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

from kullback._lanes_numba import log, part


@part
def _series(s):
    """ψ(s) = s − log1p(s) for −.29 < s < .41 (`kullback._special.psi_series`)."""
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
    return t * (s - 2.0 * z * total)


@part
def excess(p, q):
    """P log(p/q) − p + q for p > 0, q ≥ 0: p ψ((q − p)/p) near p = q, the logarithm of the ratio elsewhere."""
    s = (q - p) / p
    if -0.29 < s < 0.41:
        return p * _series(s)
    return p * (s - math.log(q / p)) if q > 0.0 else math.inf


@part
def excess_lanes(p, q):
    """The same without branches, for loops that run on all lanes; p, q ≥ 1e-300."""
    s = (q - p) / p
    ratio = max(q / p, 1e-300)
    return p * (_series(s) if -0.29 < s < 0.41 else s - log(ratio))
