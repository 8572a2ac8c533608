"""Numbers for the inline SVG of a comparison: whole coordinates and paths of digits, nothing of the data's text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from kullback.result.comparison import Column
from kullback.show.comparison.shapes import Profile, profile, rows

WIDTH, HEIGHT = 440, 96  # of the densities
STRIP = 20  # half the height of the strip of contributions


@lru_cache(maxsize=256)
def _profile_of(column: Column) -> Profile | None:
    return profile(column)


def bar(fewer: float, more: float, end: float) -> dict[str, Any]:
    """Lengths of the two parts of a bar on a scale of 200 units that ends at `end`."""
    total = fewer + more
    over = total > end * (1 + 1e-9)
    length = 196 if over else round(200 * total / end)
    if total > 0:
        length = max(1, length)
    left = round(length * fewer / total) if total > 0 else 0
    return {"fewer": left, "more": length - left, "over": over}


def tick_marks(end: float) -> list[tuple[int, str]]:
    """Where the scale of d is marked: the usual words for small, medium and large, as far as there is room."""
    marks = [0.2, 0.5, 0.8] if end <= 1 else [0.5, 1.0, 1.5]
    return [(round(200 * mark / end), f"{mark:g}") for mark in marks if mark < end]


def _outline(bars: Sequence[tuple[int, int, int]], base: int) -> str:
    """A closed path of steps: (left, right, top) per bar, down to the base line wherever bars leave a gap."""
    if not bars:
        return ""
    path = [f"M{bars[0][0]} {base}"]
    x, y = bars[0][0], base
    for left, right, top in bars:
        if left > x:
            path.append(f"V{base}" if y != base else "")
            path.append(f"H{left}")
            y = base
        if top != y:
            path.append(f"V{top}")
        path.append(f"H{right}")
        x, y = right, top
    path.append(f"V{base}z" if y != base else "z")
    return "".join(path)


def sparkline(column: Column) -> dict[str, str]:
    """Both distributions as outlines in WIDTH by HEIGHT: densities, or shares of the largest categories side by side."""
    drawn = _profile_of(column)
    if drawn is not None:
        width = (drawn.high - drawn.low) or 1.0
        places = [
            (round(WIDTH * (b.low - drawn.low) / width), round(WIDTH * (b.high - drawn.low) / width))
            for b in drawn.bars
        ]
        heights = [(b.reference, b.current) for b in drawn.bars]
    else:
        found = rows(column)
        slot = WIDTH / max(1, len(found))
        places = [(round(slot * (i + 0.1)), round(slot * (i + 0.9))) for i in range(len(found))]
        heights = [(row.reference, row.current) for row in found]
    top = max((max(pair) for pair in heights), default=0.0) or 1.0
    paths = []
    for side in (0, 1):
        bars = [
            (left, right, HEIGHT - round((HEIGHT - 3) * pair[side] / top))
            for (left, right), pair in zip(places, heights, strict=True)
        ]
        paths.append(_outline([b for b in bars if b[1] > b[0]], HEIGHT))
    return {"reference": paths[0], "current": paths[1]}


def densities(column: Column) -> dict[str, Any] | None:
    """The axis and the strip of contributions under the densities of an ordered column."""
    drawn = _profile_of(column)
    if drawn is None:
        return None
    width = (drawn.high - drawn.low) or 1.0
    top = max([0.0, *(max(b.more, b.fewer) for b in drawn.bars)]) or 1.0
    middle = HEIGHT + STRIP + 8
    strips = {"more": "", "fewer": ""}
    for b in drawn.bars:
        left, right = (round(WIDTH * (x - drawn.low) / width) for x in (b.low, b.high))
        w = max(1, right - left - 1)
        for side, sign in (("more", -1), ("fewer", 1)):
            h = round(STRIP * getattr(b, side) / top)
            if h:
                strips[side] += f"M{left} {middle}v{sign * h}h{w}v{-sign * h}z"
    marks = [(round(WIDTH * (x - drawn.low) / width), text) for x, text in drawn.ticks]
    beyond = " and ".join(drawn.beyond)
    return {**strips, "marks": _apart(marks), "middle": middle, "beyond": beyond}


def _apart(marks: list[tuple[int, str]]) -> list[tuple[int, str, str]]:
    """Ticks with room for their labels, the outer ones anchored so that nothing is cut off."""
    kept: list[tuple[int, str, str]] = []
    free = -math.inf
    for x, text in marks:
        half = 3.2 * len(text)
        start, anchor = (
            (x, "start") if x - half < 0 else (x - 2 * half, "end") if x + half > WIDTH else (x - half, "middle")
        )
        if start >= free:
            kept.append((x, text, anchor))
            free = start + 2 * half + 8
    return kept


def categories(column: Column) -> list[dict[str, Any]]:
    """Bars of the shares of categories, and of what stands outside the axis of an ordered column."""
    found = rows(column, most=8 if _profile_of(column) is None else 4)
    top = max((max(row.reference, row.current) for row in found), default=0.0) or 1.0
    if _profile_of(column) is not None:
        top = max(top, 0.5)  # beside an axis, a few missing values must not look like many
    return [
        {"label": row.label, "r": round(290 * row.reference / top), "c": round(290 * row.current / top)}
        for row in found
    ]
