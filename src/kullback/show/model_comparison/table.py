"""A comparison of two models on the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from kullback.result.estimate import Estimate
from kullback.result.model_comparison import ModelComparison
from kullback.show import text
from kullback.show.lines import fitted
from kullback.show.model_comparison import words

_SHOWN = ("min", "0.01", "0.1", "0.5", "0.9", "0.99", "0.999", "max")
_NAMES = {"min": "min", "0.5": "median", "max": "max"}


class ModelComparisonTable:
    """The comparison as rich draws it; `top` limits groups and positions."""

    def __init__(self, result: ModelComparison, *, top: int = 5, written: tuple[object, ...] = ()) -> None:
        self.result, self.top, self.written = result, top, written

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lines no wider than the console."""
        yield from fitted(self._lines(options.max_width), console, options)

    def _lines(self, width: int) -> Iterator[Text]:
        r = self.result
        yield Text(words.headline(r), style="bold")
        yield Text(
            f"P {text.visible(r.base, limit=50)}   Q {text.visible(r.other, limit=50)}   {words.size(r)}", style="dim"
        )
        yield Text()
        yield from self._numbers()
        yield from self._quantiles(width)
        yield from self._where()
        yield from self._worst()
        for note in r.notes:
            yield Text(f"note: {note}", style="yellow")
        for path in self.written:
            yield Text(f"written: {path}", style="dim")

    def _numbers(self) -> Iterator[Text]:
        r = self.result
        how = "documents" if r.documents is not None else "positions in order"
        yield Text(f"{'':24}{'value':>11}   {f'{r.kl.level:.0%} interval ({how})':<28}iid ±", style="dim")
        effect = words.design_effect(r)
        beside = f"design effect {effect:.2f}" if effect else ""
        yield self._row("KL(P‖Q), nats", "kl", r.kl, beside, bold=True)
        yield self._row("KL(Q‖P)", "kl_reverse", r.kl_reverse)
        yield self._row("Jensen–Shannon", "js", r.js)
        yield self._row("total variation", "total_variation", r.total_variation)
        yield self._row("same top token", "same_top", r.same_top)
        if r.cross_entropy_base is not None and r.cross_entropy_other is not None:
            yield self._row(
                "cross-entropy of P", "cross_entropy_base", r.cross_entropy_base, _perplexity(r.cross_entropy_base)
            )
            yield self._row(
                "cross-entropy of Q", "cross_entropy_other", r.cross_entropy_other, _perplexity(r.cross_entropy_other)
            )
        if r.delta_cross_entropy is not None:
            yield self._row("ΔCE = KL + alignment", "delta_cross_entropy", r.delta_cross_entropy)
        if r.alignment is not None:
            yield self._row("  alignment", "alignment", r.alignment, words.direction(r))
        if r.bits_per_byte is not None:
            for name, e in zip(
                ("bits per byte of P", "bits per byte of Q", "  difference"), r.bits_per_byte, strict=True
            ):
                yield self._row(name, "", e)
        if r.delta_p is not None:
            yield self._row("Δp of the target", "delta_p", r.delta_p)
        if r.noise_floor is not None:
            yield Text(f"noise floor of the format {text.number(r.noise_floor)} nats", style="dim")
        if words.enough(r):
            yield Text(words.enough(r), style="dim")

    def _row(self, name: str, key: str, e: Estimate, beside: str = "", *, bold: bool = False) -> Text:
        interval = "" if math.isnan(e.low) and math.isnan(e.high) else f"[{text.number(e.low)}, {text.number(e.high)}]"
        iid = self.result.iid_errors.get(key)
        plain = f"{name:<24}{text.number(e.value, digits=4):>11}   {interval:<28}"
        plain += "" if iid is None or math.isnan(iid) else text.number(iid, digits=2)
        out = Text(plain, style="bold" if bold else "")
        return out.append(f"   {beside}", style="dim not bold") if beside else out

    def _quantiles(self, width: int) -> Iterator[Text]:
        r = self.result
        if not r.quantiles:
            return
        # Narrow terminals lose the outermost quantiles before the extremes.
        shown = [q for q in _SHOWN if not ((q == "0.999" and width < 89) or (q == "0.01" and width < 79))]
        yield Text()
        yield Text("quantiles" + "".join(f"{_NAMES.get(q, q):>10}" for q in shown), style="dim")
        yield Text("KL       " + "".join(f"{text.number(r.quantiles[q]):>10}" for q in shown))
        if r.delta_p_quantiles:
            yield Text("Δp       " + "".join(f"{text.number(r.delta_p_quantiles[q]):>10}" for q in shown))

    def _where(self) -> Iterator[Text]:
        kinds = list(dict.fromkeys(g.kind for g in self.result.by_position))
        for kind in kinds:
            found = [g for g in self.result.by_position if g.kind == kind]
            found = sorted(found, key=lambda g: -g.kl)[: self.top]
            yield Text()
            yield Text(f"{'by ' + kind:<24}{'positions':>11}{'of KL':>9}{'mean KL':>11}", style="dim")
            for g in found:
                name = text.visible(g.name, limit=20)
                yield Text(
                    f"  {name:<22}{text.percent(g.share):>11}{text.percent(g.share_of_kl):>9}{text.number(g.kl):>11}"
                )

    def _worst(self) -> Iterator[Text]:
        if not self.result.worst or self.result.kl.value == 0:
            return
        yield Text()
        yield Text("positions furthest apart", style="dim")
        for p in self.result.worst[: self.top]:
            said = f"  {p.index:<9,} KL {text.number(p.kl):<9}"
            if p.probability_base is not None and p.probability_other is not None:
                said += f" p(next) {text.number(p.probability_base)} → {text.number(p.probability_other)}"
            if p.context:
                said += f"   {text.visible(p.context[-60:], limit=80)}"
            yield Text(said)


def _perplexity(e: Estimate) -> str:
    return f"perplexity {text.number(math.exp(e.value), digits=4)}" if e.value < 700 else ""


def terminal(result: ModelComparison, **options: Any) -> ModelComparisonTable:
    """The table, ready for `rich.print`."""
    return ModelComparisonTable(result, **options)
