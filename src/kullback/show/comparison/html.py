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
from kullback.show.comparison.svg import bar, categories, densities, sparkline, tick_marks
from kullback.show.comparison.table import flags, scale_end
from kullback.show.comparison.words import Driver, drivers, in_order, in_words, label, shares, sides, where
from kullback.show.text import percents

LIMIT = 290_000  # bytes of a page; more detail than fits is left out, the most telling cells last


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much of each column a page shows: rows of the counts table, drivers, and cells in the embedded JSON."""

    counts: int
    drivers: int
    packed: bool
    cells: int | None


_DETAILS = (
    _Detail(400, 6, packed=False, cells=None),
    _Detail(60, 6, packed=True, cells=None),
    _Detail(24, 5, packed=True, cells=None),
    _Detail(12, 5, packed=True, cells=None),
    _Detail(0, 4, packed=True, cells=None),
    _Detail(0, 4, packed=True, cells=24),
    _Detail(0, 3, packed=True, cells=8),
)


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
    html = ""
    for detail in _DETAILS:
        html = _page(result, detail, command, when)
        if len(html.encode()) <= LIMIT:
            break
    return html


def _page(result: Comparison, detail: _Detail, command: str | None, when: datetime | None) -> str:
    end = scale_end(result)
    return report.render(
        "comparison/page.html",
        data=_data(result, detail),
        command=command,
        when=when,
        result=result,
        headline=_headline(result),
        items=[_item(column, i, end, detail) for i, column in enumerate(result.columns, 1)],
        grid=tick_marks(end),
        anything_vanished=any(column.vanished_mass > 0 for column in result.columns),
    )


def fragment(result: Comparison, *, top: int = 20) -> str:
    """HTML for a notebook cell: the ranked table of the `top` columns."""
    end = scale_end(result)
    return report.render_fragment(
        "comparison/fragment.html",
        result=result,
        items=[_item(column, i, end, _DETAILS[-1]) for i, column in enumerate(result.columns[:top], 1)],
        grid=tick_marks(end),
    )


def _data(result: Comparison, detail: _Detail) -> dict[str, Any]:
    """The JSON of the result; packed where it would not fit, and without the least telling cells if it still does not."""
    plain = result.to_dict()
    if detail.cells is not None:
        for column in plain["columns"]:
            cells = sorted(column["cells"], key=lambda cell: -cell["contribution"])
            column["cells"], column["cells_left_out"] = cells[: detail.cells], max(0, len(cells) - detail.cells)
    if not detail.packed:
        return plain
    packed = gzip.compress(json.dumps(plain, separators=(",", ":"), allow_nan=False).encode(), 9, mtime=0)
    return {"encoding": "gzip+base64", "data": base64.b64encode(packed).decode()}


def _headline(result: Comparison) -> dict[str, Any]:
    moved = [column for column in result.columns if column.kl > 0]
    top = moved[0] if moved else None
    return {
        "top": top,
        "why": in_words(top) if top else "",
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
    sign: str
    bar: Any


def _item(column: Column, i: int, end: float, detail: _Detail) -> dict[str, Any]:
    """What the templates need to know about a column."""
    fewer, more = sides(column)
    total = fewer + more
    length = column.d_eq / total if total else 0.0
    cells = list(column.cells)
    shown = sorted(cells, key=lambda cell: -cell.contribution)[: detail.counts]
    kept = {id(cell) for cell in shown}
    ordered = in_order(column)
    listed = [*ordered, *(cell for cell in cells if not any(cell is other for other in ordered))] if ordered else cells
    listed = [cell for cell in listed if id(cell) in kept]
    missing = [side / rows if rows else 0.0 for side, rows in _missing(column)]
    figure = densities(column)
    return {
        "i": i,
        "column": column,
        "why": in_words(column),
        "flags": [flag for flag in flags(column) if not flag.startswith("missing")],
        "missing": percents(*missing) if any(missing) else None,
        "missing_change": abs(missing[1] - missing[0]),
        "bar": bar(fewer * length, more * length, end),
        "spark": sparkline(column),
        "figure": figure,
        "rows": categories(column),
        "parts": _parts(column, detail.drivers),
        "counts": [_count(column, cell) for cell in listed],
        "cells": len(cells),
        "facts": _facts(column),
    }


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
    if not found or not column.kl > 0:
        return []
    first = found[:most] if len(found) > most + 1 else found
    largest = max(driver.contribution for driver in first)
    parts = [_part(column, driver, largest) for driver in first]
    rest = found[len(first) :]
    if rest:
        r, c = sum(driver.reference for driver in rest), sum(driver.current for driver in rest)
        total = sum(driver.contribution for driver in rest)
        parts.append(_Part(f"({len(rest):,} others)", *percents(r, c), total, "", None))
    return parts


def _part(column: Column, driver: Driver, largest: float) -> _Part:
    name = where(driver, column.kind)
    sign = _sign(driver.reference, driver.current)
    length = round(60 * driver.contribution / largest) or 1
    drawn = {"x": 60 - length if sign == "▼" else 60, "w": length, "c": "R" if sign == "▼" else "C"}
    return _Part(name, *percents(driver.reference, driver.current), driver.contribution, sign, drawn)


def _facts(column: Column) -> Sequence[tuple[str, float | None]]:
    return (
        ("KL(Q‖P)", column.kl_reverse),
        ("JS", column.js),
        ("PSI", column.psi),
        ("KL smoothed", column.kl_smoothed),
        ("KL raw", column.kl_raw),
        ("KL(Q‖P) raw", column.kl_reverse_raw),
        ("H(P)", column.entropy_reference),
        ("H(Q)", column.entropy_current),
        ("H(P, Q)", column.cross_entropy),
        ("total variation", column.total_variation),
        ("Hellinger", column.hellinger),
        *((("KS", column.ks), ("Wasserstein", column.wasserstein)) if column.ks is not None else ()),
    )
