"""What moved a column, in words: which values, more or fewer, from which share to which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from kullback.result.comparison import Cell, Column
from kullback.show.comparison.cells import STATES, ends, in_order, is_state, label, shares, value
from kullback.show.text import percents, visible

SLIGHT = 0.01  # share of a column's KL below which a cell does not interrupt its neighbours
LITTLE = 0.05  # share of all that moved which such cells, side by side, may hold
SMALL = 0.1  # share of a column's KL below which its top driver does not tell the story


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
    """More (1) or fewer (-1) of each cell; cells that hardly count do not interrupt their neighbours."""
    rises = [c - r for r, c in (shares(column, cell) for cell in line)]
    own = [(rise > 0) - (rise < 0) for rise in rises]
    clear = [i for i, cell in enumerate(line) if own[i] and cell.contribution >= SLIGHT * column.kl_smoothed]
    moved = sum(map(abs, rises))
    ways = list(own)
    for left, right in pairwise([-1, *clear, len(line)]):
        between = range(left + 1, right)
        if not clear or sum(abs(rises[i]) for i in between) > LITTLE * moved:
            continue
        before, after = own[left if left >= 0 else right], own[right if right < len(line) else left]
        # Where more turns into fewer among such cells, the turn is put where it fits them best.
        turn = max(
            range(left + 1, right + 1),
            key=lambda k: sum(rises[left + 1 : k]) * before + sum(rises[k:right]) * after,
        )
        ways[left + 1 : right] = [before] * (turn - left - 1) + [after] * (right - turn)
    return ways


def where(driver: Driver, kind: str, *, quoted: bool = True) -> str:
    """`below 20`, `from 60 to 72`, `'UA'`; in a table, where it stands alone, a category needs no quotes."""
    low, high = driver.cells[0], driver.cells[-1]
    if is_state(low):
        return STATES[low.kind]
    if low is high and low.kind == "value":
        if kind != "categorical":
            return value(low, limit=60)
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
    return said if top.contribution > SMALL * column.kl_smoothed else f"many small changes · {said}"


def sides(column: Column) -> tuple[float, float]:
    """What less of something and what more of something in the current table contribute: the two add up."""
    parts = [0.0, 0.0]
    for cell in column.cells:
        r, c = shares(column, cell)
        parts[c > r] += cell.contribution
    return parts[0], parts[1]
