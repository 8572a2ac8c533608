"""Two models on the same positions: every position measured, by whatever is known of the two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInput
from kullback.evaluation._bounds import core, js_upper, sampled_kl, total_variation_upper
from kullback.evaluation._coded import coded_pairs
from kullback.evaluation._kld import Block
from kullback.evaluation._llama import LlamaRows, llama_rows
from kullback.evaluation._models import Model
from kullback.evaluation._pairs import Pairs, pairs
from kullback.evaluation._sparse import Sparse, aligned, gathered
from kullback.evaluation._trace import SAME, following

Floats = NDArray[np.float64]

_ENTRIES = 4_000_000  # of one block of logits: some tens of MB, whatever the vocabulary


@dataclass(slots=True, eq=False)
class Measured:
    """Per position (n,): the four divergences and, where only a part of the vocabulary is known, what bounds them.

    `kl` and the others are exact if `low` is None. Else `low` are certified lower bounds of KL, `high_js` and `high_tv`
    certified upper bounds, and `kl` is `low` itself or, if `sampled`, an unbiased estimate.
    """

    kl: Floats
    kl_reverse: Floats
    js: Floats
    total_variation: Floats
    entropy: Floats
    top: NDArray[np.int64]
    nll_base: Floats | None = None
    nll_other: Floats | None = None
    low: Floats | None = None
    high_js: Floats | None = None
    high_tv: Floats | None = None
    sampled: bool = False
    cut_targets: int = 0
    noise: float = 0.0
    llama: LlamaRows | None = None


def measure(base: Model, other: Model, targets: NDArray[np.int64] | None, *, llama: bool = False) -> Measured:
    """All positions of the two models."""
    check_same_positions(base, other)
    if llama and (base.kld is None or other.read is None):
        raise InvalidInput(
            "llama.cpp's statistics need a .kld file as base, and all logits (or a .kld file) of the other"
        )
    if base.read is not None and other.read is not None:
        return _blocks(base, other, targets, llama=llama)
    if base.sparse is not None or other.sparse is not None:
        return _sparse(base, other)
    if base.nll is None or other.nll is None:
        raise InvalidInput(f"{base.name} and {other.name} hold nothing in common that could be compared")
    nothing = np.full(base.n, np.nan)
    top = np.full((base.n, 2), -1, dtype=np.int64)
    return Measured(nothing, nothing, nothing, nothing, nothing, top, base.nll, other.nll, low=np.zeros(base.n))


def check_same_positions(base: Model, other: Model) -> None:
    """Refuse what llama.cpp only warns of: other vocabularies, other texts, other windows."""
    if base.vocabulary and other.vocabulary and base.vocabulary != other.vocabulary:
        raise InvalidInput(
            f"{base.name} has a vocabulary of {base.vocabulary:,} and {other.name} of {other.vocabulary:,}: KL is "
            "defined over one vocabulary. Models with different tokenizers are compared by bits per byte of the same "
            "documents."
        )
    if base.n != other.n:
        raise InvalidInput(f"{base.name} has {base.n:,} positions and {other.name} {other.n:,}; expected the same text")
    for key in SAME:
        ours, theirs = base.identity.get(key), other.identity.get(key)
        if ours and theirs and ours != theirs:
            raise InvalidInput(f"{base.name} and {other.name} differ in {key} ({ours[:16]} and {theirs[:16]})")
    if base.targets is not None and other.targets is not None:
        differs = base.targets != other.targets
        if differs.any():
            at = int(np.argmax(differs))
            raise InvalidInput(
                f"{int(differs.sum()):,} positions have another next token in {other.name} than in {base.name}, the "
                f"first is {at} ({other.targets[at]} instead of {base.targets[at]}): the texts differ"
            )


def _blocks(base: Model, other: Model, targets: NDArray[np.int64] | None, *, llama: bool) -> Measured:
    n, V = base.n, base.vocabulary
    coded = base.kld is not None or other.kld is not None
    kl, reverse, js, variation, entropy = np.empty((5, n))
    out = Measured(kl, reverse, js, variation, entropy, np.empty((n, 2), dtype=np.int64))
    if coded:
        out.high_js, out.high_tv = np.empty(n), np.empty(n)
    if targets is not None:
        if targets.min() < 0 or targets.max() >= V:
            raise InvalidInput(
                f"targets lie between {targets.min()} and {targets.max()}; the vocabulary has {V:,} tokens"
            )
        out.nll_base, out.nll_other = np.empty(n), np.empty(n)
    compatible: list[LlamaRows] = []
    step = max(1, _ENTRIES // V)
    noise = 0.0
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        a, b = _block(base, rows), _block(other, rows)
        found = _coded(a, b, rows, out) if isinstance(a, Block) or isinstance(b, Block) else pairs(a, b)
        for name in ("kl", "kl_reverse", "js", "total_variation", "entropy", "top"):
            getattr(out, name)[rows] = getattr(found, name)
        if targets is not None:
            assert out.nll_base is not None
            assert out.nll_other is not None
            y = targets[rows]
            out.nll_base[rows], cut_base = _nll(a, found.log_normaliser[:, 0], y)
            out.nll_other[rows], cut_other = _nll(b, found.log_normaliser[:, 1], y)
            out.cut_targets += cut_base + cut_other
        if llama:
            assert isinstance(a, Block)
            assert targets is not None
            single = b.decoded() if isinstance(b, Block) else np.asarray(b, dtype=np.float32)
            compatible.append(llama_rows(a, single, targets[rows]))
        noise += _noise(a, base.roundoff) + _noise(b, other.roundoff)
    out.noise = noise / n
    if coded:
        out.low = out.kl
    if compatible:
        out.llama = LlamaRows(*(np.concatenate(part) for part in zip(*compatible, strict=True)))
    return out


def _check_finite(x: NDArray[Any], name: str, start: int) -> None:
    top = x.max(axis=1)
    if not np.isfinite(top).all():
        row = int(np.argmax(~np.isfinite(top)))
        raise InvalidInput(f"{name}: position {start + row} holds NaN, +∞ or no finite logit at all")


def _block(model: Model, rows: slice) -> Block | NDArray[Any]:
    """Codes or logits of some positions, looked at once."""
    if model.kld is not None:
        return model.kld.block(rows.start, rows.stop)
    assert model.read is not None
    x = model.read(rows.start, rows.stop)
    _check_finite(x, model.name, rows.start)
    return x


def _coded(a: Block | NDArray[Any], b: Block | NDArray[Any], rows: slice, out: Measured) -> Pairs:
    found, rest = coded_pairs(a, b)
    assert out.high_js is not None
    assert out.high_tv is not None
    out.high_js[rows] = js_upper(found.js, rest[:, 0], rest[:, 1])
    out.high_tv[rows] = total_variation_upper(found.total_variation, rest[:, 0], rest[:, 1])
    return found


def _nll(x: Block | NDArray[Any], log_z: Floats, y: NDArray[np.int64]) -> tuple[Floats, int]:
    """−log p of the targets, and how many of them the file has cut off (their NLL is then what the file decodes to)."""
    if isinstance(x, Block):
        log_p, cut = x.of(y)
        return -log_p, cut
    return np.asarray(log_z - np.asarray(x[np.arange(y.size), y], dtype=np.float64)), 0


def _noise(x: Block | NDArray[Any], roundoff: float) -> float:
    """Σ over rows of ½ Var(rounding of a logit): the KL that the format makes by itself, to second order."""
    if isinstance(x, Block):
        return float(np.sum(x.scale.astype(np.float64) ** 2)) / 24.0
    top = np.abs(x.max(axis=1).astype(np.float64))
    return float(np.sum((roundoff * top) ** 2)) / 24.0


def _sparse(base: Model, other: Model) -> Measured:
    """From stored tokens: lower bounds everywhere, and an unbiased KL if the rest was sampled and scored by both."""
    n = base.n
    at_draws = None
    if base.sparse is not None and other.read is not None:
        p = base.sparse
        q, at_draws = _gather_all(other, p, base.draws[0] if base.draws is not None else None)
    elif base.read is not None and other.sparse is not None:
        q = other.sparse
        p, _ = _gather_all(base, q, None)
    else:
        assert base.sparse is not None
        p = base.sparse
        followed = following(Path(other.name), base) if other.name.endswith(".safetensors") else None
        if followed is not None:
            q, at_draws = followed
        elif other.sparse is not None:
            q = other.sparse
        else:
            raise InvalidInput(
                f"{other.name} stores no distributions that could be held against {base.name}. Record it as its "
                f"follower: "
                "kullback trace MODEL --text FILE --following BASE"
            )
    a, b, whole = aligned(p, q)
    found = pairs(a, b)
    p_tail, q_tail = np.exp(a[:, -1]), np.exp(b[:, -1])
    top = np.stack([p.ids[np.arange(n), p.log_p.argmax(axis=1)], q.ids[np.arange(n), q.log_p.argmax(axis=1)]], axis=1)
    out = Measured(
        found.kl,
        found.kl_reverse,
        found.js,
        found.total_variation,
        np.full(n, np.nan),
        top,
        base.nll if base.nll is not None else None,
        other.nll if other.nll is not None else None,
        low=found.kl,
        high_js=js_upper(found.js, p_tail, q_tail),
        high_tv=total_variation_upper(found.total_variation, p_tail, q_tail),
    )
    if base.draws is not None and at_draws is not None and at_draws.shape[1] and bool(whole.all()):
        ratio = at_draws - base.draws[1]
        out.kl = sampled_kl(core(p.log_p, q.log_p), np.exp(p.log_tail), np.exp(q.log_tail), ratio)
        out.sampled = True
    return out


def _gather_all(model: Model, stored: Sparse, draws: NDArray[np.int64] | None) -> tuple[Sparse, Floats | None]:
    """What a model with all logits says about stored tokens, and about draws of the rest."""
    parts, at = [], []
    step = max(1, _ENTRIES // model.vocabulary)
    for start in range(0, model.n, step):
        rows = slice(start, min(start + step, model.n))
        assert model.read is not None
        x = np.asarray(model.read(rows.start, rows.stop), dtype=np.float64)
        block = Sparse(stored.ids[rows], stored.log_p[rows], stored.log_tail[rows])
        parts.append(gathered(block, x))
        if draws is not None:
            at.append(np.take_along_axis(x, draws[rows], axis=1) - _log_sum_exp(x)[:, None])
    joined = Sparse(
        np.concatenate([s.ids for s in parts]),
        np.concatenate([s.log_p for s in parts]),
        np.concatenate([s.log_tail for s in parts]),
    )
    return joined, np.concatenate(at) if at else None


def _log_sum_exp(x: Floats) -> Floats:
    top = x.max(axis=1)
    safe = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(safe + np.log(np.sum(np.exp(x - safe[:, None]), axis=1)))
