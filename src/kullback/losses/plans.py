"""How a head and a loss are walked through without ever holding all logits.

Gradient in the forward pass (A): for a chunk of tokens the logits, then one kernel that replaces them by their
gradient, then the products with it: three products of full size, four with a teacher. The total's derivative g is a
number that is not known yet; it multiplies the sums at the end, so that small gradients are never rounded as 1/N of
themselves. Recomputing (B): the forward keeps the row statistics alone, the backward goes through the logits again, by
slices of the vocabulary (dW is then written once): four products, for losses whose tokens have each their own g.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from kullback.losses import ops, terms
from kullback.losses.head import Head, class_chunks, even, logits_chunk, one_block, token_blocks, within
from kullback.losses.statistics import RowStatistics, empty_statistics


class Derivatives(NamedTuple):
    """dx, dw, db; empty where they were not needed."""

    x: Tensor
    weight: Tensor
    bias: Tensor


def packed(weight: Tensor) -> Tensor | None:
    """The tokens that count, where some do not. On the CPU only: elsewhere asking would wait for the device."""
    if weight.device.type != "cpu" or bool((weight != 0.0).all()):
        return None
    return torch.nonzero(weight)[:, 0]


def spread(rows: Tensor, kept: Tensor, n: int) -> Tensor:
    """Put back what was packed; 0 elsewhere."""
    return rows.new_zeros((n, *rows.shape[1:])).index_copy_(0, kept, rows)


def statistics(
    head: Head, ids: Tensor | None, class_weight: Tensor | None, *, chunk: int, **options: Any
) -> RowStatistics:
    """Row statistics of a head's logits, chunk by chunk of tokens."""
    n, classes = head.x.shape[0], head.weight.shape[0]
    parts = []
    for tokens in even(slice(0, n), chunk or logits_chunk(classes, head.x.device, head.logits_dtype.itemsize)):
        z = head.logits(tokens)
        rows = None if ids is None else ids[tokens]
        weight = class_weight[tokens] if class_weight is not None and class_weight.ndim == 2 else class_weight
        parts.append(ops.kernels(z).statistics(z, rows, weight, **options))
    if not parts:
        asked = {name: options[name] for name in ("smooth", "entropy", "top")}
        return empty_statistics(head.logits(), 0, ids, **asked)
    return RowStatistics(*(torch.cat(column) for column in zip(*parts, strict=True)))


def statistics_gradient(
    head: Head,
    ids: Tensor | None,
    class_weight: Tensor | None,
    lse: Tensor,
    row_entropy: Tensor | None,
    derivatives: tuple[Tensor | None, ...],
    *,
    chunk: int,
    **options: Any,
) -> Derivatives:
    """dx, dw, db from the derivatives of (lse, logit, smooth, entropy), by slices of the vocabulary."""
    n, classes = head.x.shape[0], head.weight.shape[0]
    # The largest derivative is taken out and put back at the end, or float16 would flush 1/N of a probability to 0.
    given = [g for g in derivatives if g is not None and g.numel()]
    largest = torch.stack([g.abs().amax() for g in given]).amax() if given else head.x.new_ones(())
    largest = torch.where((largest > 0.0) & torch.isfinite(largest), largest, 1.0)
    g_lse, g_logit, g_smooth, g_entropy = (None if g is None else g / largest for g in derivatives)
    for part in class_chunks(n, classes, chunk=chunk, device=head.x.device):
        z = head.logits(classes=part)
        dz = z if z.dtype == head.x.dtype else torch.empty_like(z, dtype=head.x.dtype)
        weight = class_weight[..., part] if class_weight is not None else None
        ops.kernels(z).gradient(
            z,
            None if ids is None else ids - part.start,
            weight,
            lse,
            row_entropy,
            lse.new_zeros(lse.shape) if g_lse is None else g_lse,
            g_logit,
            g_smooth,
            g_entropy,
            dz,
            whole=False,
            **options,
        )
        head.add(dz, classes=part)
    return Derivatives(*(d * largest.to(d.dtype) for d in head.derivatives()))


