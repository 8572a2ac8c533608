"""SoftmaxRegression: the optimum, soft labels, the prior; SoftTarget and Distilled beside it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from kullback.errors import InvalidDistribution
from kullback.learn import Distilled, SoftmaxRegression, SoftTarget, kl_scorer
from learn.data import raters


def objective(model: SoftmaxRegression, X: np.ndarray, Y: np.ndarray) -> float:
    L = model.predict_log_proba(X)
    return float(-(Y * L).sum() / len(X) + model.alpha / 2 * (model.coef_**2).sum())


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg"])
def test_hard_labels_match_scikit_learn(solver: str) -> None:
    X, y = load_digits(return_X_y=True)
    X, y = X[:600], y[:600]
    alpha = 1 / 600
    ours = SoftmaxRegression(alpha, solver=solver).fit(X, y)
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=20_000, solver="newton-cholesky").fit(X, y)
    L = theirs.predict_log_proba(X)
    value = -L[np.arange(600), y].mean() + alpha / 2 * (theirs.coef_**2).sum()
    assert ours.converged_
    assert ours.objective_ <= value * (1 + 1e-6)
    assert ours.objective_ == pytest.approx(objective(ours, X, np.eye(10)[y]), rel=1e-10)


@given(st.integers(0, 10_000), st.booleans(), st.sampled_from(["lbfgs", "newton-cg"]))
def test_the_gradient_is_zero_at_the_optimum(seed: int, sparse: bool, solver: str) -> None:
    rng = np.random.default_rng(seed)
    X, Y, w = rng.normal(size=(30, 4)), rng.dirichlet(np.ones(3), 30), rng.uniform(0.5, 2, 30)
    model = SoftmaxRegression(0.01, solver=solver, tol=1e-12).fit(sp.csr_array(X) if sparse else X, Y, sample_weight=w)
    residual = (model.predict_proba(X) - Y) * (w / w.sum())[:, None]
    assert np.abs(residual.T @ X + 0.01 * model.coef_).max() < 1e-5
    assert np.abs(residual.sum(axis=0)).max() < 1e-5
    parts = model.explain(X, Y, sample_weight=w)
    assert parts.value == pytest.approx(model.objective_, rel=1e-10)
    assert parts.check() < 1e-12


def test_soft_rows_are_the_same_as_replicated_rows() -> None:
    X, Y = raters()
    X, Y = X[:200, :50].toarray(), Y[:200]
    soft = SoftmaxRegression(0.01, tol=1e-12).fit(X, Y)
    row, k = np.nonzero(Y)
    hard = SoftmaxRegression(0.01, tol=1e-12).fit(X[row], k, sample_weight=Y[row, k])
    columns = hard.classes_.astype(int)
    assert np.allclose(soft.predict_proba(X)[:, columns], hard.predict_proba(X), atol=1e-4)


def test_raters_teach_more_than_their_majority() -> None:
    X, Y = raters()
    train, test = slice(0, 900), slice(900, None)
    best = {}
    for name, target in (("soft", Y[train]), ("majority", np.eye(9)[Y[train].argmax(axis=1)])):
        models = (SoftmaxRegression(alpha).fit(X[train], target) for alpha in (1e-3, 3e-3, 1e-2, 3e-2))
        best[name] = min(-kl_scorer(m, X[test], Y[test]) for m in models)
    assert best["soft"] < 0.96 * best["majority"]  # on all 10,605 sentences it is 0.83: benchmarks/bench_learn.py


def test_entropy_floor_is_what_nobody_can_remove() -> None:
    X, Y = raters()
    model = SoftmaxRegression(1e-3).fit(X, Y)
    kl = -kl_scorer(model, X, Y)
    assert model.cross_entropy_ == pytest.approx(model.entropy_floor_ + kl, rel=1e-10)


def test_a_strong_prior_wins_and_a_weak_one_does_not() -> None:
    X, y = load_iris(return_X_y=True)
    prior = np.array([0.2, 0.3, 0.5])
    pulled = SoftmaxRegression(1e4, prior=prior).fit(X, y)
    assert np.allclose(pulled.predict_proba(X), prior, atol=1e-3)
    base = GaussianNB().fit(X, y)
    near = SoftmaxRegression(1e4, prior=base).fit(X, y)
    assert kl_scorer(near, X, base.predict_proba(X)) > -0.05
    value = near.explain(X, y).value
    assert value == pytest.approx(near.objective_, rel=1e-9)


def test_column_names_become_classes_and_integers_stay_integers() -> None:
    import pandas as pd

    X, Y = np.arange(8.0)[:, None], np.tile([[0.8, 0.2], [0.1, 0.9]], (4, 1))
    named = SoftmaxRegression().fit(X, pd.DataFrame(Y, columns=["no", "yes"]))
    assert named.predict([[0.0]])[0] in ("no", "yes")
    assert np.allclose(SoftmaxRegression().fit(X, sp.csr_matrix(Y)).coef_, named.coef_)


def test_bad_input_is_named() -> None:
    X = np.arange(4.0)[:, None]
    with pytest.raises(InvalidDistribution, match=r"Row 2 of y sums to 1\.1, expected 1.*divide each row"):
        SoftmaxRegression().fit(X, [[0.5, 0.5], [1, 0], [0.6, 0.5], [0, 1]])
    with pytest.raises(ValueError, match="one class"):
        SoftmaxRegression().fit(X, [1, 1, 1, 1])
    with pytest.raises(InvalidDistribution, match="row 1"):
        SoftmaxRegression().fit(X, [[0.5, 0.5], [np.nan, 1], [0.5, 0.5], [0, 1]])
    model = SoftmaxRegression().fit(X, ["a", "a", "b", "b"])
    with pytest.raises(ValueError, match=r"Row 1 of y has the class.*'c'.*never seen"):
        model.score(X[:2], ["a", "c"])
    with pytest.raises(InvalidDistribution, match="holds no numbers"):
        SoftmaxRegression().fit(X, [["a", "b"]] * 4)
    with pytest.raises(ValueError, match="inconsistent"):
        model.explain(X, ["a", "b"])
    with pytest.raises(TypeError, match="this scorer is for classifiers"):
        kl_scorer(LinearRegression().fit(X, [0, 1, 2, 3]), X, [0, 1, 2, 3])
    with pytest.raises(ValueError, match="prior has shape"):
        SoftmaxRegression(prior=[0.2, 0.3, 0.5]).fit(X, [0, 0, 1, 1])
    with pytest.raises(TypeError, match="takes no sample_weight"):
        SoftTarget(KNeighborsClassifier()).fit(X, [0, 0, 1, 1])


def test_soft_target_is_the_expected_loss() -> None:
    X, Y = raters()
    X, Y = X[:300, :60].toarray(), Y[:300]
    direct = SoftmaxRegression(0.01, tol=1e-12).fit(X, Y)
    through = SoftTarget(LogisticRegression(C=1 / (0.01 * 300), tol=1e-10, max_iter=5000)).fit(X, Y)
    assert np.allclose(direct.predict_proba(X), through.predict_proba(X), atol=1e-3)
    # top and draws approach it
    assert SoftTarget(GaussianNB(), top=9).fit(X, Y).predict(X).shape == (300,)
    drawn = SoftTarget(LogisticRegression(), draws=40, random_state=0).fit(X, Y)
    assert np.abs(drawn.predict_proba(X) - SoftTarget(LogisticRegression()).fit(X, Y).predict_proba(X)).mean() < 0.03


def test_boosting_learns_from_raters() -> None:
    X, Y = raters()
    X, Y = X[:, :80].toarray(), np.c_[Y[:, :4].sum(1), Y[:, 4], Y[:, 5:].sum(1)]
    boosting = HistGradientBoostingClassifier(max_iter=20, random_state=0)
    soft = SoftTarget(boosting).fit(X[:900], Y[:900])
    hard = boosting.fit(X[:900], Y[:900].argmax(axis=1))
    assert kl_scorer(soft, X[900:], Y[900:]) > kl_scorer(hard, X[900:], Y[900:])


def test_an_unfitted_teacher_learns_from_distributions() -> None:
    X, Y = raters()
    X, Y = X[:200, :40].toarray(), Y[:200]
    student = Distilled(SoftmaxRegression(0.01), RandomForestClassifier(10, min_samples_leaf=5, random_state=0)).fit(
        X, Y
    )
    assert isinstance(student.teacher_, SoftTarget)
    assert 0 < student.kl_to_teacher_ < 1


def test_a_distilled_tree_is_closer_to_its_teacher() -> None:
    X, y = load_digits(return_X_y=True)
    teacher = RandomForestClassifier(40, random_state=0).fit(X[:900], y[:900])
    tree = DecisionTreeClassifier(criterion="log_loss", min_samples_leaf=5, random_state=0)
    student = Distilled(tree, teacher).fit(X[900:], y[900:])
    alone = tree.fit(X[900:], teacher.predict(X[900:]))
    P = teacher.predict_proba(X[:900])

    def log_loss(Q: np.ndarray) -> float:
        return float(-(P * np.log(np.maximum(Q, 1e-6))).sum(axis=1).mean())

    assert log_loss(student.predict_proba(X[:900])) < log_loss(alone.predict_proba(X[:900]))
    assert 0 < student.kl_to_teacher_ < np.inf
    assert 0.5 < student.agreement_ <= 1
    with pytest.raises(ValueError, match="teacher knows classes"):
        Distilled(tree, teacher).fit(X[:50], y[:50] % 2 * 100)
    warm = Distilled(SoftmaxRegression(), teacher, temperature=3.0, mix=0.5).fit(X[:200], y[:200])
    assert np.isfinite(warm.kl_to_teacher_)
