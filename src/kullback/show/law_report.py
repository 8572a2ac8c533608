"""How a `LawReport` is shown: a table of ticks, the counterexamples below it, and the claims."""

from __future__ import annotations

import html
from typing import Any

from kullback.errors import InvalidForm
from kullback.result.law_report import Broken, LawReport

# Laws that every measure obeys are said once, below the table.
_HEADS = {
    "symmetric": "sym",
    "triangle": "tri",
    "zero_at_equal": "zero",
    "convex": "cvx",
    "data_processing": "data",
    "additive": "add",
}
_BREAKS = {
    "symmetric": "not symmetric",
    "triangle": "breaks the triangle inequality",
    "zero_at_equal": "not zero at P = Q",
    "convex": "not convex",
    "data_processing": "grows when categories merge",
    "additive": "not additive",
}
_ACCENT = "#e07b1a"


def terminal(result: LawReport) -> Any:
    """A rich renderable."""
    from rich.console import Group
    from rich.text import Text

    parts = [_table(result), Text(), *_legend(result), Text(), *_counterexamples(result), Text(), *_claims(result)]
    return Group(*parts)


def _table(result: LawReport) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("measure", no_wrap=True)
    for head in _HEADS.values():
        table.add_column(head, justify="center", no_wrap=True, min_width=4)
    table.add_column("range", no_wrap=True)
    for row in result.measures:
        ticks = [Text("✗", _ACCENT) if row.laws[law] else Text("✓", "dim") for law in _HEADS]
        high = "∞" if row.high == float("inf") else f"{row.high:.3g}"
        table.add_row(Text(_short(row.name)), *ticks, Text(f"{row.low:g} … {high}"))
    return table


def _short(name: str) -> str:
    """`renyi_divergence α=2` for renyi_divergence(alpha=2)."""
    return name.replace("(", " ").replace(")", "").replace("alpha", "α").replace("beta", "β")


def _legend(result: LawReport) -> list[Any]:
    lines = [_line(f"{head:<5} {result.laws[law]}", style="dim") for law, head in _HEADS.items()]
    everywhere = [words for law, words in result.laws.items() if law not in _HEADS]
    return [*lines, _line(f"obeyed by all: {'; '.join(everywhere)}", style="dim")]


def _counterexamples(result: LawReport) -> list[Any]:
    lines = [_line("Counterexamples, computed just now", style="bold")]
    for row in result.measures:
        for law, broken in row.laws.items():
            if broken is not None:
                lines.append(_line(f"{_short(row.name)}: {_BREAKS[law]}", style=_ACCENT))
                lines.append(_line(f"{_names(broken)}: {broken.left:.6g} against {broken.right:.6g}", indent=3))
    return lines if len(lines) > 1 else []


def _names(broken: Broken) -> str:
    letters = ("P", "Q", "R") if len(broken.distributions) == 3 else ("P", "Q", "P′", "Q′")
    shown = [f"{n} = ({', '.join(f'{x:g}' for x in d)})" for n, d in zip(letters, broken.distributions, strict=False)]
    return ", ".join(shown)


def _claims(result: LawReport) -> list[Any]:
    lines = [_line("What is often said", style="bold")]
    for claim in result.claims:
        verdict = "true " if claim.true else "false"
        lines.append(_line(f"{verdict}  {claim.statement}", style="bold" if claim.true else f"bold {_ACCENT}"))
        lines += [_line(claim.reason, indent=8), _line(claim.numbers, indent=8, style="dim")]
    return lines


def _line(words: str, *, indent: int = 1, style: str = "") -> Any:
    """One paragraph, wrapped under its own indent."""
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(words, style), (0, 0, 0, indent))


def fragment(result: LawReport) -> str:
    """HTML for a notebook cell."""
    head = "".join(f"<th>{html.escape(h)}</th>" for h in _HEADS.values())
    rows = "".join(
        f"<tr><td>{html.escape(row.name)}</td>"
        + "".join(f"<td>{'✗' if row.laws[law] else '✓'}</td>" for law in _HEADS)
        + "</tr>"
        for row in result.measures
    )
    return f"<table><thead><tr><th>measure</th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def plot(result: LawReport, *, ax: Any = None) -> Any:
    """There is nothing to draw."""
    del result, ax
    msg = "A LawReport is a table of words; print it, or use to_dict()."
    raise InvalidForm(msg)
