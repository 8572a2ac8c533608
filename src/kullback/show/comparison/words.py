"""What a column's cells say, in words: which values, more or fewer, from which share to which."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kullback.result.comparison import Cell, Column
from kullback.show.text import percents, trimmed, visible

_ENDS = re.compile(r"[\[(](.+), (.+)[\])]", re.DOTALL)
_STATES = {
    "missing": "missing",
    "nan": "NaN",
    "inf": "+∞",
    "-inf": "−∞",
    "empty": "empty text",
    "other": "other values",
}


def is_state(cell: Cell) -> bool:
    """Whether the cell stands outside the values: missing, NaN, ±inf, empty or all the others."""
    return cell.kind in _STATES


def position(cell: Cell) -> float | None:
    """Where a bin starts, or a number lies; None for what has no place on an axis."""
    if cell.kind == "bin":
        return cell.low if cell.low is not None else float("-inf")
    if cell.kind != "value":
        return None
    try:
        return float(cell.label)
    except ValueError:
        return None


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
    if match:
        return visible(match[1]), visible(match[2])
    if cell.kind == "bin":
        low, high = cell.low, cell.high
        return ("−∞" if low is None else trimmed(low)), ("∞" if high is None else trimmed(high))
    return visible(cell.label), visible(cell.label)


def label(cell: Cell, kind: str, *, limit: int = 200) -> str:
    """The name of a cell in a table."""
    if is_state(cell):
        return f"({_STATES[cell.kind]})"
    if cell.kind == "bin":
        low, high = ends(cell)
        return f"{low} to {high}"
    text = visible(cell.label, limit=limit)
    return f"“{text}”" if kind == "categorical" and (not text or text != text.strip()) else text


@dataclass(frozen=True, slots=True)
class Driver:
    """A run of neighbouring cells that changed in one direction, or a single value."""

    cells: tuple[Cell, ...]
    contribution: float
    reference: float  # shares of the rows
    current: float
    first: bool  # whether the run begins at the lower end of the axis
    last: bool

    @property
    def more(self) -> bool:
        """Whether the current side has a larger share."""
        return self.current > self.reference


def shares(column: Column, cell: Cell) -> tuple[float, float]:
    """The cell's share of the rows on each side."""
    return cell.reference / max(1, column.rows.reference), cell.current / max(1, column.rows.current)


def _gather(column: Column, cells: Iterable[Cell], *, first: bool = False, last: bool = False) -> Driver:
    cells = tuple(cells)
    both = [shares(column, cell) for cell in cells]
    total = sum(cell.contribution for cell in cells)
    return Driver(cells, total, sum(r for r, _ in both), sum(c for _, c in both), first, last)


def drivers(column: Column) -> list[Driver]:
    """What moved the column, the largest first: neighbouring bins that changed the same way count as one."""
    line = in_order(column)
    found = [_gather(column, [cell]) for cell in column.cells if not line or is_state(cell)]
    start = 0
    for stop in range(1, len(line) + 1):
        if stop == len(line) or _direction(column, line[stop]) != _direction(column, line[start]):
            found.append(_gather(column, line[start:stop], first=start == 0, last=stop == len(line)))
            start = stop
    return sorted(found, key=lambda driver: -driver.contribution)


def _direction(column: Column, cell: Cell) -> int:
    r, c = shares(column, cell)
    return (c > r) - (c < r)


def where(driver: Driver, kind: str) -> str:
    """`below 20`, `from 60 to 72`, `'UA'`."""
    low, high = driver.cells[0], driver.cells[-1]
    if is_state(low):
        return _STATES[low.kind]
    if low.kind != "bin" or high.kind != "bin":
        if low is not high:
            return f"from {label(low, kind, limit=40)} to {label(high, kind, limit=40)}"
        text = visible(low.label, limit=60)
        return f"'{text}'" if kind == "categorical" else text
    if driver.first and driver.last:
        return "all values"
    if driver.first:
        return f"below {ends(high)[1]}"
    if driver.last:
        return f"from {ends(low)[0]} up"
    return f"from {ends(low)[0]} to {ends(high)[1]}"


def top_driver(column: Column) -> Driver:
    """What moved the column most; that all values became more or fewer is better said by what is not a value."""
    found = drivers(column)
    return next((driver for driver in found if not (driver.first and driver.last)), found[0])


def in_words(column: Column) -> str:
    """The top driver of a column: `more 'UA' (12 % → 31 %)`; empty where nothing moved."""
    if not column.kl > 0:
        return ""
    top = top_driver(column)
    before, after = percents(top.reference, top.current)
    place = where(top, column.kind)
    if top.current == 0:
        said = f"vanished: {place}"
    elif top.reference == 0:
        said = f"new: {place}"
    else:
        said = f"{'more' if top.more else 'fewer'} {place}"
    return f"{said} ({before} → {after})"


def sides(column: Column) -> tuple[float, float]:
    """What less of something and what more of something in the current table contribute: the two add up."""
    parts = [0.0, 0.0]
    for cell in column.cells:
        r, c = shares(column, cell)
        parts[c > r] += cell.contribution
    return parts[0], parts[1]


def top_is(column: Column, kind: str) -> bool:
    """Whether the words about the top driver already speak of that kind of cell."""
    return column.kl > 0 and top_driver(column).cells[0].kind == kind
