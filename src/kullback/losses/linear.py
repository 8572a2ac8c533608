"""Cross-entropy of a linear head: x·Wᵀ, softmax and loss at once, the N×V logits never kept."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypedDict, Unpack

import torch
from torch import Tensor

from kullback.errors import InvalidForm, InvalidInput
from kullback.losses import linear_ops, reference, terms
from kullback.losses.options import (
    Implementation,
    Reduction,
    Tokens,
    check,
    check_floating,
    check_ids,
    normalize,
    normalized,
    reduce,
    result_dtype,
    tokens,
)
from kullback.losses.statistics import RowOptions, RowStatistics, Spread


class LossStats(NamedTuple):
    """What the forward pass knows of each token, without a gradient; 0 (False) where a token is ignored.

    ``lse``: log Σ exp of its logits; ``entropy`` of the model's distribution, in nats; ``correct``: the target is the
    largest class (the first of equals); ``logprob`` of the target.
    """

    lse: Tensor
    entropy: Tensor
    correct: Tensor
    logprob: Tensor


class HeadOptions(TypedDict, total=False):
    """How a linear head is computed, by keyword.

    ``bias`` [V]; ``softcap`` and ``temperature`` as in `cross_entropy`; ``logits_dtype`` the dtype of a chunk's logits
    on an accelerator; ``chunk_size`` the tokens of a chunk (default: by memory); ``impl="reference"`` is plain torch.
    """

    bias: Tensor | None
    softcap: float | None
    temperature: float
    logits_dtype: torch.dtype | None
    chunk_size: int | None
    impl: Implementation


class LinearOptions(HeadOptions, total=False):
    """`HeadOptions`, the options of `cross_entropy`, and ``low_memory``.

    ``low_memory=True`` recomputes the logits in the backward pass, by slices of the vocabulary: a third more
    products, and no float32 copy of the weight's gradient but a slice of it.
    """

    class_weight: Tensor | None
    reduction: Reduction
    ignore_index: int
    label_smoothing: float
    z_loss: float
    mask: Tensor | None
    token_weight: Tensor | None
    normalizer: Tensor | float | None
    low_memory: bool


class Operands(NamedTuple):
    """A head that has passed the door: 2-D features, and in which dtypes it is computed."""

    x: Tensor
    weight: Tensor
    bias: Tensor | None
    compute: torch.dtype
    logits_dtype: torch.dtype
    chunk: int


def operands(
    input: Tensor,  # noqa: A002  torch's name
    weight: Tensor,
    options: HeadOptions,
    *,
    wide_logits: bool = False,
    names: tuple[str, str, str] = ("input", "weight", "bias"),
) -> Operands:
    """Check a head's shapes and dtypes. Under autocast the products have its dtype; `wide_logits`: float32 logits."""
    bias = options.get("bias")
    check_floating(**dict(zip(names, (input, weight, bias), strict=True)))
    if weight.ndim != 2 or input.ndim < 1 or input.shape[-1] != weight.shape[-1]:
        msg = (
            f"{names[0]} has shape {tuple(input.shape)}, {names[1]} {tuple(weight.shape)}; expected (..., D) and (V, D)"
        )
        raise InvalidInput(msg)
    if bias is not None and bias.shape != weight.shape[:1]:
        msg = f"{names[2]} has shape {tuple(bias.shape)}; expected ({weight.shape[0]},), one for each class"
        raise InvalidInput(msg)
    device = input.device.type
    if torch.is_autocast_enabled(device) and input.dtype != torch.float64:
        compute = torch.get_autocast_dtype(device)
    elif input.dtype == weight.dtype:
        compute = input.dtype
    else:
        msg = (
            f"{names[0]} has dtype {input.dtype}, {names[1]} {weight.dtype}; expected the same: convert one, or use "
            "torch.autocast"
        )
        raise InvalidForm(msg)
    chunk = options.get("chunk_size") or 0
    if chunk < 0:
        msg = f"chunk_size is {chunk}; expected a positive number of tokens, or None"
        raise InvalidInput(msg)
    wide = torch.float32 if wide_logits and compute != torch.float64 else compute
    return Operands(
        input.reshape(-1, input.shape[-1]), weight, bias, compute, options.get("logits_dtype") or wide, chunk
    )


