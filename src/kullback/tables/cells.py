"""From an engine's tally to the cells of a column, in their order and with their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback.result.comparison import CellKind
from kullback.tables import labels
from kullback.tables.counts import TICKS, Pair, Range, Tally

# States stand after the values, in this order.
_STATES: tuple[CellKind, ...] = ("-inf", "inf", "nan", "other", "empty", "missing")


@dataclass(frozen=True, slots=True)
class Counted:
    """One cell that is not empty on both sides; `low` and `high` place it on the axis of an ordered column."""

    kind: CellKind
    label: str
    reference: int
    current: int
    low: float | None = None
    high: float | None = None


def of_values(tally: Tally) -> list[Counted]:
    """The cells of a column without order: the largest first, then the states."""
    n, m = max(1, sum(r for _, r, _ in tally.values)), max(1, sum(c for _, _, c in tally.values))
    ranked = sorted(tally.values, key=lambda value: (-(value[1] / n + value[2] / m), value[0]))
    return [Counted("value", label, r, c) for label, r, c in ranked] + of_states(tally)


def of_bins(tally: Tally, pair: Pair, edges: Sequence[float | int], range_: Range) -> list[Counted]:
    """The cells of an ordered column from low to high, then the states."""
    least, greatest = range_
    lows = [least, *edges]
    highs = [*edges, greatest]
    last = len(edges)
    own = [_is_value(pair, low, high, last=i == last) for i, (low, high) in enumerate(zip(lows, highs, strict=True))]
    # A bin that begins right after a single value v is shown as (v, …), not by the next floating-point number.
    after = [i > 1 and own[i - 1] and not pair.whole for i in range(last + 1)]
    shown = [lows[i - 1] if after[i] else lows[i] for i in range(last + 1)]
    filled = [i for i in range(last + 1) if tally.bins[:, i].any()]
    names = _names(pair, [end for i in filled if not own[i] for end in (shown[i], highs[i])])
    cells = []
    for i in filled:
        r, c = (int(n) for n in tally.bins[:, i])
        low, high = on_axis(pair, lows[i]), on_axis(pair, highs[i])
        if own[i]:
            cells.append(Counted("value", _own_name(pair, lows[i]), r, c, low, low))
        else:
            brackets = "(" if after[i] else "[", "]" if i == last else ")"
            label = f"{brackets[0]}{names[shown[i]]}, {names[highs[i]]}{brackets[1]}"
            cells.append(Counted("bin", label, r, c, low, high))
    return cells + of_states(tally)


def of_states(tally: Tally) -> list[Counted]:
    """Missing, NaN, ±inf, the empty string and what has no cell of its own."""
    return [
        Counted(kind, labels.STATE_LABELS[kind], *tally.states[kind])
        for kind in _STATES
        if any(tally.states.get(kind, (0, 0)))
    ]


def on_axis(pair: Pair, x: Any) -> float | int | None:
    """A number as the result states it: seconds for times."""
    number: float | int | None = x if x is None or pair.kind == "numeric" else x / TICKS
    return number


def _is_value(pair: Pair, low: Any, high: Any, *, last: bool) -> bool:
    """Whether a bin can hold one value only."""
    if low is None or high is None:
        return False
    if last:
        return bool(low == high)
    if pair.whole:
        return bool(high - low == 1)
    return bool(high == np.nextafter(low, np.inf))


def _names(pair: Pair, ends: Sequence[Any]) -> dict[Any, str]:
    distinct = sorted(set(ends))
    if pair.kind == "numeric":
        return dict(zip(distinct, labels.numbers(distinct), strict=True))
    return dict(zip(distinct, labels.times(distinct, pair.kind), strict=True))


def _own_name(pair: Pair, x: Any) -> str:
    """The name of a single value has all its digits."""
    if pair.kind != "numeric":
        return labels.times([x], pair.kind)[0]
    if x == int(x) and abs(x) < 1e15:
        return str(int(x))
    if pair.reference.type == pair.current.type == "FLOAT":
        return str(np.float32(x))
    return str(x) if isinstance(x, int) else repr(float(x))
