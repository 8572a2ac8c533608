"""How a `GeneratorEvaluation` is shown: on a terminal, in a notebook, as a page, as a plot."""

from __future__ import annotations

from kullback.show.generator_evaluation.html import fragment, page
from kullback.show.generator_evaluation.plot import plot
from kullback.show.generator_evaluation.table import terminal

__all__ = ["fragment", "page", "plot", "terminal"]
