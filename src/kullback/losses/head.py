"""A linear head in chunks: its products, in the precision they need, and the derivatives they add up to."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

# Logits of this many bytes at a time on the CPU: enough tokens for a fast product, little enough to stay near.
CPU_LOGITS = 2**26
# On an accelerator a chunk may always be this big; beyond, half a float32 copy of the weight.
CUDA_LOGITS = 2**29


def multiply(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """a·b into `out`, which may be float32 where a and b are 16-bit: then nothing is rounded on the way."""
    if out.dtype == a.dtype:
        return torch.mm(a, b, out=out)
    return torch.mm(a, b, out_dtype=out.dtype, out=out)


def add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Add a·b to a total, a float32 total of 16-bit factors included."""
    if total.dtype == a.dtype:
        total.addmm_(a, b)
    else:
        torch.addmm(total, a, b, out_dtype=total.dtype, out=total)


class Head:
    """x·Wᵀ + b for slices of tokens and classes, and dx, dw, db (float32 or float64) for those that are needed."""

    def __init__(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, *, compute: torch.dtype, logits_dtype: torch.dtype
    ) -> None:
        self.x, self.weight, self.bias = x.to(compute), weight.to(compute), bias
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
        # Rows that start on 16 bytes, whatever V is: vector loads and cuBLAS need it.
        padded = weight.shape[0] if x.device.type == "cpu" else -(-weight.shape[0] // 8) * 8
        z = x.new_empty(x.shape[0], padded, dtype=self.logits_dtype)[:, : weight.shape[0]]
        multiply(x, weight.T, z)
        if self.bias is not None:
            z.add_(self.bias[classes])
        return z

    def need(self, *, x: bool, weight: bool, bias: bool) -> None:
        """Start the sums of the derivatives that are wanted."""
        if x:
            self.dx = torch.zeros(self.x.shape, dtype=self.sums, device=self.x.device)
        if weight:
            self.dw = torch.zeros(self.weight.shape, dtype=self.sums, device=self.x.device)
        if bias:
            self.db = torch.zeros(self.weight.shape[0], dtype=self.sums, device=self.x.device)

    def add(self, dz: Tensor, tokens: slice = slice(None), classes: slice = slice(None)) -> None:
        """Add what dz [tokens, classes] means for x, the weight and the bias."""
        if self.dx is not None:
            add_product(self.dx[tokens], dz, self.weight[classes])
        if self.dw is not None:
            add_product(self.dw[classes], dz.T, self.x[tokens])
        if self.db is not None:
            self.db[classes] += dz.sum(0, dtype=self.sums)

    def derivatives(self) -> tuple[Tensor, Tensor, Tensor]:
        """(dx, dw, db), empty where they were not needed."""
        return tuple(self.x.new_empty(0) if d is None else d for d in (self.dx, self.dw, self.db))


def token_chunks(
    n: int, classes: int, features: int, *, chunk: int, device: torch.device, bytes_each: int
) -> Iterator[slice]:
    """Slices of tokens whose logits fit the budget: `chunk` tokens, or as many as the device's default allows."""
    if chunk <= 0:
        budget = CPU_LOGITS if device.type == "cpu" else max(CUDA_LOGITS, 2 * classes * features)
        chunk = max(64 if device.type == "cpu" else 1024, budget // max(1, bytes_each * classes))
        # Even chunks: a short last one is a slow product.
        pieces = -(-n // chunk)
        chunk = -(-n // max(1, pieces))
    for start in range(0, n, max(1, chunk)):
        yield slice(start, min(n, start + chunk))


def class_chunks(n: int, classes: int, *, chunk: int, device: torch.device) -> Iterator[slice]:
    """Slices of classes for all tokens at once: `chunk` of them, or some 200 MB of logits on an accelerator."""
    if chunk <= 0:
        budget = CPU_LOGITS if device.type == "cpu" else 200 * 2**20
        chunk = max(256, budget // (6 * max(1, n)) // 256 * 256)
    for start in range(0, classes, chunk):
        yield slice(start, min(classes, start + chunk))
