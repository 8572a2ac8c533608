"""Names, values and files of strangers: shown as text, harming nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kullback as kb
from kullback.tables.duckdb_engine import DuckDB

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    'a"b; DROP TABLE t; --',
    "a'b; DROP TABLE t; --",
    "\x1b[31mred\x1b]0;title\x07",
    "line\nbreak\r\ttab\x00null",
    "\u202egnp.exe\u202c",
    "c0",
    "rowid",
    "",
    " ",
    "__index_level_0__",
    "SELECT",
    "x" * 5000,
]


def test_hostile_names_and_values_are_only_text(tmp_path: Path) -> None:
    names = [name.replace("\x00", "") for name in HOSTILE]
    data = pa.table({name: ["1", name, None, ""] for name in names})
    path = tmp_path / "h.parquet"
    pq.write_table(data, path)
    for given in (data, path):
        result = kb.compare(given, given)
        assert {column.name for column in result.columns} == set(names)
        for column in result.columns:
            values = [cell.label for cell in column.cells if cell.kind == "value"]
            expected = column.name if len(column.name) < 1000 else "x" * 1000 + "… (5,000 characters)"
            assert set(values) == {"1", *([expected] if column.name else [])}


def test_names_that_differ_only_in_case(tmp_path: Path) -> None:
    path = tmp_path / "case.parquet"
    pq.write_table(pa.table({"A": [1, 1], "a": ["x", "y"], "a_1": [True, False], "n": [{"k": 1, "A": 2}] * 2}), path)
    result = kb.compare(path, path)
    assert {column.name: column.kind for column in result.columns} == {
        "A": "numeric",
        "a": "categorical",
        "a_1": "boolean",
    }
    assert [column.name for column in result.skipped] == ["n"]


def test_hostile_table_name(tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("""CREATE TABLE "t""; DROP TABLE x; --" AS SELECT 1 AS k; CREATE TABLE x AS SELECT 2 AS k""")
    assert kb.compare(f'{path}::t"; DROP TABLE x; --', f"{path}::x")["k"].rows.reference == 1


@pytest.fixture
def locked(tmp_path: Path):
    for name in ("in.parquet", "out.parquet", "b.parquet"):
        pq.write_table(pa.table({"k": [1]}), tmp_path / name)
    (tmp_path / "in.csv").write_text("k\n1\n")
    (tmp_path / "secret.csv").write_text("k\n1\n")
    engine = DuckDB(tmp_path / "in.parquet", tmp_path / "in.csv")
    yield engine._session, tmp_path
    engine.close()


ATTACKS = [
    "SELECT * FROM read_csv('{}/secret.csv')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '{}/out.parquet'",
    "SELECT * FROM read_parquet('{}/*.parquet')",
    "SELECT * FROM read_parquet('{}/out.parquet')",
    "SELECT * FROM parquet_schema('{}/out.parquet')",
    "SELECT * FROM sniff_csv('{}/secret.csv')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_json('https://example.com/x.json')",
    "COPY (SELECT 1) TO '{}/written.csv'",
    "COPY (SELECT 1) TO '{}/in.csv'",
    "EXPORT DATABASE '{}/export'",
    "ATTACH '{}/new.duckdb' AS n",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{}/x.duckdb_extension'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "SET allowed_paths = ['/etc/passwd']",
    "SET allowed_directories = ['/']",
    "SET temp_directory = '{}'",
    "SET memory_limit = '1TB'",
    "SET autoinstall_known_extensions = true",
    "SET python_enable_replacements = true",
    "PRAGMA enable_profiling",
    "PRAGMA profiling_output = '{}/profile'",
    "SET log_query_path = '{}/log'",
    "CREATE PERSISTENT SECRET s (TYPE http)",
    "SELECT * FROM within_reach",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_session_is_locked(attack: str, locked) -> None:
    session, folder = locked
    within_reach = pa.table({"k": [1]})  # DuckDB reads variables of the caller by their name, unless told not to
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(duckdb.Error):
        session.connection.execute(attack.format(folder)).fetchall()
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert within_reach.num_rows == 1


def test_the_inputs_can_still_be_read(locked) -> None:
    session, folder = locked
    assert session.rows("SELECT * FROM read_parquet(?)", [str(folder / "in.parquet")]) == [(1,)]


def test_a_view_cannot_reach_out(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("k\n1\n2\n")
    path = tmp_path / "d.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE VIEW v AS SELECT * FROM read_csv('{secret}')")
    with pytest.raises(kb.InvalidInput, match=r"disabled"):
        kb.compare(f"{path}::v", pa.table({"k": [1, 2]}))


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kb.compare(pa.table({"k": [1, 2]}), pa.table({"k": [1, 2]}))
    with pytest.raises(kb.InvalidInput):
        kb.compare("no such file", pa.table({"k": [1]}))
    with pytest.raises(kb.InvalidInput):
        kb.compare(pa.table({"k": [1]}), pa.table({"j": [1]}))
    with pytest.raises(kb.InvalidInput):
        kb.compare(pa.table({"k": [1]}), pa.table({"k": [1]}), memory="lots")
    assert list(tmp_path.iterdir()) == []


def test_memory_that_does_not_suffice_is_said() -> None:
    rows = pa.table({"k": [str(i) * 20 for i in range(300_000)]})
    with pytest.raises(kb.InvalidInput, match=r"does not suffice|memory"):
        kb.compare(rows, rows, memory="1MB", threads=1)
