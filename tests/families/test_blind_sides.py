"""Where log q leaves the range of floats: finite, infinite or refused, whatever the nodes of a quadrature see."""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import pytest
from scipy import stats

import kullback.families as F
from exact import error
from kullback import cross_entropy, kl_divergence
from kullback.errors import NoClosedForm

m = mp.mpf


def from_logit_normal(loc: float, scale: float, log_q: Any) -> mp.mpf:
    """KL from LogitNormal by an integral over z, x = 1/(1 + e^{−(loc + scale·z)}); log_q(log x, log(1−x))."""
    with mp.workdps(40):
        L, S = m(loc), m(scale)

        def term(z: Any) -> Any:
            s = L + S * z
            log_x, log_1mx = -mp.log1p(mp.exp(-s)), -mp.log1p(mp.exp(s))
            log_p = -z * z / 2 - mp.log(2 * mp.pi) / 2 - mp.log(S) - log_x - log_1mx
            return mp.npdf(z) * (log_p - log_q(log_x, log_1mx))

        # the trapezoid rule: its error falls as e^{−2π²/h²}
        return mp.fsum(term(m(k) / 8) for k in range(-60 * 8, 40 * 8)) / 8


def frechet(a: float) -> Any:
    return lambda log_x, _: mp.log(a) - (m(a) + 1) * log_x - mp.exp(-m(a) * log_x)


def inverse_gamma(a: float) -> Any:
    return lambda log_x, _: -mp.loggamma(a) - (m(a) + 1) * log_x - mp.exp(-log_x)


def test_negative_moments_that_exist_are_no_divergence() -> None:
    # y⁻² is no float below 1e−154, where the normal law on the scale of logits has nothing: said ∞
    for p, log_q, q in [
        ((-13.0, 10.0), frechet(2.0), F.Frechet(2.0)),
        ((-13.0, 10.0), frechet(1.5), F.Frechet(1.5)),
        ((-40.0, 7.0), frechet(3.0), F.GeneralizedGamma(1.0, -3.0)),
        ((2.0, 12.0), inverse_gamma(2.0), F.InverseGamma(2.0, 1.0)),
    ]:
        assert error(kl_divergence(F.LogitNormal(*p), q), from_logit_normal(*p, log_q)) < 1e-10


def test_more_than_the_largest_float_is_infinite_and_what_cannot_be_seen_is_refused() -> None:
    assert kl_divergence(F.LogitNormal(-13.0, 25.0), F.Frechet(2.0)) == math.inf  # e^1276
    # 1e293, a float, but its integrand lies where y⁻² is none
    with pytest.raises(NoClosedForm, match="no float"):
        kl_divergence(F.LogitNormal(-13.0, 18.0), F.Frechet(2.0))


GROWING = [stats.gumbel_l(), stats.loggamma(2.0), stats.gumbel_l(0.5, 3.0)]


@pytest.mark.parametrize("q", GROWING, ids=lambda q: q.dist.name)
@pytest.mark.parametrize(
    "p",
    [
        F.LogNormal(0.0, 0.1),
        F.StudentT(1e6),
        F.Weibull(0.01, 0.9),
        F.GeneralizedNormal(0.9, 0.0, 0.001),
        F.Cauchy(0.0, 1.0),
        F.Laplace(0.0, 3.1),
    ],
    ids=lambda p: type(p).__name__,
)
def test_tails_heavier_than_any_exponential(p: Any, q: Any) -> None:
    # E e^x = ∞, though e^x is no float where p still is one
    assert kl_divergence(p, q) == math.inf


def test_tails_just_light_enough() -> None:
    # E e^x = 1/(1 − s²) and −H = −log(2es) for Laplace(0, s)
    for s in (0.5, 0.9):
        truth = -mp.log(2 * mp.e * m(s)) + 1 / (1 - m(s) ** 2)
        assert error(kl_divergence(F.Laplace(0.0, s), stats.gumbel_l()), truth) < 1e-10
    assert kl_divergence(F.Laplace(0.0, 1.0), stats.gumbel_l()) == math.inf
    truth = m("0.5") * m(5) ** 2 + 500
    value = -mp.log(2 * mp.pi * mp.e * 25) / 2 - 500 + mp.exp(truth)
    assert error(kl_divergence(F.Normal(500.0, 5.0), stats.gumbel_l()), value) < 1e-10


