"""Every way to give a table gives the same numbers, and what cannot be read is named in one line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import kullback as kb


def table(seed: int, n: int = 500) -> pa.Table:
    rng = np.random.default_rng(seed)
    day = dt.datetime(2024, 1, 1)
    return pa.table(
        {
            "x": pa.array(rng.normal(seed / 5, 1, n).round(3), mask=rng.random(n) < 0.1),
            "i": rng.poisson(3 + seed, n),
            "s": pa.array(rng.choice(["red", "green", "blue"], n, p=[0.5, 0.3, 0.2])),
            "b": rng.random(n) < 0.3 + seed / 10,
            "t": pa.array([day + dt.timedelta(minutes=int(m)) for m in rng.integers(0, 90_000, n)], pa.timestamp("us")),
        }
    )


REFERENCE, CURRENT = table(0), table(1)
EXPECTED = kb.compare(REFERENCE, CURRENT).to_dict()["columns"]


def write_csv(data: pa.Table, path: Path) -> Path:
    pyarrow.csv.write_csv(data, path)
    return path


def write_json(data: pa.Table, path: Path) -> Path:
    pl.from_arrow(data).with_columns(pl.col("t").dt.to_string("%Y-%m-%d %H:%M:%S")).write_ndjson(path)
    return path


def write_parquet(data: pa.Table, path: Path) -> Path:
    pq.write_table(data, path)
    return path


def write_feather(data: pa.Table, path: Path) -> Path:
    pyarrow.feather.write_feather(data, str(path), compression="uncompressed")
    return path


def write_folder(data: pa.Table, path: Path) -> Path:
    (path / "deeper").mkdir(parents=True)
    pq.write_table(data.slice(0, 200), path / "a.parquet")
    pq.write_table(data.slice(200), path / "deeper" / "b.parquet")
    (path / "_metadata").write_text("not data")
    return path


def write_glob(data: pa.Table, path: Path) -> str:
    path.mkdir()
    for i in range(5):
        pq.write_table(data.slice(100 * i, 100), path / f"part-{i}.parquet")
    return str(path / "part-*.parquet")


def write_database(data: pa.Table, path: Path) -> str:
    with duckdb.connect(str(path)) as connection:
        connection.register("data", data)
        connection.execute('CREATE TABLE "odd ""name""" AS SELECT * FROM data')
    return f'{path}::odd "name"'


def write_view(data: pa.Table, path: Path) -> str:
    write_database(data, path)
    with duckdb.connect(str(path)) as connection:
        connection.execute('CREATE SCHEMA other; CREATE VIEW other.v AS SELECT * FROM "odd ""name"""')
    return f"{path}::other.v"


FILES = {
    "p.parquet": write_parquet,
    "p-without-ending": write_parquet,
    "a[1].parquet": write_parquet,
    "what?*.parquet": write_parquet,
    "c.csv": write_csv,
    "j.jsonl": write_json,
    "f.arrow": write_feather,
    "folder": write_folder,
    "glob": write_glob,
    "d.duckdb": write_database,
    "v.duckdb": write_view,
}


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, tmp_path: Path) -> None:
    given = []
    for side, data in (("r", REFERENCE), ("c", CURRENT)):
        (tmp_path / side).mkdir()
        given.append(FILES[name](data, tmp_path / side / name))
    # A file whose name looks like a pattern stands beside one that the pattern matches.
    pq.write_table(pa.table({"x": [1.0]}), tmp_path / "r" / "a1.parquet")
    assert kb.compare(given[0], given[1]).to_dict()["columns"] == EXPECTED


OBJECTS = {
    "arrow table": lambda data: data,
    "record batch": lambda data: data.combine_chunks().to_batches()[0],
    "reader": lambda data: data.to_reader(max_chunksize=100),
    "dataset": pyarrow.dataset.dataset,
    "polars": pl.from_arrow,
    "polars lazy": lambda data: pl.from_arrow(data).lazy(),
    "relation": lambda data: duckdb.connect().from_arrow(data),
    "capsule": lambda data: Capsule(data),
}


class Capsule:
    def __init__(self, data: pa.Table) -> None:
        self.data = data

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.data.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("kind", OBJECTS)
def test_objects(kind: str) -> None:
    make = OBJECTS[kind]
    assert kb.compare(make(REFERENCE), make(CURRENT)).to_dict()["columns"] == EXPECTED


def test_pandas() -> None:
    # In pandas NaN is how a number is missing, so it is counted as missing.
    got = kb.compare(REFERENCE.to_pandas(), CURRENT.to_pandas()).to_dict()["columns"]
    assert got == EXPECTED


def test_two_relations_of_one_connection() -> None:
    connection = duckdb.connect()
    connection.register("r", REFERENCE)
    connection.register("c", CURRENT)
    got = kb.compare(connection.sql("FROM r"), connection.sql("FROM c"))
    assert got.to_dict()["columns"] == EXPECTED


