"""Cross pairs of laws that are nearly one: quadrature in long double, where double leaves too few digits."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest

import kullback.families as F
from exact import error
from kullback.families import dispatch

m = mp.mpf


def by_integral(log_p: Any, log_q: Any, edges: list[Any]) -> mp.mpf:
    with mp.workdps(60):
        return mp.quad(lambda x: mp.exp(log_p(x)) * (log_p(x) - log_q(x)), edges)


def logistic(s: float) -> Any:
    return lambda x: -x / m(s) - 2 * mp.log1p(mp.exp(-x / m(s))) - mp.log(m(s))


def student(v: float) -> Any:
    v = m(v)
    constant = mp.loggamma((v + 1) / 2) - mp.loggamma(v / 2) - mp.log(v * mp.pi) / 2
    return lambda x: constant - (v + 1) / 2 * mp.log1p(x * x / v)


def normal(mean: float, std: float) -> Any:
    return lambda x: -(((x - m(mean)) / m(std)) ** 2) / 2 - mp.log(m(std)) - mp.log(2 * mp.pi) / 2


def gamma(k: float, rate: float) -> Any:
    return lambda x: m(k) * mp.log(m(rate)) - mp.loggamma(m(k)) + (m(k) - 1) * mp.log(x) - m(rate) * x


def kumaraswamy(a: float, b: float) -> Any:
    a, b = m(a), m(b)
    return lambda x: mp.log(a * b) + (a - 1) * mp.log(x) + (b - 1) * mp.log1p(-(x**a))


LINE = [-150, -60, -20, -8, -3, 0, 3, 8, 20, 60, 150]
TAILS = [mp.ninf, -1000, *LINE, 1000, mp.inf]
# nothing between the two is left to doubles: (p, q, their log-densities, where to integrate, relative error)
PAIRS = {
    "logistic 1e-6": (F.Logistic(0, 1), F.Logistic(0, 1 + 1e-6), logistic(1), logistic(1 + 1e-6), LINE, 1e-10),
    "logistic 1e-9": (F.Logistic(0, 1), F.Logistic(0, 1 + 1e-9), logistic(1), logistic(1 + 1e-9), LINE, 1e-8),
    "student 1e-6": (F.StudentT(5), F.StudentT(5 + 1e-6), student(5), student(5 + 1e-6), TAILS, 1e-10),
    "student to normal": (F.StudentT(1e8), F.Normal(0, 1), student(1e8), normal(0, 1), LINE, 1e-10),
    "gamma to normal": (
        F.Gamma(1e8, 1e8),
        F.Normal(1, 1e-4),
        gamma(1e8, 1e8),
        normal(1, 1e-4),
        [1 + m(k) * 2 / 10**4 for k in range(-8, 9)],
        1e-10,
    ),
    "kumaraswamy": (
        F.Kumaraswamy(2, 3),
        F.Kumaraswamy(2 + 1e-7, 3),
        kumaraswamy(2, 3),
        kumaraswamy(2 + 1e-7, 3),
        [0, 0.25, 0.5, 0.75, 1],
        1e-10,
    ),
}


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="no long double here")
@pytest.mark.parametrize("name", PAIRS)
def test_the_error_is_met_and_true(name: str) -> None:
    p, q, log_p, log_q, edges, allowed = PAIRS[name]
    truth = by_integral(log_p, log_q, edges)
    told = dispatch._kl(p, q)
    assert error(told.value, truth) < allowed
    assert abs(m(float(told.value)) - truth) <= told.error
