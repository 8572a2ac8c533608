"""How a head and a loss are walked through without ever holding all logits.

Gradient in the forward pass (A): for a chunk of tokens the logits, then one kernel that replaces them by their
gradient, then the products with it: three products of full size, four with a teacher. The total's derivative g is a
number that is not known yet; it multiplies the sums at the end, so that small gradients are never rounded as 1/N of
themselves. Recomputing (B): the forward keeps the row statistics alone, the backward goes through the logits again, by
slices of the vocabulary (dW is then written once): four products, for losses whose tokens have each their own g.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.losses import ops, terms
from kullback.losses.head import Derivatives, Head
from kullback.losses.statistics import (
    PairOptions,
    RowDerivatives,
    RowOptions,
    RowStatistics,
    Spread,
    empty_statistics,
)
from kullback.losses.workspace import class_chunks, even, logits_chunk, token_blocks, within


def packed(weight: Tensor) -> Tensor | None:
    """The tokens that count, where some do not. On the CPU only: elsewhere asking would wait for the device."""
    if weight.device.type != "cpu" or bool((weight != 0.0).all()):
        return None
    return torch.nonzero(weight)[:, 0]


def spread(rows: Tensor, kept: Tensor, n: int) -> Tensor:
    """Put back what was packed; 0 elsewhere."""
    return rows.new_zeros((n, *rows.shape[1:])).index_copy_(0, kept, rows)


def power_of_two(g: list[Tensor | None], like: Tensor) -> Tensor:
    """A number near the largest of the derivatives, dividing by which rounds nothing; 1 where there is none.

    It is taken out and put back at the end, or float16 would flush 1/N of a probability to 0.
    """
    given = [x for x in g if x is not None and x.numel()]
    if not given:
        return like.new_ones(())
    largest = torch.stack([x.abs().amax() for x in given]).amax()
    unit = torch.ldexp(torch.ones_like(largest), torch.frexp(largest).exponent - 1)
    return torch.where((unit > 0.0) & torch.isfinite(largest), unit, 1.0)


def statistics(
    head: Head, ids: Tensor | None, class_weight: Tensor | None, o: RowOptions, *, chunk: int
) -> RowStatistics:
    """Row statistics of a head's logits, chunk by chunk of tokens."""
    n, classes = head.x.shape[0], head.weight.shape[0]
    parts = []
    for tokens in even(slice(0, n), chunk or logits_chunk(classes, head.x.device, head.logits_dtype.itemsize)):
        z = head.logits(tokens)
        rows = None if ids is None else ids[tokens]
        weight = class_weight[tokens] if class_weight is not None and class_weight.ndim == 2 else class_weight
        parts.append(ops.kernels(z).statistics(z, rows, weight, o))
        del z  # before there is another
    if not parts:
        return empty_statistics(head.logits(), 0, ids, o)
    return RowStatistics(*(torch.cat(column) for column in zip(*parts, strict=True)))


def statistics_gradient(
    head: Head,
    ids: Tensor | None,
    class_weight: Tensor | None,
    lse: Tensor,
    row_entropy: Tensor | None,
    g: RowDerivatives,
    o: RowOptions,
    *,
    chunk: int,
    needs: list[bool],
) -> Derivatives:
    """dx, dw, db from the derivatives of the row statistics, by slices of the vocabulary."""
    n, classes = head.x.shape[0], head.weight.shape[0]
    head.need_all(x=needs[0], weight=needs[1], bias=needs[2])
    unit = power_of_two(list(g), lse)
    g = RowDerivatives(*(None if x is None else x / unit for x in g))
    in_place = head.logits_dtype == head.x.dtype
    bytes_each = n * (head.logits_dtype.itemsize + (0 if in_place else head.x.dtype.itemsize)) + 4 * head.x.shape[1]
    for part in class_chunks(classes, bytes_each, chunk=chunk, device=head.x.device):
        z = head.logits(classes=part)
        dz = z if in_place else torch.empty_like(z, dtype=head.x.dtype)
        weight = class_weight[..., part] if class_weight is not None else None
        here = None if ids is None else ids - part.start
        ops.kernels(z).gradient(z, here, weight, lse, row_entropy, g, dz, o, whole=False)
        head.add_classes(dz, part, unit)
        del z, dz  # before there are others
    return head.all_derivatives(unit)


def cross_entropy(
    head: Head,
    target: Tensor,
    class_weight: Tensor | None,
    weight: Tensor,
    spread: Spread,
    o: RowOptions,
    *,
    chunk: int,
    needs: list[bool],
) -> tuple[RowStatistics, Derivatives]:
    """Row statistics and the derivatives of Σ weight·L, chunk by chunk of tokens."""
    n, classes = head.x.shape[0], head.weight.shape[0]
    parts = []
    in_place = head.logits_dtype == head.x.dtype
    sizes = head.sizes(head.logits_dtype.itemsize, in_place=in_place)
    blocks = token_blocks(n, classes, head.x.shape[1], sizes, chunk=chunk, device=head.x.device)
    head.need(x=needs[0], weight=needs[1], bias=needs[2], blocks=len(blocks))
    for block in blocks:
        dz = None if in_place else head.buffer(block.tokens)
        for tokens in block.chunks:
            z = head.logits(tokens)
            out = z if dz is None else dz[within(tokens, block.tokens)]
            got = ops.kernels(z).cross_entropy(z, target[tokens], class_weight, weight[tokens], out, spread, o)
            parts.append(got)
            if in_place:
                head.add(z, tokens)
            del z, out  # before there are others
        if dz is not None:
            head.add(dz, block.tokens)
        del dz
    if not parts:
        o = o._replace(smooth=spread.label_smoothing > 0.0)
        return empty_statistics(head.logits(), 0, target[:, None], o), head.derivatives()
    return RowStatistics(*(torch.cat(column) for column in zip(*parts, strict=True))), head.derivatives()


def divergence(
    head: Head,
    teacher: Head,
    target: Tensor | None,
    weight: Tensor | None,
    o: PairOptions,
    *,
    factor: float,
    ce_weight: float,
    chunk: int,
    needs: list[bool],
) -> tuple[Tensor, Derivatives]:
    """[N] factor·D + ce_weight·CE, and the derivatives of Σ weight·that unless `weight` is None."""
    n, classes, device = head.x.shape[0], head.weight.shape[0], head.x.device
    values = torch.zeros(n, dtype=torch.float64 if device.type == "cpu" else head.sums, device=device)
    sizes = head.sizes(2 * head.logits_dtype.itemsize, in_place=False)
    blocks = token_blocks(n, classes, head.x.shape[1], sizes, chunk=chunk, device=device)
    head.need(x=needs[0], weight=needs[1], bias=needs[2], blocks=len(blocks))
    plain = RowOptions(softcap=o.softcap_s)  # of the cross-entropy, at temperature 1
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
                    hard = kernels.statistics(z_s, y[:, None], None, plain)
                else:
                    hard = kernels.cross_entropy(z_s, y, None, weight[tokens] * ce_weight, out, Spread(), plain)
                values[tokens] = ce_weight * terms.loss_rows(hard, y, None, Spread(), classes=classes)
            if weight is None or out is None:
                got = kernels.divergence_statistics(z_t, z_s, o)
            else:
                got = kernels.divergence(z_t, z_s, weight[tokens] * factor, out, o, accumulate=mixed)
            values[tokens] += factor * got.value
            del z_s, z_t, out  # before there are others
        if dz is not None:
            head.add(dz, block.tokens)
        del dz
    return values, head.derivatives()
