"""Losses on given logits whose gradient is made in the forward pass, by the launch that sums the rows.

The logits come from memory once instead of once in each pass; the backward pass has only to multiply by what came back
from above, and nothing where that is 1. For cross-entropy the gradient may also be written over the logits.
"""

# ruff: noqa: FBT001, FBT003  a Function takes its options by position

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kullback.errors import InvalidForm, InvalidInput
from kullback.losses import linear_ops, ops, terms
from kullback.losses.operator import at_hand, refuse_double_backward
from kullback.losses.options import Tokens, normalize, normalized, result_dtype, rows_of
from kullback.losses.statistics import PairOptions, RowOptions, Spread


def suits(student: Tensor, reduction: str, *constants: Tensor | None, normalizer: Tensor | float | None = None) -> bool:
    """Eager CUDA logits whose gradient is wanted, times one number; everything else is constant.

    Not float16: its gradient is rounded here before what came back from above (a loss scale of 2¹⁶) can lift it.
    """
    return (
        reduction != "none"
        and student.requires_grad
        and torch.is_grad_enabled()
        and student.dtype in (torch.float32, torch.bfloat16)
        and at_hand(student)
        and not any(x is not None and (x.requires_grad or not at_hand(x)) for x in constants)
        and _constant(normalizer)
        and ops.kernels(student).__name__.endswith("._triton")
    )


def _constant(normalizer: Tensor | float | None) -> bool:
    return not isinstance(normalizer, Tensor) or not (normalizer.ndim or normalizer.requires_grad)


class _InForward(torch.autograd.Function):  # type: ignore[misc]
    """(loss, dz) = make(logits, *others); the others have no gradient."""

    @staticmethod
    def forward(
        ctx: Any, make: Callable[..., tuple[Tensor, Tensor]], over: bool, logits: Tensor, *others: Tensor
    ) -> Tensor:
        loss, dz = make(logits, *others)
        # Saved, not kept, so that checkpointing may drop it. The inputs serve a second backward.
        ctx.save_for_backward(dz, *(() if over else (logits, *others)))
        ctx.make, ctx.over, ctx.used = make, over, False
        return loss

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        if ctx.over and torch.is_grad_enabled():
            refuse_double_backward(ctx)
        if ctx.over and ctx.used:
            msg = "the gradient over the logits was used up by an earlier backward: use in_place=False to run it twice"
            raise InvalidForm(msg)
        dz, *inputs = ctx.saved_tensors
        nothing = (None,) * max(0, len(inputs) - 1)
        if ctx.used:
            with torch.no_grad():
                dz = ctx.make(*inputs)[1]
        if torch.is_grad_enabled():
            return None, None, linear_ops.scale(dz, g, inputs[0], dz.dtype), *nothing
        ctx.used = True
        # .data: torch is not to take this for a change that it must refuse in a second backward.
        return None, None, ops.scale_(dz.data, g), *nothing


def cross_entropy(
    input: Tensor,  # noqa: A002  torch's name
    rows: Tokens,
    class_weight: Tensor | None,
    spread: Spread,
    o: RowOptions,
    *,
    reduction: str,
    normalizer: Tensor | float | None,
    in_place: bool,
) -> Tensor:
    """Σ weight·L over the rows, normalized; with `in_place` the logits become its gradient."""
    if in_place:
        _check_in_place(input, reduction)
    target = rows.target
    assert target is not None
    before = input.dtype != torch.float16 and _constant(normalizer)
    weight, how = normalized(rows, before=before, reduction=reduction, normalizer=normalizer, class_weight=class_weight)
    weight = weight.detach()

    def make(logits: Tensor) -> tuple[Tensor, Tensor]:
        z = rows_of(logits.detach())
        out = z if in_place else z.new_empty(z.shape)
        got = ops.kernels(z).cross_entropy(z, target, class_weight, weight, out, spread, o)
        if in_place:
            # Whatever else saved these logits will say so in its backward.
            torch.autograd.graph.increment_version(logits)
        loss = terms.loss_rows(got, target, class_weight, spread, classes=z.shape[1])
        total = (torch.where(rows.valid, loss, 0.0) * weight.to(loss.dtype)).sum()
        return total.to(result_dtype(z.dtype)), out.view(logits.shape)

    total: Tensor = _InForward.apply(make, in_place, input)
    return normalize(total, rows, **how)


def divergence(
    teacher: Tensor,
    student: Tensor,
    rows: Tokens,
    o: PairOptions,
    *,
    factor: float,
    reduction: str,
    normalizer: Tensor | float | None,
) -> Tensor:
    """Σ weight·factor·D over the rows, normalized."""
    weight, how = normalized(rows, before=True, reduction=reduction, normalizer=normalizer)
    weight = weight * factor

    def make(s: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        z = rows_of(s.detach())
        out = z.new_empty(z.shape)
        value = ops.kernels(z).divergence(rows_of(t.detach()), z, weight, out, o).value
        total = (torch.where(rows.valid, value, 0.0) * weight.to(value.dtype)).sum()
        return total.to(result_dtype(z.dtype)), out.view(s.shape)

    total: Tensor = _InForward.apply(make, False, student, teacher)
    return normalize(total, rows, **how)


def _check_in_place(input: Tensor, reduction: str) -> None:  # noqa: A002  torch's name
    if torch.compiler.is_compiling() or reduction == "none":
        msg = "in_place=True takes reduction 'mean' or 'sum', outside torch.compile: use in_place=False"
        raise InvalidInput(msg)
    if not input.requires_grad or input.is_leaf or not input.is_contiguous():
        msg = (
            "in_place=True overwrites the logits with their gradient: they must be the contiguous result of an "
            "operation that requires a gradient, not a leaf; use in_place=False"
        )
        raise InvalidInput(msg)
