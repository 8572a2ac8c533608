"""The plans as operators that torch.compile sees as one node each, with their derivatives."""

from kullback.losses.linear_ops.cross_entropy import linear_cross_entropy
from kullback.losses.linear_ops.divergence import linear_divergence
from kullback.losses.linear_ops.gradients import scale
from kullback.losses.linear_ops.statistics import linear_statistics

__all__ = ["linear_cross_entropy", "linear_divergence", "linear_statistics", "scale"]
