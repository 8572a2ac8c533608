"""The compiled loops: every one is the sum of a formula in `kullback.measures`, taken in one pass over memory.

All compiled code of masses lives in this one file, because numba renews its cache on disk by the time of the file that
a function stands in, and not by those of the functions that it calls.

A row is summed in blocks; a block gives six numbers, whose first ones depend on the measure and whose last two are the
number of infinite terms and of entries that no mass can be (negative or NaN). Where a block holds anything that the
branch-free loop cannot do (zeros on one side, subnormals), a scalar loop of the same name does that block again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

Array = Any
Function = TypeVar("Function", bound=Callable[..., Any])
Sums = tuple[float, float, float, float, float, float]

# What a sweep sums. Without scales: one pass. SCALED: masses times the other side's total. TOP: relative to max q.
KL, JS, CROSS_ENTROPY, ENTROPY, TOTALS, KL_SCALED, JS_SCALED, CROSS_ENTROPY_TOP = range(8)
DONE = -1

BLOCK = 4096  # categories in one block of a contiguous row
STEP = 32  # blocks are filled up to a multiple of this: the compiled loop is slow on what is left over
BUFFER = 2048  # numbers in the buffer that other layouts and dtypes pass through: it stays in the first-level cache
SHORT = 1024  # numbers of several short rows that are taken together
TILE = 64  # rows that are read side by side where rows are nearer in memory than categories
TILE_WIDTH = 128  # categories of each: the buffer stays in the second-level cache
PITCH = TILE_WIDTH + 8  # no power of two: rows of the buffer must not share the few places a cache has for such steps

LEAST = 2.0**-960  # smaller numbers take the scalar loop: scaled, they could leave the normal floats
LIFTED, LIFT = 2.0**-400, 2.0**400  # an exact change of unit for the smallest ones
LN2 = math.log(2.0)
LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
# R(z) = (atanh(t)/t − 1)/z, z = t²: mpmath, mp.dps=50: chebyfit(R, [0, .0401], 8); relative error 6e-17.
R0, R1, R2, R3 = 0.3333333333333333, 0.2000000000000397, 0.14285714283637968, 0.11111111524175794
R4, R5, R6, R7 = 0.09090868813151469, 0.07694433902806859, 0.06604854121029731, 0.06804515131429249
# Exponents are biased so that their difference is positive; adding one half of a unit rounds to the nearest.
BIAS = 2000
ROUND = np.int64((1 << 51) + (BIAS << 52))
TO_FLOAT = np.int64(0x4338000000000000 - BIAS)  # the bits of 1.5·2⁵² − BIAS: adding a small integer converts it
FLOATED = 6755399441055744.0

# No reassociation inside a term, where b − a is exact; the sums of terms may be taken in any order.
_TERM = {"fastmath": {"contract", "nsz"}, "error_model": "numpy", "nogil": True}
_INLINE = {**_TERM, "forceinline": True}  # a call left in a loop would keep it from being vectorised
_SUM = {"fastmath": {"contract", "nsz", "reassoc"}, "error_model": "numpy", "nogil": True}


def compiled(**options: Any) -> Callable[[Function], Function]:
    """`njit` that keeps its work on disk, or in memory where no folder can be written."""

    def decorate(function: Function) -> Function:
        try:
            return cast("Function", njit(cache=True, **options)(function))
        except RuntimeError:  # numba found no folder for its cache
            return cast("Function", njit(**options)(function))

    return decorate


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def _bits(_typing: Any, _x: Any) -> Any:
    return types.int64(types.float64), lambda _c, builder, _s, args: builder.bitcast(args[0], ir.IntType(64))


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def _float(_typing: Any, _x: Any) -> Any:
    return types.float64(types.int64), lambda _c, builder, _s, args: builder.bitcast(args[0], ir.DoubleType())


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def _exponent(_typing: Any, _x: Any) -> Any:
    shift = ir.Constant(ir.IntType(64), 52)
    return types.int64(types.int64), lambda _c, builder, _s, args: builder.lshr(args[0], shift)


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def _fma(_typing: Any, _x: Any, _y: Any, _z: Any) -> Any:
    double = types.float64
    return double(double, double, double), lambda _c, builder, _s, args: builder.fma(*args)


@compiled(**_INLINE)
def _near(a: float, b: float) -> tuple[float, float]:
    """(k, b') with b = 2ᵏ·b' and b' between a/1.5 and 1.5·a, so that no quotient overflows; normal a, b > 0."""
    e = _exponent(_bits(b) - _bits(a) + ROUND)
    k = _float(e + TO_FLOAT) - FLOATED
    return k, _float(_bits(b) - ((e - np.int64(BIAS)) << np.int64(52)))


@compiled(**_INLINE)
def _r(z: float) -> float:
    w = z * z
    return (R0 + R1 * z) + w * ((R2 + R3 * z) + w * ((R4 + R5 * z) + w * (R6 + R7 * z)))


@compiled(**_INLINE)
def kl_term(a: float, b: float, d: float) -> float:
    """a·ψ((b−a)/a) = (b − b') − a·k·ln2 + t·((b'−a) − 2a·t²·R(t²)), t = (b'−a)/(b'+a); normal a, b > 0, d = b − a."""
    k, near = _near(a, b)
    gap = d if k == 0.0 else near - a
    t = gap / (near + a)
    z = t * t
    ak = a * k
    return ((b - near) - ak * LN2_HIGH - ak * LN2_LOW) + t * (gap - 2.0 * (a * (z * _r(z))))


@compiled(**_INLINE)
def log_ratio(a: float, b: float) -> float:
    """log(b/a) for normal a, b > 0, right also near 0."""
    k, near = _near(a, b)
    t = (near - a) / (near + a)
    z = t * t
    return k * LN2_HIGH + (2.0 * (t + t * (z * _r(z))) + k * LN2_LOW)


@compiled(**_TERM)
def psi(s: float) -> float:
    """ψ(s) = s − log1p(s), s > −1."""
    if -0.3 < s < 0.4:
        t = s / (2.0 + s)
        z = t * t
        return t * (s - 2.0 * (z * _r(z)))
    return s - math.log1p(s)


@compiled(**_INLINE)
def _gap(a: float, b: float, scale_a: float, scale_b: float) -> float:
    """b·scale_b − a·scale_a with one rounding, however many digits the two products share."""
    product = a * scale_a
    rounded: float = _fma(a, scale_a, -product)
    difference: float = _fma(b, scale_b, -product) - rounded
    return difference


@compiled(**_TERM)
def kl_term_any(a: float, b: float, scale_a: float, scale_b: float) -> float:
    """The term of a·scale_a and b·scale_b for any a, b ≥ 0, subnormal ones too; ∞ for b = 0 < a."""
    if a == 0.0:
        return b * scale_b
    if b == 0.0:
        return math.inf
    x, y = a * scale_a, b * scale_b
    if x >= LEAST and y >= LEAST:
        return kl_term(x, y, _gap(a, b, scale_a, scale_b))
    if a < LIFTED and b < LIFTED:
        return kl_term_any(a * LIFT, b * LIFT, scale_a, scale_b) / LIFT
    return (y - x) - x * ((math.log(b) - math.log(a)) + (math.log(scale_b) - math.log(scale_a)))


@compiled(**_TERM)
def js_terms_any(a: float, b: float, scale_a: float, scale_b: float) -> tuple[float, float]:
    """Both terms towards the middle of a·scale_a and b·scale_b, for any a, b ≥ 0."""
    if 0.0 < a < LIFTED and 0.0 < b < LIFTED:
        left, right = js_terms_any(a * LIFT, b * LIFT, scale_a, scale_b)
        return left / LIFT, right / LIFT
    x, y = a * scale_a, b * scale_b
    if x >= LEAST and y >= LEAST:
        half = 0.5 * _gap(a, b, scale_a, scale_b)
        return kl_term(x, 0.5 * (x + y), half), kl_term(y, 0.5 * (x + y), -half)
    # One of them is 0, or so small beside the other that the middle is half of that.
    m = 0.5 * (x + y)
    return kl_term_any(a, m, scale_a, 1.0), kl_term_any(b, m, scale_b, 1.0)


# ---- one entry of each, branch-free; the last of each answer says that the scalar loop must do the block -----------


@compiled(**_INLINE)
def _kl_pair(a0: float, b0: float) -> tuple[float, float, bool]:
    fine = (a0 >= LEAST) & (b0 >= LEAST)
    a, b = (a0 if fine else 1.0), (b0 if fine else 1.0)
    d = b - a
    term = kl_term(a, b, d)
    empty = (a0 == 0.0) & (b0 >= 0.0)
    return (b0 if empty else term), (b0 if empty else d), not (fine | empty)


@compiled(**_INLINE)
def _kl_scaled_pair(a0: float, b0: float, scale_a: float, scale_b: float) -> tuple[float, float, bool]:
    a, b = a0 * scale_a, b0 * scale_b
    fine = (a >= LEAST) & (b >= LEAST)
    d = _gap(a0, b0, scale_a, scale_b)
    term = kl_term(a if fine else 1.0, b if fine else 1.0, d if fine else 0.0)
    empty = (a0 == 0.0) & (b0 >= 0.0)
    return (b if empty else term), d, not (fine | empty)


@compiled(**_INLINE)
def _js_terms(a: float, b: float, d: float, fine: int) -> tuple[float, float]:
    x, y = (a if fine else 1.0), (b if fine else 1.0)
    m, half = 0.5 * x + 0.5 * y, (0.5 * d if fine else 0.0)
    # A mass that only one side has: m there, and for the other log 2 times it, less its half.
    only_b, only_a = (a == 0.0) & (b >= 0.0), (b == 0.0) & (a >= 0.0)
    left, right = kl_term(x, m, half), kl_term(y, m, -half)
    left = 0.5 * b if only_b else ((LN2 - 0.5) * a if only_a else left)
    right = (LN2 - 0.5) * b if only_b else (0.5 * a if only_a else right)
    return left, right


@compiled(**_INLINE)
def _js_pair(a: float, b: float) -> tuple[float, float, float, bool]:
    fine = (a >= LEAST) & (b >= LEAST)
    d = b - a
    left, right = _js_terms(a, b, d, fine)
    return left, right, d, not (fine | ((a == 0.0) & (b >= 0.0)) | ((b == 0.0) & (a >= 0.0)))


@compiled(**_INLINE)
def _js_scaled_pair(a0: float, b0: float, scale_a: float, scale_b: float) -> tuple[float, float, float, bool]:
    a, b = a0 * scale_a, b0 * scale_b
    fine = (a >= LEAST) & (b >= LEAST)
    d = _gap(a0, b0, scale_a, scale_b)
    left, right = _js_terms(a, b, d, fine)
    return left, right, d, not (fine | ((a0 == 0.0) & (b0 >= 0.0)) | ((b0 == 0.0) & (a0 >= 0.0)))


@compiled(**_INLINE)
def _cost(a: float, b: float) -> tuple[float, bool]:
    """−a·log b."""
    fine = (b >= LEAST) & (a >= 0.0)
    cost = -a * log_ratio(1.0, b if fine else 1.0)
    empty = (a == 0.0) & (b >= 0.0)
    return (0.0 if empty else cost), not (fine | empty)


@compiled(**_INLINE)
def _cost_from_top(a: float, b: float, top: float) -> tuple[float, bool]:
    """a·log(top/b)."""
    fine = (b >= LEAST) & (a >= 0.0)
    cost = a * log_ratio(b if fine else top, top)
    empty = (a == 0.0) & (b >= 0.0)
    return (0.0 if empty else cost), not (fine | empty)


# ---- one block: n entries of a from i against n entries of b from j ------------------------------------------------


@compiled(**_SUM)
def _kl_block(a: Array, i: int, b: Array, j: int, n: int) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    total, mass, gap, odd = 0.0, 0.0, 0.0, 0
    for k in range(n):
        term, d, strange = _kl_pair(x[k], y[k])
        total += term
        mass += x[k]
        gap += d
        odd += int(strange)
    return total, mass, gap, 0.0, 0.0, float(odd)


@compiled(**_SUM)
def _kl_scaled_block(a: Array, i: int, b: Array, j: int, n: int, scale_a: float, scale_b: float) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    total, gap, odd = 0.0, 0.0, 0
    for k in range(n):
        term, d, strange = _kl_scaled_pair(x[k], y[k], scale_a, scale_b)
        total += term
        gap += d
        odd += int(strange)
    return total, 0.0, gap, 0.0, 0.0, float(odd)


@compiled(**_TERM)
def _kl_slow(a: Array, i: int, b: Array, j: int, n: int, scale_a: float, scale_b: float) -> Sums:
    total, error, mass, gap, infinite, refused = 0.0, 0.0, 0.0, 0.0, 0, 0
    for k in range(n):
        x, y = a[i + k], b[j + k]
        if not (x >= 0.0 and y >= 0.0):
            refused += 1
        elif x > 0.0 and y == 0.0:
            infinite += 1
        else:
            total, error = _plus(total, error, kl_term_any(x, y, scale_a, scale_b))
        mass += x
        gap += _gap(x, y, scale_a, scale_b)
    return total + error, mass, gap, 0.0, float(infinite), float(refused)


@compiled(**_SUM)
def _js_block(a: Array, i: int, b: Array, j: int, n: int) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    left, right, mass, gap, odd = 0.0, 0.0, 0.0, 0.0, 0
    for k in range(n):
        t, u, d, strange = _js_pair(x[k], y[k])
        left += t
        right += u
        mass += x[k]
        gap += d
        odd += int(strange)
    return left, right, mass, gap, 0.0, float(odd)


@compiled(**_SUM)
def _js_scaled_block(a: Array, i: int, b: Array, j: int, n: int, scale_a: float, scale_b: float) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    left, right, gap, odd = 0.0, 0.0, 0.0, 0
    for k in range(n):
        t, u, d, strange = _js_scaled_pair(x[k], y[k], scale_a, scale_b)
        left += t
        right += u
        gap += d
        odd += int(strange)
    return left, right, 0.0, gap, 0.0, float(odd)


@compiled(**_TERM)
def _js_slow(a: Array, i: int, b: Array, j: int, n: int, scale_a: float, scale_b: float) -> Sums:
    left, right, error_l, error_r, mass, gap, refused = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for k in range(n):
        x, y = a[i + k], b[j + k]
        if not (x >= 0.0 and y >= 0.0):
            refused += 1
            continue
        t, u = js_terms_any(x, y, scale_a, scale_b)
        left, error_l = _plus(left, error_l, t)
        right, error_r = _plus(right, error_r, u)
        mass += x
        gap += _gap(x, y, scale_a, scale_b)
    return left + error_l, right + error_r, mass, gap, 0.0, float(refused)


@compiled(**_SUM)
def _cost_block(a: Array, i: int, b: Array, j: int, n: int) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    total, mass, other, odd = 0.0, 0.0, 0.0, 0
    for k in range(n):
        cost, strange = _cost(x[k], y[k])
        total += cost
        mass += x[k]
        other += y[k]
        odd += int(strange)
    return total, mass, other, 0.0, 0.0, float(odd)


@compiled(**_SUM)
def _entropy_block(a: Array, i: int, n: int) -> Sums:
    x = a[i : i + n]
    total, mass, odd = 0.0, 0.0, 0
    for k in range(n):
        cost, strange = _cost(x[k], x[k])
        total += cost
        mass += x[k]
        odd += int(strange)
    return total, mass, mass, 0.0, 0.0, float(odd)


@compiled(**_SUM)
def _cost_from_top_block(a: Array, i: int, b: Array, j: int, n: int, top: float) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    total, rest, tops, odd = 0.0, 0.0, 0, 0
    for k in range(n):
        cost, strange = _cost_from_top(x[k], y[k], top)
        total += cost
        rest += y[k] if y[k] < top else 0.0
        tops += int(y[k] == top)
        odd += int(strange)
    return total, rest, float(tops), 0.0, 0.0, float(odd)


@compiled(**_TERM)
def _cost_slow(stage: int, a: Array, i: int, b: Array, j: int, n: int, top: float) -> Sums:
    """Σ a·log(top/b), with both masses, or with what q has below its top."""
    total, error, mass, other, rest, infinite, refused = 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0
    tops = 0
    for k in range(n):
        x, y = a[i + k], b[j + k]
        if not (x >= 0.0 and y >= 0.0):
            refused += 1
        elif x > 0.0 and y == 0.0:
            infinite += 1
        elif x > 0.0:
            cost = log_ratio(y, top) if y >= LEAST else math.log(top) - math.log(y)
            total, error = _plus(total, error, x * cost)
        mass += x
        other += y
        rest += y if y < top else 0.0
        tops += int(y == top)
    if stage != CROSS_ENTROPY_TOP:
        return total + error, mass, other, 0.0, float(infinite), float(refused)
    return total + error, rest, float(tops), 0.0, float(infinite), float(refused)


@compiled(**_SUM)
def _totals_block(a: Array, i: int, b: Array, j: int, n: int) -> Sums:
    x, y = a[i : i + n], b[j : j + n]
    mass, other, odd = 0.0, 0.0, 0
    top = np.int64(0)  # the bits of floats ≥ 0 are in the order of the floats, and their maximum is vectorised
    for k in range(n):
        mass += x[k]
        other += y[k]
        top = max(top, _bits(y[k]))
        odd += int(not ((x[k] >= 0.0) & (y[k] >= 0.0)))
    return mass, other, _float(top), 0.0, 0.0, float(odd)


@compiled(**_TERM)
def _block(stage: int, a: Array, i: int, b: Array, j: int, n: int, scale_a: float, scale_b: float, top: float) -> Sums:
    if stage == KL:
        sums = _kl_block(a, i, b, j, n)
        return sums if sums[5] == 0.0 else _kl_slow(a, i, b, j, n, 1.0, 1.0)
    if stage == KL_SCALED:
        sums = _kl_scaled_block(a, i, b, j, n, scale_a, scale_b)
        return sums if sums[5] == 0.0 else _kl_slow(a, i, b, j, n, scale_a, scale_b)
    if stage == JS:
        sums = _js_block(a, i, b, j, n)
        return sums if sums[5] == 0.0 else _js_slow(a, i, b, j, n, 1.0, 1.0)
    if stage == JS_SCALED:
        sums = _js_scaled_block(a, i, b, j, n, scale_a, scale_b)
        return sums if sums[5] == 0.0 else _js_slow(a, i, b, j, n, scale_a, scale_b)
    if stage in (CROSS_ENTROPY, ENTROPY):
        sums = _cost_block(a, i, b, j, n) if stage == CROSS_ENTROPY else _entropy_block(a, i, n)
        return sums if sums[5] == 0.0 else _cost_slow(stage, a, i, b, j, n, 1.0)
    if stage == CROSS_ENTROPY_TOP:
        sums = _cost_from_top_block(a, i, b, j, n, top)
        return sums if sums[5] == 0.0 else _cost_slow(stage, a, i, b, j, n, top)
    return _totals_block(a, i, b, j, n)


# ---- rows ----------------------------------------------------------------------------------------------------------


@compiled(**_INLINE)
def _plus(total: float, error: float, term: float) -> tuple[float, float]:
    """Neumaier's sum (doi:10.1002/zamm.19740540106): total and what it has lost."""
    new = total + term
    if abs(total) >= abs(term):
        return new, error + ((total - new) + term)
    return new, error + ((term - new) + total)


@compiled(**_TERM)
def add(stage: int, sums: Array, block: Sums) -> None:
    """Add a block to `sums`: six totals, then what each has lost."""
    sums[0], sums[6] = _plus(sums[0], sums[6], block[0])
    sums[1], sums[7] = _plus(sums[1], sums[7], block[1])
    if stage == TOTALS:
        sums[2] = max(sums[2], block[2])  # the largest mass
    else:
        sums[2], sums[8] = _plus(sums[2], sums[8], block[2])
    sums[3], sums[9] = _plus(sums[3], sums[9], block[3])
    sums[4] += block[4]
    sums[5] += block[5]


@compiled(**_INLINE)
def total(sums: Array) -> Sums:
    """The sums with what they had lost."""
    return (
        sums[0] + sums[6],
        sums[1] + sums[7],
        sums[2] + sums[8],
        sums[3] + sums[9],
        sums[4] + sums[10],
        sums[5] + sums[11],
    )


@compiled(**_TERM)
def combine(stage: int, parts: Array, sums: Array) -> None:
    """The sums of the segments of one row, in their order."""
    sums[:] = 0.0
    for part in parts:
        add(stage, sums, total(part[0]))


@compiled(**_TERM)
def advance(measure: int, stage: int, sums: Array, state: Array, bounds: Array) -> int:
    """Take the sums of one row after `stage`: its value goes to state[5], and the answer is the next stage or DONE.

    The value is NaN where the row is not what it was said to be: the plain door then says so.
    """
    s = total(sums)
    state[5] = math.nan
    if s[5] > 0.0:
        return DONE
    if stage == TOTALS:
        state[3], state[4], state[2] = s[0], s[1], s[2]
        if not (bounds[0] <= s[0] <= bounds[1] and bounds[2] <= s[1] <= bounds[3]):
            return DONE
        return _second_stage(measure, state)
    if stage in (KL, JS):
        mass = s[1] if stage == KL else s[2]
        gap = s[2] if stage == KL else s[3]
        if not (bounds[0] <= mass <= bounds[1] and bounds[2] <= mass + gap <= bounds[3]):
            return DONE
        e = gap / mass
        if stage == KL:
            # Σ p log(p/q) of the exactly normalised pair is K/P − ψ(D/P).
            value, less = s[0] / mass, psi(e)
            trusted = less <= 0.25 * value
        else:
            value, less = _js_value(s, mass)
            trusted = e * e <= value and e * e <= 1e-15 * math.sqrt(value)
        if s[4] > 0.0:
            state[5] = math.inf
        elif trusted:
            state[5] = value - less
        else:
            state[3], state[4] = mass, mass + gap
            return _second_stage(measure, state)
        return DONE
    if stage in (KL_SCALED, JS_SCALED):
        unit = state[3] * state[0]  # the scales are the other side's total, so that both products have this mass
        # What is left of ε is the rounding of the totals.
        if stage == KL_SCALED:
            value, less = s[0] / unit, psi(s[2] / unit)
        else:
            value, less = _js_value(s, unit)
        state[5] = math.inf if s[4] > 0.0 else max(0.0, value - less)
        return DONE
    if stage in (CROSS_ENTROPY, ENTROPY):
        if not (bounds[0] <= s[1] <= bounds[1] and bounds[2] <= s[2] <= bounds[3]):
            return DONE
        value = s[0] / s[1] + math.log(s[2])
        if s[4] > 0.0:
            state[5] = math.inf
        elif value >= 0.25:
            state[5] = value
        else:
            return TOTALS  # nearly certain: the digits are in what the largest mass leaves over
        return DONE
    rest = s[1] + (s[2] - 1.0) * state[2]  # all but one of the largest
    state[5] = math.inf if s[4] > 0.0 else math.log1p(rest / state[2]) + s[0] / state[3]
    return DONE


@compiled(**_INLINE)
def _js_value(s: Sums, mass: float) -> tuple[float, float]:
    """JS of the masses as they are, and by how much it falls when q is divided by 1 + ε, to second order in ε."""
    e = s[3] / mass
    return 0.5 * (s[0] + s[1]) / mass, 0.5 * e * (s[1] / mass) + 0.125 * e * e


@compiled(**_TERM)
def _second_stage(measure: int, state: Array) -> int:
    if measure in (CROSS_ENTROPY, ENTROPY):
        return CROSS_ENTROPY_TOP
    # p·Q against q·P, both scaled by one power of two so that the products stay in range.
    _, exponent = math.frexp(max(state[3], state[4]))
    shrink = math.ldexp(1.0, -exponent)
    state[0], state[1] = state[4] * shrink, state[3] * shrink
    return KL_SCALED if measure == KL else JS_SCALED


@compiled(**_TERM)
def sweep(stage: int, p: Array, i: int, q: Array, j: int, n: int, state: Array, sums: Array, tail: Array) -> None:
    """Sum n categories of contiguous float64 p and q. The last few pass through `tail`, filled up with zeros."""
    whole = n - n % STEP
    sums[:] = 0.0
    for k in range(0, whole, BLOCK):
        m = min(BLOCK, whole - k)
        add(stage, sums, _block(stage, p, i + k, q, j + k, m, state[0], state[1], state[2]))
    if whole < n:
        tail[:] = 0.0
        for k in range(n - whole):
            tail[k] = p[i + whole + k]
            tail[STEP + k] = q[j + whole + k]
        add(stage, sums, _block(stage, tail, 0, tail, STEP, STEP, state[0], state[1], state[2]))


@compiled(**_INLINE)
def _start(steps: Array, row: int, inner: int) -> Any:
    """Where a row begins. The division is left out where there is one axis of rows."""
    if row < inner:
        return steps[0] + row * steps[2]
    return steps[0] + (row // inner) * steps[1] + (row % inner) * steps[2]


@compiled(**_TERM)
def _terms(measure: int, p: Array, q: Array, n: int, first: Array, second: Array, third: Array) -> int:
    """The terms of n entries, which may belong to many rows; how many entries want the scalar loop."""
    odd = 0
    if measure == KL:
        for k in range(n):
            first[k], second[k], strange = _kl_pair(p[k], q[k])
            odd += int(strange)
    elif measure == JS:
        for k in range(n):
            first[k], second[k], third[k], strange = _js_pair(p[k], q[k])
            odd += int(strange)
    else:
        for k in range(n):
            first[k], strange = _cost(p[k], q[k])
            odd += int(strange)
    return odd


@compiled(**_SUM)
def _sum(x: Array, i: int, n: int) -> float:
    y, total = x[i : i + n], 0.0
    for k in range(n):
        total += y[k]
    return total


@compiled(**_TERM)
def rows_short(measure: int, p: Array, ps: Array, q: Array, qs: Array, span: Array, bounds: Array, out: Array) -> bool:
    """`rows` for probabilities with few categories: the terms of many rows at once, then the sums of each."""
    n = span[3]
    together = SHORT // n
    a, b, first, second, third = (np.empty(SHORT), np.empty(SHORT), np.empty(SHORT), np.empty(SHORT), np.empty(SHORT))
    state, sums, tail = np.empty(6), np.zeros(12), np.empty(2 * STEP)
    begin = np.empty((together, 2), np.int64)
    done = True
    for start in range(span[0], span[1], together):
        many = min(together, span[1] - start)
        for r in range(many):
            row = start + r
            i = _start(ps, row, span[2])
            j = _start(qs, row, span[2])
            begin[r, 0], begin[r, 1] = i, j
            x, y, into_a, into_b = p[i : i + n], q[j : j + n], a[r * n : r * n + n], b[r * n : r * n + n]
            for k in range(n):
                into_a[k] = x[k]
                into_b[k] = y[k]
        odd = _terms(measure, a, b, many * n, first, second, third)
        for r in range(many):
            at = r * n
            stage = measure
            if odd == 0:
                sums[0] = _sum(first, at, n)
                mass = _sum(a, at, n)
                if measure == KL:
                    sums[1], sums[2] = mass, _sum(second, at, n)
                elif measure == JS:
                    sums[1], sums[2], sums[3] = _sum(second, at, n), mass, _sum(third, at, n)
                else:
                    sums[1], sums[2] = mass, mass if measure == ENTROPY else _sum(b, at, n)
                sums[4:] = 0.0
                stage = advance(measure, stage, sums, state, bounds)
            while stage != DONE:
                sweep(stage, p, begin[r, 0], q, begin[r, 1], n, state, sums, tail)
                stage = advance(measure, stage, sums, state, bounds)
            out[start + r] = state[5]
            done = done and not math.isnan(state[5])
    return done


@compiled(**_TERM)
def rows(
    measure: int, counted: int, p: Array, ps: Array, q: Array, qs: Array, span: Array, bounds: Array, out: Array
) -> bool:
    """Measure rows span[0]:span[1] of contiguous float64 p and q into `out`; whether all of them could be.

    `ps` and `qs` are (offset, step of the outer axis, of the inner axis, of the categories); span[2] is the length of
    the inner axis, span[3] the number of categories.
    """
    state, sums, tail = np.empty(6), np.empty(12), np.empty(2 * STEP)
    done = True
    for r in range(span[0], span[1]):
        i = _start(ps, r, span[2])
        j = _start(qs, r, span[2])
        stage = TOTALS if counted else measure
        while stage != DONE:
            sweep(stage, p, i, q, j, span[3], state, sums, tail)
            stage = advance(measure, stage, sums, state, bounds)
        out[r] = state[5]
        done = done and not math.isnan(state[5])
    return done


@compiled(**_TERM)
def _load(x: Array, start: Array, step: int, first: int, n: int, tile: int, buffer: Array) -> None:
    """Bring n categories of `tile` rows into float64 rows of PITCH, filled up with zeros to a multiple of STEP."""
    if tile == 1:
        for k in range(n):
            buffer[k] = np.float64(x[start[0] + (first + k) * step])
    else:
        for k in range(n):
            at = (first + k) * step
            for r in range(tile):
                buffer[r * PITCH + k] = np.float64(x[start[r] + at])
    for r in range(tile):
        for k in range(n, n + (-n) % STEP):
            buffer[r * PITCH + k] = 0.0


@compiled(**_TERM)
def sweep_any(
    stage: int,
    p: Array,
    i: Array,
    ps: int,
    q: Array,
    j: Array,
    qs: int,
    first: int,
    n: int,
    tile: int,
    state: Array,
    sums: Array,
    buffer: Array,
) -> None:
    """Sum n categories, from `first` on, of `tile` rows of any stride and dtype, through a small buffer."""
    width = BUFFER if tile == 1 else TILE_WIDTH
    sums[:] = 0.0
    for k in range(0, n, width):
        m = min(width, n - k)
        _load(p, i, ps, first + k, m, tile, buffer[0])
        if stage != ENTROPY:
            _load(q, j, qs, first + k, m, tile, buffer[1])
        m += (-m) % STEP
        for r in range(tile):
            at = r * PITCH
            add(stage, sums[r], _block(stage, buffer[0], at, buffer[1], at, m, state[r, 0], state[r, 1], state[r, 2]))


@compiled(**_TERM)
def rows_any(
    measure: int,
    counted: int,
    p: Array,
    ps: Array,
    q: Array,
    qs: Array,
    span: Array,
    bounds: Array,
    out: Array,
    tile: int,
) -> bool:
    """`rows` for any stride and dtype, `tile` rows at a time."""
    state, sums, buffer = (
        np.ones((tile, 6)),
        np.empty((tile, 12)),
        np.empty((2, BUFFER if tile == 1 else tile * PITCH)),
    )
    i, j, stages = np.empty(tile, np.int64), np.empty(tile, np.int64), np.empty(tile, np.int64)
    done = True
    for first in range(span[0], span[1], tile):
        many = min(tile, span[1] - first)
        for r in range(tile):
            row = first + min(r, many - 1)  # the last tile does its last row again, and forgets it
            i[r] = _start(ps, row, span[2])
            j[r] = _start(qs, row, span[2])
            stages[r] = TOTALS if counted else measure
        stage = stages[0]
        while stage != DONE:
            sweep_any(stage, p, i, ps[3], q, j, qs[3], 0, span[3], tile, state, sums, buffer)
            following = DONE
            for r in range(tile):
                if stages[r] == stage:
                    stages[r] = advance(measure, stage, sums[r], state[r], bounds)
                if stages[r] != DONE:
                    following = stages[r]
            stage = following
        for r in range(many):
            out[first + r] = state[r, 5]
            done = done and not math.isnan(state[r, 5])
    return done
