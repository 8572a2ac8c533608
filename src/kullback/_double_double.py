"""Twice the digits of a float: a number as an unevaluated sum high + low, for sums whose answer is what cancels.

Dekker 1971, doi:10.1007/BF01397083; Knuth's two-sum. Right wherever additions and products are rounded one by one.
"""

from __future__ import annotations

import math
from typing import Any

Array = Any
Namespace = Any
Double = tuple[Array, Array]

# log 2 = high + middle + low: 40 bits, so that n·high is exact for every exponent n of a float, then a double each.
# mpmath, mp.dps=80: high = floor(log(2)·2⁴⁰)/2⁴⁰; middle = float(log(2) − high); low = float(log(2) − high − middle)
_LOG2 = (0.6931471805592082, 7.371002565167799e-13, 1.94704509238075e-31)
# 1/3, 1/5, 1/7, … of atanh's series: z ≤ .0295, so nineteen terms leave less than 1e-30
_ODD = range(3, 41, 2)
# from this one on a double's digits are enough: z⁷ · 2⁻⁵³ is below 1e-26
_PLAIN = 17


def two_product(a: Array, b: Array, xp: Namespace) -> Double:
    """The product a·b as an unevaluated sum high + low."""
    splitter = _splitter(a)
    a_high, a_low = _split(a, splitter)
    b_high, b_low = _split(b, splitter)
    high = a * b
    low = a_low * b_low - (((high - a_high * b_high) - a_low * b_high) - a_high * b_low)
    # Splitting a number above about 1e300 overflows; the plain product is then all there is.
    return high, xp.where(xp.isfinite(low), low, xp.zeros_like(low))


def two_sum(a: Array, b: Array) -> Double:
    """The sum a + b as an unevaluated sum high + low."""
    high = a + b
    moved = high - a
    return high, (a - (high - moved)) + (b - moved)


def add(x: Double, y: Double) -> Double:
    """The sum x + y."""
    high, low = two_sum(x[0], y[0])
    more, rest = two_sum(x[1], y[1])
    high, low = _tidy(high, low + more)
    return _tidy(high, low + rest)


def subtract(x: Double, y: Double) -> Double:
    """The difference x − y."""
    return add(x, (-y[0], -y[1]))


def multiply(x: Double, y: Double, xp: Namespace) -> Double:
    """The product x·y."""
    high, low = two_product(x[0], y[0], xp)
    return _tidy(high, low + (x[0] * y[1] + x[1] * y[0]))


def divide(x: Double, y: Double, xp: Namespace) -> Double:
    """The quotient x/y."""
    first = x[0] / y[0]
    rest = subtract(x, multiply((first, 0.0 * first), y, xp))
    second = rest[0] / y[0]
    rest = subtract(rest, multiply((second, 0.0 * second), y, xp))
    high, low = _tidy(first, second)
    return _tidy(high, low + rest[0] / y[0])


def log(x: Array, xp: Namespace) -> Double:
    """Log x to about 1e-30 of its value, x > 0.

    x = 2ⁿ·m with m next to 1, log m = 2·atanh(s), s = (m−1)/(m+1).
    """
    n = xp.floor(xp.log(x) / math.log(2.0) + 0.5)
    half = xp.floor(0.5 * n)
    m = x * _power_of_two(-half, xp) * _power_of_two(half - n, xp)
    s = divide(two_sum(m, -1.0 + 0.0 * m), two_sum(m, 1.0 + 0.0 * m), xp)
    z = multiply(s, s, xp)
    tail = 0.0 * m
    for odd in reversed([o for o in _ODD if o >= _PLAIN]):
        tail = tail * z[0] + 1.0 / odd
    total = (tail, 0.0 * m)
    for odd in reversed([o for o in _ODD if o < _PLAIN]):
        one = 1.0 + 0.0 * m
        total = add(multiply(total, z, xp), divide((one, 0.0 * m), (odd * one, 0.0 * m), xp))
    total = add(multiply(total, z, xp), (1.0 + 0.0 * m, 0.0 * m))
    whole = multiply((2.0 * s[0], 2.0 * s[1]), total, xp)
    high, middle, low = _LOG2
    near, far = two_product(n, middle + 0.0 * n, xp)
    return add(add((n * high, 0.0 * n), (near, far + n * low)), whole)


def _power_of_two(n: Array, xp: Namespace) -> Array:
    """2ⁿ, which half a float's digits hold: splitting takes the error of exp off."""
    power, _ = _split(xp.exp(n * math.log(2.0)), _splitter(n))
    return power


def _tidy(high: Array, low: Array) -> Double:
    total = high + low
    return total, low - (total - high)


def _splitter(a: Array) -> float:
    return 134217729.0 if str(a.dtype).endswith("float64") else 4097.0


def _split(a: Array, splitter: float) -> Double:
    c = a * splitter
    high = c - (c - a)
    return high, a - high
