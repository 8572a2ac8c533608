"""Positions of which at least one side comes from a `.kld` file: what both sides know, and the rest as one token.

A file of codes knows the tokens within e¹⁶ of the top one; the others are cut. So KL and the rest are measured on the
tokens that both sides know and one more token, everything else. Of the cut tokens' mass 1 − Σ is known to half a step
of the codes and no better, and each of them has at most the least mass that is stored.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kullback.evaluation._kld import Block
from kullback.evaluation._pairs import Pairs

Floats = NDArray[np.float64]


class CodedPairs(NamedTuple):
    """`pairs` is measured with the rest as one token; `rest` (n, 2) are its masses on the two sides.

    `pairs.log_normaliser` is that of logits, 0 for codes.
    """

    pairs: Pairs
    rest: Floats


def coded_pairs_formula(a: Block | NDArray[Any], b: Block | NDArray[Any]) -> CodedPairs:
    """The formula, in NumPy; a side is a block of codes or logits (n, V)."""
    from kullback.evaluation._pairs import pairs_formula

    sides, log_z = [], np.zeros((len(a.codes) if isinstance(a, Block) else len(a), 2))
    for j, x in enumerate((a, b)):
        if isinstance(x, Block):
            sides.append(x.log_masses())
        else:
            wide = np.asarray(x, dtype=np.float64)
            log_z[:, j] = _log_sum_exp(wide)
            sides.append(wide - log_z[:, j : j + 1])
    both = np.isfinite(sides[0]) & np.isfinite(sides[1])
    joined, rest = [], np.empty_like(log_z)
    for j, (x, given) in enumerate(zip(sides, (a, b), strict=True)):
        rest[:, j] = np.where(both, 0.0, np.exp(x)).sum(axis=1)
        if isinstance(given, Block):
            most = np.sum(given.codes == 0, axis=1) * np.exp(given.low.astype(np.float64))
            least = np.minimum(0.5 * given.scale.astype(np.float64), most)
            rest[:, j] += np.clip(1.0 - np.exp(x).sum(axis=1), least, most)
        with np.errstate(divide="ignore"):
            joined.append(np.column_stack([np.where(both, x, -np.inf), np.log(rest[:, j])]))
    found = pairs_formula(*joined)
    top = np.stack([x[:, :-1].argmax(axis=1) for x in joined], axis=1)
    return CodedPairs(found._replace(top=top, log_normaliser=log_z), rest)


def coded_pairs(a: Block | NDArray[Any], b: Block | NDArray[Any]) -> CodedPairs:
    """The same, fused: each row is decoded, joined and measured while it is in the cache."""
    from kullback.evaluation._numba import coded as loops

    codes_a, head_a, dense_a = _side(a)
    codes_b, head_b, dense_b = _side(b)
    n = max(len(codes_a), len(dense_a))
    out, top = np.empty((n, 5)), np.empty((n, 2), dtype=np.int64)
    log_z, rest = np.empty((n, 2)), np.empty((n, 2))
    loops.coded_pairs(codes_a, head_a, dense_a, codes_b, head_b, dense_b, out, top, log_z, rest)
    kl, reverse, js, variation, entropy = np.ascontiguousarray(out.T)
    return CodedPairs(Pairs(kl, reverse, js, variation, entropy, top, log_z), rest)


def _side(x: Block | NDArray[Any]) -> tuple[NDArray[np.uint16], NDArray[np.float32], NDArray[Any]]:
    """Codes, their scale and least value, logits: of the first two or the last there are no rows."""
    if isinstance(x, Block):
        V = x.codes.shape[1]
        return x.codes, np.stack([x.scale, x.low], axis=1), np.empty((0, V), dtype=np.float32)
    dtype = np.float64 if x.dtype == np.float64 else np.float32
    dense = np.require(x, dtype=dtype, requirements=["C", "W", "E"])
    return np.empty((0, dense.shape[1]), dtype=np.uint16), np.empty((0, 2), dtype=np.float32), dense


def _log_sum_exp(x: Floats) -> Floats:
    top = x.max(axis=1)
    return np.asarray(top + np.log(np.sum(np.exp(x - top[:, None]), axis=1)))
