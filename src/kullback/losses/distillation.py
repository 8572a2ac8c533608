"""Distillation between two linear heads: both projections, both softmaxes and the divergence at once."""

from __future__ import annotations

from typing import Literal, Unpack

import torch
from torch import Tensor

from kullback.errors import InvalidInput
from kullback.losses import kinds, linear_ops, reference, terms
from kullback.losses.linear import HeadOptions, needs, operands
from kullback.losses.options import (
    Reduction,
    check,
    check_ids,
    normalize,
    normalized,
    reduce,
    result_dtype,
    tokens,
)
from kullback.losses.statistics import PairOptions, RowOptions, Spread

Kind = Literal["forward_kl", "reverse_kl", "js", "skew_js", "skew_kl", "tv"]


def linear_divergence(
    input: Tensor,  # noqa: A002  torch's name
    weight: Tensor,
    teacher_input: Tensor,
    teacher_weight: Tensor,
    /,
    *,
    kind: Kind = "forward_kl",
    beta: float = 0.5,
    temperature_scaling: Literal["none", "t2"] = "none",
    target: Tensor | None = None,
    ce_weight: float = 0.0,
    teacher_bias: Tensor | None = None,
    teacher_softcap: float | None = None,
    reduction: Reduction = "mean",
    ignore_index: int = -100,
    mask: Tensor | None = None,
    token_weight: Tensor | None = None,
    normalizer: Tensor | float | None = None,
    **options: Unpack[HeadOptions],
) -> Tensor:
    """Divergence between a teacher's and a student's next-token distribution, from their features, in nats.

    D(teacher, student) of softmax((teacher_input·teacher_weightᵀ + teacher_bias)/temperature) and
    softmax((input·weightᵀ + bias)/temperature), averaged over the valid tokens.

    Parameters
    ----------
    input, weight : Tensor, shape (..., D) and (V, D)
        The student.
    teacher_input, teacher_weight : Tensor, shape (..., E) and (V, E)
        The teacher: constants, no gradient goes there.
    kind : str
        "forward_kl" D(t‖s), "reverse_kl" D(s‖t), "js", "skew_js", "skew_kl" or "tv": see `kullback.losses.kinds`.
    beta : float
        The teacher's weight in the mixture of the skewed kinds.
    temperature_scaling : "none" or "t2"
        "t2" multiplies the divergence by temperature².
    target, ce_weight : Tensor of integers, shape (...), and float
        Adds ce_weight times the student's cross-entropy (at temperature 1). A token whose target is ``ignore_index``
        counts in neither.
    **options
        See `HeadOptions`; ``logits_dtype`` is float32 unless asked otherwise, because with 16-bit logits the gradient
        of a small divergence is mostly rounding.

    Raises
    ------
    InvalidInput, InvalidForm
        For shapes, dtypes or options that do not fit, and for a teacher that requires a gradient.

    Examples
    --------
    >>> import torch
    >>> from kullback.losses import linear_divergence
    >>> x, teacher, student = torch.eye(2), torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.zeros(2, 2)
    >>> round(linear_divergence(x, student, x, teacher).item(), 4)
    0.0555
    """
    impl, temperature, softcap = options.get("impl", "fused"), options.get("temperature", 1.0), options.get("softcap")
    check(
        reduction=reduction,
        temperature=temperature,
        softcap=softcap,
        impl=impl,
        temperature_scaling=temperature_scaling,
    )
    check(softcap=teacher_softcap)
    student = operands(input, weight, options, wide_logits=True)
    names = ("teacher_input", "teacher_weight", "teacher_bias")
    teacher = operands(teacher_input, teacher_weight, {"bias": teacher_bias}, names=names)
    _check_pair(input, weight, teacher_input, teacher_weight)
    if any(needs(teacher_input, teacher_weight, teacher_bias)) and impl != "reference":
        msg = "the teacher requires a gradient, which only impl='reference' gives: use it, or detach() the teacher"
        raise InvalidInput(msg)
    if ce_weight and target is None:
        msg = f"ce_weight is {ce_weight} but there is no target; pass target="
        raise InvalidInput(msg)
    kind_, beta, factor = kinds.settle(kind, beta)
    if temperature_scaling == "t2":
        factor *= temperature**2
    rows = tokens(
        input.shape[:-1],
        input.device,
        input.dtype,
        target=target,
        ignore_index=ignore_index,
        mask=mask,
        token_weight=token_weight,
    )
    if rows.target is not None and not torch.compiler.is_compiling():
        check_ids(rows.target[rows.valid] if input.device.type == "cpu" else rows.target, weight.shape[0])
    dtype = result_dtype(input.dtype)
    o = PairOptions(kind_, beta, teacher_softcap or 0.0, softcap or 0.0, temperature)
    if impl == "reference":
        z_s = reference.project(student.x, student.weight, student.bias)
        z_t = reference.project(teacher.x, teacher.weight, teacher.bias)
        losses = factor * reference.divergence_rows(z_t, z_s, o)
        if ce_weight and rows.target is not None:
            hard = reference.row_statistics(z_s, rows.target[:, None], None, RowOptions(softcap=o.softcap_s))
            losses = losses + ce_weight * terms.loss_rows(hard, rows.target, None, Spread(), classes=weight.shape[0])
        return reduce(losses, rows, reduction=reduction, normalizer=normalizer).to(dtype)
    needed = needs(student.x, student.weight, student.bias)
    now = reduction != "none" and any(needed)
    before = student.compute == torch.bfloat16
    weights, how = normalized(rows, before=before, reduction=reduction, normalizer=normalizer)
    total, losses, *_ = linear_ops.linear_divergence(
        student.x, student.weight, student.bias, teacher.x.detach(), teacher.weight.detach(), teacher.bias,
        rows.target, weights if now else None, o.kind, o.beta, factor, ce_weight, *o[2:],
        student.compute, teacher.compute, student.logits_dtype, student.chunk, needed if now else [False] * 3,
    )  # fmt: skip
    if now:
        return normalize(total, rows, **how).to(dtype)
    return reduce(losses, rows, reduction=reduction, normalizer=normalizer).to(dtype)


def _check_pair(input: Tensor, weight: Tensor, teacher_input: Tensor, teacher_weight: Tensor) -> None:  # noqa: A002
    if input.shape[:-1] != teacher_input.shape[:-1]:
        msg = (
            f"input has shape {tuple(input.shape)}, teacher_input {tuple(teacher_input.shape)}; expected the same "
            "tokens in both"
        )
        raise InvalidInput(msg)
    if weight.shape[0] != teacher_weight.shape[0]:
        common = min(weight.shape[0], teacher_weight.shape[0])
        msg = (
            f"weight has {weight.shape[0]} classes, teacher_weight {teacher_weight.shape[0]}; expected one vocabulary. "
            f"If the first {common} are shared, pass weight[:{common}] and teacher_weight[:{common}]"
        )
        raise InvalidInput(msg)
