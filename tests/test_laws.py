"""Every measure against every law that facts.py claims; every law it denies has a counterexample."""

from __future__ import annotations

import re

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


DENIED = [(name, law) for name in FACTS for law in LAWS if not FACTS[name].obeys(law)]


@pytest.mark.parametrize(("name", "law"), DENIED)
def test_denied_law_has_a_counterexample(name: str, law: Law) -> None:
    found = laws.counterexample(name, law)
    assert found is not None, f"facts.py denies {law} of {name}, but no simple distributions break it"
    assert not found.verdict


@pytest.mark.parametrize("name", ["kl_divergence", "js_distance", "total_variation"])
def test_the_search_finds_nothing_where_a_law_holds(name: str) -> None:
    for law in ("symmetric", "triangle", "zero_at_equal", "data_processing"):
        assert (laws.counterexample(name, law) is None) == FACTS[name].obeys(law)


def test_claims_are_settled() -> None:
    verdicts = {claim.statement: claim.true for claim in laws.claims()}
    assert verdicts == {
        "Cross-entropy is symmetric (commutative).": False,
        "Cross-entropy is zero exactly when P = Q.": False,
        "Cross-entropy is non-negative.": True,
        "Cross-entropy is no metric because it lacks the triangle inequality.": True,
        "KL divergence is never negative.": True,
        "KL divergence is zero exactly when P = Q.": True,
        "KL divergence is a metric.": False,
        "KL divergence is symmetric.": False,
        "KL divergence = cross-entropy − entropy.": True,
        "Minimising cross-entropy and minimising KL divergence over Q are the same.": True,
    }
    numbers = {claim.statement: claim.numbers for claim in laws.claims()}
    # −½log(.9·.1) and −.9 log .5 − .1 log .5, by hand: 1.2040, 0.6931.
    assert "H(P, Q) = 1.2040, H(Q, P) = 0.6931" in numbers["Cross-entropy is symmetric (commutative)."]
    assert "-0.8836" in numbers["Cross-entropy is non-negative."]
    assert len(set(re.findall(r"0\.\d{6}", numbers[list(numbers)[-1]]))) == 1


def test_check_wants_the_right_distributions() -> None:
    with pytest.raises(kb.InvalidForm, match="needs 3 distributions; got 2"):
        laws.check(kb.kl_divergence, "triangle", [0.5, 0.5], [0.5, 0.5])
    with pytest.raises(kb.InvalidForm, match="law='fair' is not known"):
        laws.check(kb.kl_divergence, "fair", [0.5, 0.5], [0.5, 0.5])  # type: ignore[arg-type]


@given(strategies.groups(2))
def test_kl_is_cross_entropy_minus_entropy(group: tuple[np.ndarray, ...]) -> None:
    p, q = group
    kl, ce, h = kb.kl_divergence(p, q), kb.cross_entropy(p, q), kb.entropy(p)
    if np.isinf(kl):
        assert np.isinf(ce)
    else:
        assert abs(kl - (ce - h)) <= 1e-13 * max(1.0, ce)
