"""One row of logits: its statistics, the gradient made of them, or both, in one program."""

# Triton types its kernels by what it is called with.
# mypy: disable-error-code="untyped-decorator,no-untyped-def,attr-defined"

from __future__ import annotations

import triton
import triton.language as tl

from kullback.losses._triton.primitives import transform, undo_transform


@triton.jit
def _rows(
    Z,
    z_stride,
    DZ,
    dz_stride,
    ID,
    W,
    w_stride,
    LSE,
    LOGIT,
    SMOOTH,
    ENTROPY,
    TOP,
    WEIGHT,
    G_LSE,
    G_LOGIT,
    G_SMOOTH,
    G_ENTROPY,
    V,
    slope,
    cap,
    inverse_temperature,
    HAS_CAP: tl.constexpr,
    HAS_W: tl.constexpr,
    STATISTICS: tl.constexpr,
    PICK: tl.constexpr,
    SMOOTHED: tl.constexpr,
    WITH_ENTROPY: tl.constexpr,
    WITH_TOP: tl.constexpr,
    GRADIENT: tl.constexpr,
    ENTROPY_GRADIENT: tl.constexpr,
    HARD: tl.constexpr,
    SLOPE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    Z += row * z_stride
    W += row * w_stride
    offsets = tl.arange(0, BLOCK)
    if PICK:
        # Before anything is written over it; the reductions below let no thread run ahead of this.
        y_at = tl.load(ID + row)
        here = (y_at >= 0) & (y_at < V)
        picked = transform(tl.load(Z + y_at, mask=here, other=0.0), cap, inverse_temperature, HAS_CAP)
        tl.store(LOGIT + row, tl.where(here, picked, 0.0))
    if STATISTICS:
        # m the largest so far, s = Σ e^(y−m), t = Σ e^(y−m)·(y−m): one exponential for each entry.
        m = -float("inf")
        s = 0.0
        t = 0.0
        smooth = 0.0
        best = 0
        for start in range(0, V, BLOCK):
            at = start + offsets
            inside = at < V
            z = tl.load(Z + at, mask=inside, other=-float("inf"), eviction_policy="evict_last")
            y = tl.where(inside, transform(z, cap, inverse_temperature, HAS_CAP), -float("inf"))
            highest = tl.max(y, 0)
            if WITH_TOP:
                first = tl.min(tl.where(y == highest, at, V), 0)
                best = tl.where(highest > m, first, best)
            n = tl.maximum(m, highest)
            shift = tl.where(n == -float("inf"), 0.0, n)
            e = tl.exp(y - shift)
            fall = tl.where(m == -float("inf"), 0.0, m - shift)
            shrink = tl.where(m == -float("inf"), 0.0, tl.exp(fall))
            if WITH_ENTROPY:
                t = shrink * (t + fall * s) + tl.sum(tl.where(e == 0.0, 0.0, e * (y - shift)), 0)
            s = s * shrink + tl.sum(e, 0)
            m = n
            if SMOOTHED:
                if HAS_W:
                    w = tl.load(W + at, mask=inside, other=0.0).to(tl.float32)
                    smooth += tl.sum(tl.where(w == 0.0, 0.0, w * y), 0)
                else:
                    smooth += tl.sum(tl.where(inside, y, 0.0), 0)
        lse = tl.where(s == 0.0, -float("inf"), m + tl.log(s))
        tl.store(LSE + row, lse)
        if WITH_ENTROPY:
            h = tl.log(s) - t / s
            tl.store(ENTROPY + row, h)
        if WITH_TOP:
            tl.store(TOP + row, best.to(tl.int64))
        if SMOOTHED:
            tl.store(SMOOTH + row, smooth)
    else:
        lse = tl.load(LSE + row)
        m = lse
        s = 1.0
    if GRADIENT:
        DZ += row * dz_stride
        m = tl.where(m == -float("inf"), 0.0, m)
        g = tl.load(G_LSE + row)
        if SLOPE:
            weight = tl.load(WEIGHT + row)
            g += tl.where(weight == 0.0, 0.0, slope * weight * lse)
        active = g != 0.0
        if HARD:
            y_id = tl.load(ID + row)
            g_logit = tl.load(G_LOGIT + row)
            active = active | (g_logit != 0.0)
        if SMOOTHED:
            g_smooth = tl.load(G_SMOOTH + row)
            active = active | (g_smooth != 0.0)
        if ENTROPY_GRADIENT:
            g_h = tl.load(G_ENTROPY + row)
            h = tl.load(ENTROPY + row)
            active = active | (g_h != 0.0)
        scale = 1.0 / s
        for start in range(0, V, BLOCK):
            at = start + offsets
            inside = at < V
            z = tl.load(Z + at, mask=inside, other=-float("inf"), eviction_policy="evict_first")
            y = transform(z, cap, inverse_temperature, HAS_CAP)
            p = tl.exp(y - m) * scale
            if ENTROPY_GRADIENT:
                dy = tl.where(p == 0.0, 0.0, p * (g - g_h * (y - lse + h)))
            else:
                dy = p * g
            if SMOOTHED:
                if HAS_W:
                    dy += g_smooth * tl.load(W + at, mask=inside, other=0.0).to(tl.float32)
                else:
                    dy += g_smooth
            if HARD:
                # p − 1 in float32, never from a probability that was already rounded
                dy = tl.where(at == y_id, dy + g_logit, dy)
            dz = tl.where(active, undo_transform(dy, y, cap, inverse_temperature, HAS_CAP), 0.0)
            tl.store(DZ + at, dz.to(DZ.dtype.element_ty), mask=inside, eviction_policy="evict_first")


@triton.jit
def _scale(D, G, n, BLOCK: tl.constexpr):
    g = tl.load(G).to(tl.float32)
    if g != 1.0:
        at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        d = tl.load(D + at, mask=at < n)
        tl.store(D + at, (d.to(tl.float32) * g).to(D.dtype.element_ty), mask=at < n)
