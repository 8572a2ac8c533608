"""Logarithm and exponential that the compiler can run on all lanes at once (libm's take one value at a time).

For loops of any room.

x = 2ᵉ m with m in [√½, √2), log m = 2 artanh(s) = 2s(1 + s²/3 + s⁴/5 + …), s = (m − 1)/(m + 1), |s| ≤ .1716: ten terms
leave less than 2⁻⁵³. For finite normal x > 0 only; relative error ≤ 3e-16 there.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


def part(function: Callable[..., Any]) -> Any:
    """A scalar function for use inside loops; its operations keep their order even where the loop's may not."""
    return numba.njit(function, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")


@intrinsic
def _bits(typing_context, x):
    """The 64 bits of a double as an integer."""
    del typing_context, x

    def build(context, builder, signature, arguments):
        del context, signature
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), build


@intrinsic
def _double(typing_context, x):
    """64 bits as a double."""
    del typing_context, x

    def build(context, builder, signature, arguments):
        del context, signature
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), build


_SQRT_HALF = np.int64(0x3FE6A09E667F3BCD)
_ONE = np.int64(0x3FF0000000000000)
_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
_TO_DOUBLE = np.int64(
    0x4338000000000000
)  # 2⁵² + 2⁵¹: an integer written into its low bits is the double 2⁵² + 2⁵¹ + it
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # the first has 21 trailing zero bits


@part
def log(x):
    """Log x for finite normal x > 0, without branches. Its order matters: (huge + e) − huge is the exponent."""
    shifted = _bits(x) + (_ONE - _SQRT_HALF)
    e = _double((shifted >> np.int64(52)) + _TO_DOUBLE) - 6755399441055744.0 - 1023.0
    m = _double((shifted & _MANTISSA) + _SQRT_HALF)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = 1.0 / 3.0 + z * (
        1.0 / 5.0
        + z
        * (
            1.0 / 7.0
            + z * (1.0 / 9.0 + z * (1.0 / 11.0 + z * (1.0 / 13.0 + z * (1.0 / 15.0 + z * (1.0 / 17.0 + z / 19.0)))))
        )
    )
    return e * _LN2_HIGH + (2.0 * s + (2.0 * s * z * series + e * _LN2_LOW))


_LOG2_E = 1.4426950408889634
_HUGE = 6755399441055744.0  # 2⁵² + 2⁵¹


@part
def exp(x):
    """Exp x for −708 ≤ x ≤ 709, 0 below, without branches: 2ᵏ eʳ, |r| ≤ ½ log 2, thirteen terms of the series."""
    y = max(x, -708.5)
    shifted = y * _LOG2_E + _HUGE
    k = shifted - _HUGE
    r = (y - k * _LN2_HIGH) - k * _LN2_LOW
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    scale = _double((_bits(shifted) - _bits(_HUGE) + np.int64(1023)) << np.int64(52))
    return p * scale if x >= -708.0 else 0.0
