"""Defects of other libraries on arrays, as they were found, with the true value (numbers D5 … D18 of our survey).

Recipe of every constant: tests/exact.py, mp.dps=60, of the float inputs.
"""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest

import exact
import kullback as kb


def relative(got: Any, true: float) -> float:
    return abs(float(got) - true) / abs(true)


def test_d5_the_category_axis_is_not_broadcast() -> None:
    # torch 2.13 and TFP 0.25: Categorical with K = 2 against K = 1 gives −0.693.
    with pytest.raises(kb.InvalidDistribution, match="2 categories and q has 1"):
        kb.kl_divergence([0.5, 0.5], [1.0])


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-15), ("float32", 1e-6)])
def test_d7_a_tail_of_1e_30_is_not_clamped(dtype: str, rtol: float) -> None:
    # torch Categorical: 17.33 (float64), 7.28 (float32).
    p, q = np.array([0.5, 0.5], dtype), np.array([1e-30, 1.0], dtype)
    true = float(exact.kl_divergence(exact.of_masses(p), exact.of_masses(q)))
    assert true == pytest.approx(33.8457, rel=1e-5)
    assert relative(kb.kl_divergence(p, q), true) <= rtol


def test_d8_an_offset_of_logits_changes_nothing() -> None:
    # torch Categorical(logits) in float32: relative error 0.9.
    a = np.array([0, 1, 2], dtype=np.float32) + np.float32(1e6)
    b = np.array([0, 1.5, 2], dtype=np.float32) + np.float32(1e6)
    true = exact.kl_divergence(exact.of_logits(a), exact.of_logits(b))
    assert exact.error(kb.kl_divergence(kb.Logits(a), kb.Logits(b)), true) <= 1e-6


def test_d9_logits_far_apart_are_finite() -> None:
    # torch Categorical: ∞ for both.
    assert kb.kl_divergence(kb.Logits([0.0, 1e4, -1e4]), kb.Logits([1e4, 0.0, -1e4])) == 1e4
    a, b = np.array([0, 0], np.float32), np.array([0, -1e5], np.float32)
    # ½·1e5 − log 2 + log1p(e^−1e5)
    assert relative(kb.kl_divergence(kb.Logits(a), kb.Logits(b)), 5e4 - np.log(2)) <= 1e-6


def test_d11_what_q_lacks_is_infinite_not_dropped() -> None:
    # infomeasure 0.6 drops the category and returns −0.586.
    assert kb.kl_divergence([0.5, 0.25, 0.25], [0.0, 0.5, 0.5]) == np.inf


def test_d12_what_p_lacks_counts() -> None:
    # dit 2.3: total variation 0.25, KL −0.5.
    p, q = [0.5, 0.5, 0.0], [0.25, 0.25, 0.5]
    tv = kb.Generator(lambda t: abs(t - 1) / 2, at_zero=0.5, slope_at_infinity=0.5)
    assert kb.f_divergence(p, q, tv) == kb.total_variation(p, q) == 0.5
    assert kb.kl_divergence(q, p) == np.inf


def test_d13_alpha_families_do_not_jump_at_one() -> None:
    # dit 2.3: α → 1 is KL(q‖p) in nats, α = 1 is KL(p‖q) in bits.
    p, q = [0.2, 0.3, 0.5], [0.5, 0.3, 0.2]
    for family, at_one in (
        (kb.tsallis_divergence, kb.kl_divergence(p, q)),
        (kb.renyi_divergence, kb.kl_divergence(p, q)),
        (kb.alpha_divergence, kb.kl_divergence(q, p)),
    ):
        for alpha in (1 - 1e-12, 1.0, 1 + 1e-12):
            assert relative(family(p, q, alpha), float(at_one)) <= 1e-11


def test_d14_renyi_one_half_is_finite_where_q_lacks_a_category() -> None:
    # divergence 1.8: ∞.
    p, q = [0.25, 0.25, 0.5], [0.5, 0.5, 0.0]
    true = exact.renyi_divergence(exact.of_masses(p), exact.of_masses(q), 0.5)
    assert exact.error(kb.renyi_divergence(p, q, 0.5), true) <= 1e-15
    assert np.isfinite(kb.hellinger_distance(p, q))


def test_d15_neighbouring_floats_have_a_distance() -> None:
    # scipy 1.18: NaN (scipy#20083).
    x = np.nextafter(0.5, 0.0)
    p, q = [x, 1 - x], [1 - x, x]
    true = exact.js_distance(exact.of_masses(p), exact.of_masses(q))
    assert exact.error(kb.js_distance(p, q), true) <= 1e-15


def test_d16_a_long_axis_that_is_not_the_last() -> None:
    # scipy.stats.entropy in float32 along axis 0 of (2²³, 2): 15.9995, above log n = 15.9424.
    n = 1 << 20
    p = np.full((n, 2), 1 / n, dtype=np.float32)
    got = kb.entropy(p, axis=0)
    assert got == pytest.approx(np.log(n), rel=1e-7)
    assert (got <= np.log(n) * (1 + 1e-7)).all()


@pytest.mark.parametrize("form", ["probs", "log_probs"])
def test_d17_the_first_order_term_of_tiny_masses(form: str) -> None:
    # scipy, optax and TFP are negative here.
    p, q = np.array([1e-20, 1.0]), np.array([1e-18, 1.0])
    true = exact.kl_divergence(exact.of_masses(p), exact.of_masses(q))
    if form == "log_probs":
        with mp.workdps(60):
            true = exact.kl_divergence(exact.of_logits(np.log(p)), exact.of_logits(np.log(q)))
        p, q = kb.LogProbs(np.log(p)), kb.LogProbs(np.log(q))
    assert exact.error(kb.kl_divergence(p, q), true) <= 1e-14


def test_d18_masked_on_both_sides_is_no_nan() -> None:
    # F.kl_div(log_target=True), F.cross_entropy with a soft target, optax and torchmetrics give NaN.
    a, b = np.array([0.0, 1.0, -np.inf]), np.array([1.0, 0.0, -np.inf])
    true = exact.kl_divergence(exact.of_logits(a), exact.of_logits(b))
    assert exact.error(kb.kl_divergence(kb.Logits(a), kb.Logits(b)), true) <= 1e-15
    assert kb.cross_entropy([0.5, 0.5, 0.0], kb.Logits([0.0, 0.0, -np.inf])) == np.log(2)
    assert kb.entropy(kb.Logits([0.0, 0.0, -np.inf])) == np.log(2)


def test_sums_are_refused_where_others_normalise_silently() -> None:
    # scipy.stats.entropy([.2, −.1, .9], u) is ∞ without a word; [0, 0, 0] gives NaN.
    with pytest.raises(kb.InvalidDistribution, match="negative"):
        kb.kl_divergence([0.2, -0.1, 0.9], [1 / 3, 1 / 3, 1 / 3])
    with pytest.raises(kb.InvalidDistribution, match="sums to 0"):
        kb.entropy([0.0, 0.0, 0.0])
