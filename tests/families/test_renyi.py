"""Rényi's divergence of vectors, matrices, categories and priors, against formulas and sums that we do not use."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import kullback.families as F
from kullback import kl_divergence
from kullback.errors import InvalidForm

ALPHAS = [0.05, 0.3, 0.5, 0.999999, 1.2, 2.0]
E1, E2 = np.array([1.0, 0.0]), np.array([0.6, 0.8])
S1, S2 = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([[1.0, -0.2], [-0.2, 1.5]])
ONE, TWO = np.array([0.2, 0.5, 0.3]), np.array([0.4, 0.35, 0.25])


def _normal_truth(m1: Any, A: Any, m2: Any, B: Any, alpha: float) -> float:
    """Gil, Alajaji & Linder 2013, in 60 digits."""
    with mp.workdps(60):
        a, A, B = mp.mpf(alpha), mp.matrix(A.tolist()), mp.matrix(B.tolist())
        d = mp.matrix(m1.tolist()) - mp.matrix(m2.tolist())
        mixed = a * B + (1 - a) * A
        value = a * (d.T * mp.lu_solve(mixed, d))[0] / 2
        return float(value - mp.log(mp.det(mixed) / (mp.det(A) ** (1 - a) * mp.det(B) ** a)) / (2 * (a - 1)))


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("near", [1.0, 1e-7])
def test_normal_vectors_near_and_far(alpha: float, near: float) -> None:
    A = S2 + 0.4 * near * S1
    truth = _normal_truth(E2 + near * E1, A, E2, S2, alpha)
    got = F.renyi_divergence(F.MultivariateNormal(E2 + near * E1, A), F.MultivariateNormal(E2, S2), alpha=alpha)
    assert got == pytest.approx(truth, rel=2e-8 if near < 1 else 1e-13)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 0.999999, 1.00001])
def test_normal_vectors_of_sizes_far_apart(alpha: float) -> None:
    for s in (1e-9, 1e3, 1e9) if alpha < 1 else (1e-9,):
        A = np.array([[s, 0.0], [0.0, 1.1]]) + 1e-10 * s
        truth = _normal_truth(E1, A, E2, S2, alpha)
        got = F.renyi_divergence(F.MultivariateNormal(E1, A), F.MultivariateNormal(E2, S2), alpha=alpha)
        assert got == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_normal_matrices_are_vectors_of_kronecker_covariance(alpha: float) -> None:
    C1, C2 = np.diag([1.2, 0.7, 1.0]) + 0.1, np.diag([1.0, 0.8, 1.3]) + 0.2
    M1, M2 = np.arange(6.0).reshape(2, 3) / 4, np.ones((2, 3))
    B = S2 + 0.1 * S1
    for A in (S2, 2.0 * S2):  # 2·S₂ is too wide for α = 2
        got = F.renyi_divergence(F.MatrixNormal(M1, A, C1), F.MatrixNormal(M2, B, C2), alpha=alpha)
        mixed = alpha * np.kron(B, C2) + (1 - alpha) * np.kron(A, C1)
        if np.linalg.eigvalsh(mixed).min() <= 0:
            assert got == math.inf
        else:
            assert got == pytest.approx(
                _normal_truth(M1.ravel(), np.kron(A, C1), M2.ravel(), np.kron(B, C2), alpha), rel=1e-12
            )


def _log_normaliser(p: Any) -> Any:
    """Of NormalInverseWishart, from its natural parameters (n, κ, κm, Ψ + κmmᵀ)."""
    n, k, km, T = p
    d = len(km)
    scale = T - km * km.T / k
    gamma = mp.mpf(d * (d - 1)) / 4 * mp.log(mp.pi) + sum(mp.loggamma((n - j) / 2) for j in range(d))
    return gamma + n * d * mp.log(2) / 2 - n / 2 * mp.log(mp.det(scale)) - mp.mpf(d) / 2 * mp.log(k / (2 * mp.pi))


def _natural(p: Any) -> Any:
    m, S = mp.matrix(p.mean.tolist()), mp.matrix(p.scale.tolist())
    return mp.mpf(p.df), mp.mpf(p.mean_count), p.mean_count * m, S + p.mean_count * m * m.T


@pytest.mark.parametrize("alpha", ALPHAS)
def test_normal_inverse_wishart_by_its_log_normaliser(alpha: float) -> None:
    p, q = F.NormalInverseWishart(E1, 3.0, 6.0, S1 + S2), F.NormalInverseWishart(E2, 2.5, 5.0, S1)
    with mp.workdps(50):
        a = mp.mpf(alpha)
        first, second = _natural(p), _natural(q)
        mixed = tuple(a * x + (1 - a) * y for x, y in zip(first, second, strict=True))
        truth = (_log_normaliser(mixed) - a * _log_normaliser(first) - (1 - a) * _log_normaliser(second)) / (a - 1)
    assert F.renyi_divergence(p, q, alpha=alpha) == pytest.approx(float(truth), rel=1e-10)


def test_no_prior_lies_between() -> None:
    p, q = F.NormalInverseWishart(E1, 2.0, 5.0, S1), F.NormalInverseWishart(E1, [4.0, 3.0], 5.0, S1)
    np.testing.assert_array_equal(np.isinf(F.chi2_divergence(p, q)), [True, False])
    # 2ν₁ − ν₂ ≤ d − 1
    p, q = (F.NormalInverseWishart(E1, 2.0, df, S1) for df in (5.0, 9.0))
    assert F.chi2_divergence(p, q) == math.inf


@pytest.mark.parametrize("alpha", ALPHAS)
def test_categories_and_counts_by_their_sums(alpha: float) -> None:
    with mp.workdps(40):
        a = mp.mpf(alpha)
        total = sum(mp.mpf(x) ** a * mp.mpf(y) ** (1 - a) for x, y in zip(ONE, TWO, strict=True))
        truth = float(mp.log(total) / (a - 1))
    p, q = F.Categorical(ONE), F.Categorical(logits=np.log(TWO) + 3.0)
    assert F.renyi_divergence(p, q, alpha=alpha) == pytest.approx(truth, rel=1e-13, abs=1e-17)
    # a Multinomial by the sum over all its counts, through its own log-masses
    p, q = F.Multinomial(3, ONE), F.Multinomial(3, TWO)
    x = np.array([k for k in itertools.product(range(4), repeat=3) if sum(k) == 3])
    terms = np.exp(alpha * p.log_prob(x) + (1 - alpha) * q.log_prob(x))
    assert F.renyi_divergence(p, q, alpha=alpha) == pytest.approx(math.log(terms.sum()) / (alpha - 1), rel=1e-8)
    assert F.renyi_divergence(p, q, alpha=alpha) == pytest.approx(3 * truth, rel=1e-13)


def test_categories_at_the_edges() -> None:
    p, q = F.Categorical([[1.0, 0.0], [0.5, 0.5]]), F.Categorical([0.0, 1.0])
    np.testing.assert_array_equal(F.renyi_divergence(p, q, alpha=0.5), [math.inf, math.log(2)])
    np.testing.assert_array_equal(F.chi2_divergence(p, q), [math.inf, math.inf])
    np.testing.assert_allclose(F.hellinger_distance(p, q), [1.0, math.sqrt(1 - math.sqrt(0.5))])
    # no draw tells nothing
    counts = F.Multinomial([0.0, 2.0], [1.0, 0.0]), F.Multinomial([0.0, 2.0], [0.0, 1.0])
    np.testing.assert_array_equal(F.renyi_divergence(*counts, alpha=0.5), [0.0, math.inf])
    np.testing.assert_array_equal(kl_divergence(*counts), [0.0, math.inf])
    got = F.renyi_divergence(F.Bernoulli(0.8), F.Categorical([0.3, 0.7]), alpha=0.5)
    assert got == pytest.approx(F.renyi_divergence(F.Bernoulli(0.8), F.Bernoulli(0.7), alpha=0.5), rel=1e-12)
    with pytest.raises(InvalidForm, match="categories"):
        F.renyi_divergence(F.Categorical([0.2, 0.8]), F.Categorical([0.2, 0.3, 0.5]), alpha=0.5)


@pytest.mark.parametrize("alpha", [0.5, 1.1])
def test_gradients_and_batches_in_torch(alpha: float) -> None:
    torch = pytest.importorskip("torch")

    def pairs(s: Any) -> Any:
        yield F.MatrixNormal(s * S1, s * S1, S2), F.MatrixNormal(S2, S1, S2)
        yield F.NormalInverseWishart(s * E1, 2.0 * s, 5.0, s * S1), F.NormalInverseWishart(E2, 2.1, 5.0, S1)
        yield F.MultivariateNormal(s * E1, s * S1), F.MultivariateNormal(E2, S1)

    s, step = torch.tensor(1.05, dtype=torch.float64, requires_grad=True), 1e-5
    tensors = [torch.tensor(x, dtype=torch.float64) for x in (E1, S1, S2)]
    e1, t1, t2 = tensors
    moved = [
        F.renyi_divergence(F.MatrixNormal(s * t1, s * t1, t2), F.MatrixNormal(t2, t1, t2), alpha=alpha),
        F.renyi_divergence(
            F.NormalInverseWishart(s * e1, 2.0 * s, 5.0, s * t1),
            F.NormalInverseWishart(torch.tensor(E2), 2.1, 5.0, t1),
            alpha=alpha,
        ),
        F.renyi_divergence(
            F.MultivariateNormal(s * e1, s * t1), F.MultivariateNormal(torch.tensor(E2), t1), alpha=alpha
        ),
    ]
    for i, value in enumerate(moved):
        (slope,) = torch.autograd.grad(value, s, retain_graph=True)
        up, at, down = (F.renyi_divergence(*list(pairs(x))[i], alpha=alpha) for x in (1.05 + step, 1.05, 1.05 - step))
        assert float(value.detach()) == pytest.approx(at, rel=1e-12)
        assert float(slope) == pytest.approx((up - down) / (2 * step), rel=1e-6)
    batch = F.MatrixNormal(np.stack([S1, S2]), S1, S2)
    got = F.renyi_divergence(batch, F.MatrixNormal(S2, S1, S2), alpha=alpha)
    assert got.shape == (2,)
    assert got[1] == 0
