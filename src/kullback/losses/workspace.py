"""How many tokens, or classes, a linear head goes through at a time: what its loss may hold beyond the gradients.

On an accelerator the derivatives of a block's logits and what a sum dW over several blocks needs are together at most
one float32 copy of the weight, or 1024 tokens. Reading and writing a float32 dW for each block is what a small block
costs, so a bfloat16 weight whose tokens fit one block has no such sum, and blocks are as large as that bound allows.
What holds nothing but the statistics of its rows (`logits_chunk`), and `class_chunks`, stay below 0.3 GiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch

# Logits of this many bytes at a time on the CPU: enough tokens for a fast product, little enough to stay near.
CPU_LOGITS = 2**26
# On an accelerator, those that become a block's derivatives: a thousand tokens of the largest vocabularies in float32,
# teacher and student. Where nothing is kept, a quarter of that.
CUDA_LOGITS, CUDA_STATISTICS = 2**30, 2**28
CUDA_CLASSES = 2**27  # logits, derivatives and dW of a slice of classes
LEAST = 1024  # tokens of a product


def derivative_dtype(dtype: torch.dtype, compute: torch.dtype) -> torch.dtype:
    """The dtype in which a plan leaves the derivative of an operand: float32 or float64, but bfloat16 of bfloat16.

    float16 has not the range: what comes back from above (a loss scale of 2¹⁶) is to lift its derivatives first.
    """
    if dtype == compute == torch.bfloat16:
        return dtype
    return sums_dtype(compute)


def derivative_dtypes(
    x: torch.dtype, weight: torch.dtype, compute: torch.dtype
) -> tuple[torch.dtype, torch.dtype, torch.dtype]:
    """Those of dx, dw and db, as a plan leaves them after its blocks of tokens."""
    return derivative_dtype(x, compute), derivative_dtype(weight, compute), sums_dtype(compute)


def sums_dtype(compute: torch.dtype) -> torch.dtype:
    """The dtype of sums of products."""
    return torch.float64 if compute == torch.float64 else torch.float32


class Sizes(NamedTuple):
    """What decides how many tokens make a block."""

    logits: int  # bytes of a token's logits of one class: its own, its teacher's
    dz: int  # bytes of their derivative; 0: made in the logits' place
    weight: torch.dtype
    compute: torch.dtype

    @property
    def kept(self) -> int:
        """Bytes of what a block holds for each token and class."""
        return self.dz or self.logits

    def beyond(self, *, several: bool) -> int:
        """Bytes for each entry of the weight: its copy for the products, and what a sum takes beyond dW itself."""
        copy: int = 0 if self.weight == self.compute else self.compute.itemsize
        wide = sums_dtype(self.compute) if several else derivative_dtype(self.weight, self.compute)
        return copy + max(0, int(wide.itemsize - self.weight.itemsize))

    def tokens(self, features: int, *, several: bool) -> int:
        """Tokens whose derivatives fit beside that into a float32 copy of the weight."""
        return max(0, 4 - self.beyond(several=several)) * features // self.kept


class Block(NamedTuple):
    """Tokens whose dX and dW are one product each, and the chunks in which their logits are made."""

    tokens: slice
    chunks: list[slice]


def token_blocks(n: int, classes: int, features: int, sizes: Sizes, *, chunk: int, device: torch.device) -> list[Block]:
    """Blocks of tokens and their chunks; `chunk` overrides both. On the CPU a block is one chunk."""
    if chunk > 0:
        block = chunk
    elif device.type == "cpu":
        block = chunk = logits_chunk(classes, device, sizes.logits + sizes.dz)
    else:
        whole = n <= sizes.tokens(features, several=False)
        block = n if whole else max(LEAST, sizes.tokens(features, several=True))
        chunk = max(LEAST, CUDA_LOGITS // max(1, sizes.logits * classes)) if sizes.dz else block
    return [Block(tokens, even(tokens, chunk)) for tokens in even(slice(0, n), block)]


def logits_chunk(classes: int, device: torch.device, logits_bytes: int) -> int:
    """Tokens whose logits are made at a time where nothing but their statistics is kept."""
    if device.type == "cpu":
        return max(64, CPU_LOGITS // max(1, logits_bytes * classes))
    return max(LEAST, CUDA_STATISTICS // max(1, logits_bytes * classes))


def class_chunks(classes: int, bytes_each: int, *, chunk: int, device: torch.device) -> Iterator[slice]:
    """Slices of classes for all tokens at once: `chunk` of them, or as many as fit, at `bytes_each` of a class."""
    if chunk <= 0:
        budget = CPU_LOGITS if device.type == "cpu" else CUDA_CLASSES
        chunk = max(256, budget // max(1, bytes_each) // 256 * 256)
    for start in range(0, classes, chunk):
        yield slice(start, min(classes, start + chunk))


def within(part: slice, whole: slice) -> slice:
    """A slice counted from the start of the one that holds it."""
    return slice(part.start - whole.start, part.stop - whole.start)


def even(whole: slice, most: int) -> list[slice]:
    """A slice in pieces of at most `most`, of one size but for rounding: a short last one would be a slow product."""
    n = whole.stop - whole.start
    step = -(-n // max(1, -(-n // max(1, most))))
    return [slice(start, min(whole.stop, start + step)) for start in range(whole.start, whole.stop, max(1, step))]
