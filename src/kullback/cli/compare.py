"""`kullback compare REF CUR`."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kullback.cli.guard import EXCEEDED, guarded

Names = list[str]


@guarded
def compare(
    reference: Annotated[str, typer.Argument(metavar="REF", help="The true table P.", show_default=False)],
    current: Annotated[str, typer.Argument(metavar="CUR", help="The table Q that is held against it.")],
    html: Annotated[Path | None, typer.Option(help="Write a report that opens in a browser, one file.")] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write all numbers as JSON (- for stdout).")
    ] = None,
    columns: Annotated[Names | None, typer.Option(metavar="NAMES", help="Only these columns, with commas.")] = None,
    exclude: Annotated[Names | None, typer.Option(metavar="NAMES", help="Not these columns, with commas.")] = None,
    bins: Annotated[
        str | None,
        typer.Option(metavar="RULE|FILE", help="default, quantiles:20, equal-width:20, or a .toml of edges by column."),
    ] = None,
    base: Annotated[str | None, typer.Option(help="Unit: nats, bits, hartleys, or a number such as 2.")] = None,
    top: Annotated[int | None, typer.Option(min=0, metavar="N", help="Show the N columns that moved most.")] = None,
    categories: Annotated[
        int, typer.Option(min=1, metavar="K", help="Text keeps the K largest values of each side.")
    ] = 1000,
    fail_above: Annotated[
        Names | None,
        typer.Option(metavar="MEASURE=X", help="Exit with 1 if exceeded: js=0.1, or price:kl=0.05 for one column."),
    ] = None,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Limit of the engine, such as 200MB.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, metavar="N", help="Threads of the engine.")] = None,
    random_state: Annotated[int, typer.Option(metavar="SEED", help="Seed of the sample that places the edges.")] = 0,
) -> int:
    """Compare two tables column by column: which moved, how far, what drives it.

    REF and CUR are files (Parquet, CSV, JSON lines, Arrow), globs in quotes, folders of Parquet files, or
    file.duckdb::table. Numbers: KL(P‖Q) and its relatives in nats, corrected for chance, what moved most first.
    """
    from kullback.cli import thresholds, write
    from kullback.cli.progress import bar

    limits = thresholds.parse(fail_above or [])
    targets = [path for path in (html, Path(json) if json not in (None, "-") else None) if path is not None]
    write.check_targets(targets, inputs=(reference, current))

    from kullback.tables.compare import compare as measure

    with bar("comparing") as progress:
        result = measure(
            reference,
            current,
            columns=_names(columns),
            exclude=_names(exclude),
            bins=bins,
            base=_base(base),
            categories=categories,
            memory=memory,
            threads=threads,
            random_state=random_state,
            progress=progress,
        )
    above = thresholds.exceeded(result, limits)

    from kullback import show

    files: dict[Path, str] = {}
    if html is not None:
        files[html] = show.page(result, command=shlex.join(["kullback", *sys.argv[1:]]))
    if json not in (None, "-"):
        files[Path(str(json))] = result.to_json() + "\n"
    write.write_files(files)
    if json == "-":
        sys.stdout.write(result.to_json() + "\n")
    else:
        _print(result, top=top, written=list(files))
    for found in above:
        _name(found)
    return EXCEEDED if above else 0


def _print(result: Any, **options: Any) -> None:
    from rich.console import Console

    from kullback.show.comparison import terminal

    Console().print(terminal(result, **options))


def _name(found: Any) -> None:
    from kullback.show import text

    value, limit = text.number(found.value), text.number(found.limit)
    typer.echo(f"above the threshold: {text.name(found.column)} has {found.measure} {value} > {limit}", err=True)


def _names(given: Names | None) -> Names | None:
    r"""The option may be repeated and may hold several names with commas; `\,` is a comma within a name."""
    if not given:
        return None
    return [part.replace("\\,", ",") for text in given for part in re.split(r"(?<!\\),", text)]


def _base(given: str | None) -> float | str | None:
    if given is None:
        return None
    try:
        return float(given)
    except ValueError:
        return given
