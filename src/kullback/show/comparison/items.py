"""What the templates of a comparison need to know about a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kullback.result.comparison import Cell, Column
from kullback.show.comparison.cells import in_order, label, shares
from kullback.show.comparison.drivers import Driver, drivers, in_words, sides, where
from kullback.show.comparison.shapes import profile, rows
from kullback.show.comparison.svg import bar, densities, shares_of, sparkline
from kullback.show.comparison.table import flags
from kullback.show.text import percents


@dataclass(frozen=True, slots=True)
class _Part:
    """A row of the table of drivers."""

    label: str
    reference: str
    current: str
    contribution: float
    length: int  # of its bar, negative to the left


def item(column: Column, i: int, end: float, *, most: int) -> dict[str, Any]:
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
        "why": together(in_words(column)),
        "flags": [flag for flag in flags(column) if not flag.startswith("missing")],
        "missing": [together(text) for text in percents(*missing)] if any(missing) else None,
        "missing_change": abs(missing[1] - missing[0]),
        "bar": bar(fewer * length, more * length, end),
        "spark": sparkline(drawn, found),
        "figure": None if drawn is None else densities(drawn),
        "rows": shares_of(found, beside_axis=drawn is not None),
        "parts": _parts(column, most),
        "facts": _facts(column),
    }


def counts(column: Column) -> list[tuple[str, int, int, float, str]]:
    """Every cell: values in their order first, then the states; where there is no order, as the result has them."""
    ordered = in_order(column)
    first = {id(cell) for cell in ordered}
    return [_count(column, cell) for cell in [*ordered, *(cell for cell in column.cells if id(cell) not in first)]]


def together(words: str) -> str:
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
        before, after = percents(sum(driver.reference for driver in rest), sum(driver.current for driver in rest))
        total = sum(driver.contribution for driver in rest)
        parts.append(_Part(f"({len(rest):,} others)", together(before), together(after), total, 0))
    return parts


def _part(column: Column, driver: Driver, largest: float) -> _Part:
    name = where(driver, column.kind, quoted=False)
    before, after = percents(driver.reference, driver.current)
    length = round(48 * driver.contribution / largest) or 1
    signed = length if driver.more else -length
    return _Part(name, together(before), together(after), driver.contribution, signed)


def _facts(column: Column) -> Sequence[tuple[str, float | None]]:
    distance = "Wasserstein, s" if column.kind == "datetime" else "Wasserstein"
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
        *((("KS", column.ks), (distance, column.wasserstein)) if column.ks is not None else ()),
    )
