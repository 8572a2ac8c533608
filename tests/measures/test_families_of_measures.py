"""Rényi, Tsallis, Amari, skew, Chernoff, generators and joint measures against mpmath, with their limits."""

from __future__ import annotations

import itertools
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import exact
import kullback as kb
import strategies

RNG = np.random.default_rng(0)


def _near(apart: float) -> tuple[np.ndarray, np.ndarray]:
    p = RNG.dirichlet(np.ones(30))
    q = p * (1 + apart * RNG.uniform(-1, 1, 30))
    return p, q / q.sum()


PAIRS: dict[str, tuple[Any, Any]] = {
    **{f"apart {d:g}": _near(d) for d in (1, 1e-3, 1e-6, 1e-9, 1e-12)},
    "q lacks": ([0.2, 0.3, 0.5], [0.5, 0.5, 0.0]),
    "p lacks": ([0.5, 0.5, 0.0], [0.2, 0.3, 0.5]),
    "disjoint": ([1.0, 0.0], [0.0, 1.0]),
    "tiny": ([1e-300, 1.0], [1e-20, 1.0]),
    "tail": ([0.5, 0.5], [1e-30, 1.0]),
}
AROUND_ONE = [1 - 1e-6, 1 - 1e-9, 1 - 1e-12, 1.0, 1 + 1e-12, 1 + 1e-9, 1 + 1e-6]
ORDERS = [0.0, 1e-12, 1e-3, 0.25, 0.4999, 0.5, 0.75, *AROUND_ONE, 1.5, 2.0, 10.0]


def close(got: Any, true: mp.mpf, rtol: float = 1e-14) -> None:
    assert float(got) >= 0
    if true > mp.mpf(np.finfo(float).max):
        assert got == np.inf
        return
    # Below 1e-290 the terms themselves are subnormal.
    assert exact.error(got, true) <= rtol or abs(true) < 1e-290, f"{float(got)!r}, true {mp.nstr(true, 17)}"


@pytest.mark.parametrize(("name", "alpha"), list(itertools.product(PAIRS, [*ORDERS, 50.0, np.inf])))
def test_renyi_divergence(name: str, alpha: float) -> None:
    p, q = PAIRS[name]
    close(kb.renyi_divergence(p, q, alpha), exact.renyi_divergence(exact.of_masses(p), exact.of_masses(q), alpha))


@pytest.mark.parametrize(("name", "alpha"), list(itertools.product(PAIRS, ORDERS)))
def test_tsallis_divergence(name: str, alpha: float) -> None:
    p, q = PAIRS[name]
    true = exact.tsallis_divergence(exact.of_masses(p), exact.of_masses(q), alpha)
    # An exponential of D: its relative error is the absolute one of (α−1)·D.
    close(
        kb.tsallis_divergence(p, q, alpha), true, rtol=1e-14 * max(1.0, float(mp.log(1 + true)) if true < mp.inf else 1)
    )


@pytest.mark.parametrize(
    ("name", "alpha"),
    list(
        itertools.product(
            PAIRS, [-9.0, -3.0, -1 - 1e-12, -1.0, -1 + 1e-12, -0.5, 0.0, 0.3, 1 - 1e-9, 1.0, 1 + 1e-9, 5.0]
        )
    ),
)
def test_alpha_divergence(name: str, alpha: float) -> None:
    p, q = PAIRS[name]
    true = exact.alpha_divergence(exact.of_masses(p), exact.of_masses(q), alpha)
    close(
        kb.alpha_divergence(p, q, alpha), true, rtol=1e-14 * max(1.0, float(mp.log(1 + true)) if true < mp.inf else 1)
    )


@pytest.mark.parametrize(("name", "alpha"), list(itertools.product(PAIRS, [*ORDERS, 50.0, np.inf])))
def test_renyi_and_tsallis_entropy(name: str, alpha: float) -> None:
    for p in PAIRS[name]:
        P = exact.of_masses(p)
        close(kb.renyi_entropy(p, alpha), exact.renyi_entropy(P, alpha))
        if alpha < np.inf:
            close(kb.tsallis_entropy(p, alpha), exact.tsallis_entropy(P, alpha))


@pytest.mark.parametrize(("name", "beta"), list(itertools.product(PAIRS, [0.0, 1e-12, 0.1, 0.5, 0.9, 1 - 1e-9, 1.0])))
def test_skew(name: str, beta: float) -> None:
    p, q = PAIRS[name]
    P, Q = exact.of_masses(p), exact.of_masses(q)
    # 1 − β is rounded for β near 1; the share of P in the mixture is then off by an ulp.
    close(kb.skew_kl_divergence(p, q, beta), exact.skew_kl_divergence(P, Q, beta), rtol=2e-14)
    close(kb.skew_js_divergence(p, q, beta), exact.skew_js_divergence(P, Q, beta), rtol=2e-14)


