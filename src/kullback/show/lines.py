"""Lines for a terminal of any width: what does not fit goes onto a line of its own, and nothing is cut off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rich.console import Console, ConsoleOptions
from rich.text import Text

from kullback.show import text

_GAP = re.compile(r"(?<=\S)\s{2,}(?=\S)")  # between the columns of a line


def fitted(lines: Iterable[Text], console: Console, options: ConsoleOptions) -> Iterator[Text]:
    """Lines no wider than the console. A line is cut at the last of its columns that fits, else between words."""
    for line in lines:
        shown = Text(text.ascii_only(line.plain), style=line.style) if options.ascii_only else line
        yield from _wrapped(shown, console, options.max_width)


def _wrapped(line: Text, console: Console, width: int) -> Iterator[Text]:
    line.rstrip()
    if line.cell_len <= width:
        yield _still(line)
        return
    gaps = [gap for gap in _GAP.finditer(line.plain) if line[: gap.start()].cell_len <= width]
    if gaps and line.plain[: gaps[-1].start()].strip():
        head, rest, indent = line[: gaps[-1].start()], line[gaps[-1].end() :], 4
        yield _still(head)
    else:
        rest, indent = line, 0
    indent = min(indent, max(width - 20, 0))
    for part in rest.wrap(console, width - indent):
        part.rstrip()
        yield _still(Text(" " * indent) + part)


def _still(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
