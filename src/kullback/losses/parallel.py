"""The losses over a vocabulary that is split between processes: each holds the logits, or the weight, of its classes.

Every rank calls the same function with the same tokens and gets the same loss. Only row statistics travel: one
all-reduce of a maximum and one of sums, O(N) numbers each, and for a linear head the sum of the ranks' input gradients.
All take ``group`` (default: the world) and ``first_class``, the first class of this rank's slice (default: rank times
the slice's size, for slices of one size).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor

from kullback.errors import InvalidInput
from kullback.losses import kinds, ops, terms
from kullback.losses.collectives import Group, divergence_statistics, first_of, share, together
from kullback.losses.distillation import Kind
from kullback.losses.head import Head
from kullback.losses.linear import needs, operands, row_statistics
from kullback.losses.linear_ops.gradients import times
from kullback.losses.operator import refuse_double_backward
from kullback.losses.options import (
    Reduction,
    Tokens,
    check,
    check_floating,
    normalize,
    normalized,
    reduce,
    result_dtype,
    tokens,
)
from kullback.losses.statistics import PairOptions, RowOptions, RowStatistics, Spread
from kullback.losses.workspace import sums_dtype, token_blocks, within


def _loss(
    got: RowStatistics,
    rows: Tokens,
    local: int,
    group: Group,
    class_weight: Tensor | None,
    spread: Spread,
    *,
    reduction: str,
    normalizer: Tensor | float | None,
) -> Tensor:
    got = together(got, group, entropy=False, smooth=spread.label_smoothing > 0.0)
    assert rows.target is not None
    classes = local * dist.get_world_size(group) if class_weight is None else class_weight.shape[0]
    losses = terms.loss_rows(got, rows.target, class_weight, spread, classes=classes)
    return reduce(losses, rows, reduction=reduction, normalizer=normalizer, class_weight=class_weight)


def cross_entropy(
    input: Tensor,  # noqa: A002  torch's name
    target: Tensor,
    /,
    *,
    group: Group = None,
    first_class: int | None = None,
    class_weight: Tensor | None = None,
    reduction: Reduction = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
    temperature: float = 1.0,
    mask: Tensor | None = None,
    token_weight: Tensor | None = None,
    normalizer: Tensor | float | None = None,
) -> Tensor:
    """`kullback.losses.cross_entropy` of this rank's slice of the logits, (..., V/ranks), against ids of all classes.

    ``class_weight`` has all V classes. Label smoothing with slices of unequal sizes needs it (ones will do).
    """
    check(reduction=reduction, temperature=temperature, softcap=softcap, label_smoothing=label_smoothing)
    check_floating(input=input)
    z = input.reshape(-1, input.shape[-1])
    start = first_of(z.shape[-1], first_class, group)
    rows = tokens(
        input.shape[:-1],
        input.device,
        input.dtype,
        target=target,
        ignore_index=ignore_index,
        mask=mask,
        token_weight=token_weight,
    )
    assert rows.target is not None
    o = RowOptions(label_smoothing > 0.0, softcap=softcap or 0.0, temperature=temperature)
    own = _slice(class_weight, start, z.shape[-1])
    got = ops.row_statistics(z, (rows.target - start)[:, None], own, o)
    how: dict[str, Any] = {"reduction": reduction, "normalizer": normalizer}
    loss = _loss(got, rows, z.shape[-1], group, class_weight, Spread(label_smoothing, z_loss), **how)
    return loss.to(result_dtype(input.dtype))


def _slice(class_weight: Tensor | None, start: int, size: int) -> Tensor | None:
    return None if class_weight is None else class_weight[start : start + size]


def _head_statistics(
    input: Tensor,  # noqa: A002  torch's name
    weight: Tensor,
    target: Tensor,
    start: int,
    group: Group,
    bias: Tensor | None,
    class_weight: Tensor | None,
    o: RowOptions,
) -> RowStatistics:
    head = operands(input, weight, {"bias": bias}, wide_logits=True)
    own = _slice(class_weight, start, weight.shape[0])
    # The ranks' parts of dx may be large and cancel: they are added before they are rounded to 16 bits.
    x = share(head.x.to(sums_dtype(head.compute)), group)
    return row_statistics(head._replace(x=x), (target - start)[:, None], own, o, impl="fused")


def linear_cross_entropy(
    input: Tensor,  # noqa: A002  torch's name
    weight: Tensor,
    target: Tensor,
    /,
    *,
    group: Group = None,
    first_class: int | None = None,
    class_weight: Tensor | None = None,
    reduction: Reduction = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    bias: Tensor | None = None,
    softcap: float | None = None,
    temperature: float = 1.0,
    mask: Tensor | None = None,
    token_weight: Tensor | None = None,
    normalizer: Tensor | float | None = None,
) -> Tensor:
    """`kullback.losses.linear_cross_entropy` with this rank's slice of the weight, (V/ranks, D), and of the bias.

    The gradient of the input is the whole one on every rank; that of the weight is of the slice. Recomputes the logits
    in the backward pass (four products).
    """
    check(reduction=reduction, temperature=temperature, softcap=softcap, label_smoothing=label_smoothing)
    start = first_of(weight.shape[0], first_class, group)
    rows = tokens(
        input.shape[:-1],
        input.device,
        input.dtype,
        target=target,
        ignore_index=ignore_index,
        mask=mask,
        token_weight=token_weight,
    )
    assert rows.target is not None
    o = RowOptions(label_smoothing > 0.0, softcap=softcap or 0.0, temperature=temperature)
    got = _head_statistics(input, weight, rows.target, start, group, bias, class_weight, o)
    how: dict[str, Any] = {"reduction": reduction, "normalizer": normalizer}
    loss = _loss(got, rows, weight.shape[0], group, class_weight, Spread(label_smoothing, z_loss), **how)
    return loss.to(result_dtype(input.dtype))


def linear_logprob_entropy(
    input: Tensor,  # noqa: A002  torch's name
    weight: Tensor,
    target: Tensor,
    /,
    *,
    group: Group = None,
    first_class: int | None = None,
    ignore_index: int = -100,
    bias: Tensor | None = None,
    softcap: float | None = None,
    temperature: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """`kullback.losses.linear_logprob_entropy` with this rank's slice of the weight."""
    check(temperature=temperature, softcap=softcap)
    start = first_of(weight.shape[0], first_class, group)
    rows = tokens(input.shape[:-1], input.device, input.dtype, target=target, ignore_index=ignore_index)
    assert rows.target is not None
    o = RowOptions(entropy=True, softcap=softcap or 0.0, temperature=temperature)
    got = _head_statistics(input, weight, rows.target, start, group, bias, None, o)
    got = together(got, group, entropy=True, smooth=False)
    dtype = result_dtype(input.dtype)
    logprob = torch.where(rows.valid, got.logit[:, 0] - got.lse, 0.0).to(dtype).reshape(rows.shape)
    return logprob, torch.where(rows.valid, got.entropy, 0.0).to(dtype).reshape(rows.shape)


