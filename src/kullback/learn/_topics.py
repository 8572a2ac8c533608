"""Where `KLNMF` starts: topics shaken from a few rows, then lowered on parts of the data that grow.

A round on a part costs that part of a round, and between two parts the topics are drawn back towards the whole data, as
annealing does: whole rounds after it begin where they would have been after a dozen, and mostly end lower.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kullback.learn._checks import row_sums
from kullback.learn._counts import Counts, flat, lower, part

Floats = NDArray[np.float64]

# The first part has this many rows a topic, each next one four times as many.
_ROWS_A_TOPIC, _GROWTH = 6, 4
# Rounds on the last part and on those before; both measured on Reuters R8.
_LAST_ROUNDS, _ROUNDS = 5, 10
# Share of the whole data's distribution in the topics that a part hands on.
_BLUR = 0.6


def first_topics(
    rows: Any, counts: Counts, weight: Floats, overall: Floats, k: int, random: np.random.RandomState
) -> Floats:
    """Topics as columns (d, k), positive wherever `overall` is; rows of weight 2 count as two rows, in any order."""
    V = counts.rows
    order = drawn(V, weight, random)
    H = np.ascontiguousarray((overall + _means(V, order[: 3 * k], k)).T * random.uniform(0.8, 1.2, (V.shape[1], k)))
    sizes: list[int] = []
    while (size := _ROWS_A_TOPIC * k * _GROWTH ** len(sizes)) <= order.size // 2:
        sizes.append(size)
    for size in sizes:
        some, seen = part(counts, order[:size])
        G = H[seen]
        W, moved = flat(some, G), np.empty(max(size, seen.size))
        lower(rows, some, 0, W, G, 0.0, 2, 0, 0.0, None, moved)
        for _ in range(_LAST_ROUNDS if size == sizes[-1] else _ROUNDS):
            lower(rows, some, 0, W, G, 0.0, 1, 0, 0.0, None, moved)
            lower(rows, some, 1, G, W, 0.0, 1, 0, 0.0, None, moved)
        mass = G.sum(axis=0)
        H = np.tile(_BLUR * overall[:, None], k)
        H[seen] += (1 - _BLUR) * G / np.where(mass > 0, mass, 1.0)
    return H


def drawn(V: Any, weight: Floats, random: np.random.RandomState) -> NDArray[np.int64]:
    """One row of each kind, in the order of a draw without replacement by weight; rows without mass are left out."""
    key = V @ np.random.default_rng(20010909).standard_normal(V.shape[1])  # equal rows: equal key, to the last bit
    kept = np.flatnonzero((weight > 0) & (row_sums(V) > 0))
    _, first, place = np.unique(key[kept], return_index=True, return_inverse=True)
    # The earliest of exponential times whose rates are the weights.
    arrival = random.standard_exponential(first.size) / np.bincount(place, weight[kept])
    return np.asarray(kept[first[np.argsort(arrival, kind="stable")]])


def _means(V: Any, pick: NDArray[np.int64], k: int) -> Floats:
    """The mean distributions of every k-th of these rows, (k, d)."""
    some = V[pick]
    member = sp.csr_matrix(
        (1.0 / row_sums(some), (np.arange(pick.size) % k, np.arange(pick.size))), shape=(k, pick.size)
    )
    topics = (member @ some).toarray()
    mass = topics.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(topics, mass, out=topics, where=mass > 0))
