"""Distillation from a teacher that sent only its top k log-probabilities."""

from __future__ import annotations

from typing import Literal, Unpack

import torch
from torch import Tensor

from kullback.errors import InvalidDistribution, InvalidForm, InvalidInput
from kullback.losses import kinds
from kullback.losses.linear import HeadOptions, operands, row_statistics
from kullback.losses.options import Reduction, check, check_ids, reduce, result_dtype, tokens
from kullback.losses.statistics import RowOptions, RowStatistics


def linear_sparse_kl(
    input: Tensor,  # noqa: A002  torch's name
    weight: Tensor,
    teacher_ids: Tensor,
    teacher_logprobs: Tensor,
    /,
    *,
    tail: Literal["bucket", "renormalize"] = "bucket",
    reduction: Reduction = "mean",
    mask: Tensor | None = None,
    token_weight: Tensor | None = None,
    normalizer: Tensor | float | None = None,
    **options: Unpack[HeadOptions],
) -> Tensor:
    """D(teacher‖student) over the teacher's top k classes T and what is left, in nats.

    Parameters
    ----------
    input, weight : Tensor, shape (..., D) and (V, D)
        The student, as in `linear_cross_entropy`.
    teacher_ids, teacher_logprobs : Tensor, shape (..., K)
        Different classes, and the teacher's log-probabilities of them under the full softmax. An entry of −∞ is
        padding, whatever its id: that class is one of the others (except when K = V).
    tail : "bucket" or "renormalize"
        "bucket" compares the K classes and, as one more class, all the others: a lower bound of the full divergence,
        never negative (a sum cut off after K terms can be). "renormalize" compares the two distributions given T.
    **options
        See `HeadOptions`. The temperature divides the student's logits; the teacher's log-probabilities are as given.

    Notes
    -----
    The student's mass outside T is a sum over those classes, not 1 minus the rest.

    Examples
    --------
    >>> import torch
    >>> from kullback.losses import linear_sparse_kl
    >>> ids, logprobs = torch.tensor([[0, 1]]), torch.tensor([[0.5, 0.25]]).log()
    >>> round(linear_sparse_kl(torch.zeros(1, 3), torch.ones(4, 3), ids, logprobs).item(), 4)
    0.1733
    """
    impl, temperature, softcap = options.get("impl", "fused"), options.get("temperature", 1.0), options.get("softcap")
    check(reduction=reduction, temperature=temperature, softcap=softcap, impl=impl)
    if tail not in ("bucket", "renormalize"):
        msg = f"tail is {tail!r}; expected 'bucket' or 'renormalize'"
        raise InvalidInput(msg)
    head = operands(input, weight, options, wide_logits=True)
    classes, k = weight.shape[0], teacher_ids.shape[-1]
    _check_teacher(input, teacher_ids, teacher_logprobs, classes)
    rows = tokens(input.shape[:-1], input.device, input.dtype, mask=mask, token_weight=token_weight)
    ids = teacher_ids.reshape(-1, k).to(torch.int64)
    if k < classes:
        ids = torch.where(teacher_logprobs.reshape(-1, k) == -torch.inf, -1, ids)  # outside the row: not taken from it
    o = RowOptions(complement=True, softcap=softcap or 0.0, temperature=temperature)
    got = row_statistics(head, ids, None, o, impl=impl)
    log_t = teacher_logprobs.reshape(-1, k).to(got.lse.dtype)
    if k < classes:
        got = got._replace(logit=torch.where(ids < 0, -torch.inf, got.logit))
    losses = _renormalized(got, log_t) if tail == "renormalize" else _with_bucket(got, log_t, everything=k == classes)
    return reduce(losses, rows, reduction=reduction, normalizer=normalizer).to(result_dtype(input.dtype))


def _renormalized(got: RowStatistics, log_t: Tensor) -> Tensor:
    log_t, log_s = torch.log_softmax(log_t, -1), torch.log_softmax(got.logit, -1)
    return kinds.entries(log_t, log_s, kind="forward_kl", beta=0.5).sum(-1)


def _with_bucket(got: RowStatistics, log_t: Tensor, *, everything: bool) -> Tensor:
    """Σ_T t·log(t/s) + (1−P)·log((1−P)/(1−Q)), as non-negative entries."""
    if everything:
        return kinds.entries(log_t, torch.log_softmax(got.logit, -1), kind="forward_kl", beta=0.5).sum(-1)
    log_s = torch.log_softmax(torch.cat([got.logit, got.lse[:, None]], -1), -1)
    # log(1 − P); a P that rounding took to 1 or above leaves nothing.
    left = -torch.expm1(torch.logsumexp(log_t, -1, keepdim=True))
    rest = torch.where(left > 0.0, torch.log(torch.where(left > 0.0, left, 1.0)), -torch.inf)
    return kinds.entries(torch.cat([log_t, rest], -1), log_s, kind="forward_kl", beta=0.5).sum(-1)


def _check_teacher(input: Tensor, ids: Tensor, logprobs: Tensor, classes: int) -> None:  # noqa: A002
    if ids.shape != logprobs.shape or ids.shape[:-1] != input.shape[:-1] or ids.ndim != input.ndim:
        msg = (
            f"teacher_ids has shape {tuple(ids.shape)}, teacher_logprobs {tuple(logprobs.shape)}, input "
            f"{tuple(input.shape)}; expected (..., K), (..., K) and (..., D)"
        )
        raise InvalidInput(msg)
    if ids.is_floating_point() or not logprobs.is_floating_point():
        msg = f"teacher_ids is {ids.dtype}, teacher_logprobs {logprobs.dtype}; expected integers and floating point"
        raise InvalidForm(msg)
    if logprobs.requires_grad:
        msg = "teacher_logprobs requires a gradient, which this loss does not give: detach() it"
        raise InvalidForm(msg)
    if torch.compiler.is_compiling() or ids.device.type != "cpu" or not ids.numel():
        return
    check_ids(ids.reshape(-1, ids.shape[-1]), classes)
    # Padding may repeat an id: give each its own, negative.
    padding = logprobs == -torch.inf if ids.shape[-1] < classes else torch.zeros_like(ids, dtype=torch.bool)
    ordered = torch.where(padding, -1 - torch.arange(ids.shape[-1]), ids).sort(-1).values
    if bool((ordered[..., 1:] == ordered[..., :-1]).any()):
        msg = "teacher_ids names a class twice for one token; expected different ids (padding has log-probability −∞)"
        raise InvalidInput(msg)
    mass = logprobs.double().exp().sum(-1).amax()
    if float(mass) > 1.001:
        msg = f"teacher_logprobs sum to a probability of {float(mass):.4f}; expected at most 1 (no logits)"
        raise InvalidDistribution(msg)
