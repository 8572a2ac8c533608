"""Rows of any length, stride and dtype: block after block, stage after stage."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._compile import INLINE, TERM, compiled
from kullback.measures._numba.blocks import DONE, ENTROPY, TOTALS, block
from kullback.measures._numba.stages import add, advance

Array = Any

BLOCK = 4096  # categories in one block of a contiguous row
STEP = 32  # blocks are filled up to a multiple of this: the compiled loop is slow on what is left over
BUFFER = 2048  # numbers in the buffer that other layouts and dtypes pass through: it stays in the first-level cache
TILE = 64  # rows that are read side by side where rows are nearer in memory than categories
TILE_WIDTH = 128  # categories of each: the buffer stays in the second-level cache
PITCH = TILE_WIDTH + 8  # no power of two: rows of the buffer must not share the few places a cache has for such steps


@compiled(**TERM)
def sweep(stage: int, p: Array, i: int, q: Array, j: int, n: int, state: Array, sums: Array, tail: Array) -> None:
    """Sum n categories of contiguous float64 p and q. The last few pass through `tail`, filled up with zeros."""
    whole = n - n % STEP
    sums[:] = 0.0
    for k in range(0, whole, BLOCK):
        m = min(BLOCK, whole - k)
        add(stage, sums, block(stage, p, i + k, q, j + k, m, state[0], state[1], state[2]))
    if whole < n:
        tail[:] = 0.0
        for k in range(n - whole):
            tail[k] = p[i + whole + k]
            tail[STEP + k] = q[j + whole + k]
        add(stage, sums, block(stage, tail, 0, tail, STEP, STEP, state[0], state[1], state[2]))


@compiled(**TERM)
def segments(
    stage: int,
    p: Array,
    i: int,
    q: Array,
    j: int,
    n: int,
    length: int,
    first: int,
    last: int,
    state: Array,
    parts: Array,
) -> None:
    """Sum the segments first:last, each of `length` categories, of one row of n."""
    tail = np.empty(2 * STEP)
    for k in range(first, last):
        at = k * length
        sweep(stage, p, i + at, q, j + at, min(length, n - at), state, parts[k, 0], tail)


@compiled(**INLINE)
def start_of(steps: Array, row: int, inner: int) -> Any:
    """Where a row begins. The division is left out where there is one axis of rows."""
    if row < inner:
        return steps[0] + row * steps[2]
    return steps[0] + (row // inner) * steps[1] + (row % inner) * steps[2]


@compiled(**TERM)
def rows(
    measure: int, counted: int, p: Array, ps: Array, q: Array, qs: Array, span: Array, bounds: Array, out: Array
) -> bool:
    """Measure rows span[0]:span[1] of contiguous float64 p and q into `out`; whether all of them could be.

    `ps` and `qs` are (offset, step of the outer axis, of the inner axis, of the categories); span[2] is the length of
    the inner axis, span[3] the number of categories.
    """
    state, sums, tail = np.empty(6), np.empty(12), np.empty(2 * STEP)
    done = True
    for r in range(span[0], span[1]):
        i = start_of(ps, r, span[2])
        j = start_of(qs, r, span[2])
        stage = TOTALS if counted else measure
        while stage != DONE:
            sweep(stage, p, i, q, j, span[3], state, sums, tail)
            stage = advance(measure, stage, sums, state, bounds)
        out[r] = state[5]
        done = done and not math.isnan(state[5])
    return done


@compiled(**TERM)
def _load(x: Array, start: Array, step: int, first: int, n: int, tile: int, buffer: Array) -> None:
    """Bring n categories of `tile` rows into float64 rows of PITCH, filled up with zeros to a multiple of STEP."""
    if tile == 1:
        for k in range(n):
            buffer[k] = np.float64(x[start[0] + (first + k) * step])
    else:
        for k in range(n):
            at = (first + k) * step
            for r in range(tile):
                buffer[r * PITCH + k] = np.float64(x[start[r] + at])
    for r in range(tile):
        for k in range(n, n + (-n) % STEP):
            buffer[r * PITCH + k] = 0.0


@compiled(**TERM)
def sweep_any(
    stage: int,
    p: Array,
    i: Array,
    ps: int,
    q: Array,
    j: Array,
    qs: int,
    first: int,
    n: int,
    tile: int,
    state: Array,
    sums: Array,
    buffer: Array,
) -> None:
    """Sum n categories, from `first` on, of `tile` rows of any stride and dtype, through a small buffer."""
    width = BUFFER if tile == 1 else TILE_WIDTH
    sums[:] = 0.0
    for k in range(0, n, width):
        m = min(width, n - k)
        _load(p, i, ps, first + k, m, tile, buffer[0])
        if stage != ENTROPY:
            _load(q, j, qs, first + k, m, tile, buffer[1])
        m += (-m) % STEP
        for r in range(tile):
            at = r * PITCH
            add(stage, sums[r], block(stage, buffer[0], at, buffer[1], at, m, state[r, 0], state[r, 1], state[r, 2]))


@compiled(**TERM)
def rows_any(
    measure: int,
    counted: int,
    p: Array,
    ps: Array,
    q: Array,
    qs: Array,
    span: Array,
    bounds: Array,
    out: Array,
    tile: int,
) -> bool:
    """`rows` for any stride and dtype, `tile` rows at a time."""
    state, sums, buffer = (
        np.ones((tile, 6)),
        np.empty((tile, 12)),
        np.empty((2, BUFFER if tile == 1 else tile * PITCH)),
    )
    i, j, stages = np.empty(tile, np.int64), np.empty(tile, np.int64), np.empty(tile, np.int64)
    done = True
    for first in range(span[0], span[1], tile):
        many = min(tile, span[1] - first)
        for r in range(tile):
            row = first + min(r, many - 1)  # the last tile does its last row again, and forgets it
            i[r] = start_of(ps, row, span[2])
            j[r] = start_of(qs, row, span[2])
            stages[r] = TOTALS if counted else measure
        stage = stages[0]
        while stage != DONE:
            sweep_any(stage, p, i, ps[3], q, j, qs[3], 0, span[3], tile, state, sums, buffer)
            following = DONE
            for r in range(tile):
                if stages[r] == stage:
                    stages[r] = advance(measure, stage, sums[r], state[r], bounds)
                if stages[r] != DONE:
                    following = stages[r]
            stage = following
        for r in range(many):
            out[first + r] = state[r, 5]
            done = done and not math.isnan(state[r, 5])
    return done


@compiled(**TERM)
def segments_any(
    stage: int, p: Array, i: int, ps: int, q: Array, j: int, qs: int, n: int, length: int, first: int, last: int,
    state: Array, parts: Array,
) -> None:  # fmt: skip
    """`segments` for any stride and dtype."""
    starts, buffer = np.empty((2, 1), np.int64), np.empty((2, BUFFER))
    starts[0, 0], starts[1, 0] = i, j
    for k in range(first, last):
        at = k * length
        some = min(length, n - at)
        sweep_any(stage, p, starts[0], ps, q, starts[1], qs, at, some, 1, state, parts[k], buffer)
