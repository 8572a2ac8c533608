"""An operator with a derivative, for torch.compile and in eager mode without the cost of dispatching it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kullback.errors import InvalidForm


def refuse_double_backward(_ctx: Any, *_: Any) -> None:
    """The fused gradients have no derivative of their own."""
    msg = (
        "the fused losses have no second derivative (create_graph=True reached one): use impl='reference', plain torch "
        "that can be differentiated any number of times"
    )
    raise InvalidForm(msg)


def at_hand(z: Tensor) -> bool:
    """Whether z is a plain tensor that nothing traces, wraps or watches: then its numbers may be read at once."""
    return (
        type(z) in (Tensor, torch.nn.Parameter)
        and not torch.compiler.is_compiling()
        and not torch._C._len_torch_dispatch_stack()
        and not _transformed()
    )


class Operator:
    """`compute` of tensors and options, registered as kullback::name; its derivative, or a refusal to have one.

    A custom operator takes some 50 µs a call. In eager mode the same functions are an `autograd.Function`, and what is
    called without a gradient in sight is `compute` itself.
    """

    def __init__(
        self,
        name: str,
        compute: Callable[..., Any],
        fake: Callable[..., Any],
        keep: Callable[[Any, Any, Any], None] | None = None,
        gradient: Callable[..., Any] | None = None,
    ) -> None:
        self.compute = compute
        keep, gradient = keep or _nothing_to_save, gradient or refuse_double_backward
        self.registered = torch.library.custom_op(f"kullback::{name}", compute, mutates_args=())
        self.registered.register_fake(fake)
        self.registered.register_autograd(gradient, setup_context=keep)
        members: dict[str, Callable[..., Any]] = {"forward": compute, "setup_context": keep, "backward": gradient}
        self.function: Any = type(name, (torch.autograd.Function,), {k: staticmethod(f) for k, f in members.items()})

    def __call__(self, *arguments: Any) -> Any:
        """The value, differentiable where a gradient is defined."""
        if at_hand(arguments[0]):
            return self.function.apply(*arguments) if torch.is_grad_enabled() else self.compute(*arguments)
        if _transformed() and not torch.compiler.is_compiling():
            return self.function.apply(*arguments)  # torch.func.grad takes a Function, but no operator of ours
        return self.registered(*arguments)


def _transformed() -> bool:
    return bool(torch._C._are_functorch_transforms_active())


def _nothing_to_save(ctx: Any, inputs: Any, output: Any) -> None:
    del ctx, inputs, output
