"""The plans as operators that torch.compile sees as one node each, with their derivatives."""

# ruff: noqa: FBT001  the operators of torch take their options by position

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kullback.losses import plans, terms
from kullback.losses.head import Head, one_block, weight_sums
from kullback.losses.operator import Operator
from kullback.losses.statistics import RowStatistics, empty_statistics


def _empty_derivatives(
    x: Tensor, w: Tensor, compute: torch.dtype, needs: list[bool], *, once: bool = False
) -> list[Tensor]:
    """dx, dw, db with the right shapes and nothing in them."""
    sums = weight_sums(torch.float32, compute, once=False)
    dtypes = (sums, weight_sums(w.dtype, compute, once=once and x.device.type != "cpu"), sums)
    parts = zip((x.shape, w.shape, w.shape[:1]), dtypes, needs, strict=True)
    return [
        x.new_empty(shape, dtype=dtype) if need else x.new_empty(0, dtype=sums if x.device.type == "cpu" else compute)
        for shape, dtype, need in parts
    ]


# scale: the sums of unscaled derivatives times what came back from above, rounded once to the parameter's dtype


def _compute_scale(d: Tensor, g: Tensor, origin: Tensor, dtype: torch.dtype) -> Tensor:
    del origin  # what d is the gradient of: a second derivative reaches it through this operator, and is refused
    return (d * g.to(d.dtype)).to(dtype)


def _fake_scale(d: Tensor, g: Tensor, origin: Tensor, dtype: torch.dtype) -> Tensor:
    del g, origin
    return torch.empty_like(d, dtype=dtype)


scale = Operator("scale", _compute_scale, _fake_scale)


def _scaled(ctx: Any, g: Tensor | None) -> list[Tensor | None]:
    """The gradients of x, the weight and the bias from the sums that the forward pass has left."""
    origins, sums = ctx.saved_tensors[:3], ctx.saved_tensors[3:]
    return [
        scale(d, g, origin, origin.dtype) if need and g is not None else None
        for d, origin, need in zip(sums, origins, ctx.needs, strict=True)
    ]


def _dtypes(x: Tensor, w: Tensor, bias: Tensor | None) -> tuple[torch.dtype, ...]:
    return x.dtype, w.dtype, w.dtype if bias is None else bias.dtype


# linear_cross_entropy: the gradient in the forward pass


