"""Row statistics and the gradients made of them: `blocks.statistics`, `gradient` and `cross_entropy` as one kernel."""

# Triton types its kernels by what it is called with.
# mypy: disable-error-code="untyped-decorator,no-untyped-def,attr-defined"

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from kullback.losses import terms
from kullback.losses._triton.primitives import ROW_BLOCK, launch, on_device, transform, undo_transform
from kullback.losses.statistics import RowStatistics, empty_statistics


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


def _run(
    z: Tensor,
    class_weight: Tensor | None = None,
    *,
    statistics: bool,
    softcap: float,
    temperature: float,
    lse: Tensor,
    logit: Tensor | None = None,
    smooth: Tensor | None = None,
    entropy: Tensor | None = None,
    top: Tensor | None = None,
    out: Tensor | None = None,
    ids: Tensor | None = None,
    weight: Tensor | None = None,
    g_lse: Tensor | None = None,
    g_logit: Tensor | None = None,
    g_smooth: Tensor | None = None,
    g_entropy: Tensor | None = None,
    slope: float = 0.0,
) -> None:
    """Launch `_rows` in the variant that the tensors given ask for; a pointer that it does not read is z's."""
    v = z.shape[1]
    if z.shape[0] == 0:
        return
    assert z.stride(1) == 1 or v == 1
    rows = (lse, logit, smooth, entropy, top, weight, g_lse, g_logit, g_smooth, g_entropy)
    with on_device(z):
        _rows[(z.shape[0],)](
            z,
            z.stride(0),
            z if out is None else out,
            0 if out is None else out.stride(0),
            z if ids is None else ids.contiguous(),
            z if class_weight is None else class_weight,
            class_weight.stride(0) if class_weight is not None and class_weight.ndim == 2 else 0,
            *(z if pointer is None else pointer.contiguous() for pointer in rows),
            v,
            slope,
            softcap or 1.0,
            1.0 / temperature,
            HAS_CAP=softcap > 0.0,
            HAS_W=class_weight is not None,
            STATISTICS=statistics,
            PICK=logit is not None,
            SMOOTHED=smooth is not None or g_smooth is not None,
            WITH_ENTROPY=statistics and entropy is not None,
            WITH_TOP=top is not None,
            GRADIENT=out is not None,
            ENTROPY_GRADIENT=g_entropy is not None,
            HARD=g_logit is not None,
            SLOPE=slope != 0.0,
            **launch(v, ROW_BLOCK),
        )


def _pick(z: Tensor, ids: Tensor, *, softcap: float, temperature: float) -> Tensor:
    """Transformed logits at ids [N, K]; 0 where an id lies outside the row."""
    here = (ids >= 0) & (ids < z.shape[1])
    y = z.gather(1, torch.where(here, ids, 0)).float()
    if softcap:
        y = softcap * torch.tanh(y / softcap)
    return torch.where(here, y / temperature, 0.0)


def _empty_ids(z: Tensor, ids: Tensor) -> None:
    """Take the classes in ids out of the rows: their logits become −∞."""
    here = (ids >= 0) & (ids < z.shape[1])
    z.scatter_add_(1, torch.where(here, ids, 0), torch.where(here, -torch.inf, 0.0).to(z.dtype))


def statistics(
    z: Tensor,
    ids: Tensor | None,
    class_weight: Tensor | None,
    *,
    smooth: bool,
    entropy: bool,
    top: bool,
    complement: bool,
    softcap: float,
    temperature: float,
) -> RowStatistics:
    """Row statistics of logits z [N, V]; with `complement`, z is overwritten."""
    shape = {"softcap": softcap, "temperature": temperature}
    out = empty_statistics(z, z.shape[0], ids, smooth=smooth, entropy=entropy, top=top)
    one = ids is not None and ids.shape[1] == 1 and not complement
    if ids is not None and not one:
        out.logit.copy_(_pick(z, ids, **shape))
        if complement:
            _empty_ids(z, ids)
    _run(
        z,
        class_weight if smooth else None,
        statistics=True,
        lse=out.lse,
        logit=out.logit if one else None,
        ids=ids if one else None,
        smooth=out.smooth if smooth else None,
        entropy=out.entropy if entropy else None,
        top=out.top if top else None,
        **shape,
    )
    return out


