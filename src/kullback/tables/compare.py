"""`kb.compare`: match the columns of two tables, decide how to cut them, have them counted, measure the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kullback._door import Base, unit_name
from kullback._version import __version__
from kullback.errors import InvalidInput
from kullback.result.comparison import Column, Comparison, Skipped, Source
from kullback.tables import bins as binning
from kullback.tables import cells, matching, numbers, rules
from kullback.tables.counts import ORDERED, SIDES, Binned, Engine, Floats, Pair, Question, Range, Tally, Valued

SAMPLED_ROWS = 25_000  # of each side, to place the edges: 50 of them lie beyond the outermost edge

Progress = Callable[[int, int, str], None]


def compare(
    reference: Any,
    current: Any,
    /,
    *,
    columns: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] | None = None,
    bins: str | Mapping[str, Sequence[Any]] | Any = None,
    base: Base = None,
    categories: int = 1000,
    memory: str | None = None,
    threads: int | None = None,
    random_state: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """How far the current table is from the reference, column by column: P is the reference, Q the current table.

    Parameters
    ----------
    reference, current
        Each a path (Parquet, CSV, JSON lines, Arrow), a glob, a folder of Parquet files, ``"file.duckdb::table"``, a
        list of paths, an Arrow table, dataset or reader, a pandas or polars frame (lazy too), or a DuckDB relation.
    columns, exclude
        Names of the columns to measure (None: all that both tables have), and of those to leave out.
    bins
        How numbers and times are cut. None: pooled deciles, tail cells down to 0.1 %, and a cell of its own for each
        heavy value; few whole numbers all keep their own. Or ``"quantiles:20"``, ``"equal-width:20"``, a mapping
        from column to inner edges, or the path of a TOML file of such.
    base
        Unit of divergences and entropies: None for nats, 2 or ``"bits"``, ``"hartleys"``, or any number > 1.
    categories
        Text keeps this many of the largest values of each side; the rest is counted together as "(other)".
    memory, threads
        Limits for the engine, such as ``"200MB"`` and 2. What does not fit goes to a private temporary folder.
    random_state
        Seed of the sample that places the edges (counts are of all rows).
    progress
        Called with (done, total, column) as columns are counted.

    Returns
    -------
    Comparison
        Columns that moved most first.

    Raises
    ------
    InvalidInput
        A table that cannot be read or is empty, no common column, or an option that makes no sense.

    Notes
    -----
    Missing values, NaN, ±inf and the empty string are cells of their own. Nothing is clipped: cells that one side
    lacks have a smoothed `kl` and an infinite `kl_raw` beside it, with the mass that lies there.

    Examples
    --------
    >>> import kullback as kb, pyarrow as pa
    >>> before = pa.table({"colour": ["red"] * 60 + ["blue"] * 40})
    >>> after = pa.table({"colour": ["red"] * 30 + ["blue"] * 70})
    >>> moved = kb.compare(before, after)["colour"]
    >>> round(moved.kl, 3), round(moved.d_eq, 2)
    (0.178, 0.6)
    """
    unit = unit_name(base)
    cuts = rules.parse(bins)
    if categories < 1:
        msg = f"categories={categories}; expected at least 1."
        raise InvalidInput(msg)
    if isinstance(random_state, bool) or not isinstance(random_state, int) or random_state < 0:
        msg = f"random_state={random_state!r}; expected a whole number ≥ 0."
        raise InvalidInput(msg)
    chosen, excluded = _names(columns), _names(exclude)
    from kullback.tables.duckdb_engine import DuckDB

    engine = DuckDB(reference, current, memory=memory, threads=threads)
    try:
        pairs, skipped = matching.matched(engine, chosen, excluded)
        _known_bins(cuts, pairs, engine)
        sources = [Source(engine.scans[side].label, engine.rows(side)) for side in SIDES]
        for side, source in zip(SIDES, sources, strict=True):
            if not source.rows:
                msg = f"{side}: {source.source} has no rows."
                raise InvalidInput(msg)
        pairs, unmet = matching.met(engine, pairs, [source.rows for source in sources])
        skipped += unmet
        questions, ranges = _questions(engine, pairs, cuts, categories, random_state % 2**31)
        measured = []
        for i, (question, tally) in enumerate(zip(questions, engine.counts(questions), strict=True)):
            found = _column(question, tally, ranges[question.pair.name], base)
            if found is None:
                skipped.append(Skipped(question.pair.name, "missing throughout on both sides"))
            else:
                measured.append(found)
            if progress is not None:
                progress(i + 1, len(questions), question.pair.name)
        if not measured:
            why = "; ".join(f"{column.name!r}: {column.why}" for column in skipped[:3])
            msg = f"no column can be compared ({why})."
            raise InvalidInput(msg)
        only = [matching.only_in(engine, side, chosen, excluded) for side in SIDES]
    finally:
        engine.close()
    return Comparison(
        reference=sources[0],
        current=sources[1],
        columns=tuple(sorted(measured, key=lambda column: (-column.kl, -column.kl_smoothed))),
        only_in_reference=only[0],
        only_in_current=only[1],
        skipped=tuple(skipped),
        unit=unit,
        kullback=__version__,
    )


def _names(given: str | Iterable[str] | None) -> matching.Names:
    return None if given is None else (given,) if isinstance(given, str) else tuple(given)


def _questions(
    engine: Engine, pairs: Sequence[Pair], cuts: rules.Bins, categories: int, seed: int
) -> tuple[list[Question], dict[str, Range]]:
    """What to ask about each column: bins with edges from the samples, or values."""
    ordered = [pair for pair in pairs if pair.kind in ORDERED]
    found = zip(*(engine.ranges(side, ordered) for side in SIDES), strict=True)
    ranges = {pair.name: _joined(r, c) for pair, (r, c) in zip(ordered, found, strict=True)}
    drawn = [pair for pair in ordered if ranges[pair.name][0] is not None]
    samples = [engine.sample(side, drawn, rows=SAMPLED_ROWS, seed=seed) for side in SIDES]
    edges = {pair.name: _edges(pair, r, c, cuts, ranges[pair.name]) for pair, r, c in zip(drawn, *samples, strict=True)}
    questions: list[Question] = []
    for pair in pairs:
        if pair.kind in ORDERED:
            at, shares = edges.get(pair.name, ((), ()))
            questions.append(Binned(pair, at, shares, ranges[pair.name]))
        else:
            questions.append(Valued(pair, categories))
    return questions, {pair.name: ranges.get(pair.name, (None, None)) for pair in pairs}


def _edges(
    pair: Pair, reference: Floats, current: Floats, cuts: rules.Bins, range_: Range
) -> tuple[list[float | int], list[float]]:
    pooled = binning.pool(reference, current, whole=pair.whole, times=pair.kind != "numeric")
    if pair.name in cuts.edges:
        own = rules.own_edges(pair, cuts.edges[pair.name])
        return own, binning.expected_shares(own, pooled)
    found = cuts.rule(pooled, range_)
    at: list[float | int] = [int(edge) for edge in found] if pair.whole else list(found)
    at = sorted(set(at))
    return at, binning.expected_shares(at, pooled)


def _column(question: Question, tally: Tally, range_: Range, base: Base) -> Column | None:
    """The numbers of one column; None where neither side has a value."""
    pair = question.pair
    if isinstance(question, Valued):
        counted = cells.of_values(tally)
    else:
        counted = cells.of_bins(tally, pair, question.edges, range_)
    if all(cell.kind == "missing" for cell in counted):
        return None
    if isinstance(question, Valued):
        return numbers.column(pair.name, pair.kind, counted, base=base)
    axis: Any = [cells.on_axis(pair, x) for x in (*range_, *question.edges)]
    return numbers.column(pair.name, pair.kind, counted, base=base, edges=axis[2:], ends=(axis[0], axis[1]))


def _joined(r: Range, c: Range) -> Range:
    lows = [low for low in (r[0], c[0]) if low is not None and np.isfinite(float(low))]
    highs = [high for high in (r[1], c[1]) if high is not None and np.isfinite(float(high))]
    return (min(lows), max(highs)) if lows and highs else (None, None)


def _known_bins(cuts: rules.Bins, pairs: Sequence[Pair], engine: Engine) -> None:
    """Edges for a column that is not cut are a mistake worth a word."""
    fields = [{field.name: field for field in engine.schema(side)} for side in SIDES]
    matching.known(cuts.edges, fields[0], fields[1], "bins")
    for pair in pairs:
        if pair.name in cuts.edges:
            if pair.kind not in ORDERED:
                msg = f"bins: {pair.name!r} is {pair.kind} ({matching.type_of(pair.reference)}) and has no edges."
                raise InvalidInput(msg)
            rules.own_edges(pair, cuts.edges[pair.name])
