"""SQL text. No name and no value of the user's appears in it: columns are c0…cn, and numbers are made by us."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kullback.result.comparison import CellKind
from kullback.tables.counts import Field, Kind

# The codes that stand beside the bins 0, 1, 2, … in one small integer.
STATE_CODES: dict[int, CellKind] = {-1: "missing", -2: "nan", -3: "inf", -4: "-inf"}

_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_WIDE = {"HUGEINT", "UHUGEINT", "BIGNUM"}
_TEXT = {"VARCHAR", "UUID", "BLOB", "BIT"}


def kind_of(type_: str) -> tuple[Kind | None, bool]:
    """How a DuckDB type is compared, and whether it holds whole numbers (or ticks) only."""
    decimal = re.fullmatch(r"DECIMAL\(\d+,(\d+)\)", type_)
    if decimal:
        return "numeric", decimal[1] == "0"
    if type_ in _WHOLE | _WIDE:
        return "numeric", True
    if type_ in ("FLOAT", "DOUBLE", "INTERVAL"):
        return "numeric", False
    if type_ == "BOOLEAN":
        return "boolean", False
    if type_ in _TEXT or (type_.startswith("ENUM(") and not type_.endswith("]")):
        return "categorical", False
    if type_ == "DATE" or (type_.startswith("TIMESTAMP") and not type_.endswith("]")):
        return "datetime", True
    if type_ in ("TIME", "TIME_NS", "TIME WITH TIME ZONE"):
        return "time", True
    if type_ in ('"NULL"', "NULL"):
        return "nothing", False
    return None, False


def column(field: Field) -> str:
    """The column itself."""
    return f"c{field.position}"


def number(field: Field, of: str | None = None) -> str:
    """An ordered column as a number: itself, its value as DOUBLE, seconds of an interval, or ticks of a time."""
    x = of or column(field)
    if field.kind in ("datetime", "time"):
        return f"epoch_us({x})"
    if field.type == "INTERVAL":
        return f"epoch({x})"
    return x if field.type in _WHOLE or field.type in ("FLOAT", "DOUBLE") else f"{x}::DOUBLE"


def text(field: Field) -> str:
    """A column of values as text."""
    return column(field) if field.type == "VARCHAR" else f"{column(field)}::VARCHAR"


def literal(edge: float) -> str:
    """One of our own numbers, with every bit; quoted, because `x--5.1` would start a comment."""
    return f"({edge})" if isinstance(edge, int) else f"'{float(edge)!r}'::DOUBLE"


def bin_code(field: Field, edges: Sequence[float | int], weights: Sequence[float]) -> str:
    """The number of the bin [edgeᵢ, edgeᵢ₊₁) that a row falls into, or the code of its state.

    A decision tree of comparisons, cut where the expected weight is halved, so that a row is asked about as many
    questions as its bin has bits of information. Null, NaN and +∞ compare as the greatest and −∞ as the least value:
    only the outer leaves need to look for them.
    """
    x, raw = number(field), column(field)
    floating = field.type in ("FLOAT", "DOUBLE")
    endless = field.kind == "datetime"  # ∞ of a date has no number
    weights = weights if len(weights) == len(edges) + 1 else [1.0] * (len(edges) + 1)

    def leaf(i: int) -> str:
        if i == len(edges):
            if floating:
                odd = f"WHEN isnan({raw}) THEN -2 WHEN isinf({raw}) THEN CASE WHEN {raw} > 0 THEN -3 ELSE -4 END "
            elif endless:
                after = f"{raw} > '1970-01-01'::{field.type}"
                odd = f"WHEN NOT isfinite({raw}) THEN CASE WHEN {after} THEN -3 ELSE -4 END "
            else:
                odd = ""
            return f"CASE WHEN {raw} IS NULL THEN -1 {odd}ELSE {i} END"
        if i == 0 and floating:
            return f"CASE WHEN isinf({raw}) THEN -4 ELSE 0 END"
        return str(i)

    def tree(low: int, high: int) -> str:
        if low == high:
            return leaf(low)
        middle = _halve(weights, low, high)
        return f"CASE WHEN {x} < {literal(edges[middle])} THEN {tree(low, middle)} ELSE {tree(middle + 1, high)} END"

    return f"({tree(0, len(edges))})::SMALLINT"


def _halve(weights: Sequence[float], low: int, high: int) -> int:
    """Where to cut the bins low…high so that both parts weigh about the same."""
    half = sum(weights[low : high + 1]) / 2
    seen = 0.0
    for i in range(low, high):
        if seen + weights[i] / 2 >= half and i > low:
            return i - 1
        seen += weights[i]
    return high - 1
