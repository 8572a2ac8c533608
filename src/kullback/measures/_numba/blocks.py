"""One block: the sums of n entries of p from i against n entries of q from j.

A block gives six numbers, whose first ones depend on the measure and whose last two are the number of infinite terms
and of entries that no mass can be (negative or NaN). Where it holds anything that the branch-free loop does not cover,
the scalar loop of the same name does it again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._compile import INLINE, SUM, TERM, compiled
from kullback.measures._numba.instructions import bits, from_bits
from kullback.measures._numba.terms import (
    LEAST,
    cost_from_top_pair,
    cost_pair,
    exact_gap,
    js_pair,
    js_scaled_pair,
    js_terms_any,
    kl_pair,
    kl_scaled_pair,
    kl_term_any,
    log_ratio,
    plus,
)

Array = Any
Sums = tuple[float, float, float, float, float, float]

# What a sweep sums. Without scales: one pass. SCALED: masses times the other side's total. TOP: relative to max q.
KL, JS, CROSS_ENTROPY, ENTROPY, TOTALS, KL_SCALED, JS_SCALED, CROSS_ENTROPY_TOP = range(8)
DONE = -1


@compiled(**INLINE)
def _told(total: float, second: float, third: float, odd: int) -> Sums:
    """The six sums, where a total of ∞ says that there are infinite terms."""
    if total == math.inf:
        return 0.0, second, third, 0.0, 1.0, float(odd)
    return total, second, third, 0.0, 0.0, float(odd)


@compiled(**SUM)
def _kl_block(a: Array, i: int, b: Array, j: int, n: int) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    total, mass, gap, odd = 0.0, 0.0, 0.0, 0
    for k in range(n):
        term, d, strange = kl_pair(x[k], y[k])
        total += term
        mass += x[k]
        gap += d
        odd += int(strange)
    return _told(total, mass, gap, odd)


@compiled(**SUM)
def _kl_scaled_block(a: Array, i: int, b: Array, j: int, n: int, scale_a: float, scale_b: float, centre: float) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    total, gap, odd = 0.0, 0.0, 0
    for k in range(n):
        term, d, strange = kl_scaled_pair(x[k], y[k], scale_a, scale_b, centre)
        total += term
        gap += d
        odd += int(strange)
    return _told(total, 0.0, gap, odd)


@compiled(**TERM)
def _kl_slow(a: Array, i: int, b: Array, j: int, n: int, scale_a: float, scale_b: float, centre: float) -> Sums:
    total, error, mass, gap, infinite, refused = 0.0, 0.0, 0.0, 0.0, 0, 0
    for k in range(n):
        x, y = a[i + k], b[j + k]
        if not (x >= 0.0 and y >= 0.0):
            refused += 1
        elif x > 0.0 and y == 0.0:
            infinite += 1
        else:
            total, error = plus(total, error, kl_term_any(x, y, scale_a, scale_b, centre))
        mass += x
        gap += exact_gap(x, y, scale_a, scale_b, centre)
    return total + error, mass, gap, 0.0, float(infinite), float(refused)


@compiled(**SUM)
def _js_block(a: Array, i: int, b: Array, j: int, n: int) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    left, right, mass, gap, odd = 0.0, 0.0, 0.0, 0.0, 0
    for k in range(n):
        t, u, d, strange = js_pair(x[k], y[k])
        left += t
        right += u
        mass += x[k]
        gap += d
        odd += int(strange)
    return left, right, mass, gap, 0.0, float(odd)


@compiled(**SUM)
def _js_scaled_block(a: Array, i: int, b: Array, j: int, n: int, scale_a: float, scale_b: float, centre: float) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    left, right, gap, odd = 0.0, 0.0, 0.0, 0
    for k in range(n):
        t, u, d, strange = js_scaled_pair(x[k], y[k], scale_a, scale_b, centre)
        left += t
        right += u
        gap += d
        odd += int(strange)
    return left, right, 0.0, gap, 0.0, float(odd)


@compiled(**TERM)
def _js_slow(a: Array, i: int, b: Array, j: int, n: int, scale_a: float, scale_b: float, centre: float) -> Sums:
    left, right, error_l, error_r, mass, gap, refused = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for k in range(n):
        x, y = a[i + k], b[j + k]
        if not (x >= 0.0 and y >= 0.0):
            refused += 1
            continue
        t, u = js_terms_any(x, y, scale_a, scale_b, centre)
        left, error_l = plus(left, error_l, t)
        right, error_r = plus(right, error_r, u)
        mass += x
        gap += exact_gap(x, y, scale_a, scale_b, centre)
    return left + error_l, right + error_r, mass, gap, 0.0, float(refused)


@compiled(**SUM)
def _cost_block(a: Array, i: int, b: Array, j: int, n: int) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    total, mass, other, odd = 0.0, 0.0, 0.0, 0
    for k in range(n):
        cost, strange = cost_pair(x[k], y[k])
        total += cost
        mass += x[k]
        other += y[k]
        odd += int(strange)
    return _told(total, mass, other, odd)


@compiled(**SUM)
def _entropy_block(a: Array, i: int, n: int) -> Sums:
    x = a[i : i + n]
    total, mass, odd = 0.0, 0.0, 0
    for k in range(n):
        cost, strange = cost_pair(x[k], x[k])
        total += cost
        mass += x[k]
        odd += int(strange)
    return total, mass, mass, 0.0, 0.0, float(odd)


@compiled(**SUM)
def _cost_from_top_block(a: Array, i: int, b: Array, j: int, n: int, top: float) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    total, rest, tops, odd = 0.0, 0.0, 0, 0
    for k in range(n):
        cost, strange = cost_from_top_pair(x[k], y[k], top)
        total += cost
        rest += y[k] if y[k] < top else 0.0
        tops += int(y[k] == top)
        odd += int(strange)
    return _told(total, rest, float(tops), odd)


@compiled(**TERM)
def _cost_slow(stage: int, a: Array, i: int, b: Array, j: int, n: int, top: float) -> Sums:
    """Σ a·log(top/b), with both masses, or with what q has below its top."""
    total, error, mass, other, rest, infinite, refused = 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0
    tops = 0
    for k in range(n):
        x, y = a[i + k], b[j + k]
        if not (x >= 0.0 and y >= 0.0):
            refused += 1
        elif x > 0.0 and y == 0.0:
            infinite += 1
        elif x > 0.0:
            cost = log_ratio(y, top) if y >= LEAST else math.log(top) - math.log(y)
            total, error = plus(total, error, x * cost)
        mass += x
        other += y
        rest += y if y < top else 0.0
        tops += int(y == top)
    if stage != CROSS_ENTROPY_TOP:
        return total + error, mass, other, 0.0, float(infinite), float(refused)
    return total + error, rest, float(tops), 0.0, float(infinite), float(refused)


@compiled(**SUM)
def _totals_block(a: Array, i: int, b: Array, j: int, n: int) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    mass, other, odd = 0.0, 0.0, 0
    top = np.int64(0)  # the bits of floats ≥ 0 are in the order of the floats, and their maximum is vectorised
    for k in range(n):
        mass += x[k]
        other += y[k]
        top = max(top, bits(y[k]))
        odd += int(not ((x[k] >= 0.0) & (y[k] >= 0.0)))
    return mass, other, from_bits(top), 0.0, 0.0, float(odd)


@compiled(**TERM)
def block(stage: int, a: Array, i: int, b: Array, j: int, n: int, scale_a: float, scale_b: float, third: float) -> Sums:
    """The sums of one block; `third` is the centre of scaled masses, or the largest mass of q."""
    if stage == KL:
        sums = _kl_block(a, i, b, j, n)
        return sums if sums[5] == 0.0 else _kl_slow(a, i, b, j, n, 1.0, 1.0, 0.0)
    if stage == KL_SCALED:
        sums = _kl_scaled_block(a, i, b, j, n, scale_a, scale_b, third)
        return sums if sums[5] == 0.0 else _kl_slow(a, i, b, j, n, scale_a, scale_b, third)
    if stage == JS:
        sums = _js_block(a, i, b, j, n)
        return sums if sums[5] == 0.0 else _js_slow(a, i, b, j, n, 1.0, 1.0, 0.0)
    if stage == JS_SCALED:
        sums = _js_scaled_block(a, i, b, j, n, scale_a, scale_b, third)
        return sums if sums[5] == 0.0 else _js_slow(a, i, b, j, n, scale_a, scale_b, third)
    if stage in (CROSS_ENTROPY, ENTROPY):
        sums = _cost_block(a, i, b, j, n) if stage == CROSS_ENTROPY else _entropy_block(a, i, n)
        return sums if sums[5] == 0.0 else _cost_slow(stage, a, i, b, j, n, 1.0)
    if stage == CROSS_ENTROPY_TOP:
        sums = _cost_from_top_block(a, i, b, j, n, third)
        return sums if sums[5] == 0.0 else _cost_slow(stage, a, i, b, j, n, third)
    return _totals_block(a, i, b, j, n)
