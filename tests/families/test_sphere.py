"""Von Mises–Fisher laws from 3 to 2000 dimensions and from no concentration to 1e6, against mpmath."""

from __future__ import annotations

import functools
import itertools

import mpmath as mp
import numpy as np
import pytest

import kullback.families as F
from exact import error
from kullback import kl_divergence
from kullback.families.debye import LARGE_ORDER

m = mp.mpf
CONCENTRATIONS = [0.0, 1e-6, 1e-3, 1.0, 10.0, 54.0, 300.0, 700.0, 720.0, 1400.0, 1e4, 1e6]


def at_pole(d: int, concentration: float) -> F.VonMisesFisher:
    return F.VonMisesFisher(np.eye(d)[0], concentration)


@functools.cache
def of_bessel(d: int, kappa: float) -> tuple[mp.mpf, mp.mpf]:
    """(log(I_ν(κ)/κ^ν), I_{ν+1}(κ)/I_ν(κ)) by the power series, by mpmath's own besseli for the largest κ."""
    with mp.workdps(50):
        nu, k = m(d) / 2 - 1, m(kappa)
        if kappa > 1e4:
            low, high = mp.besseli(nu, k), mp.besseli(nu + 1, k)
            return mp.log(low) - nu * mp.log(k), high / low

        def total(n: mp.mpf) -> mp.mpf:
            value, term, j = m(1), m(1), 0
            while term > value * m(10) ** -50:
                j += 1
                term *= k * k / 4 / (j * (n + j))
                value += term
            return value

        low, high = total(nu), total(nu + 1)
        return mp.log(low) - nu * mp.log(2) - mp.loggamma(nu + 1), k / (2 * nu + 2) * high / low


@pytest.mark.parametrize("d", [3, 10, 26, 33, 34, 54, 56, 100, 500, 2000])
def test_every_dimension_and_concentration(d: int) -> None:
    with mp.workdps(50):
        for s, t in itertools.permutations(CONCENTRATIONS, 2):
            (from_s, slope), (from_t, _) = of_bessel(d, s), of_bessel(d, t)
            truth = from_t - from_s - (m(t) - m(s)) * slope
            assert error(kl_divergence(at_pole(d, s), at_pole(d, t)), truth) < 5e-13, (s, t)
        for k in CONCENTRATIONS:
            value, slope = of_bessel(d, k)
            truth = m(d) / 2 * mp.log(2 * mp.pi) + value - m(k) * slope
            assert abs(at_pole(d, k).entropy() - truth) < 5e-15 * max(abs(truth), 1)


def test_one_concentration_two_directions() -> None:
    with mp.workdps(50):
        for d, k in [(3, 1e6), (80, 1e-6), (300, 1e3), (2000, 1e6)]:
            turned = np.zeros(d)
            turned[:2] = 0.6, 0.8
            truth = of_bessel(d, k)[1] * m(k) * ((m(1) - m(0.6)) ** 2 + m(0.8) ** 2) / 2
            assert error(kl_divergence(at_pole(d, k), F.VonMisesFisher(turned, k)), truth) < 1e-14


def test_gradients_where_the_expansion_takes_over() -> None:
    torch = pytest.importorskip("torch")
    for d in (int(2 * LARGE_ORDER), int(2 * LARGE_ORDER) + 2):
        mean = torch.eye(d, dtype=torch.float64)[0]
        for s, t in [(0.5, 3.0), (20.0, 21.0), (1e4, 30.0)]:
            kappa = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (s, t)]
            assert torch.autograd.gradcheck(
                lambda a, b, mean=mean: kl_divergence(F.VonMisesFisher(mean, a), F.VonMisesFisher(mean, b)),
                kappa,
                eps=1e-4 * min(s, t),
                rtol=1e-5,
            )
