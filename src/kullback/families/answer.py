"""What a route hands back: the value, how it was found, and a bound on its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Array = Any

IDENTITY = "identity: both are the same distribution"
STABLE = "closed form of the family, a sum without cancellation"
EXPECTATIONS = "closed form by expectations: −H(p) − E_p[log q]"
INVARIANCE = "closed form after a one-to-one map"
SUPPORT = "support: q has no mass where p has some"
FINITE_SUM = "exact sum over the support"
TRUNCATED_SUM = "sum over the support, cut where a bound on the rest is below the tolerance"
QUADRATURE = "adaptive quadrature"
PER_PAIR = "each pair of the batch by the route that fits it"

EXACT = (IDENTITY, STABLE, EXPECTATIONS, INVARIANCE, SUPPORT, FINITE_SUM)


@dataclass(frozen=True, slots=True)
class Answer:
    """A divergence in nats, the route that answered, and an absolute bound on its error.

    The bound of a closed form is 0.0: it is right to rounding, in the size of its own value.
    """

    value: Array
    method: str
    error: float = 0.0
    notes: tuple[str, ...] = ()
    # the largest of the terms that the value is left of; 0.0 where nothing cancels
    size: Array = 0.0
