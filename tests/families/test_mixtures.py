"""Mixtures: batch axes, torch's MixtureSameFamily, narrow and far components, bounds around quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import distributions as D

import kullback as kb
import kullback.families as F
from kullback.families import dispatch

WEIGHTS = [[0.3, 0.7], [0.5, 0.5], [0.9, 0.1]]
PLACES = [[-2.0, 2.0], [0.0, 1.0], [5.0, 6.0]]
WIDTHS = [[1.0, 0.5], [1.0, 1.0], [0.1, 2.0]]


def t(x: object) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


def test_a_batch_of_mixtures_is_each_of_them() -> None:
    theirs = D.MixtureSameFamily(D.Categorical(t(WEIGHTS)), D.Normal(t(PLACES), t(WIDTHS)))
    q = D.Normal(t(0.0), t(2.0))
    got = kb.kl_divergence(theirs, q)
    assert got.shape == (3,)
    p = dispatch.parsed(theirs, "p")
    x = t([0.3, 1.0, 5.5])
    np.testing.assert_allclose(p.log_prob(x), theirs.log_prob(x), rtol=1e-12)
    np.testing.assert_allclose(p.mean, theirs.mean, rtol=1e-12)
    np.testing.assert_allclose(p.variance, theirs.variance, rtol=1e-12)
    low, high = F.bounds(theirs, q)
    for i in range(3):
        one = F.Mixture(WEIGHTS[i], [F.Normal(m, s) for m, s in zip(PLACES[i], WIDTHS[i], strict=True)])
        assert float(got[i]) == pytest.approx(kb.kl_divergence(one, F.Normal(0.0, 2.0)), rel=1e-10)
        assert (low[i], high[i]) == pytest.approx(F.bounds(one, F.Normal(0.0, 2.0)), rel=1e-12)
    assert np.all(low <= got.numpy())
    assert np.all(got.numpy() <= high)
    draws = p.sample(20_000, random_state=0)
    np.testing.assert_allclose(draws.mean(axis=0), p.mean, atol=0.06)
    np.testing.assert_allclose(draws.var(axis=0), p.variance, rtol=0.05)


def test_components_may_have_batches_of_their_own() -> None:
    p = F.Mixture([0.5, 0.5], [F.Normal(np.array([[-1.0], [0.0]]), 1.0), F.Laplace(np.array([0.0, 1.0, 2.0]), 1.0)])
    assert p.batch_shape == (2, 3)
    got = kb.kl_divergence(p, F.Normal(0.0, np.array([1.0, 2.0, 3.0])))
    one = F.Mixture([0.5, 0.5], [F.Normal(0.0, 1.0), F.Laplace(2.0, 1.0)])
    assert got[1, 2] == pytest.approx(kb.kl_divergence(one, F.Normal(0.0, 3.0)), rel=1e-12)
    assert p.sample(4, random_state=0).shape == (4, 2, 3)


def test_vectors_in_batches_of_mixtures() -> None:
    places = t(PLACES)[..., None].expand(3, 2, 4)
    for parts in (
        D.Independent(D.Normal(places, torch.ones(4, dtype=torch.float64)), 1),
        D.MultivariateNormal(places, torch.eye(4, dtype=torch.float64)),
        D.LowRankMultivariateNormal(places, torch.ones(4, 2, dtype=torch.float64), torch.ones(4, dtype=torch.float64)),
    ):
        theirs = D.MixtureSameFamily(D.Categorical(t(WEIGHTS)), parts)
        p = dispatch.parsed(theirs, "p")
        assert (p.batch_shape, p.event_shape) == ((3,), (4,))
        x = theirs.sample(torch.Size([5]))
        np.testing.assert_allclose(p.log_prob(x), theirs.log_prob(x), rtol=1e-12)
        assert p.sample(5, random_state=0).shape == (5, 3, 4)
        low, high = F.bounds(theirs, D.MultivariateNormal(torch.zeros(4).double(), torch.eye(4).double()))
        assert np.all(low <= high)
        told = F.monte_carlo(p._pick((3,), (1,)), F.MultivariateNormal(np.zeros(4), np.eye(4)), n=4000, random_state=0)
        assert low[1] - 5 * told.standard_error <= told.value <= high[1] + 5 * told.standard_error


def test_a_narrow_component_far_away_is_seen() -> None:
    w, s, far = 1e-6, 1e-3, 1000.0
    p = F.Mixture([1 - w, w], [F.Normal(0.0, 1.0), F.Normal(far, s)])
    # apart: KL = Σ wₖ(log wₖ + KLₖ) up to e^{−far²/2}
    parts = (1 - w) * math.log1p(-w) + w * (math.log(w) + kb.kl_divergence(F.Normal(far, s), F.Normal(0.0, 1.0)))
    assert kb.kl_divergence(p, F.Normal(0.0, 1.0)) == pytest.approx(parts, rel=1e-10)
    near = F.Mixture([0.5, 0.5], [F.Normal(-1e-4, 1.0), F.Normal(1e-4, 1.0)])
    # δ⁴/4 for two parts at ±δ
    assert kb.kl_divergence(F.Normal(0.0, 1.0), near) == pytest.approx(1e-16 / 4, rel=1e-6)


def test_mixtures_of_counts_and_of_mixtures() -> None:
    counts = D.MixtureSameFamily(D.Categorical(t([0.3, 0.7])), D.Poisson(t([2.0, 9.0])))
    x = np.arange(200.0)
    masses = np.exp(dispatch.parsed(counts, "p").log_prob(x).numpy())
    other = np.exp(F.Poisson(7.0).log_prob(x))
    truth = float(np.sum(masses * np.log(masses / other)))
    assert float(kb.kl_divergence(counts, D.Poisson(t(7.0)))) == pytest.approx(truth, rel=1e-11)
    inner = F.Mixture([0.5, 0.5], [F.Normal(0.0, 1.0), F.Normal(3.0, 1.0)])
    nested = F.Mixture([0.4, 0.6], [inner, F.Normal(-3.0, 1.0)])
    flat = F.Mixture([0.2, 0.2, 0.6], [F.Normal(0.0, 1.0), F.Normal(3.0, 1.0), F.Normal(-3.0, 1.0)])
    assert kb.kl_divergence(nested, F.Normal(0.0, 3.0)) == pytest.approx(kb.kl_divergence(flat, F.Normal(0.0, 3.0)))


def test_bad_mixtures_are_named() -> None:
    with pytest.raises(kb.InvalidDistribution, match=r"weights\[1\] sum to 1.1"):
        F.Mixture([[0.5, 0.5], [0.5, 0.6]], [F.Normal(0, 1), F.Normal(1, 1)])
    with pytest.raises(kb.InvalidDistribution, match=r"shape \(3,\) for 2 components"):
        F.Mixture([0.2, 0.3, 0.5], [F.Normal(0, 1), F.Normal(1, 1)])
    with pytest.raises(kb.InvalidDistribution, match="do not broadcast"):
        F.Mixture([0.5, 0.5], [F.Normal(np.zeros(2), 1), F.Normal(np.zeros(3), 1)])
