"""Exponentials and logarithms of float32 numbers, without branches, so that the compiler runs them on all lanes.

Constants are float32 too: with a Python number numba would compute in float64, on half as many lanes.
"""

# numba ships no types that a strict checker can use
# mypy: disable-error-code="untyped-decorator,no-any-return"

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kullback._compile import INLINE, SUM, compiled

Single = Any

ZERO, HALF, ONE, TWO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(2.0)
LEAST = np.float32(2.0**-100)  # smaller probabilities are 0 beside any other

LOWEST = np.float32(-87.0)  # e^x leaves the normal floats below
LOG2_E = np.float32(1.4426950408889634)
LN2_HIGH = np.float32(0.693359375)  # nine bits, so that k·LN2_HIGH is exact
LN2_LOW = np.float32(-2.121944400546905827679e-4)
FLOATED = np.float32(12582912.0)  # 1.5·2²³: adding it rounds to an integer, whose bits are then the lowest
# (expm1(r) − r)/r², |r| ≤ ½: mpmath, mp.dps=50: chebyfit(…, [−½, ½], 6); error 1.3e-8.
E0, E1, E2 = np.float32(0.500000012161), np.float32(0.166666668017), np.float32(0.04166579123)
E3, E4, E5 = np.float32(0.00833323613352), np.float32(0.00139821860463), np.float32(0.000199448744416)
NEAR = np.float32(0.5)
# (atanh(t)/t − 1)/z, z = t²: mpmath, mp.dps=50: chebyfit(…, [0, .0401], 4)
R0, R1, R2, R3 = np.float32(0.33333333), np.float32(0.200001568), np.float32(0.142662725), np.float32(0.118756709)


@intrinsic
def _power(_typing: Any, _x: Any) -> Any:
    """2ᵏ from FLOATED + k."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = ir.IntType(32)
        bits = builder.shl(builder.bitcast(arguments[0], word), word(23))
        return builder.bitcast(builder.add(bits, word(127 << 23)), ir.FloatType())

    return types.float32(types.float32), build


@intrinsic
def _maximum(_typing: Any, _x: Any, _y: Any) -> Any:
    """The larger of two numbers, in a form whose reduction over a loop is vectorised; NaN stays."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        single = ir.FloatType()
        kind = ir.FunctionType(single, [single, single])
        return builder.call(builder.module.declare_intrinsic("llvm.maximum", [single], kind), arguments)

    return types.float32(types.float32, types.float32), build


@intrinsic
def _near(_typing: Any, _a: Any, _b: Any) -> Any:
    """(k, b') with b = 2ᵏ·b' and b' between a/1.5 and 1.5·a; normal a, b > 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, single = ir.IntType(32), ir.FloatType()
        a, b = (builder.bitcast(x, word) for x in arguments)
        k = builder.ashr(builder.add(builder.sub(b, a), word(1 << 22)), word(23))
        near = builder.bitcast(builder.sub(b, builder.shl(k, word(23))), single)
        return context.make_tuple(builder, signature.return_type, (builder.sitofp(k, single), near))

    return types.UniTuple(types.float32, 2)(types.float32, types.float32), build


@compiled(**SUM)
def largest(x: Any) -> Single:
    """The largest entry; NaN where one is."""
    top = np.float32(-math.inf)
    for k in range(len(x)):
        top = _maximum(top, x[k])
    return top


@compiled(**INLINE)
def exp(x: Single) -> Single:
    """eˣ for x ≤ 88, and 0 below −87; NaN stays."""
    y = LOWEST if x < LOWEST else x
    shifted = y * LOG2_E + FLOATED
    k = shifted - FLOATED
    r = (y - k * LN2_HIGH) - k * LN2_LOW
    s = r * r
    e = (E0 + E1 * r) + s * ((E2 + E3 * r) + s * (E4 + E5 * r))
    p = _power(shifted)
    return ZERO if x < LOWEST else p + p * (r + s * e)


@compiled(**INLINE)
def _lost(x: Single, y: Single, d: Single) -> Single:
    """What rounding took from d = x − y (Møller, Knuth); 0 where one is infinite."""
    y_ = d - x
    lost = (x - (d - y_)) - (y + y_)
    return lost if lost == lost else ZERO


@compiled(**INLINE)
def probability(x: Single, high: Single, low: Single, scale: Single) -> Single:
    """e^(scale·(x − high − low)), right to the last bits: a rounded exponent would cost as many as it is large."""
    d = x - high
    e = exp(d * scale)
    return e + e * ((_lost(x, high, d) - low) * scale)


@compiled(**INLINE)
def difference(x: Single, y: Single, high: Single, low: Single) -> Single:
    """X − y − high − low, where x − y and high may be nearly equal."""
    d = x - y
    return (d - high) + (_lost(x, y, d) - low)


@compiled(**INLINE)
def expm1_times(t: Single, s: Single, u: Single) -> Single:
    """S − t where s = t·eᵘ, without cancellation near u = 0."""
    near = abs(u) < NEAR
    r = u if near else ZERO
    e = (E0 + E1 * r) + r * r * ((E2 + E3 * r) + r * r * (E4 + E5 * r))
    return t * (r + r * r * e) if near else s - t


@compiled(**INLINE)
def _atanh(t: Single) -> Single:
    """(atanh(t)/t − 1), |t| ≤ 0.2."""
    z = t * t
    return z * ((R0 + R1 * z) + (z * z) * (R2 + R3 * z))


@compiled(**INLINE)
def kl_entry(a: Single, b: Single, d: Single) -> Single:
    """B − a − a·log(b/a), d = b − a: `kl_term` of the measures; normal a, b > 0."""
    k, near = _near(a, b)
    gap = d if k == ZERO else near - a
    t = gap / (near + a)
    ak = a * k
    return ((b - near) - ak * LN2_HIGH - ak * LN2_LOW) + t * (gap - TWO * (a * _atanh(t)))


@compiled(**INLINE)
def log_ratio(a: Single, b: Single, d: Single) -> Single:
    """log(b/a), d = b − a, exactly 0 where d is; normal a, b > 0."""
    k, near = _near(a, b)
    t = (d if k == ZERO else near - a) / (near + a)
    return k * LN2_HIGH + (TWO * (t + t * _atanh(t)) + k * LN2_LOW)
