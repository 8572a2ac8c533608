"""From the derivatives that a forward pass has left to gradients: times what came back from above, rounded once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kullback.losses import ops
from kullback.losses.operator import Operator, at_hand
from kullback.losses.workspace import derivative_dtypes


def empty_derivatives(x: Tensor, w: Tensor, compute: torch.dtype, needs: list[bool]) -> list[Tensor]:
    """dx, dw, db with the right shapes and nothing in them."""
    parts = zip((x.shape, w.shape, w.shape[:1]), derivative_dtypes(x.dtype, w.dtype, compute), needs, strict=True)
    return [x.new_empty(shape if need else 0, dtype=dtype) for shape, dtype, need in parts]


def times(d: Tensor, g: Tensor, dtype: torch.dtype) -> Tensor:
    """d·g in `dtype`, without a copy of d in between."""
    return torch.mul(d, g.to(d.dtype), out=torch.empty_like(d, dtype=dtype))


def _compute_scale(d: Tensor, g: Tensor, origin: Tensor, dtype: torch.dtype) -> Tensor:
    del origin  # what d is the gradient of: a second derivative reaches it through this operator, and is refused
    return times(d, g, dtype)


def _fake_scale(d: Tensor, g: Tensor, origin: Tensor, dtype: torch.dtype) -> Tensor:
    del g, origin
    return torch.empty_like(d, dtype=dtype)


scale = Operator("scale", _compute_scale, _fake_scale)


def scaled(sums: list[Tensor], g: Tensor | None, origins: list[Tensor | None], needs: list[bool]) -> list[Any]:
    """The gradients of the origins, where they are needed. Sums that no later backward needs become them."""
    watched = torch.is_grad_enabled() or not at_hand(sums[0])
    again = watched or torch._C._autograd._get_current_graph_task_keep_graph()

    def gradient(d: Tensor, origin: Tensor) -> Tensor:
        assert g is not None
        if watched:
            return scale(d, g, origin, origin.dtype)
        if again or d.dtype != origin.dtype:
            return times(d, g, origin.dtype)
        return ops.scale_(d, g)

    parts = zip(sums, origins, needs, strict=True)
    return [gradient(d, o) if need and g is not None and o is not None else None for d, o, need in parts]
