"""Rows of logits: blocks of them that stay in cache, their transformation and its derivative, their normaliser."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from kullback.losses.statistics import wide


def row_blocks(z: Tensor) -> Iterator[slice]:
    """Blocks of rows, two megabytes of float32 a thread: near enough to stay in cache, large enough to share."""
    budget = 2**19 * torch.get_num_threads() if z.device.type == "cpu" else 2**26
    step = max(1, budget // max(1, z.shape[1]))
    for start in range(0, z.shape[0], step):
        yield slice(start, min(start + step, z.shape[0]))


def transform(z: Tensor, dtype: torch.dtype, softcap: float, temperature: float) -> Tensor:
    """The logits y = softcap·tanh(z/softcap)/temperature in `dtype`, always a fresh tensor; softcap 0 means none."""
    y = z.to(dtype, copy=True)
    if softcap:
        # A class that is masked by −∞ stays masked.
        masked = y == -math.inf
        y.div_(softcap).tanh_().mul_(softcap).masked_fill_(masked, -math.inf)
    if temperature != 1.0:
        y.div_(temperature)
    return y


def undo_transform(dy: Tensor, y: Tensor, softcap: float, temperature: float) -> None:
    """From dy to dz = dy·(1 − (y·temperature/softcap)²)/temperature, in place."""
    if softcap:
        dy.mul_(1.0 - (y * (temperature / softcap)).clamp_(-1.0, 1.0).square())
    if temperature != 1.0:
        dy.div_(temperature)


def log_probabilities(y: Tensor, lse: Tensor) -> Tensor:
    """Log p = y − lse in place, lse subtracted in two parts: rounded to float32 it would tilt the whole row."""
    lse = torch.nan_to_num(lse[:, None], neginf=0.0)
    high = lse.to(y.dtype)
    return y.sub_(high).sub_((lse - high).to(y.dtype))


def log_normaliser(y: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(log Σ exp(y) in the dtype of sums, softmax(y)) of rows; −∞ for a row of −∞.

    log Σ exp(y) = highest − log p, p the largest probability. Where that is nearly 1 its logarithm is taken from what
    the others have, so that a sure row keeps its digits and float32 terms are enough.
    """
    highest, p = y.amax(-1).to(wide(y)), torch.softmax(y, -1, out=out)
    most = p.amax(-1)
    lse = torch.where(highest == -math.inf, highest, highest - torch.log(most.to(highest.dtype)))
    sure = most > 0.5
    if y.device.type != "cpu" or bool(sure.any()):
        others = torch.where(p == most[:, None], 0.0, p).sum(-1).to(highest.dtype)
        lse = torch.where(sure, highest + torch.log1p(others / most), lse)
    return lse, p
