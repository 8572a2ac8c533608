"""The sums over the vocabulary, in plain torch over blocks of rows that stay in cache: the CPU's path and the oracle.

`_triton` has the same names for CUDA. Everything else in the room (options, weights, masks, reductions) is made of
their per-row results. Sums and values are taken in float64 on the CPU; gradients in the precision of the logits.
Logits pass through `transform` first: y = softcap·tanh(z/softcap)/temperature, and all statistics are of y.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kullback.losses import kinds, terms


class RowStatistics(NamedTuple):
    """What the cross-entropy of a row is made of; a statistic that was not asked for is an empty tensor."""

    lse: Tensor  # [N] log Σ exp(y); with `complement`, over the classes that are not in ids
    logit: Tensor  # [N, K] y at ids; 0 where an id lies outside the row (another rank has it)
    smooth: Tensor  # [N] Σ w·y
    entropy: Tensor  # [N]
    top: Tensor  # [N] the first of the largest classes


class DivergenceStatistics(NamedTuple):
    """What the divergence of a row and its derivative are made of."""

    value: Tensor
    lse_t: Tensor
    lse_s: Tensor
    mean_score: Tensor


def wide(z: Tensor) -> torch.dtype:
    """The dtype of sums: float64, except for float32 and below on an accelerator."""
    return torch.float64 if z.device.type == "cpu" or z.dtype == torch.float64 else torch.float32


def narrow(z: Tensor) -> torch.dtype:
    """The dtype of elementwise derivatives."""
    return torch.float64 if z.dtype == torch.float64 else torch.float32


def row_blocks(z: Tensor) -> Iterator[slice]:
    """Blocks of rows, two megabytes of float32 a thread: near enough to stay in cache, large enough to share."""
    budget = 2**19 * torch.get_num_threads() if z.device.type == "cpu" else 2**26
    step = max(1, budget // max(1, z.shape[1]))
    for start in range(0, z.shape[0], step):
        yield slice(start, min(start + step, z.shape[0]))


def rows_of(class_weight: Tensor | None, rows: slice) -> Tensor | None:
    """Class weights are one vector [V] for all rows, or a row of soft targets for each [N, V]."""
    return class_weight[rows] if class_weight is not None and class_weight.ndim == 2 else class_weight


def transform(z: Tensor, dtype: torch.dtype, *, softcap: float, temperature: float) -> Tensor:
    """The logits y = softcap·tanh(z/softcap)/temperature in `dtype`, always a fresh tensor; softcap 0 means none."""
    y = z.to(dtype, copy=True)
    if softcap:
        # A class that is masked by −∞ stays masked.
        masked = y == -math.inf
        y.div_(softcap).tanh_().mul_(softcap).masked_fill_(masked, -math.inf)
    if temperature != 1.0:
        y.div_(temperature)
    return y


def undo_transform(dy: Tensor, y: Tensor, *, softcap: float, temperature: float) -> None:
    """From dy to dz = dy·(1 − (y·temperature/softcap)²)/temperature, in place."""
    if softcap:
        dy.mul_(1.0 - (y * (temperature / softcap)).clamp_(-1.0, 1.0).square())
    if temperature != 1.0:
        dy.div_(temperature)


def log_probabilities(y: Tensor, lse: Tensor) -> Tensor:
    """Log p = y − lse in place, lse subtracted in two parts: rounded to float32 it would tilt the whole row."""
    lse = torch.nan_to_num(lse[:, None], neginf=0.0)
    high = lse.to(y.dtype)
    return y.sub_(high).sub_((lse - high).to(y.dtype))


def log_normaliser(y: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(log Σ exp(y) in the dtype of sums, softmax(y)) of rows; −∞ for a row of −∞.

    log Σ exp(y) = highest − log p, p the largest probability. Where that is nearly 1 its logarithm is taken from what
    the others have, so that a sure row keeps its digits and float32 terms are enough.
    """
    highest, p = y.amax(-1).to(wide(y)), torch.softmax(y, -1, out=out)
    most = p.amax(-1)
    lse = torch.where(highest == -math.inf, highest, highest - torch.log(most.to(highest.dtype)))
    sure = most > 0.5
    if y.device.type != "cpu" or bool(sure.any()):
        others = torch.where(p == most[:, None], 0.0, p).sum(-1).to(highest.dtype)
        lse = torch.where(sure, highest + torch.log1p(others / most), lse)
    return lse, p


