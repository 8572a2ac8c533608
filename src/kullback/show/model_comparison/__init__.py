"""How a `ModelComparison` is shown: on a terminal, in a notebook, as a page, as a plot."""

from __future__ import annotations

from kullback.show.model_comparison.html import fragment, page
from kullback.show.model_comparison.plot import plot
from kullback.show.model_comparison.table import terminal

__all__ = ["fragment", "page", "plot", "terminal"]
