"""Numbers for the inline SVG of a comparison: whole coordinates and paths of digits, nothing of the data's text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kullback.show.comparison.shapes import Profile, Row
from kullback.show.text import percents

WIDTH, HEIGHT = 440, 96  # of the densities
STRIP = 20  # half the height of the strip of contributions


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
    """A closed path of steps, (left, right, top) per bar, down to the base line wherever bars leave a gap."""
    steps: list[tuple[int, int]] = []  # (right, top), without gaps
    for left, right, top in bars:
        if steps and left > steps[-1][0]:
            steps.append((left, base))
        if steps and steps[-1][1] == top:
            steps[-1] = (right, top)
        else:
            steps.append((right, top))
    if not steps or all(top == base for _, top in steps):
        return ""
    x, y = bars[0][0], base
    path = [f"M{x} {y}"]
    for right, top in steps:
        path.append((f"v{top - y}" if top != y else "") + f"h{right - x}")
        x, y = right, top
    return "".join(path) + (f"V{base}" if y != base else "") + "z"


def sparkline(drawn: Profile | None, found: Sequence[Row]) -> dict[str, str]:
    """Both distributions as outlines in WIDTH by HEIGHT: densities, or shares of the largest categories."""
    if drawn is not None:
        places = [_across(drawn, b.low, b.high) for b in drawn.bars]
        heights = [(b.reference, b.current) for b in drawn.bars]
    else:
        found = [row for row in found if row.together == 1]
        slot = WIDTH / max(1, len(found))
        places = [(round(slot * (i + 0.1)), round(slot * (i + 0.9))) for i in range(len(found))]
        heights = [(row.reference, row.current) for row in found]
    top = max((max(pair) for pair in heights), default=0.0) or 1.0
    paths = []
    for side in (0, 1):
        tops = [HEIGHT - round((HEIGHT - 3) * pair[side] / top) for pair in heights]
        bars = [(left, right, y) for (left, right), y in zip(places, tops, strict=True) if right > left]
        paths.append(_outline(bars, HEIGHT))
    return {"reference": paths[0], "current": paths[1]}


def _across(drawn: Profile, *values: float) -> tuple[int, ...]:
    width = (drawn.high - drawn.low) or 1.0
    return tuple(round(WIDTH * (value - drawn.low) / width) for value in values)


def densities(drawn: Profile) -> dict[str, Any]:
    """The axis and the strip of contributions under the densities of an ordered column."""
    top = max([0.0, *(max(b.more, b.fewer) for b in drawn.bars)]) or 1.0
    middle = HEIGHT + STRIP + 8
    strips = {}
    for side, sign in (("more", -1), ("fewer", 1)):
        bars = []
        for b in drawn.bars:
            left, right = _across(drawn, b.low, b.high)
            if right > left:
                bars.append((left, right, middle + sign * round(STRIP * getattr(b, side) / top)))
        strips[side] = _outline(bars, middle)
    marks = [(_across(drawn, x)[0], text) for x, text in drawn.ticks]
    return {**strips, "marks": _apart(marks), "beyond": " and ".join(drawn.beyond)}


def _apart(marks: list[tuple[int, str]]) -> list[tuple[int, str, str]]:
    """Ticks with room for their labels, the outer ones anchored so that nothing is cut off."""
    kept: list[tuple[int, str, str]] = []
    free = -math.inf
    for x, text in marks:
        half = 3.2 * len(text)
        anchor = "start" if x < half else "end" if x > WIDTH - half else "middle"
        start = {"start": x, "end": x - 2 * half, "middle": x - half}[anchor]
        if start >= free:
            kept.append((x, text, anchor))
            free = start + 2 * half + 8
    return kept


def shares_of(found: Sequence[Row], *, beside_axis: bool) -> list[dict[str, Any]]:
    """Bars of the shares of categories, or of what stands outside the axis of an ordered column."""
    single = [row for row in found if row.together == 1]
    top = max((max(row.reference, row.current) for row in single), default=0.0) or 1.0
    if beside_axis:
        top = max(top, 0.5)  # beside an axis, a few missing values must not look like many
    drawn = []
    for i, row in enumerate(found):
        alone = row.together == 1
        r, c = (round(270 * share / top) if alone else 0 for share in (row.reference, row.current))
        words = "" if alone and not beside_axis else "{} → {}".format(*percents(row.reference, row.current))
        drawn.append(
            {
                "label": row.label,
                "y": 20 * i,
                "r": r,
                "c": c,
                "text": words,
                "x": 146 + max(r, c) + (8 if max(r, c) else 0),
            }
        )
    return drawn
