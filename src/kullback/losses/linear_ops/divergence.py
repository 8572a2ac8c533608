"""The divergence of two heads: with weights, gradients in the forward pass; without, values alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kullback.losses import plans
from kullback.losses.head import Head
from kullback.losses.linear_ops.gradients import empty_derivatives, scaled
from kullback.losses.operator import Operator
from kullback.losses.statistics import PairOptions


def _compute(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    teacher_x: Tensor,
    teacher_w: Tensor,
    teacher_bias: Tensor | None,
    target: Tensor | None,
    weight: Tensor | None,
    kind: str,
    beta: float,
    factor: float,
    ce_weight: float,
    softcap_t: float,
    softcap_s: float,
    temperature: float,
    compute: torch.dtype,
    teacher_compute: torch.dtype,
    logits_dtype: torch.dtype,
    chunk: int,
    needs: list[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    n, kept = x.shape[0], None if weight is None else plans.packed(weight)
    if kept is not None and weight is not None:
        x, teacher_x, weight = x[kept], teacher_x[kept], weight[kept]
        target = None if target is None else target[kept]
    head = Head(x, w, bias, compute=compute, logits_dtype=logits_dtype)
    teacher = Head(teacher_x, teacher_w, teacher_bias, compute=teacher_compute, logits_dtype=logits_dtype)
    o = PairOptions(kind, beta, softcap_t, softcap_s, temperature)
    values, d = plans.divergence(
        head, teacher, target, weight, o, factor=factor, ce_weight=ce_weight, chunk=chunk, needs=needs
    )
    total = values.sum() if weight is None else torch.where(weight != 0.0, values * weight, 0.0).sum()
    if kept is not None:
        values = plans.spread(values, kept, n)
        if needs[0]:
            d = d._replace(x=plans.spread(d.x, kept, n))
    return total, values, *d


def _fake(x, w, *options):  # type: ignore[no-untyped-def]
    compute, needs = options[-5], options[-1]
    double = compute == torch.float64 or x.device.type == "cpu"
    values = x.new_empty(x.shape[0], dtype=torch.float64 if double else torch.float32)
    return values.new_empty(()), values, *empty_derivatives(x, w, compute, needs)


def _keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.set_materialize_grads(False)
    ctx.recompute = inputs[7] is None
    if ctx.recompute:
        ctx.mark_non_differentiable(output[0], *output[2:])
        ctx.save_for_backward(*inputs[:7])
        ctx.options = inputs[8:-1]
    else:
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*inputs[:3], *output[2:])
        ctx.needs = inputs[-1]


def _gradient(ctx: Any, g: Any, g_rows: Any, *_: Any) -> Any:
    if not ctx.recompute:
        saved = ctx.saved_tensors
        return *scaled(saved[3:], g, saved[:3], ctx.needs), *(None,) * 17
    if g_rows is None:
        return (None,) * 20
    needs = list(ctx.needs_input_grad[:3])
    unit = plans.power_of_two([g_rows], g_rows)
    d = linear_divergence(*ctx.saved_tensors, g_rows / unit, *ctx.options, needs)[2:]
    return *scaled(d, unit, ctx.saved_tensors[:3], needs), *(None,) * 17


linear_divergence = Operator("linear_divergence", _compute, _fake, _keep, _gradient)
