"""Row statistics of float32 logits and the gradients made of them, one row at a time, which stays in cache meanwhile.

Terms are float32, sums of more than a few thousand of them float64.
"""

# numba ships no types that a strict checker can use
# mypy: disable-error-code="untyped-decorator,no-any-return"

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._compile import SUM, TERM, compiled
from kullback.losses._numba.primitives import LOWEST, ONE, ZERO, exp, largest, probability

Array = Any
Single = Any

BLOCK = 2048  # entries whose float32 sum is added to the float64 one; two such blocks fit the first-level cache


@compiled(**SUM)
def _others(x: Array, top: Single, scale: Single) -> tuple[Single, Single]:
    """(Σ e^d over the entries below top, how many equal it), d = scale·(x − top): a sure row keeps its digits."""
    total, ties = ZERO, ZERO
    for k in range(len(x)):
        same = x[k] == top
        total += ZERO if same else exp((x[k] - top) * scale)
        ties += ONE if same else ZERO
    return total, ties


@compiled(**SUM)
def _mean(x: Array, top: Single, scale: Single) -> Single:
    """Σ d·e^d."""
    total = ZERO
    for k in range(len(x)):
        d = (x[k] - top) * scale
        total += exp(d) * (ZERO if d < LOWEST else d)
    return total


@compiled(**TERM)
def statistics(z: Array, first: int, last: int, scale: float, lse: Array, entropy: Array) -> None:
    """Log Σ e^y of rows first to last, y = scale·z, and their entropy unless that is empty; lse −∞ for a row of −∞."""
    n, scale_ = z.shape[1], np.float32(scale)
    for r in range(first, last):
        top = largest(z[r])
        if top == -math.inf:
            lse[r] = -math.inf
            if len(entropy):
                entropy[r] = math.nan
            continue
        total, ties, mean = 0.0, 0.0, 0.0
        for k in range(0, n, BLOCK):
            x = z[r, k : k + BLOCK]
            e, same = _others(x, top, scale_)
            total += np.float64(e)
            ties += np.float64(same)
            if len(entropy):
                mean += np.float64(_mean(x, top, scale_))
        more = total + (ties - 1.0)
        lse[r] = np.float64(top) * scale + math.log1p(more)
        if len(entropy):
            entropy[r] = math.log1p(more) - mean / (1.0 + more)


@compiled(**SUM)
def _probabilities(x: Array, high: Single, low: Single, scale: Single, g: Single) -> None:
    """Logits → g·p, in place; the normaliser comes in two parts, or its rounding would tilt the whole row."""
    for k in range(len(x)):
        x[k] = exp(((x[k] - high) - low) * scale) * g


@compiled(**SUM)
def _with_entropy(x: Array, high: Single, low: Single, scale: Single, g: Single, g_h: Single, h: Single) -> None:
    """Logits → p·(g − g_h·(log p + H)), in place."""
    for k in range(len(x)):
        d = ((x[k] - high) - low) * scale
        x[k] = probability(x[k], high, low, scale) * (g - g_h * ((ZERO if d < LOWEST else d) + h))


@compiled(**SUM)
def _add(x: Array, w: Array, g: Single) -> None:
    for k in range(len(x)):
        x[k] += g * w[k]


@compiled(**TERM)
def gradients(
    z: Array,
    first: int,
    last: int,
    scale: float,
    lse: Array,
    entropy: Array,
    g_lse: Array,
    ids: Array,
    g_logit: Array,
    g_smooth: Array,
    w: Array,
    g_entropy: Array,
    out: Array,
) -> None:
    """Dz of the rows, `out` may be z; derivatives that are not there are empty, w has one row or one for each.

    A row whose derivatives are all 0 gets exactly 0, whatever its logits hold.
    """
    n, scale_ = z.shape[1], np.float32(scale)
    for r in range(first, last):
        x, dz = z[r], out[r]
        g_w = g_smooth[r] if len(g_smooth) else 0.0
        g_h = g_entropy[r] if len(g_entropy) else 0.0
        active = g_lse[r] != 0.0 or g_w != 0.0 or g_h != 0.0
        for k in range(ids.shape[1]):
            active = active or g_logit[r, k] != 0.0
        if not active:
            dz[:] = ZERO
            continue
        total = 0.0 if lse[r] == -math.inf else lse[r]
        # What belongs to one class is made of a p that float32 has not rounded: p − 1 keeps its digits.
        one, exact = ids.shape[1] == 1 and 0 <= ids[r, 0] < n and g_w == 0.0 and g_h == 0.0, 0.0
        if one:
            exact = g_lse[r] * math.exp(np.float64(x[ids[r, 0]]) * scale - total) + g_logit[r, 0]
        high = np.float32(total / scale)
        low = np.float32(total / scale - np.float64(high))
        g = np.float32(g_lse[r] * scale)
        for k in range(0, n, BLOCK):
            part = dz[k : k + BLOCK]
            part[:] = x[k : k + BLOCK]
            if g_h != 0.0:
                _with_entropy(part, high, low, scale_, g, np.float32(g_h * scale), np.float32(entropy[r]))
            else:
                _probabilities(part, high, low, scale_, g)
            if g_w != 0.0 and len(w):
                _add(part, w[r if len(w) > 1 else 0, k : k + BLOCK], np.float32(g_w * scale))
            elif g_w != 0.0:
                part += np.float32(g_w * scale)
        if one:
            dz[ids[r, 0]] = np.float32(exact * scale)
            continue
        for k in range(ids.shape[1]):
            if 0 <= ids[r, k] < n:
                dz[ids[r, k]] += np.float32(g_logit[r, k] * scale)


@compiled(**TERM)
def losses(z: Array, scale: float, lse: Array, target: Array, ignored: int, out: Array) -> float:
    """−log p of the targets, 0 for those that are ignored, and how many are not; −1 where a target is not a class."""
    count = 0.0
    for r in range(len(target)):
        counts = target[r] != ignored
        if counts and not 0 <= target[r] < z.shape[1]:
            return -1.0
        out[r] = lse[r] - np.float64(z[r, target[r]]) * scale if counts else 0.0
        count += 1.0 if counts else 0.0
    return count
