"""What every loss of a row is made of: a handful of sums over its classes, and in which precision they are taken."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class RowStatistics(NamedTuple):
    """What the cross-entropy of a row is made of; a statistic that was not asked for is an empty tensor."""

    lse: Tensor  # [N] log Σ exp(y); with `complement`, over the classes that are not in ids
    logit: Tensor  # [N, K] y at ids; 0 where an id lies outside the row (another rank has it)
    smooth: Tensor  # [N] Σ w·y
    entropy: Tensor  # [N]
    top: Tensor  # [N] the first of the largest classes


class DivergenceStatistics(NamedTuple):
    """What the divergence of a row and its derivative are made of."""

    value: Tensor
    lse_t: Tensor
    lse_s: Tensor
    mean_score: Tensor


def wide(z: Tensor) -> torch.dtype:
    """The dtype of sums: float64, except for float32 and below on an accelerator."""
    return torch.float64 if z.device.type == "cpu" or z.dtype == torch.float64 else torch.float32


def narrow(z: Tensor) -> torch.dtype:
    """The dtype of elementwise derivatives."""
    return torch.float64 if z.dtype == torch.float64 else torch.float32


def empty_statistics(z: Tensor, n: int, ids: Tensor | None, *, smooth: bool, entropy: bool, top: bool) -> RowStatistics:
    """Row statistics of the right shapes with nothing in them yet; each a tensor of its own."""
    dtype = wide(z)
    return RowStatistics(
        lse=z.new_empty(n, dtype=dtype),
        logit=z.new_empty(0 if ids is None else ids.shape, dtype=dtype),
        smooth=z.new_empty(n if smooth else 0, dtype=dtype),
        entropy=z.new_empty(n if entropy else 0, dtype=dtype),
        top=z.new_empty(n if top else 0, dtype=torch.int64),
    )
