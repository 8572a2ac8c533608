"""A comparison as a page and as a notebook fragment: what moved most first, each column with its distributions."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kullback.result.comparison import Cell, Column, Comparison
from kullback.show import report
from kullback.show.comparison.shapes import profile, rows
from kullback.show.comparison.svg import bar, densities, shares_of, sparkline, tick_marks
from kullback.show.comparison.table import flags, scale_end
from kullback.show.comparison.words import Driver, drivers, in_order, in_words, label, shares, sides, where
from kullback.show.text import percents

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
    values = {
        "command": command,
        "when": when,
        "result": result,
        "headline": _headline(result),
        "items": [_item(column, i, end, most=5 if len(result.columns) <= 40 else 3) for i, column in enumerate(result.columns, 1)],
        "grid": tick_marks(end),
        "anything_vanished": any(column.vanished_mass > 0 for column in result.columns),
    }
    html = ""
    for detail in _DETAILS:
        html = report.render("comparison/page.html", data=_data(plain, detail), detail=detail, **values)
        if len(html.encode()) <= LIMIT * max(1.0, len(result.columns) / 100):
            break
    return html


def fragment(result: Comparison, *, top: int = 20) -> str:
    """HTML for a notebook cell: the ranked table of the `top` columns."""
    end = scale_end(result)
    return report.render_fragment(
        "comparison/fragment.html",
        result=result,
        items=[_item(column, i, end, most=0) for i, column in enumerate(result.columns[:top], 1)],
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
        "left_out": "digits after the sixth, of edges after the tenth; low and high of cells (see edges); of columns with cells_left_out, those cells",
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
    return [_ten(one) for one in value] if isinstance(value, list) else float(f"{value:.10g}") if isinstance(value, float) else value


def _six(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _headline(result: Comparison) -> dict[str, Any]:
    moved = [column for column in result.columns if column.kl > 0]
    top = moved[0] if moved else None
    return {
        "top": top,
        "why": _together(in_words(top)) if top else "",
        "moved": len(moved),
        "all": len(result.columns),
        "others": moved[1:3],
        "vanished": sum(column.vanished_mass > 0 for column in result.columns),
        "new": sum(column.new_mass > 0 for column in result.columns),
    }


@dataclass(frozen=True, slots=True)
class _Part:
    """A row of the table of drivers."""

    label: str
    reference: str
    current: str
    contribution: float
    length: int  # of its bar, negative to the left


def _item(column: Column, i: int, end: float, *, most: int) -> dict[str, Any]:
    """What the templates need to know about a column."""
    fewer, more = sides(column)
    total = fewer + more
    length = column.d_eq / total if total else 0.0
    missing = [side / rows if rows else 0.0 for side, rows in _missing(column)]
    drawn = profile(column)
    found = rows(column, most=8 if drawn is None else 4)
    return {
        "i": i,
        "column": column,
        "why": _together(in_words(column)),
        "flags": [flag for flag in flags(column) if not flag.startswith("missing")],
        "missing": [_together(text) for text in percents(*missing)] if any(missing) else None,
        "missing_change": abs(missing[1] - missing[0]),
        "bar": bar(fewer * length, more * length, end),
        "spark": sparkline(drawn, found),
        "figure": None if drawn is None else densities(drawn),
        "rows": shares_of(found, beside_axis=drawn is not None),
        "parts": _parts(column, most),
        "counts": _counts(column),
        "facts": _facts(column),
    }


def _counts(column: Column) -> list[tuple[str, int, int, float, str]]:
    """Every cell: values in their order first, then the states; where there is no order, as the result has them."""
    ordered = in_order(column)
    first = {id(cell) for cell in ordered}
    return [_count(column, cell) for cell in [*ordered, *(cell for cell in column.cells if id(cell) not in first)]]


def _together(words: str) -> str:
    """No line break between a number and its sign."""
    return words.replace(" %", "\u00a0%").replace(" → ", "\u00a0→\u00a0")


def _missing(column: Column) -> tuple[tuple[int, int], tuple[int, int]]:
    return (column.missing.reference, column.rows.reference), (column.missing.current, column.rows.current)


def _count(column: Column, cell: Cell) -> tuple[str, int, int, float, str]:
    r, c = shares(column, cell)
    return label(cell, column.kind), cell.reference, cell.current, cell.contribution, _sign(r, c)


def _sign(reference: float, current: float) -> str:
    return "▲" if current > reference else "▼" if current < reference else ""


def _parts(column: Column, most: int) -> list[_Part]:
    """The drivers that matter, and one row for all the others, so that the rows add up to the smoothed KL."""
    found = [driver for driver in drivers(column) if driver.contribution > 0]
    if most < 1 or not found or not column.kl > 0:
        return []
    first = found[:most] if len(found) > most + 1 else found
    largest = max(driver.contribution for driver in first)
    parts = [_part(column, driver, largest) for driver in first]
    rest = found[len(first) :]
    if rest:
        r, c = sum(driver.reference for driver in rest), sum(driver.current for driver in rest)
        total = sum(driver.contribution for driver in rest)
        parts.append(_Part(f"({len(rest):,} others)", *percents(r, c), total, 0))
    return parts


def _part(column: Column, driver: Driver, largest: float) -> _Part:
    name = where(driver, column.kind, quoted=False)
    sign = _sign(driver.reference, driver.current)
    length = round(48 * driver.contribution / largest) or 1
    return _Part(name, *map(_together, percents(driver.reference, driver.current)), driver.contribution, -length if sign == "▼" else length)


def _facts(column: Column) -> Sequence[tuple[str, float | None]]:
    return (
        ("KL(Q‖P)", column.kl_reverse),
        ("JS", column.js),
        ("PSI", column.psi),
        ("KL raw", column.kl_raw),
        ("KL(Q‖P) raw", column.kl_reverse_raw),
        ("total variation", column.total_variation),
        ("Hellinger", column.hellinger),
        ("KL smoothed", column.kl_smoothed),
        ("H(P)", column.entropy_reference),
        ("H(Q)", column.entropy_current),
        ("H(P, Q)", column.cross_entropy),
        *((("KS", column.ks), ("Wasserstein", column.wasserstein)) if column.ks is not None else ()),
    )
