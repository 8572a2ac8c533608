"""A comparison as a page and as a notebook fragment: what moved most first, each column with its distributions."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kullback.result.comparison import Comparison
from kullback.show import report
from kullback.show.comparison.drivers import in_words
from kullback.show.comparison.items import counts, item, together
from kullback.show.comparison.svg import tick_marks
from kullback.show.comparison.table import scale_end

LIMIT = 298_000  # bytes of a page of up to 100 columns; of the detail that does not fit, the most telling cells go last


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much of each column a page holds."""

    counts: int  # rows of the counts table; none: the script makes the table from the embedded JSON
    facts: int  # measures beside KL
    packed: bool  # the embedded JSON is compressed and leaves out what can be computed from the rest
    cells: int | None  # cells in the embedded JSON; None: all


_DETAILS = (
    _Detail(500, 20, packed=False, cells=None),
    _Detail(60, 20, packed=True, cells=None),
    _Detail(0, 6, packed=True, cells=None),
    _Detail(0, 6, packed=True, cells=24),
    _Detail(0, 6, packed=True, cells=12),
    _Detail(0, 6, packed=True, cells=6),
)
_EDGES = ("edges", "min", "max")


def page(result: Comparison, *, command: str | None = None, when: datetime | None = None) -> str:
    """One self-contained HTML page.

    Parameters
    ----------
    result : Comparison
    command : str, optional
        The command line that made it, shown in the header.
    when : datetime, optional
        The time written into the page; now where it is not given.
    """
    end = scale_end(result)
    plain = result.to_dict()
    values: dict[str, Any] = {
        "result": result,
        "headline": _headline(result),
        "counts_of": counts,
        "items": [
            item(column, i, end, most=5 if len(result.columns) <= 40 else 3)
            for i, column in enumerate(result.columns, 1)
        ],
        "grid": tick_marks(end),
        "anything_vanished": any(column.vanished_mass > 0 for column in result.columns),
    }
    html = ""
    limit = LIMIT * max(1.0, len(result.columns) / 100)
    for detail in _DETAILS:
        if _least(result, detail) > limit and detail is not _DETAILS[-1]:
            continue
        html = report.render(
            "comparison/page.html", data=_data(plain, detail), command=command, when=when, detail=detail, **values
        )
        if len(html.encode()) <= limit:
            break
    return html


def _least(result: Comparison, detail: _Detail) -> int:
    """Bytes that a page of this detail surely has: 40 for a row of counts, 90 or packed 10 for a cell in the JSON."""
    sizes = [len(column.cells) for column in result.columns]
    held = sum(min(size, detail.cells or size) for size in sizes)
    return sum(40 * min(size, detail.counts) for size in sizes) + (10 if detail.packed else 90) * held


def fragment(result: Comparison, *, top: int = 20) -> str:
    """HTML for a notebook cell: the ranked table of the `top` columns."""
    end = scale_end(result)
    return report.render_fragment(
        "comparison/fragment.html",
        result=result,
        items=[item(column, i, end, most=0) for i, column in enumerate(result.columns[:top], 1)],
        left=max(0, len(result.columns) - top),
    )


def _data(plain: dict[str, Any], detail: _Detail) -> dict[str, Any]:
    """The JSON of the result, or a packed form of it: every count, edges to ten digits, other numbers to six."""
    if not detail.packed:
        return plain
    less = plain | {"columns": [_less(column, detail.cells) for column in plain["columns"]]}
    packed = gzip.compress(json.dumps(less, separators=(",", ":"), allow_nan=False).encode(), 9, mtime=0)
    return {
        "encoding": "gzip+base64",
        "left_out": "digits after the sixth, of edges after the tenth; low and high of cells (see edges); "
        "of columns with cells_left_out, those cells",
        "data": base64.b64encode(packed).decode(),
    }


def _less(column: dict[str, Any], most: int | None) -> dict[str, Any]:
    cells = column["cells"]
    if most is not None and len(cells) > most:
        kept = {id(cell) for cell in sorted(cells, key=lambda cell: -cell["contribution"])[:most]}
        column = column | {"cells_left_out": len(cells) - most}
        cells = [cell for cell in cells if id(cell) in kept]
    short = {key: _ten(value) if key in _EDGES else _six(value) for key, value in column.items()}
    shown = ("kind", "label", "reference", "current", "contribution")
    return short | {"cells": [{key: _six(cell[key]) for key in shown} for cell in cells]}


def _ten(value: Any) -> Any:
    return (
        [_ten(one) for one in value]
        if isinstance(value, list)
        else float(f"{value:.10g}")
        if isinstance(value, float)
        else value
    )


def _six(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _headline(result: Comparison) -> dict[str, Any]:
    moved = [column for column in result.columns if column.kl > 0]
    top = moved[0] if moved else None
    return {
        "top": top,
        "why": together(in_words(top)) if top else "",
        "moved": len(moved),
        "all": len(result.columns),
        "others": moved[1:3],
        "vanished": sum(column.vanished_mass > 0 for column in result.columns),
        "new": sum(column.new_mass > 0 for column in result.columns),
    }
