"""The cross-entropy of a row made of its statistics, and its derivatives in them: every option exists here, once.

L = (1−ε)·w_y·(lse − z_y) + (ε/V)·(lse·Σw − Σ w·z) + ζ·lse², with label smoothing ε, z-loss ζ and class weights w.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kullback.losses.statistics import RowDerivatives, RowStatistics, Spread


def loss_rows(
    got: RowStatistics,
    target: Tensor,
    class_weight: Tensor | None,
    spread: Spread,
    *,
    classes: int,
) -> Tensor:
    """[N] losses L from the row statistics."""
    label_smoothing, z_loss = spread
    lse = got.lse
    loss = lse - got.logit[:, 0]
    if class_weight is not None:
        loss = loss * class_weight.to(lse.dtype)[target]
    if label_smoothing:
        total = classes if class_weight is None else class_weight.to(lse.dtype).sum()
        loss = (1.0 - label_smoothing) * loss + (label_smoothing / classes) * (lse * total - got.smooth)
    if z_loss:
        loss = loss + z_loss * lse.square()
    return loss


def derivatives(
    lse: Tensor,
    weight: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    spread: Spread,
    *,
    classes: int,
) -> RowDerivatives:
    """The derivatives of weight·L in the row's statistics. A row of weight 0 gets exactly 0."""
    label_smoothing, z_loss = spread
    hard = weight * (1.0 - label_smoothing)
    total: Tensor | int = classes
    if class_weight is not None:
        hard = hard * class_weight.to(weight.dtype)[target]
        total = class_weight.to(weight.dtype).sum()
    g_lse, g_smooth = hard, None
    if label_smoothing:
        g_smooth = weight * (-label_smoothing / classes)
        g_lse = g_lse - g_smooth * total
    if z_loss:
        g_lse = g_lse + torch.where(weight == 0.0, 0.0, weight * (2.0 * z_loss) * lse.to(weight.dtype))
    return RowDerivatives(g_lse, -hard[:, None], g_smooth)
