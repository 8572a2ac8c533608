"""Divergences between two rows of logits, by the formulas of `kullback.losses.kinds`."""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.losses import kinds
from kullback.losses.blocks.logits import log_normaliser, log_probabilities, row_blocks, transform, undo_transform
from kullback.losses.blocks.rows import silence
from kullback.losses.statistics import DivergenceStatistics, PairOptions, narrow, wide


def _both(z_t: Tensor, z_s: Tensor, rows: slice, dtype: torch.dtype, o: PairOptions) -> tuple[Tensor, Tensor]:
    """A block of a teacher's and a student's rows, transformed."""
    return transform(z_t[rows], dtype, o.softcap_t, o.temperature), transform(
        z_s[rows], dtype, o.softcap_s, o.temperature
    )


def _sums(y_t: Tensor, y_s: Tensor, lse_t: Tensor, lse_s: Tensor, o: PairOptions) -> tuple[Tensor, Tensor]:
    """(Σ entries, Σ s·G) of a block of transformed logits, which it overwrites."""
    log_t, log_s = log_probabilities(y_t, lse_t), log_probabilities(y_s, lse_s)
    value = kinds.entries(log_t, log_s, kind=o.kind, beta=o.beta).sum(-1)
    if o.kind == "forward_kl":
        return value, torch.zeros_like(value)
    s = torch.exp(log_s)
    scores = kinds.score(kinds.log_ratio(log_t, log_s), kind=o.kind, beta=o.beta)
    return value, torch.where(s == 0.0, 0.0, s * scores).sum(-1)


def empty_columns(z: Tensor) -> DivergenceStatistics:
    """Room for the statistics of each row of z."""
    return DivergenceStatistics(*(z.new_empty(z.shape[0], dtype=wide(z)) for _ in range(4)))


def divergence_part(z_t: Tensor, z_s: Tensor, lse_t: Tensor, lse_s: Tensor, o: PairOptions) -> tuple[Tensor, Tensor]:
    """(Σ entries, Σ s·G) over the classes of z, for an lse that may sum over more of them (another rank's)."""
    value, _, _, mean = empty_columns(z_s)
    for rows in row_blocks(z_s):
        y_t, y_s = _both(z_t, z_s, rows, value.dtype, o)
        value[rows], mean[rows] = _sums(y_t, y_s, lse_t[rows], lse_s[rows], o)
    return value, mean


def divergence_statistics(z_t: Tensor, z_s: Tensor, o: PairOptions) -> DivergenceStatistics:
    """Value and statistics of D(teacher‖student) for rows of logits [N, V]."""
    got = empty_columns(z_s)
    for rows in row_blocks(z_s):
        y_t, y_s = _both(z_t, z_s, rows, got.value.dtype, o)
        got.lse_t[rows], got.lse_s[rows] = log_normaliser(y_t)[0], log_normaliser(y_s)[0]
        got.value[rows], got.mean_score[rows] = _sums(y_t, y_s, got.lse_t[rows], got.lse_s[rows], o)
    return got


def divergence(
    z_t: Tensor, z_s: Tensor, weight: Tensor, out: Tensor, o: PairOptions, *, accumulate: bool = False
) -> DivergenceStatistics:
    """Statistics of a row and d(weight·D)/dz of the student at once (one kernel on CUDA)."""
    got = divergence_statistics(z_t, z_s, o)
    divergence_gradient(z_t, z_s, got, weight, out, o, accumulate=accumulate)
    return got


def divergence_gradient(
    z_t: Tensor,
    z_s: Tensor,
    got: DivergenceStatistics,
    weight: Tensor,
    out: Tensor,
    o: PairOptions,
    *,
    accumulate: bool = False,
) -> None:
    """d(weight·D)/dz of the student into `out`; 0 for a row of weight 0, and for one that is ∞ wherever z moves."""
    dtype = narrow(z_s)
    for rows in row_blocks(z_s):
        y_t, y_s = _both(z_t, z_s, rows, dtype, o)
        kept = y_s.clone() if o.softcap_s else y_s
        w = weight[rows, None].to(dtype)
        mean = got.mean_score[rows, None].to(dtype)
        log_t = log_probabilities(y_t, got.lse_t[rows])
        log_s = log_probabilities(y_s, got.lse_s[rows])
        if o.kind == "forward_kl":
            dy = log_s.exp_().sub_(log_t.exp_())
        else:
            s = torch.exp(log_s)
            dy = kinds.score(kinds.log_ratio(log_t, log_s), kind=o.kind, beta=o.beta)
            dy = torch.where(s == 0.0, 0.0, s * (dy - mean))
        dy.mul_(w)
        undo_transform(dy, kept, o.softcap_s, o.temperature)
        silence(dy, (w == 0.0) | ~torch.isfinite(mean))
        if accumulate:
            dy.add_(out[rows])
        out[rows] = dy
