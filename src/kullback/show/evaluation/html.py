"""An evaluation as a page and as a notebook fragment."""

from __future__ import annotations

from datetime import datetime

from kullback.result.evaluation import Evaluation


def page(result: Evaluation, *, command: str | None = None, when: datetime | None = None) -> str:
    """One self-contained HTML page."""
    raise NotImplementedError


def fragment(result: Evaluation) -> str:
    """HTML for a notebook cell."""
    raise NotImplementedError
