"""Special functions that torch lacks: values by SciPy, derivatives by their formulas."""

from __future__ import annotations

import importlib
from typing import Any

import torch

Tensor = Any


def _host(name: str, *xs: Tensor) -> Tensor:
    special = importlib.import_module("scipy.special")
    value = getattr(special, name)(*(x.detach().cpu().numpy() for x in xs))
    return torch.as_tensor(value, dtype=xs[0].dtype, device=xs[0].device)


class _Exp1(torch.autograd.Function):  # type: ignore[misc]
    """E₁(x) = ∫ₓ^∞ e⁻ᵗ/t dt; its derivative is −e⁻ˣ/x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return _host("exp1", x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return -g * torch.exp(-x) / x


class _BetaInc(torch.autograd.Function):  # type: ignore[misc]
    """I_x(a, b); differentiable in x only: its derivatives in a and b have no elementary form."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, x: Tensor) -> Tensor:
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[1]:
            msg = "torch has no derivative of the incomplete beta function in its parameters; use JAX for this pair."
            raise NotImplementedError(msg)
        ctx.save_for_backward(a, b, x)
        return _host("betainc", *torch.broadcast_tensors(a, b, x))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[None, None, Tensor]:
        a, b, x = ctx.saved_tensors
        log_beta = torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
        density = torch.exp((a - 1) * torch.log(x) + (b - 1) * torch.log1p(-x) - log_beta)
        return None, None, g * density


def exp1(x: Tensor) -> Tensor:
    """E₁(x), x > 0."""
    return _Exp1.apply(x)


def betainc(a: Tensor, b: Tensor, x: Tensor) -> Tensor:
    """I_x(a, b)."""
    a, b, x = (v if isinstance(v, torch.Tensor) else torch.as_tensor(v, dtype=torch.float64) for v in (a, b, x))
    return _BetaInc.apply(a, b, x)
