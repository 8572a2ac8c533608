"""Divergences between two rows of logits, `blocks.divergence_*` as one kernel: two reads of both (KL), or three."""

# Triton types its kernels by what it is called with.
# mypy: disable-error-code="untyped-decorator,no-untyped-def,attr-defined"

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from kullback.losses._triton.primitives import (
    PAIR_BLOCK,
    expm1,
    expm1_less,
    launch,
    log_mixture_ratio,
    on_device,
    transform,
    undo_transform,
)
from kullback.losses.statistics import DivergenceStatistics, PairOptions

_FORWARD, _REVERSE, _SKEW_JS, _SKEW_KL, _TV, _REVERSE_SKEW = range(6)
_CODES = {
    "forward_kl": _FORWARD,
    "reverse_kl": _REVERSE,
    "skew_js": _SKEW_JS,
    "skew_kl": _SKEW_KL,
    "tv": _TV,
    "reverse_skew_kl": _REVERSE_SKEW,
}


@triton.jit
def _kl_entry(a, b, u):
    """a·φ(u), as `kinds.kl_entry`."""
    large = u > 1.0
    far = b - a - tl.where(a == 0.0, 0.0, a * u)
    near = a * expm1_less(tl.where(large, 0.0, u))
    return tl.where(large, far, tl.where(a == 0.0, b, near))


@triton.jit
def _entry(t, s, u, beta, KIND: tl.constexpr):
    """`kinds.entries`."""
    if KIND == 0:
        entry = _kl_entry(t, s, u)
    elif KIND == 1:
        entry = _kl_entry(s, t, -u)
    elif KIND == 4:
        entry = -0.5 * tl.maximum(t, s) * expm1(-tl.abs(u))
    elif KIND == 5:
        entry = _kl_entry(s, beta * s + (1.0 - beta) * t, log_mixture_ratio(-u, beta))
    else:
        m = beta * t + (1.0 - beta) * s
        entry = _kl_entry(t, m, log_mixture_ratio(u, beta))
        if KIND == 2:
            entry = entry / (1.0 - beta) + _kl_entry(s, m, log_mixture_ratio(-u, 1.0 - beta)) / beta
    return entry


@triton.jit
def _score(u, beta, KIND: tl.constexpr):
    """`kinds.score`."""
    if KIND == 1:
        g = u
    elif KIND == 2:
        g = -log_mixture_ratio(-u, 1.0 - beta) / beta
    elif KIND == 3:
        g = -(1.0 - beta) * expm1(-log_mixture_ratio(u, beta))
    elif KIND == 4:
        g = tl.where(u > 0.0, 0.5, tl.where(u < 0.0, -0.5, 0.0))
    else:
        r = log_mixture_ratio(-u, beta)
        g = -r - beta * expm1(-r)
    return g


@triton.jit
def _grow(m, s, y):
    """One block into the running (m, s) with Σ exp = s·eᵐ."""
    n = tl.maximum(m, tl.max(y, 0))
    shift = tl.where(n == -float("inf"), 0.0, n)
    s = s * tl.where(m == -float("inf"), 0.0, tl.exp(m - shift)) + tl.sum(tl.exp(y - shift), 0)
    return n, s


