"""Standard errors: against textbook numbers, against each other, and against the spread they claim to know."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from kullback.errors import InvalidInput
from kullback.statistics import cluster_sums, mean_error, mean_interval, serial_mean_error

numbers = hnp.arrays(np.float64, st.integers(2, 40), elements=st.floats(-1e3, 1e3))


@given(numbers)
def test_single_rows_as_clusters_change_nothing(x):
    one_each = np.arange(x.size)
    assert mean_error(x, clusters=one_each) == pytest.approx(mean_error(x), rel=1e-12)
    assert mean_error(x)[0] == pytest.approx(stats.sem(x), rel=1e-12, abs=1e-12)


@given(numbers, st.integers(2, 4))
def test_copied_rows_bring_no_certainty(x, copies):
    # Repeating each row inside its own cluster must leave the error where it was; i.i.d. errors shrink by √copies.
    repeated, clusters = np.repeat(x, copies), np.repeat(np.arange(x.size), copies)
    assert mean_error(repeated, clusters=clusters)[0] == pytest.approx(mean_error(x)[0], rel=1e-9, abs=1e-12)


@given(numbers)
def test_no_lags_is_the_plain_error(x):
    assert serial_mean_error(x, lags=0)[0] == pytest.approx(mean_error(x)[0], rel=1e-9, abs=1e-12)


@given(numbers, st.floats(-100, 100), st.floats(0.01, 100))
def test_moves_and_scales(x, shift, scale):
    before, after = mean_interval(x), mean_interval(scale * x + shift)
    assert after.standard_error == pytest.approx(scale * before.standard_error, rel=1e-6, abs=1e-9 * scale)
    assert after.low <= after.value <= after.high


def test_serial_error_knows_an_autoregression():
    # AR(1) with ρ = .6: the variance of the mean is (1+ρ)/(1−ρ) = 4 times the i.i.d. formula.
    rng = np.random.default_rng(3)
    ratios = []
    for _ in range(40):
        noise = rng.standard_normal(4000)
        x = np.empty(4000)
        x[0] = noise[0] / 0.8
        for i in range(1, 4000):
            x[i] = 0.6 * x[i - 1] + noise[i]
        ratios.append((serial_mean_error(x)[0] / mean_error(x)[0]) ** 2)
    assert 3.4 < np.mean(ratios) < 4.2


def test_cluster_interval_covers():
    rng = np.random.default_rng(0)
    hits = 0
    clusters = np.repeat(np.arange(60), 20)
    for _ in range(600):
        x = rng.standard_normal(60)[clusters] + rng.standard_normal(1200)
        interval = mean_interval(x, clusters=clusters)
        hits += interval.low <= 0.0 <= interval.high
    # 3 standard errors of a share of 600 around .95
    assert abs(hits / 600 - 0.95) < 0.027


def test_one_cluster_has_no_error():
    assert math.isnan(mean_error(np.arange(5.0), clusters=np.zeros(5, dtype=np.intp))[0])
    assert math.isnan(mean_interval([1.0]).low)


def test_sums_by_cluster_keep_columns_apart():
    x = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    np.testing.assert_array_equal(cluster_sums(x, np.array([1, 0, 1])), [[2.0, 20.0], [5.0, 50.0]])


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_impossible_level(level):
    with pytest.raises(InvalidInput, match=r"level=0\.95"):
        mean_interval([1.0, 2.0], level=level)


def test_negative_lags():
    with pytest.raises(InvalidInput, match="-1"):
        serial_mean_error(np.arange(4.0), lags=-1)