def gradient(
    z: Tensor,
    ids: Tensor | None,
    class_weight: Tensor | None,
    lse: Tensor,
    row_entropy: Tensor | None,
    g_lse: Tensor,
    g_logit: Tensor | None,
    g_smooth: Tensor | None,
    g_entropy: Tensor | None,
    out: Tensor,
    *,
    whole: bool,
    complement: bool,
    softcap: float,
    temperature: float,
) -> None:
    """From the derivatives of the row statistics to dz; with `complement`, z is overwritten."""
    del whole
    hard = ids is not None and g_logit is not None and ids.shape[1] == 1 and not complement
    at_ids = None
    if complement and ids is not None:
        at_ids = _chain(_pick(z, ids, softcap=softcap, temperature=temperature), softcap, temperature)
        _empty_ids(z, ids)
    elif ids is not None and not hard:
        at_ids = _chain(_pick(z, ids, softcap=softcap, temperature=temperature), softcap, temperature)
    _run(
        z,
        class_weight if g_smooth is not None else None,
        statistics=False,
        softcap=softcap,
        temperature=temperature,
        lse=lse.float(),
        entropy=row_entropy.float() if row_entropy is not None and g_entropy is not None else None,
        out=out,
        ids=ids if hard else None,
        g_lse=g_lse.float(),
        g_logit=g_logit.float() if hard and g_logit is not None else None,
        g_smooth=None if g_smooth is None else g_smooth.float(),
        g_entropy=None if g_entropy is None else g_entropy.float(),
    )
    if at_ids is not None and ids is not None and g_logit is not None:
        # The ids of a row differ, so every element is added to once: the same bits each time.
        here = (ids >= 0) & (ids < z.shape[1])
        added = torch.where(here, g_logit.float() * at_ids, 0.0)
        out.scatter_add_(1, torch.where(here, ids, 0), added.to(out.dtype))


def _chain(y: Tensor, softcap: float, temperature: float) -> Tensor:
    """dy/dz at y."""
    slope = torch.full_like(y, 1.0 / temperature)
    return slope * (1.0 - (y * (temperature / softcap)).square()) if softcap else slope


def cross_entropy(
    z: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    weight: Tensor,
    out: Tensor,
    *,
    entropy: bool,
    top: bool,
    label_smoothing: float,
    z_loss: float,
    softcap: float,
    temperature: float,
) -> RowStatistics:
    """Statistics of a row and d(weight·L)/dz in one launch: read once from memory, again from cache; `out` may be z."""
    smooth = label_smoothing > 0.0
    got = empty_statistics(z, z.shape[0], target[:, None], smooth=smooth, entropy=entropy, top=top)
    # The derivative in lse is the one at lse = 0 plus slope·weight·lse, which the kernel adds when it knows lse.
    g_lse, g_logit, g_smooth = terms.derivatives(
        torch.zeros_like(weight), weight, target, class_weight,
        label_smoothing=label_smoothing, z_loss=0.0, classes=z.shape[1],
    )  # fmt: skip
    _run(
        z,
        class_weight if smooth else None,
        statistics=True,
        softcap=softcap,
        temperature=temperature,
        lse=got.lse,
        logit=got.logit,
        smooth=got.smooth if smooth else None,
        entropy=got.entropy if entropy else None,
        top=got.top if top else None,
        out=out,
        ids=target,
        weight=weight.float(),
        g_lse=g_lse.float(),
        g_logit=g_logit.float(),
        g_smooth=None if g_smooth is None else g_smooth.float(),
        slope=2.0 * z_loss,
    )
    return got


@triton.jit
def _scale(D, G, n, BLOCK: tl.constexpr):
    g = tl.load(G).to(tl.float32)
    if g != 1.0:
        at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        d = tl.load(D + at, mask=at < n)
        tl.store(D + at, (d.to(tl.float32) * g).to(D.dtype.element_ty), mask=at < n)


def scale_(dz: Tensor, g: Tensor) -> None:
    """dz·g in place for contiguous dz; a g of 1 is seen on the device and moves nothing."""
    with on_device(dz):
        _scale[(triton.cdiv(dz.numel(), 4096),)](dz, g, dz.numel(), BLOCK=4096, num_warps=8)
