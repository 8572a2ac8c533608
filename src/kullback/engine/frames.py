"""Tables that live in Python: Arrow, pandas, polars, DuckDB relations. A library that is not loaded made none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from kullback.engine.scan import Scan
from kullback.engine.session import Session, first_line, plainly
from kullback.errors import InvalidInput


def open_object(given: Any, side: str, session: Session) -> Scan:
    """A frame, an Arrow table or a relation. A library that is not loaded cannot have made it."""
    kind = f"{type(given).__module__.partition('.')[0]} {type(given).__name__}"
    try:
        scan = _opened(given, kind, side, session)
    except (ValueError, TypeError, NotImplementedError, OSError) as error:
        if isinstance(error, InvalidInput):
            raise
        msg = f"{side}: {kind} cannot be read: {first_line(error)}"
        raise InvalidInput(msg) from None
    if scan is not None:
        return scan
    msg = (
        f"{side} is a {type(given).__module__}.{type(given).__qualname__}; expected a path, an Arrow table, a pandas "
        "or polars frame, or a DuckDB relation. Arrays are measured by kb.kl_divergence(kb.Counts(…), kb.Counts(…))."
    )
    raise InvalidInput(msg)


def _opened(given: Any, kind: str, side: str, session: Session) -> Scan | None:
    """The scan of an object that is known, else None."""
    polars, pandas = sys.modules.get("polars"), sys.modules.get("pandas")
    if polars is not None and isinstance(given, polars.LazyFrame):
        file = str(session.folder / f"{side}.parquet")
        try:
            given.sink_parquet(file)  # streams: never wholly in memory
        except polars.exceptions.PolarsError as error:
            raise ValueError(first_line(error)) from None
        return Scan(kind, "read_parquet(?)", ([file],), names=tuple(given.collect_schema().names()))
    if polars is not None and isinstance(given, polars.DataFrame):
        wide = [name for name, type_ in given.schema.items() if str(type_) in ("Int128", "UInt128")]
        return _register(given.with_columns(polars.col(wide).cast(polars.Float64)).to_arrow(), kind, side, session)
    if pandas is not None and isinstance(given, pandas.DataFrame):
        return _register(_plain_pandas(given, side), kind, side, session)
    duckdb = sys.modules.get("duckdb")
    if duckdb is not None and isinstance(given, duckdb.DuckDBPyRelation):
        return relation(given, "DuckDB relation", side, session)
    arrow = sys.modules.get("pyarrow")
    if arrow is not None and isinstance(given, (arrow.Table, arrow.RecordBatch)):
        data = arrow.Table.from_batches([given]) if isinstance(given, arrow.RecordBatch) else given
        return _register(_no_halves(data), kind, side, session)
    if hasattr(given, "__arrow_c_stream__"):
        import pyarrow as pa

        return _register(pa.RecordBatchReader.from_stream(given), kind, side, session, once=True)
    if arrow is not None and "pyarrow.dataset" in sys.modules and isinstance(given, arrow.dataset.Dataset):
        return _register(given, kind, side, session)
    return None


def relation(given: Any, label: str, side: str, session: Session) -> Scan:
    """Run a relation when its rows are asked for, and not before: its connection can have one result open at a time."""
    import pyarrow as pa

    with plainly(f"{side}: {label} cannot be read"):
        schema = given.limit(0).to_arrow_table().schema
    rows = (batch for _ in range(1) for batch in given.to_arrow_reader())
    return _register(pa.RecordBatchReader.from_batches(schema, rows), label, side, session, once=True)


def _register(data: Any, label: str, side: str, session: Session, *, once: bool = False) -> Scan:
    with plainly(f"{side}: {label} cannot be read"):
        session.connection.register(f"{side}_data", data)
    # An attribute of a pandas frame may be one of its columns: Arrow's objects are told by their class.
    names = data.schema.names if type(data).__module__.startswith("pyarrow") else list(data.columns)
    return Scan(label, f"{side}_data", once=once, names=tuple(names))


def _no_halves(table: Any) -> Any:
    """Numbers in 16 bits as 32: the engine has no such type."""
    import pyarrow as pa

    fields = [field.with_type(pa.float32()) if field.type == pa.float16() else field for field in table.schema]
    return table if table.schema.equals(pa.schema(fields)) else table.cast(pa.schema(fields))


def _plain_pandas(frame: Any, side: str) -> Any:
    """Columns of mixed Python objects, and of kinds that only pandas has, in a readable type."""
    import pandas as pd

    names = [str(name) for name in frame.columns]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        msg = f"{side}: the frame has two columns named {double!r}; rename one."
        raise InvalidInput(msg)
    plain = frame.set_axis(names, axis=1)
    changed = {name: _readable(plain[name], pd) for name in names}
    return plain.assign(**{name: column for name, column in changed.items() if column is not None})


def _readable(column: Any, pd: Any) -> Any:
    """A column in a type that the engine knows; None where it has one already."""
    kind = column.dtype
    if isinstance(kind, pd.PeriodDtype):
        return column.dt.to_timestamp()
    if isinstance(kind, pd.SparseDtype):
        return column.sparse.to_dense()
    if isinstance(kind, pd.IntervalDtype) or getattr(kind, "kind", "") == "c":
        return column.astype("string")
    odd = ("mixed", "complex", "interval")
    if pd.api.types.is_object_dtype(kind) and pd.api.types.infer_dtype(column, skipna=True).startswith(odd):
        return column.astype("string")
    return None


def arrow_files(files: Sequence[str], label: str, side: str, session: Session) -> Scan:
    """Arrow IPC and Feather files, read column by column from disk."""
    import pyarrow as pa
    import pyarrow.dataset as dataset

    try:
        found = dataset.dataset(list(files), format="ipc")
    except (pa.ArrowException, OSError) as error:
        msg = f"{side}: {label} cannot be read as Arrow: {str(error).splitlines()[0]}"
        raise InvalidInput(msg) from None
    return _register(found, label, side, session)
