"""`diff_models`: from measured positions to what they say about two models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInput
from kullback.evaluation._llama import llama_block
from kullback.evaluation._measured import Measured, measure
from kullback.evaluation._models import Model, open_model
from kullback.evaluation._places import groups, worst
from kullback.result.estimate import Estimate
from kullback.result.model_comparison import ModelComparison
from kullback.statistics import mean_error, serial_mean_error
from kullback.statistics.means import t_quantile

Floats = NDArray[np.float64]

_FEW = 20
_QUANTILES = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)


def diff_models(
    base: Any,
    other: Any,
    /,
    *,
    targets: Any = None,
    documents: Any = None,
    tokens: Sequence[str] | None = None,
    level: float = 0.95,
    llama_compat: bool = False,
    top: int = 20,
) -> ModelComparison:
    """How far the next-token distributions of two language models are apart on the same text.

    Parameters
    ----------
    base, other
        Each an array or tensor of logits (positions, vocabulary) or (documents, positions, vocabulary), `kb.Logits`,
        `kb.LogProbs` or `kb.Probs` of one, or a file: .npy, .npz or .safetensors of logits (memory-mapped, 16-bit
        floats too), a trace (*.ktrace.safetensors), llama.cpp's .kld, or JSON lines of log-probabilities as vLLM and
        OpenAI report them. P is the base.
    targets : array (positions,) of token numbers, optional
        What came next; without it the cross-entropies, ΔCE and Δp are unknown. Files may hold it.
    documents : array (positions,), optional
        Positions of one document depend on each other; intervals then count documents. Without it positions are taken
        in their order and their serial dependence is allowed for (Newey and West).
    tokens : list of str, optional
        The text of each target, or of each token of the vocabulary, to say which kinds of tokens carry KL.
    level, top
        Of the intervals; how many of the worst positions to keep.
    llama_compat : bool
        Also compute llama.cpp's own statistics, digit for digit (`result.llama`); the base must be a .kld file.

    Returns
    -------
    ModelComparison
        In nats. From top tokens alone (`certified` is not None) KL is a certified lower bound, never a renormalised
        top-k number; with sampled tails an unbiased estimate.

    Raises
    ------
    InvalidInput
        Different vocabularies, lengths or texts; damaged or truncated files.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.random.default_rng(0).normal(size=(100, 50))
    >>> diff_models(a, a).kl.value
    0.0
    """
    p, q = open_model(base, "base"), open_model(other, "other")
    known = _column(targets, p.n, "targets")
    if known is None:
        known = p.targets if p.targets is not None else q.targets
    grouping = _column(documents, p.n, "documents")
    if grouping is None:
        grouping = p.documents if p.documents is not None else q.documents
    if llama_compat and known is None:
        raise InvalidInput("llama.cpp's statistics need the targets; a .kld file holds them")
    found = measure(p, q, known, llama=llama_compat)
    clusters = None if grouping is None else np.unique(grouping, return_inverse=True)[1].reshape(-1)
    if clusters is not None and int(clusters.max()) < 1:
        clusters = None
    return _result(p, q, found, known, clusters, tokens, level, top)


def _result(
    p: Model,
    q: Model,
    found: Measured,
    targets: NDArray[np.int64] | None,
    clusters: NDArray[np.intp] | None,
    tokens: Sequence[str] | None,
    level: float,
    top: int,
) -> ModelComparison:
    iid: dict[str, float] = {}

    def mean(name: str, x: Floats, method: str = "mean over positions", unit: str = "nats") -> Estimate:
        iid[name] = mean_error(x)[0] if np.isfinite(x).all() else math.nan
        return mean_of(x, clusters, level=level, method=method, unit=unit)

    partial = found.low is not None
    how = "mean over positions"
    if partial:
        how = "certified lower bound from the tokens that are known"
    kl = mean("kl", found.kl, "unbiased from sampled tails" if found.sampled else how)
    certified = None
    if partial:
        assert found.low is not None
        low = mean_of(found.low, clusters, level=level, method=how)
        certified = (max(low.low, 0.0) if math.isfinite(low.low) else max(low.value, 0.0), math.inf)
        if not found.sampled:
            kl = replace(kl, high=math.inf, low=certified[0])
    reverse, js = mean("kl_reverse", found.kl_reverse, how), mean("js", found.js, how)
    variation = mean("total_variation", found.total_variation, how, "")
    if partial:
        reverse = replace(reverse, high=math.inf)
        js = _up_to(js, found.high_js, clusters, level)
        variation = _up_to(variation, found.high_tv, clusters, level)
    delta = alignment = ce_base = ce_other = delta_p = None
    bytes_per = None
    change: Floats | None = None
    size = p.bytes if p.bytes is not None else q.bytes
    if found.nll_base is not None and found.nll_other is not None:
        ce_base, ce_other = mean("cross_entropy_base", found.nll_base), mean("cross_entropy_other", found.nll_other)
        difference = found.nll_other - found.nll_base
        delta = mean("delta_cross_entropy", difference, "paired mean over positions")
        if not partial or found.sampled:
            alignment = mean("alignment", difference - found.kl, "ΔCE − KL, paired")
        change = np.exp(-found.nll_other) - np.exp(-found.nll_base)
        delta_p = mean("delta_p", change, "mean change of the target's probability", "")
        if size is not None and int(size.sum()) > 0:
            bytes_per = (
                _per_byte(found.nll_base, size, clusters, level),
                _per_byte(found.nll_other, size, clusters, level),
                _per_byte(difference, size, clusters, level),
            )
    same = mean("same_top", (found.top[:, 0] == found.top[:, 1]).astype(np.float64), "share of positions", "")
    needed = None
    if kl.value > 0 and math.isfinite(kl.standard_error):
        needed = math.ceil(p.n * (t_quantile(level, 10**6) * kl.standard_error / (0.05 * kl.value)) ** 2)
    places = p.positions if p.positions is not None else _places(clusters, p.n)
    texts = tokens if tokens is not None else (p.tokens if p.tokens is not None else q.tokens)
    of_target = _target_texts(texts, targets, p)
    return ModelComparison(
        base=p.name,
        other=q.name,
        positions=p.n,
        documents=None if clusters is None else int(clusters.max()) + 1,
        vocabulary=p.vocabulary or q.vocabulary,
        kl=kl,
        kl_reverse=reverse,
        js=js,
        total_variation=variation,
        same_top=same,
        delta_cross_entropy=delta,
        alignment=alignment,
        cross_entropy_base=ce_base,
        cross_entropy_other=ce_other,
        bits_per_byte=bytes_per,
        delta_p=delta_p,
        iid_errors=iid,
        quantiles=_quantiles(found.kl),
        delta_p_quantiles={} if change is None else _quantiles(change),
        by_position=groups(found, places, clusters, of_target),
        worst=worst(found, places, clusters, targets, of_target, top),
        certified=certified,
        noise_floor=found.noise or None,
        positions_needed=needed,
        llama="" if found.llama is None else llama_block(found.llama),
        notes=_notes(p, q, found, clusters),
    )


def mean_of(x: Floats, clusters: NDArray[np.intp] | None, *, level: float, method: str, unit: str = "nats") -> Estimate:
    """A mean with its interval: clustered, or for the order of the positions."""
    value = float(x.mean())
    if math.isinf(value):
        return Estimate(value, value, value, level, math.nan, unit, method, (x.size,))
    if clusters is not None:
        error, degrees = mean_error(x, clusters=clusters)
        n: tuple[int, ...] = (x.size, degrees + 1)
        how = "error clustered by document"
        if degrees + 1 < _FEW:  # the spread of a few sums is itself a matter of luck: never below the serial error
            error = max(error, serial_mean_error(x)[0]) if np.isfinite(x).all() else error
    else:
        error, lags = serial_mean_error(x) if np.isfinite(x).all() else (math.nan, 0)
        degrees, n, how = x.size - 1, (x.size,), f"error allows for dependence over {lags} positions"
    half = t_quantile(level, degrees) * error
    return Estimate(value, value - half, value + half, level, error, unit, f"{method}; {how}", n)


def _up_to(e: Estimate, high: Floats | None, clusters: NDArray[np.intp] | None, level: float) -> Estimate:
    """A lower bound as an interval that reaches to the certified upper bound."""
    if high is None:
        return replace(e, high=math.inf)
    return replace(e, high=mean_of(high, clusters, level=level, method="").high)


def _per_byte(nll: Floats, size: NDArray[np.int64], clusters: NDArray[np.intp] | None, level: float) -> Estimate:
    """Σ nll / Σ bytes in bits, a ratio of means: its error by the delta method."""
    rate = float(nll.sum() / size.sum()) / math.log(2.0)
    influence = (nll / math.log(2.0) - rate * size) / float(size.mean()) + rate
    return replace(
        mean_of(influence, clusters, level=level, method="Σ nll / Σ bytes", unit="bits per byte"), value=rate
    )


def _quantiles(x: Floats) -> dict[str, float]:
    if not np.isfinite(x).any():
        return {}
    out = {"min": float(np.min(x))}
    method: Literal["linear", "lower"] = (
        "linear" if np.isfinite(x).all() else "lower"
    )  # nothing lies half-way to infinity
    out |= {f"{q:g}": float(v) for q, v in zip(_QUANTILES, np.quantile(x, _QUANTILES, method=method), strict=True)}
    return out | {"max": float(np.max(x))}


def _column(given: Any, n: int, what: str) -> NDArray[np.int64] | None:
    if given is None:
        return None
    values = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given).reshape(-1)
    if values.size != n:
        raise InvalidInput(f"{what} has {values.size} entries for {n} positions")
    if values.dtype.kind not in "iu":
        if what == "documents":
            return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)
        raise InvalidInput(f"{what} has dtype {values.dtype}; expected integers")
    return values.astype(np.int64)


def _places(clusters: NDArray[np.intp] | None, n: int) -> NDArray[np.int64]:
    """The place of each position in its document, if nobody has said it."""
    if clusters is None:
        return np.arange(n)
    order = np.argsort(clusters, kind="stable")
    first = np.searchsorted(clusters[order], np.arange(int(clusters.max()) + 1))
    out = np.empty(n, dtype=np.int64)
    out[order] = np.arange(n) - first[clusters[order]]
    return out


def _target_texts(texts: Sequence[str] | None, targets: NDArray[np.int64] | None, p: Model) -> list[str] | None:
    if texts is None:
        return None
    if len(texts) == p.n and len(texts) != p.vocabulary:
        return list(texts)
    if targets is None or int(targets.max()) >= len(texts):
        raise InvalidInput(
            f"tokens has {len(texts)} entries; expected one per position ({p.n}) or per vocabulary entry"
        )
    return [texts[t] for t in targets.tolist()]


def _notes(p: Model, q: Model, found: Measured, clusters: NDArray[np.intp] | None) -> tuple[str, ...]:
    notes = []
    if found.low is not None and np.isnan(found.kl).all():
        notes.append("only scores were recorded: KL is unknown, the cross-entropies are exact")
    elif p.kld is not None or q.kld is not None:
        notes.append(
            ".kld files store tokens down to e⁻¹⁶ of the top one: the rest is one token of known mass, so that KL is a "
            "lower bound (within a fraction of that mass)"
        )
    elif found.low is not None and not found.sampled:
        notes.append("the known tokens give no finite upper bound on KL; JS and TV have both ends")
    if found.cut_targets:
        notes.append(f"{found.cut_targets} targets were cut off in the files; their NLL is what the files decode to")
    if clusters is not None and int(clusters.max()) + 1 < 20:
        notes.append(f"{int(clusters.max()) + 1} documents are few: intervals from fewer than 20 are rough")
    if np.isinf(found.kl).any():
        at = int(np.argmax(np.isinf(found.kl)))
        notes.append(
            f"KL is infinite at {int(np.isinf(found.kl).sum())} positions, first {at}: a token was ruled out (−∞)"
        )
    return tuple(notes)