def cross_entropy(
    head: Head,
    target: Tensor,
    class_weight: Tensor | None,
    weight: Tensor,
    *,
    chunk: int,
    needs: list[bool],
    **options: Any,
) -> tuple[RowStatistics, Derivatives]:
    """Row statistics and the derivatives of Σ weight·L, chunk by chunk of tokens."""
    n, classes = head.x.shape[0], head.weight.shape[0]
    parts = []
    in_place = head.logits_dtype == head.x.dtype
    sizes = head.logits_dtype.itemsize, 0 if in_place else head.x.dtype.itemsize
    placed: dict[str, Any] = {"chunk": chunk, "device": head.x.device, "bytes_each": sizes}
    blocks = token_blocks(n, classes, head.x.shape[1], **placed)
    head.need(x=needs[0], weight=needs[1], bias=needs[2], once=one_block(n, head.x.shape[1], **placed))
    for block in blocks:
        dz = None if in_place else head.buffer(block.tokens)
        for tokens in block.chunks:
            z = head.logits(tokens)
            out = z if dz is None else dz[within(tokens, block.tokens)]
            got = ops.kernels(z).cross_entropy(z, target[tokens], class_weight, weight[tokens], out, **options)
            parts.append(got)
            if in_place:
                head.add(z, tokens)
        if dz is not None:
            head.add(dz, block.tokens)
    if not parts:
        got = empty_statistics(
            head.logits(), 0, target[:, None], smooth=options["label_smoothing"] > 0.0,
            entropy=options["entropy"], top=options["top"],
        )  # fmt: skip
        return got, Derivatives(*head.derivatives())
    return RowStatistics(*(torch.cat(column) for column in zip(*parts, strict=True))), Derivatives(*head.derivatives())


def divergence(
    head: Head,
    teacher: Head,
    target: Tensor | None,
    weight: Tensor | None,
    *,
    factor: float,
    ce_weight: float,
    chunk: int,
    needs: list[bool],
    **options: Any,
) -> tuple[Tensor, Derivatives]:
    """[N] factor·D + ce_weight·CE, and the derivatives of Σ weight·that unless `weight` is None."""
    n, classes, device = head.x.shape[0], head.weight.shape[0], head.x.device
    values = torch.zeros(n, dtype=torch.float64 if device.type == "cpu" else head.sums, device=device)
    sizes = 2 * head.logits_dtype.itemsize, head.x.dtype.itemsize
    placed: dict[str, Any] = {"chunk": chunk, "device": device, "bytes_each": sizes}
    blocks = token_blocks(n, classes, head.x.shape[1], **placed)
    head.need(x=needs[0], weight=needs[1], bias=needs[2], once=one_block(n, head.x.shape[1], **placed))
    plain = {"label_smoothing": 0.0, "z_loss": 0.0, "softcap": options["softcap_s"], "temperature": 1.0}
    mixed = target is not None and ce_weight != 0.0
    for block in blocks:
        dz = None if weight is None else head.buffer(block.tokens)
        for tokens in block.chunks:
            z_s, z_t = head.logits(tokens), teacher.logits(tokens)
            kernels = ops.kernels(z_s)
            out = None if dz is None else dz[within(tokens, block.tokens)]
            if mixed and target is not None:
                y = target[tokens]
                if weight is None or out is None:
                    flags = {"smooth": False, "entropy": False, "top": False, "complement": False}
                    capped = {"softcap": plain["softcap"], "temperature": 1.0}
                    hard = kernels.statistics(z_s, y[:, None], None, **flags, **capped)
                else:
                    w = weight[tokens] * ce_weight
                    hard = kernels.cross_entropy(z_s, y, None, w, out, entropy=False, top=False, **plain)
                values[tokens] = ce_weight * terms.loss_rows(
                    hard.lse, hard.logit[:, 0], hard.smooth, y, None, label_smoothing=0.0, z_loss=0.0, classes=classes
                )
            if weight is None or out is None:
                got = kernels.divergence_statistics(z_t, z_s, **options)
            else:
                got = kernels.divergence(z_t, z_s, weight[tokens] * factor, out, accumulate=mixed, **options)
            values[tokens] += factor * got.value
        if dz is not None:
            head.add(dz, block.tokens)
    return values, Derivatives(*head.derivatives())
