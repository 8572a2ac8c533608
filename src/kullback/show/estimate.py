"""How an `Estimate` is shown: the number, its interval on a scale that contains zero, and what it rests on."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from kullback.result.estimate import Estimate
from kullback.show import text as words
from kullback.show.bars import interval_bar


def _scale(result: Estimate) -> tuple[float, float] | None:
    """A scale with room for the interval and for zero; None where something is not finite."""
    if not all(map(math.isfinite, (result.low, result.value, result.high))):
        return None
    low, high = min(0.0, result.low, result.value), max(0.0, result.high, result.value)
    return None if low == high else (low - 0.04 * (high - low) * (low < 0), high + 0.04 * (high - low))


def _digits(result: Estimate) -> int:
    """Digits down to a tenth of the interval's half-width: more would only look exact."""
    half = (result.high - result.low) / 2
    if not (math.isfinite(half) and half > 0 and math.isfinite(result.value) and result.value):
        return 4
    return min(12, max(2, 2 + math.floor(math.log10(abs(result.value))) - math.floor(math.log10(half))))


def _words(result: Estimate) -> dict[str, str]:
    digits = _digits(result)
    return {
        "value": words.number(result.value, digits=digits),
        "interval": f"{words.number(result.low)} to {words.number(result.high)}",
        "level": words.percent(result.level),
        "error": words.number(result.standard_error),
        "n": " and ".join(f"{n:,}" for n in result.n),
    }


def terminal(result: Estimate) -> Any:
    """A rich renderable."""
    from rich.console import Group
    from rich.text import Text

    said = _words(result)
    first = Text(" ").append(f"{said['value']} {result.unit}", "bold")
    first.append(f"   {said['level']} interval {said['interval']}, standard error {said['error']}", "dim")
    lines = [first]
    scale = _scale(result)
    if scale:
        line = Text(" ").append("0 " if scale[0] == 0 else "", "dim")
        line.append(
            interval_bar(result.low, result.value, result.high, start=scale[0], stop=scale[1], width=48), "#e07b1a"
        )
        lines.append(line)
    lines.append(Text(" ").append(f"{words.visible(result.method)}, n = {said['n']}", "dim"))
    lines += [Text(" ").append(words.visible(note), "dim") for note in result.notes]
    return Group(*lines)


def _values(result: Estimate) -> dict[str, Any]:
    scale = _scale(result)
    bar = None
    if scale:
        places = [
            round(500 * (x - scale[0]) / (scale[1] - scale[0])) for x in (result.low, result.value, result.high, 0.0)
        ]
        bar = dict(zip(("low", "value", "high", "zero"), places, strict=True))
    return {"result": result, "said": _words(result), "bar": bar}


def fragment(result: Estimate) -> str:
    """HTML for a notebook cell."""
    from kullback.show import report

    return report.render_fragment("estimate_fragment.html", **_values(result))


def page(result: Estimate, *, command: str | None = None, when: datetime | None = None) -> str:
    """One self-contained HTML page."""
    from kullback.show import report

    return report.render("estimate.html", data=result.to_dict(), command=command, when=when, **_values(result))


def plot(result: Estimate, *, ax: Any = None) -> Any:
    """The estimate as a point with its interval; returns the Axes."""
    from kullback.show import figure

    said = _words(result)
    ax = figure.axes(ax, height=1.4, width=6.5)
    finite = [x for x in (result.low, result.high) if math.isfinite(x)]
    if len(finite) == 2:
        ax.plot(finite, [0, 0], color=figure.CURRENT, linewidth=2, solid_capstyle="butt")
    if math.isfinite(result.value):
        ax.plot([result.value], [0], "o", color=figure.CURRENT, markersize=8)
    ax.axvline(0, color=figure.QUIET, linewidth=0.8)
    ax.set_yticks([])
    ax.set_ylim(-1, 1)
    ax.set_xlabel(result.unit)
    ax.set_title(f"{said['value']} {result.unit}, {said['level']} interval {said['interval']}", loc="left", fontsize=10)
    return ax
