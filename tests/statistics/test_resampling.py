"""Bootstrap, sign flips, e-processes, folds and the classifier's bound."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from kullback.errors import InvalidInput
from kullback.statistics import (
    bootstrap_of_means,
    e_process,
    fold_numbers,
    jensen_shannon_lower_bound,
    mean_interval,
    sign_flip_test,
)


def test_bootstrap_agrees_with_scipy():
    x = np.random.default_rng(5).exponential(size=(80, 2))
    ours = bootstrap_of_means(x, lambda m: m[..., 0] / m[..., 1], resamples=20_000)
    theirs = stats.bootstrap(
        (x[:, 0], x[:, 1]),
        lambda a, b, axis: a.mean(axis=axis) / b.mean(axis=axis),
        paired=True,
        n_resamples=20_000,
        method="BCa",
        rng=np.random.default_rng(0),
    )
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.012)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.012)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=0.03)


def test_bootstrap_of_clusters_is_wider_and_the_same_twice():
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(50), 30)
    x = (rng.standard_normal(50)[clusters] + 0.2 * rng.standard_normal(1500))[:, None]
    rows = bootstrap_of_means(x, lambda m: m[..., 0])
    whole = bootstrap_of_means(x, lambda m: m[..., 0], clusters=clusters)
    assert whole.standard_error > 4 * rows.standard_error
    assert whole.standard_error == pytest.approx(mean_interval(x[:, 0], clusters=clusters).standard_error, rel=0.1)
    assert whole == bootstrap_of_means(x, lambda m: m[..., 0], clusters=clusters)


def test_blocks_keep_the_spread_of_many_rows():
    x = np.random.default_rng(4).exponential(size=(50_000, 1))
    ours = bootstrap_of_means(x, lambda m: np.exp(m[..., 0]), resamples=1000)
    assert ours.standard_error == pytest.approx(math.e * x.std() / math.sqrt(50_000), rel=0.1)


@given(hnp.arrays(np.float64, st.integers(1, 7), elements=st.integers(-9, 9).map(float)))
def test_sign_flips_are_counted_exactly(x):
    sums = [
        abs(sum(s * v for s, v in zip(signs, x, strict=True))) for signs in itertools.product([1, -1], repeat=x.size)
    ]
    expected = np.mean([s >= abs(x.sum()) - 1e-9 for s in sums])
    assert sign_flip_test(x) == pytest.approx(expected)


def test_random_flips_agree_with_the_t_test():
    x = np.random.default_rng(8).normal(0.2, 1.0, size=200)
    assert sign_flip_test(x) == pytest.approx(stats.ttest_1samp(x, 0.0).pvalue, abs=0.01)


def test_flips_of_whole_clusters():
    x = np.ones(12)
    assert sign_flip_test(x, clusters=np.repeat(np.arange(3), 4)) == 0.25  # 2 of the 2³ signs reach |Σ|


def test_e_process_keeps_its_promise():
    # Ville: under the null, e reaches 20 with probability at most 1/20, whenever one looks.
    rng = np.random.default_rng(1)
    reached = sum(e_process(rng.uniform(-1, 1, size=1000), bound=1.0).row is not None for _ in range(400))
    assert reached / 400 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_e_process_finds_both_directions():
    d = np.random.default_rng(1).uniform(-1.0, 1.3, size=3000)
    up, down = e_process(d, bound=1.3), e_process(-d, bound=1.3)
    assert up.log_e == pytest.approx(down.log_e)
    assert up.row is not None
    assert up.row < 2000
    assert up.log_e_largest >= up.log_e > math.log(1e4)


def test_e_process_by_hand():
    # Two rows, d = bound: the capital is the mean over stakes ±λ of (1±λ)².
    stakes = 0.5 * 2.0 ** -np.arange(14.0)
    expected = np.mean(np.concatenate([(1 + stakes) ** 2, (1 - stakes) ** 2]))
    assert math.exp(e_process(np.array([2.0, 2.0]), bound=2.0).log_e) == pytest.approx(expected, rel=1e-12)


def test_e_process_refuses_what_breaks_the_bound():
    with pytest.raises(InvalidInput, match="beyond the declared bound"):
        e_process(np.array([0.1, 3.0]), bound=1.0)


@given(st.integers(5, 200), st.integers(2, 5), st.integers(0, 3))
def test_folds_are_even(n, folds, seed):
    sizes = np.bincount(fold_numbers(n, folds=folds, random_state=seed), minlength=folds)
    assert sizes.max() - sizes.min() <= 1


def test_folds_keep_clusters_together_and_refuse_too_few():
    clusters = np.repeat(np.arange(7), 3)
    fold = fold_numbers(21, folds=3, clusters=clusters)
    assert all(len(set(fold[clusters == g])) == 1 for g in range(7))
    with pytest.raises(InvalidInput, match="7 clusters"):
        fold_numbers(21, folds=8, clusters=clusters)


def test_classifier_bound_stays_below_the_truth():
    # N(0,1) and N(1.5,1): JS = .2211708 nat (mpmath, mp.dps=30: quad of ½ p log(p/m) + ½ q log(q/m))
    rng = np.random.default_rng(0)
    lows = []
    for _ in range(200):
        p, q = rng.normal(0.0, 1.0, 500), rng.normal(1.5, 1.0, 500)
        # the true log-odds: the tightest case
        lows.append(jensen_shannon_lower_bound(-1.5 * p + 1.125, -1.5 * q + 1.125).low)
    truth = 0.2211708
    assert np.mean(np.array(lows) <= truth) >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 200)
    assert np.mean(lows) > truth - 0.05
