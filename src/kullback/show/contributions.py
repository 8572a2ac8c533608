"""How `Contributions` are shown: the objective, and the largest parts of each split as bars."""

from __future__ import annotations

import html
from typing import Any

from kullback.result.contributions import Contributions
from kullback.show import text as words

_SHOWN = 8
_WIDTH = 32


def _rows(result: Contributions) -> list[tuple[str, list[tuple[str, float, float]]]]:
    """(split, [(name, part, share of the largest part)]) for each split, largest parts first."""
    out = []
    for split in result.per:
        top = result.top(split, _SHOWN)
        largest = max((part for _, part in top), default=0.0)
        out.append((split, [(name, part, part / largest if largest > 0 else 0.0) for name, part in top]))
    return out


def _title(result: Contributions) -> str:
    penalty = f", of it penalty {words.number(result.penalty)}" if result.penalty else ""
    return f"{result.objective} = {words.number(result.value)} {result.unit}{penalty}"


def terminal(result: Contributions) -> Any:
    """A rich renderable."""
    from rich.console import Group
    from rich.text import Text

    lines = [Text(" ").append(words.visible(_title(result)), "bold")]
    for split, rows in _rows(result):
        count = len(result.per[split])
        lines.append(
            Text(f" per {split}" + (f", the largest {len(rows)} of {count:,}" if count > len(rows) else ""), "dim")
        )
        width = max((len(name) for name, _, _ in rows), default=0)
        for name, part, share in rows:
            bar = "█" * max(round(_WIDTH * max(share, 0.0)), 1 if part > 0 else 0)
            line = Text(f"   {words.visible(name):<{min(width, 24)}}  {words.number(part):>9}  ")
            lines.append(line.append(bar, "#e07b1a"))
    return Group(*lines)


def fragment(result: Contributions) -> str:
    """HTML for a notebook cell."""
    tables = []
    for split, rows in _rows(result):
        body = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(words.number(part))}</td>"
            f'<td><div style="background:#e07b1a;height:.7em;width:{max(share, 0.0) * 12:.2f}em"></div></td></tr>'
            for name, part, share in rows
        )
        tables.append(f"<table><caption>per {html.escape(split)}</caption>{body}</table>")
    return f"<div><p><b>{html.escape(_title(result))}</b></p>{''.join(tables)}</div>"


def page(result: Contributions) -> str:
    """One self-contained HTML page."""
    title = html.escape(_title(result))
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>{fragment(result)}</html>'


def plot(result: Contributions, *, ax: Any = None) -> Any:
    """The largest parts of the first split as horizontal bars; returns the Axes."""
    from kullback.show import figure

    rows = _rows(result)
    ax = figure.axes(ax, height=0.6 + 0.3 * (len(rows[0][1]) if rows else 1), width=6.5)
    if rows:
        split, parts = rows[0]
        ax.barh([name for name, _, _ in parts][::-1], [part for _, part, _ in parts][::-1], color=figure.CURRENT)
        ax.set_ylabel(split)
    ax.set_xlabel(result.unit)
    ax.set_title(_title(result), loc="left", fontsize=10)
    return ax
