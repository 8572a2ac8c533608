"""A linear head: its logits for slices of tokens and classes, and the derivatives that are added up from theirs."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from kullback.losses.workspace import Sizes, derivative_dtypes, sums_dtype


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


class Derivatives(NamedTuple):
    """dx, dw, db; empty where they were not needed."""

    x: Tensor
    weight: Tensor
    bias: Tensor


class Head:
    """x·Wᵀ + b, and dx, dw, db for those of the three that are needed: blocks of tokens, or slices of classes.

    After blocks of tokens they have `derivative_dtype` and wait for a factor; after slices of classes they are done,
    in the dtypes of x, W and b.
    """

    def __init__(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, *, compute: torch.dtype, logits_dtype: torch.dtype
    ) -> None:
        self.given, self.compute = (x.dtype, weight.dtype, weight.dtype if bias is None else bias.dtype), compute
        self.x, self.weight, self.bias = x.to(compute), weight.to(compute), bias
        self.sums = sums_dtype(compute)
        self.cpu = x.device.type == "cpu"
        if self.cpu:
            # There a 16-bit product would be rounded to 16 bits; products of 16-bit factors are exact in float32.
            self.x, self.weight = self.x.to(self.sums), self.weight.to(self.sums)
            logits_dtype = self.sums
        self.logits_dtype = logits_dtype
        self.dx: Tensor | None = None
        self.dw: Tensor | None = None
        self.db: Tensor | None = None

    def sizes(self, logits: int, *, in_place: bool) -> Sizes:
        """What its logits, their derivatives and its weight take; `logits`: bytes of a token's logits of a class."""
        return Sizes(logits, 0 if in_place else self.x.dtype.itemsize, self.given[1], self.compute)

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
        padded = classes if self.cpu else -(-classes // 8) * 8
        return self.x.new_empty(n, padded, dtype=dtype)[:, :classes]

    # Blocks of tokens

    def need(self, *, x: bool, weight: bool, bias: bool, blocks: int, shared: bool = False) -> None:
        """Prepare the derivatives that are wanted; of a single block dw is one product, rounded but once.

        `shared`: other ranks add to dx before it is rounded.
        """
        of_x, of_weight, _ = derivative_dtypes(*self.given[:2], self.compute)
        # What is written first need not be cleared, except where nothing comes.
        make = torch.empty if self.x.shape[0] else torch.zeros
        if x:
            dtype = self.sums if self.cpu or shared else of_x
            self.dx = make(self.x.shape, dtype=dtype, device=self.x.device)
        if weight:
            dtype = self.sums if self.cpu or blocks > 1 else of_weight
            self.dw = make(self.weight.shape, dtype=dtype, device=self.x.device)
        if bias:
            self.db = torch.zeros(self.weight.shape[0], dtype=self.sums, device=self.x.device)

    def add(self, dz: Tensor, tokens: slice) -> None:
        """Add what dz [tokens, all classes] means for x, the weight and the bias; the first tokens come first."""
        if self.dx is not None:
            multiply(dz, self.weight, self.dx[tokens])
        if self.dw is not None:
            add_product(self.dw, dz.T, self.x[tokens], first=not tokens.start)
        if self.db is not None:
            self.db += dz.sum(0, dtype=self.sums)

    def derivatives(self) -> Derivatives:
        """What the blocks have added up to."""
        parts = zip((self.dx, self.dw, self.db), derivative_dtypes(*self.given[:2], self.compute), strict=True)
        return Derivatives(*(self.x.new_empty(0, dtype=dtype) if d is None else d.to(dtype) for d, dtype in parts))

    # Slices of classes

    def need_all(self, *, x: bool, weight: bool, bias: bool) -> None:
        """Prepare the derivatives that are wanted: dx is a sum over the slices, of dw each is written once."""
        if x:
            self.dx = self.x.new_zeros(self.x.shape, dtype=self.sums)
        if weight:
            self.dw = self.x.new_empty(self.weight.shape, dtype=self.given[1])
        if bias:
            self.db = self.x.new_empty(self.weight.shape[0], dtype=self.given[2])

    def add_classes(self, dz: Tensor, classes: slice, unit: Tensor) -> None:
        """Add what dz [all tokens, classes], times a power of two, means for x, the weight and the bias."""
        if self.dx is not None:
            add_product(self.dx, dz, self.weight[classes], first=not classes.start)
        if self.dw is not None:
            dw = self.dw[classes]
            # bfloat16 has float32's range; a sum that left float16's would be lost before its factor came.
            direct = dw.dtype == self.sums or dw.dtype == self.x.dtype == torch.bfloat16
            part = dw if direct else torch.empty_like(dw, dtype=self.sums)
            torch.mul(multiply(dz.T, self.x, part), unit, out=dw)
        if self.db is not None:
            torch.mul(dz.sum(0, dtype=self.sums), unit, out=self.db[classes])

    def all_derivatives(self, unit: Tensor) -> Derivatives:
        """What the slices have added up to."""
        if self.dx is not None:
            self.dx = torch.mul(self.dx, unit, out=torch.empty_like(self.dx, dtype=self.given[0]))
        parts = zip((self.dx, self.dw, self.db), self.given, strict=True)
        return Derivatives(*(self.x.new_empty(0, dtype=dtype) if d is None else d for d, dtype in parts))
