"""How the loops of this room are compiled: with sums that may be reordered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kullback._compile import SUM, compiled


def jit(function: Callable[..., Any]) -> Any:
    """Compile on first call, without the interpreter lock, kept for the next process."""
    return compiled(**SUM)(function)
