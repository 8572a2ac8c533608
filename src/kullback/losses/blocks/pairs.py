"""Divergences between two rows of logits, by the formulas of `kullback.losses.kinds`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kullback.losses import kinds
from kullback.losses.blocks.logits import log_normaliser, log_probabilities, row_blocks, transform, undo_transform
from kullback.losses.blocks.rows import silence
from kullback.losses.statistics import DivergenceStatistics, narrow, wide


def divergence_sums(
    y_t: Tensor, y_s: Tensor, lse_t: Tensor, lse_s: Tensor, *, kind: str, beta: float
) -> tuple[Tensor, Tensor]:
    """(Σ entries, Σ s·G) of a block of transformed logits, which it overwrites."""
    log_t, log_s = log_probabilities(y_t, lse_t), log_probabilities(y_s, lse_s)
    value = kinds.entries(log_t, log_s, kind=kind, beta=beta).sum(-1)
    if kind == "forward_kl":
        return value, torch.zeros_like(value)
    s = torch.exp(log_s)
    scores = kinds.score(kinds.log_ratio(log_t, log_s), kind=kind, beta=beta)
    return value, torch.where(s == 0.0, 0.0, s * scores).sum(-1)


def divergence_part(
    z_t: Tensor,
    z_s: Tensor,
    lse_t: Tensor,
    lse_s: Tensor,
    *,
    kind: str,
    beta: float,
    softcap_t: float,
    softcap_s: float,
    temperature: float,
) -> tuple[Tensor, Tensor]:
    """(Σ entries, Σ s·G) over the classes of z, for an lse that may sum over more of them (another rank's)."""
    dtype = wide(z_s)
    value, mean = (z_s.new_empty(z_s.shape[0], dtype=dtype) for _ in range(2))
    for rows in row_blocks(z_s):
        y_t = transform(z_t[rows], dtype, softcap=softcap_t, temperature=temperature)
        y_s = transform(z_s[rows], dtype, softcap=softcap_s, temperature=temperature)
        value[rows], mean[rows] = divergence_sums(y_t, y_s, lse_t[rows], lse_s[rows], kind=kind, beta=beta)
    return value, mean


def divergence_statistics(
    z_t: Tensor,
    z_s: Tensor,
    *,
    kind: str,
    beta: float,
    softcap_t: float,
    softcap_s: float,
    temperature: float,
) -> DivergenceStatistics:
    """Value and statistics of D(teacher‖student) for rows of logits [N, V]."""
    n, dtype = z_s.shape[0], wide(z_s)
    value, lse_t, lse_s, mean = (z_s.new_empty(n, dtype=dtype) for _ in range(4))
    for rows in row_blocks(z_s):
        y_t = transform(z_t[rows], dtype, softcap=softcap_t, temperature=temperature)
        y_s = transform(z_s[rows], dtype, softcap=softcap_s, temperature=temperature)
        lse_t[rows], lse_s[rows] = log_normaliser(y_t)[0], log_normaliser(y_s)[0]
        value[rows], mean[rows] = divergence_sums(y_t, y_s, lse_t[rows], lse_s[rows], kind=kind, beta=beta)
    return DivergenceStatistics(value, lse_t, lse_s, mean)


def divergence(
    z_t: Tensor,
    z_s: Tensor,
    weight: Tensor,
    out: Tensor,
    *,
    accumulate: bool = False,
    **options: Any,
) -> DivergenceStatistics:
    """Statistics of a row and d(weight·D)/dz of the student at once (one kernel on CUDA)."""
    got = divergence_statistics(z_t, z_s, **options)
    divergence_gradient(z_t, z_s, got, weight, out, accumulate=accumulate, **options)
    return got


def divergence_gradient(
    z_t: Tensor,
    z_s: Tensor,
    statistics: DivergenceStatistics,
    weight: Tensor,
    out: Tensor,
    *,
    kind: str,
    beta: float,
    softcap_t: float,
    softcap_s: float,
    temperature: float,
    accumulate: bool = False,
    whole: bool = True,
) -> None:
    """d(weight·D)/dz of the student into `out`; 0 for a row of weight 0, and for one that is ∞ wherever z moves."""
    dtype = narrow(z_s)
    del whole
    for rows in row_blocks(z_s):
        y_t = transform(z_t[rows], dtype, softcap=softcap_t, temperature=temperature)
        y_s = transform(z_s[rows], dtype, softcap=softcap_s, temperature=temperature)
        kept = y_s.clone() if softcap_s else y_s
        w = weight[rows, None].to(dtype)
        mean = statistics.mean_score[rows, None].to(dtype)
        log_t = log_probabilities(y_t, statistics.lse_t[rows])
        log_s = log_probabilities(y_s, statistics.lse_s[rows])
        if kind == "forward_kl":
            dy = log_s.exp_().sub_(log_t.exp_())
        else:
            s = torch.exp(log_s)
            dy = kinds.score(kinds.log_ratio(log_t, log_s), kind=kind, beta=beta)
            dy = torch.where(s == 0.0, 0.0, s * (dy - mean))
        dy.mul_(w)
        undo_transform(dy, kept, softcap=softcap_s, temperature=temperature)
        silence(dy, (w == 0.0) | ~torch.isfinite(mean))
        if accumulate:
            dy.add_(out[rows])
        out[rows] = dy
