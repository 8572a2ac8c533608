"""The row statistics as differentiable operators that torch.compile sees as one node each.

Values are per row, so any loss made of them in plain torch differentiates through them: their backward reads the logits
once more and writes the gradient, and no N×V tensor is kept in between.
"""

# ruff: noqa: FBT001  the operators of torch take their options by position

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from kullback.losses import blocks, kinds
from kullback.losses.memory import empty_like
from kullback.losses.operator import Operator
from kullback.losses.statistics import (
    DivergenceStatistics,
    PairOptions,
    RowDerivatives,
    RowOptions,
    RowStatistics,
    empty_statistics,
    wide,
)


def kernels(z: Tensor) -> ModuleType:
    """Where the sums over the vocabulary are taken: compiled loops (CPU), Triton (CUDA), torch in blocks (the rest)."""
    if z.device.type == "cpu" and z.dtype != torch.float64:
        from kullback.losses import _numba

        return _numba
    if z.is_cuda and z.dtype != torch.float64:
        try:
            from kullback.losses import _triton
        except ModuleNotFoundError:
            return blocks
        return _triton
    return blocks


def _compute_row_statistics(
    z: Tensor,
    ids: Tensor | None,
    class_weight: Tensor | None,
    smooth: bool,
    entropy: bool,
    top: bool,
    softcap: float,
    temperature: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    o = RowOptions(smooth, entropy, top, complement=False, softcap=softcap, temperature=temperature)
    return tuple(kernels(z).statistics(z, ids, class_weight, o))


def _fake_row_statistics(z, ids, class_weight, smooth, entropy, top, *_):  # type: ignore[no-untyped-def]
    del class_weight
    return tuple(empty_statistics(z, z.shape[0], ids, RowOptions(smooth, entropy, top)))


def _compute_row_statistics_backward(
    z: Tensor,
    ids: Tensor | None,
    class_weight: Tensor | None,
    lse: Tensor,
    row_entropy: Tensor,
    g_lse: Tensor,
    g_logit: Tensor | None,
    g_smooth: Tensor | None,
    g_entropy: Tensor | None,
    softcap: float,
    temperature: float,
) -> Tensor:
    dz = empty_like(z)
    g = RowDerivatives(g_lse, g_logit, g_smooth, g_entropy)
    o = RowOptions(softcap=softcap, temperature=temperature)
    kernels(z).gradient(z, ids, class_weight, lse, row_entropy, g, dz, o, whole=True)
    return dz


def _fake_row_statistics_backward(z, *_):  # type: ignore[no-untyped-def]
    return torch.empty_like(z)


row_statistics_backward = Operator(
    "row_statistics_backward", _compute_row_statistics_backward, _fake_row_statistics_backward
)


def _keep_row_statistics(ctx: Any, inputs: Any, output: Any) -> None:
    z, ids, class_weight, _smooth, _entropy, _top, softcap, temperature = inputs
    lse, _, _, row_entropy, top = output
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(top)
    ctx.save_for_backward(z, ids, class_weight, lse, row_entropy)
    ctx.options = (softcap, temperature)


def _row_statistics_gradient(ctx: Any, g_lse: Any, g_logit: Any, g_smooth: Any, g_entropy: Any, _: Any) -> Any:
    z, ids, class_weight, lse, row_entropy = ctx.saved_tensors
    if g_lse is None:
        g_lse = torch.zeros_like(lse)
    dz = row_statistics_backward(
        z, ids, class_weight, lse, row_entropy, g_lse, g_logit, g_smooth, g_entropy, *ctx.options
    )
    return dz, *(None,) * 7


_row_statistics = Operator(
    "row_statistics", _compute_row_statistics, _fake_row_statistics, _keep_row_statistics, _row_statistics_gradient
)


def row_statistics(z: Tensor, ids: Tensor | None, class_weight: Tensor | None, o: RowOptions) -> RowStatistics:
    """Row statistics of logits z [N, V], differentiable in z."""
    assert not o.complement  # it would overwrite z
    flags = o.smooth, o.entropy, o.top
    return RowStatistics(*_row_statistics(z, ids, class_weight, *flags, o.softcap, o.temperature))


def _compute_divergence(
    teacher: Tensor, student: Tensor, kind: str, beta: float, softcap_t: float, softcap_s: float, temperature: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    o = PairOptions(kind, beta, softcap_t, softcap_s, temperature)
    return tuple(kernels(student).divergence_statistics(teacher, student, o))


def _fake_divergence(teacher, student, *_):  # type: ignore[no-untyped-def]
    del teacher
    return tuple(student.new_empty(student.shape[0], dtype=wide(student)) for _ in range(4))


def _compute_divergence_backward(
    teacher: Tensor,
    student: Tensor,
    lse_t: Tensor,
    lse_s: Tensor,
    mean_score: Tensor,
    weight: Tensor,
    kind: str,
    beta: float,
    softcap_t: float,
    softcap_s: float,
    temperature: float,
) -> Tensor:
    dz = empty_like(student)
    got = DivergenceStatistics(mean_score, lse_t, lse_s, mean_score)
    o = PairOptions(kind, beta, softcap_t, softcap_s, temperature)
    kernels(student).divergence_gradient(teacher, student, got, weight, dz, o)
    return dz


def _fake_divergence_backward(teacher, student, *_):  # type: ignore[no-untyped-def]
    del teacher
    return torch.empty_like(student)


_divergence_backward = Operator("divergence_backward", _compute_divergence_backward, _fake_divergence_backward)


def _keep_divergence(ctx: Any, inputs: Any, output: Any) -> None:
    teacher, student, *options = inputs
    _, lse_t, lse_s, mean_score = output
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(lse_t, lse_s, mean_score)
    ctx.save_for_backward(teacher, student, lse_t, lse_s, mean_score)
    ctx.options = PairOptions(*options)


def divergence_derivatives(
    teacher: Tensor,
    student: Tensor,
    got: DivergenceStatistics,
    g: Tensor,
    o: PairOptions,
    needs: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None]:
    """(dz of the teacher, dz of the student) where they are needed, from the statistics and each row's derivative."""
    _, lse_t, lse_s, mean = got
    d_teacher = d_student = None
    if needs[1]:
        d_student = _divergence_backward(teacher, student, lse_t, lse_s, mean, g, *o)
    if needs[0]:
        # The teacher's derivative is the student's of the mirrored divergence; only its mean score is new.
        mirrored = PairOptions(*kinds.mirror(o.kind, o.beta), o.softcap_s, o.softcap_t, o.temperature)
        mean = _divergence(student, teacher, *mirrored)[3]
        d_teacher = _divergence_backward(student, teacher, lse_s, lse_t, mean, g, *mirrored)
    return d_teacher, d_student


def _divergence_gradient(ctx: Any, g: Any, *_: Any) -> Any:
    if g is None:
        return (None,) * 7
    teacher, student, *columns = ctx.saved_tensors
    got = DivergenceStatistics(columns[2], *columns)
    return *divergence_derivatives(teacher, student, got, g, ctx.options, ctx.needs_input_grad[:2]), *(None,) * 5


_divergence = Operator("divergence", _compute_divergence, _fake_divergence, _keep_divergence, _divergence_gradient)


def divergence_rows(teacher: Tensor, student: Tensor, o: PairOptions) -> Tensor:
    """[N] divergences of rows of logits, differentiable in both."""
    rows: Tensor = _divergence(teacher, student, *o)[0]
    return rows


def scale_(dz: Tensor, g: Tensor) -> Tensor:
    """dz·g in place for a scalar g; costs nothing where g is 1, without asking the device."""
    if dz.is_cuda and (module := kernels(dz)) is not blocks:
        module.scale_(dz, g)
        return dz
    return dz if dz.device.type == "cpu" and float(g) == 1.0 else dz.mul_(g)
