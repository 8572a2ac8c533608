"""What a column's cells say, in words: which values, more or fewer, from which share to which."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time

from kullback.result.comparison import Cell, Column
from kullback.show.text import percents, trimmed, visible

_ENDS = re.compile(r"[\[(](.+), (.+)[\])]", re.DOTALL)
SLIGHT = 0.01  # share of a column's KL below which a cell does not interrupt its neighbours
_STATES = {"missing": "missing", "nan": "NaN", "inf": "+∞", "-inf": "−∞", "empty": "empty text", "other": "other values"}


def is_state(cell: Cell) -> bool:
    """Whether the cell stands outside the values: missing, NaN, ±inf, empty or all the others."""
    return cell.kind in _STATES


def position(cell: Cell) -> float | None:
    """Where a bin starts, or a number or moment lies; None for what has no place on an axis."""
    if cell.kind == "bin":
        return cell.low if cell.low is not None else float("-inf")
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
    text = _value(cell)
    return text, text


def _end(text: str, value: float | None, none: str) -> str:
    """The end of a bin in the words of its label, unless they are hard to read (1.05e+03, 50.000000000000007)."""
    hard = ("e+" in text and value is not None and abs(value) < 1e9) or re.fullmatch(r"-?\d+\.\d{7,}", text)
    if text and not hard:
        return visible(text)
    return none if value is None else f"{value:.6g}" if text else trimmed(value)


def _value(cell: Cell, *, limit: int = 40) -> str:
    """A value with a cell of its own; a number in few digits, without marks for thousands: it may be a year."""
    try:
        value = float(cell.label)
    except ValueError:
        return visible(cell.label, limit=limit)
    return cell.label if value.is_integer() or not abs(value) < float("inf") else f"{value:.6g}"


def label(cell: Cell, kind: str, *, limit: int = 200) -> str:
    """The name of a cell in a table."""
    if is_state(cell):
        return f"({_STATES[cell.kind]})"
    if cell.kind == "bin":
        low, high = ends(cell)
        return f"{low} to {high}"
    if kind != "categorical":
        return _value(cell, limit=limit)
    text = visible(cell.label, limit=limit)
    return text if text and text == text.strip() else f"“{text}”"


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
    reference = sum(cell.reference for cell in cells) / max(1, column.rows.reference)
    current = sum(cell.current for cell in cells) / max(1, column.rows.current)
    return Driver(cells, sum(cell.contribution for cell in cells), reference, current, first, last)


def drivers(column: Column) -> list[Driver]:
    """What moved the column, the largest first: neighbouring bins that changed the same way count as one."""
    line = in_order(column)
    found = [_gather(column, [cell]) for cell in column.cells if not line or is_state(cell)]
    ways = _directions(column, line)
    start = 0
    for stop in range(1, len(line) + 1):
        if stop == len(line) or ways[stop] != ways[start]:
            found.append(_gather(column, line[start:stop], first=start == 0, last=stop == len(line)))
            start = stop
    return sorted(found, key=lambda driver: -driver.contribution)


def _directions(column: Column, line: list[Cell]) -> list[int]:
    """More (1) or fewer (-1) of each cell; cells that contribute next to nothing do not interrupt their neighbours."""
    rises = [c - r for r, c in (shares(column, cell) for cell in line)]
    ways = [
        0 if cell.contribution < SLIGHT * column.kl_smoothed else (rise > 0) - (rise < 0)
        for cell, rise in zip(line, rises, strict=True)
    ]
    told = [i for i, way in enumerate(ways) if way]
    if not told:
        return [1] * len(line)
    for left, right in zip([None, *told], [*told, None], strict=True):
        start, stop = (0 if left is None else left + 1), (len(line) if right is None else right)
        before, after = ways[told[0] if left is None else left], ways[told[-1] if right is None else right]
        # Where more turns into fewer among such cells, the turn is put where it fits them best.
        turns = range(start, stop + 1)
        turn = max(turns, key=lambda k: sum(rises[start:k]) * before + sum(rises[k:stop]) * after)
        ways[start:stop] = [before] * (turn - start) + [after] * (stop - turn)
    return ways


def where(driver: Driver, kind: str, *, quoted: bool = True) -> str:
    """`below 20`, `from 60 to 72`, `'UA'`; in a table, where it stands alone, a category needs no quotes."""
    low, high = driver.cells[0], driver.cells[-1]
    if is_state(low):
        return _STATES[low.kind]
    if low is high and low.kind == "value":
        if kind != "categorical":
            return _value(low, limit=60)
        return f"'{visible(low.label, limit=60)}'" if quoted else label(low, kind, limit=60)
    if driver.first and driver.last:
        return "all values"
    if driver.first and high.kind == "bin":
        return f"below {ends(high)[1]}"
    if driver.first and low.kind == "bin":
        return f"up to {ends(high)[1]}"
    if driver.last and high.kind == "bin":
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
    said = f"{said} ({before} → {after})"
    return said if top.contribution > 0.1 * column.kl_smoothed else f"many small changes · {said}"


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
