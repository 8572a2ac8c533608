"""SNE and embedding_divergence: exact values, gradients, invariances, convergence, placement."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from kullback.learn import SNE, KLKMeans, embedding_divergence
from learn.data import reuters


def joint(D: np.ndarray, perplexity: float) -> np.ndarray:
    """P by bisection, in plain NumPy."""
    n = len(D)
    P = np.zeros((n, n))
    for i in range(n):
        low, high, others = 1e-10, 1e10, np.arange(n) != i
        for _ in range(200):
            beta = np.sqrt(low * high)
            p = np.exp(-beta * (D[i, others] - D[i, others].min()))
            p /= p.sum()
            entropy = -(p[p > 0] * np.log(p[p > 0])).sum()
            low, high = (beta, high) if entropy > np.log(perplexity) else (low, beta)
        P[i, others] = p
    return (P + P.T) / (2 * n)


def kl(P: np.ndarray, Y: np.ndarray, kernel: str, dof: float = 1.0) -> float:
    d2 = ((Y[:, None] - Y[None]) ** 2).sum(-1)
    K = np.exp(-d2) if kernel == "gaussian" else (1 + d2 / dof) ** (-(dof + 1) / 2)
    np.fill_diagonal(K, 0)
    Q, used = K / K.sum(), P > 0
    return float((P[used] * np.log(P[used] / Q[used])).sum())


@given(st.integers(0, 10_000), st.sampled_from(["tsne", "sne"]), st.floats(0.5, 5.0))
@settings(max_examples=25)
def test_the_divergence_is_its_definition(seed: int, objective: str, dof: float) -> None:
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(40, 5)), rng.normal(size=(40, 2))
    P = joint(((X[:, None] - X[None]) ** 2).sum(-1), 8.0)
    expected = kl(P, Y, "gaussian" if objective == "sne" else "student", dof)
    found = embedding_divergence(X, Y, objective=objective, perplexity=8.0, dof=dof)
    assert found.value == pytest.approx(expected, rel=1e-7)
    assert (found.per["sample"] >= 0).all()
    assert found.check() < 1e-12


@pytest.mark.parametrize("options", [{}, {"dof": 3.0}, {"kernel": "gaussian"}, {"n_components": 3}])
def test_forces_are_the_gradient(options: dict) -> None:
    import scipy.sparse as sp

    from kullback.learn._embedding import Forces, Kernel

    rng = np.random.default_rng(0)
    n, D = 30, options.get("n_components", 2)
    P = rng.gamma(0.3, size=(n, n))
    P = P + P.T
    np.fill_diagonal(P, 0)
    P /= P.sum()
    kernel = Kernel(options.get("kernel") == "gaussian", options.get("dof", 1.0))
    forces = Forces(sp.csr_matrix(P), np.ones(n), kernel, D, 1)
    Y = rng.normal(size=(D, n))
    value, gradient = forces(Y)
    assert value == pytest.approx(kl(P, Y.T, "gaussian" if kernel.gaussian else "student", kernel.dof), rel=1e-5)
    tolerance = 2e-3 if forces.fast else 1e-6  # the fast loop is 32-bit
    h = 1e-2 if forces.fast else 1e-5
    for c, i in ((0, 0), (1, 7), (D - 1, 20)):
        up, down = Y.copy(), Y.copy()
        up[c, i] += h
        down[c, i] -= h
        numeric = (kl(P, up.T, "gaussian" if kernel.gaussian else "student", kernel.dof)
                   - kl(P, down.T, "gaussian" if kernel.gaussian else "student", kernel.dof)) / (2 * h)  # fmt: skip
        assert gradient[c, i] == pytest.approx(numeric, rel=tolerance, abs=tolerance * float(np.abs(gradient).max()))


def test_digits_end_lower_than_scikit_learn_and_the_report_is_true() -> None:
    from sklearn.manifold import TSNE

    X = load_digits().data[:700]
    ours = SNE(random_state=0).fit(X)
    theirs = TSNE(init="pca", random_state=0).fit_transform(X)
    assert ours.kl_divergence_ < 0.98 * embedding_divergence(X, theirs).value
    assert ours.kl_divergence_ == pytest.approx(embedding_divergence(X, ours.embedding_).value, rel=1e-9)
    assert ours.explain().check() < 1e-12
    assert (ours.kl_per_point_ >= 0).all()
    again = SNE(random_state=0).fit(X)
    assert np.array_equal(ours.embedding_, again.embedding_)


def test_polish_converges_and_only_lowers() -> None:
    X = load_digits().data[:300]
    rough = SNE(polish=False, random_state=0, perplexity=20).fit(X)
    fine = SNE(polish=3000, random_state=0, perplexity=20, tol=1e-5).fit(X)
    assert fine.converged_
    assert fine.kl_divergence_ < rough.kl_divergence_


def test_rows_may_be_distributions() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    X, y = reuters()
    X = X[:300]
    for metric in ("hellinger", "js", "kl"):
        Z = X.toarray() + 0.02 if metric == "kl" else X  # a word that one row lacks would make KL infinite
        Y = SNE(metric=metric, perplexity=15, early_iter=100, max_iter=250, polish=20, random_state=0).fit_transform(Z)
        near = KNeighborsClassifier(5).fit(Y[:200], y[:200]).score(Y[200:], y[200:300])
        assert near > 0.6, metric
    assert KLKMeans(2, random_state=0).fit(X).labels_.size == 300


def test_distances_affinities_and_rows_agree() -> None:
    X = load_digits().data[:150]
    D2 = ((X[:, None] - X[None]) ** 2).sum(-1)
    options = {"perplexity": 10, "init": X[:, 20:22] / 1e4, "polish": 50}
    rows = SNE(**options).fit(X)
    distances = SNE(metric="precomputed", **options).fit(np.sqrt(D2))
    assert distances.kl_divergence_ == pytest.approx(rows.kl_divergence_, rel=0.03)
    given_p = SNE(metric="affinity", **options).fit(joint(D2, 10))
    assert given_p.kl_divergence_ == pytest.approx(kl(joint(D2, 10), given_p.embedding_, "student"), rel=1e-6)
    with pytest.raises(ValueError, match="holds no rows"):
        distances.transform(np.sqrt(D2))


@pytest.mark.parametrize(("n", "dimensions"), [(60, 3), (150, 2), (150, 1)])
def test_the_gaussian_kernel_ends_below_a_linear_map(n: int, dimensions: int) -> None:
    # Its pull grows with distance: a step as long as Student's throws the points to where every kernel is 0.
    from sklearn.decomposition import PCA

    X = load_digits().data[:n]
    model = SNE(dimensions, kernel="gaussian", perplexity=12, random_state=0).fit(X)
    plane = PCA(dimensions).fit_transform(X)
    linear = min(
        embedding_divergence(X, plane / s, objective="sne", perplexity=12).value for s in np.geomspace(1, 100, 30)
    )
    assert model.kl_divergence_ < 0.9 * linear


def test_new_rows_go_where_their_neighbours_are() -> None:
    X, y = load_digits(return_X_y=True)
    model = SNE(random_state=0, polish=50).fit(X[:500])
    Y = model.transform(X[500:600])
    nearest = np.array([y[:500][((model.embedding_ - p) ** 2).sum(1).argmin()] for p in Y])
    assert (nearest == y[500:600]).mean() > 0.85
    assert np.array_equal(model.transform(X[:20]), model.embedding_[:20])


def test_weights() -> None:
    X = load_digits().data[:120]
    options = {"perplexity": 8, "random_state": 0, "early_iter": 50, "max_iter": 150, "polish": 100}
    one = SNE(**options).fit(X)
    # Three equal points for each have the same neighbours at three times the perplexity.
    three = SNE(**options | {"perplexity": 24}).fit(X, sample_weight=np.full(120, 3.0))
    assert three.kl_divergence_ == pytest.approx(one.kl_divergence_, rel=0.02)
    weight = np.r_[np.zeros(10), np.ones(110)]
    some = SNE(**options).fit(X, sample_weight=weight)
    assert np.isfinite(some.embedding_).all()
    assert (some.kl_per_point_[:10] == 0).all()
    uneven = SNE(**options).fit(X, sample_weight=np.linspace(0.5, 2, 120))
    assert np.isfinite(uneven.kl_divergence_)


def test_large_runs_go_to_the_grid() -> None:
    X = np.random.default_rng(0).normal(size=(150, 4))
    model = SNE(method="fft", perplexity=10, early_iter=20, max_iter=40, random_state=0).fit(X)
    assert model.method_ == "fft"
    assert model.kl_divergence_ > 0
    with pytest.raises(ValueError, match="Use method='exact'"):
        SNE(method="fft", kernel="gaussian", perplexity=10).fit(X)


def test_umaps_objective_is_its_definition() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    found = embedding_divergence(X, Y, objective="umap", n_neighbors=5)
    # by its definition, pair by pair
    from kullback.learn.embeddings import _curve

    D = np.sqrt(((X[:, None] - X[None]) ** 2).sum(-1))
    V = np.zeros((30, 30))
    for i in range(30):
        near = np.argsort(D[i])[1:6]
        excess = D[i, near] - D[i, near[0]]
        low, high = 1e-6, 1e6
        for _ in range(200):
            s = np.sqrt(low * high)
            low, high = (low, s) if np.exp(-excess / s).sum() > np.log2(5) else (s, high)
        V[i, near] = np.exp(-excess / s)
    V = V + V.T - V * V.T
    a, b = _curve(0.1)
    W = 1 / (1 + a * (((Y[:, None] - Y[None]) ** 2).sum(-1)) ** b)
    total = 0.0
    for i in range(30):
        for j in range(i):
            v, w = V[i, j], W[i, j]
            total += (v * np.log(v / w) if v > 0 else 0) + ((1 - v) * np.log((1 - v) / (1 - w)) if v < 1 else 0)
    assert found.value == pytest.approx(total, rel=1e-6)
    assert found.check() < 1e-9
    # a = 1.577, b = 0.895 for min_dist 0.1: McInnes, Healy & Melville 2018
    assert (a, b) == pytest.approx((1.577, 0.895), abs=2e-3)


def test_bad_input_is_named() -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    with pytest.raises(ValueError, match=r"n_samples = 60.*Choose perplexity below 20"):
        SNE().fit(X)
    with pytest.raises(ValueError, match="Negative"):
        SNE(metric="kl", perplexity=5).fit(X)
    with pytest.raises(ValueError, match="polish must be an integer"):
        SNE(perplexity=5, polish="long").fit(X)
    with pytest.raises(TypeError, match="n_jobs must be an integer"):
        SNE(perplexity=5, n_jobs=2.5).fit(X)
    with pytest.raises(ValueError, match="square matrix"):
        SNE(metric="precomputed", perplexity=5).fit(np.abs(X))
    with pytest.raises(ValueError, match="inconsistent"):
        embedding_divergence(X, X[:50], perplexity=5)
    with pytest.raises(ValueError, match="Choose one of"):
        embedding_divergence(X, X, objective="isomap")


@pytest.mark.parametrize("unit", [1e-160, 1e200])
def test_the_unit_of_the_data_does_not_matter(unit: float) -> None:
    X, Y = np.random.default_rng(0).normal(size=(2, 60, 3))
    one, other = (embedding_divergence(u * X, Y, perplexity=8).value for u in (1.0, unit))
    assert other == pytest.approx(one, rel=1e-9)


def test_clusters_that_drift_apart_still_have_a_divergence() -> None:
    # With these starts the polish carries the two clusters 1e10 apart: the sum over other points is below the rounding
    # of a point's own kernel, 1, and must not be found by taking that off again.
    X = np.random.default_rng(0).normal(size=(60, 5)) + np.repeat([[0], [9]], 30, axis=0)
    for seed in (44, 106):
        model = SNE(perplexity=10, max_iter=250, early_iter=100, random_state=seed).fit(X)
        assert 0 < model.kl_divergence_ < 0.3
        assert model.kl_per_point_.sum() == pytest.approx(model.kl_divergence_, rel=1e-12)


def test_without_opentsne_large_data_ask_for_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    monkeypatch.setattr("kullback.learn._layouts.EXACT_UP_TO", 50)
    X = np.random.default_rng(0).normal(size=(60, 3))
    few = SNE(perplexity=5, early_iter=20, max_iter=40, polish=False).fit(X[:50])  # small data need no openTSNE
    assert few.method_ == "exact"
    model = SNE(perplexity=5)
    with pytest.raises(ImportError, match=r"openTSNE is not installed.*pip install 'kullback\[learn\]'"):
        model.fit(X)
    assert not hasattr(model, "embedding_")
    # What openTSNE would not mend is said first.
    with pytest.raises(ValueError, match=r"Use method='exact' for metric='hellinger'"):
        SNE(perplexity=5, metric="hellinger").fit(np.abs(X))
