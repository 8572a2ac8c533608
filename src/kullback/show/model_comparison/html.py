"""A comparison of two models as a page and as a notebook fragment."""

from __future__ import annotations

import math
from datetime import datetime

from markupsafe import Markup

from kullback.result.estimate import Estimate
from kullback.result.model_comparison import ModelComparison
from kullback.show.evaluation import sheet
from kullback.show.model_comparison import words
from kullback.show.text import number, percent

_LABELS = {
    "kl": "KL(P‖Q), nats",
    "kl_reverse": "KL(Q‖P)",
    "js": "Jensen–Shannon",
    "total_variation": "total variation",
    "same_top": "same top token",
    "cross_entropy_base": "cross-entropy of P",
    "cross_entropy_other": "cross-entropy of Q",
    "delta_cross_entropy": "ΔCE = KL + alignment",
    "alignment": "alignment",
    "delta_p": "Δp of the target",
}

_QUANTILES = {"min": "smallest", "0.5": "0.5, the median", "max": "largest"}


def page(result: ModelComparison, *, command: str | None = None, when: datetime | None = None) -> str:
    """One self-contained HTML page."""
    return sheet.page(result, _sheet(result), command=command, when=when)


def fragment(result: ModelComparison) -> str:
    """HTML for a notebook cell."""
    return sheet.fragment(_sheet(result))


def _sheet(r: ModelComparison) -> sheet.Sheet:
    parts: list[sheet.Table | sheet.Figure] = [_numbers(r)]
    if r.quantiles and r.quantiles["max"] > 0 and math.isfinite(r.quantiles["max"]):
        parts += [_quantiles(r), _survival(r)]
    for kind in dict.fromkeys(g.kind for g in r.by_position):
        rows = tuple(
            (g.name, f"{g.positions:,}", percent(g.share), percent(g.share_of_kl), number(g.kl))
            for g in r.by_position
            if g.kind == kind
        )
        parts.append(sheet.Table(f"By {kind}", (kind, "positions", "of all", "of KL", "mean KL"), rows))
    if r.worst and r.kl.value > 0:
        parts.append(_worst(r))
    if r.llama:
        parts.append(sheet.Figure("As llama.cpp reports it", Markup('<pre class="tool">{}</pre>').format(r.llama)))
    said = [s for s in (words.direction(r), words.enough(r)) if s]
    lede = ". ".join(s[0].upper() + s[1:] for s in said) + ("." if said else "")
    sources = (("Base P", r.base, words.size(r)), ("Other Q", r.other, "the same positions"))
    return sheet.Sheet("diff-models", words.headline(r), lede, sources, tuple(parts), r.notes)


def _numbers(r: ModelComparison) -> sheet.Table:
    rows = []
    for name, label in _LABELS.items():
        e = getattr(r, name)
        if isinstance(e, Estimate):
            iid = r.iid_errors.get(name)
            rows.append((label, e.method, *_cells(e), number(iid, digits=2)))
    if r.bits_per_byte is not None:
        for label, e in zip(("bits per byte of P", "bits per byte of Q", "difference"), r.bits_per_byte, strict=True):
            rows.append((label, e.method, *_cells(e), ""))
    note = f"The format alone makes a KL of {number(r.noise_floor)} nats." if r.noise_floor else ""
    head = ("", "how", "value", f"{r.kl.level:.0%} interval", "iid ±")
    return sheet.Table("How far apart", head, tuple(rows), note, names=2, under=True)


def _cells(e: Estimate) -> tuple[str, str]:
    interval = "" if math.isnan(e.low) else f"[{number(e.low)}, {number(e.high)}]"
    return number(e.value, digits=4), interval


def _quantiles(r: ModelComparison) -> sheet.Table:
    change = r.delta_p_quantiles
    rows = tuple(
        (_QUANTILES.get(q, q), number(v), *((number(change[q]),) if change else ())) for q, v in r.quantiles.items()
    )
    return sheet.Table("Quantiles over positions", ("share below", "KL", *(("Δp",) if change else ())), rows)


def _survival(r: ModelComparison) -> sheet.Figure:
    points = [
        (math.log10(v), math.log10(1 - float(q))) for q, v in r.quantiles.items() if q not in ("min", "max") and v > 0
    ]
    x = (min(p[0] for p in points), max(p[0] for p in points))
    axes = sheet.Axes(x, (-3.0, 0.0), ("log₁₀ of a position's KL", "log₁₀ of the share of positions above"))
    return sheet.Figure("How KL is spread", axes.line(points).dots(points).svg("survival of KL over positions"))


def _worst(r: ModelComparison) -> sheet.Table:
    rows = tuple(
        (
            f"{p.index:,}",
            p.context,
            "" if p.target is None else str(p.target),
            number(p.kl),
            number(p.probability_base),
            number(p.probability_other),
        )
        for p in r.worst
    )
    head = ("position", "text up to it", "next token", "KL", "p(next), base", "p(next), other")
    return sheet.Table("Positions furthest apart", head, rows, names=3)