def test_a_double_exponential_by_maps() -> None:
    # log q = −e^{e^x} or so: e^x overflows at 6.6, 130 standard deviations of p away
    torch = pytest.importorskip("torch")
    D = torch.distributions
    t = lambda x: torch.tensor(x, dtype=torch.float64)  # noqa: E731
    falling = D.TransformedDistribution(D.Gumbel(t(0.0), t(1.0)), [D.AffineTransform(0.0, -1.0)], validate_args=False)
    soft = D.TransformedDistribution(falling, [D.SoftplusTransform()], validate_args=False)
    double = D.TransformedDistribution(soft, [D.ExpTransform().inv], validate_args=False)
    for p in (F.Normal(0.0, 0.05), F.Normal(0.0, 1.0), F.Laplace(0.0, 0.01)):
        assert float(kl_divergence(p, double)) == math.inf
    assert float(kl_divergence(F.Normal(0.0, 0.5), falling)) > 0
    assert float(cross_entropy(falling, falling)) == pytest.approx(1 + float(mp.euler), abs=1e-12)


def test_a_density_that_underflows_before_its_logarithm() -> None:
    # SciPy takes the logarithm of sech(x)/π, which is 0 beyond x = 710: said ∞ where p has anything there
    q = stats.hypsecant()
    for p, log_p in [
        (F.Laplace(0.0, 1.0), lambda x: -abs(x) - mp.log(2)),
        (F.Normal(0.0, 60.0), lambda x: -((x / 60) ** 2) / 2 - mp.log(60) - mp.log(2 * mp.pi) / 2),
    ]:
        with mp.workdps(30):
            f = lambda x, log_p=log_p: mp.exp(log_p(x)) * (log_p(x) + mp.log(mp.pi) + mp.log(mp.cosh(x)))  # noqa: E731
            truth = 2 * mp.quad(f, [0, 1, 4, 16, 64, 256, 1000, 4000])
        assert error(kl_divergence(p, q), truth) < 1e-10
    with pytest.raises(NoClosedForm, match="no float"):
        kl_divergence(F.Laplace(0.0, 1.0), stats.hypsecant(scale=0.01))
    assert kl_divergence(F.Cauchy(0.0, 1.0), q) == math.inf


def test_powers_of_a_density_that_underflows() -> None:
    p, q = F.Normal(0.0, 0.1), stats.hypsecant(scale=0.01)
    for alpha in (0.5, 2.0):
        with mp.workdps(40):
            a = m(alpha)

            def term(x: Any, a: Any = a) -> Any:
                log_p = -((x / m(0.1)) ** 2) / 2 - mp.log(m(0.1)) - mp.log(2 * mp.pi) / 2
                log_q = -mp.log(mp.pi) - mp.log(mp.cosh(x / m(0.01))) - mp.log(m(0.01))
                return mp.exp(a * log_p + (1 - a) * log_q)

            # in units of 0.01; the peak is at 100 or so
            truth = mp.log(2 * mp.quad(lambda u: term(m(0.01) * u) * m(0.01), [*range(0, 400, 8), 1000])) / (a - 1)
        assert error(F.renyi_divergence(p, q, alpha=alpha), truth) < 1e-9
    with pytest.raises(NoClosedForm):
        F.renyi_divergence(F.Normal(0.0, 30.0), q, alpha=2.0)
    with pytest.raises(NoClosedForm):
        F.renyi_divergence(F.Normal(0.0, 30.0), q, alpha=0.9999)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        # p²/q → ½x², ½, ½√x, where log p and log(p/q) cancel to nothing from x = 1e13 on
        (F.Gamma(2.0, 1.0), F.Exponential(2.0)),
        (F.Gamma(1.0, 1.0), F.Gamma(1.0, 2.0)),
        (F.Gamma(1.5, 1.0), F.Gamma(1.5, 2.0)),
        (F.Laplace(0.0, 1.0), F.Logistic(0.0, 0.5)),
    ],
)
def test_a_power_that_does_not_fade_where_its_logarithms_have_no_digits_left_is_infinite(p: Any, q: Any) -> None:
    from kullback.families.renyi import _one

    assert _one(p, q, 2.0) == math.inf
    assert F.renyi_divergence(p, q, alpha=2.0) == math.inf


def test_a_power_that_fades_there_keeps_its_value() -> None:
    # ∫(½e^{−|x|})²/q, q logistic of scale .6: mpmath, 30 digits, quad over [0, 1, 10, 100, ∞], twice
    assert F.renyi_divergence(F.Laplace(0.0, 1.0), F.Logistic(0.0, 0.6), alpha=2.0) == pytest.approx(
        0.24827952458575214, rel=1e-10
    )
