"""How a `Comparison` is shown: on a terminal, in a notebook, as a page, as a plot. Each is imported when first used."""

from __future__ import annotations

import importlib
from typing import Any

_IN = {"terminal": "table", "fragment": "html", "page": "html", "plot": "chart"}


def __getattr__(name: str) -> Any:
    if name not in _IN:
        msg = f"module 'kullback.show.comparison' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"kullback.show.comparison.{_IN[name]}"), name)
