"""How an `Explanation` is shown: the identity H(P) + KL(P‖Q) = H(P, Q), then what each part contributes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kullback.result.explanation import Explanation
from kullback.show import text as words

MOST = 12  # parts in a terminal, a notebook and a plot
ALL = 500  # parts on a page


@dataclass(frozen=True, slots=True)
class _Part:
    """One contribution: its name, the two masses where it has any, and the length of its bar from 0 to 1."""

    label: str
    p: float | None
    q: float | None
    contribution: float
    length: float

    @property
    def sign(self) -> str:
        """Whether Q has more there than P."""
        if self.p is None or self.q is None or self.p == self.q:
            return ""
        return "▲" if self.q > self.p else "▼"


def _parts(result: Explanation, most: int) -> tuple[list[_Part], int]:
    """The largest contributions, and how many more there are; all the others together close the sum."""
    order = sorted(range(len(result.labels)), key=lambda i: -float(result.contributions[i]))
    shown = order if len(order) <= most + 1 else order[:most]
    finite = [float(result.contributions[i]) for i in shown if math.isfinite(float(result.contributions[i]))]
    largest = max([*finite, 0.0]) or 1.0
    masses = len(result.p) == len(result.labels) > 0
    found = []
    for i in shown:
        part = float(result.contributions[i])
        if math.isfinite(result.value) and part < 1e-15 * result.value:  # what rounding leaves where P and Q are equal
            part = 0.0
        p, q = (float(result.p[i]), float(result.q[i])) if masses else (None, None)
        found.append(_Part(words.name(result.labels[i], limit=60), p, q, part, min(1.0, part / largest)))
    rest = order[len(shown) :]
    if rest:
        total = math.fsum(float(result.contributions[i]) for i in rest)
        p, q = (math.fsum(map(float, side[rest])) for side in (result.p, result.q)) if masses else (None, None)
        found.append(_Part(f"({len(rest):,} others)", p, q, total, 0.0))
    return found, len(rest)


def _why_infinite(result: Explanation) -> str:
    """Which categories make it infinite, in words."""
    if result.infinite is None:
        return ""
    names = [f"'{words.visible(label, limit=40)}'" for label in result.infinite.labels[:5]]
    more = len(result.infinite.labels) - len(names)
    listed = ", ".join(names) + (f" and {more:,} more" if more else "")
    return f"Q has nothing at {listed}, where P has {words.percent(result.infinite.mass)}"


def _identity(result: Explanation) -> list[tuple[str, str, str]]:
    """(symbol, value, what it is) of the three that add up."""
    return [
        ("H(P)", words.number(result.entropy), "what it must cost"),
        ("KL(P‖Q)", words.number(result.value), "what is wasted"),
        ("H(P, Q)", words.number(result.cross_entropy), "what it costs"),
    ]


def terminal(result: Explanation, *, top: int = MOST) -> Any:
    """A rich renderable."""
    from rich.console import Group
    from rich.text import Text

    lines = [
        Text(" ").append(f"KL(P‖Q) {words.number(result.value, digits=4)} {result.unit}", "bold"),
        Text(" ").append(
            " ".join(f"{sign} {s} {v}" for sign, (s, v, _) in zip("=+=", _identity(result), strict=True))[2:], "dim"
        ),
    ]
    if result.infinite is not None:
        lines.append(Text(" ").append(f"∞ {_why_infinite(result)}", "bold #e07b1a"))
    parts, _ = _parts(result, top)
    if parts:
        lines += [Text(), *_rows(parts)]
    lines += [Text(), Text(" ").append(_method(result), "dim")]
    lines += [Text(" ").append(words.visible(note), "dim") for note in result.notes]
    return Group(*lines)


def _rows(parts: Sequence[_Part]) -> list[Any]:
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    size = min(30, max(cell_len(part.label) for part in parts))
    masses = any(part.p is not None for part in parts)
    head = f" {'':<{size}}" + (f"  {'P':>8}  {'Q':>8}" if masses else "") + f"  {'part':>9}"
    rows = [Text(" ").append(head[1:], "dim")]
    for part in parts:
        line = Text(" ").append(set_cell_size(part.label, size))
        if masses:
            line.append(f"  {words.percent(part.p or 0.0):>8}  {words.percent(part.q or 0.0):>8}")
        line.append(f"  {words.fixed(part.contribution):>9}  ")
        line.append("█" * math.ceil(20 * part.length - 0.25), "#3a8fd9" if part.sign == "▼" else "#e07b1a")
        line.no_wrap, line.overflow = True, "ellipsis"
        rows.append(line)
    return rows


def _method(result: Explanation) -> str:
    bound = f", within {words.number(result.error)} {result.unit}" if result.error > 0 else ""
    return words.visible(result.method) + bound


def fragment(result: Explanation, *, top: int = MOST) -> str:
    """HTML for a notebook cell."""
    from kullback.show import report

    return report.render_fragment("explanation_fragment.html", **_values(result, top))


def page(result: Explanation, *, command: str | None = None, when: datetime | None = None) -> str:
    """One self-contained HTML page."""
    from kullback.show import report

    return report.render("explanation.html", data=result.to_dict(), command=command, when=when, **_values(result, ALL))


def _values(result: Explanation, top: int) -> dict[str, Any]:
    parts, _ = _parts(result, top)
    total = result.entropy + result.value
    bar = None
    if math.isfinite(total) and total > 0 and result.entropy >= 0:
        left = round(520 * result.entropy / total)
        bar = {"left": left, "right": 520 - left}
    return {
        "result": result,
        "parts": parts,
        "masses": any(part.p is not None for part in parts),
        "identity": _identity(result),
        "bar": bar,
        "infinite": _why_infinite(result),
        "method": _method(result),
    }


def plot(result: Explanation, *, ax: Any = None, top: int = MOST) -> Any:
    """Bars of the contributions, coloured by the side that has more there; returns the Axes."""
    from kullback.show import figure

    parts, _ = _parts(result, top)
    ax = figure.axes(ax, height=1.3 + 0.3 * max(1, len(parts)), width=6.5)
    finite = [part.contribution if math.isfinite(part.contribution) else 0.0 for part in parts]
    colours = [
        figure.REFERENCE if part.sign == "▼" else figure.CURRENT if part.sign == "▲" else figure.QUIET for part in parts
    ]
    places = list(range(len(parts)))
    ax.barh(places, finite, height=0.62, color=colours)
    ax.set_yticks(places, [figure.literal(words.visible(part.label, limit=30)) for part in parts])
    ax.invert_yaxis()
    for place, part in zip(places, parts, strict=True):
        if not math.isfinite(part.contribution):
            ax.text(0, place, " ∞", va="center", color=figure.CURRENT, fontweight="bold")
    ax.set_xlabel(f"contribution, {result.unit}")
    ax.set_title(f"KL(P‖Q) = {words.number(result.value)} {result.unit}", loc="left")
    return ax
