"""The one place for what every loss shares: which tokens count and how much, and how their losses become one number."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from kullback.errors import InvalidForm, InvalidInput

Reduction = Literal["mean", "sum", "none"]
Implementation = Literal["fused", "reference"]


class Tokens(NamedTuple):
    """The tokens of a batch, flattened: an ignored one has weight 0 and target 0."""

    target: Tensor | None  # [N] int64
    weight: Tensor  # [N] float32 or float64
    valid: Tensor  # [N] bool
    shape: torch.Size  # leading shape, to give reduction="none" back


def check(
    *,
    reduction: str = "mean",
    temperature: float = 1.0,
    softcap: float | None = None,
    label_smoothing: float = 0.0,
    impl: str = "fused",
    temperature_scaling: str = "none",
) -> None:
    """Refuse options that mean nothing, before any work is done."""
    if reduction not in ("mean", "sum", "none"):
        msg = f"reduction is {reduction!r}; expected 'mean' (over valid tokens), 'sum' or 'none'"
        raise InvalidInput(msg)
    if impl not in ("fused", "reference"):
        msg = f"impl is {impl!r}; expected 'fused' or 'reference' (plain torch, which can be differentiated twice)"
        raise InvalidInput(msg)
    if not (temperature > 0.0 and math.isfinite(temperature)):
        msg = f"temperature is {temperature}; expected a positive number, by which the logits are divided"
        raise InvalidInput(msg)
    if softcap is not None and not (softcap > 0.0 and math.isfinite(softcap)):
        msg = f"softcap is {softcap}; expected a positive number, or None for no cap"
        raise InvalidInput(msg)
    if not 0.0 <= label_smoothing <= 1.0:
        msg = f"label_smoothing is {label_smoothing}; expected a number between 0 and 1"
        raise InvalidInput(msg)
    if temperature_scaling not in ("none", "t2"):
        msg = f"temperature_scaling is {temperature_scaling!r}; expected 'none' or 't2' (times temperature²)"
        raise InvalidInput(msg)


def check_floating(**tensors: Tensor | None) -> None:
    """Refuse integer tensors, and sharded ones whose whole the fused products would silently miss."""
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if type(tensor).__name__ == "DTensor":
            msg = (
                f"{name} is a DTensor. Under FSDP2 compute the loss inside the wrapped module's forward, where the "
                f"parameter is whole, or pass {name}.full_tensor(); for a weight sharded over the vocabulary use "
                "kullback.losses.parallel with its to_local() part"
            )
            raise InvalidForm(msg)
        if not tensor.is_floating_point():
            msg = f"{name} has dtype {tensor.dtype}; expected floating-point logits or features"
            raise InvalidForm(msg)


def tokens(
    shape: torch.Size,
    device: torch.device,
    dtype: torch.dtype,
    *,
    target: Tensor | None = None,
    ignore_index: int = -100,
    mask: Tensor | None = None,
    token_weight: Tensor | None = None,
) -> Tokens:
    """Flatten targets, mask and weights of `shape`, and mark the ignored tokens."""
    for name, tensor in (("target", target), ("mask", mask), ("token_weight", token_weight)):
        if tensor is not None and tensor.shape != shape:
            msg = (
                f"{name} has shape {tuple(tensor.shape)}; expected {tuple(shape)}: one for each token, the shape of "
                "the input without its last axis"
            )
            raise InvalidInput(msg)
    weight = torch.ones(shape.numel(), device=device, dtype=torch.float64 if dtype == torch.float64 else torch.float32)
    if token_weight is not None:
        weight = token_weight.reshape(-1).to(weight)
    valid = torch.ones_like(weight, dtype=torch.bool)
    if mask is not None:
        if mask.dtype != torch.bool:
            msg = f"mask has dtype {mask.dtype}; expected bool, True for the tokens that count (or use token_weight)"
            raise InvalidForm(msg)
        valid = valid & mask.reshape(-1)
    if target is not None:
        if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
            msg = f"target has dtype {target.dtype}; expected integer class ids"
            raise InvalidForm(msg)
        flat = target.reshape(-1).to(torch.int64)
        valid = valid & (flat != ignore_index)
        target = torch.where(valid, flat, 0)
    return Tokens(target, torch.where(valid, weight, 0.0), valid, shape)


def rows_of(z: Tensor) -> Tensor:
    """[..., V] → [N, V] whose last axis is contiguous."""
    flat = z.reshape(-1, z.shape[-1])
    return flat if flat.stride(-1) == 1 or flat.shape[-1] == 1 else flat.contiguous()


def check_ids(ids: Tensor, classes: int) -> None:
    """Refuse ids outside the classes. On the CPU only: elsewhere it would wait for the device."""
    if ids.device.type == "cpu" and ids.numel():
        low, high = torch.aminmax(ids)
        if int(low) < 0 or int(high) >= classes:
            bad = int(torch.nonzero(((ids < 0) | (ids >= classes)).flatten())[0])
            msg = (
                f"target {int(ids.flatten()[bad])} at token {bad // (ids.shape[1] if ids.ndim > 1 else 1)} is not a "
                f"class; expected 0 to {classes - 1}, or ignore_index"
            )
            raise InvalidInput(msg)


def reduce(
    losses: Tensor,
    rows: Tokens,
    *,
    reduction: str,
    normalizer: Tensor | float | None,
    class_weight: Tensor | None = None,
) -> Tensor:
    """[N] losses → [...], Σ weight·loss, or that over Σ weight as torch does; no token: 0, still in the graph."""
    # An ignored row may hold anything, NaN included: select, then multiply.
    weighted = torch.where(rows.valid, losses, 0.0) * rows.weight.to(losses.dtype)
    if reduction == "none":
        return weighted.reshape(rows.shape)
    return normalize(weighted.sum(), rows, reduction=reduction, normalizer=normalizer, class_weight=class_weight)


def normalized(
    rows: Tokens,
    *,
    before: bool,
    reduction: str,
    normalizer: Tensor | float | None,
    class_weight: Tensor | None = None,
) -> tuple[Tensor, dict[str, Any]]:
    """The tokens' weights for a total whose gradient is made in the forward pass, and how to `normalize` it then.

    bfloat16 has float32's range: there the weights are divided `before`, so that what comes back from above is mostly 1
    and a gradient in bfloat16 is rounded once. In float16 1/N of a probability would be 0, so it is left to the end.
    """
    how: dict[str, Any] = {"reduction": reduction, "normalizer": normalizer, "class_weight": class_weight}
    if not before:
        return rows.weight, how
    share = normalize(torch.ones_like(rows.weight[:1]), rows, **how)
    return rows.weight * share, {"reduction": "sum", "normalizer": None}


def normalize(
    total: Tensor,
    rows: Tokens,
    *,
    reduction: str,
    normalizer: Tensor | float | None,
    class_weight: Tensor | None = None,
) -> Tensor:
    """Σ weight·loss over the normalizer that was given, or for "mean" over the sum of the weights."""
    if normalizer is not None:
        return total / normalizer
    if reduction == "sum":
        return total
    weight = rows.weight.to(total.dtype)
    if class_weight is not None and rows.target is not None:
        weight = weight * class_weight.to(total.dtype)[rows.target]
    denominator = weight.sum()
    return total / torch.where(denominator == 0.0, 1.0, denominator)


def result_dtype(dtype: torch.dtype) -> torch.dtype:
    """Losses of 16-bit input are float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32
