"""Row statistics of logits, and the gradients made of them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from kullback.losses import terms
from kullback.losses.blocks.logits import log_normaliser, log_probabilities, row_blocks, transform, undo_transform
from kullback.losses.statistics import RowStatistics, empty_statistics, narrow, wide


def rows_of(class_weight: Tensor | None, rows: slice) -> Tensor | None:
    """Class weights are one vector [V] for all rows, or a row of soft targets for each [N, V]."""
    return class_weight[rows] if class_weight is not None and class_weight.ndim == 2 else class_weight


def _weighted(y: Tensor, w: Tensor | None) -> Tensor:
    return y if w is None else torch.where(w == 0.0, 0.0, y * w)


def smooth_sums(z: Tensor, class_weight: Tensor | None, temperature: float, out: Tensor) -> None:
    """Σ w·z/temperature of rows, in the dtype of `out`."""
    for rows in row_blocks(z):
        torch.sum(_weighted(z[rows].to(out.dtype), rows_of(class_weight, rows)), -1, out=out[rows])
    if temperature != 1.0:
        out.div_(temperature)


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
    """Row statistics of logits z [N, V] for ids [N, K]."""
    n, v, dtype = z.shape[0], z.shape[1], wide(z)
    out = empty_statistics(z, n, ids, smooth=smooth, entropy=entropy, top=top)
    if not (smooth or entropy or softcap or temperature != 1.0):
        dtype = narrow(z)
    as_is = z.dtype == dtype and not (complement or softcap or temperature != 1.0)
    for rows in row_blocks(z):
        y = z[rows] if as_is else transform(z[rows], dtype, softcap=softcap, temperature=temperature)
        if top:
            torch.argmax(y, -1, out=out.top[rows])
        if smooth:
            torch.sum(_weighted(y, rows_of(class_weight, rows)), -1, out=out.smooth[rows])
        if ids is not None:
            here = (ids[rows] >= 0) & (ids[rows] < v)
            inside = torch.where(here, ids[rows], 0)
            out.logit[rows] = torch.where(here, y.gather(1, inside), 0.0).to(out.lse.dtype)
            if complement:
                y.scatter_add_(1, inside, torch.where(here, -math.inf, 0.0).to(dtype))
        out.lse[rows] = log_normaliser(y)[0]
        if entropy:
            log_p = log_probabilities(y.clone() if as_is else y, out.lse[rows])
            p = torch.exp(log_p)
            out.entropy[rows] = -torch.where(p == 0.0, 0.0, p * log_p).sum(-1)
    return out


def silence(dy: Tensor, idle: Tensor) -> None:
    """Exactly 0 in idle rows, whatever their logits hold; where no row is idle the CPU saves the pass."""
    if dy.device.type != "cpu" or bool(idle.any()):
        dy.masked_fill_(idle, 0.0)


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
    """From the derivatives of the row statistics to dz; `out` may be z. `whole`: z holds all that lse sums over.

    dlse = p, dlogit = [j = id], dsmooth = w, dentropy = −p·(log p + H). A row whose derivatives are all 0 gets exactly
    0, whatever its logits hold.
    """
    dtype, v = narrow(z), z.shape[1]
    for rows in row_blocks(z):
        y = transform(z[rows], dtype, softcap=softcap, temperature=temperature)
        kept = y.clone() if softcap else y
        here, inside = None, None
        if ids is not None:
            here = (ids[rows] >= 0) & (ids[rows] < v)
            inside = torch.where(here, ids[rows], 0)
            if complement:
                y.scatter_add_(1, inside, torch.where(here, -math.inf, 0.0).to(dtype))
        coefficient = g_lse[rows, None].to(dtype)
        active = coefficient != 0.0
        if g_entropy is not None and row_entropy is not None:
            log_p = log_probabilities(y, lse[rows])
            p = torch.exp(log_p)
            g_h, h = g_entropy[rows, None].to(dtype), row_entropy[rows, None].to(dtype)
            active |= g_h != 0.0
            dy = torch.where(p == 0.0, 0.0, p * (coefficient - g_h * (log_p + h)))
        else:
            # softmax normalises once more, which is nearer than exp(y − lse)
            dy = torch.softmax(y, -1) if whole else log_probabilities(y, lse[rows]).exp_()
            dy.mul_(coefficient)
        if g_smooth is not None:
            g_w = g_smooth[rows, None].to(dtype)
            active |= g_w != 0.0
            w = rows_of(class_weight, rows)
            dy.add_(g_w if w is None else g_w * w)
        if g_logit is not None and here is not None and inside is not None:
            g_id = g_logit[rows].to(dtype)
            active |= (g_id != 0.0).any(-1, keepdim=True)
            dy.scatter_add_(1, inside, torch.where(here, g_id, 0.0))
        undo_transform(dy, kept, softcap=softcap, temperature=temperature)
        silence(dy, ~active)
        out[rows] = dy


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
    kernels: Any = None,
) -> RowStatistics:
    """Statistics of a row and d(weight·L)/dz at once (one kernel on CUDA); `out` may be z.

    `kernels` names the module whose `statistics` and `gradient` are used, when not these.
    """
    ids = target[:, None]
    got = (kernels.statistics if kernels else statistics)(
        z,
        ids,
        class_weight,
        smooth=label_smoothing > 0.0,
        entropy=entropy,
        top=top,
        complement=False,
        softcap=softcap,
        temperature=temperature,
    )
    g_lse, g_logit, g_smooth = terms.derivatives(
        got.lse, weight, target, class_weight, label_smoothing=label_smoothing, z_loss=z_loss, classes=z.shape[1]
    )
    (kernels.gradient if kernels else gradient)(
        z,
        ids,
        class_weight,
        got.lse,
        None,
        g_lse,
        g_logit[:, None],
        g_smooth,
        None,
        out,
        whole=True,
        complement=False,
        softcap=softcap,
        temperature=temperature,
    )
    return got
