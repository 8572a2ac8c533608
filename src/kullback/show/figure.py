"""What the plots share: matplotlib imported where it is used, one pair of colours, quiet axes."""

from __future__ import annotations

from typing import Any

from kullback.errors import need

REFERENCE, CURRENT, QUIET = "#2468a8", "#bd5208", "#8a857c"


def axes(ax: Any, *, height: float, width: float = 8.0) -> Any:
    """The given axes, or new ones of that size in inches, without a box around them."""
    if ax is None:
        pyplot = need("matplotlib.pyplot", "plot")
        _, ax = pyplot.subplots(figsize=(width, height), layout="constrained")
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def literal(text: str) -> str:
    """Text that matplotlib must not read as mathematics, in signs that its own font has."""
    return text.replace("$", r"\$").translate(_PICTURES)


_PICTURES = {0x2400 + code: f"⟨U+{code:04X}⟩" for code in range(0x22)}
