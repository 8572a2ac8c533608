"""`--fail-above` for models: which numbers of a result may not exceed what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kullback.errors import InvalidInput
from kullback.result.estimate import Estimate

EVALUATION_TERMS = ("cross_entropy", "reliability", "certified", "recalibrated", "brier", "calibration_error", "crps")
COMPARISON_TERMS = ("kl", "kl_reverse", "js", "total_variation", "delta_cross_entropy")


def parse_limits(texts: Sequence[str], known: Sequence[str]) -> dict[str, float]:
    """Read `reliability=0.02`."""
    out = {}
    for text in texts:
        name, equals, right = text.partition("=")
        try:
            limit = float(right)
        except ValueError:
            limit = math.nan
        if not equals or math.isnan(limit):
            raise InvalidInput(f"--fail-above {text}: expected NAME=NUMBER, such as {known[0]}=0.1.")
        if name not in known:
            raise InvalidInput(f"--fail-above {text}: {name!r} is not known. There are {', '.join(known)}.")
        out[name] = limit
    return out


def above(result: Any, limits: dict[str, float]) -> list[tuple[str, float, float]]:
    """The numbers above their limits. What does not apply (NaN, absent) exceeds nothing; ∞ exceeds everything."""
    found = []
    for name, limit in limits.items():
        value = getattr(result, name, None)
        if value is None:
            value = getattr(result, "scores", {}).get(name)
        if isinstance(value, Estimate):
            value = value.value
        if value is not None and value > limit:
            found.append((name, float(value), limit))
    return found
