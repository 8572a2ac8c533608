"""The sums over the vocabulary in plain torch, over blocks of rows that stay in cache: the oracle.

`_numba` (CPU) and `_triton` (CUDA) have the same names. Everything else in the room (options, weights, masks,
reductions) is made of their per-row results. Sums and values are taken in float64 on the CPU; gradients in the
precision of the logits. Logits pass through `transform` first: y = softcap·tanh(z/softcap)/temperature, and all
statistics are of y.
"""

from kullback.losses.blocks.pairs import divergence, divergence_gradient, divergence_part, divergence_statistics
from kullback.losses.blocks.rows import cross_entropy, gradient, statistics

__all__ = [
    "cross_entropy",
    "divergence",
    "divergence_gradient",
    "divergence_part",
    "divergence_statistics",
    "gradient",
    "statistics",
]
