"""How a `Comparison` is shown: on a terminal, in a notebook, as a page, as a plot."""

from __future__ import annotations

from kullback.show.comparison.html import fragment, page
from kullback.show.comparison.table import terminal

__all__ = ["fragment", "page", "plot", "terminal"]
