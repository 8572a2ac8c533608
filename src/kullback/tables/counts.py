"""The one question asked of an engine: how many rows of each side fall into each cell of a column.

An engine holds two tables and answers a few calls: `schema`, `load`, `rows`, `missing`, `ranges`, `sample`, `counts`.
Everything that follows (cells, divergences, words) is made from the counts alone, so a second engine is a second class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from kullback.result.comparison import CellKind

Side = Literal["reference", "current"]
SIDES: tuple[Side, Side] = ("reference", "current")

# "time" is a time of day; "nothing" is a column that holds only nulls and has no type of its own.
Kind = Literal["numeric", "boolean", "categorical", "datetime", "time", "nothing"]
ORDERED: tuple[Kind, ...] = ("numeric", "datetime", "time")

TICKS = 1_000_000  # times are counted in whole microseconds
Range = tuple[float | int | None, float | int | None]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of one table; `kind` is None where it cannot be compared. `type` is the engine's word for it."""

    position: int
    name: str
    type: str
    kind: Kind | None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """One column that both tables have, read as `kind`; `whole` where only whole numbers (or ticks) occur."""

    name: str
    kind: Kind
    reference: Field
    current: Field
    whole: bool = False

    def on(self, side: Side) -> Field:
        """The field of one side."""
        return self.reference if side == "reference" else self.current


@dataclass(frozen=True, slots=True)
class Binned:
    """Count an ordered column by the bins [edgeᵢ, edgeᵢ₊₁), below the first and from the last on."""

    pair: Pair
    edges: Sequence[float | int]
    weights: Sequence[float] = ()  # expected share of each bin: the engine may ask about the heavy ones first
    range: Range = (None, None)


@dataclass(frozen=True, slots=True)
class Valued:
    """Count a column by value: the `keep` largest of either side by name, the rest together."""

    pair: Pair
    keep: int


Question = Binned | Valued


@dataclass(frozen=True, slots=True)
class Tally:
    """The answer: rows of (reference, current) in each bin or value, and in the states outside them."""

    bins: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, 0), np.int64))
    values: tuple[tuple[str, int, int], ...] = ()
    states: Mapping[CellKind, tuple[int, int]] = field(default_factory=dict)


class Engine(Protocol):
    """Two tables that can be counted."""

    def schema(self, side: Side) -> tuple[Field, ...]:
        """The columns of one table."""

    def load(self, pairs: Sequence[Pair]) -> None:
        """Say which columns will be asked about; a source that can be read only once is read here."""

    def rows(self, side: Side) -> int:
        """How many rows one table has."""

    def ranges(self, side: Side, pairs: Sequence[Pair]) -> list[Range]:
        """Least and greatest finite value of each ordered column."""

    def sample(self, side: Side, pairs: Sequence[Pair], *, rows: int, seed: int) -> list[Floats]:
        """Finite values of ordered columns from about `rows` rows; the same seed and table give the same sample."""

    def counts(self, questions: Sequence[Question]) -> Iterator[Tally]:
        """One tally per question, in order."""

    def missing(self, side: Side, pair: Pair) -> int:
        """How many rows have no value in a column."""

    def close(self) -> Any:
        """Let go of everything."""
