"""How the loops of this room are compiled, and run on several threads.

Threads are Python's own over loops that release the lock: unlike `parallel=True` they survive a fork, obey `n_jobs`,
and compile in a third of the time.
"""

from __future__ import annotations

import itertools
import numbers
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kullback._compile import TERM, compiled

# Sums may be reordered and divisions fused; NaN and ∞ keep their meaning, because no-NaN flags would break comparisons.
_FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}


def jit(function: Callable[..., Any] | None = None, *, fast: bool = True) -> Any:
    """Compile on first call, without the interpreter lock, kept for the next process."""
    if function is None:
        return lambda f: jit(f, fast=fast)
    return compiled(**{**TERM, "fastmath": _FAST if fast else False})(function)


def threads(n_jobs: int | None) -> int:
    """How many threads `n_jobs` means: None is 1, −1 all cores, −2 all but one."""
    if n_jobs is None:
        return 1
    if not isinstance(n_jobs, numbers.Integral) or isinstance(n_jobs, bool):
        raise TypeError(f"n_jobs must be an integer or None, got {n_jobs!r}.")
    if n_jobs == 0:
        raise ValueError("n_jobs = 0 has no meaning. Give a count, -1 for all cores, or None for one.")
    count = int(n_jobs)
    return count if count > 0 else max(1, (os.cpu_count() or 1) + 1 + count)


class Rows:
    """Runs a kernel `kernel(start, stop, *args)` over the rows 0…n, in blocks, on `n_threads` threads."""

    def __init__(self, n_threads: int) -> None:
        self._n = n_threads
        self._pool = ThreadPoolExecutor(n_threads) if n_threads > 1 else None

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def __call__(self, kernel: Callable[..., Any], n: int, *args: Any) -> None:
        if self._pool is None or n < 2 * self._n:
            kernel(0, n, *args)
            return
        # Four blocks a thread even out rows of unequal length.
        edges = [n * b // (4 * self._n) for b in range(4 * self._n + 1)]
        waiting = [self._pool.submit(kernel, a, b, *args) for a, b in itertools.pairwise(edges) if b > a]
        for future in waiting:
            future.result()

    def together(self, kernel: Callable[..., Any], calls: list[tuple[Any, ...]]) -> list[Any]:
        """One call per entry of `calls`, at the same time; their results in order."""
        if self._pool is None:
            return [kernel(*call) for call in calls]
        return [future.result() for future in [self._pool.submit(kernel, *call) for call in calls]]
