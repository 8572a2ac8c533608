"""The two sums over the vocabulary in llama.cpp's statistics: `llama_rows` of kullback.evaluation._llama.

float32 steps are taken in float64 and rounded, which gives the same number (a product of two float32 is exact, a sum
rounds to the same twice) and keeps the compiler from fusing two of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kullback._lanes_numba import exp
from kullback.evaluation._numba.jit import jit
from kullback.evaluation._numba.pairs import _first, _largest

Array = Any


@jit
def _normaliser(x: Array, top: float) -> Any:
    total = 0.0
    for i in range(x.size):
        total += np.float64(np.float32(exp(np.float64(np.float32(np.float64(x[i]) - top)))))
    return total


@jit
def _divergence(x: Array, codes: Array, scale: float, low: float, shift: float) -> Any:
    total = 0.0
    for i in range(x.size):
        step = np.float64(np.float32(scale * np.float64(codes[i])))
        log_p = np.float64(np.float32(step + low))
        gap = np.float64(np.float32(log_p - np.float64(x[i])))
        gap = np.float64(np.float32(gap + shift))
        p = np.float64(np.float32(exp(log_p)))
        total += np.float64(np.float32(p * gap)) if log_p > -16.0 else 0.0
    return total


@jit
def llama_rows(
    logits: Array, codes: Array, scale: Array, low: Array, shift: Array, kl: Array, top: Array, same: Array
) -> None:
    """For each row: `shift` = top + log Σ exp in float32, KL, whether the most probable tokens are the same."""
    for i in range(logits.shape[0]):
        top[i] = _largest(logits[i])
        log_sum = np.float32(np.log(_normaliser(logits[i], np.float64(top[i]))))
        shift[i] = np.float32(np.float64(top[i]) + np.float64(log_sum))
        kl[i] = _divergence(logits[i], codes[i], np.float64(scale[i]), np.float64(low[i]), np.float64(shift[i]))
        same[i] = _first(logits[i], top[i]) == _first(codes[i], _largest(codes[i]))
