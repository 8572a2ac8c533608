"""Kinds of columns, states outside the values, types that do or do not meet, and options."""

from __future__ import annotations

import datetime as dt
import decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kullback as kb
from kullback.result.comparison import Column, Comparison

MEDIUM = pa.decimal128(12, 2)


def one(reference: object, current: object, kind: pa.DataType | None = None, **options: object) -> Comparison:
    return kb.compare(pa.table({"k": pa.array(reference, kind)}), pa.table({"k": pa.array(current, kind)}), **options)


def cells(column: Column) -> dict[str, tuple[int, int]]:
    return {f"{cell.kind} {cell.label}": (cell.reference, cell.current) for cell in column.cells}


def test_every_state_of_a_number_is_a_cell() -> None:
    nan, inf = float("nan"), float("inf")
    column = one([1.0, None, nan, inf, -inf, 1.0], [1.0, None, None, nan, inf, 1.0])["k"]
    assert cells(column) == {
        "value 1": (2, 2),
        "-inf (-inf)": (1, 0),
        "inf (+inf)": (1, 1),
        "nan (NaN)": (1, 1),
        "missing (missing)": (1, 2),
    }
    assert (column.missing.reference, column.missing.current) == (1, 2)
    assert (column.min, column.max) == (1.0, 1.0)
    assert column.ks == column.wasserstein == 0.0


