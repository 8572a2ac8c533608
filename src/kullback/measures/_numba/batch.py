"""What a batch of short rows sums: its terms in one loop that knows no rows, then the sums of each row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._compile import INLINE, SUM, TERM, compiled
from kullback.measures._numba.blocks import CROSS_ENTROPY, CROSS_ENTROPY_TOP, ENTROPY, JS, JS_SCALED, KL, KL_SCALED
from kullback.measures._numba.instructions import prefetch
from kullback.measures._numba.sweeps import STEP
from kullback.measures._numba.terms import (
    cost_from_top_pair,
    cost_pair,
    js_pair,
    js_scaled_pair,
    kl_pair,
    kl_scaled_pair,
)

Array = Any

SHORT = 2048  # numbers of several rows that are taken together: all buffers stay in the cache nearest to the core
A, B, FIRST, SECOND, THIRD, SCALE_A, SCALE_B, GATHERED_A, GATHERED_B, LAST_A, LAST_B = range(11)
WIDTH = SHORT + STEP  # of each buffer: the last terms are taken together with empty ones
LINE = 64  # bytes that memory hands over at a time


@compiled(**TERM)
def copy(x: Array, start: int, step: int, n: int, to: Array, at: int) -> None:
    part = to[at : at + n]
    if step == 1:
        line = x[start : start + n]
        for k in range(n):
            part[k] = np.float64(line[k])
    else:
        for k in range(n):
            part[k] = np.float64(x[start + k * step])


@compiled(**TERM)
def all_terms(stage: int, x: Array, i: int, y: Array, j: int, n: int, work: Array) -> int:
    """The terms of n entries, whosever row they are; how many entries want the scalar loop.

    Every entry goes through the vectorised part of the loop, so that its bits do not depend on where it stands.
    """
    whole = n - n % STEP
    odd = _terms(stage, x[i : i + whole], y[j : j + whole], whole, 0, work)
    if whole < n:
        work[LAST_A, :STEP] = 0.0
        work[LAST_B, :STEP] = 0.0
        copy(x, i + whole, 1, n - whole, work[LAST_A], 0)
        copy(y, j + whole, 1, n - whole, work[LAST_B], 0)
        odd += _terms(stage, work[LAST_A], work[LAST_B], STEP, whole, work)
    return odd


@compiled(**TERM)
def _terms(stage: int, x: Array, y: Array, n: int, at: int, work: Array) -> int:
    first, second, third = work[FIRST, at : at + n], work[SECOND, at : at + n], work[THIRD, at : at + n]
    scale_a, scale_b = work[SCALE_A, at : at + n], work[SCALE_B, at : at + n]
    odd = 0
    if stage == KL:
        for k in range(n):
            first[k], _, strange = kl_pair(x[k], y[k])
            odd += int(strange)
    elif stage == JS:
        for k in range(n):
            first[k], second[k], _, strange = js_pair(x[k], y[k])
            odd += int(strange)
    elif stage in (CROSS_ENTROPY, ENTROPY):
        for k in range(n):
            first[k], strange = cost_pair(x[k], y[k])
            odd += int(strange)
    elif stage == KL_SCALED:
        for k in range(n):
            first[k], third[k], strange = kl_scaled_pair(x[k], y[k], scale_a[k], scale_b[k], 0.0)
            odd += int(strange)
    elif stage == JS_SCALED:
        for k in range(n):
            first[k], second[k], third[k], strange = js_scaled_pair(x[k], y[k], scale_a[k], scale_b[k], 0.0)
            odd += int(strange)
    else:
        for k in range(n):
            first[k], strange = cost_from_top_pair(x[k], y[k], scale_a[k])
            odd += int(strange)
    return odd


@compiled(**INLINE)
def _difference(a: float, b: float) -> float:
    """Take b − a before anything else: a sum of differences must not become a difference of sums."""
    return b - a


@compiled(**SUM)
def _sum(x: Array, i: int, n: int) -> float:
    part, total = x[i : i + n], 0.0
    for k in range(n):
        total += part[k]
    return total


@compiled(**SUM)
def _sum_of_gaps(x: Array, i: int, y: Array, j: int, n: int) -> float:
    a, b, total = x[i : i + n], y[j : j + n], 0.0
    for k in range(n):
        total += _difference(a[k], b[k])
    return total


@compiled(**TERM)
def row_sums(measure: int, x: Array, i: int, y: Array, j: int, work: Array, n: int, many: int, per_row: Array) -> None:
    """The six sums of each row, as `blocks.block` would give them.

    Meanwhile the memory would stand idle, and its own look-ahead would lose the trail: it is told what comes next.
    """
    first, second = work[FIRST], work[SECOND]
    next_x, next_y = np.int64(x.ctypes.data) + (i + many * n) * 8, np.int64(y.ctypes.data) + (j + many * n) * 8
    for r in range(many):
        at = r * n
        for k in range(at * 8, (at + n) * 8, LINE):
            prefetch(next_x + k)
            if measure != ENTROPY:
                prefetch(next_y + k)
        total, mass = _sum(first, at, n), _sum(x, i + at, n)
        sums = per_row[r]
        sums[:12] = 0.0
        if total < math.inf:
            sums[0] = total
        else:
            sums[4] = 1.0
        if measure == KL:
            sums[1], sums[2] = mass, _sum_of_gaps(x, i + at, y, j + at, n)
        elif measure == JS:
            sums[1], sums[2], sums[3] = _sum(second, at, n), mass, _sum_of_gaps(x, i + at, y, j + at, n)
        else:
            sums[1], sums[2] = mass, mass if measure == ENTROPY else _sum(y, j + at, n)


@compiled(**SUM)
def stage_sums(stage: int, work: Array, w: int, n: int, row: Array) -> None:
    """The six sums of the gathered row w after a second stage."""
    at = w * n
    first, second, third = work[FIRST, at : at + n], work[SECOND, at : at + n], work[THIRD, at : at + n]
    b = work[GATHERED_B, at : at + n]
    total, right, gap, rest, tops = 0.0, 0.0, 0.0, 0.0, 0
    row[:12] = 0.0
    if stage == CROSS_ENTROPY_TOP:
        top = row[14]
        for k in range(n):
            total += first[k]
            rest += b[k] if b[k] < top else 0.0
            tops += int(b[k] == top)
        row[1], row[2] = rest, float(tops)
    else:
        for k in range(n):
            total += first[k]
            gap += third[k]
        row[2] = gap
        if stage == JS_SCALED:
            for k in range(n):
                right += second[k]
            row[1], row[2], row[3] = right, 0.0, gap
    row[0], row[4] = (0.0, 1.0) if total == math.inf else (total, 0.0)


@compiled(**SUM)
def row_totals(x: Array, i: int, y: Array, j: int, n: int, row: Array) -> None:
    """Both masses and the largest entry of q, with how many entries are no masses."""
    a, b = x[i : i + n], y[j : j + n]
    mass, other, top, odd = 0.0, 0.0, 0.0, 0
    for k in range(n):
        mass += a[k]
        other += b[k]
        top = max(top, b[k])
        odd += int(not ((a[k] >= 0.0) & (b[k] >= 0.0)))
    row[:12] = 0.0
    row[0], row[1], row[2], row[5] = mass, other, top, float(odd)


@compiled(**TERM)
def gather(stage: int, x: Array, i: int, y: Array, j: int, n: int, state: Array, work: Array, w: int) -> None:
    """Copy a row to the w-th place of those that share a second stage, with what its terms need beside each entry."""
    at = w * n
    copy(x, i, 1, n, work[GATHERED_A], at)
    copy(y, j, 1, n, work[GATHERED_B], at)
    if stage == CROSS_ENTROPY_TOP:
        work[SCALE_A, at : at + n] = state[2]
    else:
        work[SCALE_A, at : at + n] = state[0]
        work[SCALE_B, at : at + n] = state[1]