@pytest.mark.parametrize("name", PAIRS)
def test_chernoff_and_bhattacharyya(name: str) -> None:
    p, q = PAIRS[name]
    P, Q = exact.of_masses(p), exact.of_masses(q)
    close(kb.chernoff_information(p, q), exact.chernoff_information(P, Q), rtol=1e-13)
    close(kb.bhattacharyya_distance(p, q), exact.renyi_divergence(P, Q, 0.5) / 2)


def test_the_textbook_forms_agree_at_the_named_orders() -> None:
    p, q = [0.2, 0.3, 0.5], [0.4, 0.4, 0.2]
    assert kb.tsallis_divergence(p, q, 2) == pytest.approx(kb.chi2_divergence(p, q), rel=1e-14)
    assert kb.alpha_divergence(p, q, 0) == pytest.approx(4 * kb.hellinger_distance(p, q) ** 2, rel=1e-14)
    assert kb.alpha_divergence(p, q, 1) == pytest.approx(kb.kl_divergence(q, p), rel=1e-14)
    assert kb.skew_js_divergence(p, q, 0.5) == pytest.approx(4 * kb.js_divergence(p, q), rel=1e-14)
    assert kb.perplexity(p, q) == pytest.approx(np.exp(kb.cross_entropy(p, q)), rel=1e-15)
    assert kb.tsallis_entropy(p, 2) == pytest.approx(1 - np.sum(np.square(p)), rel=1e-14)


@pytest.mark.parametrize("alpha", [-0.1, np.nan])
def test_orders_out_of_range(alpha: float) -> None:
    for measure in (kb.renyi_divergence, kb.tsallis_divergence):
        with pytest.raises(kb.InvalidDistribution, match="expected a number ≥ 0"):
            measure([0.5, 0.5], [0.5, 0.5], alpha)
    with pytest.raises(kb.InvalidDistribution, match="expected a finite number"):
        kb.tsallis_divergence([0.5, 0.5], [0.5, 0.5], np.inf)
    with pytest.raises(kb.InvalidDistribution, match=r"beta=1\.5; expected the share"):
        kb.skew_kl_divergence([0.5, 0.5], [0.5, 0.5], 1.5)


@given(strategies.groups(2), st.floats(0, 20), st.floats(0, 20))
def test_renyi_never_decreases_in_its_order(group: tuple[Any, ...], a: float, b: float) -> None:
    low, high = sorted((a, b))
    p, q = group
    assert kb.renyi_divergence(p, q, low) <= kb.renyi_divergence(p, q, high) * (1 + 1e-12)
    assert kb.renyi_entropy(p, low) >= kb.renyi_entropy(p, high) * (1 - 1e-12)


# Generators ----------------------------------------------------------------------------------------------------------

GENERATORS = {
    "kl_divergence": kb.Generator(lambda t: t * np.log(t), 0.0, np.inf, slope_at_one=1.0),
    "total_variation": kb.Generator(lambda t: abs(t - 1) / 2, 0.5, 0.5),
    "chi2_divergence": kb.Generator(lambda t: (t - 1) ** 2, 1.0, np.inf),
    "js_divergence": kb.Generator(
        lambda t: 0.5 * (t * np.log(t) - (t + 1) * np.log((t + 1) / 2)), 0.5 * np.log(2), 0.5 * np.log(2)
    ),
}


@pytest.mark.parametrize("name", GENERATORS)
@given(strategies.groups(2))
def test_generators_give_the_named_measures(name: str, group: tuple[Any, ...]) -> None:
    # dit 2.3 drops categories that P lacks: total variation 0.25 for 0.5, KL −0.5 for ∞.
    p, q = group
    assume(min(x[x > 0].min() for x in group) > 1e-100)  # (p/q)² must not overflow inside the user's function
    got, want = kb.f_divergence(p, q, GENERATORS[name]), getattr(kb, name)(p, q)
    assert got == want or abs(got - want) <= 1e-10 * want + 1e-12


def test_a_generator_that_knows_its_neighbourhood_keeps_all_digits() -> None:
    from kullback._special import psi

    p, q = PAIRS["apart 1e-09"]
    # q·[t log t − (t−1)] with t = 1+s is q·(1+s)·ψ(−s/(1+s)).
    exact_near_one = kb.Generator(
        lambda t: t * np.log(t), 0.0, np.inf, 1.0, around_one=lambda s: (1 + s) * psi(-s / (1 + s), xp=np)
    )
    assert kb.f_divergence(p, q, exact_near_one) == pytest.approx(kb.kl_divergence(p, q), rel=1e-13)


