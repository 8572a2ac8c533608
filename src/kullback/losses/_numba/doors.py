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
from kullback.losses.blocks.rows import rows_of, smooth_sums
from kullback.losses.statistics import DivergenceStatistics, RowStatistics, empty_statistics
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


def statistics(
    z: Tensor,
    ids: Tensor | None,
    class_weight: Tensor | None,
    *,
    smooth: bool,
    entropy: bool,
    top: bool,
    complement: bool,
    softcap: float,
    temperature: float,
) -> RowStatistics:
    """Row statistics of logits z [N, V]."""
    if complement or softcap or z.dtype == torch.float64:
        return blocks.statistics(
            z, ids, class_weight, smooth=smooth, entropy=entropy, top=top, complement=complement, softcap=softcap,
            temperature=temperature,
        )  # fmt: skip
    out = empty_statistics(z, z.shape[0], ids, smooth=smooth, entropy=entropy, top=top)
    scale = 1.0 / temperature
    for part, (x,) in _blocks_of(z):
        lse, h = out.lse[part].numpy(), out.entropy[part].numpy() if entropy else NOTHING
        share(rows.statistics, [x], scale, lse, h)
    if ids is not None:
        here = (ids >= 0) & (ids < z.shape[1])
        out.logit.copy_(torch.where(here, z.gather(1, torch.where(here, ids, 0)).double() * scale, 0.0))
    if smooth:
        smooth_sums(z, class_weight, temperature, out.smooth)
    if top:
        torch.argmax(z, -1, out=out.top)
    return out


def gradient(
    z: Tensor,
    ids: Tensor | None,
    class_weight: Tensor | None,
    lse: Tensor,
    row_entropy: Tensor | None,
    g_lse: Tensor,
    g_logit: Tensor | None,
    g_smooth: Tensor | None,
    g_entropy: Tensor | None,
    out: Tensor,
    *,
    whole: bool,
    complement: bool,
    softcap: float,
    temperature: float,
) -> None:
    """From the derivatives of the row statistics to dz; `out` may be z."""
    if complement or softcap or z.dtype == torch.float64:
        blocks.gradient(
            z, ids, class_weight, lse, row_entropy, g_lse, g_logit, g_smooth, g_entropy, out, whole=whole,
            complement=complement, softcap=softcap, temperature=temperature,
        )  # fmt: skip
        return
    scale = 1.0 / temperature
    direct = _single(z) and _single(out)
    for part, (x,) in _blocks_of(z, copy=not direct):
        w, g_w, numbers = NO_WEIGHTS, _wide(g_smooth, part), NO_IDS
        if len(g_w) and (weights := rows_of(class_weight, part)) is not None:
            w = weights.to(torch.float32).reshape(-1, x.shape[1]).contiguous().numpy()
        g_id = NO_DERIVATIVES
        if ids is not None and g_logit is not None:
            numbers, g_id = ids[part].contiguous().numpy(), g_logit[part].double().numpy()
        dz = out[part].numpy() if direct else x
        columns = (_wide(lse, part), _wide(row_entropy, part), _wide(g_lse, part), numbers, g_id, g_w, w)
        g_h = _wide(g_entropy, part)
        share(rows.gradients, [x], scale, *columns, g_h, dz)
        if not direct:
            out[part] = torch.from_numpy(x)


def cross_entropy(
    z: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    weight: Tensor,
    out: Tensor,
    *,
    entropy: bool,
    top: bool,
    label_smoothing: float,
    z_loss: float,
    softcap: float,
    temperature: float,
) -> RowStatistics:
    """Statistics of a row and d(weight·L)/dz; `out` may be z."""
    return blocks.cross_entropy(
        z, target, class_weight, weight, out, entropy=entropy, top=top, label_smoothing=label_smoothing, z_loss=z_loss,
        softcap=softcap, temperature=temperature, kernels=sys.modules[__name__],
    )  # fmt: skip


def _empty(z: Tensor) -> DivergenceStatistics:
    return DivergenceStatistics(*(z.new_empty(z.shape[0], dtype=torch.float64) for _ in range(4)))


