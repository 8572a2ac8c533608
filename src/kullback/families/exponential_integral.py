"""eˣE₁(x), which neither overflows nor underflows."""

from __future__ import annotations

from typing import Any

Array = Any
Namespace = Any


def scaled_exp1(x: Array, *, xp: Namespace) -> Array:
    """eˣE₁(x), x > 0: SciPy's E₁ up to 50, above it 1/x·Σ n!(−1/x)ⁿ, whose 20th term is below 2⁻⁵³."""
    near = x < 50
    small = xp.where(near, x, xp.ones_like(x))
    u = 1.0 / xp.where(near, xp.ones_like(x) * 50.0, x)
    total = u * 0.0
    for n in range(20, 0, -1):
        total = n * u * (1.0 - total) if n < 20 else n * u
    return xp.where(near, xp.exp(small) * xp.exp1(small), u * (1.0 - total))
