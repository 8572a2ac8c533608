"""Laws that no number can check by itself: sign, identity, change of units, additivity, inequalities."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kullback.families as F
from kullback import cross_entropy, entropy, explain, kl_divergence

REALS = st.floats(-1e3, 1e3)
SIZES = st.one_of(st.floats(1e-3, 1e3), st.sampled_from([1e-6, 1.0, 2.0, 1e6]))
PROBS = st.one_of(st.floats(1e-9, 1 - 1e-9), st.sampled_from([0.5, 1e-12]))

MAKERS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "Normal": (F.Normal, (REALS, SIZES)),
    "LogNormal": (F.LogNormal, (st.floats(-30, 30), st.floats(1e-3, 10))),
    "Laplace": (F.Laplace, (REALS, SIZES)),
    "Cauchy": (F.Cauchy, (REALS, SIZES)),
    "Gumbel": (F.Gumbel, (st.floats(-10, 10), st.floats(0.1, 10))),
    "Exponential": (F.Exponential, (SIZES,)),
    "Gamma": (F.Gamma, (SIZES, SIZES)),
    "InverseGamma": (F.InverseGamma, (SIZES, SIZES)),
    "Weibull": (F.Weibull, (SIZES, st.floats(0.1, 10))),
    "Beta": (F.Beta, (SIZES, SIZES)),
    "Pareto": (lambda a: F.Pareto(1.0, a), (SIZES,)),
    "InverseGaussian": (lambda m, s: F.InverseGaussian(m, 0.0, s), (SIZES, SIZES)),
    "VonMises": (F.VonMises, (st.floats(-3, 3), st.floats(0, 1e3))),
    "ContinuousBernoulli": (F.ContinuousBernoulli, (PROBS,)),
    "Bernoulli": (F.Bernoulli, (PROBS,)),
    "Geometric": (F.Geometric, (PROBS,)),
    "Poisson": (F.Poisson, (SIZES,)),
    "LogSeries": (F.LogSeries, (PROBS,)),
    "Zeta": (F.Zeta, (st.floats(1.01, 30),)),
}


@pytest.mark.parametrize("name", MAKERS)
@given(data=st.data())
def test_never_negative_and_zero_only_at_equality(name: str, data: st.DataObject) -> None:
    make, parameters = MAKERS[name]
    a, b = (tuple(data.draw(s) for s in parameters) for _ in range(2))
    value = kl_divergence(make(*a), make(*b))
    assert value >= 0
    assert not math.isnan(value)
    assert kl_divergence(make(*a), make(*a)) == 0
    # a batch never takes the shortcut of comparing members
    batch = kl_divergence(make(*(np.array([x, y]) for x, y in zip(a, b, strict=True))), make(*a))
    assert batch[0] == 0
    assert batch[1] >= 0


@given(REALS, SIZES, REALS, SIZES, st.floats(-50, 50), st.floats(0.01, 100))
def test_units_of_x_do_not_matter(m: float, s: float, n: float, t: float, shift: float, scale: float) -> None:
    p, q = F.Normal(m, s), F.Laplace(n, t)
    moved = F.Normal(shift + scale * m, scale * s), F.Laplace(shift + scale * n, scale * t)
    value = kl_divergence(p, q)
    # moving rounds the locations, which moves the answer by its slope
    slack = 1e-12 * (1 + value) + 1e-13 * (abs(m) + abs(n) + abs(shift)) / min(s, t)
    assert kl_divergence(*moved) == pytest.approx(value, rel=1e-11, abs=slack)
    affine = F.Affine(p, shift, scale), F.Affine(q, shift, scale)
    assert kl_divergence(*affine) == pytest.approx(value, rel=1e-11, abs=slack)


@given(SIZES, SIZES, SIZES, SIZES)
def test_independent_pairs_add(a: float, b: float, c: float, d: float) -> None:
    one = F.Independent(F.Gamma(np.array([a, b]), 1.0))
    two = F.Independent(F.Gamma(np.array([c, d]), 1.0))
    parts = kl_divergence(F.Gamma(a, 1.0), F.Gamma(c, 1.0)) + kl_divergence(F.Gamma(b, 1.0), F.Gamma(d, 1.0))
    assert kl_divergence(one, two) == pytest.approx(parts, rel=1e-12)
    product = kl_divergence(F.Product((F.Gamma(a, 1.0), F.Poisson(b))), F.Product((F.Gamma(c, 1.0), F.Poisson(d))))
    separately = kl_divergence(F.Gamma(a, 1.0), F.Gamma(c, 1.0)) + kl_divergence(F.Poisson(b), F.Poisson(d))
    assert product == pytest.approx(separately, rel=1e-12)


@given(st.floats(-3, 3), st.floats(0.2, 5), st.floats(-3, 3), st.floats(0.2, 5))
def test_cross_entropy_is_entropy_and_divergence(m: float, s: float, n: float, t: float) -> None:
    for p, q in [(F.Normal(m, s), F.Gumbel(n, t)), (F.Gamma(s, t), F.LogNormal(n, s)), (F.Beta(s, t), F.Beta(t, s))]:
        assert cross_entropy(p, q) == pytest.approx(entropy(p) + kl_divergence(p, q), rel=1e-9, abs=1e-9)
        told = explain(p, q)
        assert told.contributions.sum() == pytest.approx(told.value, rel=1e-12, abs=1e-300)
        assert (told.contributions >= 0).all()


@given(st.floats(0.05, 0.95), st.floats(-2, 2), st.floats(0.3, 3), st.floats(-2, 2), st.floats(0.3, 3))
def test_renyi_grows_with_its_order(alpha: float, m: float, s: float, n: float, t: float) -> None:
    p, q = F.Normal(m, s), F.Normal(n, t)
    values = [F.renyi_divergence(p, q, alpha=a) for a in (0.5 * alpha, alpha, 1.0, 1.0 + 0.1 * alpha)]
    assert all(x <= y * (1 + 1e-9) + 1e-14 for x, y in pairwise(values))
    # skew symmetry: (1−α)D_α(p‖q) = αD_{1−α}(q‖p)
    swapped = F.renyi_divergence(q, p, alpha=1 - alpha)
    assert (1 - alpha) * values[1] == pytest.approx(alpha * swapped, rel=1e-9, abs=1e-14)
    hellinger = F.hellinger_distance(p, q)
    assert 0 <= hellinger <= 1
    # 2H² ≤ KL ≤ χ²
    assert 2 * hellinger**2 <= kl_divergence(p, q) * (1 + 1e-9) + 1e-14
    assert kl_divergence(p, q) <= F.chi2_divergence(p, q) * (1 + 1e-9) + 1e-14


@given(st.floats(0.01, 30.0), st.floats(0.01, 30.0), st.floats(0.001, 0.999))
def test_thinning_counts_loses_information(a: float, b: float, keep: float) -> None:
    # data processing: a Poisson count thinned is Poisson(keep·rate)
    assert kl_divergence(F.Poisson(keep * a), F.Poisson(keep * b)) <= kl_divergence(F.Poisson(a), F.Poisson(b)) * (
        1 + 1e-12
    )


@given(st.integers(1, 40), PROBS, PROBS)
def test_binomial_is_the_sum_of_its_trials(n: int, p: float, q: float) -> None:
    one = kl_divergence(F.Bernoulli(p), F.Bernoulli(q))
    assert kl_divergence(F.Binomial(n, p), F.Binomial(n, q)) == pytest.approx(n * one, rel=1e-12)


@given(st.floats(0.2, 0.8), st.floats(-3, 3), st.floats(-3, 3), st.floats(0.3, 2.0))
def test_bounds_hold_around_quadrature(w: float, m: float, n: float, s: float) -> None:
    p = F.Mixture([w, 1 - w], [F.Normal(-2, 1), F.Normal(m, s)])
    q = F.Mixture([0.5, 0.5], [F.Normal(n, 1), F.Normal(2, 1.5)])
    low, high = F.bounds(p, q)
    value = kl_divergence(p, q)
    assert low <= value * (1 + 1e-9) + 1e-12
    assert value <= high * (1 + 1e-9) + 1e-12


def test_bounds_meet_where_the_mixture_is_apart() -> None:
    p = F.Mixture([0.3, 0.7], [F.Normal(-50, 1), F.Normal(50, 1)])
    q = F.Mixture([0.5, 0.5], [F.Normal(-50, 1), F.Normal(50, 1)])
    low, high = F.bounds(p, q)
    assert low == pytest.approx(high, rel=1e-6)
    assert high == pytest.approx(0.3 * math.log(0.6) + 0.7 * math.log(1.4), rel=1e-9)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (F.Normal(0.0, 1.0), F.Normal(1.0, 2.0)),
        (F.LogNormal(0.0, 1.0), F.LogNormal(0.2, 0.9)),
        (F.Gamma(2.0, 1.0), F.Exponential(2.0)),
        (F.Weibull(1.0, 1.5), F.Weibull(1.3, 1.5)),
        (F.Frechet(2.0, 0.0, 1.0), F.Frechet(2.0, 0.0, 1.4)),
        (F.Beta(2.0, 3.0), F.Beta(3.0, 3.0)),
        (F.Pareto(1.0, 3.0), F.Pareto(1.0, 4.0)),
        (F.InverseGaussian(0.5, 0.0, 2.0), F.InverseGaussian(0.7, 0.0, 3.0)),
        (F.ContinuousBernoulli(0.3), F.ContinuousBernoulli(0.8)),
        (F.VonMises(0.0, 1.0), F.VonMises(1.0, 2.0)),
        (F.Poisson(2.0), F.Poisson(3.0)),
        (F.Bernoulli(0.3), F.Bernoulli(0.5)),
        (F.Binomial(5, 0.3), F.Binomial(5, 0.5)),
        (F.Geometric(0.3), F.Geometric(0.5)),
        (F.NegativeBinomial(3.0, 0.3), F.NegativeBinomial(3.0, 0.5)),
        (F.LogSeries(0.3), F.LogSeries(0.5)),
    ],
    ids=lambda p: type(p).__name__,
)
@pytest.mark.parametrize("alpha", [0.3, 0.5, 0.999999, 1.2, 2.0])
def test_renyi_by_the_geodesic_is_renyi_by_quadrature(p: Any, q: Any, alpha: float) -> None:
    from kullback.families.renyi import _one

    closed = F.renyi_divergence(p, q, alpha=alpha)
    assert closed == pytest.approx(_one(p, q, alpha), rel=1e-8)


def test_renyi_of_vectors_and_of_close_pairs() -> None:
    m1, m2 = np.array([1.0, 0.0]), np.zeros(2)
    S1, S2 = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([[1.0, -0.2], [-0.2, 1.5]])
    a = 0.3
    # Gil, Alajaji & Linder 2013: ½α Δᵀ S*⁻¹ Δ − log(det S* / (det S₁^{1−α} det S₂^α))/(2(α−1)), S* = αS₂ + (1−α)S₁
    mixed = a * S2 + (1 - a) * S1
    det = np.linalg.det
    truth = 0.5 * a * (m1 - m2) @ np.linalg.solve(mixed, m1 - m2)
    truth -= np.log(det(mixed) / (det(S1) ** (1 - a) * det(S2) ** a)) / (2 * (a - 1))
    got = F.renyi_divergence(F.MultivariateNormal(m1, S1), F.MultivariateNormal(m2, S2), alpha=a)
    assert got == pytest.approx(truth, rel=1e-12)
    # ½α·δ² for equal scales: no digit is lost at δ = 1e−8
    assert F.renyi_divergence(F.Normal(0.0, 1.0), F.Normal(1e-8, 1.0), alpha=0.5) == pytest.approx(0.25e-16, rel=1e-12)
    assert F.chi2_divergence(F.Normal(0.0, 1.0), F.Normal(1e-8, 1.0)) == pytest.approx(1e-16, rel=1e-12)
    # twice as wide has no χ² towards narrow beyond √2
    assert F.chi2_divergence(F.Normal(0.0, 1.5), F.Normal(0.0, 1.0)) == math.inf
    batch = F.renyi_divergence(F.Normal(np.zeros(2), 1.0), F.Normal(1.0, np.array([1.0, 2.0])), alpha=0.5)
    assert batch.shape == (2,)
    assert F.renyi_divergence(F.Laplace(0, 1), F.Cauchy(0, 1), alpha=0.5) > 0


@pytest.mark.parametrize("alpha", [0.3, 0.5, 1.5, 2.0])
def test_renyi_of_one_dimension_is_that_of_its_line(alpha: float) -> None:
    for vector, line in [
        (
            (F.Wishart(5.0, [[2.0]]), F.Wishart(7.0, [[1.5]])),
            (F.Gamma(2.5, 0.25), F.Gamma(3.5, 1 / 3)),
        ),
        (
            (F.InverseWishart(5.0, [[2.0]]), F.InverseWishart(7.0, [[1.5]])),
            (F.InverseGamma(2.5, 1.0), F.InverseGamma(3.5, 0.75)),
        ),
        ((F.Dirichlet([2.0, 3.0]), F.Dirichlet([3.0, 2.5])), (F.Beta(2.0, 3.0), F.Beta(3.0, 2.5))),
        (
            (F.LowRankMultivariateNormal([0.0], [[1.0]], [1.0]), F.LowRankMultivariateNormal([1.0], [[1.0]], [2.0])),
            (F.Normal(0.0, math.sqrt(2.0)), F.Normal(1.0, math.sqrt(3.0))),
        ),
        # the circle
        (
            (F.VonMisesFisher([1.0, 0.0], 2.0), F.VonMisesFisher([0.6, 0.8], 3.0)),
            (F.VonMises(0.0, 2.0), F.VonMises(math.atan2(0.8, 0.6), 3.0)),
        ),
    ]:
        got = F.renyi_divergence(*vector, alpha=alpha)
        assert got == pytest.approx(F.renyi_divergence(*line, alpha=alpha), rel=1e-11)


def test_renyi_is_infinite_where_no_member_lies_between() -> None:
    assert F.chi2_divergence(F.Dirichlet([1.0, 2.0]), F.Dirichlet([2.0, 2.0])) == math.inf
    wide, narrow = (F.MultivariateNormal(np.zeros(2), s * np.eye(2)) for s in (3.0, 1.0))
    assert F.chi2_divergence(wide, narrow) == math.inf
    some = F.MultivariateNormal(np.zeros(2), np.stack([3.0 * np.eye(2), 1.5 * np.eye(2)]))
    np.testing.assert_array_equal(np.isinf(F.chi2_divergence(some, narrow)), [True, False])