def _plain(z_t: Tensor, z_s: Tensor, softcap_t: float, softcap_s: float) -> bool:
    return not (softcap_t or softcap_s or torch.float64 in (z_t.dtype, z_s.dtype))


def _sums(
    z_t: Tensor, z_s: Tensor, got: DivergenceStatistics, kind: str, beta: float, temperature: float, *, normalise: bool
) -> DivergenceStatistics:
    loop = pairs.sums(KINDS[kind])
    for part, (t, s) in _blocks_of(z_t, z_s):
        value, lse_t, lse_s, mean = (column[part].numpy() for column in got)
        columns = (int(normalise), 1.0 / temperature, beta, lse_t, lse_s, value, mean)
        share(loop, [t, s], *columns)
    return got


def divergence_statistics(
    z_t: Tensor, z_s: Tensor, *, kind: str, beta: float, softcap_t: float, softcap_s: float, temperature: float
) -> DivergenceStatistics:
    """Value and statistics of D(teacher‖student) for rows of logits [N, V]."""
    if not _plain(z_t, z_s, softcap_t, softcap_s):
        return blocks.divergence_statistics(
            z_t, z_s, kind=kind, beta=beta, softcap_t=softcap_t, softcap_s=softcap_s, temperature=temperature
        )
    return _sums(z_t, z_s, _empty(z_s), kind, beta, temperature, normalise=True)


def divergence_part(
    z_t: Tensor, z_s: Tensor, lse_t: Tensor, lse_s: Tensor,
    *, kind: str, beta: float, softcap_t: float, softcap_s: float, temperature: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """(Σ entries, Σ s·G) over the classes of z, for an lse that may sum over more of them (another rank's)."""
    if not _plain(z_t, z_s, softcap_t, softcap_s):
        return blocks.divergence_part(
            z_t, z_s, lse_t, lse_s, kind=kind, beta=beta, softcap_t=softcap_t, softcap_s=softcap_s,
            temperature=temperature,
        )  # fmt: skip
    got = _empty(z_s)._replace(lse_t=lse_t.double().contiguous(), lse_s=lse_s.double().contiguous())
    got = _sums(z_t, z_s, got, kind, beta, temperature, normalise=False)
    return got.value, got.mean_score


def divergence(
    z_t: Tensor, z_s: Tensor, weight: Tensor, out: Tensor, *, accumulate: bool = False, **options: Any
) -> DivergenceStatistics:
    """Statistics of a row and d(weight·D)/dz of the student."""
    got = divergence_statistics(z_t, z_s, **options)
    divergence_gradient(z_t, z_s, got, weight, out, accumulate=accumulate, **options)
    return got


def divergence_gradient(
    z_t: Tensor,
    z_s: Tensor,
    statistics: DivergenceStatistics,
    weight: Tensor,
    out: Tensor,
    *,
    kind: str,
    beta: float,
    softcap_t: float,
    softcap_s: float,
    temperature: float,
    accumulate: bool = False,
    whole: bool = True,
) -> None:
    """d(weight·D)/dz of the student into `out`, which is neither of the logits."""
    if not _plain(z_t, z_s, softcap_t, softcap_s):
        blocks.divergence_gradient(
            z_t, z_s, statistics, weight, out, kind=kind, beta=beta, softcap_t=softcap_t, softcap_s=softcap_s,
            temperature=temperature, accumulate=accumulate, whole=whole,
        )  # fmt: skip
        return
    loop = pairs.gradients(KINDS[kind])
    direct = _single(out) and not accumulate
    for part, (t, s) in _blocks_of(z_t, z_s) if direct else _blocks_of(z_t, z_s, copy=True):
        dz = out[part].numpy() if direct else np.empty_like(s)
        columns = (
            1.0 / temperature, beta, _wide(statistics.lse_t, part), _wide(statistics.lse_s, part),
            _wide(statistics.mean_score, part), _wide(weight, part), dz,
        )  # fmt: skip
        share(loop, [t, s], *columns)
        if accumulate:
            out[part] += torch.from_numpy(dz)
        elif not direct:
            out[part] = torch.from_numpy(dz)