def _compute_cross_entropy(
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
    spread: dict[str, Any] = {"label_smoothing": label_smoothing, "z_loss": z_loss}
    got, d = plans.cross_entropy(
        head,
        target,
        class_weight,
        weight,
        chunk=chunk,
        needs=needs,
        softcap=softcap,
        temperature=temperature,
        entropy=stats,
        top=stats,
        **spread,
    )
    loss = terms.loss_rows(got.lse, got.logit[:, 0], got.smooth, target, class_weight, classes=w.shape[0], **spread)
    total = torch.where(weight != 0.0, loss * weight, 0.0).sum()
    if kept is not None:
        got = got._replace(lse=plans.spread(got.lse, kept, n), logit=plans.spread(got.logit, kept, n))
        if stats:
            got = got._replace(entropy=plans.spread(got.entropy, kept, n), top=plans.spread(got.top, kept, n))
        if needs[0]:
            d = d._replace(x=plans.spread(d.x, kept, n))
    return total, got.lse, got.logit, got.entropy, got.top, *d


def _fake_cross_entropy(x, w, bias, target, *options):  # type: ignore[no-untyped-def]
    del bias
    compute, stats, needs = options[6], options[9], options[10]
    like = x.new_empty(0, dtype=torch.float64 if compute == torch.float64 else torch.float32)
    got = empty_statistics(like, x.shape[0], target[:, None], smooth=False, entropy=stats, top=stats)
    sizes = options[7].itemsize, 0 if options[7] == compute else compute.itemsize
    once = one_block(x.shape[0], x.shape[1], chunk=options[8], device=x.device, bytes_each=sizes)
    d = _empty_derivatives(x, w, compute, needs, once=once)
    return got.lse.new_empty(()), got.lse, got.logit, got.entropy, got.top, *d


def _keep_cross_entropy(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(*output[1:])
    ctx.save_for_backward(*inputs[:3], *output[5:])
    ctx.needs = inputs[-1]


def _cross_entropy_gradient(ctx: Any, g: Any, *_: Any) -> Any:
    return *_scaled(ctx, g), *(None,) * 12


linear_cross_entropy = Operator(
    "linear_cross_entropy", _compute_cross_entropy, _fake_cross_entropy, _keep_cross_entropy, _cross_entropy_gradient
)


# linear_statistics: row statistics of the logits of a head, recomputed in the backward


def _compute_statistics(
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
    return tuple(
        plans.statistics(
            head,
            ids,
            class_weight,
            chunk=chunk,
            smooth=smooth,
            entropy=entropy,
            top=top,
            complement=complement,
            softcap=softcap,
            temperature=temperature,
        )
    )


def _fake_statistics(x, w, bias, ids, class_weight, smooth, entropy, top, *options):  # type: ignore[no-untyped-def]
    del w, bias, class_weight
    like = x.new_empty(0, dtype=torch.float64 if options[3] == torch.float64 else torch.float32)
    return tuple(empty_statistics(like, x.shape[0], ids, smooth=smooth, entropy=entropy, top=top))


def _compute_statistics_backward(
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
    head.need(x=needs[0], weight=needs[1], bias=needs[2])
    d = plans.statistics_gradient(
        head,
        ids,
        class_weight,
        lse,
        row_entropy,
        (g_lse, g_logit, g_smooth, g_entropy),
        chunk=chunk,
        complement=complement,
        softcap=softcap,
        temperature=temperature,
    )
    dtypes = _dtypes(x, w, bias)
    return tuple(part.to(dtype, copy=True) for part, dtype in zip(d, dtypes, strict=True))


def _fake_statistics_backward(x, w, bias, *options):  # type: ignore[no-untyped-def]
    needs, dtypes = options[-1], _dtypes(x, w, bias)
    d = _empty_derivatives(x, w, options[-4], needs)
    return tuple(part.to(dtype, copy=True) for part, dtype in zip(d, dtypes, strict=True))


def _keep_statistics(ctx: Any, inputs: Any, output: Any) -> None:
    x, w, bias, ids, class_weight, *options = inputs
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[4])
    ctx.save_for_backward(x, w, bias, ids, class_weight, output[0], output[3])
    ctx.options = options[3:]


def _statistics_gradient(ctx: Any, g_lse: Any, g_logit: Any, g_smooth: Any, g_entropy: Any, _: Any) -> Any:
    x, w, bias, ids, class_weight, lse, row_entropy = ctx.saved_tensors
    needs = list(ctx.needs_input_grad[:3])
    d = _statistics_backward(
        x, w, bias, ids, class_weight, lse, row_entropy, g_lse, g_logit, g_smooth, g_entropy, *ctx.options, needs
    )
    return *(part if need else None for part, need in zip(d, needs, strict=True)), *(None,) * 11


_statistics_backward = Operator("linear_statistics_backward", _compute_statistics_backward, _fake_statistics_backward)
_statistics = Operator(
    "linear_statistics", _compute_statistics, _fake_statistics, _keep_statistics, _statistics_gradient
)


def linear_statistics(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    ids: Tensor | None,
    class_weight: Tensor | None = None,
    *,
    smooth: bool = False,
    entropy: bool = False,
    top: bool = False,
    complement: bool = False,
    softcap: float = 0.0,
    temperature: float = 1.0,
    compute: torch.dtype,
    logits_dtype: torch.dtype,
    chunk: int = 0,
) -> RowStatistics:
    """Row statistics of the logits x·Wᵀ + b, differentiable in x, W and b without keeping the logits."""
    got = _statistics(
        x,
        w,
        bias,
        ids,
        class_weight,
        smooth,
        entropy,
        top,
        complement,
        softcap,
        temperature,
        compute,
        logits_dtype,
        chunk,
    )
    return RowStatistics(*got)


# linear_divergence: with weights, gradients in the forward pass; without, values alone


def _compute_divergence(
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
    values, d = plans.divergence(
        head,
        teacher,
        target,
        weight,
        factor=factor,
        ce_weight=ce_weight,
        chunk=chunk,
        needs=needs,
        kind=kind,
        beta=beta,
        softcap_t=softcap_t,
        softcap_s=softcap_s,
        temperature=temperature,
    )
    total = values.sum() if weight is None else torch.where(weight != 0.0, values * weight, 0.0).sum()
    if kept is not None:
        values = plans.spread(values, kept, n)
        if needs[0]:
            d = d._replace(x=plans.spread(d.x, kept, n))
    return total, values, *d


def _fake_divergence(x, w, *options):  # type: ignore[no-untyped-def]
    compute, needs = options[-5], options[-1]
    double = compute == torch.float64 or x.device.type == "cpu"
    values = x.new_empty(x.shape[0], dtype=torch.float64 if double else torch.float32)
    sizes = 2 * options[-3].itemsize, compute.itemsize
    once = one_block(x.shape[0], x.shape[1], chunk=options[-2], device=x.device, bytes_each=sizes)
    return values.new_empty(()), values, *_empty_derivatives(x, w, compute, needs, once=once)


def _keep_divergence(ctx: Any, inputs: Any, output: Any) -> None:
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


def _divergence_gradient(ctx: Any, g: Any, g_rows: Any, *_: Any) -> Any:
    if not ctx.recompute:
        return *_scaled(ctx, g), *(None,) * 17
    if g_rows is None:
        return (None,) * 20
    needs = list(ctx.needs_input_grad[:3])
    largest = g_rows.abs().amax() if g_rows.numel() else g_rows.new_ones(())
    largest = torch.where((largest > 0.0) & torch.isfinite(largest), largest, 1.0)
    d = linear_divergence(*ctx.saved_tensors, g_rows / largest, *ctx.options, needs)[2:]
    parts = zip(d, ctx.saved_tensors, needs, strict=False)
    return *(scale(part, largest, origin, origin.dtype) if need else None for part, origin, need in parts), *(
        None,
    ) * 17


linear_divergence = Operator(
    "linear_divergence", _compute_divergence, _fake_divergence, _keep_divergence, _divergence_gradient
)
