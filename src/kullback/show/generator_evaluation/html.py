"""An evaluation of a generator as a page and as a notebook fragment."""

from __future__ import annotations

from datetime import datetime

from kullback.result.estimate import Estimate
from kullback.result.generator_evaluation import GeneratorEvaluation, Region
from kullback.show.evaluation import sheet
from kullback.show.generator_evaluation.table import headline
from kullback.show.text import number, percent


def page(result: GeneratorEvaluation, *, command: str | None = None, when: datetime | None = None) -> str:
    """One self-contained HTML page."""
    return sheet.page(result, _sheet(result), command=command, when=when)


def fragment(result: GeneratorEvaluation) -> str:
    """HTML for a notebook cell."""
    return sheet.fragment(_sheet(result))


def _sheet(r: GeneratorEvaluation) -> sheet.Sheet:
    rows = [
        _row("Jensen–Shannon, nats", r.js),
        _row("KL(real‖mixture): missing", r.kl_real),
        _row("KL(generated‖mixture): invented", r.kl_generated),
        ("a classifier proves JS ≥", r.classifier_bound.method, number(r.classifier_bound.low), ""),
        ("p-value of no difference", "shuffled sides", number(r.p_value, digits=2), ""),
        ("Fréchet distance", "a legacy yardstick, no divergence", number(r.frechet), ""),
    ]
    if r.bits_per_dimension is not None:
        rows.append(_row("bits per dimension", r.bits_per_dimension))
    end = max([0.01, *(max(p.kl_real, p.kl_generated) for p in r.frontier)])
    axes = sheet.Axes((0.0, end), (0.0, end), ("KL(generated‖mixture): invented", "KL(real‖mixture): missing"))
    points = [(p.kl_generated, p.kl_real) for p in r.frontier]
    parts: list[sheet.Table | sheet.Figure] = [
        sheet.Table(
            "How far apart", ("", "how", "value", f"{r.js.level:.0%} interval"), tuple(rows), names=2, under=True
        ),
        sheet.Figure(
            "Divergence frontier",
            axes.line(points).dots(points).svg("divergence frontier"),
            "Nearer to the corner is better.",
        ),
    ]
    for title, regions in (("What is missing", r.missing), ("What is invented", r.invented)):
        if regions:
            head = ("region", "examples, rows", "of real", "of generated", "p")
            parts.append(sheet.Table(title, head, tuple(map(_region, regions)), names=2))
    lede = (
        f"{r.n[0]:,} real and {r.n[1]:,} generated samples in {r.dimensions} dimensions, put into {r.buckets} buckets."
    )
    return sheet.Sheet("evaluate-generator", headline(r), lede, (), tuple(parts), r.notes)


def _row(name: str, e: Estimate) -> tuple[str, str, str, str]:
    return name, e.method, number(e.value), f"[{number(e.low)}, {number(e.high)}]"


def _region(r: Region) -> tuple[str, str, str, str, str]:
    examples = ", ".join(f"{i:,}" for i in r.examples)
    return (
        r.label or f"region {r.bucket}",
        examples,
        percent(r.share_real),
        percent(r.share_generated),
        number(r.p_value),
    )
