"""The cells of a column: where they lie, how they are called, what share of the rows they hold."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, time

from kullback.result.comparison import Cell, Column
from kullback.show.text import trimmed, visible

_ENDS = re.compile(r"[\[(](.+), (.+)[\])]", re.DOTALL)
STATES = {
    "missing": "missing",
    "nan": "NaN",
    "inf": "+∞",
    "-inf": "−∞",
    "empty": "empty text",
    "other": "other values",
}


def is_state(cell: Cell) -> bool:
    """Whether the cell stands outside the values: missing, NaN, ±inf, empty or all the others."""
    return cell.kind in STATES


def position(cell: Cell) -> float | None:
    """Where a bin starts, or a number or moment lies; None for what has no place on an axis."""
    if cell.kind == "bin":
        return cell.low if cell.low is not None else -math.inf
    if cell.kind != "value":
        return None
    for read in (float, _moment):
        try:
            return read(cell.label)
        except ValueError:
            continue
    return None


def _moment(text: str) -> float:
    """A date, moment or time of day in seconds."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        clock = time.fromisoformat(text)
        return clock.hour * 3600 + clock.minute * 60 + clock.second + clock.microsecond / 1e6


def in_order(column: Column) -> list[Cell]:
    """The cells of values of an ordered column from low to high; empty where the column has no order."""
    if column.kind not in ("numeric", "datetime"):
        return []
    cells = [cell for cell in column.cells if not is_state(cell)]
    places = [position(cell) for cell in cells]
    if any(place is None for place in places):
        return cells if column.kind == "datetime" else []  # moments with cells of their own come in their order
    return [cell for _, cell in sorted(zip(places, cells, strict=True), key=lambda pair: pair[0] or 0.0)]


def ends(cell: Cell) -> tuple[str, str]:
    """The two ends of a bin as its label writes them."""
    match = _ENDS.fullmatch(cell.label)
    if cell.kind == "bin":
        low, high = match.groups() if match else ("", "")
        return _end(low, cell.low, "−∞"), _end(high, cell.high, "∞")
    text = value(cell)
    return text, text


def _end(text: str, value: float | None, none: str) -> str:
    """The end of a bin in the words of its label, unless they are hard to read (1.05e+03, 50.000000000000007)."""
    hard = ("e+" in text and value is not None and abs(value) < 1e9) or re.fullmatch(r"-?\d+\.\d{7,}", text)
    if text and not hard:
        return visible(text)
    return none if value is None else f"{value:.6g}" if text else trimmed(value)


def value(cell: Cell, *, limit: int = 40) -> str:
    """A value with a cell of its own; a number in few digits, without marks for thousands: it may be a year."""
    try:
        number = float(cell.label)
    except ValueError:
        number = 0.0
    return visible(cell.label, limit=limit) if number.is_integer() or math.isinf(number) else f"{number:.6g}"


def label(cell: Cell, kind: str, *, limit: int = 200) -> str:
    """The name of a cell in a table."""
    if is_state(cell):
        return f"({STATES[cell.kind]})"
    if cell.kind == "bin":
        low, high = ends(cell)
        return f"{low} to {high}"
    if kind != "categorical":
        return value(cell, limit=limit)
    text = visible(cell.label, limit=limit)
    return text if text and text == text.strip() else f"“{text}”"


def shares(column: Column, cell: Cell) -> tuple[float, float]:
    """The cell's share of the rows on each side."""
    return cell.reference / max(1, column.rows.reference), cell.current / max(1, column.rows.current)