def test_a_bare_function_is_no_generator() -> None:
    with pytest.raises(kb.InvalidForm, match="at_zero"):
        kb.f_divergence([0.5, 0.5], [0.5, 0.5], np.log)  # type: ignore[arg-type]


@given(strategies.groups(2))
def test_bregman(group: tuple[Any, ...]) -> None:
    p, q = group
    assert kb.bregman_divergence(p, q, "kl") == pytest.approx(kb.kl_divergence(p, q), rel=1e-14, abs=0)
    own = kb.Potential(lambda t: t * t, lambda t: 2 * t)
    assert kb.bregman_divergence(p, q, own) == pytest.approx(
        kb.bregman_divergence(p, q, "squared_euclidean"), abs=1e-15
    )
    if (p > 1e-280).all() and (q > 1e-280).all():  # differences of smaller masses are subnormal
        true = mp.fsum(a / b - mp.log(a / b) - 1 for a, b in zip(exact.of_masses(p), exact.of_masses(q), strict=True))
        if true < 1e300:
            assert exact.error(kb.bregman_divergence(p, q, "itakura_saito"), true) <= 1e-13 or true < 1e-290


def test_unknown_potential() -> None:
    with pytest.raises(kb.InvalidForm, match="'squared_euclidean'"):
        kb.bregman_divergence([0.5, 0.5], [0.5, 0.5], "euclid")  # type: ignore[arg-type]


# Joint arrays --------------------------------------------------------------------------------------------------------


@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_mutual_information_of_counts(rows: int, columns: int, data: st.DataObject) -> None:
    cell = st.one_of(st.integers(0, 9), st.integers(10**6, 10**6 + 3), st.just(0))
    table = np.array(data.draw(st.lists(cell, min_size=rows * columns, max_size=rows * columns))).reshape(rows, columns)
    if not table.any():
        table[0, 0] = 1
    true = exact.mutual_information([[mp.mpf(int(x)) for x in row] for row in table])
    got = kb.mutual_information(kb.Counts(table))
    # Where rows and columns are exactly independent the truth is 0 in 60 digits, up to 1e-58.
    assert (true < 1e-50 and got == 0) or exact.error(got, true) <= 1e-13


def test_mutual_information_of_nearly_independent_counts() -> None:
    # H+H−H loses it (5e-5); sklearn's is 3e-4 off.
    table = np.array([[25_000_100, 25_000_000], [25_000_000, 24_999_900]])
    true = exact.mutual_information([[mp.mpf(int(x)) for x in row] for row in table])
    assert exact.error(kb.mutual_information(kb.Counts(table)), true) <= 1e-14


@st.composite
def tables(draw: st.DrawFn) -> np.ndarray:
    shape = tuple(draw(st.lists(st.integers(1, 3), min_size=3, max_size=3)))
    return draw(strategies.dyadic(int(np.prod(shape)))).reshape(shape)


@given(tables())
def test_entropies_of_a_joint_add_up(joint: np.ndarray) -> None:
    def h(*axes: int) -> float:
        return float(kb.entropy(joint.sum(axis=tuple(a for a in range(3) if a not in axes)).ravel()))

    near = {"abs": 1e-14, "rel": 1e-12}
    assert kb.conditional_entropy(joint, given=0) == pytest.approx(h(0, 1, 2) - h(0), **near)
    assert kb.conditional_entropy(joint, given=(0, 2)) == pytest.approx(h(0, 1, 2) - h(0, 2), **near)
    pairwise = joint.sum(axis=2)
    assert kb.mutual_information(pairwise) == pytest.approx(h(0) + h(1) - h(0, 1), **near)
    given_z = kb.mutual_information(joint, axes=(0, 1), given=2)
    assert given_z == pytest.approx(h(0, 2) + h(1, 2) - h(0, 1, 2) - h(2), **near)
    assert kb.total_correlation(joint) == pytest.approx(h(0) + h(1) + h(2) - h(0, 1, 2), **near)
    # I(X; YZ) = I(X; Z) + I(X; Y | Z)
    merged = kb.mutual_information(joint.reshape(joint.shape[0], -1))
    assert merged == pytest.approx(kb.mutual_information(joint.sum(axis=1)) + given_z, **near)


@given(tables(), st.data())
def test_chain_rule_adds_up(p: np.ndarray, data: st.DataObject) -> None:
    q = data.draw(strategies.dyadic(p.size)).reshape(p.shape)
    total = kb.kl_divergence(p.ravel(), q.ravel())
    for first in (0, 1, (0, 2)):
        split = kb.chain_rule(p, q, first=first)
        assert split.marginal >= 0
        assert split.conditional >= 0
        assert split.total == split.marginal + split.conditional
        assert split.total == pytest.approx(total, rel=1e-12, abs=1e-15)
        keep = (first,) if isinstance(first, int) else first
        away = tuple(a for a in range(3) if a not in keep)
        marginal = kb.kl_divergence(p.sum(axis=away).ravel(), q.sum(axis=away).ravel())
        assert split.marginal == pytest.approx(marginal, rel=1e-12, abs=1e-15)


