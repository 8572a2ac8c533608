"""`Explanation`: one KL divergence, with the parts that it is made of."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kullback.result.base import Result, finite_or_none


class Infinite(NamedTuple):
    """Why a divergence is infinite: what Q lacks, and how much of P lies there."""

    labels: tuple[Hashable, ...]
    mass: float


@dataclass(frozen=True, slots=True, eq=False)
class Explanation(Result):
    """KL(P‖Q) = H(P, Q) − H(P), and where it sits.

    Attributes
    ----------
    value, entropy, cross_entropy
        KL(P‖Q), H(P) and H(P, Q), in `unit`.
    contributions
        Non-negative, shape (K,), adding up to `value`: pᵢ log(pᵢ/qᵢ) − pᵢ + qᵢ, or the named parts of a closed form.
    labels
        One for each contribution.
    p, q
        The two masses of each category; empty where the parts are not categories.
    infinite
        Categories that P has and Q lacks, and the mass of P there; None where `value` is finite.
    unit, method
        Unit of all numbers; how they were found.
    error
        Absolute bound on `value`: 0.0 for a closed form, which is right to rounding.
    notes
        What a reader should know before relying on it.
    """

    value: float
    entropy: float
    cross_entropy: float
    contributions: np.ndarray[Any, Any]
    labels: tuple[Hashable, ...]
    unit: str
    method: str
    p: np.ndarray[Any, Any]
    q: np.ndarray[Any, Any]
    infinite: Infinite | None = None
    error: float = 0.0
    notes: tuple[str, ...] = ()

    def __float__(self) -> float:
        return float(self.value)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        numbers: dict[str, Any] = {}
        for name in ("value", "entropy", "cross_entropy", "error"):
            numbers |= finite_or_none(name, float(getattr(self, name)))
        return {
            **numbers,
            "unit": self.unit,
            "method": self.method,
            "parts": [
                {"label": _plain(label), **finite_or_none("contribution", float(c)), **self._masses(i)}
                for i, (label, c) in enumerate(zip(self.labels, self.contributions, strict=True))
            ],
            "infinite": None
            if self.infinite is None
            else {"labels": [_plain(x) for x in self.infinite.labels], "mass": self.infinite.mass},
            "notes": list(self.notes),
        }

    def _masses(self, i: int) -> dict[str, float]:
        return {"p": float(self.p[i]), "q": float(self.q[i])} if len(self.p) else {}


def _plain(label: Hashable) -> str | int | float | bool | None:
    """A label as JSON can hold it."""
    if isinstance(label, (np.integer, np.floating, np.bool_)):
        label = label.item()
    if isinstance(label, float) and not np.isfinite(label):
        return str(label)
    return label if isinstance(label, (str, int, float, bool)) or label is None else str(label)
