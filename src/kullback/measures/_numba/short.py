"""Many short rows: the terms of a batch of rows in one loop that knows no rows, then the sums and the value of each.

A loop of its own for every row would cost more than the arithmetic of a few dozen categories. Rows that need a second
stage (`stages.py`) are gathered into a batch of their own; what even that does not cover is swept row by row.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._compile import TERM, compiled
from kullback.measures._numba.batch import (
    GATHERED_A,
    GATHERED_B,
    SCALE_A,
    SCALE_B,
    SHORT,
    WIDTH,
    A,
    B,
    all_terms,
    copy,
    gather,
    row_sums,
    row_totals,
    stage_sums,
)
from kullback.measures._numba.blocks import CROSS_ENTROPY_TOP, DONE, ENTROPY, JS, JS_SCALED, KL, KL_SCALED, TOTALS
from kullback.measures._numba.stages import advance
from kullback.measures._numba.sweeps import STEP, start_of, sweep

Array = Any

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
            copy(p, start_of(ps, start + r, inner), ps[3], n, work[A], r * n)
            if measure != ENTROPY:
                copy(q, start_of(qs, start + r, inner), qs[3], n, work[B], r * n)
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
def _batch(
    measure: int, counted: int, x: Array, i: int, y: Array, j: int, n: int, many: int,
    bounds: Array, work: Array, per_row: Array, line: Array, out: Array,
) -> bool:  # fmt: skip
    """Measure `many` rows that follow one another; whether all of them could be."""
    first, odd = TOTALS if counted else measure, 0
    if counted:
        for r in range(many):
            row_totals(x, i + r * n, y, j + r * n, n, per_row[r])
    else:
        odd = all_terms(measure, x, i, y, j, n * many, work)
        row_sums(measure, x, i, y, j, work, n, many, per_row)
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
                row_totals(x, i + r * n, y, j + r * n, n, sums)
                stage = advance(measure, TOTALS, sums, state, bounds)
            if stage != DONE:
                gather(stage, x, i + r * n, y, j + r * n, n, state, work, waiting)
                gathered[waiting] = r
                waiting, following = waiting + 1, stage
                continue
        _sweeps(measure, stage, x, i + r * n, y, j + r * n, n, bounds, per_row[r], line)
        out[r] = state[5]
        done = done and not math.isnan(out[r])
    if waiting == 0:
        return done
    odd = all_terms(following, work[GATHERED_A], 0, work[GATHERED_B], 0, n * waiting, work)
    for w in range(waiting):
        stage_sums(following, work, w, n, per_row[gathered[w]])
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
    return all_terms(stage, x, i, y, j, n, work)


@compiled(**TERM)
def _sweeps(
    measure: int, stage: int, x: Array, i: int, y: Array, j: int, n: int, bounds: Array, row: Array, line: Array
) -> None:
    sums, state = row[:12], row[12:]
    while stage != DONE:
        sweep(stage, x, i, y, j, n, state, sums, line)
        stage = advance(measure, stage, sums, state, bounds)


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
