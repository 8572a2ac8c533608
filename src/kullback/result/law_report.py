"""`LawReport`: which measure obeys which law, a counterexample where it does not, and the common claims settled."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kullback.result.base import Result, finite_or_none


@dataclass(frozen=True, slots=True)
class Broken:
    """Distributions on which a law breaks, and the two sides that should have agreed."""

    distributions: tuple[tuple[float, ...], ...]
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class MeasureLaws:
    """One measure: its facts, and for each law None (obeyed) or the counterexample."""

    name: str
    formula: str
    unit: str
    low: float
    high: float
    limits: str
    source: str
    laws: dict[str, Broken | None]


@dataclass(frozen=True, slots=True)
class SettledClaim:
    """A sentence that is often said, whether it is true, why, and the numbers."""

    statement: str
    true: bool
    reason: str
    numbers: str


@dataclass(frozen=True, slots=True)
class LawReport(Result):
    """What `kullback laws` prints: `laws` names the laws in words, `measures` and `claims` are the two tables."""

    laws: dict[str, str]
    measures: tuple[MeasureLaws, ...]
    claims: tuple[SettledClaim, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "laws": dict(self.laws),
            "measures": [
                {**asdict(row), "high": None, **finite_or_none("low", row.low), **finite_or_none("high", row.high)}
                for row in self.measures
            ],
            "claims": [asdict(claim) for claim in self.claims],
        }
