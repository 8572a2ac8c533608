"""A page made of a headline, tables and figures: what the reports on models have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from markupsafe import Markup

from kullback.result.base import Result
from kullback.show import report


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its first `names` columns are words, the others numbers. The template escapes every cell.

    With `under` the second column explains the first and is shown below it.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    names: int = 1
    under: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing of our own shapes and numbers: no text of the data is in it."""

    title: str
    svg: Markup
    note: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything a page says."""

    kind: str
    headline: str
    lede: str
    sources: tuple[tuple[str, str, str], ...] = ()
    parts: tuple[Table | Figure, ...] = ()
    notes: tuple[str, ...] = field(default=())


def page(result: Result, sheet: Sheet, *, command: str | None, when: datetime | None) -> str:
    """The self-contained page; the result's JSON is embedded."""
    return report.render("evaluation/page.html", data=result.to_dict(), command=command, when=when, sheet=sheet)


def fragment(sheet: Sheet) -> str:
    """A notebook cell: the headline and the first tables."""
    tables = [part for part in sheet.parts if isinstance(part, Table)][:3]
    return report.render_fragment("evaluation/fragment.html", sheet=sheet, tables=tables)


WIDTH, HEIGHT = 440, 240
_LEFT, _BOTTOM, _TOP = 44, 34, 28


class Axes:
    """A small plot: numbers in, SVG shapes out."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], names: tuple[str, str]) -> None:
        self.x, self.y = _wide(x), _wide(y)
        self.shapes = [
            f'<path class="axis" d="M{_LEFT} {_TOP - 6}V{HEIGHT - _BOTTOM}H{WIDTH - 6}"/>',
            f'<text x="{(WIDTH + _LEFT) // 2}" y="{HEIGHT - 2}" class="middle" text-anchor="middle">{names[0]}</text>',
            f'<text x="4" y="11" class="start">{names[1]}</text>',
        ]
        for value, where in ((self.x[0], "start"), (self.x[1], "end")):
            at = f'x="{self._x(value):.1f}" y="{HEIGHT - _BOTTOM + 15}"'
            self.shapes.append(f'<text {at} class="{where}" text-anchor="{where}">{value:.3g}</text>')
        for value in self.y:
            self.shapes.append(
                f'<text x="{_LEFT - 5}" y="{self._y(value) + 4:.1f}" class="end" text-anchor="end">{value:.3g}</text>'
            )

    def _x(self, value: float) -> float:
        low, high = self.x
        return _LEFT + (WIDTH - 6 - _LEFT) * min(1.0, max(0.0, (value - low) / (high - low)))

    def _y(self, value: float) -> float:
        low, high = self.y
        return HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * min(1.0, max(0.0, (value - low) / (high - low)))

    def line(self, points: Sequence[tuple[float, float]], *, quiet: bool = False) -> Axes:
        """Joined points."""
        path = "M" + "L".join(f"{self._x(x):.1f} {self._y(y):.1f}" for x, y in points)
        look = 'stroke="currentColor" opacity=".35"' if quiet else 'stroke="var(--ref)" stroke-width="2"'
        self.shapes.append(f'<path d="{path}" fill="none" {look}/>')
        return self

    def dots(self, points: Sequence[tuple[float, float]], ends: Sequence[tuple[float, float]] = ()) -> Axes:
        """Points, with vertical intervals."""
        for (x, _), (low, high) in zip(points, ends, strict=False):
            self.shapes.append(
                f'<path d="M{self._x(x):.1f} {self._y(low):.1f}V{self._y(high):.1f}" stroke="var(--ref)" opacity=".6"/>'
            )
        for x, y in points:
            self.shapes.append(f'<circle class="R" cx="{self._x(x):.1f}" cy="{self._y(y):.1f}" r="3"/>')
        return self

    def bars(self, bars: Sequence[tuple[float, float, float]]) -> Axes:
        """Bars (left, right, height) from the bottom."""
        floor = self._y(self.y[0])
        for left, right, top in bars:
            x, width = self._x(left), max(self._x(right) - self._x(left) - 1, 0.5)
            y = self._y(top)
            self.shapes.append(
                f'<rect class="R" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{floor - y:.1f}" opacity=".6"/>'
            )
        return self

    def svg(self, label: str) -> Markup:
        """The drawing; `label` is ours and says what it shows."""
        inner = "".join(self.shapes)
        head = f'<svg class="wide" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{label}">'
        return Markup(f"{head}{inner}</svg>")  # noqa: S704  numbers and words of this package, nothing of the data


def _wide(ends: tuple[float, float]) -> tuple[float, float]:
    return ends if ends[1] > ends[0] else (ends[0] - 0.5, ends[0] + 0.5)
