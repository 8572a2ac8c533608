"""Losses on logits that are already there: cross-entropy against targets, divergences between teacher and student."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypedDict, Unpack

import torch
from torch import Tensor

from kullback.errors import InvalidForm, InvalidInput
from kullback.losses import at_once, in_forward, kinds, ops, reference, terms
from kullback.losses.operator import at_hand
from kullback.losses.options import (
    Implementation,
    Reduction,
    check,
    check_floating,
    check_ids,
    reduce,
    result_dtype,
    rows_of,
    tokens,
)
from kullback.losses.statistics import PairOptions, RowOptions, RowStatistics, Spread


def cross_entropy(
    input: Tensor,  # noqa: A002  torch's name
    target: Tensor,
    /,
    *,
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
    in_place: bool = False,
    impl: Implementation = "fused",
) -> Tensor:
    """Cross-entropy of logits against class ids or soft targets, in nats.

    Parameters
    ----------
    input : Tensor, shape (..., V)
        Logits; the classes are the last axis.
    target : Tensor, shape (...) of integers, or (..., V) of floating-point probabilities
        Soft targets need not sum to 1, and are constants: their own gradient needs ``impl="reference"``.
    class_weight : Tensor, shape (V,)
        Multiplies each class's term; "mean" then divides by the sum of the targets' weights, as torch does.
    reduction : "mean", "sum" or "none"
        "mean" divides by the sum of the valid tokens' weights; with no valid token it is 0, still in the graph
        (torch gives NaN).
    mask, token_weight : Tensor, shape (...)
        True for the tokens that count; a factor for each token (negative ones want "sum" or ``normalizer``).
    normalizer : Tensor or number
        Divide the sum by this instead: the number of tokens of all gradient-accumulation steps, say.
    z_loss : float
        Adds z_loss·(log Σ exp z)².
    softcap, temperature : float
        The logits become softcap·tanh(input/softcap)/temperature; one of −∞ stays −∞.
    in_place : bool
        Write the gradient over ``input`` in the forward pass (integer targets, "mean" or "sum", one backward, eager).

    Returns
    -------
    Tensor
        float64 for float64 input, else float32; a scalar, or of shape (...) for "none".

    Raises
    ------
    InvalidInput
        For shapes or options that do not fit; on the CPU also for a target that is not a class.

    Examples
    --------
    >>> import torch
    >>> from kullback.losses import cross_entropy
    >>> round(cross_entropy(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])).item(), 4)
    0.2201
    """
    check(reduction=reduction, temperature=temperature, softcap=softcap, label_smoothing=label_smoothing, impl=impl)
    check_floating(input=input)
    plain = class_weight is mask is token_weight is normalizer is softcap is None and not (label_smoothing or z_loss)
    if plain and impl == "fused" and not in_place and at_once.suits(input) and _fits(input, target):
        return at_once.cross_entropy(
            input, target, ignore_index=ignore_index, temperature=temperature, reduction=reduction
        )
    classes = input.shape[-1]
    soft = target.is_floating_point() and target.shape == input.shape
    rows = tokens(
        input.shape[:-1],
        input.device,
        input.dtype,
        target=None if soft else target,
        ignore_index=ignore_index,
        mask=mask,
        token_weight=token_weight,
    )
    o = RowOptions(soft or label_smoothing > 0.0, softcap=softcap or 0.0, temperature=temperature)
    statistics = reference.row_statistics if impl == "reference" else ops.row_statistics
    z = rows_of(input)
    if soft:
        if target.requires_grad and impl != "reference":
            msg = "the soft target requires a gradient, which only impl='reference' gives: use it, or target.detach()"
            raise InvalidForm(msg)
        losses = _soft(z, target.reshape(z.shape), class_weight, label_smoothing, z_loss, statistics, o)
        class_weight = None
    else:
        assert rows.target is not None
        if not torch.compiler.is_compiling():
            check_ids(rows.target[rows.valid] if rows.target.device.type == "cpu" else rows.target, classes)
        spread = Spread(label_smoothing, z_loss)
        fused = impl == "fused" and in_forward.suits(
            input, reduction, class_weight, token_weight, mask, target, normalizer=normalizer
        )
        if in_place or fused:
            return in_forward.cross_entropy(
                input, rows, class_weight, spread, o, reduction=reduction, normalizer=normalizer, in_place=in_place
            )
        got = statistics(z, rows.target[:, None], class_weight, o)
        losses = terms.loss_rows(got, rows.target, class_weight, spread, classes=classes)
    if in_place:
        msg = "in_place=True takes integer targets"
        raise InvalidInput(msg)
    total = reduce(losses, rows, reduction=reduction, normalizer=normalizer, class_weight=class_weight)
    return total.to(result_dtype(input.dtype))


def _fits(input: Tensor, target: Tensor) -> bool:  # noqa: A002  torch's name
    fitting = target.dtype == torch.int64 and target.shape == input.shape[:-1]
    return fitting and target.device.type == "cpu" and target.is_contiguous() and at_hand(target)


def _soft(
    z: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    label_smoothing: float,
    z_loss: float,
    statistics: Callable[..., RowStatistics],
    o: RowOptions,
) -> Tensor:
    """Σ t·w·(lse − z) for rows of soft targets: a row of class weights for each token."""
    t = target.to(torch.float64 if z.dtype == torch.float64 else torch.float32)
    if label_smoothing:
        t = (1.0 - label_smoothing) * t + label_smoothing / t.shape[-1]
    if class_weight is not None:
        t = t * class_weight
    got = statistics(z, None, t, o)
    loss: Tensor = got.lse * t.sum(-1, dtype=got.lse.dtype) - got.smooth
    return loss + z_loss * got.lse.square() if z_loss else loss


class DivergenceOptions(TypedDict, total=False):
    """What every divergence on given logits takes, by keyword.

    ``temperature`` divides both logits; ``temperature_scaling="t2"`` multiplies the loss by its square. ``reduction``
    is "mean" (over valid tokens), "sum" or "none"; ``mask`` is True for the tokens that count, ``token_weight`` a
    factor for each, ``normalizer`` divides the sum instead of their number. ``impl="reference"`` is plain torch.
    """

    temperature: float
    temperature_scaling: Literal["none", "t2"]
    reduction: Reduction
    mask: Tensor | None
    token_weight: Tensor | None
    normalizer: Tensor | float | None
    impl: Implementation


def kl_divergence(teacher_logits: Tensor, student_logits: Tensor, /, **options: Unpack[DivergenceOptions]) -> Tensor:
    """D(teacher‖student) = Σ t·log(t/s) in nats for each token: the mean over tokens, never over classes.

    Logits have shape (..., V), options are those of `DivergenceOptions`; gradients go into both. A class with logit −∞
    has probability 0: where the teacher has mass on it the loss is ∞. Equal logits give exactly 0 and a zero gradient.

    Examples
    --------
    >>> import torch
    >>> from kullback.losses import kl_divergence
    >>> teacher, student = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    >>> round(kl_divergence(teacher, student).item(), 4)
    0.1109
    """
    return divergence(teacher_logits, student_logits, "forward_kl", 0.5, **options)


def reverse_kl_divergence(
    teacher_logits: Tensor, student_logits: Tensor, /, **options: Unpack[DivergenceOptions]
) -> Tensor:
    """D(student‖teacher) = Σ s·log(s/t): the student avoids what the teacher gives little mass. See `kl_divergence`.

    Where the teacher has none (−∞) and the student some, the loss is ∞ however the student moves; the gradient of such
    a token is 0, not NaN.
    """
    return divergence(teacher_logits, student_logits, "reverse_kl", 0.5, **options)


def js_divergence(teacher_logits: Tensor, student_logits: Tensor, /, **options: Unpack[DivergenceOptions]) -> Tensor:
    """Jensen–Shannon ½·KL(t‖m) + ½·KL(s‖m), m = ½(t + s): symmetric, at most log 2. See `kl_divergence`."""
    return divergence(teacher_logits, student_logits, "js", 0.5, **options)


def skew_js_divergence(
    teacher_logits: Tensor, student_logits: Tensor, /, *, beta: float, **options: Unpack[DivergenceOptions]
) -> Tensor:
    """[β·KL(t‖m) + (1−β)·KL(s‖m)] / (β(1−β)), m = β·t + (1−β)·s: D(t‖s) at β → 0, 4·JS at ½, D(s‖t) at β → 1.

    Other libraries leave the denominator out, and with it the limits: their loss falls to 0 at both ends.
    """
    return divergence(teacher_logits, student_logits, "skew_js", beta, **options)


def skew_kl_divergence(
    teacher_logits: Tensor, student_logits: Tensor, /, *, beta: float, **options: Unpack[DivergenceOptions]
) -> Tensor:
    """KL(t‖m), m = β·t + (1−β)·s: finite for β > 0 whatever the student leaves out. See `kl_divergence`."""
    return divergence(teacher_logits, student_logits, "skew_kl", beta, **options)


def total_variation(teacher_logits: Tensor, student_logits: Tensor, /, **options: Unpack[DivergenceOptions]) -> Tensor:
    """½·Σ|t − s|, between 0 and 1. See `kl_divergence`."""
    return divergence(teacher_logits, student_logits, "tv", 0.5, **options)


def divergence(
    teacher_logits: Tensor,
    student_logits: Tensor,
    kind: str,
    beta: float,
    *,
    temperature: float = 1.0,
    temperature_scaling: str = "none",
    reduction: Reduction = "mean",
    mask: Tensor | None = None,
    token_weight: Tensor | None = None,
    normalizer: Tensor | float | None = None,
    impl: Implementation = "fused",
) -> Tensor:
    """The door of every divergence on two given logits."""
    check(reduction=reduction, temperature=temperature, impl=impl, temperature_scaling=temperature_scaling)
    check_floating(teacher_logits=teacher_logits, student_logits=student_logits)
    if teacher_logits.shape != student_logits.shape:
        msg = (
            f"teacher_logits has shape {tuple(teacher_logits.shape)}, student_logits {tuple(student_logits.shape)}; "
            "expected the same (restrict both to the common vocabulary)"
        )
        raise InvalidInput(msg)
    kind, beta, factor = kinds.settle(kind, beta)
    if temperature_scaling == "t2":
        factor *= temperature**2
    o = PairOptions(kind, beta, temperature=temperature)
    if mask is token_weight is normalizer is None and impl == "fused" and at_once.suits(teacher_logits, student_logits):
        return at_once.divergence(teacher_logits, student_logits, o, factor=factor, reduction=reduction)
    shape = student_logits.shape[:-1]
    rows = tokens(shape, student_logits.device, student_logits.dtype, mask=mask, token_weight=token_weight)
    constants = teacher_logits, mask, token_weight
    if impl == "fused" and in_forward.suits(student_logits, reduction, *constants, normalizer=normalizer):
        return in_forward.divergence(
            teacher_logits, student_logits, rows, o, factor=factor, reduction=reduction, normalizer=normalizer
        )
    divergence_rows = reference.divergence_rows if impl == "reference" else ops.divergence_rows
    losses = divergence_rows(rows_of(teacher_logits), rows_of(student_logits), o)
    return reduce(losses * factor if factor != 1.0 else losses, rows, reduction=reduction, normalizer=normalizer).to(
        result_dtype(student_logits.dtype)
    )
