"""A comparison drawn with matplotlib: one bar per column, what moved most at the top."""

from __future__ import annotations

from typing import Any

from kullback.result.comparison import Comparison
from kullback.show import figure
from kullback.show.comparison.drivers import in_words, sides
from kullback.show.text import name, plural

MOST = 30  # bars that can still be read


def plot(result: Comparison, *, ax: Any = None, top: int = MOST) -> Any:
    """Bars of d_eq, split into what there is less of and more of in current; returns the Axes."""
    columns = result.columns[:top]
    ax = figure.axes(ax, height=1.4 + 0.3 * max(1, len(columns)))
    places = list(range(len(columns)))
    fewer, more = [], []
    for column in columns:
        less, plus = sides(column)
        part = column.d_eq / (less + plus) if less + plus > 0 else 0.0
        fewer.append(less * part)
        more.append(plus * part)
    ax.barh(places, fewer, height=0.62, color=figure.REFERENCE, label="from what there is less of in current")
    ax.barh(places, more, left=fewer, height=0.62, color=figure.CURRENT, label="from what there is more of")
    ax.set_yticks(places, [figure.literal(name(column.name, limit=30)) for column in columns])
    ax.invert_yaxis()
    end = max([0.5, *(column.d_eq for column in columns)])
    ax.set_xlim(0, end * 1.45)  # room for the words beside the longest bar
    for place, column in zip(places, columns, strict=True):
        said = in_words(column)
        if len(said) > 60:
            said = said[:59] + "…"
        ax.text(column.d_eq + 0.012 * end, place, figure.literal(said), va="center", fontsize=8, color=figure.QUIET)
    ax.set_xlabel("d, like a mean shift of d standard deviations")
    left = len(result.columns) - len(columns)
    title = "What moved most" + (f", and {plural(left, 'more column')} below" if left else "")
    ax.set_title(title, loc="left")
    if columns:
        ax.legend(frameon=False, fontsize=8, loc="lower right")
    return ax
