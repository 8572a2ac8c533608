"""The sums over the vocabulary for CUDA: the names of `kullback.losses.blocks`, one program for each row.

No atomics, so the same input gives the same bits. Every output element is stored, ignored rows included. Sums and terms
are float32. Rows are addressed with 64-bit offsets.
"""

from kullback.losses._triton.doors import cross_entropy, gradient, scale_, statistics
from kullback.losses._triton.pairs import (
    divergence,
    divergence_gradient,
    divergence_part,
    divergence_statistics,
)

__all__ = [
    "cross_entropy",
    "divergence",
    "divergence_gradient",
    "divergence_part",
    "divergence_statistics",
    "gradient",
    "scale_",
    "statistics",
]
