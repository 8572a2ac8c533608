"""Reference values by mpmath: each measure of the exact float inputs, exactly normalised."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import mpmath as mp
import numpy as np

mp.mp.dps = 60


def of_masses(x: Iterable[float]) -> list[mp.mpf]:
    """Exact floats, divided by their exact sum."""
    exact = [mp.mpf(float(v)) for v in x]
    total = mp.fsum(exact)
    return [v / total for v in exact]


def of_logits(x: Iterable[float]) -> list[mp.mpf]:
    """Softmax of exact floats."""
    exact = [mp.mpf(float(v)) if np.isfinite(float(v)) else mp.ninf for v in x]
    top = max(exact)
    return of_exact([mp.exp(v - top) if v != mp.ninf else mp.mpf(0) for v in exact])


def of_exact(x: list[mp.mpf]) -> list[mp.mpf]:
    total = mp.fsum(x)
    return [v / total for v in x]


def entropy(p: list[mp.mpf]) -> mp.mpf:
    return -mp.fsum(a * mp.log(a) for a in p if a > 0)


def cross_entropy(p: list[mp.mpf], q: list[mp.mpf]) -> mp.mpf:
    if any(a > 0 and b == 0 for a, b in zip(p, q, strict=True)):
        return mp.inf
    return -mp.fsum(a * mp.log(b) for a, b in zip(p, q, strict=True) if a > 0)


def kl_divergence(p: list[mp.mpf], q: list[mp.mpf]) -> mp.mpf:
    if any(a > 0 and b == 0 for a, b in zip(p, q, strict=True)):
        return mp.inf
    return mp.fsum(a * mp.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def js_divergence(p: list[mp.mpf], q: list[mp.mpf]) -> mp.mpf:
    m = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return (kl_divergence(p, m) + kl_divergence(q, m)) / 2


def js_distance(p: list[mp.mpf], q: list[mp.mpf]) -> mp.mpf:
    return mp.sqrt(js_divergence(p, q))


def jeffreys_divergence(p: list[mp.mpf], q: list[mp.mpf]) -> mp.mpf:
    return kl_divergence(p, q) + kl_divergence(q, p)


def total_variation(p: list[mp.mpf], q: list[mp.mpf]) -> mp.mpf:
    return mp.fsum(abs(a - b) for a, b in zip(p, q, strict=True)) / 2


def hellinger_distance(p: list[mp.mpf], q: list[mp.mpf]) -> mp.mpf:
    return mp.sqrt(mp.fsum((mp.sqrt(a) - mp.sqrt(b)) ** 2 for a, b in zip(p, q, strict=True)) / 2)


def chi2_divergence(p: list[mp.mpf], q: list[mp.mpf]) -> mp.mpf:
    if any(a > 0 and b == 0 for a, b in zip(p, q, strict=True)):
        return mp.inf
    return mp.fsum((a - b) ** 2 / b for a, b in zip(p, q, strict=True) if b > 0)


def error(got: Any, true: mp.mpf) -> float:
    """Relative error; absolute where the truth is 0; 0 for two infinities of one sign."""
    value = float(got)
    if mp.isinf(true) or np.isinf(value):
        return 0.0 if value == float(true) else float("inf")
    if true == 0:
        return abs(value)
    return float(abs((mp.mpf(value) - true) / true))


PAIRWISE: dict[str, Callable[[list[mp.mpf], list[mp.mpf]], mp.mpf]] = {
    f.__name__: f
    for f in (
        cross_entropy,
        kl_divergence,
        js_divergence,
        js_distance,
        jeffreys_divergence,
        total_variation,
        hellinger_distance,
        chi2_divergence,
    )
}
