"""Bars for terminals, made of characters."""

from __future__ import annotations

from typing import Literal

Part = Literal["fewer", "more", "over"]

# Where colour tells the two parts apart both are the same calm line; elsewhere they differ in darkness.
_SIGNS = {"colour": ("━", "━", "╸"), "plain": ("░", "█", ""), "ascii": ("=", "#", "")}


def split_bar(
    fewer: float, more: float, *, full: float, width: int, colour: bool, ascii_only: bool
) -> list[tuple[str, Part]]:
    """A bar of length `fewer + more` on a scale that ends at `full`, drawn with at most `width` characters.

    What does not fit is cut off in its own proportions and ends in "▸". What is more than nothing gets a sign.
    """
    less_sign, more_sign, half = _SIGNS["ascii" if ascii_only else "colour" if colour else "plain"]
    total = fewer + more
    if not total > 0 or width < 1:
        return []
    over = total > full * (1 + 1e-9)
    room = width - 1 if over else width
    # Lengths in half characters, because "━" has a half; the other signs have none and round to whole ones.
    step = 2 if half else 1
    length = max(1, round(step * room * min(1.0, total / full))) if room else 0
    left = min(length, round(length * fewer / total))
    if step == 2 and left % 2 and left < length:
        left += 1 if left + 1 <= length else -1  # a change of colour falls between characters
    bar: list[tuple[str, Part]] = [
        (_run(left, less_sign, half), "fewer"),
        (_run(length - left, more_sign, half), "more"),
    ]
    if over:
        bar.append((">" if ascii_only else "▸", "over"))
    return [part for part in bar if part[0]]


def _run(length: int, sign: str, half: str) -> str:
    return sign * (length // 2) + half * (length % 2) if half else sign * length


def interval_bar(low: float, value: float, high: float, *, start: float, stop: float, width: int) -> str:
    """`├───●───┤`: an interval and its estimate on a scale from `start` to `stop`."""
    at = [round((width - 1) * min(1.0, max(0.0, (x - start) / (stop - start)))) for x in (low, value, high)]
    line = [" "] * width
    line[at[0] : at[2] + 1] = "─" * (at[2] - at[0] + 1)
    line[at[0]], line[at[2]] = "├", "┤"
    line[at[1]] = "●"
    return "".join(line)
