"""Every ordered pair of SciPy's families: adapter, route and number against a grid integral of SciPy's densities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from families.oracle import CONTINUOUS, kl
from kullback import entropy, explain
from kullback.families import dispatch
from kullback.families.answer import EXACT, QUADRATURE, SUPPORT


@pytest.mark.parametrize("name", CONTINUOUS)
def test_every_pair_from(name: str) -> None:
    p = CONTINUOUS[name][0]
    for other, (_, q) in CONTINUOUS.items():
        answer = dispatch._kl(dispatch.parsed(p, "p"), dispatch.parsed(q, "q"))
        got = float(answer.value)
        low, high = p.support()
        inside = q.support()[0] <= low and high <= q.support()[1]
        assert inside == (answer.method != SUPPORT), (name, other)
        if not inside:
            assert got == math.inf
            continue
        if got == math.inf:
            assert _diverges(name, other), (name, other)
            continue
        truth = kl(p, q)
        assert got == pytest.approx(truth, rel=3e-8, abs=1e-11), (name, other, answer.method)
        assert answer.method in EXACT or (answer.method == QUADRATURE and answer.error <= 1e-10 * got)


# E_p[−log q] does not exist: p's tail is heavier than q's can bear
_HEAVY = {
    "cauchy": "everything but cauchy and t",
    "halfcauchy": "",
    "levy": "",
    "t": "gumbel_r",
    "fisk": "",
    "pareto": "",
    "invgamma": "",
    "invweibull": "",
    "lomax": "",
    "lognorm": "gumbel_r",
}


def _diverges(p: str, q: str) -> bool:
    # towards 0: e^{−1/y} against a density that is positive at 0
    at_zero = q in ("invgamma", "invweibull", "levy", "invgauss", "lognorm")
    return p in _HEAVY or at_zero


@pytest.mark.parametrize("name", CONTINUOUS)
def test_entropy_mean_variance_and_density(name: str) -> None:
    frozen = CONTINUOUS[name][0]
    p = dispatch.parsed(frozen, "p")
    x = frozen.ppf([0.01, 0.3, 0.5, 0.9, 0.999])
    np.testing.assert_allclose(p.log_prob(x), frozen.logpdf(x), rtol=1e-11, atol=1e-12)
    assert entropy(p) == pytest.approx(float(frozen.entropy()), rel=1e-7)
    if name not in ("cauchy", "halfcauchy", "levy"):
        assert p.mean == pytest.approx(float(frozen.mean()), rel=1e-9)
        assert p.variance == pytest.approx(float(frozen.var()), rel=1e-9)
    assert p.support == pytest.approx(frozen.support())
    draws = p.sample(4000, random_state=0)
    assert draws.shape == (4000,)
    assert stats.kstest(draws, frozen.cdf).pvalue > 1e-3


def test_exact_pairs_are_as_many_as_said() -> None:
    from kullback.families import table

    matrix = table()
    assert matrix.count("FEMS") >= 428
    assert matrix.count("·") == 0
    assert len(matrix.names) == len(matrix.letters)
    assert "Normal" in str(matrix)


def test_the_order_of_resort_is_told() -> None:
    from kullback.families import Exponential, Gamma, Laplace, LogNormal, Normal, StudentT, Uniform

    assert explain(Normal(0, 1), Normal(0, 1)).method.startswith("identity")
    assert explain(Normal(0, 1), Normal(1, 1)).method.startswith("closed form of the family")
    assert explain(Normal(0, 1), Laplace(1, 1)).method.startswith("closed form by expectations")
    assert explain(LogNormal(0, 1), LogNormal(1, 1)).method.startswith("closed form after a one-to-one map")
    assert explain(Normal(0, 1), Uniform(0, 1)).method.startswith("support")
    told = explain(StudentT(3), StudentT(5))
    assert told.method == "adaptive quadrature"
    assert 0 < told.error <= 1e-10 * told.value
    assert explain(Gamma(2.0, 1.0), Exponential(1.0)).error == 0.0


def test_large_parameters_keep_their_entropy() -> None:
    from kullback.families import Beta, Gamma, Poisson

    # mpmath, mp.dps=40: a + loggamma(a) + (1 − a)·digamma(a), a = 10¹⁰
    assert entropy(Gamma(1e10, 1.0)) == pytest.approx(12.93186399814156783, rel=1e-14)
    # mpmath, mp.dps=40: log B(a, a) − 2(a − 1)(digamma(a) − digamma(2a)), a = 10⁶
    assert entropy(Beta(1e6, 1e6)) == pytest.approx(-6.528537766617507, rel=1e-13)
    assert Gamma(1e10, 1.0).variance == pytest.approx(1e10, rel=1e-12)
    # Stirling's series of ½log(2πeλ) − 1/(12λ) − 1/(24λ²), λ = 10⁴
    truth = 0.5 * math.log(2 * math.pi * math.e * 1e4) - 1 / 12e4 - 1 / 24e8
    assert entropy(Poisson(1e4)) == pytest.approx(truth, rel=1e-12)
