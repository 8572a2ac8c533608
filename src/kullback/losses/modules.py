"""Thin modules: a function and its options, kept together."""

from __future__ import annotations

import math
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from kullback.losses import distillation, given, kinds, linear


class CrossEntropyLoss(nn.Module):  # type: ignore[misc]
    """`cross_entropy` with fixed options."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002  torch's name
        """Cross-entropy of logits (..., V) against targets."""
        return given.cross_entropy(input, target, **self.options)


class DivergenceLoss(nn.Module):  # type: ignore[misc]
    """A divergence of given logits: ``DivergenceLoss("skew_js", beta=0.1)(teacher_logits, student_logits)``."""

    def __init__(
        self, kind: distillation.Kind = "forward_kl", *, beta: float = 0.5, **options: Unpack[given.DivergenceOptions]
    ) -> None:
        super().__init__()
        kinds.settle(kind, beta)
        self.kind, self.beta, self.options = kind, beta, options

    def forward(self, teacher_logits: Tensor, student_logits: Tensor) -> Tensor:
        """D(teacher, student) of logits (..., V)."""
        return given.divergence(teacher_logits, student_logits, self.kind, self.beta, **self.options)


class LinearCrossEntropyLoss(nn.Module):  # type: ignore[misc]
    """`linear_cross_entropy` with a head of its own, as ``torch.nn.LinearCrossEntropyLoss`` has."""

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        bias: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(in_features) if in_features else 0.0
        self.weight = nn.Parameter(torch.empty(num_classes, in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(num_classes).uniform_(-bound, bound)) if bias else None
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002  torch's name
        """Cross-entropy of input·weightᵀ + bias against class ids."""
        return linear.linear_cross_entropy(input, self.weight, target, **{**self.options, "bias": self.bias})


class LinearDivergenceLoss(nn.Module):  # type: ignore[misc]
    """`linear_divergence` with fixed options."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, input: Tensor, weight: Tensor, teacher_input: Tensor, teacher_weight: Tensor) -> Tensor:  # noqa: A002
        """The divergence of two heads."""
        return distillation.linear_divergence(input, weight, teacher_input, teacher_weight, **self.options)
