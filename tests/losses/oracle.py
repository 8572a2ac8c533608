"""What a fused loss is judged by: float64 autograd through the plain formula, and the plain formula's own error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def results(loss: Callable[..., Any], inputs: Sequence[Tensor], upstream: Tensor | None = None) -> list[Tensor]:
    """[loss, gradients…] of a loss of `inputs`, with an upstream gradient that is not all ones."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    value = loss(*leaves)
    g = torch.ones_like(value) if upstream is None else upstream.to(value)
    grads = torch.autograd.grad((value * g).sum(), leaves)
    return [value.detach(), *grads]


def error(got: Tensor, truth: Tensor) -> float:
    """‖got − truth‖ / ‖truth‖; an infinity must be met exactly."""
    got, truth = got.double(), truth.double()
    infinite = torch.isinf(truth)
    assert torch.equal(infinite, torch.isinf(got)), (got, truth)
    got, truth = torch.where(infinite, 0.0, got), torch.where(infinite, 0.0, truth)
    assert not bool(torch.isnan(got).any()), got
    return float((got - truth).norm() / truth.norm().clamp_min(1e-300)) if float((got - truth).norm()) else 0.0


def assert_as_good_as_plain(
    fused: Callable[..., Any],
    plain: Callable[..., Any],
    inputs: Sequence[Tensor],
    upstream: Tensor | None = None,
    *,
    relabel: bool = False,
) -> None:
    """error(fused) ≤ 2·error(plain) + a few roundings of the dtype, value and gradients alike.

    The truth is float64 itself. `relabel`, for losses to which the order of the classes is nothing: what another order
    changes in the truth is how much of it is rounding, and counts as the plain formula's error.
    """
    truth = results(plain, [x.double() for x in inputs], upstream)
    mine = results(fused, inputs, upstream)
    theirs = results(plain, inputs, upstream)
    other = truth
    if relabel:
        other = [x.flip(-1) if x.ndim else x for x in results(plain, [x.double().flip(-1) for x in inputs], upstream)]
        other[0] = truth[0]
    for i, (m, p, t, o) in enumerate(zip(mine, theirs, truth, other, strict=True)):
        # A float64 result is judged by a truth that rounds as much as it does.
        rounding = (32 if m.dtype == torch.float64 else 4) * torch.finfo(m.dtype).eps
        limit = 2 * max(error(p, t), error(o, t)) + rounding
        assert error(m, t) <= limit, (i, error(m, t), error(p, t), error(o, t))
