"""Estimates of KL(policy‖reference) from log-probabilities of sampled tokens: k1, k2, k3 and their gradients."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from kullback._special import phi
from kullback.errors import InvalidInput


def kl_estimate(
    logp: Tensor,
    ref_logp: Tensor,
    /,
    *,
    kind: Literal["k1", "k2", "k3"] = "k3",
    gradient: Literal["pathwise", "unbiased"] = "pathwise",
) -> Tensor:
    """One-sample estimates of D(policy‖reference), with d = ref_logp − logp at a token drawn from the policy.

    k1 = −d is unbiased and may be negative; k2 = d²/2 is biased with a small variance; k3 = φ(d) = expm1(d) − d is
    unbiased and never negative.

    Parameters
    ----------
    logp, ref_logp : Tensor
        Log-probabilities of the same sampled tokens; the result has their shape.
    gradient : "pathwise" or "unbiased"
        "pathwise" differentiates the number itself: of k1 that averages to nothing, of k3 it is the gradient of the
        *forward* D(reference‖policy). "unbiased" keeps the number and gives the gradient (logp − ref_logp)·∇logp, whose
        mean over the policy's samples is that of D(policy‖reference).

    Raises
    ------
    InvalidInput
        For unequal shapes or an unknown word.

    References
    ----------
    J. Schulman, Approximating KL divergence (2020).

    Examples
    --------
    >>> import torch
    >>> from kullback.losses import kl_estimate
    >>> kl_estimate(torch.tensor([0.0]), torch.tensor([-1e-4]))  # in float32 exp(d) − 1 − d is 4.5e-8 there
    tensor([4.9998e-09])
    """
    if logp.shape != ref_logp.shape:
        msg = f"logp has shape {tuple(logp.shape)}, ref_logp {tuple(ref_logp.shape)}; expected the same tokens"
        raise InvalidInput(msg)
    if kind not in ("k1", "k2", "k3") or gradient not in ("pathwise", "unbiased"):
        msg = f"kind is {kind!r}, gradient {gradient!r}; expected k1, k2 or k3 and 'pathwise' or 'unbiased'"
        raise InvalidInput(msg)
    d = ref_logp - logp
    if kind == "k1":
        value = -d
    elif kind == "k2":
        value = 0.5 * d.square()
    else:
        value = phi(d, xp=torch)
    if gradient == "pathwise":
        return value
    carrier = 0.5 * (ref_logp.detach() - logp).square()
    return value.detach() + (carrier - carrier.detach())
