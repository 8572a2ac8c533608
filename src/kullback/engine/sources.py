"""What the user gave as a table: a path, a glob, a folder, `file.duckdb::table`, or an object (see `frames`).

Paths are resolved here, on our side: DuckDB would read a file named `a[1].parquet` as a pattern.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kullback.engine import frames
from kullback.engine.scan import Scan
from kullback.engine.session import Session, plainly
from kullback.errors import InvalidInput

_FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".parq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
_PACKED = (".gz", ".zst")
_READERS = {
    "parquet": "read_parquet(?, union_by_name = {many}, hive_partitioning = {hive})",
    # sample_size = -1: types are guessed from all rows. Guessed from the first ones, a later 1.5 silently becomes 2.
    "csv": "read_csv(?, header = true, union_by_name = {many}, hive_partitioning = false, sample_size = -1)",
    "json": "read_json(?, union_by_name = {many}, hive_partitioning = false, sample_size = -1)",
}


def open_source(given: Any, side: str, session: Session) -> Scan:
    """Find out what was given. Called before the session is locked."""
    if isinstance(given, (str, os.PathLike)):
        text = os.fspath(given)
        if not isinstance(text, str):
            text = os.fsdecode(text)
        return _path(text, side, session)
    if isinstance(given, Sequence) and given and all(isinstance(item, (str, os.PathLike)) for item in given):
        files = [path for item in given for path in _expand(str(os.fspath(item)), side)[0]]
        return _files(files, f"{len(files)} files", side, session)
    return frames.open_object(given, side, session)


def _path(text: str, side: str, session: Session) -> Scan:
    if not text:
        msg = f"{side}: the path is empty. Give a file, a folder of Parquet files, a glob or file.duckdb::table."
        raise InvalidInput(msg)
    if re.match(r"[a-z][a-z0-9+.-]+://", text, re.IGNORECASE):
        msg = f"{side}: {text} is a remote address; only local files are read. Download it first."
        raise InvalidInput(msg)
    if "::" in text and not Path(text).exists():
        file, _, table = text.rpartition("::")
        return _database(file, table, text, side, session)
    files, hive = _expand(text, side)
    return _files(files, text, side, session, hive=hive)


def _expand(text: str, side: str) -> tuple[list[str], bool]:
    """The files that a path stands for. What exists under exactly that name is taken as it is."""
    path = Path(text)
    if path.is_dir():
        files = sorted(str(file) for file in path.rglob("*") if _is_parquet(file) and file.is_file())
        if not files:
            msg = f"{side}: the folder {text} holds no Parquet file."
            raise InvalidInput(msg)
        return files, any("=" in part for file in files for part in Path(file).relative_to(path).parts[:-1])
    if path.is_file():
        return [text], False
    if path.exists():
        msg = f"{side}: {text} is neither a file nor a folder; a pipe can be read only once: write it to a file."
        raise InvalidInput(msg)
    if any(sign in text for sign in "*?["):
        found = glob.glob(text, recursive=True)  # noqa: PTH207  Path.glob takes no absolute pattern
        files = sorted(file for file in found if Path(file).is_file())
        if not files:
            msg = f"{side}: no file matches {text}."
            raise InvalidInput(msg)
        return files, False
    msg = f"{side}: there is no file {text}."
    raise InvalidInput(msg)


def _is_parquet(file: Path) -> bool:
    return _FORMATS.get(file.suffix.lower()) == "parquet" and not file.name.startswith((".", "_"))


def _format(file: str, side: str) -> str:
    suffixes = [suffix.lower() for suffix in Path(file).suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    found = _FORMATS.get(suffixes[-1]) if suffixes else None
    if suffixes and suffixes[-1] in (".duckdb", ".db", ".ddb"):
        msg = f"{side}: {file} is a database; name the table: {file}::table."
        raise InvalidInput(msg)
    if found is None:
        with Path(file).open("rb") as handle:  # a Parquet file without its ending says what it is
            found = "parquet" if handle.read(4) == b"PAR1" else None
    if found is None:
        known = ", ".join(_FORMATS)
        msg = f"{side}: {file} has an ending that says nothing about its format. Known are {known} (.gz, .zst)."
        raise InvalidInput(msg)
    return found


def _files(files: Sequence[str], label: str, side: str, session: Session, *, hive: bool = False) -> Scan:
    try:
        formats = {_format(file, side) for file in files}
        for file in files:
            with Path(file).open("rb"):
                pass
    except OSError as error:
        msg = f"{side}: {error.filename} cannot be read: {error.strerror}."
        raise InvalidInput(msg) from None
    if len(formats) > 1:
        msg = f"{side}: {label} mixes formats ({', '.join(sorted(formats))}); give files of one format."
        raise InvalidInput(msg)
    form = formats.pop()
    if form == "arrow":
        return frames.arrow_files(files, label, side, session)
    absolute = [str(Path(file).absolute()) for file in files]
    patterns = [_literal(file) for file in absolute]
    # The engine checks both what it is asked for and what that pattern finds.
    paths = tuple(dict.fromkeys([*absolute, *patterns]))

    sql = _READERS[form].format(many=len(files) > 1, hive=hive)
    return Scan(label, sql, (patterns,), paths, parsed=form != "parquet")


def _literal(path: str) -> str:
    """A pattern that matches exactly this path."""
    return re.sub(r"([*?\[])", r"[\1]", path)


def _database(file: str, table: str, label: str, side: str, session: Session) -> Scan:
    if not Path(file).is_file():
        msg = f"{side}: there is no database {file}."
        raise InvalidInput(msg)
    alias = f"{side}_database"
    absolute = str(Path(file).absolute())
    with plainly(f"{side}: {file} cannot be opened as a DuckDB database"):
        session.connection.execute(f"ATTACH {_quoted(absolute)} AS {alias} (READ_ONLY, TYPE duckdb)")
    found = session.rows(
        "SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE table_catalog = ?", [alias]
    )
    matching = [row for row in found if table in (row[1], f"{row[0]}.{row[1]}")]
    if not matching:
        names = ", ".join(sorted(row[1] for row in found)[:10]) or "no table"
        msg = f"{side}: {file} has no table {table!r}; it has {names}."
        raise InvalidInput(msg)
    schema, name, kind = min(matching, key=lambda row: (row[0] != "main", row))
    # These names are the engine's own answer, and quoted; they appear nowhere else.
    sql = f'"{_doubled(schema)}"."{_doubled(name)}"'
    if kind == "BASE TABLE":
        return Scan(label, f"{alias}.{sql}", paths=(absolute, absolute + ".wal"))
    # A view finds the tables that it names only at home, and is computed once.
    with plainly(f"{side}: {label} cannot be read"):
        session.connection.execute(f"DETACH {alias}")
        return frames.relation(session.beside(absolute).sql(f"FROM {sql}"), label, side, session)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _doubled(name: str) -> str:
    return name.replace('"', '""')
