"""A comparison on the terminal: what moved most first, as one line per column where it is wide, else two."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from kullback.result.comparison import Column, Comparison
from kullback.show import text as words
from kullback.show.bars import split_bar
from kullback.show.comparison.drivers import in_words, sides, top_driver

STYLES = {
    "fewer": "#3a8fd9",
    "more": "#e07b1a",
    "over": "#e07b1a",
    "flag": "bold #e07b1a",
    "quiet": "dim",
    "name": "bold",
}
WIDE = 140  # from here on everything about a column fits on one line


def scale_end(result: Comparison) -> float:
    """Where the scale of d ends: what is far apart anyway does not shrink the others, and nothing small looks large."""
    return min(2.0, max([0.5, *(column.d_eq for column in result.columns)]))


def flags(column: Column) -> list[str]:
    """What a reader has to know besides the number and the top driver, where it applies."""
    top = top_driver(column) if column.kl > 0 else None
    found = []
    if column.vanished_mass > 0:
        said = top is not None and top.current == 0 and math.isclose(top.reference, column.vanished_mass)
        found.append("∞" if said else f"∞ {words.percent(column.vanished_mass)} vanished")
    if column.new_mass > 0 and not (top and top.reference == 0 and math.isclose(top.current, column.new_mass)):
        found.append(f"{words.percent(column.new_mass)} new")
    r = column.missing.reference / max(1, column.rows.reference)
    c = column.missing.current / max(1, column.rows.current)
    if (r or c) and not (top and top.cells[0].kind == "missing"):
        before, after = words.percents(r, c)
        found.append(f"missing {before}" if before == after else f"missing {before} → {after}")
    return found


class ComparisonTable:
    """A comparison as rich draws it; `top` limits the columns (None: all), `written` names files to point to."""

    def __init__(self, result: Comparison, *, top: int | None = None, written: Sequence[object] = ()) -> None:
        self.result, self.top, self.written = result, top, written

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lines no wider than the console."""
        width = max(40, options.max_width)
        ascii_only = options.ascii_only
        drawing = _Drawing(
            self.result, width, colour=console.color_system is not None and not console.no_color, ascii_only=ascii_only
        )
        for line in drawing.lines(self.top, self.written):
            line.no_wrap, line.overflow = True, "crop"
            if ascii_only:
                line = _to_ascii(line)
            yield line


