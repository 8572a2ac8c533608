"""The plain formulas, in torch that autograd reads: the oracle of every fused path, and `impl="reference"`.

It keeps N×V tensors, is differentiable any number of times, and takes gradients into teachers and soft targets too.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kullback.losses import kinds
from kullback.losses.statistics import PairOptions, RowOptions, RowStatistics


def transform(z: Tensor, softcap: float, temperature: float) -> Tensor:
    """The logits y = softcap·tanh(z/softcap)/temperature."""
    if softcap:
        z = torch.where(z == -math.inf, z, softcap * torch.tanh(z / softcap))
    return z / temperature


def project(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002  torch's name
    """The logits z = x·Wᵀ + b, 16-bit operands multiplied as float32."""
    wide = torch.float64 if input.dtype == torch.float64 else torch.float32
    z = input.to(wide) @ weight.to(wide).T
    return z if bias is None else z + bias.to(wide)


def row_statistics(z: Tensor, ids: Tensor | None, class_weight: Tensor | None, o: RowOptions) -> RowStatistics:
    """What `kullback.losses.ops.row_statistics` computes."""
    wide = torch.float64 if z.dtype == torch.float64 else torch.float32
    y = transform(z.to(wide), o.softcap, o.temperature)
    nothing = y.new_empty(0)
    here, inside = ids, ids
    if ids is not None:
        here = (ids >= 0) & (ids < y.shape[1])
        inside = torch.where(here, ids, 0)
    logit = nothing if ids is None else torch.where(here, y.gather(1, inside), 0.0)
    weighted = nothing
    if o.smooth:
        w = 1.0 if class_weight is None else class_weight
        # 0·(−∞) = 0, and a weight of 0 keeps its derivative where the logit is finite
        weighted = (w * torch.where((y == -math.inf) & (torch.as_tensor(w) == 0.0), 0.0, y)).sum(-1)
    best = torch.argmax(y, -1) if o.top else nothing.to(torch.int64)
    if o.complement and ids is not None:
        y = y.scatter_add(1, inside, torch.where(here, -math.inf, 0.0).to(wide))
    log_p = torch.log_softmax(y, -1)
    p = torch.exp(log_p)
    h = -torch.where(p == 0.0, 0.0, p * torch.where(p == 0.0, 0.0, log_p)).sum(-1) if o.entropy else nothing
    return RowStatistics(torch.logsumexp(y, -1), logit, weighted, h, best)


def divergence_rows(teacher: Tensor, student: Tensor, o: PairOptions) -> Tensor:
    """[N] divergences of rows of logits; differentiable in both."""
    wide = torch.float64 if student.dtype == torch.float64 else torch.float32
    log_t = torch.log_softmax(transform(teacher.to(wide), o.softcap_t, o.temperature), -1)
    log_s = torch.log_softmax(transform(student.to(wide), o.softcap_s, o.temperature), -1)
    return kinds.entries(log_t, log_s, kind=o.kind, beta=o.beta).sum(-1)
