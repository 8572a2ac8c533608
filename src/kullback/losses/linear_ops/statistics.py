"""The row statistics of a head's logits, which the backward pass makes again."""

# ruff: noqa: FBT001  the operators of torch take their options by position

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kullback.losses import plans
from kullback.losses.head import Head
from kullback.losses.operator import Operator
from kullback.losses.statistics import RowDerivatives, RowOptions, RowStatistics, empty_statistics


def _compute(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    ids: Tensor | None,
    class_weight: Tensor | None,
    smooth: bool,
    entropy: bool,
    top: bool,
    complement: bool,
    softcap: float,
    temperature: float,
    compute: torch.dtype,
    logits_dtype: torch.dtype,
    chunk: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    head = Head(x, w, bias, compute=compute, logits_dtype=logits_dtype)
    o = RowOptions(smooth, entropy, top, complement, softcap, temperature)
    return tuple(plans.statistics(head, ids, class_weight, o, chunk=chunk))


def _fake(x, w, bias, ids, class_weight, *options):  # type: ignore[no-untyped-def]
    del w, bias, class_weight
    like = x.new_empty(0, dtype=torch.float64 if options[6] == torch.float64 else torch.float32)
    return tuple(empty_statistics(like, x.shape[0], ids, RowOptions(*options[:6])))


def _compute_backward(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    ids: Tensor | None,
    class_weight: Tensor | None,
    lse: Tensor,
    row_entropy: Tensor,
    g_lse: Tensor | None,
    g_logit: Tensor | None,
    g_smooth: Tensor | None,
    g_entropy: Tensor | None,
    complement: bool,
    softcap: float,
    temperature: float,
    compute: torch.dtype,
    logits_dtype: torch.dtype,
    chunk: int,
    needs: list[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    head = Head(x, w, bias, compute=compute, logits_dtype=logits_dtype)
    g = RowDerivatives(torch.zeros_like(lse) if g_lse is None else g_lse, g_logit, g_smooth, g_entropy)
    o = RowOptions(complement=complement, softcap=softcap, temperature=temperature)
    return tuple(plans.statistics_gradient(head, ids, class_weight, lse, row_entropy, g, o, chunk=chunk, needs=needs))


def _fake_backward(x, w, bias, *options):  # type: ignore[no-untyped-def]
    dtypes = x.dtype, w.dtype, w.dtype if bias is None else bias.dtype
    parts = zip((x.shape, w.shape, w.shape[:1]), dtypes, options[-1], strict=True)
    return tuple(x.new_empty(shape if need else 0, dtype=dtype) for shape, dtype, need in parts)


def _keep(ctx: Any, inputs: Any, output: Any) -> None:
    x, w, bias, ids, class_weight, *options = inputs
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[4])
    ctx.save_for_backward(x, w, bias, ids, class_weight, output[0], output[3])
    ctx.options = options[3:]


def _gradient(ctx: Any, g_lse: Any, g_logit: Any, g_smooth: Any, g_entropy: Any, _: Any) -> Any:
    needs = list(ctx.needs_input_grad[:3])
    d = _backward(*ctx.saved_tensors, g_lse, g_logit, g_smooth, g_entropy, *ctx.options, needs)
    return *(part if need else None for part, need in zip(d, needs, strict=True)), *(None,) * 11


_backward = Operator("linear_statistics_backward", _compute_backward, _fake_backward)
_statistics = Operator("linear_statistics", _compute, _fake, _keep, _gradient)


def linear_statistics(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    ids: Tensor | None,
    class_weight: Tensor | None,
    o: RowOptions,
    *,
    compute: torch.dtype,
    logits_dtype: torch.dtype,
    chunk: int = 0,
) -> RowStatistics:
    """Row statistics of the logits x·Wᵀ + b, differentiable in x, W and b without keeping the logits."""
    return RowStatistics(*_statistics(x, w, bias, ids, class_weight, *o, compute, logits_dtype, chunk))
