"""The exponential, without branches, so that the compiler runs it on all lanes at once (libm's takes one value)."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


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


_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # the first has 21 trailing zero bits
_ROUND = 6755399441055744.0  # 2⁵² + 2⁵¹: adding it rounds to a whole number, kept in the low bits
_BIAS = np.int64(1023)


@numba.njit(nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")
def exp(x):
    """eˣ for x ≤ 0, and 0 below −708: 2ᵏ eʳ, |r| ≤ ½ log 2, with thirteen terms of the series; order matters."""
    y = max(x, -708.5)
    shifted = y * _LOG2_E + _ROUND
    k = shifted - _ROUND
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
    scale = _double((_bits(shifted) - _bits(_ROUND) + _BIAS) << np.int64(52))
    return p * scale if x >= -708.0 else 0.0
