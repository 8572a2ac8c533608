"""How an `Evaluation` is shown: on a terminal, in a notebook, as a page, as a plot."""

from __future__ import annotations

from kullback.show.evaluation.html import fragment, page
from kullback.show.evaluation.plot import plot
from kullback.show.evaluation.table import terminal

__all__ = ["fragment", "page", "plot", "terminal"]
