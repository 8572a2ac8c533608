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


def power_sum(p: list[mp.mpf], q: list[mp.mpf], a: mp.mpf) -> mp.mpf:
    """Σ pᵃ q¹⁻ᵃ."""
    if a > 1 and any(x > 0 and y == 0 for x, y in zip(p, q, strict=True)):
        return mp.inf
    return mp.fsum(x**a * y ** (1 - a) for x, y in zip(p, q, strict=True) if x > 0 and y > 0)


def renyi_divergence(p: list[mp.mpf], q: list[mp.mpf], alpha: float) -> mp.mpf:
    if alpha == 1:
        return kl_divergence(p, q)
    if alpha == float("inf"):
        return max(mp.log(x / y) if y > 0 else mp.inf for x, y in zip(p, q, strict=True) if x > 0)
    a = mp.mpf(alpha)
    if a == 0:
        return -mp.log(mp.fsum(y for x, y in zip(p, q, strict=True) if x > 0))
    total = power_sum(p, q, a)
    return mp.inf if total in (0, mp.inf) else mp.log(total) / (a - 1)


def tsallis_divergence(p: list[mp.mpf], q: list[mp.mpf], alpha: float) -> mp.mpf:
    a = mp.mpf(alpha)
    return kl_divergence(p, q) if a == 1 else (power_sum(p, q, a) - 1) / (a - 1)


def alpha_divergence(p: list[mp.mpf], q: list[mp.mpf], alpha: float) -> mp.mpf:
    al = mp.mpf(alpha)
    if al == -1:
        return kl_divergence(p, q)
    if al == 1:
        return kl_divergence(q, p)
    if al > 1:  # the exponent of p is negative: the same of the exchanged pair
        return alpha_divergence(q, p, -alpha)
    return 4 / (1 - al**2) * (1 - power_sum(p, q, (1 - al) / 2))


def renyi_entropy(p: list[mp.mpf], alpha: float) -> mp.mpf:
    if alpha == 1:
        return entropy(p)
    if alpha == float("inf"):
        return -mp.log(max(p))
    a = mp.mpf(alpha)
    return mp.log(mp.fsum(x**a for x in p if x > 0)) / (1 - a)


def tsallis_entropy(p: list[mp.mpf], alpha: float) -> mp.mpf:
    a = mp.mpf(alpha)
    return entropy(p) if a == 1 else (1 - mp.fsum(x**a for x in p if x > 0)) / (a - 1)


def mixture(p: list[mp.mpf], q: list[mp.mpf], beta: float) -> list[mp.mpf]:
    b = mp.mpf(beta)
    return [b * x + (1 - b) * y for x, y in zip(p, q, strict=True)]


def skew_kl_divergence(p: list[mp.mpf], q: list[mp.mpf], beta: float) -> mp.mpf:
    return kl_divergence(p, mixture(p, q, beta))


def skew_js_divergence(p: list[mp.mpf], q: list[mp.mpf], beta: float) -> mp.mpf:
    if beta == 0:
        return kl_divergence(p, q)
    if beta == 1:
        return kl_divergence(q, p)
    b, m = mp.mpf(beta), mixture(p, q, beta)
    return (b * kl_divergence(p, m) + (1 - b) * kl_divergence(q, m)) / (b * (1 - b))


def chernoff_information(p: list[mp.mpf], q: list[mp.mpf]) -> mp.mpf:
    """The maximum over a by golden section in 60 digits; the ends by their limits."""
    shared = [(x, y) for x, y in zip(p, q, strict=True) if x > 0 and y > 0]
    if not shared:
        return mp.inf
    low, high, ratio = mp.mpf(0), mp.mpf(1), (mp.sqrt(5) - 1) / 2

    def exponent(a: mp.mpf) -> mp.mpf:
        return -mp.log(mp.fsum(x**a * y ** (1 - a) for x, y in shared))

    for _ in range(120):
        c, d = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, d) if exponent(c) > exponent(d) else (c, high)
    return exponent((low + high) / 2)


def mutual_information(table: list[list[mp.mpf]]) -> mp.mpf:
    total = mp.fsum(x for row in table for x in row)
    rows = [mp.fsum(row) for row in table]
    columns = [mp.fsum(row[j] for row in table) for j in range(len(table[0]))]
    return mp.fsum(
        x / total * mp.log(x * total / (rows[i] * columns[j]))
        for i, row in enumerate(table)
        for j, x in enumerate(row)
        if x > 0
    )


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
