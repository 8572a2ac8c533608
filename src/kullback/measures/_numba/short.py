"""Many short rows: the terms of a batch of rows in one loop that knows no rows, then the sums and the value of each.

A loop of its own for every row would cost more than the arithmetic of a few dozen categories. Rows that need a second
stage (`stages.py`) are gathered into a batch of their own; what even that does not cover is swept row by row.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._compile import INLINE, SUM, TERM, compiled
from kullback.measures._numba.blocks import (
    CROSS_ENTROPY,
    CROSS_ENTROPY_TOP,
    DONE,
    ENTROPY,
    JS,
    JS_SCALED,
    KL,
    KL_SCALED,
    TOTALS,
)
from kullback.measures._numba.instructions import prefetch
from kullback.measures._numba.stages import advance
from kullback.measures._numba.sweeps import STEP, start_of, sweep
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
SMALL = 1e-6  # an excess of one total over the other up to which ψ and log1p are their first terms


@compiled(**TERM)
def rows_short(
    measure: int, counted: int, p: Array, ps: Array, q: Array, qs: Array, span: Array, bounds: Array, out: Array
) -> bool:
    """`sweeps.rows` for rows of at most SHORT categories, of any dtype and stride."""
    n, inner = span[3], span[2]
    together = SHORT // n
    work, per_row, line = np.empty((11, WIDTH)), np.empty((together, 18)), np.empty(2 * STEP)
    done = True
    for start in range(span[0], span[1], together):
        many = min(together, span[1] - start)
        for r in range(many):
            _copy(p, start_of(ps, start + r, inner), ps[3], n, work[A], r * n)
            if measure != ENTROPY:
                _copy(q, start_of(qs, start + r, inner), qs[3], n, work[B], r * n)
        y = work[A] if measure == ENTROPY else work[B]
        done &= _batch(measure, counted, work[A], 0, y, 0, n, many, bounds, work, per_row, line, out[start:])
    return done


@compiled(**TERM)
def rows_adjacent(
    measure: int, counted: int, p: Array, i: int, q: Array, j: int, span: Array, bounds: Array, out: Array
) -> bool:
    """The same for rows of float64 that follow one another, in p from i and in q from j: nothing is copied."""
    n = span[3]
    together = SHORT // n
    work, per_row, line = np.empty((11, WIDTH)), np.empty((together, 18)), np.empty(2 * STEP)
    done = True
    for start in range(span[0], span[1], together):
        many = min(together, span[1] - start)
        at = start * n
        done &= _batch(measure, counted, p, i + at, q, j + at, n, many, bounds, work, per_row, line, out[start:])
    return done


@compiled(**TERM)
def _copy(x: Array, start: int, step: int, n: int, to: Array, at: int) -> None:
    part = to[at : at + n]
    if step == 1:
        line = x[start : start + n]
        for k in range(n):
            part[k] = np.float64(line[k])
    else:
        for k in range(n):
            part[k] = np.float64(x[start + k * step])


@compiled(**TERM)
def _batch(
    measure: int, counted: int, x: Array, i: int, y: Array, j: int, n: int, many: int,
    bounds: Array, work: Array, per_row: Array, line: Array, out: Array,
) -> bool:  # fmt: skip
    """Measure `many` rows that follow one another; whether all of them could be."""
    first, odd = TOTALS if counted else measure, 0
    if counted:
        for r in range(many):
            _totals(x, i + r * n, y, j + r * n, n, per_row[r])
    else:
        odd = _all_terms(measure, x, i, y, j, n * many, work)
        _sums(measure, x, i, y, j, work, n, many, per_row)
        left = _values(measure, per_row, many, bounds, out)
        if odd == 0 and left == 0:
            return True
    # Row by row: those that have no value yet go on, gathered as far as they share a stage.
    done, waiting, following = True, 0, DONE
    gathered = np.empty(many, np.int64)
    for r in range(many):
        sums, state, stage = per_row[r, :12], per_row[r, 12:], first
        if odd == 0 or _odd(measure, x, i + r * n, y, j + r * n, n, state, work) == 0:
            if not counted and not math.isnan(out[r]):
                continue
            stage = advance(measure, first, sums, state, bounds)
            if stage == TOTALS:  # nearly certain rows of a cross-entropy
                _totals(x, i + r * n, y, j + r * n, n, sums)
                stage = advance(measure, TOTALS, sums, state, bounds)
            if stage != DONE:
                _gather(stage, x, i + r * n, y, j + r * n, n, state, work, waiting)
                gathered[waiting] = r
                waiting, following = waiting + 1, stage
                continue
        _sweeps(measure, stage, x, i + r * n, y, j + r * n, n, bounds, per_row[r], line)
        out[r] = state[5]
        done = done and not math.isnan(out[r])
    if waiting == 0:
        return done
    odd = _all_terms(following, work[GATHERED_A], 0, work[GATHERED_B], 0, n * waiting, work)
    for w in range(waiting):
        _stage_sums(following, work, w, n, per_row[gathered[w]])
    for w in range(waiting):
        r, stage = gathered[w], following
        sums, state = per_row[r, :12], per_row[r, 12:]
        if odd == 0 or _odd(following, x, i + r * n, y, j + r * n, n, state, work) == 0:
            stage = advance(measure, following, sums, state, bounds)
        _sweeps(measure, stage, x, i + r * n, y, j + r * n, n, bounds, per_row[r], line)
        out[r] = state[5]
        done = done and not math.isnan(out[r])
    return done


@compiled(**TERM)
def _odd(stage: int, x: Array, i: int, y: Array, j: int, n: int, state: Array, work: Array) -> int:
    """How many entries of one row want the scalar loop. The terms of its batch are lost: they have been summed."""
    if stage == CROSS_ENTROPY_TOP:
        work[SCALE_A, :n] = state[2]
    elif stage in (KL_SCALED, JS_SCALED):
        work[SCALE_A, :n] = state[0]
        work[SCALE_B, :n] = state[1]
    return _all_terms(stage, x, i, y, j, n, work)


@compiled(**TERM)
def _sweeps(
    measure: int, stage: int, x: Array, i: int, y: Array, j: int, n: int, bounds: Array, row: Array, line: Array
) -> None:
    sums, state = row[:12], row[12:]
    while stage != DONE:
        sweep(stage, x, i, y, j, n, state, sums, line)
        stage = advance(measure, stage, sums, state, bounds)


@compiled(**TERM)
def _all_terms(stage: int, x: Array, i: int, y: Array, j: int, n: int, work: Array) -> int:
    """The terms of n entries, whosever row they are; how many entries want the scalar loop.

    Every entry goes through the vectorised part of the loop, so that its bits do not depend on where it stands.
    """
    whole = n - n % STEP
    odd = _terms(stage, x[i : i + whole], y[j : j + whole], whole, 0, work)
    if whole < n:
        work[LAST_A, :STEP] = 0.0
        work[LAST_B, :STEP] = 0.0
        _copy(x, i + whole, 1, n - whole, work[LAST_A], 0)
        _copy(y, j + whole, 1, n - whole, work[LAST_B], 0)
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
def _sums(measure: int, x: Array, i: int, y: Array, j: int, work: Array, n: int, many: int, per_row: Array) -> None:
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
def _stage_sums(stage: int, work: Array, w: int, n: int, row: Array) -> None:
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


@compiled(**TERM)
def _values(measure: int, per_row: Array, many: int, bounds: Array, out: Array) -> int:
    """The value of each row whose sums can be trusted, NaN for the others; how many those are. As `stages.advance`."""
    left = 0
    for r in range(many):
        total = math.inf if per_row[r, 4] > 0.0 else per_row[r, 0]
        if measure == KL:
            mass, other = per_row[r, 1], per_row[r, 1] + per_row[r, 2]
            e = per_row[r, 2] / mass
            value = total / mass
            less = e * e * (0.5 - e * (1.0 / 3.0 - 0.25 * e))  # ψ(e)
            trusted = (less <= 0.25 * value) & (abs(e) < SMALL)
        elif measure == JS:
            mass, other = per_row[r, 2], per_row[r, 2] + per_row[r, 3]
            e = per_row[r, 3] / mass
            value = 0.5 * (total + per_row[r, 1]) / mass
            less = 0.5 * e * (per_row[r, 1] / mass) + 0.125 * e * e
            trusted = (e * e <= value) & (e * e <= 1e-15 * math.sqrt(value))
        else:
            mass, other = per_row[r, 1], per_row[r, 2]
            e = other - 1.0
            value = total / mass
            less = -e * (1.0 - e * (0.5 - e * (1.0 / 3.0)))  # −log(1 + e)
            trusted = (value >= 0.25) & (abs(e) < SMALL)
        inside = (bounds[0] <= mass) & (mass <= bounds[1]) & (bounds[2] <= other) & (other <= bounds[3])
        out[r] = value - less if trusted & inside else math.nan
        left += int(not (trusted & inside))
    return left


@compiled(**SUM)
def _totals(x: Array, i: int, y: Array, j: int, n: int, row: Array) -> None:
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
def _gather(stage: int, x: Array, i: int, y: Array, j: int, n: int, state: Array, work: Array, w: int) -> None:
    """Copy a row to the w-th place of those that share a second stage, with what its terms need beside each entry."""
    at = w * n
    _copy(x, i, 1, n, work[GATHERED_A], at)
    _copy(y, j, 1, n, work[GATHERED_B], at)
    if stage == CROSS_ENTROPY_TOP:
        work[SCALE_A, at : at + n] = state[2]
    else:
        work[SCALE_A, at : at + n] = state[0]
        work[SCALE_B, at : at + n] = state[1]
