"""What every loss of a row is made of: a handful of sums over its classes, and in which precision they are taken."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class RowOptions(NamedTuple):
    """What is asked of a row of logits z. All statistics are of y = softcap·tanh(z/softcap)/temperature."""

    smooth: bool = False
    entropy: bool = False
    top: bool = False
    complement: bool = False  # the normaliser sums over the classes that are not in ids
    softcap: float = 0.0  # 0: none
    temperature: float = 1.0

    @property
    def plain(self) -> bool:
        """Whether y is z."""
        return not self.softcap and self.temperature == 1.0


class PairOptions(NamedTuple):
    """What is asked of a teacher's and a student's row: a kind that `kinds.settle` has returned, or a mirror."""

    kind: str
    beta: float = 0.5
    softcap_t: float = 0.0
    softcap_s: float = 0.0
    temperature: float = 1.0


class Spread(NamedTuple):
    """What cross-entropy adds to −log p of the target: see `terms`."""

    label_smoothing: float = 0.0
    z_loss: float = 0.0


class RowStatistics(NamedTuple):
    """What the cross-entropy of a row is made of; a statistic that was not asked for is an empty tensor."""

    lse: Tensor  # [N] log Σ exp(y); with `complement`, over the classes that are not in ids
    logit: Tensor  # [N, K] y at ids; 0 where an id lies outside the row (another rank has it)
    smooth: Tensor  # [N] Σ w·y
    entropy: Tensor  # [N]
    top: Tensor  # [N] the first of the largest classes


class RowDerivatives(NamedTuple):
    """The derivatives of a loss in the statistics of its row; None where it does not depend on one."""

    lse: Tensor
    logit: Tensor | None = None
    smooth: Tensor | None = None
    entropy: Tensor | None = None


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


def empty_statistics(z: Tensor, n: int, ids: Tensor | None, o: RowOptions) -> RowStatistics:
    """Row statistics of the right shapes with nothing in them yet; each a tensor of its own."""
    dtype = wide(z)
    return RowStatistics(
        lse=z.new_empty(n, dtype=dtype),
        logit=z.new_empty(0 if ids is None else ids.shape, dtype=dtype),
        smooth=z.new_empty(n if o.smooth else 0, dtype=dtype),
        entropy=z.new_empty(n if o.entropy else 0, dtype=dtype),
        top=z.new_empty(n if o.top else 0, dtype=torch.int64),
    )
