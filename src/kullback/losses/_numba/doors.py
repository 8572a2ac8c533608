"""Tensors in, compiled loops inside: rows shared between threads, 16-bit rows widened block by block."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kullback.losses import blocks
from kullback.losses._numba import pairs, rows
from kullback.losses.blocks.logits import row_blocks
from kullback.losses.blocks.pairs import empty_columns
from kullback.losses.blocks.rows import inside_of, rows_of, smooth_sums
from kullback.losses.statistics import (
    DivergenceStatistics,
    PairOptions,
    RowDerivatives,
    RowOptions,
    RowStatistics,
    Spread,
    empty_statistics,
)
from kullback.measures._numba.rows import in_threads

LEAST_WORK = 2**19  # entries that are worth a thread of their own
NOTHING = np.empty(0)
NO_IDS, NO_DERIVATIVES = np.empty((0, 0), np.int64), np.empty((0, 0))
NO_WEIGHTS = np.empty((0, 0), np.float32)
KINDS = {
    "forward_kl": pairs.FORWARD,
    "reverse_kl": pairs.REVERSE,
    "skew_js": pairs.SKEW_JS,
    "skew_kl": pairs.SKEW_KL,
    "tv": pairs.TV,
    "reverse_skew_kl": pairs.REVERSE_SKEW,
}


def share(loop: Callable[..., Any], arrays: list[Any], *rest: Any) -> None:
    """`loop(*arrays, first, last, *rest)` for all rows, by as many threads as torch has and the work is worth."""
    n, v = arrays[0].shape
    parts = min(torch.get_num_threads(), n, max(1, n * v // LEAST_WORK))
    if parts <= 1:
        loop(*arrays, 0, n, *rest)
        return
    in_threads(lambda i: loop(*arrays, i * n // parts, (i + 1) * n // parts, *rest), parts)


def _single(z: Tensor) -> bool:
    return bool(z.dtype == torch.float32 and z.is_contiguous())


def _blocks_of(*tensors: Tensor, copy: bool = False) -> Iterator[tuple[slice, list[Any]]]:
    """(rows, their float32 arrays): all rows at once where nothing has to be widened."""
    if not copy and all(_single(z) for z in tensors):
        yield slice(0, tensors[0].shape[0]), [z.numpy() for z in tensors]
        return
    for part in row_blocks(tensors[0]):
        yield part, [z[part].to(torch.float32, copy=True).contiguous().numpy() for z in tensors]


def _wide(x: Tensor | None, part: slice) -> Any:
    return NOTHING if x is None or not x.numel() else x[part].to(torch.float64).numpy()


def statistics(z: Tensor, ids: Tensor | None, class_weight: Tensor | None, o: RowOptions) -> RowStatistics:
    """Row statistics of logits z [N, V]."""
    if _left(z, o):
        return blocks.statistics(z, ids, class_weight, o)
    out = empty_statistics(z, z.shape[0], ids, o)
    scale = 1.0 / o.temperature
    for part, (x,) in _blocks_of(z):
        lse, h = out.lse[part].numpy(), out.entropy[part].numpy() if o.entropy else NOTHING
        share(rows.statistics, [x], scale, lse, h)
    if ids is not None:
        here, inside = inside_of(ids, z.shape[1])
        out.logit.copy_(torch.where(here, z.gather(1, inside).double() * scale, 0.0))
    if o.smooth:
        smooth_sums(z, class_weight, o.temperature, out.smooth)
    if o.top:
        torch.argmax(z, -1, out=out.top)
    return out


def gradient(
    z: Tensor,
    ids: Tensor | None,
    class_weight: Tensor | None,
    lse: Tensor,
    row_entropy: Tensor | None,
    g: RowDerivatives,
    out: Tensor,
    o: RowOptions,
    *,
    whole: bool,
) -> None:
    """From the derivatives of the row statistics to dz; `out` may be z."""
    if _left(z, o):
        blocks.gradient(z, ids, class_weight, lse, row_entropy, g, out, o, whole=whole)
        return
    direct = _single(z) and _single(out)
    for part, (x,) in _blocks_of(z, copy=not direct):
        w, g_w, numbers = NO_WEIGHTS, _wide(g.smooth, part), NO_IDS
        if len(g_w) and (weights := rows_of(class_weight, part)) is not None:
            w = weights.to(torch.float32).reshape(-1, x.shape[1]).contiguous().numpy()
        g_id = NO_DERIVATIVES
        if ids is not None and g.logit is not None:
            numbers, g_id = ids[part].contiguous().numpy(), g.logit[part].double().numpy()
        dz = out[part].numpy() if direct else x
        columns = (_wide(lse, part), _wide(row_entropy, part), _wide(g.lse, part), numbers, g_id, g_w, w)
        share(rows.gradients, [x], 1.0 / o.temperature, *columns, _wide(g.entropy, part), dz)
        if not direct:
            out[part] = torch.from_numpy(x)


def cross_entropy(
    z: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    weight: Tensor,
    out: Tensor,
    spread: Spread,
    o: RowOptions,
) -> RowStatistics:
    """Statistics of a row and d(weight·L)/dz; `out` may be z."""
    return blocks.cross_entropy(z, target, class_weight, weight, out, spread, o, sys.modules[__name__])


def _left(z: Tensor, o: RowOptions) -> bool:
    """What is left to `blocks`."""
    return bool(o.complement or o.softcap or z.dtype == torch.float64)


def _left_pair(z_t: Tensor, z_s: Tensor, o: PairOptions) -> bool:
    return bool(o.softcap_t or o.softcap_s or torch.float64 in (z_t.dtype, z_s.dtype))


def _sums(z_t: Tensor, z_s: Tensor, got: DivergenceStatistics, o: PairOptions, *, normalise: bool) -> None:
    loop = pairs.sums(KINDS[o.kind])
    for part, (t, s) in _blocks_of(z_t, z_s):
        value, lse_t, lse_s, mean = (column[part].numpy() for column in got)
        columns = (int(normalise), 1.0 / o.temperature, o.beta, lse_t, lse_s, value, mean)
        share(loop, [t, s], *columns)


def divergence_statistics(z_t: Tensor, z_s: Tensor, o: PairOptions) -> DivergenceStatistics:
    """Value and statistics of D(teacher‖student) for rows of logits [N, V]."""
    if _left_pair(z_t, z_s, o):
        return blocks.divergence_statistics(z_t, z_s, o)
    got = empty_columns(z_s)
    _sums(z_t, z_s, got, o, normalise=True)
    return got


def divergence_part(z_t: Tensor, z_s: Tensor, lse_t: Tensor, lse_s: Tensor, o: PairOptions) -> tuple[Tensor, Tensor]:
    """(Σ entries, Σ s·G) over the classes of z, for an lse that may sum over more of them (another rank's)."""
    if _left_pair(z_t, z_s, o):
        return blocks.divergence_part(z_t, z_s, lse_t, lse_s, o)
    got = empty_columns(z_s)._replace(lse_t=lse_t.double().contiguous(), lse_s=lse_s.double().contiguous())
    _sums(z_t, z_s, got, o, normalise=False)
    return got.value, got.mean_score


def divergence(
    z_t: Tensor, z_s: Tensor, weight: Tensor, out: Tensor, o: PairOptions, *, accumulate: bool = False
) -> DivergenceStatistics:
    """Statistics of a row and d(weight·D)/dz of the student."""
    got = divergence_statistics(z_t, z_s, o)
    divergence_gradient(z_t, z_s, got, weight, out, o, accumulate=accumulate)
    return got


def divergence_gradient(
    z_t: Tensor,
    z_s: Tensor,
    got: DivergenceStatistics,
    weight: Tensor,
    out: Tensor,
    o: PairOptions,
    *,
    accumulate: bool = False,
) -> None:
    """d(weight·D)/dz of the student into `out`, which is neither of the logits."""
    if _left_pair(z_t, z_s, o):
        blocks.divergence_gradient(z_t, z_s, got, weight, out, o, accumulate=accumulate)
        return
    loop = pairs.gradients(KINDS[o.kind])
    direct = _single(out) and not accumulate
    for part, (t, s) in _blocks_of(z_t, z_s) if direct else _blocks_of(z_t, z_s, copy=True):
        dz = out[part].numpy() if direct else np.empty_like(s)
        columns = (_wide(column, part) for column in (got.lse_t, got.lse_s, got.mean_score, weight))
        share(loop, [t, s], 1.0 / o.temperature, o.beta, *columns, dz)
        if accumulate:
            out[part] += torch.from_numpy(dz)
        elif not direct:
            out[part] = torch.from_numpy(dz)
