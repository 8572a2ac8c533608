"""Cross-entropy that writes its gradient over the logits in the forward pass: one read and one write in all."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kullback.errors import InvalidForm, InvalidInput
from kullback.losses import ops, terms
from kullback.losses.operator import refuse_double_backward
from kullback.losses.options import Tokens, result_dtype


class _CrossEntropyInPlace(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,  # noqa: A002  torch's name
        z: Tensor,
        rows: Tokens,
        class_weight: Tensor | None,
        options: Any,
    ) -> Tensor:
        classes = z.shape[1]
        spread = {"label_smoothing": options["label_smoothing"], "z_loss": options["z_loss"]}
        target = rows.target
        assert target is not None
        # detach() shares the version counter: whatever else saved these logits will say so in its backward.
        got = ops.kernels(z).cross_entropy(
            z, target, class_weight, rows.weight, z, entropy=False, top=False, **spread,
            softcap=options["softcap"], temperature=options["temperature"],
        )  # fmt: skip
        loss = terms.loss_rows(got.lse, got.logit[:, 0], got.smooth, target, class_weight, classes=classes, **spread)
        ctx.dz = z.view(input.shape)
        total = (torch.where(rows.valid, loss, 0.0) * rows.weight.to(loss.dtype)).sum()
        return total.to(result_dtype(z.dtype))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        if torch.is_grad_enabled():
            refuse_double_backward(ctx)
        dz = ctx.dz
        if dz is None:
            msg = "the gradient over the logits was used up by an earlier backward: use in_place=False to run it twice"
            raise InvalidForm(msg)
        ctx.dz = None
        return ops.scale_(dz, g), None, None, None, None


def cross_entropy_in_place(
    z: Tensor,
    input: Tensor,  # noqa: A002  torch's name
    rows: Tokens,
    class_weight: Tensor | None,
    *,
    reduction: str,
    classes: int,
    **options: Any,
) -> Tensor:
    """Σ weight·L over the rows; the logits become its gradient."""
    del classes
    if torch.compiler.is_compiling() or reduction == "none":
        msg = "in_place=True takes reduction 'mean' or 'sum', outside torch.compile: use in_place=False"
        raise InvalidInput(msg)
    if not input.requires_grad or input.is_leaf or z.data_ptr() != input.data_ptr():
        msg = (
            "in_place=True overwrites the logits with their gradient: they must be the contiguous result of an "
            "operation that requires a gradient, not a leaf; use in_place=False"
        )
        raise InvalidInput(msg)
    result: Tensor = _CrossEntropyInPlace.apply(input, z.detach(), rows, class_weight, options)
    return result
