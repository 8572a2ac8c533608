"""Cross pairs that once gave NaN, a negative number, a wrong one or an error bound too small; truths by mpmath."""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import kullback.families as F
from exact import error
from kullback import explain, kl_divergence
from kullback.families import dispatch
from kullback.families.answer import QUADRATURE

m = mp.mpf


def gamma_to_normal(k: float, rate: float, mean: float, std: float) -> mp.mpf:
    K, R, M, S = m(k), m(rate), m(mean), m(std)
    own = K - mp.log(R) + mp.loggamma(K) + (1 - K) * mp.digamma(K)
    square = K / R**2 + (K / R - M) ** 2
    return -own + mp.log(2 * mp.pi * S**2) / 2 + square / (2 * S**2)


def test_laws_nearly_one_by_another_name() -> None:
    # −H(p) − E_p[log q] is left of terms 10⁷ times its size: the quadrature of p·φ(log q/p) knows it better
    with mp.workdps(60):
        truth = gamma_to_normal(1e6, 1e6, 1.0, 1e-3)
    told = explain(F.Gamma(1e6, 1e6), F.Normal(1.0, 1e-3))
    assert told.method == QUADRATURE
    assert error(told.value, truth) < 1e-10
    assert abs(told.value - float(truth)) <= told.error < 1e-8 * told.value
    batch = kl_divergence(F.Gamma(np.array([1e6, 2.0]), np.array([1e6, 1.0])), F.Normal(1.0, np.array([1e-3, 3.0])))
    assert batch[0] == told.value
    assert error(batch[1], gamma_to_normal(2.0, 1.0, 1.0, 3.0)) < 1e-14


@pytest.mark.parametrize("step", [1e-3, 1e-6])
def test_the_error_of_quadrature_is_not_too_small(step: float) -> None:
    with mp.workdps(40):
        t = m(1 + step)

        def term(u: Any) -> Any:
            # log p/q at the quantile u of the logistic law
            x = mp.log(u / (1 - u))
            return -x - 2 * mp.log1p(mp.exp(-x)) + mp.log(t) + x / t + 2 * mp.log1p(mp.exp(-x / t))

        truth = mp.quad(term, mp.linspace(0, 1, 9))
    told = dispatch._kl(F.Logistic(0.0, 1.0), F.Logistic(0.0, 1 + step))
    assert abs(float(told.value) - float(truth)) <= told.error


def test_a_tail_is_not_lost_between_the_draws_and_the_end() -> None:
    with mp.workdps(30):

        def term(z: Any) -> Any:
            x = 1 / (1 + mp.exp(13 - z / 2))
            log_p = -z * z / 2 - mp.log(2 * mp.pi) / 2 + mp.log(2) - mp.log(x) - mp.log(1 - x)
            log_q = mp.log(2) - mp.log(mp.pi) - mp.log(1e-6) - mp.log1p((x / m(1e-6)) ** 2)
            return mp.npdf(z) * (log_p - log_q)

        truth = mp.quad(term, [-13, -4, 0, 4, 13])
    assert error(kl_divergence(F.LogitNormal(-13.0, 0.5), F.HalfCauchy(1e-6)), truth) < 1e-12


def test_the_circle_is_cut_at_pi() -> None:
    p, q = F.VonMises(1.0, 2.5), F.Laplace(0.0, 0.4)
    with mp.workdps(30):
        log_c = -mp.log(2 * mp.pi * mp.besseli(0, m(2.5)))

        def term(x: Any) -> Any:
            log_p = log_c + m(2.5) * mp.cos(x - 1)
            return mp.exp(log_p) * (log_p + abs(x) / m(0.4) + mp.log(m(0.8)))

        truth = mp.quad(term, [-mp.pi, 0, 1, mp.pi])
    assert error(kl_divergence(p, q), truth) < 1e-12
    assert np.all(np.abs(F.VonMises(3.0, 1.0).sample(200, random_state=0)) <= math.pi)
    assert p.mean == 1.0


def test_weight_and_mean_may_leave_the_range_of_floats_apart() -> None:
    # e^{−800}·e^{796}: neither is a float, their product is
    s, loc = 1 / 39.9, -800 / 39.9
    with mp.workdps(40):
        M, R = -m(loc) / m(s), 1 / m(s)
        truth = mp.log(m(s)) + M + mp.exp(-M + R * R / 2) - mp.log(2 * mp.pi * mp.e) / 2
    assert error(kl_divergence(F.Normal(0.0, 1.0), F.Gumbel(loc, s)), truth) < 1e-12
    # (10⁷)¹⁰⁰ times E y¹⁰⁰ = Γ(101)Γ(10⁶−100)/Γ(10⁶)
    with mp.workdps(40):
        power = mp.exp(100 * mp.log(m(30) / m(1e3)) + mp.loggamma(101) + mp.loggamma(m(1e6) - 100) - mp.loggamma(1e6))
        log_y = -mp.euler - mp.digamma(m(1e6))
        own = 1 + 1 / m(1e6) - mp.log(1e6) + mp.log(30)
        log_x = log_y + mp.log(30) - mp.log(1e3)
        truth = -own - (mp.log(100) - mp.log(1e3) - mp.loggamma(2.5) + 249 * log_x - power)
    assert error(kl_divergence(F.Lomax(1e6, 0.0, 30.0), F.GeneralizedGamma(2.5, 100.0, 0.0, 1e3)), truth) < 1e-12


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (F.Cauchy(1000.0, 1.0), F.Gumbel(0.0, 0.4)),
        (F.StudentT(1e-6, 1.0, 3.0), F.Gumbel(-1e6, 30.0)),
        (F.Laplace(2000.0, 1.0), F.Gumbel(0.0, 0.5)),
        (F.Normal(-1e3, 1.0), F.Gumbel(0.0, 1e-3)),
    ],
    ids=lambda x: type(x).__name__,
)
def test_infinite_means_are_infinite(p: Any, q: Any) -> None:
    assert kl_divergence(p, q) == math.inf


