"""An in-memory DuckDB that can read the inputs it was given, write its private temporary folder, and nothing else.

DuckDB's defaults are open: queries may read any file, fetch extensions and look at Python's variables. A table's own
contents can reach for that (a view in a database file), so everything is closed before the first row is read.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kullback.errors import InvalidInput

_SIZE = re.compile(r"\s*\d+(\.\d+)?\s*[KMGT]i?B\s*", re.IGNORECASE)


class Session:
    """One private connection; `lock` before reading, `close` when done. `ordered`: rows keep their order."""

    def __init__(self, *, memory: str | None = None, threads: int | None = None, ordered: bool = False) -> None:
        import duckdb

        if memory is not None and not _SIZE.fullmatch(memory):
            msg = f"memory={memory!r} is not a size. Use a number and a unit, such as '200MB' or '2GB'."
            raise InvalidInput(msg)
        if threads is not None and threads < 1:
            msg = f"threads={threads}; expected at least 1."
            raise InvalidInput(msg)
        self.folder = Path(tempfile.mkdtemp(prefix="kullback-"))  # mkdtemp: nobody else may look into it
        self._config: dict[str, Any] = {
            "temp_directory": str(self.folder / "spill"),
            "preserve_insertion_order": str(ordered).lower(),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_persistent_secrets": "false",
            "python_enable_replacements": "false",
        }
        if memory is not None:
            self._config["memory_limit"] = memory.replace(" ", "")
        if threads is not None:
            self._config["threads"] = str(threads)
        self._others: list[Any] = []
        try:
            with plainly("the engine could not be started"):
                self.connection = duckdb.connect(":memory:", config=self._config)
                self.connection.execute("SET parquet_metadata_cache = true")
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def beside(self, file: str) -> Any:
        """A second connection, to a database of the user's, that can read nothing but that file."""
        import duckdb

        other = duckdb.connect(file, read_only=True, config=self._config)
        self._others.append(other)
        other.execute("SET enable_external_access = false")
        other.execute("SET lock_configuration = true")
        return other

    def lock(self, paths: Sequence[str]) -> None:
        """From here on only `paths` and the private folder can be read, and no setting can be changed."""
        execute = self.connection.execute
        execute("SET allowed_paths = ?", [list(paths)])
        execute("SET allowed_directories = ?", [[str(self.folder)]])
        execute("SET enable_external_access = false")
        execute("SET lock_configuration = true")

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and fetch its (few) rows."""
        with plainly():
            found: list[tuple[Any, ...]] = self.connection.execute(query, list(parameters)).fetchall()
            return found

    def close(self) -> None:
        """Close the connection and remove the private folder."""
        for connection in (self.connection, *self._others):
            connection.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def plainly(what: str = "") -> Iterator[None]:
    """Turn the engine's errors into one plain line of ours, and its interrupt into Python's."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        msg = _joined(
            what, f"the memory or disk allowed does not suffice ({first_line(error)}). Allow more: memory='2GB'."
        )
        raise InvalidInput(msg) from None
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        raise InvalidInput(_joined(what, first_line(error))) from None
    except RuntimeError as error:
        if "interrupted" not in str(error).lower():
            raise
        raise KeyboardInterrupt from None


def first_line(error: BaseException) -> str:
    """What an engine's message says before it begins to advise, as one line without its category."""
    said: list[str] = []
    for line in map(str.strip, str(error).splitlines()):
        if said and (not line or line.startswith(("Possible", "The search space", "LINE "))):
            break
        if line and not line.startswith("Original Line"):
            said.append(line)
    text = " ".join(said) or type(error).__name__
    return re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", text)[:500]


def _joined(what: str, why: str) -> str:
    return f"{what}: {why}" if what else why
