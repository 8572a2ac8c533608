"""Classifiers: the terms add up, nothing depends on order, dtype or form, and known miscalibration is found."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

import kullback as kb
from kullback.errors import InvalidDistribution, InvalidForm, InvalidInput
from kullback.evaluation import evaluate, log_loss, recalibrate
from kullback.evaluation._scores import _losses
from kullback.evaluation._truth import read_predictions, read_truth


def drawn(n, K, *, scale=1.0, seed=0, spread=1.5):
    """Labels from softmax(z), predictions softmax(scale·z): calibrated for scale = 1."""
    rng = np.random.default_rng(seed)
    z = spread * rng.standard_normal((n, K))
    p = np.exp(log_softmax(z, axis=1))
    y = np.minimum((np.cumsum(p, axis=1) < rng.random(n)[:, None]).sum(axis=1), K - 1)
    q = np.exp(log_softmax(scale * z, axis=1))
    return y, q / q.sum(axis=1, keepdims=True), p


def terms(e):
    return e.uncertainty.value - e.resolution.value + e.reliability.value


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(20, 300), st.floats(0.3, 3.0), st.integers(0, 10_000), st.booleans())
def test_terms_add_up(K, n, scale, seed, soft):
    y, q, p = drawn(n, K, scale=scale, seed=seed)
    e = evaluate(p if soft else y, q)
    assert terms(e) == pytest.approx(e.cross_entropy.value, abs=1e-12)
    assert e.reliability.value >= 0
    assert e.certified >= 0
    assert 0 <= e.uncertainty.value <= math.log(K) + 1e-12
    truth = p if soft else np.eye(K)[y]
    assert e.scores["brier"].value == pytest.approx(np.mean(np.sum((q - truth) ** 2, axis=1)), abs=1e-12)
    json.loads(e.to_json())


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(4)))
def test_classes_may_be_renamed_and_reordered(seed, order):
    y, q, _ = drawn(200, 4, scale=1.8, seed=seed)
    names = np.array(["d", "a", "c", "b"])
    e = evaluate(names[y], q, classes=names)
    f = evaluate(names[y], q[:, order], classes=names[list(order)])
    for name in ("cross_entropy", "uncertainty", "resolution", "reliability", "recalibrated"):
        assert getattr(f, name).value == pytest.approx(getattr(e, name).value, abs=1e-8)


def test_forms_agree():
    y, q, _ = drawn(500, 5, scale=1.7)
    e = evaluate(y, q)
    for other in (kb.LogProbs(np.log(q)), kb.Logits(np.log(q) + 7.0), kb.Probs(q)):
        f = evaluate(y, other)
        assert f.cross_entropy.value == pytest.approx(e.cross_entropy.value, rel=1e-13)
        assert f.reliability.value == pytest.approx(e.reliability.value, rel=1e-9)
    one_hot = evaluate(np.eye(5)[y], q)
    assert one_hot.reliability.value == pytest.approx(e.reliability.value, rel=1e-9)
    assert one_hot.uncertainty.value == pytest.approx(e.uncertainty.value, rel=1e-12)


def test_dtype_never_changes_the_value():
    # In scikit-learn the same zero costs 36.04 in float64 and 15.94 in float32.
    q = np.array([[0.5, 0.5], [0.75, 0.25], [1.0, 0.0], [0.0, 1.0]] * 5)
    y = np.array([0, 1, 0, 1] * 5)
    wide, narrow = evaluate(y, q), evaluate(y, q.astype(np.float32))
    assert wide.cross_entropy == narrow.cross_entropy
    assert log_loss(y, q) == log_loss(y, q.astype(np.float32))
    wrong = evaluate(np.array([0, 1, 1, 1] * 5), q.astype(np.float32))
    assert wrong.cross_entropy.value == math.inf


def test_zeros_on_the_truth_are_infinite_and_named():
    y, q, _ = drawn(300, 3)
    q[7] = 0.0
    q[7, (y[7] + 1) % 3] = 1.0
    e = evaluate(y, q)
    assert e.cross_entropy.value == e.reliability.value == math.inf
    assert e.finite is not None
    assert e.finite.rows == (7,)
    clipped = -np.log(np.maximum(q[np.arange(300), y], 1e-15))
    assert e.finite.cross_entropy.value == pytest.approx(clipped.mean(), rel=1e-12)
    finite = e.uncertainty.value - e.resolution.value + e.finite.reliability.value
    assert finite == pytest.approx(e.finite.cross_entropy.value, abs=1e-12)
    assert e.review[0].row == 7
    data = json.loads(e.to_json())
    assert data["cross_entropy"]["value"] is None
    assert data["cross_entropy"]["value_infinite"] is True
    assert log_loss(y, q).value == math.inf


@pytest.mark.parametrize("temperature", [0.6, 1.6])
def test_a_temperature_is_found_and_undone(temperature):
    y, q, p = drawn(20_000, 4, scale=temperature)
    e = evaluate(y, q)
    truth = float(np.mean(np.sum(p * np.log(p / q), axis=1)))
    assert e.reliability.low <= truth <= e.reliability.high
    assert 0.8 * truth < e.certified < e.reliability.value  # that it stays below the truth is for simulations to say
    rung = next(r for r in e.ladder if r.name == "temperature")
    assert float(rung.words.split()[2].rstrip(",")) == pytest.approx(temperature, rel=0.03)
    better = recalibrate(q, e.recalibrator)
    assert np.abs(better - p).max() < 0.05
    np.testing.assert_allclose(better.sum(axis=1), 1.0, rtol=1e-12)


def test_calibrated_predictions_have_nothing_to_gain():
    y, q, _ = drawn(20_000, 5)
    e = evaluate(y, q)
    assert e.reliability.value < 0.002
    assert e.certified < 1e-3
    assert e.reliability.low == 0.0


def test_base_rates_that_moved_are_found():
    y, _, p = drawn(20_000, 3)
    q = p * np.array([4.0, 1.0, 1.0])
    q /= q.sum(axis=1, keepdims=True)
    rung = next(r for r in evaluate(y, q).ladder if r.name == "base rate")
    assert rung.chosen
    # (1/4) / (geometric mean of 1/4, 1, 1) = .397
    assert rung.words.startswith("0 ×0.")
    assert float(rung.words.split("×")[1].split(",")[0]) == pytest.approx(0.397, rel=0.1)


def test_a_constant_prediction_knows_nothing():
    rng = np.random.default_rng(0)
    y = rng.choice(3, size=3000, p=[0.6, 0.3, 0.1])
    q = np.array([0.2, 0.3, 0.5])
    e = evaluate(y, np.tile(q, (3000, 1)))
    kl = float(kb.kl_divergence(np.bincount(y) / 3000, q))
    assert e.reliability.value == pytest.approx(kl, abs=0.002)
    assert e.resolution.value == pytest.approx(0.0, abs=0.002)


def test_log_loss_is_the_formula():
    y, q, _ = drawn(400, 7)
    predictions = read_predictions(q)
    slow = _losses(predictions, read_truth(y, predictions.classes, 400))
    assert log_loss(y, q).value == pytest.approx(slow.mean(), rel=1e-14)
    assert log_loss(y, kb.Logits(np.log(q))).value == pytest.approx(slow.mean(), rel=1e-13)
    assert log_loss(y.astype(str), q, classes=range(7)).value == pytest.approx(slow.mean(), rel=1e-14)


def test_clusters_widen():
    y, q, _ = drawn(100, 3, scale=2.0)
    rows = np.repeat(np.arange(100), 20)
    e, alone = evaluate(y[rows], q[rows], clusters=rows), evaluate(y[rows], q[rows])
    assert e.clusters == 100
    assert e.cross_entropy.standard_error > 4 * alone.cross_entropy.standard_error
    assert e.reliability.standard_error > 3 * alone.reliability.standard_error
    copied = np.r_[0:100, 0:9]
    assert any("9 rows repeat" in note for note in evaluate(y[copied], q[copied]).notes)


def test_two_models_side_by_side():
    y, q, p = drawn(4000, 4, scale=1.6)
    v = evaluate(y, q, versus=p).versus
    assert v.difference.value == pytest.approx(log_loss(y, q).value - log_loss(y, p).value, abs=1e-12)
    assert v.reliability.value + v.resolution.value == pytest.approx(v.difference.value, abs=1e-12)
    assert v.difference.low > 0
    assert v.p_value < 1e-6
    assert v.log_e > math.log(20)
    # what differs between the two is calibration alone
    assert abs(v.resolution.value) < 0.2 * v.reliability.value
    same = evaluate(y, q, versus=q).versus
    assert (same.difference.value, same.p_value) == (0.0, 1.0)
    assert same.log_e == pytest.approx(0.0, abs=1e-12)


def test_a_bad_slice_is_found():
    y, _, p = drawn(6000, 3)
    old = np.arange(6000) % 5 == 0
    q = p.copy()
    q[old] = q[old] ** 3 / np.sum(q[old] ** 3, axis=1, keepdims=True)
    e = evaluate(y, q, slices={"device": np.where(old, "old", "new")})
    worst = next(s for s in e.slices if s.column == "device")
    assert (worst.value, worst.rows) == ("old", 1200)
    assert worst.own_gain.low > 0
    loss = -np.log(q[np.arange(6000), y])
    assert worst.share_of_loss == pytest.approx(loss[old].sum() / loss.sum())


def test_same_seed_same_bits():
    y, q, _ = drawn(500, 3, scale=2.0)
    assert evaluate(y, q).to_json() == evaluate(y, q).to_json()
    assert evaluate(y, q, random_state=1).certified != evaluate(y, q).certified


def test_label_order_is_never_sorted():
    # scikit-learn #30910: unsorted labels gave 36.04 for perfect predictions.
    y = np.array(["no", "maybe", "yes"] * 10)
    e = evaluate(y, np.eye(3)[[2, 1, 0] * 10], classes=["yes", "maybe", "no"])
    assert e.cross_entropy.value == 0.0
    assert e.scores["accuracy"].value == 1.0


def test_classes_that_never_occur_are_no_error():
    # scikit-learn #4033, #6703
    y, q, _ = drawn(200, 3)
    e = evaluate(y, np.column_stack([0.9 * q, np.full(200, 0.1)]))
    assert any("never occur" in note for note in e.notes)
    only = evaluate(np.zeros(50, dtype=int), np.tile([0.9, 0.1], (50, 1)))
    assert only.uncertainty.value == 0.0
    assert only.cross_entropy.value == pytest.approx(-math.log(0.9))


def test_full_confidence_has_a_bin():
    # torchmetrics #3510: confidence 1.0 fell into a bin of its own, beyond the last.
    e = evaluate(np.array([0, 1] * 20), np.tile([1.0, 0.0], (40, 1)))
    assert sum(b.rows for b in e.curve) == 40
    assert e.scores["calibration_error"].value == pytest.approx(0.5)


def test_binary_probabilities():
    y, q, _ = drawn(300, 2)
    assert evaluate(y, q[:, 1]).cross_entropy.value == pytest.approx(evaluate(y, q).cross_entropy.value, rel=1e-12)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_bring_their_names(library):
    frames = pytest.importorskip(library)
    y, q, _ = drawn(100, 3)
    frame = frames.DataFrame({name: q[:, k] for k, name in enumerate(["cat", "dog", "eel"])})
    labels = frames.Series(np.array(["cat", "dog", "eel"])[y].tolist())
    e = evaluate(labels, frame)
    assert e.classes == ("cat", "dog", "eel")
    assert e.cross_entropy.value == pytest.approx(log_loss(y, q).value, rel=1e-13)


@pytest.mark.parametrize(
    ("y", "q", "message"),
    [
        ([0, 1], [[0.5, 0.5], [0.6, 0.6]], r"row 1 sums to 1\.2"),
        ([0, 1], [[0.5, 0.5], [np.nan, 1.0]], "row 1"),
        ([0, 1], [[0.5, 0.5], [3.0, -2.0]], "look like logits"),
        ([0, 1], [[-0.5, -0.9], [-3.0, -0.1]], "look like log-probabilities"),
        ([0, 5], [[0.5, 0.5], [0.5, 0.5]], "'5'"),
        ([0, 1, 1], [[0.5, 0.5], [0.5, 0.5]], "3 rows of truth and 2 rows"),
        ([[0.5, 0.2], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]], r"row 0 sums to 0\.7"),
    ],
)
def test_wrong_input_is_named(y, q, message):
    with pytest.raises((InvalidDistribution, InvalidInput, InvalidForm), match=message):
        evaluate(np.array(y), np.array(q))


def test_rounded_rows_are_refused_until_asked():
    y, q, _ = drawn(200, 4)
    with pytest.raises(InvalidDistribution, match="normalise=True"):
        evaluate(y, np.round(q, 3))
    assert evaluate(y, np.round(q, 3), normalise=True).n == 200


def test_too_little_to_cross_fit():
    with pytest.raises(InvalidInput, match="10"):
        evaluate([0, 1], [[0.5, 0.5], [0.5, 0.5]])
    y, q, _ = drawn(50, 3)
    with pytest.raises(InvalidInput, match="2 clusters for 5 folds"):
        evaluate(y, q, clusters=np.arange(50) % 2)


def test_recalibrator_survives_json(tmp_path):
    y, q, _ = drawn(3000, 3, scale=2.0)
    found = evaluate(y.astype(str), q, classes=["0", "1", "2"]).recalibrator
    path = tmp_path / "map.json"
    path.write_text(json.dumps(found.to_dict()))
    expected = recalibrate(q, found, classes=["0", "1", "2"])
    np.testing.assert_array_equal(recalibrate(q, path), expected)
    swapped = recalibrate(q[:, [1, 0, 2]], path, classes=["1", "0", "2"])
    np.testing.assert_allclose(swapped, expected[:, [1, 0, 2]], rtol=1e-12)


@pytest.mark.parametrize("damage", ["missing", "short", "falling", "nan"])
def test_damaged_recalibrators_are_refused(damage):
    y, q, _ = drawn(300, 3, scale=2.0)
    d = evaluate(y, q).recalibrator.to_dict()
    change = {"short": {"values": [1.0]}, "falling": {"nodes": d["nodes"][::-1]}, "nan": {"bias": [math.nan] * 3}}
    d.update(change.get(damage, {}))
    if damage == "missing":
        del d["nodes"]
    with pytest.raises(InvalidInput):
        recalibrate(q, d)


def test_soft_truth_shows_its_own_entropy():
    _, q, p = drawn(1000, 3, scale=1.4)
    e = evaluate(p, q)
    assert e.scores["truth_entropy"].value + e.scores["kl_divergence"].value == pytest.approx(e.cross_entropy.value)
    assert e.scores["kl_divergence"].value == pytest.approx(float(np.mean(kb.kl_divergence(p, q))), rel=1e-10)


def test_the_rung_that_is_read_holds_the_one_that_is_chosen():
    # 200 rows carry no curve with base rates; a curve without them would leave most of what is wasted unseen.
    y, q, _ = drawn(200, 3)
    e = evaluate(np.zeros_like(y), q)
    chosen = next(g for g in e.ladder if g.chosen)
    assert "base rate" in chosen.name
    assert e.reliability.value == pytest.approx(chosen.gain.value, rel=0.05)


def test_predictions_with_few_digits_are_no_copies():
    rng = np.random.default_rng(0)
    p = np.round(rng.random(3000), 4)
    y = (rng.random(3000) < p).astype(int)
    met = evaluate(y, p)
    assert not any("repeat" in note for note in met.notes)
    copied = evaluate(np.append(y, y[:800]), np.append(p, p[:800]))
    assert any("repeat" in note for note in copied.notes)


def test_probabilities_read_as_logits_are_pointed_out():
    y, q, _ = drawn(300, 3)
    assert any("are they probabilities" in note for note in evaluate(y, kb.Logits(q)).notes)
    assert not any("are they probabilities" in note for note in evaluate(y, kb.Logits(np.log(q))).notes)
