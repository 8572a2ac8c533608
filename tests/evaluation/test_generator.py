"""Generators: equal sets give 0 whatever the buckets, what is dropped is named, numbers stay below the truth."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from kullback.errors import InvalidForm, InvalidInput
from kullback.evaluation import evaluate_generator
from kullback.evaluation._chance import plug_in_bias, to_mixture


@pytest.mark.parametrize(
    "buckets", [pytest.param(10, marks=pytest.mark.slow), 100, pytest.param(300, marks=pytest.mark.slow)]
)
def test_equal_sets_are_zero_whatever_the_buckets(buckets):
    # Scores on raw histograms fell from 1.0 to .87 between 20 and 500 buckets for equal sets.
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        found.append(evaluate_generator(rng.normal(size=(900, 4)), rng.normal(size=(900, 4)), buckets=buckets))
    assert abs(np.mean([e.js.value for e in found])) < 3 * np.std([e.js.value for e in found]) / math.sqrt(8) + 1e-3
    assert sum(e.js.low <= 0 <= e.js.high for e in found) >= 7
    assert sum(e.p_value < 0.05 for e in found) <= 3
    assert sum(bool(e.missing) for e in found) <= 2


def clusters(rng, n, kinds):
    """Ten far-apart clusters in the plane."""
    k = rng.choice(kinds, size=n)
    angle = 2 * np.pi * k / 10
    return np.column_stack([8 * np.cos(angle), 8 * np.sin(angle)]) + rng.normal(size=(n, 2)), k


@pytest.mark.parametrize("buckets", [40, 200])
def test_a_dropped_kind_is_measured_and_named(buckets):
    # A tenth of P has no counterpart: P = .9 R + .1 D, Q = R, clusters apart. JS = .0360 (mpmath, mp.dps=30:
    # ½[.9 log(.9/.95) + .1 log 2] + ½ log(1/.95))
    truth = 0.5 * (0.9 * math.log(0.9 / 0.95) + 0.1 * math.log(2)) + 0.5 * math.log(1 / 0.95)
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        real, kind = clusters(rng, 2500, range(10))
        generated, _ = clusters(rng, 2500, [k for k in range(10) if k != 3])
        found.append(evaluate_generator(real, generated, buckets=buckets, labels=kind))
    for e in found:
        assert e.p_value < 0.01
        assert e.missing_labels[0][0] == "3"
        assert e.js.low <= truth
        assert e.classifier_bound.low <= truth
    assert max(e.classifier_bound.low for e in found) > 0.01
    assert np.mean([e.js.value for e in found]) == pytest.approx(truth, abs=0.005)
    assert all(e.kl_generated.value > e.kl_real.value * 0.5 for e in found)


def test_what_is_invented_is_named():
    rng = np.random.default_rng(0)
    real, _ = clusters(rng, 1500, range(9))
    generated, kind = clusters(rng, 1500, range(10))
    e = evaluate_generator(real, generated, generated_labels=kind)
    assert e.invented_labels[0][0] == "9"
    row = e.invented[0].examples[0]
    assert kind[row] == 9


def test_bias_of_equal_shares_is_the_classic_one():
    # Many rows per bucket: (K−1)/4n for JS, the mean of the two.
    a = np.full(20, 400)
    assert plug_in_bias(a, a, [0.5])[0].mean() == pytest.approx(19 / (4 * 8000), rel=0.01)
    # One bucket: nothing scatters.
    assert not plug_in_bias(a[:1], a[:1], [0.2, 0.5]).any()


@pytest.mark.parametrize("lacking", [0, 20])
def test_bias_of_few_rows_is_the_simulated_one(lacking):
    # Five rows a bucket and side, and a tenth of the buckets with one side alone or none.
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(200, 5.0))
    q = np.where(np.arange(200) < lacking, 0.0, p)
    q /= q.sum()
    raw, left = [], []
    for _ in range(60):
        a, b = rng.multinomial(1000, p), rng.multinomial(800, q)
        a, b = a[a + b > 0], b[a + b > 0]
        raw.append(np.mean(to_mixture(a.astype(float), b.astype(float), 0.5)) - np.mean(to_mixture(p, q, 0.5)))
        left.append(raw[-1] - plug_in_bias(a, b, [0.5]).mean())
    assert np.mean(raw) > 0.04
    assert abs(np.mean(left)) < 0.15 * np.mean(raw)


def test_neighbours_do_not_see_what_coordinates_do():
    # A cloud that is narrower: neighbours look the same at every scale, so the coordinates have to be the view taken.
    rng = np.random.default_rng(0)
    real, generated = rng.normal(size=(800, 6)), 0.7 * rng.normal(size=(800, 6))
    e = evaluate_generator(real, generated, buckets=80)
    assert e.p_value < 0.01
    assert e.js.low > 0.02


def test_bits_per_dimension_state_their_constant():
    # Uniform bytes: the density over [0, 1) is 1, nll 0, and 8 bits per dimension remain.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3))
    e = evaluate_generator(x, x[::-1] + 0.0, nll=np.zeros(50), bin_width=1 / 256, dimensions=3)
    assert e.bits_per_dimension.value == 8.0
    assert "8 bits for steps of" in e.bits_per_dimension.method
    json.loads(e.to_json())


def test_frechet_of_shifted_normals():
    rng = np.random.default_rng(0)
    e = evaluate_generator(rng.normal(size=(4000, 2)), rng.normal(size=(4000, 2)) + np.array([1.0, 0.0]))
    assert e.frechet == pytest.approx(1.0, abs=0.1)


def test_same_seed_same_bits():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(200, 3)), rng.normal(size=(220, 3))
    assert evaluate_generator(a, b).to_json() == evaluate_generator(a, b).to_json()


def test_wrong_samples_are_named():
    x = np.zeros((100, 2))
    with pytest.raises(InvalidInput, match="2 features and generated ones 3"):
        evaluate_generator(x, np.zeros((100, 3)))
    with pytest.raises(InvalidInput, match="at least 50"):
        evaluate_generator(x[:20], x)
    with pytest.raises(InvalidInput, match="row 7"):
        evaluate_generator(np.where(np.arange(100)[:, None] == 7, np.nan, x), x)
    with pytest.raises(InvalidForm, match="embeddings"):
        evaluate_generator(np.array(["a"] * 100), x)
    with pytest.raises(InvalidInput, match="buckets=1"):
        evaluate_generator(x, x, buckets=1)
    assert evaluate_generator(x, x).js.value == 0.0
