"""Laws on vectors, matrices, spheres and processes: SciPy's densities, draws within their error, known numbers."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy import stats
from torch import distributions as D

import kullback.families as F
from exact import error
from kullback import InvalidDistribution, InvalidForm, NoClosedForm, entropy, explain, kl_divergence

S1 = np.array([[2.0, 0.3], [0.3, 1.0]])
S2 = np.array([[1.0, -0.2], [-0.2, 1.5]])
E1, E2 = np.array([1.0, 0.0]), np.array([0.6, 0.8])

PAIRS = [
    (F.MultivariateNormal(E1, S1), F.MultivariateNormal(E2, S2)),
    (F.LowRankMultivariateNormal(E1, S1[:, :1], E2 + 1), F.MultivariateNormal(E2, S2)),
    (F.Independent(F.Normal(E1, E2 + 1)), F.MultivariateNormal(E2, S2)),
    (F.MultivariateNormal(E1, S1), F.MultivariateStudentT(3.5, E2, S2)),
    (F.MultivariateStudentT(6.5, E1, S1), F.MultivariateStudentT(3.5, E2, S2)),
    (F.MultivariateStudentT(6.5, E1, S1), F.MultivariateNormal(E2, S2)),
    (F.MatrixNormal(S1, S1, S2), F.MatrixNormal(S2, S2, S1)),
    (F.Wishart(5.0, S1), F.Wishart(6.0, S2)),
    (F.InverseWishart(7.0, S1), F.InverseWishart(8.0, S2)),
    (F.Wishart(7.0, S1), F.InverseWishart(8.0, S2)),
    (F.InverseWishart(9.0, S1), F.Wishart(6.0, S2)),
    (F.NormalInverseWishart(E1, 2.0, 7.0, S1), F.NormalInverseWishart(E2, 3.0, 8.0, S2)),
    (F.Dirichlet([2.0, 3.0, 0.7]), F.Dirichlet([1.0, 2.0, 1.7])),
    (F.VonMisesFisher([0.0, 0.0, 1.0], 3.0), F.VonMisesFisher([0.0, 0.6, 0.8], 5.0)),
    (F.Multinomial(5, [0.2, 0.3, 0.5]), F.Multinomial(5, [0.4, 0.3, 0.3])),
    (F.MarkovChain([[0.9, 0.1], [0.4, 0.6]], [0.5, 0.5], 4), F.MarkovChain([[0.8, 0.2], [0.3, 0.7]], [0.2, 0.8], 4)),
    (F.Product((F.Gamma(2.0, 1.0), F.Normal(0.0, 1.0))), F.Product((F.Gamma(3.0, 1.0), F.Normal(1.0, 2.0)))),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda x: f"{type(x[0]).__name__}-{type(x[1]).__name__}")
def test_divergence_is_within_the_error_of_draws(pair: Any) -> None:
    p, q = pair
    told = F.monte_carlo(p, q, n=40_000, random_state=3)
    assert abs(told.value - kl_divergence(p, q)) < 4.5 * told.standard_error
    again = F.monte_carlo(p, q, n=40_000, random_state=3)
    assert again.value == told.value


@pytest.mark.parametrize("p", [p for p, _ in PAIRS[:12]], ids=lambda x: type(x).__name__)
def test_entropy_is_within_the_error_of_draws(p: Any) -> None:
    x = p.sample(40_000, random_state=5)
    loss = -np.asarray(p.log_prob(x))
    assert abs(loss.mean() - entropy(p)) < 4.5 * loss.std() / 200


def test_densities_are_scipys() -> None:
    x, X = np.array([0.3, -1.2]), np.array([[1.5, 0.4], [0.4, 0.8]])
    pairs = [
        (F.MultivariateNormal(E1, S1), stats.multivariate_normal(E1, S1), x),
        (F.MultivariateStudentT(3.5, E1, S1), stats.multivariate_t(E1, S1, 3.5), x),
        (F.MatrixNormal(S1, S1, S2), stats.matrix_normal(S1, S1, S2), X),
        (F.Wishart(5.0, S1), stats.wishart(5.0, S1), X),
        (F.InverseWishart(5.0, S1), stats.invwishart(5.0, S1), X),
        (F.Dirichlet([2.0, 3.0]), stats.dirichlet([2.0, 3.0]), np.array([0.3, 0.7])),
        (F.Multinomial(5, [0.2, 0.8]), stats.multinomial(5, [0.2, 0.8]), np.array([2.0, 3.0])),
        (
            F.VonMisesFisher([0.0, 0.6, 0.8], 5.0),
            stats.vonmises_fisher([0.0, 0.6, 0.8], 5.0),
            np.array([0.0, 0.0, 1.0]),
        ),
    ]
    for ours, theirs, at in pairs:
        log = theirs.logpdf if hasattr(theirs, "logpdf") else theirs.logpmf
        assert float(ours.log_prob(at)) == pytest.approx(float(log(at)), rel=1e-12)
        assert kl_divergence(ours, theirs) == pytest.approx(0.0, abs=1e-12)


def test_parts_of_a_normal_pair_add_up() -> None:
    p, q = F.MultivariateNormal(E1, S1), F.MultivariateNormal(E2, S2)
    told = explain(p, q, base=2)
    assert told.labels == ("location", "scale", "correlation")
    assert (told.contributions >= 0).all()
    assert told.contributions.sum() == pytest.approx(told.value, rel=1e-13)
    assert told.value == pytest.approx(kl_divergence(p, q) / math.log(2), rel=1e-14)
    assert told.unit == "bits"
    moved = explain(p, F.MultivariateNormal(E2, S1))
    np.testing.assert_allclose(moved.contributions[1:], 0.0, atol=1e-30)
    one = explain(F.Normal(0, 1), F.Normal(1, 2))
    np.testing.assert_allclose(one.contributions, [0.125, math.log(2) - 0.375], rtol=1e-14)


def test_student_vectors_of_one_dimension_are_student() -> None:
    got = kl_divergence(F.MultivariateStudentT(3.0, [0.0], [[1.0]]), F.MultivariateStudentT(5.0, [0.5], [[4.0]]))
    assert got == pytest.approx(kl_divergence(F.StudentT(3.0, 0.0, 1.0), F.StudentT(5.0, 0.5, 2.0)), rel=1e-9)


def test_wishart_of_one_dimension_is_gamma() -> None:
    got = kl_divergence(F.Wishart(5.0, [[2.0]]), F.Wishart(7.0, [[1.5]]))
    assert got == pytest.approx(kl_divergence(F.Gamma(2.5, 0.25), F.Gamma(3.5, 1 / 3)), rel=1e-13)
    got = kl_divergence(F.Wishart(2.5, [[2.0]]), F.InverseWishart(3.0, [[1.0]]))
    assert got == pytest.approx(kl_divergence(F.Gamma(1.25, 0.25), F.InverseGamma(1.5, 0.5)), rel=1e-13)
    got = kl_divergence(F.InverseWishart(5.0, [[2.0]]), F.Wishart(3.0, [[1.5]]))
    assert got == pytest.approx(kl_divergence(F.InverseGamma(2.5, 1.0), F.Gamma(1.5, 1 / 3)), rel=1e-13)
    assert kl_divergence(F.Wishart(1.9, [[2.0]]), F.InverseWishart(3.0, [[1.0]])) == math.inf


def test_markov_rate_is_the_limit_of_paths() -> None:
    A, B = [[0.9, 0.1], [0.4, 0.6]], [[0.8, 0.2], [0.3, 0.7]]
    rate = kl_divergence(F.MarkovChain(A), F.MarkovChain(B))
    long = kl_divergence(F.MarkovChain(A, [0.5, 0.5], 400), F.MarkovChain(B, [0.5, 0.5], 400)) / 400
    assert rate == pytest.approx(long, rel=5e-3)
    # stationary (.8, .2): .8·KL(row 0) + .2·KL(row 1)
    rows = [x * math.log(x / y) + (1 - x) * math.log((1 - x) / (1 - y)) for x, y in [(0.9, 0.8), (0.4, 0.3)]]
    assert rate == pytest.approx(0.8 * rows[0] + 0.2 * rows[1], rel=1e-12)
    told = explain(F.MarkovChain(A), F.MarkovChain(B))
    assert told.contributions.sum() == pytest.approx(rate, rel=1e-12)
    assert kl_divergence(F.MarkovChain(A), F.MarkovChain([[1.0, 0.0], [0.3, 0.7]])) == math.inf
    with pytest.raises(InvalidForm, match="same space"):
        kl_divergence(F.MarkovChain(A, None, 3), F.MarkovChain(A))


def test_spectral_rate_is_the_limit_of_normal_vectors() -> None:
    # AR(1) with coefficient a against white noise of its own innovations: ½a²/(1−a²)
    assert kl_divergence(F.AutoRegression([0.5], 1.0), F.AutoRegression([0.0], 1.0)) == pytest.approx(
        0.5 / 3, rel=1e-12
    )
    # near the unit circle
    assert kl_divergence(F.AutoRegression([0.999], 1.0), F.AutoRegression([0.0], 1.0)) == pytest.approx(
        0.5 * 0.999**2 / (1 - 0.999**2), rel=1e-9
    )
    n, k = 400, np.arange(400.0)
    covs = [s * s * a ** np.abs(k[:, None] - k) / (1 - a * a) for a, s in [(0.5, 1.0), (0.25, 1.2)]]
    finite = kl_divergence(*(F.MultivariateNormal(np.zeros(n), c) for c in covs)) / n
    rate = kl_divergence(F.AutoRegression([0.5], 1.0), F.AutoRegression([0.25], 1.2))
    # the first value costs as much at any length: what is left falls as 1/n
    assert rate == pytest.approx(finite, rel=1 / n)


def test_bad_matrices_are_refused_by_name() -> None:
    with pytest.raises(InvalidDistribution, match=r"MultivariateNormal.cov is not positive definite.*-1"):
        F.MultivariateNormal([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(InvalidDistribution, match=r"cov\[1\] is not positive definite"):
        F.MultivariateNormal([0.0, 0.0], [np.eye(2), [[1.0, 2.0], [2.0, 1.0]]])
    with pytest.raises(InvalidDistribution, match="not symmetric"):
        F.MultivariateNormal([0.0, 0.0], [[1.0, 0.5], [0.2, 1.0]])
    with pytest.raises(InvalidDistribution, match="mean of 3 and cov of 2"):
        F.MultivariateNormal(np.zeros(3), np.eye(2))
    with pytest.raises(InvalidDistribution, match=r"Wishart.df = 1.0; expected more than 1"):
        F.Wishart(1.0, np.eye(2))
    with pytest.raises(InvalidDistribution, match="unit vector"):
        F.VonMisesFisher([1.0, 1.0], 2.0)
    with pytest.raises(InvalidDistribution, match="not stationary"):
        F.AutoRegression([1.1], 1.0)
    with pytest.raises(InvalidDistribution):
        F.MarkovChain([[0.9, 0.2], [0.4, 0.6]])
    mixture = F.Mixture([0.5, 0.5], [F.MultivariateNormal(E1, S1), F.MultivariateNormal(E2, S2)])
    with pytest.raises(NoClosedForm, match=r"Mixture‖MultivariateNormal.*monte_carlo.*bounds"):
        kl_divergence(mixture, F.MultivariateNormal(E1, S1))


def test_laws_on_different_sets_share_no_mass() -> None:
    for p, q in [
        (F.Dirichlet([2.0, 3.0]), F.MultivariateNormal(E1, S1)),
        (F.MultivariateNormal(E1, S1), F.VonMisesFisher(E1, 2.0)),
        (F.Multinomial(5.0, [0.5, 0.5]), F.Dirichlet([2.0, 3.0])),
        (F.Wishart(5.0, S1), F.MatrixNormal(S1, S1, S2)),
    ]:
        told = explain(p, q)
        assert told.value == math.inf
        assert "neither has a density" in told.notes[0]


def _low_rank_truth(p: Any, q: Any) -> mp.mpf:
    """½[tr(S₂⁻¹S₁) − d − log det S₁/S₂ + Δᵀ S₂⁻¹Δ] of the exact floats."""

    def cov(x: Any) -> Any:
        W = mp.matrix(x.cov_factor.tolist())
        return W * W.T + mp.diag([mp.mpf(float(v)) for v in x.cov_diag])

    S1, S2 = cov(p), cov(q)
    inverse, shift = S2**-1, mp.matrix(p.loc.tolist()) - mp.matrix(q.loc.tolist())
    W = inverse * S1
    trace = mp.fsum(W[i, i] for i in range(len(p.loc)))
    return (trace - len(p.loc) - mp.log(mp.det(S1) / mp.det(S2)) + (shift.T * inverse * shift)[0]) / 2


@pytest.mark.parametrize("size", [1.0, 1e-3, 1e3])
@pytest.mark.parametrize("step", [1.0, 1e-2, 1e-4, 1e-8])
def test_low_rank_covariances_by_their_factors(step: float, size: float) -> None:
    rng = np.random.default_rng(4)
    d, r = 6, 2
    diag, W, m = np.exp(rng.normal(size=d)), size * rng.normal(size=(d, r)), rng.normal(size=d)
    q = F.LowRankMultivariateNormal(m, W, diag)
    moved = (
        m + step * rng.normal(size=d),
        W + size * step * rng.normal(size=(d, r)),
        diag * np.exp(step * rng.normal(size=d)),
    )
    p = F.LowRankMultivariateNormal(*moved)
    with mp.workdps(60):
        assert error(kl_divergence(p, q), _low_rank_truth(p, q)) < 1e-12
    # another rank, and no rank at all
    one = F.LowRankMultivariateNormal(m, W[:, :1], diag)
    with mp.workdps(60):
        # E = −W's second column is 10³ times what S₂ leaves of it: the square of that in rounding
        assert error(kl_divergence(one, q), _low_rank_truth(one, q)) < (1e-12 if size <= 1 else 1e-15 * size**2)
    bare = F.Independent(F.Normal(m, np.sqrt(diag)))
    none = F.LowRankMultivariateNormal(m, np.zeros((d, 1)), np.sqrt(diag) ** 2)
    assert kl_divergence(bare, q) == pytest.approx(kl_divergence(none, q), rel=1e-13)
    assert kl_divergence(q, bare) == pytest.approx(kl_divergence(q, none), rel=1e-13)


def test_ten_thousand_dimensions_need_no_square_matrix() -> None:
    rng = np.random.default_rng(5)
    d, r = 10_000, 5
    p, q = (
        F.LowRankMultivariateNormal(rng.normal(size=d), rng.normal(size=(d, r)), np.exp(rng.normal(size=d)))
        for _ in range(2)
    )
    plain = F.Independent(F.Normal(p.loc, np.sqrt(p.cov_diag)))
    tracemalloc.start()
    values = [kl_divergence(p, q), kl_divergence(plain, q), kl_divergence(q, plain), entropy(p)]
    p.log_prob(p.sample(3, random_state=0))
    explain(plain, F.Independent(F.Normal(q.loc, np.sqrt(q.cov_diag))))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 50e6  # d × d would be 800 MB
    theirs = [D.LowRankMultivariateNormal(*map(torch.from_numpy, (x.loc, x.cov_factor, x.cov_diag))) for x in (p, q)]
    assert values[0] == pytest.approx(float(D.kl_divergence(*theirs)), rel=1e-10)
    assert values[3] == pytest.approx(float(theirs[0].entropy()), rel=1e-12)
    x = p.sample(3, random_state=1)
    np.testing.assert_allclose(p.log_prob(x), theirs[0].log_prob(torch.from_numpy(x)).numpy(), rtol=1e-10)


def test_low_rank_batches_and_draws() -> None:
    rng = np.random.default_rng(6)
    W = rng.normal(size=(2, 1, 3, 2))
    p = F.LowRankMultivariateNormal(np.zeros(3), W, np.ones(3))
    q = F.LowRankMultivariateNormal(np.zeros((4, 3)), np.ones((3, 1)), np.ones(3))
    got = kl_divergence(p, q)
    assert got.shape == (2, 4)
    one = F.LowRankMultivariateNormal(np.zeros(3), W[1, 0], np.ones(3))
    assert got[1, 2] == pytest.approx(
        kl_divergence(one, F.LowRankMultivariateNormal(np.zeros(3), np.ones((3, 1)), np.ones(3)))
    )
    x = one.sample(50_000, random_state=0)
    np.testing.assert_allclose(np.cov(x.T), np.eye(3) + W[1, 0] @ W[1, 0].T, atol=0.15)
    assert p.sample(5, random_state=0).shape == (5, 2, 1, 3)
