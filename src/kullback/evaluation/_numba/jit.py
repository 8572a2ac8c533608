"""How the loops of this room are compiled: on first call, without the interpreter lock, kept for the next process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

# Sums may be reordered and multiplications fused; NaN and ∞ keep their meaning.
_FAST = {"contract", "reassoc", "nsz"}


def jit(function: Callable[..., Any]) -> Any:
    """Compile with sums that may be reordered."""
    return numba.njit(function, cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
