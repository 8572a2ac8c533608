"""Every estimator passes scikit-learn's own checks; the few that cannot be passed are listed with their reason."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted

import kullback.learn
from kullback.learn import (
    EXPECTED_FAILED_CHECKS,
    KLNMF,
    SNE,
    Distilled,
    DistributionRegressor,
    KLKMeans,
    MixtureMLE,
    SoftmaxRegression,
    SoftTarget,
    cross_entropy_scorer,
)

ESTIMATORS = [
    KLNMF(2, max_iter=50),
    KLKMeans(2),
    SoftmaxRegression(),
    # The checks use 15 to 60 rows: a perplexity that fits them, and few steps.
    SNE(perplexity=2, early_iter=20, max_iter=40, polish=5),
    MixtureMLE(),
    DistributionRegressor(),
    SoftTarget(LogisticRegression()),
    Distilled(SoftmaxRegression(), LogisticRegression()),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    ESTIMATORS, expected_failed_checks=lambda e: EXPECTED_FAILED_CHECKS.get(type(e).__name__, {}), xfail_strict=True
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_the_expected_failures_are_few_and_reasoned() -> None:
    assert sum(map(len, EXPECTED_FAILED_CHECKS.values())) <= 12
    assert all(len(reason) > 20 for checks in EXPECTED_FAILED_CHECKS.values() for reason in checks.values())


class TestWhatKLKMeansChecksCannotShow:
    """The checks that feed empty rows or negative numbers, with data that is what it must be."""

    X = np.random.default_rng(0).poisson(3.0, (40, 5)).astype(float) + 1

    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
    def test_dtypes(self, dtype: Any) -> None:
        labels = KLKMeans(3, random_state=0).fit(self.X.astype(dtype)).labels_
        assert np.array_equal(labels, KLKMeans(3, random_state=0).fit(self.X).labels_)

    @pytest.mark.parametrize("make", [sp.csr_matrix, sp.csr_array, sp.csc_array, sp.coo_array])
    def test_sparse_containers(self, make: Any) -> None:
        dense = KLKMeans(3, random_state=0).fit(self.X)
        assert np.array_equal(KLKMeans(3, random_state=0).fit(make(self.X)).labels_, dense.labels_)
        assert np.array_equal(dense.predict(make(self.X)), dense.labels_)

    def test_weights_of_any_container(self) -> None:
        import pandas as pd

        weight = np.arange(1.0, 41)
        expected = KLKMeans(3, random_state=0).fit(self.X, sample_weight=weight).objective_
        for given in (weight.tolist(), pd.Series(weight)):
            assert KLKMeans(3, random_state=0).fit(self.X, sample_weight=given).objective_ == expected

    def test_clusters_are_found(self) -> None:
        X = np.r_[np.tile([9.0, 1, 1], (20, 1)), np.tile([1.0, 1, 9], (20, 1))] + self.X[:, :3]
        labels = KLKMeans(2, random_state=0).fit_predict(X)
        assert len(set(labels[:20])) == 1
        assert labels[0] != labels[-1]


MODULES = [m.name for m in pkgutil.walk_packages(kullback.learn.__path__, "kullback.learn.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    with np.printoptions(legacy="1.25"):
        assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_pipelines_grids_and_frames() -> None:
    import pandas as pd

    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.poisson(2.0, (60, 6)) + 1.0, columns=list("abcdef"))
    y = rng.integers(0, 3, 60)
    model = make_pipeline(MaxAbsScaler(), SoftmaxRegression())
    grid = GridSearchCV(model, {"softmaxregression__alpha": [1e-3, 1.0]}, scoring=cross_entropy_scorer, cv=3).fit(X, y)
    assert grid.best_params_["softmaxregression__alpha"] == 1.0  # y is noise: the stronger penalty wins
    topics = KLNMF(2, random_state=0).set_output(transform="pandas").fit_transform(X)
    assert list(topics.columns) == ["klnmf0", "klnmf1"]
    soft = rng.dirichlet(np.ones(3), 60)
    assert cross_val_score(SoftmaxRegression(), X, soft, cv=3, scoring=cross_entropy_scorer).max() < 0


def test_metadata_routing_reaches_the_fit() -> None:
    from sklearn import config_context

    X, y, w = np.arange(12.0)[:, None], np.arange(12) % 2, np.r_[np.ones(6), np.zeros(6)]
    with config_context(enable_metadata_routing=True):
        model = SoftTarget(LogisticRegression()).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(MaxAbsScaler(), model).fit(X, y, sample_weight=w)
    alone = SoftTarget(LogisticRegression()).fit(X / 11, y, sample_weight=w)
    assert np.allclose(pipeline.predict_proba(X), alone.predict_proba(X / 11))


@pytest.mark.parametrize(
    "estimator",
    [KLNMF(2, max_iter=20), KLKMeans(2), SoftmaxRegression(), MixtureMLE(2), SNE(perplexity=5, max_iter=50)],
)
def test_callbacks_hear_every_iteration_and_can_stop(estimator: Any) -> None:
    heard = []

    class Listener:
        def setup(self, estimator: Any, context: Any) -> None: ...
        def teardown(self, estimator: Any, context: Any) -> None: ...
        def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...
        def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
            heard.append(context.task_name)
            return context.task_name == "iteration" and heard.count("iteration") >= 2

    X = np.random.default_rng(0).poisson(3.0, (40, 4)) + 1.0
    y = (X[:, 0] > 3).astype(int)
    estimator = clone(estimator).set_callbacks(Listener())
    estimator.fit(X, y)
    assert heard.count("iteration") >= 1
    assert heard[-1] == "fit"


def interrupt(*args: Any, **kwargs: Any) -> Any:
    raise KeyboardInterrupt


# Where each is interrupted: at an iteration, and as late as the last step before a fit is whole.
STEPS: list[tuple[Any, str]] = [
    (KLNMF(2), "_base.Track.__call__"),
    (KLNMF(2), "_base.Track.done"),
    (KLKMeans(2), "_base.Track.__call__"),
    (SoftmaxRegression(), "_base.Track.__call__"),
    (SoftmaxRegression(), "softmax_regression._entropies"),
    (MixtureMLE(2), "_base.Track.__call__"),
    (MixtureMLE(2), "_mixture_em.Task.penalty"),
    (SNE(perplexity=5, max_iter=60), "_affinities.joint"),
    (SNE(perplexity=5, max_iter=60), "_base.Track.__call__"),
    (SNE(perplexity=5, max_iter=60), "_embedding.polish"),
    (SNE(perplexity=5, max_iter=60), "_pairs.kl_per_point"),
    (DistributionRegressor(Ridge(), Ridge()), "distribution_regressor.floor"),
    (DistributionRegressor(Ridge(), Ridge()), "distribution_regressor.Histogram.fit"),
    (DistributionRegressor(Ridge(), Ridge()), "distribution_regressor.Ensemble"),
    (DistributionRegressor(Ridge(), Ridge(), cv=KFold(3)), "distribution_regressor.fitted"),
    (SoftTarget(SoftmaxRegression()), "_base.Track.__call__"),
    (Distilled(SoftmaxRegression(), SoftmaxRegression()), "_base.Track.__call__"),
    (Distilled(SoftmaxRegression(), SoftmaxRegression()), "soft_target.Distilled.predict_proba"),
]


@pytest.mark.parametrize(("estimator", "step"), STEPS, ids=[f"{type(e).__name__}-{s}" for e, s in STEPS])
@pytest.mark.parametrize("before", [False, True], ids=["new", "fitted before"])
def test_an_interrupted_fit_leaves_the_estimator_unfitted(
    estimator: Any, step: str, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = np.random.default_rng(0).poisson(3.0, (40, 4)) + 1.0
    y = np.arange(40) % 2
    estimator = clone(estimator)
    if before:
        estimator.fit(X, y)
    given = estimator.get_params()
    monkeypatch.setattr(f"kullback.learn.{step}", interrupt)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    with pytest.raises(NotFittedError):
        check_is_fitted(estimator)
    assert not [name for name in vars(estimator) if name.endswith("_")]
    assert estimator.get_params() == given
    monkeypatch.undo()
    check_is_fitted(estimator.fit(X, y))


def test_the_bar_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    KLNMF(2, max_iter=3, verbose=True, tol=0).fit(np.eye(4) + 1)
    shown = capsys.readouterr()
    assert "3/3" in shown.err
    assert "nats" in shown.err
    assert not shown.out


def test_weights_are_exact_where_the_stages_are() -> None:
    """The default boosting is excused; with linear stages a weight of 2 is the row twice."""
    check = "check_sample_weight_equivalence_on_dense_data"
    import sklearn.utils.estimator_checks as checks

    getattr(checks, check)("DistributionRegressor", DistributionRegressor(Ridge(), Ridge(), "normal"))
