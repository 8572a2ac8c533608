"""An evaluation of a generator on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from kullback.result.estimate import Estimate
from kullback.result.generator_evaluation import GeneratorEvaluation, Region
from kullback.show import text
from kullback.show.lines import fitted


def headline(r: GeneratorEvaluation) -> str:
    """The result in one sentence."""
    if r.p_value > 0.05:
        return "Real and generated samples cannot be told apart at this size."
    said = f"Generated samples differ from real ones by JS {text.number(r.js.value)} nats"
    if r.missing_labels:
        return f"{said}; most of what is missing is {text.visible(r.missing_labels[0][0], limit=40)}."
    return f"{said}."


class GeneratorTable:
    """The evaluation as rich draws it."""

    def __init__(self, result: GeneratorEvaluation, *, top: int = 5) -> None:
        self.result, self.top = result, top

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lines no wider than the console."""
        yield from fitted(self._lines(), console, options)

    def _lines(self) -> Iterator[Text]:
        r = self.result
        yield Text(headline(r), style="bold")
        sizes = f"{r.n[0]:,} real and {r.n[1]:,} generated samples, {r.dimensions} dimensions, {r.buckets} buckets"
        yield Text(sizes, style="dim")
        yield Text()
        yield _row("Jensen–Shannon, nats", r.js, f"p = {text.number(r.p_value, digits=2)}")
        yield _row("KL(real‖mixture)", r.kl_real, "what is missing")
        yield _row("KL(generated‖mixture)", r.kl_generated, "what is invented")
        low = text.number(r.classifier_bound.low)
        yield Text(f"{'a classifier proves JS ≥':<26}{low:>10}", style="dim")
        yield Text(f"{'Fréchet distance':<26}{text.number(r.frechet):>10}   a legacy yardstick", style="dim")
        if r.bits_per_dimension is not None:
            yield _row("bits per dimension", r.bits_per_dimension, r.bits_per_dimension.method)
        yield from self._regions("missing: real samples that are hardly generated", r.missing)
        yield from self._regions("invented: generated samples that are hardly real", r.invented)
        for note in r.notes:
            yield Text(f"note: {note}", style="yellow")

    def _regions(self, title: str, regions: tuple[Region, ...]) -> Iterator[Text]:
        if not regions:
            return
        yield Text()
        yield Text(f"{title:<50}{'real':>8}{'generated':>11}", style="dim")
        for region in regions[: self.top]:
            called = text.visible(region.label, limit=20) or f"region {region.bucket}"
            name = f"{called}, such as row {region.examples[0]}"
            yield Text(f"  {name:<48}{text.percent(region.share_real):>8}{text.percent(region.share_generated):>11}")


def _row(name: str, e: Estimate, beside: str) -> Text:
    line = Text(f"{name:<26}{text.number(e.value):>10}   [{text.number(e.low)}, {text.number(e.high)}]")
    return line.append(f"   {beside}", style="dim")


def terminal(result: GeneratorEvaluation, **options: Any) -> GeneratorTable:
    """The table, ready for `rich.print`."""
    return GeneratorTable(result, **options)
