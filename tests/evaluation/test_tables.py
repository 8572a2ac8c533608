"""Predictions in files: the numbers of arrays, hostile names, pairs, what does not fit into memory, the command."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scipy.special import log_softmax
from typer.testing import CliRunner

from kullback.cli.app import app
from kullback.errors import InvalidDistribution, InvalidInput
from kullback.evaluation import _files, evaluate, evaluate_table, log_loss, log_loss_of_table, recalibrate

CLASSES = ["cat", 'd"og; DROP TABLE t; --', "eel"]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((600, 3))
    p = np.exp(log_softmax(z, axis=1))
    y = np.minimum((np.cumsum(p, axis=1) < rng.random(600)[:, None]).sum(axis=1), 2)
    q = np.exp(log_softmax(1.7 * z, axis=1))
    return y, q, p, rng.integers(0, 60, 600)


@pytest.fixture
def file(data, tmp_path):
    y, q, _, user = data
    columns = {"y": np.array(CLASSES)[y]} | {f"p_{name}": q[:, k] for k, name in enumerate(CLASSES)}
    path = tmp_path / "a [1].parquet"
    pq.write_table(pa.table(columns | {"user": user, "kind": np.array(["x", None], dtype=object)[user % 2]}), path)
    return path


def test_a_file_is_the_same_as_arrays(data, file):
    y, q, _, user = data
    a = evaluate(np.array(CLASSES)[y], q, classes=CLASSES, clusters=user, slices={"user": user})
    b = evaluate_table(file, clusters="user", slices=["user"])
    assert b.classes == tuple(CLASSES)
    assert a.reliability.value == pytest.approx(b.reliability.value, rel=1e-12)
    assert a.cross_entropy.standard_error == pytest.approx(b.cross_entropy.standard_error, rel=1e-12)
    assert a.review == b.review
    missing = evaluate_table(file, slices=["kind"])
    assert {s.value for s in missing.slices if s.column == "kind"} == {"x", "(missing)"}


def test_the_engine_computes_the_same_log_loss(data, file):
    y, q, _, user = data
    a, b = log_loss(y, q), log_loss_of_table(file)
    assert (b.value, b.low, b.high) == pytest.approx((a.value, a.low, a.high), rel=1e-12)
    clustered = log_loss_of_table(file, clusters="user")
    assert clustered.standard_error == pytest.approx(log_loss(y, q, clusters=user).standard_error, rel=1e-9)


def test_what_does_not_fit_is_measured_in_the_engine(data, file, monkeypatch):
    whole = evaluate_table(file, clusters="user", slices=["user"])
    monkeypatch.setattr(_files, "_ENTRIES_IN_MEMORY", 100)
    part = evaluate_table(file, clusters="user", slices=["user"])
    assert part.cross_entropy.value == pytest.approx(whole.cross_entropy.value, rel=1e-12)
    assert part.cross_entropy.standard_error == pytest.approx(whole.cross_entropy.standard_error, rel=1e-9)
    # Miller and Madow's correction is clustered in memory and (K−1)/2n in the engine.
    assert part.uncertainty.value == pytest.approx(whole.uncertainty.value, abs=2 / (2 * 600))
    assert part.scores["brier"].value == pytest.approx(whole.scores["brier"].value, rel=1e-12)
    assert part.scores["accuracy"].value == pytest.approx(whole.scores["accuracy"].value, rel=1e-12)
    total = part.uncertainty.value - part.resolution.value + part.reliability.value
    assert total == pytest.approx(part.cross_entropy.value, abs=1e-12)
    assert [(r.row, r.truth, r.predicted) for r in part.review] == [(r.row, r.truth, r.predicted) for r in whole.review]
    assert part.review[0].share == pytest.approx(whole.review[0].share)


def test_csv_and_labels_that_became_floats(data, tmp_path):
    y, q, _, _ = data
    table = pa.table({"label": y.astype(float)} | {f"p_{k}": q[:, k] for k in range(3)})
    pyarrow.csv.write_csv(table, tmp_path / "a.csv")
    found = evaluate_table(tmp_path / "a.csv")
    assert found.cross_entropy.value == pytest.approx(log_loss(y, q).value, rel=1e-12)


def test_logits_soft_truth_and_other_patterns(data, tmp_path):
    y, q, p, _ = data
    columns = {f"z{k}_out": np.log(q[:, k]) + 3 for k in range(3)} | {f"t_{k}": p[:, 2 - k] for k in range(3)}
    table = pa.table(columns | {"y": y})
    assert evaluate_table(table, logits="z*_out").cross_entropy.value == pytest.approx(log_loss(y, q).value, rel=1e-12)
    table = table.rename_columns(
        [c.replace("t_0", "t_z").replace("t_2", "t_0").replace("t_z", "t_2") for c in table.column_names]
    )
    soft = evaluate_table(table, logits="z*_out", truth="t_*")
    assert soft.cross_entropy.value == pytest.approx(-np.mean(np.sum(p * np.log(q), axis=1)), rel=1e-12)


def test_two_files_are_paired_row_by_row(data, file, tmp_path):
    y, _, p, _ = data
    other = {"y": np.array(CLASSES)[y]} | {f"p_{name}": p[:, k] for k, name in reversed(list(enumerate(CLASSES)))}
    pq.write_table(pa.table(other), tmp_path / "b.parquet")
    v = evaluate_table(file, versus=tmp_path / "b.parquet").versus
    assert v.name.endswith("b.parquet")
    assert v.difference.value > 0
    pq.write_table(pa.table({k: c[::-1] for k, c in other.items()}), tmp_path / "c.parquet")
    with pytest.raises(InvalidInput, match="same rows in the same order"):
        evaluate_table(file, versus=tmp_path / "c.parquet")


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        ({}, {"probs": "q_*"}, InvalidInput, "matches"),
        ({}, {"truth": "nope"}, InvalidInput, "no column 'nope'"),
        ({"p_1": [0.9] * 40}, {}, InvalidDistribution, "sum"),
        ({"p_1": [0.5] * 39 + [None]}, {}, InvalidInput, "row 39"),
        ({"y": [0] * 39 + [7]}, {}, InvalidInput, "'7'"),
        ({"y": [0] * 39 + [None]}, {}, InvalidInput, "row 39"),
        ({"p_1": ["a"] * 40}, {}, InvalidInput, "expected numbers"),
    ],
)
def test_wrong_tables_are_named(change, options, error, message):
    table = pa.table({"y": [0, 1] * 20, "p_0": [0.5] * 40, "p_1": [0.5] * 40} | change)
    with pytest.raises(error, match=message):
        evaluate_table(table, **options)


def test_wrong_rows_are_refused_inside_the_engine():
    for bad in (0.9, -0.5, float("nan")):
        table = pa.table({"y": [0, 1], "p_0": [0.5, 0.5], "p_1": [0.5, bad]})
        with pytest.raises(InvalidDistribution):
            log_loss_of_table(table)


def run(*arguments):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_the_command(data, file, tmp_path):
    result = run(file, "--json", tmp_path / "e.json", "--recalibrator", tmp_path / "m.json", "--cluster", "user")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "e.json").read_text())
    assert found["schema"] == "kullback-evaluation/1"
    assert "reliability" in result.output
    better = recalibrate(data[1], tmp_path / "m.json", classes=CLASSES)
    assert log_loss(data[0], better).value < log_loss(data[0], data[1]).value


def test_exit_codes(file, tmp_path):
    assert run(file, "--fail-above", "reliability=0.001").exit_code == 1
    assert run(file, "--fail-above", "reliability=10").exit_code == 0
    assert run(file, "--fail-above", "nonsense=1").exit_code == 2
    assert run(tmp_path / "none.parquet").exit_code == 2
    assert run(file, "--quick").exit_code == 0
    assert run(file, "--json", file).exit_code == 2


def test_predictions_of_a_number(tmp_path):
    rng = np.random.default_rng(0)
    mean = rng.standard_normal(400)
    y = mean + rng.standard_normal(400)
    z = {0.1: -1.2815515655446004, 0.5: 0.0, 0.9: 1.2815515655446004}
    columns = {"y": y, "m": mean, "s": np.full(400, 0.5)}
    columns |= {f"q_{level}": mean + 0.5 * v for level, v in z.items()}
    columns |= {f"d{i}": mean + 0.5 * rng.standard_normal(400) for i in range(30)}
    pq.write_table(pa.table(columns), tmp_path / "r.parquet")
    normal = evaluate_table(tmp_path / "r.parquet", mean="m", std="s")
    assert normal.kind == "regressor"
    assert "too narrow" in normal.ladder[1].words
    for options in ({"quantiles": "q_*"}, {"samples": "d*"}):
        other = evaluate_table(tmp_path / "r.parquet", **options)
        assert other.scores["crps"].value == pytest.approx(normal.scores["crps"].value, rel=0.06)
    assert run(tmp_path / "r.parquet", "--mean", "m", "--std", "s", "--json", "-").exit_code == 0
    assert run(tmp_path / "r.parquet", "--mean", "m").exit_code == 2
    assert (
        run(tmp_path / "r.parquet", "--mean", "m", "--std", "s", "--recalibrator", tmp_path / "x.json").exit_code == 2
    )


def test_empty_tables_are_named(tmp_path):
    path = tmp_path / "empty.parquet"
    pq.write_table(
        pa.table({"y": pa.array([], pa.int64()), "p_0": pa.array([], pa.float64()), "p_1": pa.array([], pa.float64())}),
        path,
    )
    for call in (evaluate_table, log_loss_of_table):
        with pytest.raises(InvalidInput, match="no rows"):
            call(path)


def test_one_column_of_probabilities(tmp_path):
    rng = np.random.default_rng(0)
    p = rng.random(300)
    hit = rng.random(300) < p
    for labels, column, classes in (
        (hit.astype(int), "p", ("0", "1")),
        (np.where(hit, "cat", "dog"), "p_cat", ("dog", "cat")),
    ):
        found = evaluate_table(pa.table({"y": labels, column: p}), probs=column if column == "p" else "p_*")
        assert found.classes == classes
        assert found.cross_entropy.value == pytest.approx(-np.mean(np.where(hit, np.log(p), np.log1p(-p))), rel=1e-12)
    with pytest.raises(InvalidInput, match="a column per class"):
        evaluate_table(pa.table({"y": rng.integers(0, 3, 300), "p_0": p}))
    with pytest.raises(InvalidInput, match="of two classes both"):
        log_loss_of_table(pa.table({"y": hit.astype(int), "p_1": p}))
