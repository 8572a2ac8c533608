"""The cross-entropy of a row made of its statistics, and its derivatives in them: every option exists here, once.

L = (1−ε)·w_y·(lse − z_y) + (ε/V)·(lse·Σw − Σ w·z) + ζ·lse², with label smoothing ε, z-loss ζ and class weights w.
"""

from __future__ import annotations

import torch
from torch import Tensor


def loss_rows(
    lse: Tensor,
    logit: Tensor,
    smooth: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    *,
    label_smoothing: float,
    z_loss: float,
    classes: int,
) -> Tensor:
    """[N] losses L from the row statistics."""
    loss = lse - logit
    if class_weight is not None:
        loss = loss * class_weight.to(lse.dtype)[target]
    if label_smoothing:
        total = classes if class_weight is None else class_weight.to(lse.dtype).sum()
        loss = (1.0 - label_smoothing) * loss + (label_smoothing / classes) * (lse * total - smooth)
    if z_loss:
        loss = loss + z_loss * lse.square()
    return loss


def derivatives(
    lse: Tensor,
    weight: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    *,
    label_smoothing: float,
    z_loss: float,
    classes: int,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """d(weight·L) / d(lse, logit, smooth); smooth is None without smoothing. A row of weight 0 gets exactly 0."""
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
    return g_lse, -hard, g_smooth
