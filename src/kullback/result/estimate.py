"""`Estimate`: a number that was estimated, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kullback.result.base import Result, finite_or_none


@dataclass(frozen=True, slots=True)
class Estimate(Result):
    """An estimated number and how sure it is.

    Attributes
    ----------
    value, low, high
        The estimate and its interval, in `unit`.
    level
        Coverage that the interval aims at, such as 0.95.
    standard_error
        Standard error of `value`.
    unit, method
        "nats" and the like; how the number was found.
    n
        Observations, one count per sample.
    notes
        What a reader should know before relying on it.
    """

    value: float
    low: float
    high: float
    level: float
    standard_error: float
    unit: str
    method: str
    n: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def __float__(self) -> float:
        return float(self.value)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        numbers: dict[str, Any] = {}
        for name in ("value", "low", "high", "level", "standard_error"):
            numbers |= finite_or_none(name, getattr(self, name))
        return {**numbers, "unit": self.unit, "method": self.method, "n": list(self.n), "notes": list(self.notes)}
