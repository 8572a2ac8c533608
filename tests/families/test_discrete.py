"""Mass functions: SciPy's masses, mpmath's sums, and the right infinity."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

import kullback.families as F
from kullback import InvalidForm, NoClosedForm, entropy, explain, kl_divergence
from kullback.families import dispatch

m = mp.mpf
Mass = Callable[[int], mp.mpf]


def binomial(n: int, p: float) -> Mass:
    return lambda k: mp.binomial(n, k) * m(p) ** k * (1 - m(p)) ** (n - k)


def poisson(r: float) -> Mass:
    return lambda k: mp.exp(-m(r)) * m(r) ** k / mp.factorial(k)


def negative_binomial(r: float, p: float) -> Mass:
    return lambda k: mp.gamma(k + m(r)) / mp.gamma(m(r)) / mp.factorial(k) * (1 - m(p)) ** m(r) * m(p) ** k


def geometric(p: float) -> Mass:
    return lambda k: m(p) * (1 - m(p)) ** k


def beta_binomial(n: int, a: float, b: float) -> Mass:
    return lambda k: mp.binomial(n, k) * mp.beta(k + m(a), n - k + m(b)) / mp.beta(m(a), m(b))


def hypergeometric(N: int, K: int, n: int) -> Mass:
    return lambda k: mp.binomial(K, k) * mp.binomial(N - K, n - k) / mp.binomial(N, n)


def skellam(a: float, b: float) -> Mass:
    return lambda k: mp.exp(-m(a) - m(b)) * (m(a) / m(b)) ** (m(k) / 2) * mp.besseli(abs(k), 2 * mp.sqrt(m(a) * m(b)))


CASES = [
    (F.Binomial(10, 0.3), F.Binomial(12, 0.25), binomial(10, 0.3), binomial(12, 0.25), 0, 11),
    (F.Binomial(10, 0.3), F.Poisson(3.1), binomial(10, 0.3), poisson(3.1), 0, 11),
    (F.Poisson(3.1), F.NegativeBinomial(2.5, 0.4), poisson(3.1), negative_binomial(2.5, 0.4), 0, 120),
    (
        F.NegativeBinomial(2.5, 0.4),
        F.NegativeBinomial(2.6, 0.41),
        negative_binomial(2.5, 0.4),
        negative_binomial(2.6, 0.41),
        0,
        200,
    ),
    (F.Geometric(0.3), F.Poisson(2.0), geometric(0.3), poisson(2.0), 0, 400),
    (F.BetaBinomial(20, 2.0, 3.0), F.Binomial(20, 0.4), beta_binomial(20, 2.0, 3.0), binomial(20, 0.4), 0, 21),
    (
        F.BetaBinomial(20, 2.0, 3.0),
        F.BetaBinomial(20, 2.1, 3.0),
        beta_binomial(20, 2.0, 3.0),
        beta_binomial(20, 2.1, 3.0),
        0,
        21,
    ),
    (F.Hypergeometric(50, 20, 10), F.Binomial(10, 0.4), hypergeometric(50, 20, 10), binomial(10, 0.4), 0, 11),
    (F.Skellam(2.0, 3.0), F.Skellam(2.5, 2.0), skellam(2.0, 3.0), skellam(2.5, 2.0), -60, 60),
    (F.Bernoulli(0.3), F.Poisson(0.5), binomial(1, 0.3), poisson(0.5), 0, 2),
    (F.Poisson(400.0), F.NegativeBinomial(300.0, 0.6), poisson(400.0), negative_binomial(300.0, 0.6), 100, 900),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{type(c[0]).__name__}-{type(c[1]).__name__}")
def test_sums(case: Any) -> None:
    p, q, P, Q, low, high = case
    answer = dispatch._kl(p, q)
    with mp.workdps(50):
        truth = mp.fsum(P(k) * mp.log(P(k) / Q(k)) for k in range(low, high))
        mine = mp.fsum(-P(k) * mp.log(P(k)) for k in range(low, high))
    assert float(answer.value) == pytest.approx(float(truth), rel=1e-12)
    assert answer.error <= 1e-12 * float(truth)
    assert entropy(p) == pytest.approx(float(mine), rel=1e-11)


SCIPY = [
    (stats.bernoulli(0.3), 0),
    (stats.binom(10, 0.3), 0),
    (stats.geom(0.3), 1),
    (stats.nbinom(2.5, 0.3), 0),
    (stats.poisson(3.3), 0),
    (stats.poisson(3.3, loc=2), 2),
    (stats.zipf(2.5), 1),
    (stats.logser(0.6), 1),
    (stats.betabinom(10, 2.0, 3.0), 0),
    (stats.skellam(2.0, 3.0), -3),
    (stats.hypergeom(50, 20, 10), 0),
]


@pytest.mark.parametrize(("frozen", "first"), SCIPY, ids=lambda x: x.dist.name if hasattr(x, "dist") else "")
def test_masses_means_and_draws_are_scipys(frozen: Any, first: int) -> None:
    p = dispatch.parsed(frozen, "p")
    x = np.arange(first - 1, first + 9)
    np.testing.assert_allclose(np.exp(p.log_prob(x)), frozen.pmf(x), rtol=1e-11, atol=1e-300)
    assert p.log_prob(first + 0.5) == -math.inf
    assert p.mean == pytest.approx(float(frozen.mean()), rel=1e-9)
    if frozen.dist.name != "zipf":
        assert p.variance == pytest.approx(float(frozen.var()), rel=1e-9)
        draws = p.sample(20_000, random_state=1)
        assert abs(draws.mean() - p.mean) < 5 * math.sqrt(p.variance / 20_000)
    assert kl_divergence(frozen, frozen) == 0


def test_infinite_where_the_support_is_wrong() -> None:
    assert kl_divergence(F.Poisson(2.0), F.Binomial(5, 0.2)) == math.inf
    assert kl_divergence(F.Binomial(7, 0.2), F.Binomial(5, 0.2)) == math.inf
    assert kl_divergence(F.Bernoulli(0.5), F.Poisson(0.0)) == math.inf
    assert kl_divergence(F.Skellam(1.0, 1.0), F.Poisson(1.0)) == math.inf
    assert kl_divergence(F.Poisson(1.0), F.Normal(0.0, 1.0)) == math.inf
    told = explain(F.Binomial(7, 0.5), F.Binomial(5, 0.5))
    assert told.infinite is not None
    assert told.infinite.labels == ("x > 5",)
    # 7·½⁷ + ½⁷
    assert told.infinite.mass == pytest.approx(8 / 128)


def test_boundaries() -> None:
    assert kl_divergence(F.Poisson(0), F.Poisson(1)) == 1.0
    assert kl_divergence(F.Bernoulli(0), F.Poisson(0)) == 0.0
    assert kl_divergence(F.Geometric(1.0), F.Geometric(0.4)) == pytest.approx(-math.log(0.4))
    assert kl_divergence(F.NegativeBinomial(3.0, 0.0), F.NegativeBinomial(3.0, 0.4)) == pytest.approx(
        -3 * math.log(0.6)
    )
    assert kl_divergence(F.Binomial(0, 0.4), F.Binomial(0, 0.9)) == 0.0


@pytest.mark.parametrize(
    ("exponent", "q", "truth"),
    [
        # mpmath, mp.dps=30: nsum(p·log(p/q), [1, inf], method="euler-maclaurin")
        (3.5, F.Poisson(2.0), 0.90230683035359437),
        (8.0, F.Poisson(2.0), 1.2797491153914189),
        (2.5, F.NegativeBinomial(2.5, 0.4), 0.86127004482480331),
    ],
)
def test_the_power_tail_of_a_zeta_law(exponent: float, q: Any, truth: float) -> None:
    answer = dispatch._kl(F.Zeta(exponent), q)
    assert float(answer.value) == pytest.approx(truth, rel=3e-15)
    assert answer.error < 1e-13


def test_a_tail_too_heavy_is_infinite() -> None:
    # E x log x of a zeta law exists above 2
    assert kl_divergence(F.Zeta(1.9), F.Poisson(2.0)) == math.inf
    with pytest.raises(NoClosedForm, match="fade too slowly"):
        kl_divergence(F.Zeta(2.02), F.Poisson(2.0))


def test_counts_of_several_kinds() -> None:
    fixed, random = F.Multinomial(5.0, [0.2, 0.8]), F.DirichletMultinomial([2.0, 3.0], 5.0)
    assert kl_divergence(fixed, random) == pytest.approx(
        kl_divergence(F.Binomial(5.0, 0.2), F.BetaBinomial(5.0, 2.0, 3.0)), rel=1e-13
    )
    assert kl_divergence(random, fixed) == pytest.approx(
        kl_divergence(F.BetaBinomial(5.0, 2.0, 3.0), F.Binomial(5.0, 0.2)), rel=1e-13
    )
    assert kl_divergence(fixed, F.Multinomial(6.0, [0.2, 0.8])) == math.inf
    three = stats.multinomial(5, [0.2, 0.3, 0.5])
    assert entropy(three) == pytest.approx(float(three.entropy()), rel=1e-12)
    assert entropy(F.Multinomial(5.0, logits=np.log([0.2, 0.3, 0.5]))) == pytest.approx(float(three.entropy()))
    with pytest.raises(InvalidForm, match="expected the same space"):
        kl_divergence(F.Multinomial(5.0, [0.2, 0.8]), F.Multinomial(5.0, [0.2, 0.3, 0.5]))


def test_dirichlet_multinomial_of_two_is_beta_binomial() -> None:
    p, q = F.DirichletMultinomial([1.0, 2.0], 6), F.DirichletMultinomial([2.0, 2.0], 6)
    same = kl_divergence(F.BetaBinomial(6, 1.0, 2.0), F.BetaBinomial(6, 2.0, 2.0))
    assert kl_divergence(p, q) == pytest.approx(same, rel=1e-12)
    x = np.array([[2.0, 4.0], [6.0, 0.0]])
    np.testing.assert_allclose(p.log_prob(x), F.BetaBinomial(6, 1.0, 2.0).log_prob(x[:, 0]), rtol=1e-12)
