"""KLNMF: descent, exactness, weights, masks, and its advantage over multiplicative updates."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import NMF

from kullback.errors import InvalidDistribution
from kullback.learn import KLNMF
from learn.data import reuters


def divergence(V: np.ndarray, R: np.ndarray) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((np.where(V > 0, V * np.log(V / R), 0.0) - V + R).sum())


@given(st.integers(0, 10_000), st.integers(1, 4), st.booleans())
def test_objective_falls_and_is_what_it_says(seed: int, k: int, sparse: bool) -> None:
    rng = np.random.default_rng(seed)
    V = rng.poisson(rng.gamma(0.3, 2.0, (12, 8))).astype(float)
    V[0, 0] += 1
    model = KLNMF(k, random_state=seed, tol=1e-6, max_iter=60)
    W = model.fit_transform(sp.csr_array(V) if sparse else V)
    assert np.diff(model.objective_path_).max() <= 1e-9 * model.objective_path_[0]
    assert (W >= 0).all()
    assert (model.components_ >= 0).all()
    expected = divergence(V, W @ model.components_)
    assert model.reconstruction_kl_ == pytest.approx(expected, rel=1e-9, abs=1e-10)
    parts = model.explain(V)
    assert parts.check() <= 1e-10 * max(1.0, expected)
    assert parts.value == pytest.approx(expected, rel=1e-9, abs=1e-10)
    assert all((p >= 0).all() for p in parts.per.values())


def test_an_exact_product_is_found_and_measured_to_the_last_bits() -> None:
    # The divergence of a product of rank 2 is 0; a difference of logarithms would leave 1e-12 of either sign.
    rng = np.random.default_rng(1)
    V = rng.gamma(1.0, size=(15, 2)) @ rng.gamma(1.0, size=(2, 9))
    model = KLNMF(2, random_state=0, tol=1e-13, max_iter=5000).fit(V)
    assert 0 <= model.reconstruction_kl_ < 1e-12


def test_stationary_at_convergence() -> None:
    # KKT: wherever w > 0 the derivative Σ_j h_j (1 − v_j/r_j) is 0, elsewhere it is ≥ 0.
    X, _ = reuters()
    model = KLNMF(5, random_state=0, tol=1e-5, max_iter=3000)
    W = model.fit_transform(X)
    assert model.converged_
    H, R = model.components_, W @ model.components_
    gradient = (1 - X.toarray() / np.maximum(R, 1e-300)) @ H.T / H.sum(axis=1)
    busy = W * H.sum(axis=1) > 1e-3
    assert np.abs(gradient[busy]).max() < 1e-3
    assert gradient[~busy].min() > -1e-2


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("missing", ["nan", "zeros"])
def test_transform_is_the_minimum_of_every_row(scale: float, missing: str) -> None:
    # KKT row by row to the tolerance of a convex problem solved to its end, with zeros on the way.
    X, _ = reuters()
    V = X[:200].toarray() * scale
    if missing == "nan":
        V[np.random.default_rng(0).uniform(size=V.shape) < 0.1] = np.nan
    model = KLNMF(6, missing=missing, alpha_W=0.3, random_state=0, max_iter=30).fit(V)
    W, H = model.transform(V), model.components_
    seen = ~np.isnan(V) if missing == "nan" else V > 0
    R = W @ H
    pull = (np.where(seen & (V > 0), V, 0.0) / np.where(R > 0, R, 1.0)) @ H.T
    cost = seen @ H.T + 0.3
    share = pull / np.where(cost > 0, cost, 1.0)
    assert np.abs(share[W > 0] - 1).max() < 1e-5
    assert share[W == 0].max() < 1 + 1e-6
    assert (W == 0).mean() > 0.1


def test_the_start_depends_on_the_rows_and_not_on_their_order_or_copies() -> None:
    X, _ = reuters()
    X = X[:100]
    weight = np.tile([1.0, 2.0], 50)
    copies = sp.vstack([X, X[1::2]]).tocsr()[np.random.default_rng(0).permutation(150)]
    one = KLNMF(4, random_state=3, max_iter=5).fit(X, sample_weight=weight)
    two = KLNMF(4, random_state=3, max_iter=5).fit(copies)
    assert np.allclose(one.components_, two.components_, rtol=1e-8)


def test_reaches_scikit_learns_divergence_in_far_fewer_rounds() -> None:
    X, _ = reuters()
    theirs = NMF(8, init="nndsvda", solver="mu", beta_loss="kullback-leibler", max_iter=60, tol=0, random_state=0)
    W = theirs.fit_transform(X)
    goal = divergence(X.toarray(), W @ theirs.components_)
    # Starts from topics lowered on parts of the rows: without them the median needs more than ten rounds.
    reached = [KLNMF(8, random_state=s, tol=0, max_iter=8).fit(X).reconstruction_kl_ for s in range(7)]
    assert np.median(reached) < goal


@pytest.mark.parametrize("missing", ["nan", "zeros"])
def test_what_is_missing_costs_nothing(missing: str) -> None:
    rng = np.random.default_rng(0)
    V = rng.gamma(2.0, size=(30, 2)) @ rng.gamma(2.0, size=(2, 12))
    hidden = rng.uniform(size=V.shape) < 0.3
    seen = np.where(hidden, np.nan if missing == "nan" else 0.0, V)
    for given_ in (seen, sp.csr_matrix(seen)):
        model = KLNMF(2, missing=missing, random_state=0, tol=1e-12, max_iter=4000)
        W = model.fit_transform(given_)
        assert model.reconstruction_kl_ < 1e-8
        assert np.allclose((W @ model.components_)[hidden], V[hidden], rtol=1e-3)  # completed


def test_document_completion_beats_the_unigram() -> None:
    X, _ = reuters()
    rng = np.random.default_rng(0)
    half = X.copy()
    half.data = rng.binomial(X.data.astype(int), 0.5).astype(float)
    rest = X - half
    known = np.asarray(half.sum(axis=0)).ravel() > 0  # a word never seen costs ∞, smoothed or not
    half, rest = half[:, known], rest[:, known]
    enough = (np.asarray(half.sum(axis=1)).ravel() > 0) & (np.asarray(rest.sum(axis=1)).ravel() > 0)
    model = KLNMF(8, random_state=0).fit(half[enough])
    unigram = model.feature_mass_
    flat = -(rest[enough] @ np.log(unigram + 1e-9)).sum() / rest[enough].sum()
    assert model.completion_cross_entropy(half[enough], rest[enough], smoothing=0.05) < flat - 0.1


def test_threads_give_the_same_bits() -> None:
    X, _ = reuters()
    one, two = (KLNMF(4, random_state=0, n_jobs=n, max_iter=10).fit(X).components_ for n in (1, 2))
    assert np.array_equal(one, two)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="row 1 holds -2"):
        KLNMF(1).fit([[1.0, 2.0], [-2.0, 1.0]])
    with pytest.raises(InvalidDistribution, match="all zeros"):
        KLNMF(1).fit(np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"n_components must lie in \[1"):
        KLNMF(0).fit(np.ones((3, 2)))
    with pytest.raises(ValueError, match="above 1e150"):
        KLNMF(1).fit([[1e200, 1.0]])
    with pytest.raises(ValueError, match="Column 1 of init is all zeros"):
        KLNMF(1, init=np.array([[1.0, 0.0]])).fit(np.ones((3, 2)))
    with pytest.raises(ValueError, match="infinity"):
        KLNMF(1).fit([[np.inf, 1.0]])
    assert KLNMF(1, random_state=0).fit([[1.0, 2.0], [2.0, 4.0]]).score([[0.0, 1.0]]) < 0