def test_the_states_of_numbers_far_from_any_edge(tmp_path: Path) -> None:
    """States must not fall into the outer bins, in a file with statistics, and with numbers in 32 bits."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=5000).astype(np.float32)
    x[:40] = np.repeat(np.float32([np.nan, np.inf, -np.inf, -0.0]), 10)
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"k": pa.array(x, mask=np.arange(5000) >= 4990)}), path, row_group_size=500)
    column = kb.compare(path, path)["k"]
    assert {cell.kind: cell.reference for cell in column.cells if cell.kind not in ("bin", "value")} == {
        "nan": 10,
        "inf": 10,
        "-inf": 10,
        "missing": 10,
    }
    assert sum(cell.reference for cell in column.cells) == 5000
    assert column.min == np.nanmin(x[40:4990])


def test_the_empty_string_and_missing_are_two_things() -> None:
    column = one(["", None, "a", "(missing)", "(empty)"], ["", "", None, "a", "a"])["k"]
    assert cells(column) == {
        "value a": (1, 2),
        "value (empty)": (1, 0),
        "value (missing)": (1, 0),
        "empty (empty)": (1, 2),
        "missing (missing)": (1, 1),
    }


def test_text_keeps_the_largest_of_each_side_and_the_rest_together() -> None:
    reference = ["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["d"] * 2 + ["e"]
    current = ["e"] * 5 + ["d"] * 4 + ["c"] * 3 + ["b"] * 2 + ["f"]
    column = one(reference, current, categories=2)["k"]
    assert cells(column) == {
        "value e": (1, 5),
        "value a": (5, 0),
        "value b": (4, 2),
        "value d": (2, 4),
        "other (other)": (3, 4),
    }


def test_ties_at_the_border_are_cut_by_name() -> None:
    column = one(["b", "a", "c"], ["c", "b", "a"], categories=1)["k"]
    assert cells(column) == {"value a": (1, 1), "other (other)": (2, 2)}


KINDS = [
    (pa.bool_(), [True, False, None], "boolean"),
    (pa.int8(), [-3, 5, 5], "numeric"),
    (pa.uint64(), [2**64 - 1, 0, 7], "numeric"),
    (pa.float16(), [0.5, 1.5, 1.5], "numeric"),
    (MEDIUM, [decimal.Decimal("1.25"), decimal.Decimal("-7.10"), None], "numeric"),
    (pa.decimal128(38, 0), [decimal.Decimal(10**37), decimal.Decimal(3), None], "numeric"),
    (pa.duration("us"), [dt.timedelta(days=1), dt.timedelta(seconds=-3), None], "numeric"),
    (pa.date32(), [dt.date(2024, 2, 29), dt.date(1950, 1, 1), None], "datetime"),
    (pa.timestamp("ns"), [dt.datetime(2024, 2, 29), dt.datetime(1950, 1, 1), None], "datetime"),
    (pa.timestamp("s", tz="Europe/Berlin"), [dt.datetime(2024, 2, 29), dt.datetime(1950, 1, 1), None], "datetime"),
    (pa.time64("us"), [dt.time(0, 0), dt.time(23, 59, 59, 5), None], "datetime"),
    (pa.string(), ["a", "b", None], "categorical"),
    (pa.large_string(), ["a", "b", None], "categorical"),
    (pa.binary(), [b"a", b"\xff", None], "categorical"),
    (pa.dictionary(pa.int8(), pa.string()), ["a", "b", None], "categorical"),
]


@pytest.mark.parametrize(("kind", "values", "expected"), KINDS, ids=[str(kind) for kind, _, _ in KINDS])
def test_kinds(kind: pa.DataType, values: list[object], expected: str) -> None:
    column = one(values * 4, values * 3, kind)["k"]
    assert column.kind == expected
    assert [cell.reference for cell in column.cells] == [4 * cell.current // 3 for cell in column.cells]
    assert sum(cell.reference for cell in column.cells) == len(values * 4)
    assert len(column.cells) == len(set(values))
    assert column.kl == 0
    if expected in ("numeric", "datetime"):
        assert column.wasserstein == pytest.approx(0, abs=1e-6 * abs(column.max))


def test_nested_columns_are_skipped_with_a_reason() -> None:
    data = pa.table({"list": [[1], [2]], "struct": [{"a": 1}, None], "k": [1, 2]})
    result = kb.compare(data, data)
    assert {column.name: column.why for column in result.skipped} == {
        "list": "BIGINT[] is not compared; make columns of its parts",
        "struct": "STRUCT(a BIGINT) is not compared; make columns of its parts",
    }


def test_types_that_meet() -> None:
    wide = kb.compare(pa.table({"k": pa.array([1, 2, 2], pa.int8())}), pa.table({"k": [1.0, 2.5, 2.0]}))["k"]
    assert wide.kind == "numeric"
    assert sum(cell.current for cell in wide.cells) == 3
    dates = kb.compare(
        pa.table({"k": [dt.date(2024, 1, 1)] * 3}),
        pa.table({"k": [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, 1)]}),
    )["k"]
    assert dates.vanished_mass == 0


@pytest.mark.parametrize(
    ("reference", "current", "words"),
    [
        ([1, 2], ["1", "2"], "BIGINT in reference, VARCHAR in current"),
        ([True], [1], "BOOLEAN in reference, BIGINT in current"),
        ([dt.time(1)], [dt.datetime(2024, 1, 1)], "TIME in reference, TIMESTAMP in current"),
    ],
)
def test_types_that_do_not_meet_are_reported(reference: list[object], current: list[object], words: str) -> None:
    result = kb.compare(
        pa.table({"k": reference, "n": [1] * len(reference)}), pa.table({"k": current, "n": [1] * len(current)})
    )
    assert [column.name for column in result.columns] == ["n"]
    assert result.skipped[0].name == "k"
    assert words in result.skipped[0].why


def test_missing_throughout() -> None:
    none = pa.array([None] * 3)
    data = pa.table({"both": none, "left": none, "right": [1.5, 2.5, 3.5], "text": pa.array([None] * 3, pa.string())})
    other = pa.table({"both": none, "left": ["a", "b", "b"], "right": none, "text": [1, 2, 3]})
    result = kb.compare(data, other)
    assert [(column.name, column.why) for column in result.skipped] == [("both", "missing throughout on both sides")]
    for name in ("left", "right", "text"):
        column = result[name]
        assert next(cell for cell in column.cells if cell.kind == "missing").reference == (0 if name == "right" else 3)
        assert column.kl_raw == float("inf")
        assert column.vanished_mass == column.new_mass == 1
        assert column.ks is column.wasserstein is None
    with pytest.raises(kb.InvalidInput, match=r"no column can be compared .'k': missing throughout"):
        one([None], [None])


def test_columns_of_one_side_are_reported() -> None:
    result = kb.compare(pa.table({"a": [1], "k": [1]}), pa.table({"k": [1], "z": [1], "b": [2]}))
    assert result.only_in_reference == ("a",)
    assert result.only_in_current == ("z", "b")


def test_one_row_a_side_is_measured() -> None:
    column = one([1.0], [2.0])["k"]
    assert column.kl == 0
    assert column.kl_smoothed == pytest.approx(np.log(3) / 2)  # (¾, ¼) against (¼, ¾)
    assert column.kl_raw == float("inf")


def test_columns_and_exclude() -> None:
    data = pa.table({"a": [1], "b": [1], "c": [1]})
    assert {column.name for column in kb.compare(data, data, columns=["a", "b"], exclude=["b"]).columns} == {"a"}
    assert {column.name for column in kb.compare(data, data, columns="a").columns} == {"a"}
    assert {column.name for column in kb.compare(data, data, columns=iter(["a", "b"])).columns} == {"a", "b"}
    with pytest.raises(kb.InvalidInput, match=r"columns: neither table has a column 'aa'\. Did you mean 'a'?"):
        kb.compare(data, data, columns=["aa"])
    with pytest.raises(kb.InvalidInput, match="exclude: neither table"):
        kb.compare(data, data, exclude=["zebra"])
    with pytest.raises(kb.InvalidInput, match="no common column among those asked for"):
        kb.compare(data, data, exclude=["a", "b", "c"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"categories": 0}, "categories=0"),
        ({"memory": "much"}, "is not a size"),
        ({"threads": 0}, "threads=0"),
        ({"base": 1}, "base=1"),
        ({"base": "feet"}, "base='feet'"),
        ({"bins": "septiles"}, "is not a rule"),
        ({"bins": "quantiles:x"}, "number of bins"),
        ({"bins": 7}, "bins is a int"),
        ({"bins": "none.toml"}, "cannot be read"),
        ({"bins": {"k": [2, 1]}}, "rising order"),
        ({"bins": {"k": []}}, "expected a list"),
        ({"bins": {"k": ["2"]}}, "expected finite numbers"),
        ({"bins": {"k": [float("nan")]}}, "expected finite numbers"),
        ({"bins": {"q": [1]}}, "neither table has a column 'q'"),
        ({"bins": {"s": [1]}}, "'s' is categorical"),
        ({"random_state": "x"}, "random_state"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    data = pa.table({"k": [1, 2], "s": ["a", "b"]})
    with pytest.raises((ValueError, TypeError), match=message):
        kb.compare(data, data, **options)


def test_progress_is_told_of_every_column() -> None:
    data = pa.table({"a": [1], "b": ["x"], "c": [1.5]})
    told: list[tuple[int, int, str]] = []
    kb.compare(data, data, progress=lambda *step: told.append(step))
    assert told == [(1, 3, "a"), (2, 3, "b"), (3, 3, "c")]


def test_seeds() -> None:
    rng = np.random.default_rng(0)
    data = pa.table({"k": rng.normal(size=120_000)})
    edges = [kb.compare(data, data, random_state=seed)["k"].edges for seed in (0, 0, 1)]
    assert edges[0] == edges[1] != edges[2]


def test_what_moved_most_comes_first() -> None:
    reference = pa.table({"still": [1, 2] * 50, "moved": [0] * 90 + [1] * 10})
    current = pa.table({"still": [2, 1] * 50, "moved": [0] * 10 + [1] * 90})
    assert [column.name for column in kb.compare(reference, current).columns] == ["moved", "still"]
    with pytest.raises(KeyError):
        kb.compare(reference, current)["nothing"]