class _LinearDivergence(torch.autograd.Function):  # type: ignore[misc]
    """Σ weight·D, its gradient in the forward pass as in `plans.divergence`, statistics summed over ranks."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w: Tensor,
        bias: Tensor | None,
        teacher: Head,
        head: Head,
        weight: Tensor,
        group: Group,
        chunk: int,
        o: PairOptions,
    ) -> Tensor:
        n, classes, device = x.shape[0], w.shape[0], x.device
        total = torch.zeros((), dtype=torch.float64 if device.type == "cpu" else torch.float32, device=device)
        sizes = head.sizes(2 * head.logits_dtype.itemsize, in_place=False)
        blocks = token_blocks(n, classes, x.shape[1], sizes, chunk=chunk, device=device)
        needs = ctx.needs_input_grad[:3]
        head.need(x=needs[0], weight=needs[1], bias=bias is not None and needs[2], blocks=len(blocks), shared=True)
        for block in blocks:
            dz = head.buffer(block.tokens)
            for part in block.chunks:
                z_s, z_t = head.logits(part), teacher.logits(part)
                got = divergence_statistics(z_t, z_s, group, o)
                total += torch.where(weight[part] != 0.0, got.value * weight[part], 0.0).sum()
                out = dz[within(part, block.tokens)]
                ops.kernels(z_s).divergence_gradient(z_t, z_s, got, weight[part], out, o)
                del z_s, z_t, out  # before there are others
            head.add(dz, block.tokens)
            del dz
        if head.dx is not None:
            dist.all_reduce(head.dx, group=group)
        ctx.save_for_backward(*head.derivatives())
        ctx.dtypes = x.dtype, w.dtype, w.dtype if bias is None else bias.dtype
        return total

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        if torch.is_grad_enabled():
            refuse_double_backward(ctx)
        pairs = zip(ctx.saved_tensors, ctx.dtypes, strict=True)
        return *(times(d, g, dtype) if d.numel() else None for d, dtype in pairs), *(None,) * 6


def linear_divergence(
    input: Tensor,  # noqa: A002  torch's name
    weight: Tensor,
    teacher_input: Tensor,
    teacher_weight: Tensor,
    /,
    *,
    group: Group = None,
    kind: Kind = "forward_kl",
    beta: float = 0.5,
    temperature: float = 1.0,
    temperature_scaling: Literal["none", "t2"] = "none",
    bias: Tensor | None = None,
    teacher_bias: Tensor | None = None,
    softcap: float | None = None,
    teacher_softcap: float | None = None,
    reduction: Literal["mean", "sum"] = "mean",
    mask: Tensor | None = None,
    token_weight: Tensor | None = None,
    normalizer: Tensor | float | None = None,
    chunk_size: int | None = None,
) -> Tensor:
    """`kullback.losses.linear_divergence` with this rank's slices of both weights; "mean" and "sum" alone."""
    check(reduction=reduction, temperature=temperature, softcap=softcap, temperature_scaling=temperature_scaling)
    if reduction not in ("mean", "sum") or weight.shape[0] != teacher_weight.shape[0]:
        msg = (
            f"reduction is {reduction!r}, the slices have {weight.shape[0]} and {teacher_weight.shape[0]} classes; "
            "expected 'mean' or 'sum', and the same classes in both"
        )
        raise InvalidInput(msg)
    first_of(weight.shape[0], 0, group)
    student = operands(input, weight, {"bias": bias, "chunk_size": chunk_size}, wide_logits=True)
    other = operands(
        teacher_input,
        teacher_weight,
        {"bias": teacher_bias},
        names=("teacher_input", "teacher_weight", "teacher_bias"),
    )
    if any(needs(teacher_input, teacher_weight, teacher_bias)):
        msg = "the teacher requires a gradient, which this loss does not give: detach() it"
        raise InvalidInput(msg)
    name, beta, factor = kinds.settle(kind, beta)
    if temperature_scaling == "t2":
        factor *= temperature**2
    rows = tokens(input.shape[:-1], input.device, input.dtype, mask=mask, token_weight=token_weight)
    o = PairOptions(name, beta, teacher_softcap or 0.0, softcap or 0.0, temperature)
    with torch.no_grad():
        head = Head(*student[:3], compute=student.compute, logits_dtype=student.logits_dtype)
        teacher = Head(*other[:3], compute=other.compute, logits_dtype=student.logits_dtype)
    before = student.compute == torch.bfloat16
    weights, how = normalized(rows, before=before, reduction=reduction, normalizer=normalizer)
    total = _LinearDivergence.apply(*student[:3], teacher, head, weights * factor, group, student.chunk, o)
    return normalize(total, rows, **how).to(result_dtype(input.dtype))
