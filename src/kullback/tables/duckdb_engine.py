"""The counts of two tables by DuckDB: one GROUP BY per column, which on columnar data reads each column once."""

# ruff: noqa: S608  queries are put together from our own c0…cn and numbers; names and values of users never enter

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kullback.engine.scan import Scan
from kullback.engine.session import Session, plainly
from kullback.engine.sources import open_source
from kullback.errors import InvalidInput
from kullback.result.comparison import CellKind
from kullback.tables import sql
from kullback.tables.counts import SIDES, Binned, Field, Floats, Pair, Question, Range, Side, Tally, Valued

SAMPLED_COLUMNS = 16  # at a time: 16 columns × 25,000 rows × 8 bytes stay small beside any memory limit
COUNTED_DIRECTLY = 4096  # whole numbers of a smaller range than this are grouped by their value
LONGEST_LABEL = 1000  # characters of a value that are kept


class DuckDB:
    """An `Engine`: two inputs of `kb.compare`, opened in one locked session."""

    def __init__(self, reference: Any, current: Any, *, memory: str | None = None, threads: int | None = None) -> None:
        self._session = Session(memory=memory, threads=threads)
        try:
            given = dict(zip(SIDES, (reference, current), strict=True))
            self.scans: dict[Side, Scan] = {side: open_source(given[side], side, self._session) for side in SIDES}
            self._session.lock([path for scan in self.scans.values() for path in scan.paths])
            self._fields = {side: self._describe(side) for side in SIDES}
        except BaseException:
            self.close()
            raise
        self._from: dict[Side, tuple[str, tuple[Any, ...]]] = {}

    def close(self) -> None:
        """Close the session and remove its temporary folder."""
        self._session.close()

    def schema(self, side: Side) -> tuple[Field, ...]:
        """The columns, in the order of the table."""
        return self._fields[side]

    def _describe(self, side: Side) -> tuple[Field, ...]:
        scan = self.scans[side]
        with plainly(f"{side}: {scan.label} cannot be read"):
            if scan.parsed:  # guessing the types reads all of it, so describing it first would parse it twice
                create = f"CREATE TEMP TABLE {side}_parsed AS SELECT * FROM {scan.sql}"
                self._session.connection.execute(create, scan.parameters)
                self.scans[side] = scan = Scan(scan.label, f"{side}_parsed")
            found = self._session.connection.execute(f"DESCRIBE SELECT * FROM {scan.sql}", scan.parameters).fetchall()
        names = self._exact_names(scan, [row[0] for row in found])
        if scan.sql.endswith("_parsed") and len(names) == 1 and re.search(r"[,;|\t]", names[0]):
            msg = f"{side}: {scan.label} does not split into columns; a line may have more fields than the first."
            raise InvalidInput(msg)
        fields = []
        for i, (name, row) in enumerate(zip(names, found, strict=True)):
            kind, whole = sql.kind_of(row[1])
            fields.append(Field(i, name, row[1], kind, whole))
        return tuple(fields)

    def _exact_names(self, scan: Scan, names: list[str]) -> list[str]:
        """SQL takes `A` and `a` for one name and would call the second `a_1`; the source knows better."""
        exact = list(scan.names)
        if scan.sql.startswith("read_parquet") and len(scan.parameters[0]) == 1:
            rows = self._session.rows("SELECT name, num_children FROM parquet_schema(?)", list(scan.parameters[0]))
            at = 1  # row 0 is the root
            while at < len(rows):
                exact.append(rows[at][0])
                open_ = 1
                while open_:  # step over this column's children
                    open_ += (rows[at][1] or 0) - 1
                    at += 1
        exact += names[len(exact) :]  # keys of folders come after the columns of the file
        return exact if len(exact) == len(names) == len(set(exact)) else names

    def load(self, pairs: Sequence[Pair]) -> None:
        """Name the columns c0…cn; read sources that are dear to read into the engine, these columns only."""
        for side in SIDES:
            scan = self.scans[side]
            alias = f"{scan.sql} AS t({', '.join(map(sql.column, self._fields[side]))})"
            self._from[side] = (alias, scan.parameters)
            if not scan.once:
                continue
            wanted = ", ".join(sorted({sql.column(pair.on(side)) for pair in pairs}))
            with plainly(f"{side}: {scan.label} cannot be read"):
                self._session.connection.execute(
                    f"CREATE TEMP TABLE {side}_rows AS SELECT {wanted} FROM {alias}", scan.parameters
                )
            self._from[side] = (f"{side}_rows", ())

    def rows(self, side: Side) -> int:
        """How many rows."""
        source, parameters = self._from[side]
        return int(self._session.rows(f"SELECT count(*) FROM {source}", parameters)[0][0])

    def missing(self, side: Side, pair: Pair) -> int:
        """How many nulls."""
        source, parameters = self._from[side]
        column = sql.column(pair.on(side))
        return int(self._session.rows(f"SELECT count(*) - count({column}) FROM {source}", parameters)[0][0])

    def ranges(self, side: Side, pairs: Sequence[Pair]) -> list[Range]:
        """Least and greatest finite value. Where the plain extremes are finite, file statistics may answer."""
        if not pairs:
            return []
        fields = [pair.on(side) for pair in pairs]
        found = self._extremes(side, fields, "")
        odd = [i for i, ends in enumerate(found) if any(not _finite(end) for end in ends)]
        if odd:
            for i, ends in zip(odd, self._extremes(side, [fields[i] for i in odd], "finite"), strict=True):
                found[i] = ends
        return found

    def _extremes(self, side: Side, fields: Sequence[Field], which: str) -> list[Range]:
        asked = []
        for field in fields:
            x = sql.column(field)
            can = field.kind == "datetime" or field.type in ("FLOAT", "DOUBLE")
            only = f" FILTER (isfinite({x}))" if which and can else ""
            asked += [sql.number(field, f"(min({x}){only})"), sql.number(field, f"(max({x}){only})")]
        source, parameters = self._from[side]
        row = self._session.rows(f"SELECT {', '.join(asked)} FROM {source}", parameters)[0]
        return [(row[i], row[i + 1]) for i in range(0, len(row), 2)]

    def sample(self, side: Side, pairs: Sequence[Pair], *, rows: int, seed: int) -> list[Floats]:
        """A seeded Bernoulli sample: which rows are in does not depend on the side, the threads or the columns."""
        source, parameters = self._from[side]
        percent = min(100.0, 100.0 * rows / max(1, self.rows(side)))
        found: list[Floats] = []
        for start in range(0, len(pairs), SAMPLED_COLUMNS):
            fields = [pair.on(side) for pair in pairs[start : start + SAMPLED_COLUMNS]]
            asked = ", ".join(f"{sql.number(field)}::DOUBLE AS x{i}" for i, field in enumerate(fields))
            query = f"SELECT {asked} FROM {source}"
            if percent < 100.0:
                query += f" USING SAMPLE {percent:.9f}% (bernoulli, {seed})"
            with plainly():
                columns = self._session.connection.execute(query, parameters).fetchnumpy()
            for i in range(len(fields)):
                values = np.ma.filled(np.ma.asarray(columns[f"x{i}"]).astype(np.float64), np.nan)
                found.append(values[np.isfinite(values)])
        return found

    def counts(self, questions: Sequence[Question]) -> Iterator[Tally]:
        """One tally per question."""
        for question in questions:
            with plainly(f"column {question.pair.name!r}"):
                yield self._by_bin(question) if isinstance(question, Binned) else self._by_value(question)

    def _by_bin(self, question: Binned) -> Tally:
        bins = np.zeros((2, len(question.edges) + 1), np.int64)
        states: dict[CellKind, tuple[int, int]] = {}
        for row, side in enumerate(SIDES):
            field = question.pair.on(side)
            if _few_whole(field, question):
                code = sql.number(field)
                found = self._grouped(side, code)
                known = [(value, n) for value, n in found if value is not None]
                at = np.searchsorted(question.edges, [value for value, _ in known], side="right")
                np.add.at(bins[row], at, [n for _, n in known])
                _note(states, "missing", row, sum(n for value, n in found if value is None))
                continue
            for code, n in self._grouped(side, sql.bin_code(field, question.edges, question.weights)):
                if code < 0:
                    _note(states, sql.STATE_CODES[code], row, n)
                else:
                    bins[row, code] = n
        return Tally(bins=bins, states=states)

    def _grouped(self, side: Side, expression: str) -> list[tuple[Any, int]]:
        source, parameters = self._from[side]
        query = f"SELECT {expression} AS code, count(*) FROM {source} GROUP BY code"
        return self._session.connection.execute(query, parameters).fetchall()  # type: ignore[no-any-return]

    def _by_value(self, question: Valued) -> Tally:
        """Count every value of both sides, then keep the largest of each: exact, however many there are."""
        parts: list[str] = []
        parameters: list[Any] = []
        for row, side in enumerate(SIDES):
            source, bound = self._from[side]
            n = "count(*) AS r, 0 AS c" if row == 0 else "0 AS r, count(*) AS c"
            field = question.pair.on(side)
            counted = f"SELECT {sql.column(field)}, {n} FROM {source} GROUP BY {sql.column(field)}"
            parts.append(f"SELECT {sql.text(field)} AS v, r, c FROM ({counted})")  # text of groups, not of rows
            parameters += bound
        query = f"""
            WITH counted AS MATERIALIZED (
                SELECT v, sum(r)::BIGINT AS r, sum(c)::BIGINT AS c FROM ({" UNION ALL ".join(parts)}) GROUP BY v),
            named AS (SELECT * FROM counted WHERE v <> ''),
            top AS (SELECT v FROM (SELECT v FROM named WHERE r > 0 ORDER BY r DESC, v LIMIT {question.keep})
                    UNION SELECT v FROM (SELECT v FROM named WHERE c > 0 ORDER BY c DESC, v LIMIT {question.keep}))
            SELECT 'value', left(v, {LONGEST_LABEL}), length(v), r, c FROM named SEMI JOIN top USING (v)
            UNION ALL SELECT 'other', NULL, 0, sum(r)::BIGINT, sum(c)::BIGINT FROM named ANTI JOIN top USING (v)
            UNION ALL SELECT CASE WHEN v IS NULL THEN 'missing' ELSE 'empty' END, NULL, 0, r, c
            FROM counted WHERE v IS NULL OR v = ''"""
        values: list[tuple[str, int, int]] = []
        states: dict[CellKind, tuple[int, int]] = {}
        for kind, value, length, r, c in self._session.connection.execute(query, parameters).fetchall():
            if kind == "value":
                label = value if length <= LONGEST_LABEL else f"{value}… ({length:,} characters)"
                values.append((label, r, c))
            elif r or c:
                states[kind] = (r or 0, c or 0)
        return Tally(values=tuple(values), states=states)


def _finite(end: Any) -> bool:
    return end is not None and bool(np.isfinite(float(end)))


def _few_whole(field: Field, question: Binned) -> bool:
    low, high = question.range
    return (
        field.whole
        and field.kind == "numeric"
        and low is not None
        and high is not None
        and high - low < COUNTED_DIRECTLY
    )


def _note(states: dict[CellKind, tuple[int, int]], kind: CellKind, row: int, n: int) -> None:
    if n:
        before = states.get(kind, (0, 0))
        states[kind] = (n, before[1]) if row == 0 else (before[0], n)