@triton.jit
def _divergence(
    ZT,
    t_stride,
    ZS,
    s_stride,
    DZ,
    dz_stride,
    LSE_T,
    LSE_S,
    VALUE,
    MEAN,
    WEIGHT,
    V,
    beta,
    cap_t,
    cap_s,
    inverse_temperature,
    CAP_T: tl.constexpr,
    CAP_S: tl.constexpr,
    KIND: tl.constexpr,
    NORMALISE: tl.constexpr,
    SUMS: tl.constexpr,
    GRADIENT: tl.constexpr,
    ACCUMULATE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    ZT += row * t_stride
    ZS += row * s_stride
    offsets = tl.arange(0, BLOCK)
    # Where the value and the gradient can be made in one read. Forward KL needs no mean score. Reverse KL's needs no
    # normaliser, dz = s·(d − Σ s·d) for d = y_s − y_t less any number: the first read can sum it. The number, what the
    # first block's maxima differ by, keeps the digits of rows that differ by a constant.
    TOGETHER: tl.constexpr = (NORMALISE and SUMS and GRADIENT) and (KIND <= 1)
    REVERSE: tl.constexpr = TOGETHER and KIND == 1
    if REVERSE:
        z_t = tl.load(ZT + offsets, mask=offsets < V, other=-float("inf"), eviction_policy="evict_last")
        z_s = tl.load(ZS + offsets, mask=offsets < V, other=-float("inf"), eviction_policy="evict_last")
        first_t = transform(tl.max(z_t.to(tl.float32), 0), cap_t, inverse_temperature, CAP_T)
        first_s = transform(tl.max(z_s.to(tl.float32), 0), cap_s, inverse_temperature, CAP_S)
        both = (tl.abs(first_t) < float("inf")) & (tl.abs(first_s) < float("inf"))
        left_out = tl.where(both, first_s - first_t, 0.0)
        moved = 0.0
    if NORMALISE:
        m_t = -float("inf")
        m_s = -float("inf")
        sum_t = 0.0
        sum_s = 0.0
        for start in range(0, V, BLOCK):
            at = start + offsets
            inside = at < V
            z_t = tl.load(ZT + at, mask=inside, other=-float("inf"), eviction_policy="evict_last")
            z_s = tl.load(ZS + at, mask=inside, other=-float("inf"), eviction_policy="evict_last")
            y_t = tl.where(inside, transform(z_t, cap_t, inverse_temperature, CAP_T), -float("inf"))
            y_s = tl.where(inside, transform(z_s, cap_s, inverse_temperature, CAP_S), -float("inf"))
            m_t, sum_t = _grow(m_t, sum_t, y_t)
            if REVERSE:
                before = m_s
            m_s, sum_s = _grow(m_s, sum_s, y_s)
            if REVERSE:
                shift = tl.where(m_s == -float("inf"), 0.0, m_s)
                e = tl.exp(y_s - shift)
                shrink = tl.where(before == -float("inf"), 0.0, tl.exp(before - shift))
                d = tl.where(e == 0.0, 0.0, (y_s - left_out) - y_t)
                moved = tl.where(shrink == 0.0, 0.0, shrink * moved) + tl.sum(e * d, 0)
        # log p = (y − m) − log s: adding m + log s first would tilt the whole row by its rounding.
        log_t = tl.where(sum_t == 0.0, 0.0, tl.log(sum_t))
        log_s = tl.where(sum_s == 0.0, 0.0, tl.log(sum_s))
        tl.store(LSE_T + row, m_t + log_t)
        tl.store(LSE_S + row, m_s + log_s)
    else:
        m_t = tl.load(LSE_T + row)
        m_s = tl.load(LSE_S + row)
        log_t = 0.0
        log_s = 0.0
    m_t = tl.where(m_t == -float("inf"), 0.0, m_t)
    m_s = tl.where(m_s == -float("inf"), 0.0, m_s)
    mean = 0.0
    if REVERSE:
        mean = tl.where(sum_s == 0.0, 0.0, moved / tl.where(sum_s == 0.0, 1.0, sum_s))
    if SUMS and not TOGETHER:
        value = 0.0
        for start in range(0, V, BLOCK):
            at = start + offsets
            inside = at < V
            z_t = tl.load(ZT + at, mask=inside, other=-float("inf"), eviction_policy="evict_last")
            z_s = tl.load(ZS + at, mask=inside, other=-float("inf"), eviction_policy="evict_last")
            lt = tl.where(inside, transform(z_t, cap_t, inverse_temperature, CAP_T), -float("inf")) - m_t - log_t
            ls = tl.where(inside, transform(z_s, cap_s, inverse_temperature, CAP_S), -float("inf")) - m_s - log_s
            t = tl.exp(lt)
            s = tl.exp(ls)
            u = tl.where((lt == -float("inf")) & (ls == -float("inf")), 0.0, ls - lt)
            value += tl.sum(_entry(t, s, u, beta, KIND), 0)
            if KIND != 0:
                mean += tl.sum(tl.where(s == 0.0, 0.0, s * _score(u, beta, KIND)), 0)
        tl.store(VALUE + row, value)
        tl.store(MEAN + row, mean)
    elif GRADIENT and not SUMS:
        mean = tl.load(MEAN + row)
    if GRADIENT:
        DZ += row * dz_stride
        weight = tl.load(WEIGHT + row)
        # A row that is ∞ wherever the student moves has gradient 0.
        active = (weight != 0.0) & (tl.abs(mean) < float("inf"))
        value = 0.0
        scores = 0.0
        for start in range(0, V, BLOCK):
            at = start + offsets
            inside = at < V
            z_t = tl.load(ZT + at, mask=inside, other=-float("inf"), eviction_policy="evict_first")
            z_s = tl.load(ZS + at, mask=inside, other=-float("inf"), eviction_policy="evict_first")
            y_s = tl.where(inside, transform(z_s, cap_s, inverse_temperature, CAP_S), -float("inf"))
            y_t = tl.where(inside, transform(z_t, cap_t, inverse_temperature, CAP_T), -float("inf"))
            lt = y_t - m_t - log_t
            ls = y_s - m_s - log_s
            t = tl.exp(lt)
            s = tl.exp(ls)
            u = tl.where((lt == -float("inf")) & (ls == -float("inf")), 0.0, ls - lt)
            if TOGETHER:
                value += tl.sum(_entry(t, s, u, beta, KIND), 0)
            if KIND == 0:
                dy = weight * (s - t)
            elif REVERSE:
                scores += tl.sum(tl.where(s == 0.0, 0.0, s * u), 0)
                dy = tl.where(s == 0.0, 0.0, weight * (s * (((y_s - left_out) - y_t) - mean)))
            else:
                dy = tl.where(s == 0.0, 0.0, weight * (s * (_score(u, beta, KIND) - mean)))
            dz = tl.where(active, undo_transform(dy, y_s, cap_s, inverse_temperature, CAP_S), 0.0)
            if ACCUMULATE:
                dz += tl.load(DZ + at, mask=inside, other=0.0).to(tl.float32)
            tl.store(DZ + at, dz.to(DZ.dtype.element_ty), mask=inside, eviction_policy="evict_first")
        if TOGETHER:
            tl.store(VALUE + row, value)
            tl.store(MEAN + row, scores)


def _run(
    z_t: Tensor,
    z_s: Tensor,
    got: DivergenceStatistics,
    o: PairOptions,
    *,
    normalise: bool,
    sums: bool,
    weight: Tensor | None = None,
    out: Tensor | None = None,
    accumulate: bool = False,
) -> None:
    n, v = z_s.shape
    if n == 0:
        return
    assert (z_t.stride(1) == 1 and z_s.stride(1) == 1) or v == 1
    with on_device(z_s):
        _divergence[(n,)](
            z_t,
            z_t.stride(0),
            z_s,
            z_s.stride(0),
            z_s if out is None else out,
            0 if out is None else out.stride(0),
            got.lse_t,
            got.lse_s,
            got.value,
            got.mean_score,
            got.lse_s if weight is None else weight.float().contiguous(),
            v,
            o.beta,
            o.softcap_t or 1.0,
            o.softcap_s or 1.0,
            1.0 / o.temperature,
            CAP_T=o.softcap_t > 0.0,
            CAP_S=o.softcap_s > 0.0,
            KIND=_CODES[o.kind],
            NORMALISE=normalise,
            SUMS=sums,
            GRADIENT=out is not None,
            ACCUMULATE=accumulate,
            **launch(v, PAIR_BLOCK),
        )


def _empty(z: Tensor) -> DivergenceStatistics:
    return DivergenceStatistics(*(z.new_empty(z.shape[0], dtype=torch.float32) for _ in range(4)))


def divergence_statistics(z_t: Tensor, z_s: Tensor, o: PairOptions) -> DivergenceStatistics:
    """Value and statistics of D(teacher‖student) for rows of logits [N, V]."""
    got = _empty(z_s)
    _run(z_t, z_s, got, o, normalise=True, sums=True)
    return got


def divergence_part(z_t: Tensor, z_s: Tensor, lse_t: Tensor, lse_s: Tensor, o: PairOptions) -> tuple[Tensor, Tensor]:
    """(Σ entries, Σ s·G) over the classes of z, for an lse that may sum over more of them."""
    got = _empty(z_s)._replace(lse_t=lse_t.float().contiguous(), lse_s=lse_s.float().contiguous())
    _run(z_t, z_s, got, o, normalise=False, sums=True)
    return got.value, got.mean_score


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
    """d(weight·D)/dz of the student into `out`."""
    single = DivergenceStatistics(*(column.float().contiguous() for column in got))
    _run(z_t, z_s, single, o, normalise=False, sums=False, weight=weight, out=out, accumulate=accumulate)


def divergence(
    z_t: Tensor, z_s: Tensor, weight: Tensor, out: Tensor, o: PairOptions, *, accumulate: bool = False
) -> DivergenceStatistics:
    """Statistics of a row and d(weight·D)/dz of the student in one launch."""
    got = _empty(z_s)
    _run(z_t, z_s, got, o, normalise=True, sums=True, weight=weight, out=out, accumulate=accumulate)
    return got
