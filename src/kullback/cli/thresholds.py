"""`--fail-above`: which measures may not exceed what, for all columns or for one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kullback.errors import InvalidInput
from kullback.result.comparison import MEASURES, Comparison


@dataclass(frozen=True, slots=True)
class Threshold:
    """`measure` may be at most `limit`, in one column or (None) in all."""

    measure: str
    limit: float
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A column that went above its threshold."""

    column: str
    measure: str
    value: float
    limit: float


def parse(texts: Sequence[str]) -> list[Threshold]:
    """Read `js=0.1` and `column:js=0.1`; a column's own threshold takes the place of the general one."""
    found = []
    for text in texts:
        left, equals, right = text.rpartition("=")
        column, colon, measure = left.rpartition(":")
        try:
            limit = float(right)
        except ValueError:
            limit = math.nan
        if not equals or math.isnan(limit):
            msg = f"--fail-above {text}: expected MEASURE=NUMBER or COLUMN:MEASURE=NUMBER, such as js=0.1."
            raise InvalidInput(msg)
        if measure not in MEASURES:
            msg = f"--fail-above {text}: {measure!r} is not a measure. There are {', '.join(MEASURES)}."
            raise InvalidInput(msg)
        found.append(Threshold(measure, limit, column if colon else None))
    return found


def exceeded(result: Comparison, thresholds: Sequence[Threshold]) -> list[Exceeded]:
    """Every column and measure above its threshold. Infinite is above every number; what does not apply is not."""
    own = {(threshold.column, threshold.measure): threshold.limit for threshold in thresholds if threshold.column}
    for name, _ in own:
        if all(column.name != name for column in result.columns):
            msg = f"--fail-above: column {name!r} was not compared."
            raise InvalidInput(msg)
    found = []
    for column in result.columns:
        limits = {threshold.measure: threshold.limit for threshold in thresholds if threshold.column is None}
        limits |= {measure: limit for (name, measure), limit in own.items() if name == column.name}
        for measure, limit in limits.items():
            value = getattr(column, measure)
            if value is not None and value > limit:
                found.append(Exceeded(column.name, measure, value, limit))
    return found
