"""An evaluation on the terminal: the loss and its terms, the ladder, where it sits, single rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from kullback.result.estimate import Estimate
from kullback.result.evaluation import Evaluation
from kullback.show import text
from kullback.show.evaluation import words
from kullback.show.lines import fitted

_SCORES = {
    "accuracy": "accuracy",
    "brier": "Brier",
    "calibration_error": "calibration error (top label)",
    "crps": "CRPS",
    "coverage_90": "coverage of 90 % intervals",
}


class EvaluationTable:
    """An evaluation as rich draws it; `top` limits slices and rows for review."""

    def __init__(self, result: Evaluation, *, top: int = 8, written: tuple[object, ...] = ()) -> None:
        self.result, self.top, self.written = result, top, written

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lines no wider than the console."""
        yield from fitted(self._lines(), console, options)

    def _lines(self) -> Iterator[Text]:
        r = self.result
        yield Text(words.headline(r), style="bold")
        where = f"{text.visible(r.source, limit=60)}: " if r.source else ""
        yield Text(where + words.size(r), style="dim")
        yield Text()
        yield from self._terms()
        yield from self._ladder()
        yield from self._scores()
        if r.versus is not None:
            yield Text()
            yield from (Text(line) for line in words.versus(r.versus))
        yield from self._slices()
        yield from self._review()
        for note in r.notes:
            yield Text(f"note: {note}", style="yellow")
        for path in self.written:
            yield Text(f"written: {path}", style="dim")

    def _terms(self) -> Iterator[Text]:
        r = self.result
        yield Text(f"{'':33}{'nats':>9}   {f'{r.cross_entropy.level:.0%} interval'}", style="dim")
        name = "cross-entropy" if r.kind == "classifier" else "negative log-likelihood"
        of = "H(Y)" if r.kind == "classifier" else "h(Y)"
        yield _row(name, r.cross_entropy, self._beside(), style="bold")
        if r.finite:
            yield _row(f"  zeros read as {r.finite.clip:.0e}", r.finite.cross_entropy)
        yield _row(f"= uncertainty {of}", r.uncertainty, "what base rates alone would cost")
        yield _row("− resolution", r.resolution, "what the predictions know")
        certified = f"certified ≥ {words.fixed(r.certified)}"
        yield _row("+ reliability", r.reliability, f"recalibration removes it; {certified}", style="bold")
        if r.finite:
            yield _row(f"  zeros read as {r.finite.clip:.0e}", r.finite.reliability, certified)
        yield _row("after recalibration", r.recalibrated)

    def _beside(self) -> str:
        r = self.result
        if r.kind != "classifier" or r.finite:
            return ""
        bits = r.cross_entropy.value / 0.6931471805599453
        return f"{bits:.4f} bit, perplexity {text.number(r.scores['perplexity'].value)}"

    def _ladder(self) -> Iterator[Text]:
        rungs = self.result.ladder
        if not rungs:
            return
        yield Text()
        yield Text("recalibration: what each rung saves on rows it has not seen", style="dim")
        for rung in rungs:
            mark = "▸" if rung.chosen else " "
            gain = f"{words.signed(rung.gain.value):>9}   {words.interval(rung.gain):<20}"
            line = f"{mark} {rung.name:<31}{gain}  {text.visible(rung.words)}"
            yield Text(line, style="bold" if rung.chosen else "")

    def _scores(self) -> Iterator[Text]:
        scores = self.result.scores
        said = [f"{name} {text.number(scores[key].value)}" for key, name in _SCORES.items() if key in scores]
        if "skill" in scores:
            said.insert(0, f"skill {text.number(scores['skill'].value)}")
        if said:
            yield Text()
            yield Text("   ".join(said))

    def _slices(self) -> Iterator[Text]:
        shown = [s for s in self.result.slices if s.cross_entropy.low > self._loss()][: self.top]
        if not shown:
            return
        yield Text()
        yield Text(f"{'slices that lose most':<34}{'rows':>7}{'loss':>8}   nats", style="dim")
        for s in shown:
            name = f"{text.name(s.column, limit=16)} = {text.visible(s.value, limit=16)}"
            line = f"  {name:<32}{text.percent(s.share_of_rows):>7}{text.percent(s.share_of_loss):>8}   "
            line += f"{words.fixed(s.cross_entropy.value)} {words.interval(s.cross_entropy)}"
            if s.own_gain is not None and s.own_gain.low > 0:
                line += f"  recalibrated by itself {words.signed(-s.own_gain.value)}"
            yield Text(line)

    def _loss(self) -> float:
        r = self.result
        return r.finite.cross_entropy.value if r.finite else r.cross_entropy.value

    def _review(self) -> Iterator[Text]:
        r = self.result
        if not r.review or r.cross_entropy.value == 0:
            return
        share = sum(row.share for row in r.review)
        yield Text()
        yield Text(
            f"{len(r.review)} rows hold {text.percent(share)} of the loss, the costliest 1 % "
            f"{text.percent(r.concentration)}; look at them first",
            style="dim",
        )
        for row in r.review[: min(self.top, 5)]:
            gave = "" if row.probability is None else f", which had probability {text.number(row.probability)}"
            said = f"predicted {text.visible(row.predicted, limit=24)}" if row.predicted else ""
            it_was = f"it was {text.visible(row.truth, limit=24)}{gave}"
            yield Text(f"  row {row.row:<10,} {words.fixed(row.loss):>9}   {said}; {it_was}")


def _row(name: str, e: Estimate, beside: str = "", *, style: str = "") -> Text:
    out = Text(f"{name:<33}{words.fixed(e.value):>9}   {words.interval(e):<20}", style=style)
    return out.append(f"  {beside}", style="dim not bold") if beside else out


def terminal(result: Evaluation, **options: Any) -> EvaluationTable:
    """The table, ready for `rich.print`."""
    return EvaluationTable(result, **options)