class _Drawing:
    def __init__(self, result: Comparison, width: int, *, colour: bool, ascii_only: bool) -> None:
        self.result, self.width, self.colour, self.ascii_only = result, width, colour, ascii_only
        self.wide = width >= WIDE
        self.end = scale_end(result)
        longest = max([6, *(cell_len(words.name(column.name, limit=60)) for column in result.columns)])
        self.name = min(longest, 28 if self.wide else max(10, min(24, width - 52)))
        self.bar = 20 if self.wide else max(4, min(32, width - self.name - 36))

    def lines(self, top: int | None, written: Sequence[object]) -> list[Text]:
        result = self.result
        shown = result.columns if top is None else result.columns[: max(0, top)]
        lines = [*self._header(), Text()]
        if shown:
            lines.append(self._heads())
            for column in shown:
                lines += self._row(column)
        left = len(result.columns) - len(shown)
        if left:
            most = words.number(result.columns[len(shown)].kl)
            lines.append(
                Text(f" … {words.plural(left, 'more column')}, KL {most} {result.unit} or less", STYLES["quiet"])
            )
        if shown:
            lines += [Text(), *self._legend(shown)]
        for block in (self._schema(), self._written(written)):
            if block:
                lines += [Text(), *block]
        return lines

    def _header(self) -> list[Text]:
        sources = [("reference", self.result.reference, "fewer"), ("current", self.result.current, "more")]
        rows = [words.plural(source.rows, "row") for _, source, _ in sources]
        room = self.width - 14 - max(map(len, rows)) - 2
        names = [_cut_left(words.visible(source.source), room) for _, source, _ in sources]
        size = max(map(cell_len, names))
        lines = []
        for (side, _, style), shown, count in zip(sources, names, rows, strict=True):
            line = Text(" ")
            line.append(self._sign(style) + " ", STYLES[style])
            line.append(f"{side:<10} ", STYLES["quiet"])
            line.append(set_cell_size(shown, size) + "  ", STYLES["name"])
            line.append(count.rjust(max(map(len, rows))), STYLES["quiet"])
            lines.append(line)
        return lines

    def _sign(self, side: str) -> str:
        if self.ascii_only:
            return "=" if side == "fewer" else "#"
        return "█" if self.colour or side == "more" else "░"

    def _heads(self) -> Text:
        unit = "KL " + self.result.unit
        head = f" {'column':<{self.name}}  {'kind':<11}  {unit:>9}  {'d':>5}  "
        if self.wide:
            head += f"{'moved':<{self.bar}}  what drives it"
        else:
            head += "moved"
        return Text(head, STYLES["quiet"])

    def _row(self, column: Column) -> list[Text]:
        moved = column.kl > 0
        line = Text(" ")
        line.append(_fit(words.name(column.name), self.name), STYLES["name"] if moved else "")
        line.append(f"  {column.kind:<11}", STYLES["quiet"])
        line.append(f"  {words.fixed(column.kl):>9}", "" if moved else STYLES["quiet"])
        line.append(f"  {words.fixed(column.d_eq, decimals=2):>5}  ", "" if moved else STYLES["quiet"])
        fewer, more = sides(column)
        part = column.d_eq / max(fewer + more, 1e-300)
        bar = split_bar(
            fewer * part, more * part, full=self.end, width=self.bar, colour=self.colour, ascii_only=self.ascii_only
        )
        for signs, role in bar:
            line.append(signs, STYLES[role])
        if self.wide:
            line.append(" " * (self.bar - sum(len(signs) for signs, _ in bar)) + "  ")
            return [line.append_text(self._why(column, self.width - line.cell_len))]
        why = self._why(column, self.width - 3)
        return [line, Text("   ").append_text(why)] if why else [line]

    def _why(self, column: Column, room: int) -> Text:
        """The top driver in words, then the flags that have room."""
        why = Text(in_words(column))
        why.truncate(room, overflow="ellipsis")
        for flag in flags(column):
            more = Text().append(" · " if why else "", STYLES["quiet"])
            more.append(flag, STYLES["flag"] if flag.startswith("∞") else STYLES["quiet"])
            if why.cell_len + more.cell_len > room:
                if flag.startswith("∞") and why.cell_len + 4 <= room:
                    why.append(" · ", STYLES["quiet"]).append("∞", STYLES["flag"])
                break
            why.append_text(more)
        return why

    def _legend(self, shown: Sequence[Column]) -> list[Text]:
        quiet = STYLES["quiet"]
        lines = [Text(" d      like a mean shift of d standard deviations (two bell curves d apart)", quiet)]
        bar = Text(" ").append("moved  d, as ", quiet)
        bar.append(self._sign("fewer") * 2, STYLES["fewer"]).append(" what there is less of and ", quiet)
        bar.append(self._sign("more") * 2, STYLES["more"]).append(" more of in current", quiet)
        lines.append(bar)
        if any(column.vanished_mass > 0 for column in shown):
            lines.append(Text(" ∞      current lacks values that reference has: unsmoothed, KL is infinite", quiet))
        return lines

    def _schema(self) -> list[Text]:
        blocks = [
            ("only in reference", [words.name(name) for name in self.result.only_in_reference]),
            ("only in current", [words.name(name) for name in self.result.only_in_current]),
            ("skipped", [f"{words.name(skip.name)}: {words.visible(skip.why)}" for skip in self.result.skipped]),
        ]
        lines = []
        for head, items in blocks:
            separator = "" if head == "skipped" else ", "
            rows = _fill(items, self.width - 21, separator) if separator else items
            for i, item in enumerate(rows):
                line = Text(" ").append(f"{head if i == 0 else '':<18} ", STYLES["quiet"]).append(item)
                line.truncate(self.width, overflow="ellipsis")
                lines.append(line)
        return lines

    def _written(self, written: Sequence[object]) -> list[Text]:
        return [
            Text(" ").append(f"{'written' if i == 0 else '':<18} ", STYLES["quiet"]).append(words.visible(path))
            for i, path in enumerate(written)
        ]


def _fit(text: str, size: int) -> str:
    """Cut or padded to a width in character cells (a Chinese character is two)."""
    if cell_len(text) > size:
        text = set_cell_size(text, size - 1).rstrip() + "…"
    return set_cell_size(text, size)


def _cut_left(text: str, size: int) -> str:
    """A path loses its beginning first: the end names the file."""
    while cell_len(text) > size:
        text = "…" + text[2:] if text.startswith("…") else "…" + text[1:]
    return text


def _fill(items: list[str], width: int, separator: str) -> list[str]:
    """Items joined into lines of at most `width`."""
    lines: list[str] = []
    for item in items:
        if lines and cell_len(lines[-1]) + len(separator) + cell_len(item) <= width:
            lines[-1] += separator + item
        else:
            lines.append(item)
    return lines


def _to_ascii(line: Text) -> Text:
    plain = Text(no_wrap=True, overflow="crop")
    for segment in line.divide(sorted({edge for span in line.spans for edge in (span.start, span.end)})):
        style = segment.spans[0].style if segment.spans else segment.style
        plain.append(words.ascii_only(segment.plain), style)
    return plain


def terminal(result: Comparison, *, top: int | None = None, written: Sequence[object] = ()) -> ComparisonTable:
    """A rich renderable: the columns that moved most first, what drives them, and what could not be compared."""
    return ComparisonTable(result, top=top, written=written)
