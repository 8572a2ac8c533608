"""Elementwise pieces in float32, written out because libdevice cannot run in Triton's interpreter."""

# Triton types its kernels by what it is called with.
# mypy: disable-error-code="untyped-decorator,no-untyped-def"

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

# Rows are walked in blocks of at most this many entries. Of one row 8192 with 16 warps was the quickest from V = 32000
# to 128256. Of a pair of rows, 4096 with 16 warps leaves half as many warps resident for Jensen–Shannon, and spills
# registers for the skew KL (benchmarks/kernel_resources.py).
ROW_BLOCK, PAIR_BLOCK = 8192, 2048


def launch(v: int, largest: int) -> dict[str, int]:
    """Block size and warps for rows of v entries. Not 32 warps: AMD's data-centre GPUs do not run them."""
    block = min(largest, max(16, triton.next_power_of_2(v)))
    return {"BLOCK": block, "num_warps": min(16, max(1, block // 256))}


def on_device(z: Tensor) -> AbstractContextManager[Any]:
    """Triton launches on the current device: make it z's."""
    return torch.cuda.device_of(z) if z.is_cuda else nullcontext()


@triton.jit
def transform(z, cap, inverse_temperature, HAS_CAP: tl.constexpr):
    """Y = cap·tanh(z/cap)/temperature."""
    y = z.to(tl.float32)
    if HAS_CAP:
        x = y / cap
        e = tl.exp(-2.0 * tl.abs(x))
        t = (1.0 - e) / (1.0 + e)
        y = tl.where(y == -float("inf"), y, cap * tl.where(x < 0.0, -t, t))
    return y * inverse_temperature


@triton.jit
def undo_transform(dy, y, cap, inverse_temperature, HAS_CAP: tl.constexpr):
    """dz = dy·(1 − (y·temperature/cap)²)/temperature."""  # noqa: D403
    dz = dy * inverse_temperature
    if HAS_CAP:
        r = tl.minimum(tl.abs(y) / (cap * inverse_temperature), 1.0)
        dz = dz * (1.0 - r * r)
    return dz


@triton.jit
def expm1_less(u):
    """φ(u) = expm1(u) − u: a series where it cancels; |u| ≤ 0.35 leaves less than 2⁻²⁶ after eight terms."""
    series = 2.7557319e-07 + u * 2.5052108e-08
    series = 2.7557319e-06 + u * series
    series = 2.4801587e-05 + u * series
    series = 1.9841270e-04 + u * series
    series = 1.3888889e-03 + u * series
    series = 8.3333333e-03 + u * series
    series = 4.1666667e-02 + u * series
    series = 1.6666667e-01 + u * series
    series = 0.5 + u * series
    near = tl.abs(u) < 0.35
    return tl.where(near, u * u * series, tl.exp(tl.where(near, 0.0, u)) - 1.0 - u)


@triton.jit
def expm1(u):
    """Expm1 through φ, exact near 0; −1 at −∞."""
    near = tl.abs(u) < 0.35
    small = tl.where(near, u, 0.0)
    return tl.where(near, small + expm1_less(small), tl.exp(u) - 1.0)


@triton.jit
def log1p(x):
    """log(1+x) with the rounding of 1+x put back (Kahan); −∞ at −1."""
    w = 1.0 + x
    exact = w == 1.0
    return tl.where(exact, x, tl.log(w) * (x / tl.where(exact, 1.0, w - 1.0)))


@triton.jit
def log_mixture_ratio(u, beta):
    """log(β + (1−β)·eᵘ), as `kinds.log_mixture_ratio`."""
    large = u > 1.0
    low = log1p((1.0 - beta) * expm1(tl.where(large, 0.0, u)))
    high = tl.where(large, u, 1.0)
    return tl.where(large, high + log1p(beta * expm1(-high)), low)
