"""Large batches in blocks: what a formula makes on its way stays in the cache, and each core takes the next block.

NumPy and the compiled loops hold no lock while they compute.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import prod
from typing import Any

import numpy as np

from kullback.families.answer import PER_PAIR, Answer
from kullback.families.base import Family

# numbers per array and block, from twice as many on: two threads that ask for Python's lock more often lose by it
_BLOCK = 131_072


def pieces(p: Family, q: Family, shape: tuple[int, ...]) -> int:
    """How many blocks a batch is worth; 1 for what is small or made of parts."""
    if any(f._parts() or not f._comparable for f in (p, q)):
        return 1
    numbers = max(prod(shape), *(v.size for v in (*p._leaves(), *q._leaves()) if not isinstance(v, float)))
    return min(-(-numbers // _BLOCK), max(shape, default=1)) if numbers >= 2 * _BLOCK else 1


def in_blocks(kl: Callable[[Any, Any], Answer], p: Family, q: Family, shape: tuple[int, ...], many: int) -> Answer:
    """kl(p, q), its longest axis cut into `many` blocks."""
    from kullback._compile import threads

    axis = shape.index(max(shape))
    edges = np.linspace(0, shape[axis], many + 1).astype(int)
    value = np.empty(shape)

    def block(i: int) -> tuple[str, float]:
        part = slice(edges[i], edges[i + 1])
        answer = kl(*(f._along(part, len(shape) - 1 - axis) for f in (p, q)))
        value[(slice(None),) * axis + (part,)] = answer.value
        return answer.method, answer.error

    with ThreadPoolExecutor(min(threads(), many)) as pool:
        try:
            found = list(pool.map(block, range(many)))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    methods = {method for method, _ in found}
    return Answer(value, methods.pop() if len(methods) == 1 else PER_PAIR, max(error for _, error in found))