def empty_statistics(z: Tensor, n: int, ids: Tensor | None, *, smooth: bool, entropy: bool, top: bool) -> RowStatistics:
    """Row statistics of the right shapes with nothing in them yet; each a tensor of its own."""
    dtype = wide(z)
    return RowStatistics(
        lse=z.new_empty(n, dtype=dtype),
        logit=z.new_empty(0 if ids is None else ids.shape, dtype=dtype),
        smooth=z.new_empty(n if smooth else 0, dtype=dtype),
        entropy=z.new_empty(n if entropy else 0, dtype=dtype),
        top=z.new_empty(n if top else 0, dtype=torch.int64),
    )


def statistics(
    z: Tensor,
    ids: Tensor | None,
    class_weight: Tensor | None,
    *,
    smooth: bool,
    entropy: bool,
    top: bool,
    complement: bool,
    softcap: float,
    temperature: float,
) -> RowStatistics:
    """Row statistics of logits z [N, V] for ids [N, K]."""
    n, v, dtype = z.shape[0], z.shape[1], wide(z)
    out = empty_statistics(z, n, ids, smooth=smooth, entropy=entropy, top=top)
    if not (smooth or entropy or softcap or temperature != 1.0):
        dtype = narrow(z)
    as_is = z.dtype == dtype and not (complement or softcap or temperature != 1.0)
    for rows in row_blocks(z):
        y = z[rows] if as_is else transform(z[rows], dtype, softcap=softcap, temperature=temperature)
        if top:
            torch.argmax(y, -1, out=out.top[rows])
        if smooth:
            w = rows_of(class_weight, rows)
            weighted = y if w is None else torch.where(w == 0.0, 0.0, y * w)
            torch.sum(weighted, -1, out=out.smooth[rows])
        if ids is not None:
            here = (ids[rows] >= 0) & (ids[rows] < v)
            inside = torch.where(here, ids[rows], 0)
            out.logit[rows] = torch.where(here, y.gather(1, inside), 0.0).to(out.lse.dtype)
            if complement:
                y.scatter_add_(1, inside, torch.where(here, -math.inf, 0.0).to(dtype))
        out.lse[rows] = log_normaliser(y)[0]
        if entropy:
            log_p = log_probabilities(y.clone() if as_is else y, out.lse[rows])
            p = torch.exp(log_p)
            out.entropy[rows] = -torch.where(p == 0.0, 0.0, p * log_p).sum(-1)
    return out


def _silence(dy: Tensor, idle: Tensor) -> None:
    """Exactly 0 in idle rows, whatever their logits hold; where no row is idle the CPU saves the pass."""
    if dy.device.type != "cpu" or bool(idle.any()):
        dy.masked_fill_(idle, 0.0)


def gradient(
    z: Tensor,
    ids: Tensor | None,
    class_weight: Tensor | None,
    lse: Tensor,
    row_entropy: Tensor | None,
    g_lse: Tensor,
    g_logit: Tensor | None,
    g_smooth: Tensor | None,
    g_entropy: Tensor | None,
    out: Tensor,
    *,
    whole: bool,
    complement: bool,
    softcap: float,
    temperature: float,
) -> None:
    """From the derivatives of the row statistics to dz; `out` may be z. `whole`: z holds all that lse sums over.

    dlse = p, dlogit = [j = id], dsmooth = w, dentropy = −p·(log p + H). A row whose derivatives are all 0 gets exactly
    0, whatever its logits hold.
    """
    dtype, v = narrow(z), z.shape[1]
    # Where nothing has to be rounded or undone the softmax goes straight to where it belongs.
    direct = out.dtype == z.dtype == dtype and out.data_ptr() != z.data_ptr()
    direct &= whole and not (complement or softcap or temperature != 1.0) and g_entropy is None
    for rows in row_blocks(z):
        y = z[rows] if direct else transform(z[rows], dtype, softcap=softcap, temperature=temperature)
        kept = y.clone() if softcap else y
        here, inside = None, None
        if ids is not None:
            here = (ids[rows] >= 0) & (ids[rows] < v)
            inside = torch.where(here, ids[rows], 0)
            if complement:
                y.scatter_add_(1, inside, torch.where(here, -math.inf, 0.0).to(dtype))
        coefficient = g_lse[rows, None].to(dtype)
        active = coefficient != 0.0
        if g_entropy is not None and row_entropy is not None:
            log_p = log_probabilities(y, lse[rows])
            p = torch.exp(log_p)
            g_h, h = g_entropy[rows, None].to(dtype), row_entropy[rows, None].to(dtype)
            active |= g_h != 0.0
            dy = torch.where(p == 0.0, 0.0, p * (coefficient - g_h * (log_p + h)))
        else:
            # softmax normalises once more in registers, which is both quicker and nearer than exp(y − lse)
            if direct:
                dy = torch.softmax(y, -1, out=out[rows])
            else:
                dy = torch.softmax(y, -1) if whole else log_probabilities(y, lse[rows]).exp_()
            dy.mul_(coefficient)
        if g_smooth is not None:
            g_w = g_smooth[rows, None].to(dtype)
            active |= g_w != 0.0
            w = rows_of(class_weight, rows)
            dy.add_(g_w if w is None else g_w * w)
        if g_logit is not None and here is not None and inside is not None:
            g_id = g_logit[rows].to(dtype)
            active |= (g_id != 0.0).any(-1, keepdim=True)
            dy.scatter_add_(1, inside, torch.where(here, g_id, 0.0))
        undo_transform(dy, kept, softcap=softcap, temperature=temperature)
        _silence(dy, ~active)
        if not direct:
            out[rows] = dy


