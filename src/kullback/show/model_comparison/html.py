"""A comparison of two models as a page and as a notebook fragment."""

from __future__ import annotations

from datetime import datetime

from kullback.result.model_comparison import ModelComparison


def page(result: ModelComparison, *, command: str | None = None, when: datetime | None = None) -> str:
    """One self-contained HTML page."""
    raise NotImplementedError


def fragment(result: ModelComparison) -> str:
    """HTML for a notebook cell."""
    raise NotImplementedError
