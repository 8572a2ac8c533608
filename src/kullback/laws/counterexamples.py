"""For a law that a measure does not obey: distributions on which it breaks, found on the spot."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback.facts import FACTS, Law
from kullback.laws.checking import Verdict, check

# Few and simple, so that a reader can follow the arithmetic; the last two bring categories that one side lacks.
_SIMPLE = ((0.5, 0.5), (0.9, 0.1), (0.1, 0.9), (0.99, 0.01), (0.25, 0.75), (1.0, 0.0), (0.0, 1.0))
_NEEDED = {"zero_at_equal": 2, "symmetric": 2, "triangle": 3, "convex": 4, "additive": 4}


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Distributions on which a measure breaks a law: `verdict.left` against `verdict.right`."""

    measure: str
    law: Law
    distributions: tuple[tuple[float, ...], ...]
    verdict: Verdict


def counterexample(measure: str, law: Law, /) -> Counterexample | None:
    """Search simple distributions for one on which `measure` clearly breaks `law`.

    Parameters
    ----------
    measure
        A key of `kullback.facts.FACTS`.
    law
        A key of `kullback.facts.LAWS`.

    Returns
    -------
    Counterexample or None
        None where the search finds nothing, as it must for every law that holds.

    Raises
    ------
    KeyError
        An unknown measure.

    Examples
    --------
    >>> import kullback as kb
    >>> found = kb.laws.counterexample("kl_divergence", "symmetric")
    >>> found.verdict.left != found.verdict.right
    True
    """
    function = measure_function(measure)
    for group in itertools.product(_SIMPLE, repeat=_NEEDED.get(law, 2)):
        verdict = check(function, law, *group, tolerance=1e-3)
        if not verdict and np.isfinite([verdict.left, verdict.right]).all():
            return Counterexample(measure, law, group, verdict)
    return None


def measure_function(label: str) -> Callable[[Any, Any], Any]:
    """The measure of a row of facts.py as a function of (p, q)."""
    import kullback

    facts = FACTS[label]
    function = getattr(kullback, facts.name)
    options = [value for _, value in facts.options]
    return lambda p, q: function(p, q, *options)
