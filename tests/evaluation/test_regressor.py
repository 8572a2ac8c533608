"""Predictions of a number: closed forms, calibrated and miscalibrated, every form of forecast."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import kullback as kb
from kullback.errors import InvalidDistribution, InvalidForm, InvalidInput
from kullback.evaluation import Histogram, Quantiles, evaluate
from kullback.evaluation._forecasts import judge


@dataclass(frozen=True)
class Normal:
    """As the family is: batched parameters called mean and std."""

    mean: object
    std: object


def forecasts(n, *, widen=1.0, shift=0.0, seed=0):
    """y ~ N(μ, 1), μ ~ N(0, 4); predictions N(μ + shift, widen)."""
    rng = np.random.default_rng(seed)
    mean = 2 * rng.standard_normal(n)
    return mean + rng.standard_normal(n), Normal(mean + shift, np.full(n, widen)), mean


@settings(max_examples=15, deadline=None)
@given(st.floats(0.4, 3.0), st.floats(-2, 2), st.integers(20, 200), st.integers(0, 99))
def test_terms_add_up(widen, shift, n, seed):
    y, q, _ = forecasts(n, widen=widen, shift=shift, seed=seed)
    e = evaluate(y, q)
    total = e.uncertainty.value - e.resolution.value + e.reliability.value
    assert total == pytest.approx(e.cross_entropy.value, abs=1e-12)
    assert e.cross_entropy.value == pytest.approx(-stats.norm(q.mean, q.std).logpdf(y).mean(), rel=1e-12)
    json.loads(e.to_json())


@pytest.mark.parametrize(("widen", "shift"), [(0.5, 0.0), (2.0, 0.0), (1.0, 0.7), (1.0, 0.0)])
def test_miscalibration_is_a_kl_of_normals(widen, shift):
    # Given μ, the truth is N(μ, 1) and the prediction N(μ + shift, widen): KL = log w + (1 + s²)/(2w²) − ½.
    y, q, _ = forecasts(20_000, widen=widen, shift=shift)
    e = evaluate(y, q)
    truth = math.log(widen) + (1 + shift**2) / (2 * widen**2) - 0.5
    assert e.reliability.low - 1e-3 <= truth <= e.reliability.high + 1e-3
    assert e.certified <= truth + 3 * e.reliability.standard_error
    # H(Y) of N(0, 5), and what is known of it: I(Y; μ) = ½ log 5
    assert e.uncertainty.low <= 0.5 * math.log(2 * math.pi * math.e * 5) <= e.uncertainty.high
    assert e.resolution.value == pytest.approx(0.5 * math.log(5), abs=0.03)
    if truth > 0:
        spread = next(r for r in e.ladder if r.name == "shift + spread")
        assert ("too narrow" in spread.words) == (widen < 1) or widen == 1


def test_coverage_and_flatness():
    y, q, _ = forecasts(5000)
    e = evaluate(y, q)
    assert e.scores["coverage_90"].low <= 0.9 <= e.scores["coverage_90"].high
    assert sum(b.rows for b in e.curve) == 5000
    assert np.mean([b.observed_low <= 1 <= b.observed_high for b in e.curve]) > 0.8


def crps_by_quadrature(cdf, y):
    return integrate.quad(lambda x: (cdf(x) - (x >= y)) ** 2, -12, 12, points=[y, 0.0, 2.0], limit=400)[0]


@pytest.mark.parametrize(
    ("forecast", "cdf"),
    [
        (Normal(np.full(4, 0.1), np.full(4, 0.7)), stats.norm(0.1, 0.7).cdf),
        (
            Histogram([-2.0, -1.0, 0.5, 2.0], [[0.2, 0.5, 0.3]] * 4),
            lambda x: np.interp(x, [-2, -1, 0.5, 2], [0, 0.2, 0.7, 1]),
        ),
        (stats.gamma(2.0, scale=0.5), stats.gamma(2.0, scale=0.5).cdf),
    ],
)
def test_crps_closed_forms_agree_with_their_integral(forecast, cdf):
    y = np.array([0.3, -1.2, 2.5, 0.95])
    expected = [crps_by_quadrature(cdf, v) for v in y]
    np.testing.assert_allclose(judge(y, forecast, 0).crps, expected, atol=2e-3)


def test_densities_integrate_to_one():
    grid = np.linspace(-30, 30, 200_001)
    q = Quantiles([0.1, 0.5, 0.9], np.tile([-1.0, 0.2, 1.0], (grid.size, 1)))
    found = judge(grid, q, 0)
    assert np.trapezoid(np.exp(-found.loss), grid) == pytest.approx(1.0, abs=1e-3)
    assert (np.diff(found.pit) >= 0).all()
    np.testing.assert_allclose(
        np.interp([-1.0, 0.2, 1.0], grid, found.pit), [0.1, 0.5, 0.9], atol=1e-4
    )  # a step of the grid


def test_every_form_of_the_same_forecast_tells_the_same():
    y, q, mean = forecasts(3000, widen=1.5)
    rng = np.random.default_rng(1)
    levels = np.linspace(0.01, 0.99, 99)
    z = stats.norm.ppf(levels)
    edges = np.linspace(-14, 14, 401)
    mass = np.diff(stats.norm.cdf((edges - mean[:, None]) / 1.5), axis=1)
    others = {
        "draws": kb.Samples(mean[:, None] + 1.5 * rng.standard_normal((3000, 200))),
        "quantiles": Quantiles(levels, mean[:, None] + 1.5 * z),
        "histogram": Histogram(edges, mass / mass.sum(axis=1, keepdims=True)),
        "scipy": stats.norm(mean, 1.5),
    }
    exact = evaluate(y, q)
    for name, forecast in others.items():
        e = evaluate(y, forecast)
        assert e.reliability.value == pytest.approx(exact.reliability.value, abs=0.03), name
        assert e.cross_entropy.value == pytest.approx(exact.cross_entropy.value, abs=0.03), name
        assert e.scores["crps"].value == pytest.approx(exact.scores["crps"].value, rel=0.02), name


def test_outside_the_histogram_is_infinite_with_a_finite_line():
    y = np.linspace(0.01, 0.99, 50)
    y[7] = 5.0
    e = evaluate(y, Histogram([0.0, 0.5, 1.0], [[0.5, 0.5]] * 50))
    assert e.cross_entropy.value == math.inf
    assert e.finite.rows == (7,)
    assert math.isfinite(e.finite.cross_entropy.value)


def test_two_forecasts():
    y, q, mean = forecasts(2000, widen=2.0)
    v = evaluate(y, q, versus=Normal(mean, np.ones(2000))).versus
    assert v.difference.low > 0
    assert v.log_e > math.log(20)
    assert v.reliability.value + v.resolution.value == pytest.approx(v.difference.value, abs=1e-12)


def test_repeated_values_are_noted():
    rng = np.random.default_rng(0)
    y = np.round(rng.standard_normal(500), 1)
    e = evaluate(y, Normal(np.zeros(500), np.ones(500)))
    assert any("repeats values" in note for note in e.notes)
    assert math.isfinite(e.uncertainty.value)
    assert e.uncertainty.value == pytest.approx(0.5 * math.log(2 * math.pi * math.e), abs=0.15)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Quantiles([0.5], [[1.0]]), InvalidDistribution),
        (lambda: Quantiles([0.9, 0.1], [[1.0, 2.0]]), InvalidDistribution),
        (lambda: Quantiles([0.1, 0.9], [[2.0, 1.0]]), InvalidDistribution),
        (lambda: Histogram([0, 1, 2], [[0.5, 0.6]]), InvalidDistribution),
        (lambda: Histogram([0, 0, 2], [[0.5, 0.5]]), InvalidDistribution),
        (lambda: evaluate(np.zeros(20), Normal(np.zeros(20), np.zeros(20))), InvalidDistribution),
        (lambda: evaluate([np.nan] * 20, Normal(np.zeros(20), np.ones(20))), InvalidInput),
        (lambda: evaluate(np.zeros(20), kb.Samples(np.zeros((19, 5)))), InvalidInput),
        (lambda: evaluate(np.zeros(20), kb.Samples(np.zeros(20))), InvalidForm),
    ],
)
def test_wrong_forecasts_are_named(make, error):
    with pytest.raises(error):
        make()
