"""llama.cpp's own statistics, number for number: what `llama-perplexity --kl-divergence` prints.

Its conventions (tools/perplexity, release b11434): KL of a position sums over tokens with base log-probability above
−16, not renormalised, in float32 terms; "±" is √((Σx²/n − mean²)/(n−1)), as if positions were independent; percentiles
are linear in float32.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kullback.evaluation._kld import Block

F32 = NDArray[np.float32]


class LlamaRows(NamedTuple):
    """Per position, as llama.cpp computes it: NLLs in float32, KL, change of the target's probability, same top."""

    nll: F32
    nll_base: F32
    kl: NDArray[np.float64]
    delta_p: F32
    same_top: NDArray[np.bool_]


def llama_rows_formula(base: Block, logits: F32, targets: NDArray[np.int64]) -> LlamaRows:
    """The statistics of one block; `logits` (rows, V) in float32 are the other model's."""
    log_base = base.decoded()
    top = logits.max(axis=1)
    total = np.sum(_exp(logits - top[:, None]), axis=1, dtype=np.float64)
    shift = top + np.log(total).astype(np.float32)
    counted = log_base > np.float32(-16)
    terms = np.where(counted, _exp(log_base) * (log_base - logits + shift[:, None]), np.float32(0))
    same = logits.argmax(axis=1) == log_base.argmax(axis=1)
    return _with_targets(base, logits, targets, shift, terms.sum(axis=1, dtype=np.float64), same)


def llama_rows(base: Block, logits: F32, targets: NDArray[np.int64]) -> LlamaRows:
    """The same, fused."""
    from kullback.evaluation._numba import llama as loops

    n = targets.size
    shift, top, kl, same = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n), np.empty(n, np.bool_)
    plain = np.require(logits, dtype=np.float32, requirements=["C", "W", "E"])
    loops.llama_rows(plain, base.codes, base.scale, base.low, shift, kl, top, same)
    return _with_targets(base, logits, targets, shift, kl, same)


def _with_targets(
    base: Block,
    logits: F32,
    targets: NDArray[np.int64],
    shift: F32,
    kl: NDArray[np.float64],
    same: NDArray[np.bool_],
) -> LlamaRows:
    nll = shift - logits[np.arange(targets.size), targets]
    nll_base = -base.of(targets)[0].astype(np.float32)
    return LlamaRows(nll, nll_base, kl, _exp(-nll) - _exp(-nll_base), same)


def _exp(x: F32) -> F32:
    """In float32, rightly rounded as the C library's is; NumPy's own is up to 2.5 units of the last place off."""
    return np.exp(x.astype(np.float64)).astype(np.float32)


