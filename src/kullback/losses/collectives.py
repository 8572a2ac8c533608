"""What travels between the ranks of a split vocabulary: row statistics, O(N) numbers at a time."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from kullback.errors import InvalidInput
from kullback.losses import ops
from kullback.losses.statistics import DivergenceStatistics, PairOptions, RowOptions, RowStatistics

Group = Any


class _Sum(torch.autograd.Function):  # type: ignore[misc]
    """Σ over ranks of numbers whose loss every rank computes alike: the derivative passes through."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group) -> Tensor:
        del ctx
        x = x.clone()
        dist.all_reduce(x, group=group)
        return x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        del ctx
        return g, None


class _Share(torch.autograd.Function):  # type: ignore[misc]
    """x, which every rank has; its derivative is the sum of what the ranks' slices make of it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        g = g.contiguous().clone()
        dist.all_reduce(g, group=ctx.group)
        return g, None


def share(x: Tensor, group: Group) -> Tensor:
    """The same x, whose derivative is summed over ranks."""
    result: Tensor = _Share.apply(x, group)
    return result


def first_of(classes: int, first_class: int | None, group: Group) -> int:
    """The first class of this rank's slice."""
    if not dist.is_initialized():
        msg = "torch.distributed is not initialised: call init_process_group, or use the functions of kullback.losses"
        raise InvalidInput(msg)
    return dist.get_rank(group) * classes if first_class is None else first_class


def together(got: RowStatistics, group: Group, *, entropy: bool, smooth: bool) -> RowStatistics:
    """The statistics of whole rows from those of each rank's slice."""
    top = got.lse.detach().clone()
    dist.all_reduce(top, op=dist.ReduceOp.MAX, group=group)
    top = torch.nan_to_num(top, neginf=0.0)
    share = torch.exp(got.lse - top)
    columns = [share, got.logit[:, 0]]
    if smooth:
        columns.append(got.smooth)
    if entropy:
        # A slice's mean logit is lse − entropy; an empty slice has none.
        columns.append(share * torch.where(share == 0.0, 0.0, got.lse - got.entropy))
    sums = _Sum.apply(torch.stack(columns), group)
    lse = top + torch.log(sums[0])
    whole = lse - sums[-1] / sums[0] if entropy else got.entropy
    return RowStatistics(lse, sums[1][:, None], sums[2] if smooth else got.smooth, whole, got.top)


def divergence_statistics(z_t: Tensor, z_s: Tensor, group: Group, o: PairOptions) -> DivergenceStatistics:
    """`blocks.divergence_statistics` of rows whose classes are split between ranks."""
    kernels = ops.kernels(z_s)
    both = [
        kernels.statistics(z, None, None, RowOptions(softcap=cap, temperature=o.temperature)).lse
        for z, cap in ((z_t, o.softcap_t), (z_s, o.softcap_s))
    ]
    lse = torch.stack(both)
    top = lse.clone()
    dist.all_reduce(top, op=dist.ReduceOp.MAX, group=group)
    top = torch.nan_to_num(top, neginf=0.0)
    share = torch.exp(lse - top)
    dist.all_reduce(share, group=group)
    lse = top + torch.log(share)
    sums = torch.stack(kernels.divergence_part(z_t, z_s, lse[0], lse[1], o))
    dist.all_reduce(sums, group=group)
    return DivergenceStatistics(sums[0], lse[0], lse[1], sums[1])
