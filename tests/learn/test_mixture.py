"""MixtureMLE: descent, moments, closed divergences against integration, weights, draws."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.mixture import GaussianMixture

from kullback.learn import MixtureMLE
from kullback.learn._mixture_em import Task, measure

FAMILIES = ["gaussian", "diag", "multinomial", "poisson", "bernoulli", "vonmises-fisher"]


def data(family: str, seed: int, n: int = 80, d: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, n)[:, None]
    if family in ("multinomial", "poisson"):
        return rng.poisson(np.where(kind, 6.0, 1.0) * np.arange(1, d + 1) / d) + [1.0, 0.0, 0.0][:d]
    if family == "bernoulli":
        return (rng.uniform(size=(n, d)) < np.where(kind, 0.8, 0.3)).astype(float)
    X = rng.normal(size=(n, d)) + 3 * kind
    return X / np.linalg.norm(X, axis=1, keepdims=True) if family == "vonmises-fisher" else X


@given(st.integers(0, 10_000), st.sampled_from(FAMILIES))
@settings(max_examples=40)
def test_em_descends_and_parts_add_up(seed: int, family: str) -> None:
    X = data(family, seed)
    model = MixtureMLE(2, family=family, random_state=seed, anneal=False, n_init=1).fit(X)
    assert np.diff(model.objective_path_).max(initial=0) < 1e-7
    assert model.weights_.sum() == pytest.approx(1)
    parts = model.explain(X)
    assert parts.value == pytest.approx(model.objective_, rel=1e-9)
    assert parts.check() < 1e-10
    assert np.allclose(model.predict_proba(X).sum(axis=1), 1)
    assert model.kl_to(model, n_samples=10).value == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_one_component_matches_moments(family: str) -> None:
    X = data(family, 1)
    model = MixtureMLE(1, family=family, prior=0.0).fit(X)
    theta, mean = model.params_, X.mean(axis=0)
    if family == "gaussian":
        assert np.allclose(theta["covariances"][0], np.cov(X.T, ddof=0))
    if "means" in theta or "rates" in theta:
        assert np.allclose(theta.get("means", theta.get("rates"))[0], mean)
    if family == "multinomial":
        assert np.allclose(theta["probabilities"][0], X.sum(axis=0) / X.sum())
    if family == "vonmises-fisher":
        # A_3(κ) = coth κ − 1/κ = |mean|
        kappa = theta["concentrations"][0]
        assert 1 / np.tanh(kappa) - 1 / kappa == pytest.approx(np.linalg.norm(mean), rel=1e-9)


def test_densities_are_scipys() -> None:
    from scipy import stats

    X = data("gaussian", 2)
    model = MixtureMLE(1).fit(X)
    law = stats.multivariate_normal(model.params_["means"][0], model.params_["covariances"][0])
    assert np.allclose(model.score_samples(X), law.logpdf(X))
    Z = data("vonmises-fisher", 2)
    model = MixtureMLE(1, family="vonmises-fisher").fit(Z)
    law = stats.vonmises_fisher(model.params_["directions"][0], model.params_["concentrations"][0])
    assert np.allclose(model.score_samples(Z), law.logpdf(Z))
    C = data("multinomial", 2)
    model = MixtureMLE(1, family="multinomial").fit(C)
    expected = [stats.multinomial.logpmf(c, int(c.sum()), model.params_["probabilities"][0]) for c in C]
    assert np.allclose(model.score_samples(C), expected)
    assert np.allclose(model.score_samples(sp.csr_array(C)), expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_kl_to_is_close_to_the_closed_form_and_below_the_bound(family: str) -> None:
    a, b = (MixtureMLE(1, family=family, random_state=0).fit(data(family, seed)) for seed in (1, 5))
    estimate = a.kl_to(b, n_samples=40_000)
    per_row = np.median(data(family, 1).sum(axis=1)) if family == "multinomial" else 1.0
    closed = per_row * a._family(3).kl(a.params_, b.params_)[0, 0]
    assert abs(estimate.value - closed) < 5 * estimate.standard_error + 1e-12
    assert estimate.high <= closed * (1 + 1e-9)  # for single components the bound is the value


def test_as_good_as_scikit_learn() -> None:
    X = load_iris().data
    ours = MixtureMLE(3, random_state=0).fit(X)
    theirs = GaussianMixture(3, n_init=5, random_state=0).fit(X)
    assert ours.score(X) >= theirs.score(X) - 1e-3
    assert ours.bic_ == pytest.approx(theirs.bic(X), abs=1.0)


@given(st.integers(0, 1000), st.sampled_from(["diag", "poisson"]))
@settings(max_examples=15)
def test_weights_are_repetitions(seed: int, family: str) -> None:
    X, rng = data(family, seed, n=30), np.random.default_rng(seed)
    weight = rng.integers(1, 4, 30)
    one = MixtureMLE(2, family=family, random_state=0, n_init=2).fit(X, sample_weight=weight)
    two = MixtureMLE(2, family=family, random_state=0, n_init=2).fit(np.repeat(X, weight, axis=0))
    assert one.objective_ == pytest.approx(two.objective_, rel=1e-6)


@pytest.mark.parametrize(("family", "seen", "new"), [("multinomial", [[1, 2, 0], [1, 1, 0]], [[0, 0, 1], [1, 0, 0]]),
                                                  ("bernoulli", [[1, 0], [1, 1]], [[0, 1], [1, 1]])])  # fmt: skip
def test_what_cannot_be_has_density_zero(family: str, seen: list, new: list) -> None:
    model = MixtureMLE(1, family=family, prior=0.0).fit(seen)
    first, second = model.score_samples(new)
    assert first == -np.inf
    assert np.isfinite(second)
    assert model.score(new) == -np.inf
    assert model.explain(new).value == np.inf
    assert np.isfinite(model.explain(new[1:]).value)


def test_products_of_families() -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 300)
    X = np.c_[rng.normal(4.0 * kind), rng.poisson(1 + 8 * kind), rng.uniform(size=300) < 0.2 + 0.6 * kind]
    family = [("gaussian", [0]), ("poisson", [1]), ("bernoulli", [2])]
    model = MixtureMLE(2, family=family, random_state=0).fit(X)
    right = (model.predict(X) == kind).mean()
    assert max(right, 1 - right) > 0.97
    draws, _ = model.sample(4000, random_state=0)
    assert np.allclose(draws.mean(axis=0), X.mean(axis=0), rtol=0.15)
    with pytest.raises(ValueError, match="each of 0…2 once"):
        MixtureMLE(2, family=family[:2]).fit(X)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="more components than rows"):
        MixtureMLE(5).fit(np.eye(3))
    with pytest.raises(ValueError, match="row 0 holds -1"):
        MixtureMLE(family="poisson").fit([[-1.0], [2.0]])
    with pytest.raises(ValueError, match="zeros and ones"):
        MixtureMLE(family="bernoulli").fit([[0.5], [1.0]])
    with pytest.raises(ValueError, match="Row 1 has length 2"):
        MixtureMLE(family="vonmises-fisher").fit([[1.0, 0.0], [0.0, 2.0]])
    with pytest.raises(ValueError, match="singular"):
        MixtureMLE(1, prior=0.0).fit([[1.0, 1.0], [2.0, 2.0]])
    with pytest.raises(ValueError, match="above 1e150"):
        MixtureMLE(1).fit([[1e200], [2.0]])
    with pytest.raises(ValueError, match=r"family = None; expected one of gaussian"):
        MixtureMLE(1, family=None).fit([[1.0], [2.0]])
    with pytest.raises(ValueError, match="Choose one of 'gaussian'"):
        MixtureMLE(1, family="cauchy").fit([[1.0], [2.0]])


@pytest.mark.parametrize("family", ["gaussian", "diag"])
def test_the_fit_is_stationary_for_the_objective_with_its_prior(family: str) -> None:
    """A strong prior: the covariances found must minimise exactly what is reported, pseudo-observations included."""
    X = data(family, 3)
    model = MixtureMLE(1, family=family, prior=400.0).fit(X)
    name = "covariances" if family == "gaussian" else "variances"
    task = Task(X, np.ones(80), model._family(3), family, 1, 400.0, 0.0, 1, lambda _: False)

    def objective(factor: float) -> float:
        theta = model.params_ | {name: model.params_[name] * factor}
        return float(measure(task, model.weights_, theta, task.extra)[0])

    assert objective(1.0) == pytest.approx(model.objective_, rel=1e-12)
    h = 1e-4
    assert (objective(1 + h) - objective(1 - h)) / (2 * h) == pytest.approx(0, abs=1e-6)
