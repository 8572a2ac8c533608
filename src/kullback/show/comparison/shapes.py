"""The two distributions of a column as shapes to draw: densities over an axis, or shares of categories."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from kullback.result.comparison import Cell, Column
from kullback.show import ticks
from kullback.show.comparison.cells import in_order, label, position, shares
from kullback.show.text import percent, visible

FINEST = 64  # no bar is narrower than the axis divided by this
TAIL = 0.005  # share of the rows of a side that may lie beyond the end of the axis


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of the axis: the density of each side, and what more and fewer of it contribute."""

    low: float
    high: float
    reference: float
    current: float
    more: float
    fewer: float


@dataclass(frozen=True, slots=True)
class Profile:
    """Both densities of an ordered column over one axis."""

    low: float
    high: float
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    beyond: tuple[str, ...]  # what lies outside the axis, in words


@dataclass(frozen=True, slots=True)
class _Span:
    low: float
    high: float
    reference: float
    current: float
    more: float
    fewer: float


def profile(column: Column) -> Profile | None:
    """The densities of a column with an order; None where there is none, or nothing finite to draw."""
    cells = in_order(column)
    spans = _spans(column, cells)
    if not spans:
        return None
    low, high, start, stop = _trim(spans)
    bars = _bars(spans[start:stop], (high - low) / FINEST)
    low, high = min(low, bars[0].low), max(high, bars[-1].high)
    by_name = column.kind == "datetime" and any(position(cell) is None for cell in cells)
    if by_name:
        marks = [(i + 0.5, visible(cells[i].label, limit=16)) for i in {0, len(cells) - 1}]
    elif column.kind == "datetime":
        marks = ticks.moments(low, high)
    else:
        marks = ticks.numbers(low, high)
    beyond = []
    for side, outside in (("below", spans[:start]), ("above", spans[stop:])):
        if outside:
            r, c = sum(s.reference for s in outside), sum(s.current for s in outside)
            beyond.append(f"{percent(r)} and {percent(c)} {side}")
    return Profile(low, high, tuple(bars), tuple(marks), tuple(beyond))


def _spans(column: Column, cells: list[Cell]) -> list[_Span]:
    if any(position(cell) is None for cell in cells):
        placed = [(float(i), float(i + 1)) for i in range(len(cells))]
    else:
        placed = _places(column, cells)
    found = []
    for cell, (low, high) in zip(cells, placed, strict=True):
        r, c = shares(column, cell)
        if math.isfinite(low) and math.isfinite(high):
            more = cell.contribution if c > r else 0.0
            found.append(_Span(low, max(low, high), r, c, more, cell.contribution - more))
    return sorted(found, key=lambda span: span.low)


def _places(column: Column, cells: list[Cell]) -> list[tuple[float, float]]:
    """Where each cell lies: a bin between its ends, a value half-way to those beside it, as far as bins leave room."""
    points = [position(cell) or 0.0 for cell in cells]
    values = [point for point, cell in zip(points, cells, strict=True) if cell.kind == "value"]
    reach = (
        min(
            (b - a for a, b in pairwise(values) if b > a),
            default=1.0 if len(values) == len(cells) else 0.0,
        )
        / 2
    )
    placed: list[tuple[float, float]] = []
    for i, (cell, point) in enumerate(zip(cells, points, strict=True)):
        if cell.kind == "bin":
            placed.append(_ends(column, cell))
            continue
        low = max(point - reach, min(point, placed[-1][1])) if placed else point - reach
        after = points[i + 1] if i + 1 < len(cells) and cells[i + 1].kind == "bin" else math.inf
        placed.append((low, min(point + reach, max(point, after))))
    return placed


def _ends(column: Column, cell: Cell) -> tuple[float, float]:
    low = cell.low if cell.low is not None and math.isfinite(cell.low) else column.min
    high = cell.high if cell.high is not None and math.isfinite(cell.high) else column.max
    return (math.nan if low is None else low), (math.nan if high is None else high)


def _trim(spans: list[_Span]) -> tuple[float, float, int, int]:
    """Leave out thin tails, but only where the axis becomes much shorter by it."""
    first, last = 0, len(spans) - 1
    while (
        first < last
        and max(sum(s.reference for s in spans[: first + 1]), sum(s.current for s in spans[: first + 1])) <= TAIL
    ):
        first += 1
    while last > first and max(sum(s.reference for s in spans[last:]), sum(s.current for s in spans[last:])) <= TAIL:
        last -= 1
    middle = spans[last].high - spans[first].low
    start = 0 if spans[first].low - spans[0].low <= 0.2 * middle else first
    stop = len(spans) - 1 if spans[-1].high - spans[last].high <= 0.2 * middle else last
    low, high = spans[start].low, spans[stop].high
    if not high > low:
        low, high = low - 0.5, low + 0.5
    return low, high, start, stop + 1


def _bars(spans: list[_Span], narrow: float) -> list[Bar]:
    """Densities over stretches of at least `narrow`: a shorter one takes its part of the next, mass and all."""
    bars: list[Bar] = []
    run: list[_Span] = []
    for span in spans:
        rest = span
        if run:
            edge = run[0].low + narrow
            if span.low >= edge:
                bars.append(_bar(run, least=narrow))
                run = []
            elif span.high >= edge + narrow:
                head, rest = _split(span, edge)
                bars.append(_bar([*run, head]))
                run = []
        run.append(rest)
        if rest.high - run[0].low >= narrow * (1 - 1e-9):
            bars.append(_bar(run))
            run = []
    if run:
        bars.append(_bar(run, least=narrow))
    return bars


def _split(span: _Span, at: float) -> tuple[_Span, _Span]:
    part = min(1.0, max(0.0, (at - span.low) / (span.high - span.low)))
    masses = (span.reference, span.current, span.more, span.fewer)
    head, rest = (part * mass for mass in masses), ((1 - part) * mass for mass in masses)
    return _Span(span.low, at, *head), _Span(at, span.high, *rest)


def _bar(run: list[_Span], *, least: float = 0.0) -> Bar:
    low, high = run[0].low, max(run[-1].high, run[0].low + least)
    width = (high - low) or 1.0
    r, c = sum(s.reference for s in run) / width, sum(s.current for s in run) / width
    return Bar(low, high, r, c, sum(s.more for s in run), sum(s.fewer for s in run))


@dataclass(frozen=True, slots=True)
class Row:
    """A category, or several of them together, with its share of the rows on each side."""

    label: str
    reference: float
    current: float
    together: int = 1  # how many categories it stands for


def rows(column: Column, *, most: int = 8) -> list[Row]:
    """Categories by their share on both sides; of an ordered column only what stands outside the axis."""
    ordered = {id(cell) for cell in in_order(column)}
    cells = [cell for cell in column.cells if id(cell) not in ordered]
    pairs = sorted(((*shares(column, cell), cell) for cell in cells), key=lambda row: -(row[0] + row[1]))
    found = [Row(label(cell, column.kind, limit=60), r, c) for r, c, cell in pairs[:most]]
    rest = pairs[most:]
    if len(rest) == 1:
        r, c, cell = rest[0]
        found.append(Row(label(cell, column.kind, limit=60), r, c))
    elif rest:
        found.append(Row(f"({len(rest):,} others)", sum(r for r, _, _ in rest), sum(c for _, c, _ in rest), len(rest)))
    return found
