"""Laws with mass beyond the range of floats, against partners that only quadrature can ask."""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import pytest

import kullback.families as F
from exact import error
from kullback import explain, kl_divergence

m = mp.mpf


def softplus(x: Any) -> Any:
    return x + mp.log1p(mp.exp(-x)) if x > 0 else mp.log1p(mp.exp(x))


# s, of law p → (log density of s, the range that holds all but 1e−40 of it in steps)
def loglogistic(c: float) -> Any:
    c = m(c)
    return lambda s: mp.log(c) - c * s - 2 * softplus(-c * s), [m(k) * 5 / c for k in range(-20, 21)]


def lognormal(scale: float) -> Any:
    v = m(scale)
    return lambda s: -((s / v) ** 2) / 2 - mp.log(v) - mp.log(2 * mp.pi) / 2, [m(k) * v for k in range(-14, 15)]


def frechet(c: float) -> Any:
    c = m(c)
    return lambda s: mp.log(c) - c * s - mp.exp(-c * s), [m(k) / c for k in range(-5, 100, 3)]


def kumaraswamy(a: float, b: float) -> Any:
    a, b = m(a), m(b)
    # −s is (exponential or so)/a
    steps = [-m(k) / a for k in (100, 50, 25, 12, 6, 3, 2, 1, "0.3", "0.1", "0.01", "1e-4")] + [-20, -5, -1, 0]
    return lambda s: mp.log(a * b) + a * s + (b - 1) * mp.log(-mp.expm1(a * s)), steps


# log of q's density of x, times x, at x = e^s
def halfcauchy(s: Any) -> Any:
    return mp.log(2 / mp.pi) + s - softplus(2 * s)


def cauchy(s: Any) -> Any:
    return halfcauchy(s) - mp.log(2)


def lomax(s: Any) -> Any:
    return mp.log(2) + s - 3 * softplus(s)


def student(s: Any) -> Any:
    return mp.log(2 / (mp.pi * mp.sqrt(3))) + s - 2 * softplus(2 * s - mp.log(3))


def beta(s: Any) -> Any:
    return mp.log(12) + 2 * s + 2 * mp.log(-mp.expm1(s))


HALF = [
    (F.HalfCauchy(1.0), halfcauchy),
    (F.Cauchy(0.0, 1.0), cauchy),
    (F.Lomax(2.0), lomax),
    (F.StudentT(3.0), student),
]
LAWS = {
    "LogLogistic(0.01)": (F.LogLogistic(0.01), loglogistic(0.01), HALF),
    "LogLogistic(1e-6)": (F.LogLogistic(1e-6), loglogistic(1e-6), HALF),
    "LogNormal(0, 1e3)": (F.LogNormal(0.0, 1e3), lognormal(1e3), HALF),
    "Frechet(0.01)": (F.Frechet(0.01), frechet(0.01), HALF),
    "Kumaraswamy(1e-6, 2)": (F.Kumaraswamy(1e-6, 2.0), kumaraswamy(1e-6, 2.0), [*HALF, (F.Beta(2.0, 3.0), beta)]),
    "Kumaraswamy(0.001, 2)": (F.Kumaraswamy(1e-3, 2.0), kumaraswamy(1e-3, 2.0), [*HALF, (F.Beta(2.0, 3.0), beta)]),
}


@pytest.mark.parametrize("name", LAWS)
def test_on_the_scale_of_a_logarithm(name: str) -> None:
    p, (log_p, steps), partners = LAWS[name]
    for q, log_q in partners:
        with mp.workdps(30):
            # q has corners of its own on the scale of s
            edges = sorted({*steps, *(m(k) for k in (-30, -5, 0, 5, 30) if steps[0] < k < steps[-1])})
            truth = mp.quad(lambda s, g=log_q: mp.exp(log_p(s)) * (log_p(s) - g(s)), edges)
        told = explain(p, q)
        assert error(told.value, truth) < 1e-10, q
        assert abs(m(told.value) - truth) <= told.error + 1e-14 * truth, q


def test_log_odds_beyond_floats() -> None:
    # of x and of 1 − x: E log x = −E log(1 + e^{−s}), s normal
    for loc, scale in [(0.0, 1e3), (5.0, 300.0)]:
        with mp.workdps(30):
            L, S = m(loc), m(scale)

            def term(z: Any, L: Any = L, S: Any = S) -> Any:
                s = L + S * z
                # log p of s less log q of s, q = Beta(2, 3)
                log_q = mp.log(12) - 2 * softplus(-s) - 3 * softplus(s)
                return mp.npdf(z) * (-z * z / 2 - mp.log(S) - mp.log(2 * mp.pi) / 2 - log_q)

            middle = -L / S
            truth = mp.quad(term, sorted([*range(-14, 15), middle, middle - 40 / S, middle + 40 / S]))
        assert error(kl_divergence(F.LogitNormal(loc, scale), F.Beta(2.0, 3.0)), truth) < 1e-10


def test_what_has_no_mean_is_infinite() -> None:
    light = F.Mixture([0.5, 0.5], (F.LogNormal(0.0, 1.0), F.Gamma(2.0, 1.0)))
    for p in (F.LogLogistic(0.01), F.Frechet(0.01), F.Lomax(1e-3), F.Pareto(1.0, 1e-4)):
        for q in (F.Logistic(0.0, 1.0), F.Gumbel(0.0, 1.0), F.Laplace(0.0, 1.0)):
            assert kl_divergence(p, q) == math.inf
        # the log-normal component's logarithm is (log x)²/2: the mixture's tail is that of the heavier part
        assert 0 < kl_divergence(p, light) < math.inf
