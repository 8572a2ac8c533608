"""How cells are called: bins by their ends in as few digits as tell them apart, times as dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

from kullback.result.comparison import CellKind
from kullback.tables.counts import TICKS, Kind

STATE_LABELS: dict[CellKind, str] = {
    "missing": "(missing)",
    "nan": "(NaN)",
    "inf": "(+inf)",
    "-inf": "(-inf)",
    "empty": "(empty)",
    "other": "(other)",
}
_DAY = 86_400 * TICKS


def numbers(values: Sequence[float]) -> list[str]:
    """Each number with enough digits that different numbers look different; digits before the point all stay."""
    distinct = set(values)
    for digits in range(5, 18):
        found = [_digits(float(value), digits) for value in values]
        if len(set(found)) == len(distinct):
            return found
    return [repr(float(value)) for value in values]


def _digits(value: float, digits: int) -> str:
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        return format(value, f".{digits}g")
    before = len(str(int(size)))
    text = np.format_float_positional(value, precision=max(digits, before), fractional=False, trim="-")
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text


def times(ticks: Sequence[float], kind: Kind) -> list[str]:
    """Ticks as dates, or as dates with times where one of them is not at midnight."""
    if kind == "time":
        return [_time_of_day(int(t)) for t in ticks]
    dated = all(t % _DAY == 0 for t in ticks)
    return [_moment(int(t), dated=dated) for t in ticks]


def _moment(tick: int, *, dated: bool) -> str:
    try:
        moment = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=tick)
    except OverflowError:
        return f"{tick / TICKS:.0f} s"
    if dated:
        return moment.date().isoformat()
    whole_minutes = tick % (60 * TICKS) == 0
    return moment.isoformat(sep=" ", timespec="minutes" if whole_minutes else "auto")


def _time_of_day(tick: int) -> str:
    seconds, rest = divmod(tick, TICKS)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text + (f".{rest:06}".rstrip("0") if rest else "")
