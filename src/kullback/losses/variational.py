"""KL divergences of variational models in closed form, and the evidence lower bound taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from kullback._special import normal_kl_log
from kullback.errors import InvalidInput
from kullback.losses import ops
from kullback.losses.statistics import PairOptions


def gaussian_kl(
    mean: Tensor,
    log_std: Tensor,
    prior_mean: Tensor | float = 0.0,
    prior_log_std: Tensor | float = 0.0,
    /,
) -> Tensor:
    """D(N(mean, std²)‖N(prior_mean, prior_std²)) in nats, one for each element; never negative.

    ½[((μ₁−μ₂)/σ₂)² + φ(2·log(σ₁/σ₂))], φ(u) = expm1(u) − u: the usual log σ₂/σ₁ + (σ₁² + (μ₁−μ₂)²)/2σ₂² − ½ loses all
    digits where the two are close. Arguments broadcast; sum over the latent's axes yourself, or with `elbo`.

    Examples
    --------
    >>> import torch
    >>> from kullback.losses import gaussian_kl
    >>> gaussian_kl(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 0.0]))
    tensor([0.0000, 0.5000])
    """
    q_mean = torch.as_tensor(prior_mean, dtype=mean.dtype, device=mean.device)
    q_log_std = torch.as_tensor(prior_log_std, dtype=mean.dtype, device=mean.device)
    result: Tensor = normal_kl_log(mean, log_std, q_mean, q_log_std, xp=torch)
    return result


def categorical_kl(logits: Tensor, prior_logits: Tensor | None = None, /) -> Tensor:
    """D(softmax(logits)‖softmax(prior_logits)) in nats over the last axis, shape (...); a missing prior is uniform.

    Differentiable in both; the arguments broadcast against each other.

    Examples
    --------
    >>> import torch
    >>> from kullback.losses import categorical_kl
    >>> categorical_kl(torch.tensor([0.0, 0.0, 0.0]))
    tensor(0.)
    """
    prior = torch.zeros_like(logits) if prior_logits is None else prior_logits
    if prior.shape[-1] != logits.shape[-1]:
        msg = f"logits has {logits.shape[-1]} classes, prior_logits {prior.shape[-1]}; expected the same"
        raise InvalidInput(msg)
    p, q = torch.broadcast_tensors(logits, prior)
    classes = p.shape[-1]
    rows = ops.divergence_rows(
        p.reshape(-1, classes).contiguous(), q.reshape(-1, classes).contiguous(), PairOptions("forward_kl")
    )
    return rows.reshape(p.shape[:-1]).to(logits.dtype)


class Elbo(NamedTuple):
    """An evidence lower bound in nats an example: value = reconstruction − weight·kl; minimise ``-value``.

    ``per_latent`` holds, for each latent, the mean KL of each of its elements: those near 0 carry nothing.
    """

    value: Tensor
    reconstruction: Tensor
    kl: Tensor
    per_latent: dict[str, Tensor]


def elbo(log_likelihood: Tensor, kl: Mapping[str, Tensor] | Tensor, /, *, weight: float = 1.0) -> Elbo:
    """Split an ELBO, E log p(x|z) − Σ KL(q(z|x)‖p(z)), into reconstruction and the KL of each latent.

    Parameters
    ----------
    log_likelihood : Tensor, shape (B, ...)
        log p(x|z), summed over everything but the batch.
    kl : Tensor of shape (B, ...), or a mapping from a latent's name to one
        What `gaussian_kl` and `categorical_kl` return.
    weight : float
        The KL's weight (β of a β-VAE).

    Raises
    ------
    InvalidInput
        When the batch sizes differ.

    Examples
    --------
    >>> import torch
    >>> from kullback.losses import elbo, gaussian_kl
    >>> mean, log_std = torch.ones(8, 2), torch.zeros(8, 2)
    >>> parts = elbo(-torch.ones(8, 5), {"z": gaussian_kl(mean, log_std)})
    >>> parts.value, parts.per_latent["z"]
    (tensor(-6.), tensor([0.5000, 0.5000]))
    """
    latents = {"latent": kl} if isinstance(kl, Tensor) else dict(kl)
    for name, tensor in latents.items():
        if tensor.ndim == 0 or log_likelihood.ndim == 0 or tensor.shape[0] != log_likelihood.shape[0]:
            msg = (
                f"log_likelihood has shape {tuple(log_likelihood.shape)}, the KL of {name!r} {tuple(tensor.shape)}; "
                "expected the same first axis, the batch"
            )
            raise InvalidInput(msg)
    reconstruction = log_likelihood.flatten(1).sum(-1).mean() if log_likelihood.ndim > 1 else log_likelihood.mean()
    per_latent = {name: tensor.mean(0) for name, tensor in latents.items()}
    total = torch.stack([mean.sum() for mean in per_latent.values()]).sum() if per_latent else 0.0 * reconstruction
    return Elbo(reconstruction - weight * total, reconstruction, total, per_latent)
