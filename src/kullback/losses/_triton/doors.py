"""Row statistics and the gradients made of them: tensors in, `rows` launched in the variant that they ask for."""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from kullback.losses import terms
from kullback.losses._triton import rows
from kullback.losses._triton.primitives import ROW_BLOCK, launch, on_device
from kullback.losses.blocks.rows import empty_ids, inside_of
from kullback.losses.statistics import RowDerivatives, RowOptions, RowStatistics, Spread, empty_statistics


def _run(
    z: Tensor,
    class_weight: Tensor | None,
    o: RowOptions,
    *,
    statistics: RowStatistics | None = None,
    lse: Tensor | None = None,
    entropy: Tensor | None = None,
    ids: Tensor | None = None,
    weight: Tensor | None = None,
    g: RowDerivatives | None = None,
    out: Tensor | None = None,
    slope: float = 0.0,
) -> None:
    """One launch: `statistics` are filled, or `lse` and `entropy` read; `out` is given the gradient of g.

    With `ids` one id of each row is picked and has its derivative. A pointer that the variant does not read is z's.
    """
    v = z.shape[1]
    if z.shape[0] == 0:
        return
    assert z.stride(1) == 1 or v == 1
    smooth = top = logit = None
    if statistics is not None:
        lse, entropy = statistics.lse, statistics.entropy if o.entropy else None
        smooth, top = statistics.smooth if o.smooth else None, statistics.top if o.top else None
        logit = None if ids is None else statistics.logit
    g_lse, g_logit, g_smooth, g_entropy = (None if x is None else x.float().contiguous() for x in g or (None,) * 4)
    columns = (lse, logit, smooth, entropy, top, weight, g_lse, g_logit, g_smooth, g_entropy)
    with on_device(z):
        rows._rows[(z.shape[0],)](
            z,
            z.stride(0),
            z if out is None else out,
            0 if out is None else out.stride(0),
            z if ids is None else ids.contiguous(),
            z if class_weight is None else class_weight,
            class_weight.stride(0) if class_weight is not None and class_weight.ndim == 2 else 0,
            *(z if column is None else column for column in columns),
            v,
            slope,
            o.softcap or 1.0,
            1.0 / o.temperature,
            HAS_CAP=o.softcap > 0.0,
            HAS_W=class_weight is not None,
            STATISTICS=statistics is not None,
            PICK=logit is not None,
            SMOOTHED=smooth is not None or g_smooth is not None,
            WITH_ENTROPY=statistics is not None and o.entropy,
            WITH_TOP=top is not None,
            GRADIENT=out is not None,
            ENTROPY_GRADIENT=g_entropy is not None,
            HARD=ids is not None and g_logit is not None,
            SLOPE=slope != 0.0,
            **launch(v, ROW_BLOCK),
        )


def _pick(z: Tensor, ids: Tensor, o: RowOptions) -> Tensor:
    """Transformed logits at ids [N, K]; 0 where an id lies outside the row."""
    here, inside = inside_of(ids, z.shape[1])
    y = z.gather(1, inside).float()
    if o.softcap:
        y = torch.where(y == -torch.inf, y, o.softcap * torch.tanh(y / o.softcap))
    return torch.where(here, y / o.temperature, 0.0)


def _chain(y: Tensor, o: RowOptions) -> Tensor:
    """dy/dz at y."""
    slope = torch.full_like(y, 1.0 / o.temperature)
    return slope * (1.0 - (y * (o.temperature / o.softcap)).clamp(-1.0, 1.0).square()) if o.softcap else slope


def _one(ids: Tensor | None, o: RowOptions) -> bool:
    """Whether the launch itself may pick the ids: one for each row, which stays in it."""
    return ids is not None and ids.shape[1] == 1 and not o.complement


def statistics(z: Tensor, ids: Tensor | None, class_weight: Tensor | None, o: RowOptions) -> RowStatistics:
    """Row statistics of logits z [N, V]; with `complement`, z is overwritten."""
    out = empty_statistics(z, z.shape[0], ids, o)
    one = _one(ids, o)
    if ids is not None and not one:
        out.logit.copy_(_pick(z, ids, o))
        if o.complement:
            empty_ids(z, ids)
    _run(z, class_weight if o.smooth else None, o, statistics=out, ids=ids if one else None)
    return out


def gradient(
    z: Tensor,
    ids: Tensor | None,
    class_weight: Tensor | None,
    lse: Tensor,
    row_entropy: Tensor | None,
    g: RowDerivatives,
    out: Tensor,
    o: RowOptions,
    *,
    whole: bool,
) -> None:
    """From the derivatives of the row statistics to dz; with `complement`, z is overwritten."""
    del whole
    apart = ids if g.logit is not None and not _one(ids, o) else None
    slopes = None if apart is None else _chain(_pick(z, apart, o), o)
    if o.complement and ids is not None:
        empty_ids(z, ids)
    _run(
        z,
        class_weight if g.smooth is not None else None,
        o,
        lse=lse.float().contiguous(),
        entropy=row_entropy.float().contiguous() if row_entropy is not None and g.entropy is not None else None,
        ids=ids if apart is None and g.logit is not None else None,
        g=g if apart is None else g._replace(logit=None),
        out=out,
    )
    if apart is not None and slopes is not None and g.logit is not None:
        # The ids of a row differ, so every element is added to once: the same bits each time.
        here, inside = inside_of(apart, z.shape[1])
        added = torch.where(here, g.logit.float() * slopes, 0.0)
        out.scatter_add_(1, inside, added.to(out.dtype))


def cross_entropy(
    z: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    weight: Tensor,
    out: Tensor,
    spread: Spread,
    o: RowOptions,
) -> RowStatistics:
    """Statistics of a row and d(weight·L)/dz in one launch: read once from memory, again from cache; `out` may be z."""
    o = o._replace(smooth=spread.label_smoothing > 0.0)
    got = empty_statistics(z, z.shape[0], target[:, None], o)
    # The derivative in lse is the one at lse = 0 plus slope·weight·lse, which the kernel adds when it knows lse.
    g = terms.derivatives(
        torch.zeros_like(weight), weight, target, class_weight, spread._replace(z_loss=0.0), classes=z.shape[1]
    )
    _run(
        z,
        class_weight if o.smooth else None,
        o,
        statistics=got,
        ids=target,
        weight=weight.float().contiguous(),
        g=g,
        out=out,
        slope=2.0 * spread.z_loss,
    )
    return got


def scale_(dz: Tensor, g: Tensor) -> None:
    """dz·g in place for contiguous dz; a g of 1 is seen on the device and moves nothing."""
    if dz.numel() == 0:
        return
    with on_device(dz):
        rows._scale[(triton.cdiv(dz.numel(), 4096),)](dz, g, dz.numel(), BLOCK=4096, num_warps=8)