def needs(*tensors: Tensor | None) -> list[bool]:
    """Which of them want a gradient: the products for the others are skipped."""
    return [t is not None and t.requires_grad and torch.is_grad_enabled() for t in tensors]


def row_statistics(
    head: Operands, ids: Tensor, class_weight: Tensor | None, o: RowOptions, *, impl: str
) -> RowStatistics:
    """Row statistics of a head's logits, made again in the backward pass; ``impl="reference"`` keeps them."""
    if impl == "reference":
        return reference.row_statistics(reference.project(head.x, head.weight, head.bias), ids, class_weight, o)
    dtypes: dict[str, Any] = {"compute": head.compute, "logits_dtype": head.logits_dtype}
    return linear_ops.linear_statistics(
        head.x, head.weight, head.bias, ids, class_weight, o, chunk=head.chunk, **dtypes
    )


def _loss(
    input: Tensor,  # noqa: A002  torch's name
    weight: Tensor,
    target: Tensor,
    options: LinearOptions,
    *,
    stats: bool,
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor], Tokens]:
    impl, reduction = options.get("impl", "fused"), options.get("reduction", "mean")
    softcap, temperature = options.get("softcap"), options.get("temperature", 1.0)
    smoothing, z_loss = options.get("label_smoothing", 0.0), options.get("z_loss", 0.0)
    class_weight = options.get("class_weight")
    check(reduction=reduction, temperature=temperature, softcap=softcap, label_smoothing=smoothing, impl=impl)
    head = operands(input, weight, options)
    rows = tokens(
        input.shape[:-1],
        input.device,
        input.dtype,
        target=target,
        ignore_index=options.get("ignore_index", -100),
        mask=options.get("mask"),
        token_weight=options.get("token_weight"),
    )
    assert rows.target is not None
    classes = weight.shape[0]
    if not torch.compiler.is_compiling():
        check_ids(rows.target[rows.valid] if input.device.type == "cpu" else rows.target, classes)
    o = RowOptions(smoothing > 0.0, entropy=stats, top=stats, softcap=softcap or 0.0, temperature=temperature)
    spread = Spread(smoothing, z_loss)
    finish: dict[str, Any] = {
        "reduction": reduction,
        "normalizer": options.get("normalizer"),
        "class_weight": class_weight,
    }
    needed = needs(head.x, head.weight, head.bias)
    if impl == "fused" and reduction != "none" and not options.get("low_memory", False) and any(needed):
        weights, how = normalized(rows, before=head.compute == torch.bfloat16, **finish)
        total, lse, logit, entropy, top, *_ = linear_ops.linear_cross_entropy(
            head.x, head.weight, head.bias, rows.target, class_weight, weights,
            *spread, o.softcap, o.temperature, head.compute, head.logits_dtype, head.chunk, stats, needed,
        )  # fmt: skip
        return normalize(total, rows, **how), (lse, logit[:, 0], entropy, top), rows
    got = row_statistics(head, rows.target[:, None], class_weight, o, impl=impl)
    losses = terms.loss_rows(got, rows.target, class_weight, spread, classes=classes)
    return reduce(losses, rows, **finish), (got.lse, got.logit[:, 0], got.entropy, got.top), rows


def linear_cross_entropy(
    input: Tensor,  # noqa: A002  torch's name
    weight: Tensor,
    target: Tensor,
    /,
    **options: Unpack[LinearOptions],
) -> Tensor:
    """Cross-entropy of the logits input·weightᵀ + bias against class ids, in nats, at about the cost of its products.

    Parameters
    ----------
    input : Tensor, shape (..., D)
    weight : Tensor, shape (V, D)
    target : Tensor of integers, shape (...)
    **options
        See `LinearOptions`; they mean what they mean in `cross_entropy`.

    Returns
    -------
    Tensor
        float64 for float64 input, else float32; a scalar, or of shape (...) for ``reduction="none"``.

    Raises
    ------
    InvalidInput, InvalidForm
        For shapes, dtypes or options that do not fit.

    Notes
    -----
    For "mean" and "sum" the gradient is made in the forward pass: three products of full size. For "none", where each
    token's derivative is known only later, the logits are computed again: four. On an accelerator the loss holds,
    beyond its gradients, at most one float32 copy of the weight (or the logits of 1024 tokens); a larger
    ``chunk_size`` holds more and may be quicker. Tokens of weight 0 are left out of the products on the CPU. Has no
    second derivative except with ``impl="reference"``. Another ``chunk_size`` changes the last bits, nothing else does:
    there are no atomics.

    Examples
    --------
    >>> import torch
    >>> from kullback.losses import linear_cross_entropy
    >>> x, weight = torch.eye(2), torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    >>> round(linear_cross_entropy(x, weight, torch.tensor([0, 1])).item(), 4)
    0.2201
    """
    loss, _, _ = _loss(input, weight, target, options, stats=False)
    return loss.to(result_dtype(input.dtype))


