"""Row statistics of logits, and the gradients made of them."""

from __future__ import annotations

import math
from types import ModuleType

import torch
from torch import Tensor

from kullback.losses import terms
from kullback.losses.blocks.logits import log_normaliser, log_probabilities, row_blocks, transform, undo_transform
from kullback.losses.statistics import (
    RowDerivatives,
    RowOptions,
    RowStatistics,
    Spread,
    empty_statistics,
    narrow,
    wide,
)


def rows_of(class_weight: Tensor | None, rows: slice) -> Tensor | None:
    """Class weights are one vector [V] for all rows, or a row of soft targets for each [N, V]."""
    return class_weight[rows] if class_weight is not None and class_weight.ndim == 2 else class_weight


def inside_of(ids: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """(which ids are classes of this slice, the ids with 0 for the others)."""
    here = (ids >= 0) & (ids < classes)
    return here, torch.where(here, ids, 0)


def empty_ids(y: Tensor, ids: Tensor) -> None:
    """Take the classes in ids out of the rows: their logits become −∞."""
    here, inside = inside_of(ids, y.shape[1])
    y.scatter_add_(1, inside, torch.where(here, -math.inf, 0.0).to(y.dtype))


def _weighted(y: Tensor, w: Tensor | None) -> Tensor:
    return y if w is None else torch.where(w == 0.0, 0.0, y * w)


def smooth_sums(z: Tensor, class_weight: Tensor | None, temperature: float, out: Tensor) -> None:
    """Σ w·z/temperature of rows, in the dtype of `out`."""
    for rows in row_blocks(z):
        torch.sum(_weighted(z[rows].to(out.dtype), rows_of(class_weight, rows)), -1, out=out[rows])
    if temperature != 1.0:
        out.div_(temperature)


def statistics(z: Tensor, ids: Tensor | None, class_weight: Tensor | None, o: RowOptions) -> RowStatistics:
    """Row statistics of logits z [N, V] for ids [N, K]."""
    out = empty_statistics(z, z.shape[0], ids, o)
    dtype = narrow(z) if o.plain and not (o.smooth or o.entropy) else wide(z)
    as_is = z.dtype == dtype and o.plain and not o.complement
    for rows in row_blocks(z):
        y = z[rows] if as_is else transform(z[rows], dtype, o.softcap, o.temperature)
        if o.top:
            torch.argmax(y, -1, out=out.top[rows])
        if o.smooth:
            torch.sum(_weighted(y, rows_of(class_weight, rows)), -1, out=out.smooth[rows])
        if ids is not None:
            here, inside = inside_of(ids[rows], z.shape[1])
            out.logit[rows] = torch.where(here, y.gather(1, inside), 0.0).to(out.lse.dtype)
            if o.complement:
                empty_ids(y, ids[rows])
        out.lse[rows] = log_normaliser(y)[0]
        if o.entropy:
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
    g: RowDerivatives,
    out: Tensor,
    o: RowOptions,
    *,
    whole: bool,
) -> None:
    """From the derivatives of the row statistics to dz; `out` may be z. `whole`: z holds all that lse sums over.

    dlse = p, dlogit = [j = id], dsmooth = w, dentropy = −p·(log p + H). A row whose derivatives are all 0 gets exactly
    0, whatever its logits hold.
    """
    dtype = narrow(z)
    for rows in row_blocks(z):
        y = transform(z[rows], dtype, o.softcap, o.temperature)
        kept = y.clone() if o.softcap else y
        if o.complement and ids is not None:
            empty_ids(y, ids[rows])
        coefficient = g.lse[rows, None].to(dtype)
        active = coefficient != 0.0
        if g.entropy is not None and row_entropy is not None:
            log_p = log_probabilities(y, lse[rows])
            p = torch.exp(log_p)
            g_h, h = g.entropy[rows, None].to(dtype), row_entropy[rows, None].to(dtype)
            active |= g_h != 0.0
            dy = torch.where(p == 0.0, 0.0, p * (coefficient - g_h * (log_p + h)))
        else:
            # softmax normalises once more, which is nearer than exp(y − lse)
            dy = torch.softmax(y, -1) if whole else log_probabilities(y, lse[rows]).exp_()
            dy.mul_(coefficient)
        if g.smooth is not None:
            g_w = g.smooth[rows, None].to(dtype)
            active |= g_w != 0.0
            w = rows_of(class_weight, rows)
            dy.add_(g_w if w is None else g_w * w)
        if g.logit is not None and ids is not None:
            here, inside = inside_of(ids[rows], z.shape[1])
            g_id = g.logit[rows].to(dtype)
            active |= (g_id != 0.0).any(-1, keepdim=True)
            dy.scatter_add_(1, inside, torch.where(here, g_id, 0.0))
        undo_transform(dy, kept, o.softcap, o.temperature)
        silence(dy, ~active)
        out[rows] = dy


def cross_entropy(
    z: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    weight: Tensor,
    out: Tensor,
    spread: Spread,
    o: RowOptions,
    kernels: ModuleType | None = None,
) -> RowStatistics:
    """Statistics of a row and d(weight·L)/dz at once (one kernel on CUDA); `out` may be z.

    `kernels` is the module whose `statistics` and `gradient` are used, when not these.
    """
    of = kernels.statistics if kernels else statistics
    into = kernels.gradient if kernels else gradient
    ids = target[:, None]
    got: RowStatistics = of(z, ids, class_weight, o._replace(smooth=spread.label_smoothing > 0.0))
    g = terms.derivatives(got.lse, weight, target, class_weight, spread, classes=z.shape[1])
    into(z, ids, class_weight, got.lse, None, g, out, o, whole=True)
    return got
