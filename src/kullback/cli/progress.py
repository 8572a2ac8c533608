"""A progress bar on stderr, for people only, and only when there is time to read it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AFTER = 1.0  # seconds


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int, str], None] | None]:
    """Yield what `progress=` takes: None where nobody watches, else a function that moves the bar."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = Progress(*columns, console=Console(stderr=True), transient=True)
    task = shown.add_task(what, total=None)
    timer = threading.Timer(AFTER, shown.start)
    timer.daemon = True
    timer.start()

    def moved(done: int, total: int, _: str) -> None:
        shown.update(task, completed=done, total=total)

    try:
        yield moved
    finally:
        timer.cancel()
        timer.join()  # it may just be starting
        shown.stop()