def test_no_trial_tells_nothing() -> None:
    assert kl_divergence(F.Binomial(0, 1e-12), F.Binomial(0, 0.0)) == 0.0
    assert kl_divergence(F.Binomial(np.array([0.0, 2.0]), 0.5), F.Binomial(np.array([0.0, 2.0]), 0.0))[0] == 0.0


def test_a_closed_form_without_a_number_goes_on_to_quadrature() -> None:
    # SciPy's ₁F₁ ends at |t| = 500
    p, q = F.Beta(2.0, 3.0), F.Gumbel(0.3, 1e-3)
    told = explain(p, q)
    assert told.method == QUADRATURE
    with mp.workdps(40):
        mean_exp = mp.exp(m(0.3) / m(1e-3)) * mp.hyp1f1(2, 5, -1 / m(1e-3))
        own = mp.log(mp.beta(2, 3)) - mp.digamma(2) - 2 * mp.digamma(3) + 3 * mp.digamma(5)
        truth = -own + mp.log(m(1e-3)) + (m(2) / 5 - m(0.3)) / m(1e-3) + mean_exp
    assert error(told.value, truth) < 1e-10


def test_densities_keep_their_peaks() -> None:
    # log B(a, b) and the powers are 10⁶ each and cancel
    with mp.workdps(40):
        truth = -mp.log(mp.beta(1e6, 1e6)) + (m(1e6) - 1) * (mp.log(m(0.5001)) + mp.log(1 - m(0.5001)))
        assert error(F.Beta(1e6, 1e6).log_prob(0.5001), truth) < 1e-13
        truth = mp.loggamma(m(1e6) / 2 + m(1) / 2) - mp.loggamma(m(1e6) / 2) - mp.log(m(1e6) * mp.pi) / 2
        assert error(F.StudentT(1e6).log_prob(0.0), truth) < 1e-14
        truth = m(1e6) * mp.cos(m(1e-3)) - mp.log(2 * mp.pi * mp.besseli(0, m(1e6)))
        assert error(F.VonMises(0.0, 1e6).log_prob(1e-3), truth) < 1e-11


def test_mass_beyond_the_range_of_floats() -> None:
    # half of Pareto(1, 0.001) lies above 1e300; E log(1+x) = 1/a + E log(1+u^{1/a}), u uniform
    with mp.workdps(30):
        a, b = m(1e-3), m(0.01)
        log_1p = 1 / a + mp.quad(lambda u: mp.log1p(u ** (1 / a)), [0, 0.9, 0.99, 0.999, 1])
        truth = -(1 + 1 / a - mp.log(a)) - mp.log(b) + (b + 1) * log_1p
    told = explain(F.Pareto(1.0, 1e-3), F.Lomax(0.01))
    assert error(told.value, truth) < 1e-12
    assert told.error < 1e-10 * told.value
    # half of the usual prior lies below 1e−300: E log(1 + x²) by its own integral in log x
    with mp.workdps(30):
        k = m(1e-3)
        log_c = k * mp.log(k) - mp.loggamma(k)

        def term(s: Any) -> Any:
            x = mp.exp(s)
            log_p = log_c + (k - 1) * s - k * x
            return mp.exp(log_p + s) * (log_p - mp.log(2 / mp.pi) + mp.log1p(x * x))

        truth = mp.quad(term, [-80000, -20000, -5000, -1000, -100, 0, 4, 7, 9, 11, 13])
    assert error(kl_divergence(F.Gamma(1e-3, 1e-3), F.HalfCauchy(1.0)), truth) < 1e-10


def test_narrow_uniform_laws() -> None:
    # an antiderivative over [1000, 1000.001] has lost six digits before it is divided by the width
    p = F.Uniform(1000.0, 1000.001)
    with mp.workdps(40):
        u, v = m(1000.0), m(1000.001)
        for q, mean in [
            (F.Laplace(-3.0, 0.3), lambda x: abs(x + 3) / m(0.3) + mp.log(m(0.6))),
            (F.LogNormal(0.0, 2.0), lambda x: mp.log(x) + mp.log(x) ** 2 / 8 + mp.log(2 * mp.sqrt(2 * mp.pi))),
            (F.Cauchy(0.0, 1.0), lambda x: mp.log(mp.pi) + mp.log1p(x * x)),
        ]:
            truth = -mp.log(v - u) + mp.quad(mean, [u, v]) / (v - u)
            assert error(kl_divergence(p, q), truth) < 1e-13
