"""DistributionRegressor, Predictive, the shapes, HistogramTarget and the scorers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import KFold, ShuffleSplit, TimeSeriesSplit
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor

import kullback as kb
from kullback.errors import InvalidDistribution
from kullback.learn import (
    DistributionRegressor,
    HistogramTarget,
    Predictive,
    SoftmaxRegression,
    cross_entropy_scorer,
    crps_scorer,
    d2_cross_entropy_scorer,
    d2_crps_scorer,
    d2_kl_scorer,
    kl_scorer,
)
from kullback.learn._power import Power
from kullback.learn._shapes import SHAPES, Histogram, Laplace, Normal, Student
from learn.data import bikeshare

Z = np.r_[np.random.default_rng(0).standard_t(4, 400), -9.0, 12.0]
ONES = np.ones(len(Z))


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_distributions(name: str) -> None:
    shape = SHAPES[name].fit(Z, ONES)
    grid = np.sort(np.r_[np.linspace(-400, 400, 400_001), getattr(shape, "edges", [])])
    density = np.exp(shape.logpdf(0.5 * (grid[1:] + grid[:-1])))
    assert density @ np.diff(grid) == pytest.approx(1, abs=1e-3)
    u = np.linspace(0.001, 0.999, 77)
    assert np.allclose(shape.cdf(shape.ppf(u)), u, atol=1e-9)
    middle = 0.5 * (grid[1:] + grid[:-1])
    assert shape.entropy() == pytest.approx(-(density * shape.logpdf(middle)) @ np.diff(grid), abs=5e-3)
    assert shape.mean() == pytest.approx((density * middle) @ np.diff(grid), abs=5e-3)
    # weights are repetitions
    double = SHAPES[name].fit(np.r_[Z, Z], np.r_[ONES, ONES])
    if name != "histogram":  # its leave-one-out smoothing sees twice the evidence
        assert np.allclose(double.logpdf(Z), shape.logpdf(Z), atol=1e-6)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("z", [-30.0, -2.3, 0.1, 1.7, 25.0])
def test_crps_is_its_integral(name: str, z: float) -> None:
    shape = SHAPES[name].fit(Z, ONES)
    grid = np.sort(np.r_[np.linspace(-900, 900, 600_001), z, getattr(shape, "edges", [])])
    F = shape.cdf(grid)
    squared = np.where(grid < z, F**2, (1 - F) ** 2)
    at = np.searchsorted(grid, z)  # the integrand jumps at z: integrate the two sides apart
    left = np.trapezoid(np.r_[squared[:at], float(shape.cdf(np.array(z))) ** 2], np.r_[grid[:at], z])
    right = np.trapezoid(squared[at:], grid[at:])
    assert float(shape.crps(np.array(z))) == pytest.approx(left + right, rel=2e-3, abs=2e-4)


def test_shapes_match_scipy() -> None:
    z = np.linspace(-5, 5, 21)
    assert np.allclose(Normal(1.3).logpdf(z), stats.norm(0, 1.3).logpdf(z))
    assert np.allclose(Laplace(0.7).logpdf(z), stats.laplace(0, 0.7).logpdf(z))
    assert np.allclose(Student(3.5, 0.7).logpdf(z), stats.t(3.5, 0, 0.7).logpdf(z))
    assert Student(3.5, 0.7).entropy() == pytest.approx(stats.t(3.5, 0, 0.7).entropy())
    fit = Student.fit(stats.t(5).rvs(20_000, random_state=0), np.ones(20_000))
    assert (fit.dof, fit.scale) == (pytest.approx(5, rel=0.15), pytest.approx(1, rel=0.03))
    assert isinstance(Histogram.fit(z, np.ones(21)), Histogram)


def test_predictive_divergence() -> None:
    p, q = Predictive.normal([0.0, 1.0], [1.0, 2.0]), Predictive.normal([0.5, 1.0], [2.0, 2.0])
    # mpmath, mp.dps=50: log(2) + (1 + 0.25)/8 - 0.5
    assert np.allclose(p.kl_to(q), [0.34939718055994530942, 0.0], rtol=1e-14)
    other = Predictive(np.array([0.5, 1.0]), np.array([2.0, 2.0]), Laplace(1.0))
    exact = integrate.quad(
        lambda y: stats.norm.pdf(y) * (stats.norm.logpdf(y) - stats.laplace(0.5, 2).logpdf(y)), -12, 12
    )
    assert p.kl_to(other)[0] == pytest.approx(exact[0], abs=2e-4)
    assert (p.kl_to(p) == 0).all()
    with pytest.raises(ValueError, match="expected one per row"):
        p.kl_to(Predictive.normal([0.0], [1.0]))
    with pytest.raises(ValueError, match="one per row"):
        p.logpdf([1.0, 2.0, 3.0])
    assert p.sample(5, random_state=0).shape == (2, 5)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("exponent", "lower"), [(1 / 2, 3.0), (1 / 3, -0.5), (1 / 4, 0.0)])
def test_a_power_is_a_distribution_on_its_half_line(name: str, exponent: float, lower: float) -> None:
    q = Predictive(np.array([0.3, 1.2]), np.array([0.4, 0.1]), SHAPES[name].fit(Z, ONES), Power(exponent, lower))
    if name == "student":  # E y needs more than 1/exponent degrees of freedom
        q = Predictive(q.location, q.scale, Student(12.0, 1.0), q.power)
    assert q.support == (lower, np.inf)
    # integrals over t, y = lower + t^(1/exponent), since the density of y may have a pole at the edge
    knots = np.linspace(0, 30, 600_001)
    t = 0.5 * (knots[1:] + knots[:-1])
    y, slope = lower + t ** (1 / exponent), t ** (1 / exponent - 1) / exponent
    log_density = np.stack([q._rows(slice(i, i + 1))._logpdf(y) for i in (0, 1)])
    mass = np.exp(log_density) * slope * np.diff(knots)
    assert mass.sum(axis=1) == pytest.approx([1, 1], abs=2e-4)
    assert q.mean() == pytest.approx(mass @ y, rel=2e-3)
    assert q.entropy() == pytest.approx(-(mass * log_density).sum(axis=1), abs=5e-3)
    seen = lower + np.array([0.4, 3.0])
    F = np.cumsum(mass, axis=1)
    assert q.crps(seen) == pytest.approx(
        ((F - (y >= seen[:, None])) ** 2 * slope * np.diff(knots)).sum(axis=1), rel=5e-3
    )
    u = np.linspace(0.001, 0.999, 77)
    assert np.allclose([q.cdf(v) for v in q.ppf(u[None, :]).T], u[:, None], atol=1e-9)
    assert (q.ppf(0.0) == lower).all()
    assert np.isposinf(q.ppf(1.0)).all()
    assert (q.sample(200, random_state=0) > lower).all()
    assert np.isneginf(q.logpdf(lower)).all()
    assert (q.cdf(lower - 1.0) == 0).all()
    assert (q.kl_to(q) == 0).all()


def test_divergence_is_the_same_on_every_scale_and_infinite_beyond_the_edge() -> None:
    laws = ((0.1, Laplace(1.0)), (0.2, Normal(1.0)))
    p, q = (Predictive(np.array([5.0]), np.array([s]), law) for s, law in laws)
    square = Power(1 / 2, 0.0)  # of y = t², whose mass below t = 0 is far below the last digit
    roots = [Predictive(v.location, v.scale, v.shape, square) for v in (p, q)]
    assert roots[0].kl_to(roots[1]) == pytest.approx(p.kl_to(q), rel=1e-4)
    assert np.isposinf(Predictive.normal([0.0], [1.0]).kl_to(roots[1])).all()


def test_predictive_says_what_it_cannot_read() -> None:
    assert len(Predictive.normal(0.0, 1.0)) == 1
    assert len(Predictive.normal([0.0, 1.0], 1.0)) == 2
    q = Predictive.normal([0.0, 1.0, 2.0], 1.0)
    with pytest.raises(ValueError, match=r"Quantile levels lie in \[0, 1\]"):
        q.ppf(np.nan)
    with pytest.raises(ValueError, match="expected a number"):
        q.ppf([0.1, 0.9])
    assert q.crps(0.5).shape == (3,)
    assert np.isneginf(q.ppf(0.0)).all()


def test_the_scale_is_learned_and_calibrated() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(1500, 2))
    noise = 0.1 + 2 * X[:, 0]
    y = 3 * X[:, 1] + noise * rng.standard_t(5, 1500)
    model = DistributionRegressor(random_state=0).fit(X[:1000], y[:1000])
    q = model.predict_dist(X[1000:])
    assert np.corrcoef(q.scale, noise[1000:])[0, 1] > 0.8
    low, high = q.interval(0.8)
    assert 0.74 < ((y[1000:] > low) & (y[1000:] < high)).mean() < 0.86
    assert (np.diff(model.objective_path_) < 0).all()
    constant = DistributionRegressor(scale="constant", random_state=0).fit(X[:1000], y[:1000])
    assert model.score(X[1000:], y[1000:]) > constant.score(X[1000:], y[1000:]) + 0.05
    parts = model.explain(X[1000:], y[1000:])
    assert parts.check() < 1e-10
    assert parts.value == pytest.approx(-model.score(X[1000:], y[1000:]))
    assert np.allclose(model.predict_quantile(X[:3], [0.5])[:, 0], model.predict_dist(X[:3]).ppf(0.5))


def test_a_weight_is_that_many_rows_and_order_does_not_matter() -> None:
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(60, 3)), rng.integers(0, 4, 60).astype(float)
    y = X[:, 0] + np.exp(0.5 * X[:, 1]) * rng.normal(size=60)
    copies = np.repeat(np.arange(60), weight.astype(int))
    rng.shuffle(copies)
    model = DistributionRegressor(Ridge(), Ridge(), "student")
    one, two = model.fit(X, y, sample_weight=weight).predict_dist(X), model.fit(X[copies], y[copies]).predict_dist(X)
    assert np.allclose(one.location, two.location, rtol=1e-9)
    assert np.allclose(one.scale, two.scale, rtol=1e-9)
    assert one.shape.scale == pytest.approx(two.shape.scale, rel=1e-6)
    assert len(model.mean_.models_) == 5


@pytest.mark.parametrize("cv", [TimeSeriesSplit(3), ShuffleSplit(1, random_state=0)])
@pytest.mark.parametrize("scale", [None, Ridge()])
def test_rows_that_no_fold_held_out_do_not_teach_the_scale(cv: Any, scale: Any) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = 1e4 + X[:, 0] + rng.normal(size=400)
    q = DistributionRegressor(Ridge(), scale, cv=cv).fit(X, y).predict_dist(X)
    low, high = q.interval(0.9)
    assert 0.8 < np.mean((low < y) & (y < high)) < 0.97
    assert (high - low).max() < 12


@pytest.mark.parametrize("shape", SHAPES)
def test_residuals_of_zero_leave_a_density(shape: Any) -> None:
    X = np.repeat([0.0, 1.0], 20)[:, None]
    model = DistributionRegressor(DecisionTreeRegressor(), "constant", shape, cv=KFold(4, shuffle=True, random_state=0))
    model.fit(X, X[:, 0])
    assert np.isfinite(model.objective_path_).all()
    assert np.isfinite(model.score(X, X[:, 0]))
    with pytest.raises(ValueError, match="y is 3 in all 40 rows"):
        model.fit(np.arange(40.0)[:, None], np.full(40, 3))


def test_bikeshare_beats_a_normal_of_constant_width() -> None:
    X, y = bikeshare()
    model = DistributionRegressor(random_state=0).fit(X[:750], y[:750])
    plain = LinearRegression().fit(X[:750], y[:750])
    residual = y[:750] - plain.predict(X[:750])
    baseline = Predictive.normal(plain.predict(X[750:]), np.full(250, residual.std()))
    assert -model.score(X[750:], y[750:]) < -baseline.logpdf(y[750:]).mean() - 0.5
    assert model.predict_dist(X[750:]).crps(y[750:]).mean() < baseline.crps(y[750:]).mean()
    assert crps_scorer(model, X[750:], y[750:]) == -model.predict_dist(X[750:]).crps(y[750:]).mean()
    assert 0 < d2_crps_scorer(model, X[750:], y[750:]) < 1
    assert cross_entropy_scorer(model, X[750:], y[750:]) == pytest.approx(model.score(X[750:], y[750:]))


def test_a_positive_y_is_predicted_positive() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(1200, 2))
    y = rng.gamma(3.0, np.exp(2 * X[:, 0]) / 3)
    model = DistributionRegressor(random_state=0).fit(X[:900], y[:900])
    assert (model.power_, model.lower_) in [(root, 0.0) for root in (1 / 2, 1 / 3, 1 / 4)]
    q = model.predict_dist(X[900:])
    assert (q.ppf(1e-9) > 0).all()
    assert np.allclose(model.predict(X[900:]), q.mean())
    real = DistributionRegressor(support="real", random_state=0).fit(X[:900], y[:900])
    assert (real.power_, real.lower_) == (1.0, -np.inf)
    assert model.score(X[900:], y[900:]) > real.score(X[900:], y[900:])
    parts = model.explain(X[900:], y[900:])
    assert parts.check() < 1e-10
    assert parts.value == pytest.approx(-model.score(X[900:], y[900:]))
    # where no root is better, y stays what it is
    far = DistributionRegressor(Ridge(), Ridge()).fit(X, 50 + X[:, 0] + 0.1 * rng.normal(size=1200))
    assert far.power_ == 1.0
    # counts with zeros begin at −½
    counts = DistributionRegressor(Ridge(), Ridge(), support="positive").fit(X, rng.poisson(np.exp(X[:, 0])))
    assert counts.lower_ == -0.5
    assert np.isfinite(counts.predict_dist(X).logpdf(0.0)).all()
    with pytest.raises(ValueError, match=r"y\[3\] = -1; support='positive' is for y > 0"):
        DistributionRegressor(support="positive").fit(X, np.where(np.arange(1200) == 3, -1.0, y))
    with pytest.raises(ValueError, match="support = 'odd'"):
        DistributionRegressor(support="odd").fit(X, y)


def test_boosting_stops_by_the_fold_held_out_and_noise_is_not_learned() -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(800, 5)), rng.normal(size=800)
    model = DistributionRegressor(random_state=0).fit(X[:400], y[:400])
    assert max(m.n_iter_ for m in model.mean_.models_) < 100
    assert -model.score(X[400:], y[400:]) < 1.48  # ½ log 2πe is 1.42
    weight = np.r_[np.ones(300), np.zeros(100)]
    for cv in (3, KFold(4)):  # KFold's last rows have no weight
        weighted = DistributionRegressor(cv=cv, random_state=0).fit(X[:400], y[:400], sample_weight=weight)
        assert np.isfinite(weighted.objective_)
    fixed = HistGradientBoostingRegressor(max_iter=7, early_stopping=False)
    assert all(m.n_iter_ == 7 for m in DistributionRegressor(fixed, "constant").fit(X, y).mean_.models_)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30, unique=True), st.sampled_from(["gaussian", "linear"]))
def test_histogram_targets_come_back(values: list[float], smoothing: str) -> None:
    y = np.array(values)
    if y.max() - y.min() < 1e-6:
        return
    code = HistogramTarget(60, smoothing=smoothing).fit(y)
    Y = code.encode(y)
    assert np.allclose(Y.sum(axis=1), 1)
    assert (Y >= 0).all()
    assert np.allclose(code.decode(Y), y, atol=0.02 * (y.max() - y.min()))
    assert np.isfinite(kb.entropy(Y)).all()


def test_histogram_regression_through_a_classifier() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(400, 1))
    y = 2 * X[:, 0] + 0.1 * rng.normal(size=400)
    code = HistogramTarget(30, sigma=2.0).fit(y)
    model = SoftmaxRegression(1e-5).fit(np.c_[X, X**2, X**3], code.encode(y))
    found = code.decode(model.predict_proba(np.c_[X, X**2, X**3]))
    assert np.sqrt(((found - y) ** 2).mean()) < 0.25
    density = code.log_density(model.predict_proba(np.c_[X, X**2, X**3]), y)
    assert density.mean() > -0.5
    hard = HistogramTarget(10, smoothing="none", spacing="quantile").fit(y)
    assert np.allclose(hard.encode(y).sum(axis=0), 40, atol=1)
    with pytest.raises(ValueError, match="has no bins yet"):
        HistogramTarget().encode(y)
    with pytest.raises(InvalidDistribution, match=r"Got histograms of 3 bins; this target has 30"):
        code.decode(np.ones((2, 3)) / 3)
    with pytest.raises(ValueError, match=r"y\[1\] = nan"):
        HistogramTarget().fit([0.0, np.nan])


def test_scorers_take_soft_labels_and_agree_with_the_verbs() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(60, 3)), rng.dirichlet(np.ones(4), 60)
    model = SoftmaxRegression(0.01).fit(X, Y)
    Q = model.predict_proba(X)
    assert cross_entropy_scorer(model, X, Y) == pytest.approx(-kb.cross_entropy(Y, Q).mean())
    assert kl_scorer(model, X, Y) == pytest.approx(-kb.kl_divergence(Y, Q).mean())
    assert 0 < d2_kl_scorer(model, X, Y) < 1
    assert 0 < d2_cross_entropy_scorer(model, X, Y) < d2_kl_scorer(model, X, Y)
    constant = SoftmaxRegression(1e9).fit(X, Y)
    assert d2_kl_scorer(constant, X, Y) == pytest.approx(0, abs=1e-6)
    labels = Y.argmax(axis=1)
    hard = SoftmaxRegression(0.01).fit(X, labels)
    from sklearn.metrics import d2_log_loss_score, log_loss

    assert cross_entropy_scorer(hard, X, labels) == pytest.approx(-log_loss(labels, hard.predict_proba(X)))
    assert d2_cross_entropy_scorer(hard, X, labels) == pytest.approx(d2_log_loss_score(labels, hard.predict_proba(X)))
    with pytest.raises(ValueError, match="never seen"):
        cross_entropy_scorer(hard, X[:1], [77])


def test_bad_input_is_named() -> None:
    X = np.arange(20.0)[:, None]
    with pytest.raises(ValueError, match=r"cv must lie in \[2"):
        DistributionRegressor(cv=1).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="bins must be an integer"):
        DistributionRegressor(bins="many").fit(X, X[:, 0])
    with pytest.raises(ValueError, match="smoothing must be a number"):
        DistributionRegressor(smoothing="much").fit(X, X[:, 0])
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        DistributionRegressor().fit(X, X[:, 0], sample_weight=np.r_[-1.0, np.ones(19)])
    with pytest.raises(ValueError, match="y is 1 in all 20 rows"):
        DistributionRegressor().fit(np.ones((20, 2)), np.ones(20))
    with pytest.raises(TypeError, match="takes no sample_weight"):
        DistributionRegressor(KNeighborsRegressor(2), "constant").fit(X, X[:, 0], sample_weight=np.ones(20))
    with pytest.raises(ValueError, match="Choose one of 'constant'"):
        DistributionRegressor(Ridge(), "none").fit(X, X[:, 0])
