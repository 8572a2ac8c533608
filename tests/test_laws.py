"""Every measure against every law that facts.py claims; every law it denies has a counterexample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import kullback as kb
import strategies
from kullback import laws
from kullback.facts import FACTS, LAWS, Law
from measured import unchecked

# These laws compare with distributions made by arithmetic, which must be exact for the law to hold to rounding.
MADE: dict[str, int] = {"convex": 2, "data_processing": 0, "additive": 2}
CLAIMED = [(name, law) for name in FACTS for law in LAWS if FACTS[name].obeys(law)]


# Rounding: a sum of n terms, each right to a few ulp. The inequality of a law is then right to this much.
SLACK = 1e-12


@pytest.mark.parametrize(("name", "law"), [c for c in CLAIMED if c[1] in MADE])
@given(strategies.dyadic_groups())
def test_claimed_law_of_made_distributions(name: str, law: Law, group: tuple[np.ndarray, ...]) -> None:
    verdict = laws.check(unchecked(name), law, *group[: 2 + MADE[law]], tolerance=SLACK)
    assert verdict, f"{name} breaks {law}: {verdict.left!r} against {verdict.right!r}"


@pytest.mark.parametrize(("name", "law"), [c for c in CLAIMED if c[1] not in MADE])
@given(strategies.groups(3, at_most=5))
def test_claimed_law(name: str, law: Law, group: tuple[np.ndarray, ...]) -> None:
    p, q, r = group
    more = (r,) if law == "triangle" else ()
    facts = FACTS[name]
    if law == "zero_only_at_equal" and np.abs(p - q).max() < 1e-150:
        return  # the square of the difference is below the smallest float
    if law == "triangle" and min(float(unchecked(name)(p, q)), 1.0) < 1e-150:
        return
    verdict = laws.check(unchecked(name), law, p, q, *more, tolerance=SLACK, bounds=(facts.low, facts.high))
    assert verdict, f"{name} breaks {law}: {verdict.left!r} against {verdict.right!r}"


@given(strategies.groups(2))
def test_kl_is_cross_entropy_minus_entropy(group: tuple[np.ndarray, ...]) -> None:
    p, q = group
    kl, ce, h = kb.kl_divergence(p, q), kb.cross_entropy(p, q), kb.entropy(p)
    if np.isinf(kl):
        assert np.isinf(ce)
    else:
        assert abs(kl - (ce - h)) <= 1e-13 * max(1.0, ce)
