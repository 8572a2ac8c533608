"""The cross-entropy of a head, its gradient made in the forward pass."""

# ruff: noqa: FBT001  the operators of torch take their options by position

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kullback.losses import plans, terms
from kullback.losses.head import Head
from kullback.losses.linear_ops.gradients import empty_derivatives, scaled
from kullback.losses.operator import Operator
from kullback.losses.statistics import RowOptions, Spread, empty_statistics


def _compute(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    target: Tensor,
    class_weight: Tensor | None,
    weight: Tensor,
    label_smoothing: float,
    z_loss: float,
    softcap: float,
    temperature: float,
    compute: torch.dtype,
    logits_dtype: torch.dtype,
    chunk: int,
    stats: bool,
    needs: list[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    n, kept = x.shape[0], plans.packed(weight)
    if kept is not None:
        x, target, weight = x[kept], target[kept], weight[kept]
    head = Head(x, w, bias, compute=compute, logits_dtype=logits_dtype)
    spread = Spread(label_smoothing, z_loss)
    o = RowOptions(entropy=stats, top=stats, softcap=softcap, temperature=temperature)
    got, d = plans.cross_entropy(head, target, class_weight, weight, spread, o, chunk=chunk, needs=needs)
    loss = terms.loss_rows(got, target, class_weight, spread, classes=w.shape[0])
    total = torch.where(weight != 0.0, loss * weight, 0.0).sum()
    if kept is not None:
        got = got._replace(lse=plans.spread(got.lse, kept, n), logit=plans.spread(got.logit, kept, n))
        if stats:
            got = got._replace(entropy=plans.spread(got.entropy, kept, n), top=plans.spread(got.top, kept, n))
        if needs[0]:
            d = d._replace(x=plans.spread(d.x, kept, n))
    return total, got.lse, got.logit, got.entropy, got.top, *d


def _fake(x, w, bias, target, *options):  # type: ignore[no-untyped-def]
    del bias
    compute, stats, needs = options[6], options[9], options[10]
    like = x.new_empty(0, dtype=torch.float64 if compute == torch.float64 else torch.float32)
    got = empty_statistics(like, x.shape[0], target[:, None], RowOptions(entropy=stats, top=stats))
    d = empty_derivatives(x, w, compute, needs)
    return got.lse.new_empty(()), got.lse, got.logit, got.entropy, got.top, *d


def _keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(*output[1:])
    ctx.save_for_backward(*inputs[:3], *output[5:])
    ctx.needs = inputs[-1]


def _gradient(ctx: Any, g: Any, *_: Any) -> Any:
    saved = ctx.saved_tensors
    return *scaled(saved[3:], g, saved[:3], ctx.needs), *(None,) * 12


linear_cross_entropy = Operator("linear_cross_entropy", _compute, _fake, _keep, _gradient)
