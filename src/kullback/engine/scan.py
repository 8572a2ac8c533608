"""`Scan`: what sources are opened as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Scan:
    """A table as a FROM clause, its bound parameters, and the paths that the engine may open.

    `parsed`: reading means parsing text, with its types guessed; the whole table is loaded in one go. `once`: rows come
    only once; the columns that are asked about are loaded then.
    """

    label: str
    sql: str
    parameters: tuple[Any, ...] = ()
    paths: tuple[str, ...] = ()
    parsed: bool = False
    once: bool = False
    names: tuple[str, ...] = ()  # of the columns, where the source states them more exactly than SQL
