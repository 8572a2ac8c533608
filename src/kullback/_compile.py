"""How loops are compiled: on first call, without the interpreter lock, and kept on disk for the next process.

Machine code lies in the user's cache folder (`$NUMBA_CACHE_DIR`, else `$XDG_CACHE_HOME/kullback/numba`), and nothing is
written beside the source. numba renews what it keeps by the time of a function's own file, not of the files whose
functions it calls: so all compiled sources, and the options here, name the folder. Where it cannot be written, every
process compiles for itself.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import config, types

Function = TypeVar("Function", bound=Callable[..., Any])

# NaN and ∞ keep their meaning everywhere; a division by zero gives them, and is no error.
# Inside a term nothing is reassociated: b − a is exact there.
TERM: dict[str, Any] = {"fastmath": {"contract", "nsz"}, "error_model": "numpy", "nogil": True}
# A call left in a loop would keep it from being vectorised.
INLINE: dict[str, Any] = {**TERM, "forceinline": True}
# The sums of terms may be taken in any order.
SUM: dict[str, Any] = {"fastmath": {"contract", "nsz", "reassoc"}, "error_model": "numpy", "nogil": True}


def compiled(**options: Any) -> Callable[[Function], Function]:
    """`numba.njit(**options)` that keeps its work on disk, or in memory where no folder can be written."""

    def decorate(function: Function) -> Function:
        before = config.CACHE_DIR
        try:
            # numba reads the folder when it decorates; it is put back at once, so that nobody else's code moves.
            config.CACHE_DIR = before or _folder()
            return cast("Function", _once(numba.njit(cache=True, **options)(function)))
        except (OSError, RuntimeError):
            return cast("Function", _once(numba.njit(**options)(function)))
        finally:
            config.CACHE_DIR = before

    return decorate


def _once(dispatcher: Any) -> Any:
    """Compile for a constant argument as for any other: each literal would have its own copy of all that it calls."""
    template = dispatcher.get_call_template

    def general(args: Any, kws: Any) -> Any:
        return template(tuple(map(types.unliteral, args)), {name: types.unliteral(kind) for name, kind in kws.items()})

    dispatcher.get_call_template = general
    return dispatcher


def threads() -> int:
    """OMP_NUM_THREADS where it is set, so that a pool of processes can ask for 1; else the cores of this process."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _folder() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or str(Path.home() / ".cache")
    here = Path(__file__).parent
    files = {*here.glob("*/_numba/*.py"), *here.glob("_*numba.py"), *here.glob("_special*.py"), Path(__file__)}
    sources = b"".join(path.read_bytes() for path in sorted(files))
    return str(Path(base) / "kullback" / "numba" / hashlib.sha256(sources).hexdigest()[:12])
