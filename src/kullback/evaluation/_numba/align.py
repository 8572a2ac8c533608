"""The loop of `aligned` of kullback.evaluation._sparse."""

from __future__ import annotations

from typing import Any

import numpy as np

from kullback.evaluation._numba.jit import jit

Array = Any


@jit
def aligned(
    p_ids: Array, p: Array, p_tail: Array, q_ids: Array, q: Array, q_tail: Array, a: Array, b: Array, whole: Array
) -> None:
    n, k = p_ids.shape
    last = a.shape[1] - 1
    for i in range(n):
        rest_p, rest_q = np.exp(p_tail[i]), np.exp(q_tail[i])
        found_q = 0.0
        all_found = True
        for j in range(k):
            token = p_ids[i, j]
            if token < 0:
                continue
            at = -1
            for l in range(q_ids.shape[1]):
                if q_ids[i, l] == token:
                    at = l
            if at < 0:
                rest_p += np.exp(p[i, j])
                all_found = False
            else:
                a[i, j], b[i, j] = p[i, j], q[i, at]
                found_q += 1.0
        stored = 0
        for l in range(q_ids.shape[1]):
            if q_ids[i, l] < 0:
                continue
            stored += 1
            shared = False
            for j in range(k):
                if p_ids[i, j] == q_ids[i, l]:
                    shared = True
            if not shared:
                rest_q += np.exp(q[i, l])
        a[i, last], b[i, last] = np.log(rest_p), np.log(rest_q)
        whole[i] = all_found and found_q == stored
