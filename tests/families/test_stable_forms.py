"""Same-family forms against mpmath at 60 to 200 digits: far apart, nearly equal, 1e±6, and at the boundary."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import kullback.families as F
from exact import error
from kullback import kl_divergence

Exact = Callable[..., mp.mpf]
m = mp.mpf


def normal(a: Any, s: Any, b: Any, t: Any) -> mp.mpf:
    return mp.log(t / s) + (s * s + (a - b) ** 2) / (2 * t * t) - m(1) / 2


def stacy(k: Any, c: Any, a: Any, l: Any, d: Any, b: Any) -> mp.mpf:
    """Bauckhage, arXiv:1401.6853 eq. (28), in (shape, power, scale): density |c|/Γ(k)/a·(x/a)^{ck−1}e^{−(x/a)^c}."""
    own = mp.log(abs(c) / abs(d)) + mp.loggamma(l) - mp.loggamma(k) + d * l * mp.log(b) - c * k * mp.log(a)
    log_x = mp.digamma(k) / c + mp.log(a)
    power = (a / b) ** d * mp.exp(mp.loggamma(k + d / c) - mp.loggamma(k))
    return own + (c * k - d * l) * log_x + power - k


def beta(a: Any, b: Any, c: Any, d: Any) -> mp.mpf:
    def log_beta(x: Any, y: Any) -> mp.mpf:
        return mp.loggamma(x) + mp.loggamma(y) - mp.loggamma(x + y)

    digammas = (a - c) * mp.digamma(a) + (b - d) * mp.digamma(b) + (c - a + d - b) * mp.digamma(a + b)
    return log_beta(c, d) - log_beta(a, b) + digammas


def bernoulli(p: Any, q: Any) -> mp.mpf:
    some = p * mp.log(p / q) if p else m(0)
    rest = (1 - p) * mp.log((1 - p) / (1 - q)) if p != 1 else m(0)
    return some + rest


def laplace(a: Any, s: Any, b: Any, t: Any) -> mp.mpf:
    d = abs(a - b)
    return mp.log(t / s) + (s * mp.exp(-d / s) + d) / t - 1


def gumbel(a: Any, s: Any, b: Any, t: Any) -> mp.mpf:
    # e^{−x} is a Weibull variable
    return stacy(m(1), 1 / s, mp.exp(-a), m(1), 1 / t, mp.exp(-b))


def logistic(a: Any, s: Any, b: Any, _: Any) -> mp.mpf:
    d = abs(a - b) / s
    return d * mp.coth(d / 2) - 2 if d else m(0)


def von_mises(k: Any, l: Any) -> mp.mpf:
    ratio = mp.besseli(1, k) / mp.besseli(0, k)
    return mp.log(mp.besseli(0, l)) - mp.log(mp.besseli(0, k)) - (l - k) * ratio


def continuous_bernoulli(p: Any, q: Any) -> mp.mpf:
    def logit(x: Any) -> mp.mpf:
        return mp.log(x / (1 - x))

    def mass(h: Any) -> mp.mpf:
        return mp.log(mp.expm1(h) / h) if h else m(0)

    slope = mp.exp(logit(p)) / mp.expm1(logit(p)) - 1 / logit(p) if logit(p) else m(1) / 2
    return mass(logit(q)) - mass(logit(p)) - (logit(q) - logit(p)) * slope


def zeta(s: Any, t: Any) -> mp.mpf:
    return mp.log(mp.zeta(t) / mp.zeta(s)) - (t - s) * mp.zeta(s, derivative=1) / mp.zeta(s)


def log_series(p: Any, q: Any) -> mp.mpf:
    mean = -p / ((1 - p) * mp.log(1 - p))
    return mean * mp.log(p / q) + mp.log(mp.log(1 - q) / mp.log(1 - p))


def inverse_gaussian(mu: Any, s: Any, nu: Any, t: Any) -> mp.mpf:
    a, b = mu * s, nu * t
    return (mp.log(s / t) + t / s - 1) / 2 + t * (a - b) ** 2 / (2 * a * b * b)


# ---- which parameters ------------------------------------------------------------------------------------------------

SIZES = [1e-6, 0.3, 2.0, 9.9, 1e6]
CLOSE = [1 + 1e-8, 1 + 1e-6, 1 - 1e-3]
FAR = [0.5, 3.0, 1e3]


def pairs(sizes: list[float]) -> Iterator[tuple[float, float]]:
    for x, factor in product(sizes, CLOSE + FAR):
        yield x, x * factor


def check(p: Any, q: Any, truth: mp.mpf, limit: float = 1e-12) -> None:
    got = kl_divergence(p, q)
    assert got >= 0
    assert error(got, truth) <= limit, (p, q, got, mp.nstr(truth, 17))


@pytest.fixture(autouse=True)
def digits() -> Iterator[None]:
    with mp.workdps(120):
        yield


@pytest.mark.parametrize(
    ("family", "exact"),
    [(F.Normal, normal), (F.Laplace, laplace), (F.Gumbel, gumbel)],
)
def test_location_and_scale(family: Any, exact: Exact) -> None:
    for (s, t), shift in product(pairs([1e-6, 1.0, 1e6]), [0.0, 1e-7, 1.0, 30.0]):
        if family is F.Gumbel and s / t > 100:
            continue  # e^{scale ratio·…}: Γ(1 + ratio) leaves the range of floats
        a, b = 2.0 * s, 2.0 * s + shift * s
        check(family(a, s), family(b, t), exact(m(a), m(s), m(b), m(t)))


def test_cauchy() -> None:
    for (s, t), shift in product(pairs([1e-6, 1.0, 1e6]), [0.0, 1e-7, 1.0, 1e9]):
        b = shift * s
        truth = mp.log(((m(s) + m(t)) ** 2 + m(b) ** 2) / (4 * m(s) * m(t)))
        check(F.Cauchy(0.0, s), F.Cauchy(b, t), truth)
        if shift == 0.0:
            check(F.HalfCauchy(s), F.HalfCauchy(t), truth)


def test_logistic_of_one_scale() -> None:
    for d in [1e-12, 1e-5, 0.3, 1.99, 2.01, 50.0, 1e6]:
        check(F.Logistic(0.0, 2.0), F.Logistic(d, 2.0), logistic(m(0), m(2), m(d), m(2)))
        # log of LogLogistic is Logistic
        check(
            F.LogLogistic(0.5, 0.0, 1.0),
            F.LogLogistic(0.5, 0.0, 1.0 + d),
            logistic(m(0), m(2), mp.log(m(1.0 + d)), m(2)),
        )


def test_gamma() -> None:
    for (a, c), (b, d) in product(pairs(SIZES), pairs([1.0, 1e-6])):
        truth = stacy(m(a), m(1), 1 / m(b), m(c), m(1), 1 / m(d))
        check(F.Gamma(a, b), F.Gamma(c, d), truth)
        check(F.InverseGamma(a, b), F.InverseGamma(c, d), stacy(m(a), m(-1), m(b), m(c), m(-1), m(d)))


def test_gamma_of_one_mean() -> None:
    # concentration and rate grow together: all large terms cancel against each other
    for a, factor in product([0.3, 20.0, 1e6, 1e10], [1 + 1e-7, 1.01, 2.0, 1e3]):
        truth = stacy(m(a), m(1), 1 / m(a), m(a * factor), m(1), 1 / m(a * factor))
        check(F.Gamma(a, a), F.Gamma(a * factor, a * factor), truth)


def test_powers_of_gamma() -> None:
    for (k, l), (c, d) in product(
        pairs([0.4, 3.0, 40.0]), [(1.5, 1.5 * (1 + 1e-7)), (2.0, 1.6), (0.7, 2.1), (-2.0, -1.7)]
    ):
        if l > 1e3:
            continue
        p, q = F.GeneralizedGamma(k, c, 0.0, 1.3), F.GeneralizedGamma(l, d, 0.0, 1.3 * (1 + 1e-7))
        if k + d / c <= 0:
            continue
        truth = stacy(m(k), m(c), m(1.3), m(l), m(d), m(1.3 * (1 + 1e-7)))
        check(p, q, truth)


def test_powers_of_gamma_at_the_ends_of_the_range() -> None:
    # k → 0 spreads log x over 1/k: every power of x has a mean that overflows before it is multiplied back
    for (k, factor), (c, d) in product(
        product([1e-6, 1e-3, 9.9, 1e6], [1.0, 1 + 1e-8, 0.5, 1e3]), [(0.05, 5.0), (8.0, 100.0), (1.5, 1.5 * (1 + 1e-8))]
    ):
        for sign, b in product([1, -1], [1.0, 1e-3]):
            truth = stacy(m(k), m(sign * c), m(1), m(k * factor), m(sign * d), m(b))
            p, q = F.GeneralizedGamma(k, sign * c, 0.0, 1.0), F.GeneralizedGamma(k * factor, sign * d, 0.0, b)
            if truth < m(10) ** 308:
                check(p, q, truth)
            else:
                assert kl_divergence(p, q) == np.inf
    for s, t in [(1e-6, 1e6), (1e-3, 1.0)]:
        check(F.Gumbel(0.0, s), F.Gumbel(0.0, t), gumbel(m(0), m(s), m(0), m(t)))
        assert kl_divergence(F.Gumbel(0.0, t), F.Gumbel(-t, s)) == np.inf


def test_powers_of_gamma_that_are_nearly_one_log_normal() -> None:
    # log X has the variance 1/(c²k): along c²k = constant, with one mean, only the skewness of log X is left.
    # truth: mpmath, mp.dps=120, `stacy` of the floats
    for k, r, apart in product(
        [30.0, 3e3, 1e6, 3e8, 2e12],
        [0.05, 0.25, 0.9, 1 - 1e-4, 1 + 1e-6, 1.02, 1.3, 4.0, 20.0],
        [(0.0, 0.0), (1e-7, 0.3), (-1e-3, -1e-4), (0.2, 3.0)],
    ):
        for c, a in [(280.0, 1.0), (-0.7, 30.0)]:
            d, l = c * r, k / r**2 * (1 + apart[0])
            if l < 11.0:
                continue
            # E log X of both, moved by a part of its deviation
            log_b = mp.log(a) + mp.digamma(k) / m(c) - mp.digamma(l) / m(d) + m(apart[1]) / (m(c) * k)
            if abs(log_b) > 700:
                continue
            b = float(mp.exp(log_b))
            truth = stacy(m(k), m(c), m(a), m(l), m(d), m(b))
            check(F.GeneralizedGamma(k, c, 0.0, a), F.GeneralizedGamma(l, d, 0.0, b), truth)
    for k, l, c, d in [(3e8, 4.8e9, 280.0, 70.0), (1e6, 1e4, 1.0, 10.0), (1e4, 1e6, 10.0, 1.0)]:
        for b in (1.0, 1.0 + 1e-9):
            truth = stacy(m(k), m(c), m(1), m(l), m(d), m(b))
            check(F.GeneralizedGamma(k, c), F.GeneralizedGamma(l, d, 0.0, b), truth)
    nakagami = F.Nakagami(3e7, 0.0, 1.2), F.GeneralizedGamma(1.2e8, 1.0, 0.0, 1.2 / 1.2e8)
    check(*nakagami, stacy(m(3e7), m(2), m(1.2) / mp.sqrt(m(3e7)), m(1.2e8), m(1), m(1.2 / 1.2e8)))


@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
def test_the_log_normal_limit_in_every_library_and_its_slopes(library: str) -> None:
    # beside members that the limit must leave alone; truth and slopes: mpmath, mp.dps=120, `stacy` and its mp.diff
    k, c, r = np.array([3e8, 3.0, 2e5, 0.3, 1e11]), np.array([280.0, 1.5, 0.7, 2.0, 30.0]), np.array(5 * [0.25])
    l, d = k / r**2 * 1.001, c * r
    # 1e-3 standard deviations of log X apart
    means = [[mp.digamma(x) / m(y) for x, y in zip(*law, strict=True)] for law in ((k, c), (l, d))]
    moved = [m(1e-3) / (m(y) * mp.sqrt(m(x))) for x, y in zip(k, c, strict=True)]
    b = np.array([float(mp.exp(x - y + z)) for x, y, z in zip(*means, moved, strict=True)])
    given = [k, c, l, d, b]

    def kl(k: Any, c: Any, l: Any, d: Any, b: Any) -> Any:
        return kl_divergence(F.GeneralizedGamma(k, c), F.GeneralizedGamma(l, d, 0.0, b))

    def exact(k: Any, c: Any, l: Any, d: Any, b: Any) -> mp.mpf:
        return stacy(k, c, m(1), l, d, b)

    slopes: Any = None
    if library == "torch":
        torch = pytest.importorskip("torch")
        tensors = [torch.tensor(x, requires_grad=True) for x in given]
        value = kl(*tensors)
        got, slopes = value.detach().numpy(), [g.numpy() for g in torch.autograd.grad(value.sum(), tensors)]
    elif library == "jax":
        jax = pytest.importorskip("jax")
        jax.config.update("jax_enable_x64", True)
        arrays = [jax.numpy.asarray(x, dtype=float) for x in given]
        got = np.asarray(kl(*arrays))
        slopes = jax.grad(lambda *xs: kl(*xs).sum(), argnums=range(5))(*arrays)
    else:
        got = kl(*given)
    for i in range(len(k)):
        x = [m(float(v[i])) for v in given]
        assert error(got[i], exact(*x)) <= 1e-12, i
        for n in range(5 if slopes is not None else 0):
            slope = mp.diff(lambda v, n=n, x=x: exact(*x[:n], v, *x[n + 1 :]), x[n], h=x[n] * m(10) ** -30)
            assert error(slopes[n][i], slope) <= 1e-9, (i, n)


@pytest.mark.parametrize("library", ["numbers", "numpy", "torch", "jax"])
def test_logarithms_in_twice_the_digits(library: str) -> None:
    from kullback import _double_double as twice
    from kullback.families.namespace import namespace_of

    x: Any = np.concatenate(
        [[5e-324, 1.0, 1.7e308, 1 + 2e-16], np.geomspace(1e-300, 1e300, 97), np.linspace(0.5, 2, 31)]
    )
    if library == "torch":
        given = pytest.importorskip("torch").tensor(x)
        got = twice.log(given, namespace_of(given))
    elif library == "jax":
        jax = pytest.importorskip("jax")
        jax.config.update("jax_enable_x64", True)
        given = jax.numpy.asarray(x, dtype=float)
        x = x[x > 1e-307]  # XLA takes smaller ones for 0
        given = given[given > 1e-307]
        # the compiler must not contract what the sums round one by one
        got = jax.jit(lambda v: twice.log(v, namespace_of(v)))(given)
    elif library == "numpy":
        got = twice.log(x, namespace_of(x))
    else:
        got = list(zip(*(twice.log(np.float64(v), namespace_of(1.0)) for v in x), strict=True))
    for v, high, low in zip(x, *got, strict=True):
        truth = mp.log(m(float(v)))
        assert abs(m(float(high)) + m(float(low)) - truth) <= m(10) ** -30 * abs(truth), v


def test_named_members_of_the_gamma_family() -> None:
    for s, t in pairs([1e-3, 1.0, 1e6]):
        S, T, half = m(s), m(t), m(1) / 2
        check(F.Exponential(s), F.Exponential(t), stacy(m(1), m(1), 1 / S, m(1), m(1), 1 / T))
        check(F.Rayleigh(0.0, s), F.Rayleigh(0.0, t), stacy(m(1), m(2), S, m(1), m(2), T))
        check(F.HalfNormal(s), F.HalfNormal(t), stacy(half, m(2), S, half, m(2), T))
        check(F.Maxwell(0.0, s), F.Maxwell(0.0, t), stacy(3 * half, m(2), S, 3 * half, m(2), T))
        check(F.Levy(0.0, s), F.Levy(0.0, t), stacy(half, m(-1), S, half, m(-1), T))
        check(F.Weibull(s, 1.7), F.Weibull(t, 1.7), stacy(m(1), m(1.7), S, m(1), m(1.7), T))
        check(F.Frechet(1.7, 0.0, s), F.Frechet(1.7, 0.0, t), stacy(m(1), m(-1.7), S, m(1), m(-1.7), T))
        check(F.ChiSquared(s), F.ChiSquared(t), stacy(S / 2, m(1), m(2), T / 2, m(1), m(2)))
        check(F.Chi(s), F.Chi(t), stacy(S / 2, m(1), m(2), T / 2, m(1), m(2)))
        check(F.Nakagami(s, 0.0, 1.2), F.Nakagami(t, 0.0, 1.2), stacy(S, m(1), 1 / S, T, m(1), 1 / T))
        check(F.Exponential(s), F.Gamma(1.0 + 1e-7, t), stacy(m(1), m(1), 1 / S, m(1.0 + 1e-7), m(1), 1 / T))


def test_beta_and_dirichlet() -> None:
    for (a, c), (b, d) in product(pairs([1e-6, 0.4, 3.0, 1e6]), pairs([0.7, 1e6])):
        truth = beta(m(a), m(b), m(c), m(d))
        check(F.Beta(a, b), F.Beta(c, d), truth)
        check(F.Dirichlet([b, a]), F.Dirichlet([d, c]), truth)
        check(
            F.Dirichlet([1e-3, b, a, 1e-3, 1e-3]),
            F.Dirichlet([1e-3, d, c, 1e-3, 1e-3]),
            dirichlet([1e-3, b, a, 1e-3, 1e-3], [1e-3, d, c, 1e-3, 1e-3]),
        )
    # far apart: Σc from the cᵢ, not from a sum that has forgotten them
    for a, b, c, d in [(30.0, 2.0, 1e-6, 1e-6), (1e6, 0.3, 1e-6, 1e-6), (1e-6, 1e6, 1e-6, 1e-6), (0.3, 1e6, 0.3, 0.3)]:
        check(F.Beta(a, b), F.Beta(c, d), beta(m(a), m(b), m(c), m(d)), 1e-10)
    for a, b, c, d in [
        (1e6, 1e6, 1e6 + 10, 1e6),
        (1e10, 1e10, 1.0001e10, 1e10),
        (1e6, 1e6, 2e6, 2e6),
        (1e-8, 1e-8, 2e-8, 1e-8),
    ]:
        truth = beta(m(a), m(b), m(c), m(d))
        check(F.Beta(a, b), F.Beta(c, d), truth)
        check(F.Dirichlet([a, b]), F.Dirichlet([c, d]), truth)
        six = F.Dirichlet([a, b, 1.0, 2.0, 3.0, 4.0]), F.Dirichlet([c, d, 1.0, 2.0, 3.0, 4.5])
        check(*six, dirichlet([a, b, 1.0, 2.0, 3.0, 4.0], [c, d, 1.0, 2.0, 3.0, 4.5]))


def test_beta_with_one_tiny_parameter_or_one_mean() -> None:
    # tiny: the answer is a·(what the other one's move costs), and both B_Γ of the move are all but equal
    for (a, moved), (b, factor) in product(
        product([1e-12, 1.4e-8, 1e-6, 1e-3], [0.0, 1e-12, -1e-7, 1e-3]),
        product([0.5, 8.0, 15.5, 37.0, 150.0, 1e5], [1 - 3.5e-8, 1 + 1e-5, 1 - 0.006, 1.3]),
    ):
        c, d = a * (1 + moved), b * factor
        truth = beta(m(a), m(b), m(c), m(d))
        check(F.Beta(a, b), F.Beta(c, d), truth)
        check(F.Beta(b, a), F.Beta(d, c), truth)
        check(F.Dirichlet([a, b]), F.Dirichlet([c, d]), truth)
    # one mean: B_Γ of the smaller one and of what the larger one differs from the sum cancel to ½ψ
    for a, ratio, factor in product([20.0, 3e3, 6e7], [11.0, 5e3], [1 + 1e-8, 1 - 1e-3, 1.64, 890.0]):
        b = a * ratio
        c, d = a * factor, b * factor
        truth = beta(m(a), m(b), m(c), m(d))
        check(F.Beta(a, b), F.Beta(c, d), truth)
        check(F.Dirichlet([b, a]), F.Dirichlet([d, c]), truth)


def dirichlet(a: Any, b: Any) -> mp.mpf:
    a, b = [m(float(x)) for x in a], [m(float(x)) for x in b]
    A, B = mp.fsum(a), mp.fsum(b)
    gammas = (
        mp.loggamma(A) - mp.loggamma(B) - mp.fsum(mp.loggamma(x) - mp.loggamma(y) for x, y in zip(a, b, strict=True))
    )
    return gammas + mp.fsum((x - y) * (mp.digamma(x) - mp.digamma(A)) for x, y in zip(a, b, strict=True))


def test_dirichlet_of_a_thousand() -> None:
    a = np.full(1000, 1e4)
    b = a + np.linspace(-1, 1, 1000)
    with mp.workdps(50):
        check(F.Dirichlet(a), F.Dirichlet(b), dirichlet(a, b))


def test_probabilities() -> None:
    for p, q in [
        (0.3, 0.3 + 1e-8),
        (1e-20, 1e-18),
        (1e-12, 2e-12),
        (0.5, 1e-30),
        (1 - 1e-9, 1 - 2e-9),
        (0.0, 0.4),
        (1.0, 0.4),
        (1e-6, 1 - 1e-6),
    ]:
        truth = bernoulli(m(p), m(q))
        check(F.Bernoulli(p), F.Bernoulli(q), truth)
        check(F.Binomial(7.0, p), F.Binomial(7.0, q), 7 * truth)
        if p not in (0.0, 1.0):
            check(F.Geometric(p), F.Geometric(q), truth / m(p))
        if p < 1.0:
            check(F.NegativeBinomial(2.5, p), F.NegativeBinomial(2.5, q), m(2.5) * truth / (1 - m(p)))
        if 0 < p < 1:
            check(F.ContinuousBernoulli(p), F.ContinuousBernoulli(q), continuous_bernoulli(m(p), m(q)))
            check(F.ContinuousBernoulli(q), F.ContinuousBernoulli(p), continuous_bernoulli(m(q), m(p)))
    check(F.ContinuousBernoulli(0.5), F.ContinuousBernoulli(0.5 + 1e-9), continuous_bernoulli(m(0.5), m(0.5 + 1e-9)))
    check(F.Geometric(1e-9), F.Geometric(2e-9), bernoulli(m(1e-9), m(2e-9)) / m(1e-9))


def test_poisson() -> None:
    for a, b in [*pairs([1e-6, 10.0, 1e6]), (1e10, 1e10 + 1), (10.0, 10.0 + 1e-6), (0.0, 2.0)]:
        A, B = m(a), m(b)
        check(F.Poisson(a), F.Poisson(b), (A * mp.log(A / B) if A else 0) - A + B)


def test_zeta_and_log_series() -> None:
    with mp.workdps(50):
        for s, t in product([1.01, 1.5, 3.0, 20.0], [1 + 1e-8, 1.01, 2.0]):
            check(F.Zeta(s), F.Zeta(s * t), zeta(m(s), m(s * t)))
    for p, q in [
        (0.4, 0.4 + 1e-8),
        (0.4, 0.9),
        (1e-6, 2e-6),
        (0.99, 0.999),
        (0.9, 0.1),
        (1e-6, 0.1),
        (1e-6, 1e-6 * (1 + 1e-8)),
        (0.29, 0.31),
    ]:
        check(F.LogSeries(p), F.LogSeries(q), log_series(m(p), m(q)))


def test_pareto_and_inverse_gaussian_and_generalized_normal() -> None:
    for a, c in pairs([1e-3, 2.0, 1e6]):
        for s in (1.0, 1.0 + 1e-7, 3.0):
            truth = mp.log(m(a) / m(c)) + m(c) / m(a) - 1 + m(c) * mp.log(m(s))
            check(F.Pareto(s, a), F.Pareto(1.0, c), truth)
        exponential = mp.log(m(a) / m(c)) + m(c) / m(a) - 1
        check(F.Lomax(a, 0.0, 1.3), F.Lomax(c, 0.0, 1.3), exponential)
        check(F.Kumaraswamy(2.0, a), F.Kumaraswamy(2.0, c), exponential)
        check(
            F.InverseGaussian(0.7, 0.0, a),
            F.InverseGaussian(0.7 * (1 + 1e-7), 0.0, c),
            inverse_gaussian(m(0.7), m(a), m(0.7 * (1 + 1e-7)), m(c)),
        )
    for b, d in [(1.5, 1.5), (1.5, 2.0), (1.0, 2.0), (3.0, 0.8), (2.0, 2.0 + 1e-6)]:
        truth = stacy(1 / m(b), m(b), m(1.1), 1 / m(d), m(d), m(1.3))
        check(F.GeneralizedNormal(b, 0.5, 1.1), F.GeneralizedNormal(d, 0.5, 1.3), truth)


def test_uniform() -> None:
    for e in (1e-9, 1e-3, 5.0, 1e6):
        truth = mp.log(m(1.0 + e) - m(-e))
        check(F.Uniform(0.0, 1.0), F.Uniform(-e, 1.0 + e), truth)


def test_von_mises() -> None:
    with mp.workdps(60):
        for k, l in [
            (0.0, 1.0),
            (1e-3, 2e-3),
            (1.0, 1 + 1e-7),
            (1.0, 5.0),
            (800.0, 900.0),
            (1e6, 2e6),
            (1000.0, 0.5),
            (39.0, 41.0),
        ]:
            check(F.VonMises(0.3, k), F.VonMises(0.3, l), von_mises(m(k), m(l)))
        turned = von_mises(m(2), m(3)) + mp.besseli(1, 2) / mp.besseli(0, 2) * 3 * (1 - mp.cos(m(0.5)))
        check(F.VonMises(0.0, 2.0), F.VonMises(0.5, 3.0), turned)


@pytest.mark.parametrize("d", [3, 6, 20])
def test_von_mises_fisher(d: int) -> None:
    e, nu = np.eye(d)[0], m(d) / 2 - 1
    with mp.workdps(60):
        for k, l in [(1.0, 1 + 1e-7), (1.0, 5.0), (30.0, 60.0), (400.0, 402.0), (1e4, 2e4)]:
            K, L = m(k), m(l)
            slope = mp.besseli(nu + 1, K) / mp.besseli(nu, K)
            logs = mp.log(mp.besseli(nu, L) / mp.besseli(nu, K)) - nu * mp.log(L / K)
            check(F.VonMisesFisher(e, k), F.VonMisesFisher(e, l), logs - (L - K) * slope)


@pytest.mark.parametrize("delta", [1.0, 1e-3, 1e-6, 1e-8])
def test_multivariate_normal(delta: float) -> None:
    rng = np.random.default_rng(1)
    d = 12
    A, E = rng.standard_normal((d, d)), rng.standard_normal((d, d))
    S = A @ A.T / d + 0.1 * np.eye(d)
    S = 0.5 * (S + S.T)
    T = S + delta * 0.02 * (E + E.T)
    T = 0.5 * (T + T.T)
    mean = rng.standard_normal(d) * delta
    with mp.workdps(60):
        M1, M2, dm = mp.matrix(S.tolist()), mp.matrix(T.tolist()), mp.matrix(mean.tolist())
        inverse = M2**-1
        W = inverse * M1
        trace = mp.fsum(W[i, i] for i in range(d))
        truth = (trace - d - mp.log(mp.det(M1) / mp.det(M2)) + (dm.T * inverse * dm)[0]) / 2
        check(F.MultivariateNormal(mean, S), F.MultivariateNormal(np.zeros(d), T), truth)
        # tiny against wide: −log det is all there is
        scale = mp.mpf(1e-12)
        tiny = (d * scale - d - d * mp.log(scale)) / 2
        check(F.MultivariateNormal(np.zeros(d), 1e-12 * np.eye(d)), F.MultivariateNormal(np.zeros(d), np.eye(d)), tiny)


def test_batch_and_number_agree_to_the_last_bits() -> None:
    # arrays run the formulas of _special, numbers those of _special_scalar
    a = np.array([1e-6, 0.3, 2.0, 9.9, 10.1, 1e6])
    for make in (
        lambda x: F.Gamma(x, 2.0 * x),
        lambda x: F.Beta(x, 1.0 + x),
        lambda x: F.Normal(x, 1.0 + x),
        lambda x: F.Weibull(x, 0.5 + x / (1 + x)),
        lambda x: F.Poisson(x),
    ):
        batch = kl_divergence(make(a), make(a * 1.001))
        single = [kl_divergence(make(float(x)), make(float(x * 1.001))) for x in a]
        # of Beta(9.9, 10.9) against 1.001 times that, numbers have 2.7e-17 by mpmath, arrays 3.2e-15
        np.testing.assert_allclose(batch, single, rtol=3.5e-15 if isinstance(make(a), F.Beta) else 3e-15)


def test_compiled_loops_are_as_right_as_the_formulas() -> None:
    rng = np.random.default_rng(0)
    n = 30_000
    sizes = [10.0 ** rng.uniform(-6, 8, n) for _ in range(2)]
    factors = [
        np.where(rng.random(n) < 0.5, 1 + 10.0 ** rng.uniform(-9, -1, n), 10.0 ** rng.uniform(-4, 4, n))
        for _ in range(2)
    ]
    others = [x * f for x, f in zip(sizes, factors, strict=True)]
    for family in (F.Normal, F.Gamma, F.Beta, F.InverseGamma, F.Laplace):
        large = kl_divergence(family(*sizes), family(*others))
        for i in (slice(0, 9_000), slice(9_000, 18_000)):
            small = kl_divergence(family(*(x[i] for x in sizes)), family(*(x[i] for x in others)))
            close = np.isclose(large[i], small, rtol=1e-11, atol=0.0) | (large[i] == small)
            assert close.mean() > 0.9999, family
    with mp.workdps(60):
        picked = range(0, n, 600)
        got = kl_divergence(F.Gamma(*sizes), F.Gamma(*others))
        for i in picked:
            a, b, c, d = (m(float(x[i])) for x in (*sizes, *others))
            assert error(got[i], stacy(a, m(1), 1 / b, c, m(1), 1 / d)) < 2e-12


def test_compiled_loops_at_numbers_that_are_not_ordinary() -> None:
    # lanes serve the middle of the range of floats; what is beyond, or no number, goes by the formula of one number
    from kullback import _special_numba, _special_scalar

    rng = np.random.default_rng(0)
    odd = np.array([5e-324, 1e-310, 1e-200, 1e-41, 9.99, 10.0, 20.1, 1e17, 1e19, 1e200, 1.7e308])
    x, y = (np.concatenate([z.ravel(), 10.0 ** rng.uniform(-3, 3, 50)]) for z in np.meshgrid(odd, odd))
    M = rng.uniform(-800.0, 800.0, len(x))
    for name, given in (
        ("log_ratio", (x, y)),
        ("psi_ratio", (x, y, y - x)),
        ("relative_term", (x, y, y - x)),
        ("phi", (M,)),
        ("gamma_rest", (x, y, y - x)),
        ("shape_and_scale", (x, y, y - x, M)),
    ):
        with np.errstate(all="ignore"):
            got = getattr(_special_numba, name)(*given)
        for i, row in enumerate(zip(*given, strict=True)):
            np.testing.assert_allclose(got[i], getattr(_special_scalar, name)(*row), rtol=1e-11, err_msg=f"{name}{row}")
    for x, y, truth in ((0.0, 2.0, 2.0), (3.0, 0.0, math.inf), (0.0, 0.0, 0.0), (math.nan, 1.0, math.nan)):
        np.testing.assert_equal(_special_numba.relative_term(np.array([x]), np.array([y]), np.array([y - x]))[0], truth)
    np.testing.assert_equal(
        _special_numba.phi(np.array([math.inf, -math.inf, math.nan])), [math.inf, math.inf, math.nan]
    )


def test_compiled_loops_keep_twelve_digits_of_gamma_wherever_shapes_lie() -> None:
    # around 10 and 20 the forms change; where the rates follow the shapes, only the curvature is left
    rng = np.random.default_rng(3)
    n = 40_000
    k = np.concatenate([rng.uniform(8.0, 22.0, n // 2), 10.0 ** rng.uniform(-6, 6, n // 2)])
    l = np.where(rng.random(n) < 0.5, k * (1 + 10.0 ** rng.uniform(-8, -0.5, n)), rng.uniform(8.0, 12.0, n))
    b = 10.0 ** rng.uniform(-3, 3, n)
    d = b * np.where(rng.random(n) < 0.5, (l / k) * (1 + 1e-2 * rng.standard_normal(n)), 10.0 ** rng.uniform(-2, 2, n))
    got = kl_divergence(F.Gamma(k, b), F.Gamma(l, d))
    with mp.workdps(60):
        for i in range(0, n, 200):
            truth = stacy(m(k[i]), m(1), 1 / m(b[i]), m(l[i]), m(1), 1 / m(d[i]))
            assert error(got[i], truth) < 1e-12, (k[i], b[i], l[i], d[i])


def test_a_large_batch_in_blocks_is_the_batch() -> None:
    rng = np.random.default_rng(4)
    n = 300_000
    a, b, c = rng.uniform(0.5, 20.0, n), rng.uniform(0.5, 20.0, n), rng.uniform(0.5, 20.0, n)
    b[1000] = a[1000]
    part = slice(140_000, 140_050)
    whole = kl_divergence(F.Exponential(a), F.Exponential(b))
    assert whole.shape == (n,)
    assert whole[1000] == 0.0
    np.testing.assert_allclose(whole[part], kl_divergence(F.Exponential(a[part]), F.Exponential(b[part])), rtol=1e-14)
    # one side alike for all, or laid across: the axis that is cut is the longest of the pair
    across = kl_divergence(F.Laplace(a, b[:2, None]), F.Laplace(c, 1.0))
    assert across.shape == (2, n)
    some = kl_divergence(F.Laplace(a[part], b[:2, None]), F.Laplace(c[part], 1.0))
    np.testing.assert_allclose(across[:, part], some, rtol=1e-13)
    # where some blocks lie outside q's support
    low = np.where(np.arange(n) < n // 2, 0.0, -1.0)
    uniform = kl_divergence(F.Uniform(low, 1.0), F.Uniform(0.0, 2.0))
    np.testing.assert_allclose(uniform, np.where(low == 0.0, math.log(2.0), math.inf))
    rows = rng.uniform(0.5, 5.0, (n // 2, 5))
    dirichlet = kl_divergence(F.Dirichlet(rows), F.Dirichlet(np.ones(5)))
    np.testing.assert_allclose(
        dirichlet[:50], kl_divergence(F.Dirichlet(rows[:50]), F.Dirichlet(np.ones(5))), rtol=1e-13
    )


@pytest.mark.parametrize(
    ("nu", "kappa"), [(0.0, 0.3), (0.0, 39.0), (0.5, 7.0), (12.0, 320.0), (20.0, 500.0), (20.0, 839.0)]
)
def test_ratio_of_bessel_functions_up_to_the_border(nu: float, kappa: float) -> None:
    from kullback.families.bessel import ratio
    from kullback.families.namespace import namespace_of

    with mp.workdps(40):
        truth = float(mp.besseli(nu + 1, kappa) / mp.besseli(nu, kappa))
    for given in (np.float64(kappa), np.array([kappa, 0.1])):
        got = ratio(given, nu, xp=namespace_of(float(kappa) if np.ndim(given) == 0 else given))
        assert float(np.ravel(got)[0]) == pytest.approx(truth, rel=2e-15)


@pytest.mark.parametrize("s", [1 + 1e-9, 1.1, 2.0, 3.5, 12.0, 60.0, 1e30])
def test_zeta_and_its_derivatives(s: float) -> None:
    from kullback.families.namespace import namespace_of
    from kullback.families.zeta import _BLOCK, _derivatives

    with mp.workdps(40):
        x = mp.mpf(s)
        truth = [mp.zeta(x) - 1, -mp.zeta(x, derivative=1), mp.zeta(x, derivative=2)] if s < 100 else [0, 0, 0]
    one = np.float64(s)
    many = np.full((2, _BLOCK), s)
    for j, (got, row) in enumerate(
        zip(_derivatives(one, namespace_of(1.0)), _derivatives(many, namespace_of(many)), strict=True)
    ):
        assert float(got) == pytest.approx(float(truth[j]), rel=4e-15, abs=0.0)
        assert row.shape == many.shape
        np.testing.assert_allclose(row, got, rtol=2e-15)
    torch = pytest.importorskip("torch")
    x = torch.tensor(s, dtype=torch.float64, requires_grad=True)
    rest, first, _ = _derivatives(x, namespace_of(x))
    (slope,) = torch.autograd.grad(rest, x)
    assert float(slope) == pytest.approx(-float(first.detach()), rel=1e-13)


@pytest.mark.parametrize(
    ("nu", "kappa"), [(0.0, 0.3), (0.0, 39.0), (12.0, 320.0), (20.0, 599.0), (20.0, 839.0), (25.0, 1280.0)]
)
def test_log_normaliser_does_not_overflow(nu: float, kappa: float) -> None:
    from kullback.families.bessel import log_normaliser
    from kullback.families.namespace import namespace_of

    with mp.workdps(40):
        truth = float(mp.log(mp.besseli(nu, kappa) / mp.mpf(kappa) ** nu))
    for given in (np.float64(kappa), np.array([kappa, 0.1])):
        got = log_normaliser(given, nu, xp=namespace_of(float(kappa) if np.ndim(given) == 0 else given))
        assert float(np.ravel(got)[0]) == pytest.approx(truth, rel=2e-15, abs=2e-15)