def linear_cross_entropy_stats(
    input: Tensor,  # noqa: A002  torch's name
    weight: Tensor,
    target: Tensor,
    /,
    **options: Unpack[LinearOptions],
) -> tuple[Tensor, LossStats]:
    """`linear_cross_entropy` together with its `LossStats`, each of shape (...)."""
    loss, (lse, logit, entropy, top), rows = _loss(input, weight, target, options, stats=True)
    dtype = result_dtype(input.dtype)

    def finish(values: Tensor) -> Tensor:
        return torch.where(rows.valid, values.detach(), 0.0).to(dtype).reshape(rows.shape)

    correct = (rows.valid & (top == rows.target)).reshape(rows.shape)
    return loss.to(dtype), LossStats(finish(lse), finish(entropy), correct, finish(logit - lse))


def linear_logprob(
    input: Tensor,  # noqa: A002  torch's name
    weight: Tensor,
    target: Tensor,
    /,
    *,
    ignore_index: int = -100,
    **options: Unpack[HeadOptions],
) -> Tensor:
    """The log-probability log q(target) of each token under softmax((input·weightᵀ + bias)/temperature); never above 0.

    Shapes as in `linear_cross_entropy`; an ignored token has log-probability 0 and no gradient.

    Examples
    --------
    >>> import torch
    >>> from kullback.losses import linear_logprob
    >>> linear_logprob(torch.zeros(1, 3), torch.ones(4, 3), torch.tensor([2])).exp().item()
    0.25
    """
    return _logprob(input, weight, target, ignore_index, options, entropy=False)[0]


def linear_logprob_entropy(
    input: Tensor,  # noqa: A002  torch's name
    weight: Tensor,
    target: Tensor,
    /,
    *,
    ignore_index: int = -100,
    **options: Unpack[HeadOptions],
) -> tuple[Tensor, Tensor]:
    """`linear_logprob` and the entropy of each token's distribution in nats, both differentiable."""
    return _logprob(input, weight, target, ignore_index, options, entropy=True)


def _logprob(
    input: Tensor,  # noqa: A002  torch's name
    weight: Tensor,
    target: Tensor,
    ignore_index: int,
    options: HeadOptions,
    *,
    entropy: bool,
) -> tuple[Tensor, Tensor]:
    impl: Literal["fused", "reference"] = options.get("impl", "fused")
    softcap, temperature = options.get("softcap"), options.get("temperature", 1.0)
    check(temperature=temperature, softcap=softcap, impl=impl)
    head = operands(input, weight, options, wide_logits=True)
    rows = tokens(input.shape[:-1], input.device, input.dtype, target=target, ignore_index=ignore_index)
    assert rows.target is not None
    if not torch.compiler.is_compiling():
        check_ids(rows.target[rows.valid] if input.device.type == "cpu" else rows.target, weight.shape[0])
    o = RowOptions(entropy=entropy, softcap=softcap or 0.0, temperature=temperature)
    got = row_statistics(head, rows.target[:, None], None, o, impl=impl)
    dtype = result_dtype(input.dtype)
    logprob = torch.where(rows.valid, got.logit[:, 0] - got.lse, 0.0).to(dtype).reshape(rows.shape)
    if not entropy:
        return logprob, logprob
    return logprob, torch.where(rows.valid, got.entropy, 0.0).to(dtype).reshape(rows.shape)
