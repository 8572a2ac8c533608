"""KLKMeans: optima, the information identity, weights, Lloyd, the bottleneck."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from kullback.errors import InvalidDistribution
from kullback.learn import KLKMeans
from learn.data import reuters


def objective(P: np.ndarray, labels: np.ndarray) -> float:
    """E KL(p‖q_c), by its definition."""
    total = 0.0
    for c in set(labels.tolist()):
        q = P[labels == c].mean(axis=0)
        for p in P[labels == c]:
            total += float((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum())
    return total / len(P)


@given(st.integers(0, 10_000), st.sampled_from(["hartigan", "lloyd"]))
def test_objective_is_its_definition_and_the_information_lost(seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    X = rng.poisson(rng.gamma(0.5, 3.0, (25, 6))) + np.eye(25, 6) + (np.arange(25)[:, None] >= 6)
    P = X / X.sum(axis=1, keepdims=True)
    model = KLKMeans(3, method=method, random_state=seed).fit(X)
    assert model.objective_ == pytest.approx(objective(P, model.labels_), rel=1e-12, abs=1e-15)
    everything = objective(P, np.zeros(25, int))
    assert model.information_retained_ == pytest.approx(1 - model.objective_ / everything, rel=1e-9)
    assert model.explain(X).check() < 1e-13
    assert np.array_equal(model.predict(X), model.transform(X).argmin(axis=1))


@given(st.integers(0, 10_000))
def test_no_single_move_improves_hartigan(seed: int) -> None:
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(4, 0.5), 14)
    model = KLKMeans(3, n_init=1, tol=0, random_state=seed).fit(P)
    here = objective(P, model.labels_)
    for i, c in itertools.product(range(14), range(3)):
        moved = model.labels_.copy()
        moved[i] = c
        if len(set(moved.tolist())) == 3:
            assert objective(P, moved) >= here - 1e-12


@given(st.integers(0, 10_000))
def test_rows_in_any_order_and_weights_as_repetitions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.poisson(2.0, (15, 5)) + 1.0
    weight = rng.integers(1, 4, 15)
    order = rng.permutation(15)
    one = KLKMeans(3, random_state=seed).fit(X, sample_weight=weight)
    two = KLKMeans(3, random_state=seed).fit(X[order], sample_weight=weight[order])
    three = KLKMeans(3, random_state=seed).fit(np.repeat(X, weight, axis=0))
    assert np.array_equal(one.labels_[order], two.labels_)
    assert np.array_equal(np.repeat(one.labels_, weight), three.labels_)


def test_hartigan_keeps_more_information_than_lloyd() -> None:
    X, _ = reuters()
    for seed in range(3):
        hartigan, lloyd = (KLKMeans(8, method=m, n_init=1, random_state=seed).fit(X) for m in ("hartigan", "lloyd"))
        assert hartigan.information_retained_ > lloyd.information_retained_


def test_clusters_find_the_topics() -> None:
    from sklearn.cluster import KMeans
    from sklearn.metrics import normalized_mutual_info_score

    X, y = reuters()
    ours = normalized_mutual_info_score(y, KLKMeans(8, random_state=0).fit(X).labels_)
    theirs = normalized_mutual_info_score(y, KMeans(8, n_init=3, random_state=0).fit(X).labels_)
    assert ours > theirs + 0.1


def test_the_bottleneck_hardens_with_beta() -> None:
    X = np.random.default_rng(0).dirichlet(np.ones(5), 40)
    soft, sharp = (KLKMeans(3, beta=b, random_state=0, tol=1e-9, max_iter=2000).fit(X) for b in (5.0, 200.0))
    assert all(np.diff(m.objective_path_).max() <= 1e-9 for m in (soft, sharp))
    assert soft.rate_ < sharp.rate_
    assert soft.information_retained_ < sharp.information_retained_
    assert np.allclose(soft.predict_proba(X).sum(axis=1), 1)
    assert soft.objective_ == pytest.approx(soft.distortion_ + soft.rate_ / 5.0)
    # The memberships are the fixed point q(t|x) ∝ q(t) exp(−β KL), so they reproduce the cluster masses.
    assert np.allclose(soft.predict_proba(X).sum(axis=0), soft.cluster_mass_, rtol=1e-2)


def test_an_unseen_word_still_has_a_nearest_cluster() -> None:
    model = KLKMeans(2, random_state=0).fit([[5.0, 1, 0, 0], [6, 1, 0, 0], [0, 0, 4, 0], [0, 1, 5, 0]])
    new = np.array([[7.0, 0, 0, 1]])
    assert np.isinf(model.transform(new)).all()
    assert model.predict(new) == model.labels_[0]
    assert model.score(new) == -np.inf


def test_bad_input_is_named() -> None:
    with pytest.raises(InvalidDistribution, match="Row 1 given to KLKMeans is all zeros"):
        KLKMeans(1).fit([[1.0, 2.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match=r"Negative values.*row 0"):
        KLKMeans(1).fit([[-1.0, 2.0]])
    with pytest.raises(InvalidDistribution, match="Row 0 given to KLKMeans as init is all zeros"):
        KLKMeans(1, init=np.zeros((1, 2))).fit(np.ones((2, 2)))
    with pytest.raises(ValueError, match="more clusters than rows"):
        KLKMeans(3).fit(np.ones((2, 2)))
    with pytest.raises(ValueError, match="Choose one of 'hartigan'"):
        KLKMeans(1, method="elkan").fit(np.ones((2, 2)))
    with pytest.warns(ConvergenceWarning, match="empty"):
        KLKMeans(3, random_state=0).fit(np.ones((5, 2)))