def cross_entropy(
    z: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    weight: Tensor,
    out: Tensor,
    *,
    entropy: bool,
    top: bool,
    label_smoothing: float,
    z_loss: float,
    softcap: float,
    temperature: float,
) -> RowStatistics:
    """Statistics of a row and d(weight·L)/dz at once (one kernel on CUDA); `out` may be z."""
    ids = target[:, None]
    got = statistics(
        z,
        ids,
        class_weight,
        smooth=label_smoothing > 0.0,
        entropy=entropy,
        top=top,
        complement=False,
        softcap=softcap,
        temperature=temperature,
    )
    g_lse, g_logit, g_smooth = terms.derivatives(
        got.lse, weight, target, class_weight, label_smoothing=label_smoothing, z_loss=z_loss, classes=z.shape[1]
    )
    gradient(
        z,
        ids,
        class_weight,
        got.lse,
        None,
        g_lse,
        g_logit[:, None],
        g_smooth,
        None,
        out,
        whole=True,
        complement=False,
        softcap=softcap,
        temperature=temperature,
    )
    return got


class _QuickKL:
    """KL(a‖b) = Σ p·φ(u), u = b − a − shift in float64, for float32 logits and without the branches of `kinds`.

    An error δ that all u of a row share (float32 left it in the shift) costs δ²/2: the entries balance it. The buffers
    are kept from block to block: fresh memory costs more than the arithmetic.
    """

    def __init__(self, z: Tensor) -> None:
        rows = next(row_blocks(z), slice(0, 0))
        shape = (rows.stop, z.shape[1])
        self.p, self.q = z.new_empty(shape), z.new_empty(shape)
        self.u, self.grown = z.new_empty(shape, dtype=torch.float64), z.new_empty(shape, dtype=torch.float64)

    def __call__(self, a: Tensor, b: Tensor, *, mean: bool) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
        """(Σ p·φ(u), Σ p·u if wanted or 0, lse of a, lse of b); None where the branches are needed."""
        n = a.shape[0]
        lse_a, p = log_normaliser(a, self.p[:n])
        lse_b, _ = log_normaliser(b, self.q[:n])
        u = self.u[:n].copy_(b).sub_(a).sub_((lse_b - lse_a)[:, None])
        low, high = torch.aminmax(u)
        # Up to e⁴⁰ a p that float32 has lost stands for a q below e⁻⁶⁰.
        if not bool((low > -math.inf) & (high < 40.0)):
            return None
        value = torch.expm1(u, out=self.grown[:n]).sub_(u).mul_(p).sum(-1)
        return value, u.mul_(p).sum(-1) if mean else torch.zeros_like(value), lse_a, lse_b


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
    forward, plain = kind == "forward_kl", not (softcap_t or softcap_s or temperature != 1.0)
    plain &= z_t.dtype == z_s.dtype == torch.float32 and z_s.device.type == "cpu"
    quick = _QuickKL(z_s) if plain and kind in ("forward_kl", "reverse_kl") else None
    for rows in row_blocks(z_s):
        a, b = (z_t[rows], z_s[rows]) if forward else (z_s[rows], z_t[rows])
        if quick is not None and (got := quick(a, b, mean=not forward)) is not None:
            value[rows], mean[rows] = got[0], -got[1]
            lse_t[rows], lse_s[rows] = got[2:] if forward else got[:1:-1]
            continue
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
    direct = out.dtype == z_s.dtype == z_t.dtype == dtype and not (accumulate or softcap_t or softcap_s)
    direct &= whole and kind == "forward_kl" and temperature == 1.0 and out.data_ptr() != z_s.data_ptr()
    for rows in row_blocks(z_s):
        if direct:
            dy = torch.softmax(z_s[rows], -1, out=out[rows])
            dy.sub_(torch.softmax(z_t[rows], -1)).mul_(weight[rows, None].to(dtype))
            _silence(dy, weight[rows, None] == 0.0)
            continue
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
        _silence(dy, (w == 0.0) | ~torch.isfinite(mean))
        if accumulate:
            dy.add_(out[rows])
        out[rows] = dy
