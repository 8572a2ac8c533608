"""Round numbers and dates for an axis."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from kullback.show.text import trimmed

DAY = 86_400.0
# Steps between ticks in seconds, and how a tick of that step is written.
_STEPS = [(m * 60.0, "%H:%M") for m in (1, 2, 5, 10, 15, 30)] + [(h * 3600.0, "%H:%M") for h in (1, 2, 3, 6, 12)]
_DAYS = [(d * DAY, "%-d %b") for d in (1, 2, 5, 10, 20)]
_MONTHS = [(1, "%b %Y"), (2, "%b %Y"), (3, "%b %Y"), (6, "%b %Y")]


def numbers(low: float, high: float, *, most: int = 6) -> list[tuple[float, str]]:
    """Multiples of 1, 2 or 5 times a power of ten between `low` and `high`."""
    if not (math.isfinite(low) and math.isfinite(high) and high > low):
        return [(low, trimmed(low))] if math.isfinite(low) else []
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    if step == 0 or not math.isfinite(step):
        return []
    first = math.ceil(low / step - 1e-9)
    values = [(first + i) * step for i in range(most + 2)]
    digits = max(1, math.ceil(math.log10(max(abs(low), abs(high)) / step)) + 1)  # enough to tell two ticks apart
    return [(v, trimmed(v, digits=max(4, digits))) for v in values if low - 1e-9 * step <= v <= high + 1e-9 * step]


def moments(low: float, high: float, *, most: int = 5) -> list[tuple[float, str]]:
    """Whole minutes, hours, days, months or years between two times in seconds since 1970-01-01 UTC."""
    raw = (high - low) / most
    try:
        start, stop = datetime.fromtimestamp(low, UTC), datetime.fromtimestamp(high, UTC)
    except (OverflowError, ValueError, OSError):
        return []
    for step, form in _STEPS + _DAYS:
        if step >= raw:
            first = math.ceil(low / step)
            return [(v, _written(v, form)) for v in ((first + i) * step for i in range(most + 1)) if v <= high]
    months = next((m for m, _ in _MONTHS if m * 30 * DAY >= raw), None)
    if months is None:
        years = numbers(start.year, stop.year + 1, most=most)
        found = [
            (datetime(int(y), 1, 1, tzinfo=UTC).timestamp(), f"{int(y)}")
            for y, _ in years
            if 1 <= y <= 9999 and y == int(y)
        ]
        return [tick for tick in found if low <= tick[0] <= high]
    found = []
    month = datetime(start.year, 1, 1, tzinfo=UTC)
    while month <= stop:
        if month >= start:
            found.append((month.timestamp(), month.strftime("%b %Y")))
        year, index = divmod(month.month - 1 + months, 12)
        month = month.replace(year=month.year + year, month=index + 1)
    return found


def _written(seconds: float, form: str) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{moment.day} {moment:%b}" if form == "%-d %b" else moment.strftime(form)
