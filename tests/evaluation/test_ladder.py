"""The recalibration maps: loops against formulas, Newton against the gradient, and honesty in simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from kullback.evaluation._fit import fit_line
from kullback.evaluation._ladder import between, climb
from kullback.evaluation._line import Line, centred, judged, mapped, moments, normaliser, segments
from kullback.evaluation._terms import split
from kullback.evaluation._truth import Truth


def case(n=200, K=4, seed=0):
    rng = np.random.default_rng(seed)
    log_q = log_softmax(2 * rng.standard_normal((n, K)), axis=1)
    return centred(log_q), rng.integers(0, K, n), rng


def test_judged_is_the_formula():
    c, y, rng = case()
    line = Line(np.array([-4.0, -1.0, 0.5, 3.0]), rng.normal(size=4), rng.normal(size=4))
    log_g = mapped(c, line)
    loss, brier = judged(c, line, y, None)
    np.testing.assert_allclose(loss, -log_g[np.arange(200), y], rtol=1e-12)
    np.testing.assert_allclose(brier, np.sum((np.exp(log_g) - np.eye(4)[y]) ** 2, axis=1), rtol=1e-11, atol=1e-14)
    soft_loss, soft_brier = judged(c, line, None, np.eye(4)[y])
    np.testing.assert_allclose(soft_loss, loss, rtol=1e-12)
    np.testing.assert_allclose(soft_brier, brier, rtol=1e-11, atol=1e-14)


def test_derivatives():
    c, _, rng = case()
    at = segments(c, np.array([c.min(), -1.0, 1.0, c.max()]))
    use = rng.random(200) < 0.7
    theta = rng.normal(size=8)

    def value(x):
        return normaliser(at, use, x[:4], x[4:], with_bias=True, curvature=True)

    total, gradient, hessian = value(theta)
    s = np.interp(c[use], at.nodes, theta[:4]) + theta[4:]
    assert total == pytest.approx(np.sum(np.log(np.sum(np.exp(s), axis=1))), rel=1e-12)
    full = np.tril(hessian) + np.tril(hessian, -1).T
    h = 1e-5
    for j in range(8):
        up, down = value(theta + h * np.eye(8)[j]), value(theta - h * np.eye(8)[j])
        assert (up[0] - down[0]) / (2 * h) == pytest.approx(gradient[j], rel=1e-5, abs=1e-5)
        np.testing.assert_allclose((up[1] - down[1]) / (2 * h), full[j], rtol=1e-5, atol=1e-5)


def test_the_truth_enters_through_its_moments():
    c, y, _ = case()
    at = segments(c, np.array([c.min(), 0.0, c.max()]))
    use = np.ones(200, dtype=bool)
    hard, soft = moments(at, use, y, None), moments(at, use, None, np.eye(4)[y])
    np.testing.assert_allclose(hard, soft, rtol=1e-12)
    values, bias = np.array([-1.0, 0.5, 2.0]), np.array([0.1, -0.2, 0.3, 0.0])
    total, _, _ = normaliser(at, use, values, bias, with_bias=True, curvature=False)
    loss, _ = judged(c, Line(at.nodes, values, bias), y, None)
    assert total - hard @ np.concatenate([values, bias]) == pytest.approx(loss.sum(), rel=1e-11)


@pytest.mark.parametrize("K", [3, 200])
def test_the_optimum_is_one(K):
    # K = 200 takes the other optimiser: no step from where either ends may lower what is minimised.
    rng = np.random.default_rng(1)
    z = rng.standard_normal((1500, K))
    y = np.argmax(z + rng.gumbel(size=z.shape), axis=1)
    c = centred(log_softmax(2.0 * z + 0.3 * rng.standard_normal(K), axis=1))
    at = segments(c, np.array([c.min(), c.max()]))
    best = fit_line(at, np.ones(1500, dtype=bool), y, None, free_line=True, with_bias=True)
    bias = best.line.bias
    slope = np.diff(best.line.values) / np.diff(best.line.nodes)
    assert slope == pytest.approx(0.5, abs=0.1)
    for _ in range(5):
        for length in (0.1, 0.01):
            near = bias + length * rng.standard_normal(K)
            moved = judged(c, Line(at.nodes, best.line.values, near), y, None)[0].sum() + 0.5 * near @ near
            assert moved > best.cross_entropy * 1500 + 0.5 * bias @ bias


def _simulate(K, n, kind, seed):
    rng = np.random.default_rng(seed)
    z = {2: 1.5, 10: 2.0}[K] * rng.standard_normal((n, K))
    log_p = log_softmax(z, axis=1)
    y = np.argmax(log_p + rng.gumbel(size=z.shape), axis=1)
    c = z - z.mean(axis=1, keepdims=True)
    bent = {"none": z, "bias": z + np.linspace(-0.8, 0.8, K), "nl": np.sign(c) * np.abs(c) ** 1.6 / 1.4}
    log_q = log_softmax(bent[kind], axis=1)
    q, each = np.exp(log_q), np.arange(n)
    loss, brier = -log_q[each, y], np.sum(q**2, axis=1) - 2 * q[each, y] + 1
    found = split(loss, Truth(y, None), climb(centred(log_q), loss, brier, Truth(y, None)), K)
    oracle = float(np.mean(loss + log_p[each, y]))
    truth = float(np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=1)))
    return found, oracle, truth


@pytest.mark.parametrize(("K", "n"), [(2, 1000), (10, 1000)])
def test_calibrated_predictions_are_not_accused(K, n):
    runs = [_simulate(K, n, "none", seed) for seed in range(30)]
    assert abs(np.mean([t.reliability.value - o for t, o, _ in runs])) < 0.01
    assert np.mean([t.certified > 0 for t, _, _ in runs]) <= 0.2


@pytest.mark.parametrize(("K", "n", "limit"), [(2, 1000, 0.0036 / 3), (2, 10_000, 0.0028 / 3), (10, 1000, 0.043 / 3)])
def test_a_curved_miscalibration_is_measured(K, n, limit):
    # The limits are a third of what probmetrics 1.3's better recalibration misses here; two standard errors are noise.
    runs = [_simulate(K, n, "nl", seed) for seed in range(30)]
    errors = np.array([t.reliability.value - o for t, o, _ in runs])
    assert abs(errors.mean()) < limit + 2 * errors.std() / np.sqrt(errors.size)
    assert np.mean([t.certified <= truth for t, _, truth in runs]) >= 0.85


def test_where_the_two_gains_meet():
    # d = 12 parameters, n = 600: biases −d/2n · v/(v−1) and +d/2n around a truth of .25
    for folds in (2, 5, 10):
        assert between(0.25 - 0.01 * folds / (folds - 1), 0.26, folds) == pytest.approx(0.25, abs=1e-15)