def test_mixed_objects_in_pandas_become_text() -> None:
    frame = pd.DataFrame({"mixed": pd.Series([1, "a", None, 2.5, "a"], dtype=object), 7: [1, 2, 3, 4, 5]})
    got = kb.compare(frame, frame)
    assert {cell.label: cell.reference for cell in got["mixed"].cells} == {"a": 2, "1": 1, "2.5": 1, "(missing)": 1}
    assert got["7"].kind == "numeric"


@pytest.mark.parametrize(("name", "head", "line"), [("l.csv", "k\n", "{}\n"), ("l.jsonl", "", '{{"k": {}}}\n')])
def test_types_come_from_all_rows(name: str, head: str, line: str, tmp_path: Path) -> None:
    # Types guessed from the first rows would make a 2 of the last 1.5, without a word.
    late = tmp_path / name
    late.write_text(head + line.format(1) * 60_000 + line.format(1.5))
    result = kb.compare(late, late)
    assert result["k"].rows.reference == 60_001
    assert [cell.label for cell in result["k"].cells] == ["1", "(1, 1.5]"]


def test_folders_by_key_have_the_key_as_column(tmp_path: Path) -> None:
    for year in (2023, 2024):
        (tmp_path / f"year={year}").mkdir()
        pq.write_table(pa.table({"x": [1, 2]}), tmp_path / f"year={year}" / "a.parquet")
    assert kb.compare(tmp_path, tmp_path)["year"].rows.reference == 4


def test_several_paths(tmp_path: Path) -> None:
    paths = [write_parquet(REFERENCE.slice(0, 100), tmp_path / "1.parquet")]
    paths.append(write_parquet(REFERENCE.slice(100), tmp_path / "2.parquet"))
    assert kb.compare(paths, CURRENT).to_dict()["columns"] == EXPECTED


def corrupt(path: Path) -> Path:
    write_parquet(REFERENCE, path)
    data = bytearray(path.read_bytes())
    data[-200:-8] = b"\xff" * 192
    path.write_bytes(data)
    return path


def text(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


BAD = {
    "missing.parquet": (lambda path: path, "there is no file"),
    "no*.parquet": (lambda path: path, "no file matches"),
    "empty-folder": (lambda path: path.mkdir() or path, "holds no Parquet file"),
    "text.parquet": (lambda path: text(path, "hello, this is not parquet"), "cannot be read"),
    "zero.parquet": (lambda path: text(path, ""), "cannot be read"),
    "broken.parquet": (corrupt, "cannot be read"),
    "no-rows.parquet": (lambda path: write_parquet(REFERENCE.slice(0, 0), path), "has no rows"),
    "empty.csv": (lambda path: text(path, ""), "no common column|cannot be read"),
    "header.csv": (lambda path: text(path, "x,i,s,b,t\n"), "has no rows"),
    "broken.jsonl": (lambda path: text(path, '{"x": 1}\n{"x": \n'), "cannot be read"),
    "what.xlsx": (lambda path: text(path, "PK"), "says nothing about its format"),
    "base.duckdb": (lambda path: write_database(REFERENCE, path).split("::", maxsplit=1)[0], "name the table"),
    "table.duckdb": (lambda path: write_database(REFERENCE, path).split("::", maxsplit=1)[0] + "::nope", "no table"),
    "absent.duckdb": (lambda path: f"{path}::t", "there is no database"),
    "not.duckdb": (lambda path: f"{text(path, 'SQLite format 3 and so on')}::t", "cannot be opened"),
    "other.parquet": (lambda path: write_parquet(pa.table({"zz": [1]}), path), "no common column"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(name: str, tmp_path: Path) -> None:
    make, message = BAD[name]
    bad = make(tmp_path / name)
    for pair in ((bad, CURRENT), (REFERENCE, bad)):
        with pytest.raises(kb.InvalidInput, match=message) as caught:
            kb.compare(*pair)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "the path is empty"),
        ("s3://bucket/file.parquet", "remote address"),
        (np.zeros((3, 2)), "expected a path, an Arrow table"),
        (None, "expected a path"),
        ([], "expected a path"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns named 'a'"),
    ],
)
def test_what_is_not_a_table(given: object, message: str) -> None:
    with pytest.raises(kb.InvalidInput, match=message):
        kb.compare(given, CURRENT)


def test_no_permission_is_said(tmp_path: Path) -> None:
    path = write_parquet(REFERENCE, tmp_path / "p.parquet")
    path.chmod(0)
    try:
        path.open("rb").close()
    except PermissionError:
        with pytest.raises(kb.InvalidInput, match="Permission denied"):
            kb.compare(path, CURRENT)
    else:  # root reads everything
        pytest.skip("this user may read every file")
