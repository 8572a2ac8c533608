"""From the sums of a row to its value: which sums to take next, and when they can be trusted.

A row is first summed as it is. Where the first order that its rounded totals leave behind is not small beside the
value, or where a distribution is nearly certain, a second stage sums what does not cancel.
"""

from __future__ import annotations

import math
from typing import Any

from kullback._compile import INLINE, TERM, compiled
from kullback.measures._numba.blocks import (
    CROSS_ENTROPY,
    CROSS_ENTROPY_TOP,
    DONE,
    ENTROPY,
    JS,
    JS_SCALED,
    KL,
    KL_SCALED,
    TOTALS,
    Sums,
)
from kullback.measures._numba.terms import plus, psi

Array = Any


@compiled(**TERM)
def add(stage: int, sums: Array, block: Sums) -> None:
    """Add a block to `sums`: six totals, then what each has lost."""
    sums[0], sums[6] = plus(sums[0], sums[6], block[0])
    sums[1], sums[7] = plus(sums[1], sums[7], block[1])
    if stage == TOTALS:
        sums[2] = max(sums[2], block[2])  # the largest mass
    else:
        sums[2], sums[8] = plus(sums[2], sums[8], block[2])
    sums[3], sums[9] = plus(sums[3], sums[9], block[3])
    sums[4] += block[4]
    sums[5] += block[5]


@compiled(**INLINE)
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


@compiled(**TERM)
def combine(stage: int, parts: Array, sums: Array) -> None:
    """The sums of the segments of one row, in their order."""
    sums[:] = 0.0
    for part in parts:
        add(stage, sums, total(part[0]))


@compiled(**TERM)
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
            e, value, less = s[2] / unit, s[0] / unit, psi(s[2] / unit)
        else:
            e = s[3] / unit
            value, less = _js_value(s, unit)
        if s[4] == 0.0 and less > 0.25 * value and state[2] == 0.0:
            state[2] = e  # as large as the value itself: taken off every term, not off their sum
            return stage
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


@compiled(**INLINE)
def _js_value(s: Sums, mass: float) -> tuple[float, float]:
    """JS of the masses as they are, and by how much it falls when q is divided by 1 + ε, to second order in ε."""
    e = s[3] / mass
    return 0.5 * (s[0] + s[1]) / mass, 0.5 * e * (s[1] / mass) + 0.125 * e * e


@compiled(**TERM)
def _second_stage(measure: int, state: Array) -> int:
    if measure in (CROSS_ENTROPY, ENTROPY):
        return CROSS_ENTROPY_TOP
    # p·Q against q·P, both scaled by one power of two so that the products stay in range.
    _, exponent = math.frexp(max(state[3], state[4]))
    shrink = math.ldexp(1.0, -exponent)
    state[0], state[1], state[2] = state[4] * shrink, state[3] * shrink, 0.0
    return KL_SCALED if measure == KL else JS_SCALED
