"""A whole loss on given logits as one step on the CPU, where a small input costs less than the calls around it.

Only for what needs nothing but a row's statistics: no class weights, masks, smoothing, caps. The loss and its gradient
are those of `given`, from the same compiled loops.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from kullback.losses import ops
from kullback.losses.memory import empty_like
from kullback.losses.operator import at_hand
from kullback.losses.options import check_ids
from kullback.losses.statistics import DivergenceStatistics, PairOptions

Array = Any


def suits(*logits: Tensor) -> bool:
    """Contiguous float32 logits on the CPU that nothing traces."""
    return all(
        z.dtype == torch.float32 and z.device.type == "cpu" and z.ndim and z.is_contiguous() and at_hand(z)
        for z in logits
    )


def _rows(z: Tensor) -> Array:
    return z.detach().numpy().reshape(-1, z.shape[-1])


def _reduced(losses: Array, count: float, shape: torch.Size, reduction: str) -> Tensor:
    if reduction == "none":
        return torch.from_numpy(losses.astype(np.float32)).reshape(shape)
    total = float(losses.sum())
    return torch.scalar_tensor(total / count if reduction == "mean" and count else total)


def _derivatives(g: Tensor, n: int, count: float, reduction: str) -> Array:
    """What came back from above, for each row."""
    if reduction == "none":
        return g.detach().reshape(-1).double().numpy()
    return np.full(n, float(g) / (count if reduction == "mean" and count else 1.0))


class _CrossEntropy(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, z: Tensor, target: Tensor, ignore_index: int, scale: float, reduction: str) -> Tensor:
        from kullback.losses._numba import doors, rows

        x, y = _rows(z), target.numpy().reshape(-1)
        lse, losses = np.empty(len(y)), np.empty(len(y))
        doors.share(rows.statistics, [x], scale, lse, doors.NOTHING)
        count = rows.losses(x, scale, lse, y, ignore_index, losses)
        if count < 0.0:
            check_ids(target[target != ignore_index], z.shape[-1])
        ctx.save_for_backward(z, target)
        ctx.rest = ignore_index, scale, reduction, lse, count
        return _reduced(losses, count, target.shape, reduction)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        from kullback.losses._numba import doors, rows

        z, target = ctx.saved_tensors
        ignore_index, scale, reduction, lse, count = ctx.rest
        y = target.reshape(-1, 1)
        d = _derivatives(g, len(lse), count, reduction)
        d[y.numpy()[:, 0] == ignore_index] = 0.0
        if torch.is_grad_enabled():
            g_lse = torch.from_numpy(d)
            flat, stats = z.reshape(-1, z.shape[-1]), torch.from_numpy(lse)
            dz = ops.row_statistics_backward(
                flat, y, None, stats, stats[:0], g_lse, -g_lse[:, None], None, None, 0.0, 1 / scale
            )
            return dz.reshape(z.shape), *(None,) * 4
        dz = empty_like(z)
        nothing = doors.NOTHING
        doors.share(
            rows.gradients, [_rows(z)], scale, lse, nothing, d, y.numpy(), -d[:, None], nothing, doors.NO_WEIGHTS,
            nothing, _rows(dz),
        )  # fmt: skip
        return dz, *(None,) * 4


def cross_entropy(z: Tensor, target: Tensor, *, ignore_index: int, temperature: float, reduction: str) -> Tensor:
    """The loss of rows of logits against class ids."""
    loss: Tensor = _CrossEntropy.apply(z, target, ignore_index, 1.0 / temperature, reduction)
    return loss


class _Divergence(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, teacher: Tensor, student: Tensor, o: PairOptions, factor: float, reduction: str) -> Tensor:
        from kullback.losses._numba import doors, pairs

        t, s = _rows(teacher), _rows(student)
        value, lse_t, lse_s, mean = np.empty((4, len(s)))
        loop = pairs.sums(doors.KINDS[o.kind])
        doors.share(loop, [t, s], 1, 1.0 / o.temperature, o.beta, lse_t, lse_s, value, mean)
        ctx.save_for_backward(teacher, student)
        ctx.rest = o, factor, reduction, lse_t, lse_s, mean
        return _reduced(factor * value, len(s), student.shape[:-1], reduction)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        from kullback.losses._numba import doors, pairs

        teacher, student = ctx.saved_tensors
        o, factor, reduction, lse_t, lse_s, mean = ctx.rest
        d = factor * _derivatives(g, len(mean), len(mean), reduction)
        if torch.is_grad_enabled() or ctx.needs_input_grad[0]:
            flat = [z.reshape(-1, z.shape[-1]) for z in (teacher, student)]
            got = DivergenceStatistics(*(torch.from_numpy(c) for c in (mean, lse_t, lse_s, mean)))
            needs = ctx.needs_input_grad[:2]
            both = ops.divergence_derivatives(flat[0], flat[1], got, torch.from_numpy(d), o, needs)
            return *(None if dz is None else dz.reshape(student.shape) for dz in both), *(None,) * 3
        dz = empty_like(student)
        loop, both_rows = pairs.gradients(doors.KINDS[o.kind]), [_rows(teacher), _rows(student)]
        doors.share(loop, both_rows, 1.0 / o.temperature, o.beta, lse_t, lse_s, mean, d, _rows(dz))
        return None, dz, *(None,) * 3


def divergence(teacher: Tensor, student: Tensor, o: PairOptions, *, factor: float, reduction: str) -> Tensor:
    """factor·D of each row, reduced."""
    loss: Tensor = _Divergence.apply(teacher, student, o, factor, reduction)
    return loss
