"""Rows of any layout, handed to the compiled loops: no copy of the data, threads where there is work for them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kullback._compile import threads
from kullback.measures._numba import blocks, logits, short, stages, sweeps

Array = np.ndarray[Any, Any]

MEASURES = {
    "kl_divergence": blocks.KL,
    "js_divergence": blocks.JS,
    "cross_entropy": blocks.CROSS_ENTROPY,
    "entropy": blocks.ENTROPY,
}
DTYPES = tuple(np.dtype(d) for d in ("float64", "float32", "int64", "int32"))

TASK = 1 << 18  # pairs that one thread takes at a time
FEW = 384  # categories up to which the rows of a batch are taken together
LONG = 1 << 20  # rows as long as this are summed in segments, however many threads there are: the same bits
SEGMENT = 1 << 16
MOST_SEGMENTS = 4096


def measure(name: str, p: Array, q: Array, counted: int, bounds: Array) -> Array | None:
    """The measure `name` of each row, categories last; None for layouts or values that the plain formula must see."""
    lead = np.broadcast_shapes(p.shape[:-1], q.shape[:-1])
    laid = _two_axes(np.broadcast_to(p, (*lead, p.shape[-1])), np.broadcast_to(q, (*lead, q.shape[-1])))
    if laid is None:
        return None
    (outer, inner, n), steps_p, steps_q = laid
    flat_p, ps = _flat(p, steps_p)
    flat_q, qs = _flat(q, steps_q)
    which, many = MEASURES[name], outer * inner
    out = np.empty(many)
    if n >= LONG or (n >= TASK and many <= 4):
        whole = all(_long(which, counted, (flat_p, flat_q), (ps, qs), r, (inner, n), bounds, out) for r in range(many))
    else:
        whole = _rows(which, counted, (flat_p, flat_q), (ps, qs), (outer, inner, n), bounds, out)
    return out.reshape(lead) if whole else None


def measure_logits(p: Array, q: Array) -> Array | None:
    """KL of each row of logits; None for layouts or values that the formula must see."""
    lead = np.broadcast_shapes(p.shape[:-1], q.shape[:-1])
    laid = _two_axes(np.broadcast_to(p, (*lead, p.shape[-1])), np.broadcast_to(q, (*lead, q.shape[-1])))
    if laid is None or laid[1][2] != 1 or laid[2][2] != 1:
        return None
    (outer, inner, n), steps_p, steps_q = laid
    flat_p, ps = _flat(p, steps_p)
    flat_q, qs = _flat(q, steps_q)
    out = np.empty(outer * inner)
    per_task = max(1, TASK // n)
    fine = np.ones(-(-len(out) // per_task), dtype=bool)

    def work(i: int) -> None:
        span = np.array([i * per_task, min(len(out), (i + 1) * per_task), inner, n])
        fine[i] = logits.rows(flat_p, ps, flat_q, qs, span, out)

    in_threads(work, len(fine))
    return out.reshape(lead) if fine.all() else None


def in_threads(work: Callable[[int], Any], tasks: int) -> None:
    """`work(i)` for i in range(tasks), by as many threads as may run; the compiled loops let them run side by side.

    Threads of this call alone: nothing is left behind that a fork or another thread could trip over.
    """
    counter = itertools.count()
    failed: list[BaseException] = []

    def take() -> None:
        try:
            while not failed and (i := next(counter)) < tasks:
                work(i)
        except BaseException as error:  # noqa: BLE001  raised again by the caller's thread
            failed.append(error)

    helpers = [threading.Thread(target=take, daemon=True) for _ in range(min(threads(), tasks) - 1)]
    for helper in helpers:
        helper.start()
    take()
    for helper in helpers:
        helper.join()
    if failed:
        raise failed[0]


def _rows(which: int, counted: int, flat: Any, steps: Any, shape: Any, bounds: Array, out: Array) -> bool:
    outer, inner, n = shape
    many, direct = outer * inner, _direct(flat, steps)
    # Where the next row is nearer in memory than the next category, rows are read side by side.
    tile = sweeps.TILE if any(0 < abs(s[2]) < abs(s[3]) for s in steps) and inner > 1 else 1
    adjacent = direct and (many == 1 or (outer == 1 and all(s[2] == n for s in steps)))
    per_task = max(1, TASK // n, many // (8 * threads()))
    per_task = -(-per_task // tile) * tile
    fine = np.ones(-(-many // per_task), dtype=bool)

    def work(i: int) -> None:
        span = np.array([i * per_task, min(many, (i + 1) * per_task), inner, n])
        arguments = (flat[0], steps[0], flat[1], steps[1], span, bounds, out)
        if n <= FEW and adjacent:
            starts = flat[0], steps[0][0], flat[1], steps[1][0]
            fine[i] = short.rows_adjacent(which, counted, *starts, span, bounds, out)
        elif n <= FEW and tile == 1:
            fine[i] = short.rows_short(which, counted, *arguments)
        elif direct:
            fine[i] = sweeps.rows(which, counted, *arguments)
        else:
            fine[i] = sweeps.rows_any(which, counted, *arguments, tile)

    in_threads(work, len(fine))
    return bool(fine.all())


def _long(which: int, counted: int, flat: Any, steps: Any, row: int, shape: Any, bounds: Array, out: Array) -> bool:
    inner, n = shape
    length = SEGMENT * -(-n // (SEGMENT * MOST_SEGMENTS))
    i, j = (int(s[0] + row // inner * s[1] + row % inner * s[2]) for s in steps)
    state, total = np.ones((1, 6)), np.empty(12)
    parts = np.empty((-(-n // length), 1, 12))
    direct = _direct(flat, steps)
    per_task = max(1, len(parts) // (8 * threads()))

    def work(task: int) -> None:
        which_ones = n, length, task * per_task, min(len(parts), (task + 1) * per_task)
        if direct:
            sweeps.segments(stage, flat[0], i, flat[1], j, *which_ones, state[0], parts)
        else:
            sweeps.segments_any(stage, flat[0], i, steps[0][3], flat[1], j, steps[1][3], *which_ones, state, parts)

    stage = blocks.TOTALS if counted else which
    while stage != blocks.DONE:
        in_threads(work, -(-len(parts) // per_task))
        stages.combine(stage, parts, total)
        stage = stages.advance(which, stage, total, state[0], bounds)
    out[row] = state[0, 5]
    return bool(out[row] == out[row])


def _direct(flat: Any, steps: Any) -> bool:
    return all(x.dtype == np.float64 and s[3] == 1 for x, s in zip(flat, steps, strict=True))


def _two_axes(p: Array, q: Array) -> tuple[tuple[int, int, int], list[int], list[int]] | None:
    """Both arrays with their leading axes merged into two at most: the shape, and the steps in entries."""
    axes: list[tuple[int, int, int]] = []
    for n, s, t in zip(p.shape[:-1], p.strides[:-1], q.strides[:-1], strict=True):
        if n == 1:
            continue
        if axes and axes[-1][1:] == (s * n, t * n):
            axes[-1] = (axes[-1][0] * n, s, t)
        else:
            axes.append((n, s, t))
    if len(axes) > 2 or any(s % p.itemsize for s in p.strides) or any(t % q.itemsize for t in q.strides):
        return None
    (outer, s0, t0), (inner, s1, t1) = [(1, 0, 0)] * (2 - len(axes)) + axes
    single = p.shape[-1] == 1  # NumPy may give such an axis any stride
    steps_p = [s // p.itemsize for s in (s0, s1, p.itemsize if single else p.strides[-1])]
    steps_q = [t // q.itemsize for t in (t0, t1, q.itemsize if single else q.strides[-1])]
    return (outer, inner, p.shape[-1]), steps_p, steps_q


def _flat(x: Array, steps: list[int]) -> tuple[Array, Array]:
    """The memory that x spans as one line (a view), and where in it x begins and how it steps.

    The view is marked writeable whatever x is, so that one compiled loop serves all; nothing is ever written to it.
    """
    low = sum((n - 1) * s for n, s in zip(x.shape, x.strides, strict=True) if s < 0)
    high = sum((n - 1) * s for n, s in zip(x.shape, x.strides, strict=True) if s > 0)
    corner = x[tuple(slice(n - 1, n) if s < 0 else slice(0, 1) for n, s in zip(x.shape, x.strides, strict=True))]
    length = (high - low) // x.itemsize + 1
    return as_strided(corner.reshape(1), (length,), (x.itemsize,)), np.array([-low // x.itemsize, *steps])
