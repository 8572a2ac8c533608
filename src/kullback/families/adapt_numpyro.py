"""NumPyro's distributions, which share torch's names and parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from kullback.families.adapt_torch import NAMED
from kullback.families.base import Family
from kullback.families.foreign import Foreign


def adapted(x: Any) -> Family:
    """The family of the same name and parameters, or a stand-in by its log-density."""
    name = type(x).__name__
    exact = type(x).__module__.startswith("numpyro.distributions")
    if exact and name in NAMED and all(hasattr(x, parameter) for parameter in NAMED[name][1]):
        cls, parameters = NAMED[name]
        found: Family = cls(*(getattr(x, parameter) for parameter in parameters))
        return found
    import jax

    low = getattr(x.support, "lower_bound", -np.inf)
    high = getattr(x.support, "upper_bound", np.inf)

    def draw(rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return np.asarray(x.sample(jax.random.PRNGKey(int(rng.integers(2**31))), size))

    return Foreign(x, x.log_prob, draw, (low, high), whole=bool(x.support.is_discrete), shape=tuple(x.batch_shape))
