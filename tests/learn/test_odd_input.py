"""Input that is valid and unusual: entries stored twice, weights of zero, parameters changed after the fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from kullback.learn import KLNMF, SNE, HistogramTarget, KLKMeans, MixtureMLE, _layouts, load


def stored_twice(X: np.ndarray[Any, Any]) -> sp.csr_matrix:
    """X with each entry as two halves in descending order of columns, and an explicit zero a row."""
    rows = []
    for row in X:
        (columns,) = np.nonzero(row)
        halves = np.r_[row[columns] / 2, row[columns] / 2][::-1]
        rows.append((np.r_[np.r_[columns, columns][::-1], 0], np.r_[halves, 0.0]))
    indptr = np.r_[0, np.cumsum([len(c) for c, _ in rows])]
    return sp.csr_matrix((np.concatenate([v for _, v in rows]), np.concatenate([c for c, _ in rows]), indptr), X.shape)


COUNTS = 2.0 * np.random.default_rng(0).poisson(1.5, (40, 6)) + 2.0 * np.eye(40, 6) + 2.0 * (np.arange(40) > 5)[:, None]


@pytest.mark.parametrize(
    ("estimator", "result"),
    [
        (KLNMF(2, random_state=0), "objective_"),
        (KLKMeans(3, random_state=0), "objective_"),
        (MixtureMLE(2, family="multinomial", random_state=0), "objective_"),
        (MixtureMLE(2, family="poisson", random_state=0), "objective_"),
        (SNE(metric="kl", perplexity=5, max_iter=50, polish=5, random_state=0), "objective_"),
    ],
    ids=lambda v: f"{type(v).__name__}-{getattr(v, 'family', '')}" if not isinstance(v, str) else "",
)
def test_entries_stored_twice_are_their_sum(estimator: Any, result: str) -> None:
    twice = stored_twice(COUNTS)
    before = twice.copy()
    dense = getattr(estimator.fit(COUNTS), result)
    assert getattr(estimator.fit(twice), result) == pytest.approx(dense, rel=1e-9)
    assert np.array_equal(before.data, twice.data)  # the caller's matrix is not touched
    assert np.array_equal(before.indices, twice.indices)


def test_a_missing_entry_stored_twice_is_missing_once() -> None:
    X = COUNTS.copy()
    X[3, 2] = X[7, 1] = np.nan
    dense = KLNMF(2, random_state=0).fit(X)
    twice = KLNMF(2, random_state=0).fit(stored_twice(X))
    assert twice.objective_ == pytest.approx(dense.objective_, rel=1e-9)


def test_a_fitted_model_answers_with_what_it_learned_whatever_its_parameters_say_now() -> None:
    """Compiled loops write as many columns as there are clusters: a smaller n_clusters must not make the room."""
    model = KLKMeans(5, random_state=0).fit(COUNTS)
    expected, labels = model.transform(COUNTS), model.predict(COUNTS)
    model.set_params(n_clusters=2)
    assert np.array_equal(model.transform(COUNTS), expected)
    assert np.array_equal(model.predict(COUNTS), labels)
    assert model.predict_proba(COUNTS).shape == (40, 5)
    assert model.explain(COUNTS).check() < 1e-12
    assert len(model.get_feature_names_out()) == 5
    mixture = MixtureMLE(3, random_state=0).fit(COUNTS).set_params(n_components=2)
    assert mixture.sample(50, random_state=0)[1].max() == 2
    embedded = SNE(perplexity=5, max_iter=30, polish=0).fit(COUNTS).set_params(n_components=3)
    assert embedded.transform(COUNTS[:2]).shape == (2, 2)
    assert len(embedded.get_feature_names_out()) == 2


def test_the_total_of_a_multinomial_draw_counts_weights() -> None:
    X = np.array([[1.0, 1.0], [1.0, 2.0], [5.0, 9.0], [40.0, 40.0]])
    weight = np.array([0, 1, 2, 1])
    one = MixtureMLE(1, family="multinomial").fit(X, sample_weight=weight).sample(3, random_state=0)[0]
    two = MixtureMLE(1, family="multinomial").fit(np.repeat(X, weight, axis=0)).sample(3, random_state=0)[0]
    assert np.array_equal(one.sum(axis=1), two.sum(axis=1))


def test_places_to_start_from_are_given_for_all_points_also_those_without_weight() -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    weight = np.r_[np.zeros(4), np.ones(36)]
    model = SNE(perplexity=5, init=X[:, :2], max_iter=30, polish=0).fit(X, sample_weight=weight)
    alone = SNE(perplexity=5, init=X[4:, :2], max_iter=30, polish=0).fit(X[4:])
    assert np.allclose(model.embedding_[4:], alone.embedding_)


@pytest.mark.parametrize("smoothing", ["gaussian", "linear", "none"])
def test_quantiles_that_leave_one_bin(smoothing: Any) -> None:
    y = np.r_[np.zeros(99), 1.0]
    code = HistogramTarget(2, spacing="quantile", smoothing=smoothing).fit(y)
    assert np.allclose(code.encode(y).sum(axis=1), 1)
    assert np.isfinite(code.decode(code.encode(y))).all()


def test_a_file_whose_parameters_belie_its_arrays_answers_with_the_arrays(tmp_path: Any) -> None:
    model = KLKMeans(5, random_state=0).fit(COUNTS).set_params(n_clusters=1)
    model.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert again.transform(COUNTS).shape == (40, 5)


@pytest.mark.parametrize("metric", ["affinity", "precomputed"])
def test_places_to_start_from_are_those_of_fewer_points_where_affinities_stay_sparse(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = np.repeat([0, 1, 2], [20, 40, 60])  # main directions that any method finds
    P = np.where(group[:, None] == group, 1.0 + 1e-3 * np.random.default_rng(0).uniform(size=(120, 120)), 0.0)
    np.fill_diagonal(P, 0.0)
    P = sp.csr_matrix((P + P.T) / (P + P.T).sum())
    weight = np.random.default_rng(1).uniform(0.5, 2.0, 120)
    model = SNE(metric=metric, random_state=0)
    dense = _layouts.first_positions(model, P, P, weight)
    monkeypatch.setattr(_layouts, "EXACT_UP_TO", 100)
    np.testing.assert_allclose(_layouts.first_positions(model, P, P, weight), dense, rtol=1e-3, atol=1e-6)
    fitted = SNE(metric="affinity", method="exact", perplexity=5, max_iter=20, polish=0, random_state=0).fit(P)
    assert np.isfinite(fitted.embedding_).all()
