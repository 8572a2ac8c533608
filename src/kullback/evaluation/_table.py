"""Predictions in a file or another table: columns chosen by pattern, read through DuckDB in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.engine.scan import Scan
from kullback.engine.session import Session, plainly
from kullback.engine.sources import open_source
from kullback.errors import InvalidInput
from kullback.evaluation._truth import Coded, match_columns

_TRUTHS = ("y", "truth", "label", "target", "y_true")


class Table:
    """An open table: its columns by name, and queries in which the user's names appear once, quoted."""

    def __init__(self, session: Session, scan: Scan) -> None:
        self.session, self.label = session, scan.label
        self._from, self._parameters = scan.sql, list(scan.parameters)
        with plainly(f"{scan.label} cannot be read"):
            found = session.connection.execute(f"DESCRIBE SELECT * FROM {scan.sql}", self._parameters).fetchall()  # noqa: S608
        self.types = {str(row[0]): str(row[1]) for row in found}

    def column(self, name: str) -> str:
        """A column's name, quoted; refused if there is none."""
        if name not in self.types:
            raise InvalidInput(f"{self.label} has no column {name!r}; it has {_some(list(self.types))}")
        return '"' + name.replace('"', '""') + '"'

    def selecting(self, columns: Sequence[str]) -> str:
        """A subquery with these columns as c0, c1, …; `query` binds its parameters."""
        listed = ", ".join(f"{self.column(name)} AS c{i}" for i, name in enumerate(columns))
        return f"(SELECT {listed} FROM {self._from})"  # noqa: S608  names are quoted, everything else is ours

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query over one `selecting`."""
        return self.session.rows(query, self._parameters)

    def batches(self, query: str, size: int = 100_000) -> Iterator[Any]:
        """The record batches of a query over one `selecting`, in the order of the rows."""
        with plainly(f"{self.label} cannot be read"):
            yield from self.session.connection.sql(query, params=self._parameters).to_arrow_reader(size)

    def count(self) -> int:
        """Rows."""
        first = next(iter(self.types))
        return int(self.rows(f"SELECT count(*) FROM {self.selecting([first])}")[0][0])  # noqa: S608

    def sampled(self, columns: Sequence[str], share: float, random_state: int) -> Table:
        """A random sample of about this share of the rows, kept in memory as a table of its own."""
        quoted = ", ".join(self.column(name) for name in dict.fromkeys(columns))
        # Rows, not blocks of them, are drawn: neighbours are alike. One by one and not as a reservoir of so many, which
        # took ten times the pass over the file that it samples.
        sample = f"USING SAMPLE {100.0 * share!r} PERCENT (bernoulli, {int(random_state)})"
        query = f"CREATE TEMP TABLE sampled_rows AS SELECT {quoted} FROM {self._from} {sample}"  # noqa: S608  quoted
        with plainly(f"{self.label} cannot be read"):
            self.session.connection.execute(query, self._parameters)
        return Table(self.session, Scan(self.label, "sampled_rows"))

    def matching(self, pattern: str, what: str) -> list[tuple[str, str]]:
        """The columns of a pattern, with the name that each stands for."""
        found = match_columns(list(self.types), pattern)
        if not found:
            raise InvalidInput(
                f"no column of {self.label} matches {what} {pattern!r}; it has {_some(list(self.types))}"
            )
        return found

    def truth_column(self, given: str | None) -> str:
        """The column that was named, else the one that everybody would name."""
        if given is not None:
            return given
        found = next((name for name in _TRUTHS if name in self.types), None)
        if found is None:
            raise InvalidInput(
                f"which column of {self.label} is the truth? Say --truth; it has {_some(list(self.types))}"
            )
        return found

    def matrix(self, columns: Sequence[str]) -> NDArray[Any]:
        """Number columns as one array (n, K), float32 where all of them are."""
        strange = [c for c in columns if self.column(c) and not _is_number(self.types[c])]
        if strange:
            raise InvalidInput(f"column {strange[0]!r} of {self.label} is {self.types[strange[0]]}; expected numbers")
        dtype = np.float32 if all(self.types[c] == "FLOAT" for c in columns) else np.float64
        out = np.empty((self.count(), len(columns)), dtype=dtype)
        kind = "FLOAT" if dtype is np.float32 else "DOUBLE"
        cast = ", ".join(f"CAST(c{i} AS {kind})" for i in range(len(columns)))
        start = 0
        for batch in self.batches(f"SELECT {cast} FROM {self.selecting(columns)}"):  # noqa: S608
            stop = start + batch.num_rows
            for k in range(len(columns)):
                values = batch.column(k)
                if values.null_count:
                    row = start + int(np.argmax(np.asarray(values.is_null())))
                    raise InvalidInput(
                        f"{self.label}: row {row} has no value in {columns[k]!r}. Fill or drop such rows."
                    )
                out[start:stop, k] = values.to_numpy()
            start = stop
        return out

    def coded(self, column: str, *, missing: str | None = None) -> Coded:
        """A column of labels; `missing` names what stands for NULL, None refuses it."""
        import pyarrow as pa

        level = f"CAST(c0 AS {'BIGINT' if _is_whole(self.types.get(column, '')) else 'VARCHAR'})"
        batches = [b.column(0) for b in self.batches(f"SELECT {level} FROM {self.selecting([column])}")]  # noqa: S608
        joined = pa.chunked_array(batches).dictionary_encode().combine_chunks()
        if isinstance(joined, pa.ChunkedArray):
            joined = joined.chunk(0)
        if joined.null_count and missing is None:
            row = int(np.argmax(np.asarray(joined.indices.is_null())))
            raise InvalidInput(
                f"{self.label}: {joined.null_count} rows have no value in {column!r}, the first is row {row}. Drop "
                f"them first."
            )
        levels = [_number_text(v) for v in joined.dictionary.to_pylist()]
        codes = joined.indices.fill_null(len(levels)).to_numpy(zero_copy_only=False).astype(np.intp)
        return Coded(codes, [*levels, missing] if joined.null_count and missing is not None else levels)


@contextmanager
def opened(*given: Any, memory: str | None = None, threads: int | None = None) -> Iterator[list[Table]]:
    """The tables, in one locked session whose results keep the order of the rows."""
    session = Session(memory=memory, threads=threads, ordered=True)
    try:
        scans = [
            open_source(source, side, session) for side, source in zip(("predictions", "other"), given, strict=False)
        ]
        session.lock([path for scan in scans for path in scan.paths])
        yield [Table(session, scan) for scan in scans]
    finally:
        session.close()


def _is_number(kind: str) -> bool:
    return kind.startswith(("DECIMAL", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "U", "HUGEINT", "FLOAT", "DOUBLE"))


def _is_whole(kind: str) -> bool:
    return kind in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


def _number_text(value: Any) -> str:
    """0.0 and 1.0, as a file writes the labels 0 and 1 when one of them was missing somewhere, are 0 and 1."""
    text = str(value)
    return text[:-2] if text.endswith(".0") and text[:-2].lstrip("-").isdigit() else text


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:20])) + (", …" if len(names) > 20 else "")
