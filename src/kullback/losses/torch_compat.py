"""Drop-in replacements with torch's own names, argument order and layouts.

    from kullback.losses import torch_compat as F

What differs from `torch.nn.functional`, and nothing else: `kl_div` divides "mean" and "batchmean" by the number of
distributions (torch: by the number of elements, or by the first axis alone); 0·log 0 is 0 with ``log_target=True`` too,
with a gradient of 0; without a valid token "mean" is 0 and not NaN; losses of 16-bit input are float32.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.errors import InvalidInput
from kullback.losses import given, linear
from kullback.losses.options import Reduction, result_dtype


def kl_div(
    input: Tensor,  # noqa: A002  torch's name
    target: Tensor,
    reduction: str = "mean",
    *,
    log_target: bool = False,
) -> Tensor:
    """D(target‖exp(input)), entry by entry target·(log target − input): the *model's log-probabilities come first*.

    ``reduction``: "mean" and "batchmean" are the mean over all axes but the last; "sum"; "none" keeps the entries.

    Examples
    --------
    >>> import torch
    >>> from kullback.losses import torch_compat
    >>> torch_compat.kl_div(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
    if input.shape != target.shape:
        msg = f"input has shape {tuple(input.shape)}, target {tuple(target.shape)}; expected the same"
        raise InvalidInput(msg)
    if reduction not in ("mean", "batchmean", "sum", "none"):
        msg = f"reduction is {reduction!r}; expected 'mean', 'batchmean', 'sum' or 'none'"
        raise InvalidInput(msg)
    wide = torch.float64 if input.device.type == "cpu" else result_dtype(input.dtype)
    p = target.to(wide)
    if log_target:
        empty = p == -torch.inf
        log_p = torch.where(empty, 0.0, p)
        p = torch.where(empty, 0.0, torch.exp(log_p))
    else:
        empty = p == 0.0
        log_p = torch.log(torch.where(empty, 1.0, p))
    log_q = torch.where(empty, 0.0, input.to(wide))
    entries = p * (log_p - log_q)
    if reduction == "none":
        return entries.to(result_dtype(input.dtype))
    total = entries.sum()
    if reduction != "sum":
        total = total / max(1, input.shape[:-1].numel())
    return total.to(result_dtype(input.dtype))


def cross_entropy(
    input: Tensor,  # noqa: A002  torch's name
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """`torch.nn.functional.cross_entropy` for (C), (N, C) and (N, C, d₁, …): the classes are the second axis.

    Examples
    --------
    >>> import torch
    >>> from kullback.losses import torch_compat
    >>> torch_compat.cross_entropy(torch.zeros(2, 4, 3), torch.zeros(2, 3, dtype=torch.int64))
    tensor(1.3863)
    """
    axis = 0 if input.ndim == 1 else 1
    if target.is_floating_point():
        target = target.movedim(axis, -1)
    return given.cross_entropy(
        input.movedim(axis, -1),
        target,
        class_weight=weight,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


def linear_cross_entropy(
    input: Tensor,  # noqa: A002  torch's name
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: Reduction = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Tensor:
    """`torch.nn.functional.linear_cross_entropy` for input (..., D), linear_weight (V, D) and target (...).

    Examples
    --------
    >>> import torch
    >>> from kullback.losses import torch_compat
    >>> torch_compat.linear_cross_entropy(torch.zeros(2, 3), torch.ones(4, 3), torch.tensor([0, 1]))
    tensor(1.3863)
    """
    return linear.linear_cross_entropy(
        input,
        linear_weight,
        target,
        bias=linear_bias,
        class_weight=weight,
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )
