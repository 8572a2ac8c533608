"""The sums over the vocabulary on the CPU as compiled loops: the names of `kullback.losses.blocks`, for float32 logits.

16-bit logits pass through blocks of float32 rows; softcapped ones, and rows with classes taken out, are left to
`blocks`. Threads are as many as torch has; the bits do not depend on their number. numba is imported with this module.
"""

from kullback.losses._numba.doors import (
    cross_entropy,
    divergence,
    divergence_gradient,
    divergence_part,
    divergence_statistics,
    gradient,
    statistics,
)

__all__ = [
    "cross_entropy",
    "divergence",
    "divergence_gradient",
    "divergence_part",
    "divergence_statistics",
    "gradient",
    "statistics",
]