def llama_block(rows: LlamaRows) -> str:
    """The block of text that the tool ends with."""
    n = rows.kl.size
    log_ppl, log_ppl_base = _mean(rows.nll), _mean(rows.nll_base)
    # The tool squares and multiplies in float32 before it adds in double.
    product = (rows.nll * rows.nll_base).astype(np.float64).sum() / n - log_ppl[0] * log_ppl_base[0]
    covariance = product / (n - 1) if n >= 10 else 0.0
    ppl, base = math.exp(log_ppl[0]), math.exp(log_ppl_base[0])
    ppl_error, base_error = ppl * log_ppl[1], base * log_ppl_base[1]
    correlation = covariance / (log_ppl[1] * log_ppl_base[1]) if log_ppl[1] * log_ppl_base[1] else math.nan
    ratio = log_ppl[0] - log_ppl_base[0]
    ratio_error = _root(log_ppl[1] ** 2 + log_ppl_base[1] ** 2 - 2 * covariance)
    difference_error = _root(ppl_error**2 + base_error**2 - 2 * ppl * base * covariance)
    kl = _mean(rows.kl)
    values = np.sort(rows.kl.astype(np.float32))
    change = np.sort(rows.delta_p)
    delta = _mean(rows.delta_p)
    squares = rows.delta_p.astype(np.float32) ** 2
    mse = _mean(squares.astype(np.float64))
    rms = math.sqrt(mse[0])
    same = float(np.mean(rows.same_top))
    lines = [
        "====== Perplexity statistics ======",
        f"Mean PPL(Q)                   : {ppl:10.6f} ± {ppl_error:10.6f}",
        f"Mean PPL(base)                : {base:10.6f} ± {base_error:10.6f}",
        f"Cor(ln(PPL(Q)), ln(PPL(base))): {100 * correlation:6.2f}%",
        f"Mean ln(PPL(Q)/PPL(base))     : {ratio:10.6f} ± {ratio_error:10.6f}",
        f"Mean PPL(Q)/PPL(base)         : {math.exp(ratio):10.6f} ± {math.exp(ratio) * ratio_error:10.6f}",
        f"Mean PPL(Q)-PPL(base)         : {ppl - base:10.6f} ± {difference_error:10.6f}",
        "",
        "====== KL divergence statistics ======",
        f"Mean    KLD: {kl[0]:10.6f} ± {kl[1]:10.6f}",
        f"Maximum KLD: {values[-1]:10.6f}",
    ]
    for label, fraction in (("99.9%", 0.999), ("99.0%", 0.99), ("95.0%", 0.95), ("90.0%", 0.9)):
        lines.append(f"{label}   KLD: {_percentile(values, fraction):10.6f}")
    lines.append(f"Median  KLD: {_median(values):10.6f}")
    for label, fraction in (("10.0%", 0.1), (" 5.0%", 0.05), (" 1.0%", 0.01), (" 0.1%", 0.001)):
        lines.append(f"{label}   KLD: {_percentile(values, fraction):10.6f}")
    lines += [
        f"Minimum KLD: {values[0]:10.6f}",
        "",
        "====== Token probability statistics ======",
        f"Mean    Δp: {100 * delta[0]:6.3f} ± {100 * delta[1]:5.3f} %",
        f"Maximum Δp: {100 * float(change[-1]):6.3f}%",
    ]
    upper = (("99.9%", 0.999), ("99.0%", 0.99), ("95.0%", 0.95), ("90.0%", 0.9), ("75.0%", 0.75))
    for label, fraction in upper:
        lines.append(f"{label}   Δp: {100 * _percentile(change, fraction):6.3f}%")
    lines.append(f"Median  Δp: {100 * _median(change):6.3f}%")
    for label, fraction in (("25.0%", 0.25), ("10.0%", 0.1), (" 5.0%", 0.05), (" 1.0%", 0.01), (" 0.1%", 0.001)):
        lines.append(f"{label}   Δp: {100 * _percentile(change, fraction):6.3f}%")
    lines += [
        f"Minimum Δp: {100 * float(change[0]):6.3f}%",
        f"RMS Δp    : {100 * rms:6.3f} ± {100 * (0.5 / rms * mse[1] if rms else 0.0):5.3f} %",
        f"Same top p: {100 * same:6.3f} ± {100 * math.sqrt(same * (1 - same) / (n - 1)):5.3f} %",
    ]
    return "\n".join(lines)


def _mean(x: NDArray[np.floating]) -> tuple[float, float]:
    """Mean and the tool's uncertainty; squares of float32 are float32."""
    n = x.size
    mean = float(x.astype(np.float64).sum() / n)
    spread = float((x * x).astype(np.float64).sum() / n) - mean * mean
    return mean, math.sqrt(spread / (n - 1)) if spread > 0 and n > 10 else 0.0


def _percentile(ordered: F32, fraction: float) -> float:
    p = np.float32(fraction) * np.float32(ordered.size - 1)
    whole = int(p)
    part = np.float32(p - np.float32(whole))
    return float((np.float32(1) - part) * ordered[whole] + part * ordered[min(whole + 1, ordered.size - 1)])


def _median(ordered: F32) -> float:
    half = ordered.size // 2
    return float(ordered[half] if ordered.size % 2 else np.float32(0.5) * (ordered[half] + ordered[half - 1]))


def _root(x: float) -> float:
    return math.sqrt(x) if x > 0 else 0.0
