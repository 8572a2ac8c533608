"""`kullback laws`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from kullback.cli.guard import guarded


@guarded
def laws(
    measures: Annotated[list[str] | None, typer.Argument(metavar="[MEASURE]...", help="Only these measures.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> int:
    """Which measure obeys which law, with counterexamples, and the common claims about KL and cross-entropy settled."""
    from kullback.laws.report import report

    result = report(measures or [])
    if json:
        sys.stdout.write(result.to_json() + "\n")
    else:
        from rich.console import Console

        Console().print(result)
    return 0
