"""`Comparison`: two tables, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SCHEMA_VERSION = 1

CellKind = Literal["bin", "value", "missing", "nan", "inf", "-inf", "empty", "other"]
ColumnKind = Literal["numeric", "categorical", "boolean", "datetime"]


@dataclass(frozen=True, slots=True)
class Sides:
    """One count per side."""

    reference: int
    current: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where a table came from, and how many rows it has."""

    source: str
    rows: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A column that was not measured, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One bin, value or state of a column: rows on each side and its share of the column's `kl_smoothed`."""

    kind: CellKind
    label: str
    low: float | None
    high: float | None
    reference: int
    current: int
    contribution: float
