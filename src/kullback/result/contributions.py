"""`Contributions`: an objective split into parts that add up to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.result.base import Result, finite_or_none


@dataclass(frozen=True, slots=True)
class Contributions(Result):
    """What an objective is made of: each array in `per`, plus `penalty`, adds up to `value`.

    Attributes
    ----------
    objective : str
        The formula, for example ``"E KL(p‖q)"``.
    value : float
        The objective in nats.
    per : mapping of str to ndarray
        The same value split over samples, features, classes or clusters.
    penalty : float
        The part that belongs to no sample: regularisation, rate.
    labels : mapping of str to list of str
        Names of the parts, where the estimator has them.
    """

    objective: str
    value: float
    per: Mapping[str, NDArray[np.float64]]
    penalty: float = 0.0
    labels: Mapping[str, list[str]] = field(default_factory=dict)
    unit: str = "nats"

    def check(self) -> float:
        """Largest distance between a split's sum and the value (rounding only)."""
        if not math.isfinite(self.value):
            return 0.0
        return max(abs(math.fsum(part) + self.penalty - self.value) for part in self.per.values())

    def top(self, per: str, k: int = 10) -> list[tuple[str, float]]:
        """The k largest parts of one split, largest first."""
        part = np.asarray(self.per[per])
        names = self.labels.get(per)
        order = np.argsort(-part, kind="stable")[:k]
        return [(names[i] if names else str(i), float(part[i])) for i in order]

    def to_dict(self) -> dict[str, Any]:
        """Plain data; an infinite part is None."""
        return {
            "objective": self.objective,
            **finite_or_none("value", self.value),
            "unit": self.unit,
            **finite_or_none("penalty", self.penalty),
            "per": {k: [float(x) if math.isfinite(x) else None for x in v] for k, v in self.per.items()},
            "labels": {k: list(v) for k, v in self.labels.items()},
        }
