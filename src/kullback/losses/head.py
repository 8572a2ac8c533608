"""A linear head in chunks: its products, in the precision they need, and the derivatives they add up to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

# Logits of this many bytes at a time on the CPU: enough tokens for a fast product, little enough to stay near.
CPU_LOGITS = 2**26
# On an accelerator: a thousand tokens of the largest vocabularies in float32, teacher and student.
CUDA_LOGITS = 2**30


def multiply(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """a·b into `out`, which may be float32 where a and b are 16-bit: then nothing is rounded on the way."""
    if out.dtype == a.dtype:
        return torch.mm(a, b, out=out)
    return torch.mm(a, b, out_dtype=out.dtype, out=out)


def add_product(total: Tensor, a: Tensor, b: Tensor, *, first: bool) -> None:
    """Add a·b to a total, a float32 total of 16-bit factors included; the first product is written, not added."""
    if first:
        multiply(a, b, total)
    elif total.dtype == a.dtype:
        total.addmm_(a, b)
    else:
        torch.addmm(total, a, b, out_dtype=total.dtype, out=total)


class Head:
    """x·Wᵀ + b for slices of tokens and classes, and dx, dw, db (float32 or float64) for those that are needed."""

    def __init__(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, *, compute: torch.dtype, logits_dtype: torch.dtype
    ) -> None:
        self.x, self.weight, self.bias, self.dtype = x.to(compute), weight.to(compute), bias, weight.dtype
        self.sums = torch.float64 if compute == torch.float64 else torch.float32
        if x.device.type == "cpu":
            # There a 16-bit product would be rounded to 16 bits; products of 16-bit factors are exact in float32.
            self.x, self.weight = self.x.to(self.sums), self.weight.to(self.sums)
            logits_dtype = self.sums
        self.logits_dtype = logits_dtype
        self.dx: Tensor | None = None
        self.dw: Tensor | None = None
        self.db: Tensor | None = None

    def logits(self, tokens: slice = slice(None), classes: slice = slice(None)) -> Tensor:
        """[tokens, classes] logits; the caller may overwrite them."""
        x, weight = self.x[tokens], self.weight[classes]
        z = self._rows(x.shape[0], weight.shape[0], self.logits_dtype)
        multiply(x, weight.T, z)
        if self.bias is not None:
            z.add_(self.bias[classes])
        return z

    def buffer(self, tokens: slice) -> Tensor:
        """Room for the derivatives of the tokens' logits."""
        return self._rows(tokens.stop - tokens.start, self.weight.shape[0], self.x.dtype)

    def _rows(self, n: int, classes: int, dtype: torch.dtype) -> Tensor:
        """Rows that start on 16 bytes, whatever V is: vector loads and cuBLAS need it."""
        padded = classes if self.x.device.type == "cpu" else -(-classes // 8) * 8
        return self.x.new_empty(n, padded, dtype=dtype)[:, :classes]

    def need(self, *, x: bool, weight: bool, bias: bool, once: bool = False) -> None:
        """Prepare the derivatives that are wanted; `once`: all tokens come in one chunk, so dw is rounded but once."""
        dw = weight_sums(self.dtype, self.x.dtype, once=once)
        # What is written first need not be cleared, except where nothing comes.
        make = torch.empty if self.x.shape[0] else torch.zeros
        if x:
            self.dx = make(self.x.shape, dtype=self.sums, device=self.x.device)
        if weight:
            self.dw = make(self.weight.shape, dtype=dw, device=self.x.device)
        if bias:
            self.db = torch.zeros(self.weight.shape[0], dtype=self.sums, device=self.x.device)

    def add(self, dz: Tensor, tokens: slice = slice(None), classes: slice = slice(None)) -> None:
        """Add what dz [tokens, classes] means for x, the weight and the bias; the first slices come first."""
        if self.dx is not None:
            add_product(self.dx[tokens], dz, self.weight[classes], first=not classes.start)
        if self.dw is not None:
            add_product(self.dw[classes], dz.T, self.x[tokens], first=not tokens.start)
        if self.db is not None:
            self.db[classes] += dz.sum(0, dtype=self.sums)

    def derivatives(self) -> tuple[Tensor, Tensor, Tensor]:
        """(dx, dw, db), empty where they were not needed."""
        return tuple(self.x.new_empty(0) if d is None else d for d in (self.dx, self.dw, self.db))


def weight_sums(dtype: torch.dtype, compute: torch.dtype, *, once: bool) -> torch.dtype:
    """The dtype of dw: float32 or float64, but that of the weight where it is summed `once`, by one product.

    A bfloat16 weight then needs no float32 copy. (float16 has not the range for a sum over tokens.)
    """
    if once and dtype == compute == torch.bfloat16:
        return dtype
    return torch.float64 if compute == torch.float64 else torch.float32


class Block(NamedTuple):
    """Tokens whose dX and dW are one product each, and the chunks in which their logits are made."""

    tokens: slice
    chunks: list[slice]


def one_block(n: int, features: int, *, chunk: int, device: torch.device, bytes_each: tuple[int, int]) -> bool:
    """Whether all tokens are one block: their dz is then no larger than a float32 copy of the weight."""
    logits, dz = bytes_each
    if chunk > 0:
        return n <= chunk
    return device.type != "cpu" and n * (dz or logits) <= 4 * features


def token_blocks(
    n: int, classes: int, features: int, *, chunk: int, device: torch.device, bytes_each: tuple[int, int]
) -> list[Block]:
    """Blocks of tokens and their chunks, by the bytes of a logit and of its derivative (0: made in the logit's place).

    What a sum dW over several blocks costs, reading and writing a float32 copy of the weight for each, goes with their
    number: on an accelerator the dz of a block is as large as that copy. Several blocks need one more for their sum.
    `chunk` overrides both. On the CPU a block is one chunk.
    """
    logits, dz = bytes_each
    if chunk > 0:
        block = chunk
    elif device.type == "cpu":
        block = chunk = logits_chunk(classes, device, logits + dz)
    else:
        whole = one_block(n, features, chunk=0, device=device, bytes_each=bytes_each)
        block = n if whole else max(1024, 4 * features // (dz or logits))
        chunk = logits_chunk(classes, device, logits) if dz else block
    return [Block(tokens, even(tokens, chunk)) for tokens in even(slice(0, n), block)]


def logits_chunk(classes: int, device: torch.device, logits_bytes: int) -> int:
    """Tokens whose logits are made at a time where nothing but their statistics is kept."""
    if device.type == "cpu":
        return max(64, CPU_LOGITS // max(1, logits_bytes * classes))
    return max(1024, CUDA_LOGITS // max(1, logits_bytes * classes))


def within(part: slice, whole: slice) -> slice:
    """A slice counted from the start of the one that holds it."""
    return slice(part.start - whole.start, part.stop - whole.start)


def even(whole: slice, most: int) -> list[slice]:
    """A slice in pieces of at most `most`, of one size but for rounding: a short last one would be a slow product."""
    n = whole.stop - whole.start
    step = -(-n // max(1, -(-n // max(1, most))))
    return [slice(start, min(whole.stop, start + step)) for start in range(whole.start, whole.stop, max(1, step))]


def class_chunks(n: int, classes: int, *, chunk: int, device: torch.device) -> Iterator[slice]:
    """Slices of classes for all tokens at once: `chunk` of them, or some 200 MB of logits on an accelerator."""
    if chunk <= 0:
        budget = CPU_LOGITS if device.type == "cpu" else 200 * 2**20
        chunk = max(256, budget // (6 * max(1, n)) // 256 * 256)
    for start in range(0, classes, chunk):
        yield slice(start, min(classes, start + chunk))