def test_joint_batches_and_axes() -> None:
    joint = RNG.dirichlet(np.ones(12), size=5).reshape(5, 3, 4)
    got = kb.mutual_information(joint)
    np.testing.assert_allclose(got, [kb.mutual_information(j) for j in joint], rtol=1e-13)
    np.testing.assert_allclose(kb.mutual_information(np.moveaxis(joint, 0, -1), axes=(0, 1)), got, rtol=1e-13)
    with pytest.raises(kb.InvalidDistribution, match="two axes"):
        kb.mutual_information(joint, axes=(0, 1, 2))
    with pytest.raises(kb.InvalidDistribution, match="repeat"):
        kb.mutual_information(joint, axes=(0, 0))
    with pytest.raises(kb.InvalidDistribution, match="axis 7 does not exist"):
        kb.total_correlation(joint, axes=(0, 7))


# Inequalities --------------------------------------------------------------------------------------------------------


def _values(p: Any, q: Any) -> dict[str, float]:
    names = ("kl_divergence", "jeffreys_divergence", "js_divergence", "js_distance", "total_variation",
             "hellinger_distance", "bhattacharyya_distance", "chi2_divergence")  # fmt: skip
    return {name: float(getattr(kb, name)(p, q)) for name in names} | {
        "reverse_kl_divergence": float(kb.kl_divergence(q, p))
    }


@given(strategies.groups(2, at_most=3))
def test_no_pair_violates_the_bounds(group: tuple[Any, ...]) -> None:
    # A TV of 1 − 1e-20 is 1 as a float, and 1 means disjoint: only values that floats can tell apart are held to it.
    assume(min(x[x > 0].min() for x in group) > 1e-3)
    values = _values(*group)
    for name, value in values.items():
        for other, (low, high) in kb.bounds(**{name: value}).items():
            # The values themselves are rounded.
            slack = 1e-12 * abs(values[other]) + 1e-300 if np.isfinite(values[other]) else 0.0
            assert low <= values[other] + slack, (name, value, other)
            assert values[other] - slack <= high, (name, value, other)


def test_bounds_are_tight_where_they_are_known_to_be() -> None:
    # Two categories {1, 0} against {1−t, t}: TV = t, KL = −log(1−t), and JS attains TV·ln 2 for disjoint parts.
    assert kb.bounds(total_variation=1.0)["kl_divergence"] == (np.inf, np.inf)
    assert kb.bounds(total_variation=1.0)["js_divergence"][0] == pytest.approx(np.log(2))
    assert kb.bounds(kl_divergence=0.0)["total_variation"] == (0.0, 0.0)
    # Pinsker with Topsøe's terms against the exact least KL at TV = 0.3 (0.18368…, binary pairs): within 0.1 %.
    t = 0.3
    least = min(kb.kl_divergence([x, 1 - x], [x + t, 1 - x - t]) for x in np.linspace(0.001, 0.699, 2001))
    low = kb.bounds(total_variation=t)["kl_divergence"][0]
    assert 0.999 * least <= low <= least


def test_bounds_take_exactly_one() -> None:
    with pytest.raises(kb.InvalidForm, match="exactly one"):
        kb.bounds()
    with pytest.raises(kb.InvalidForm, match="got 2 measures"):
        kb.bounds(kl_divergence=0.1, total_variation=0.1)
    with pytest.raises(kb.InvalidDistribution, match=r"total_variation=1\.5; expected a number in"):
        kb.bounds(total_variation=1.5)


def test_reading_a_divergence() -> None:
    told = kb.interpret(0.125)
    assert told.extra_bits == pytest.approx(0.125 / np.log(2))
    assert told.mean_shift == 0.5
    assert told.samples_about == pytest.approx(np.log(20) / 0.125)  # research: 24 draws
    assert told.samples_at_least < told.samples_about
    assert told.accuracy_at_most >= 0.5 + 0.5 * 0.1974  # N(0,1) against N(½,1) has TV .1974
    assert kb.interpret(0.0).samples_about == np.inf
    with pytest.raises(kb.InvalidDistribution, match="≥ 0"):
        kb.interpret(-1.0)
    with pytest.raises(kb.InvalidDistribution, match="alpha"):
        kb.interpret(1.0, alpha=0.6, beta=0.6)
