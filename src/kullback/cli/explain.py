"""`kullback explain P Q`."""

from __future__ import annotations

import csv
import json as json_module
import math
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kullback.cli.guard import guarded
from kullback.errors import InvalidInput


@guarded
def explain(
    p: Annotated[str, typer.Argument(metavar="P", help="The true distribution: '0.5,0.5', or file.csv::column.")],
    q: Annotated[str, typer.Argument(metavar="Q", help="Its model, likewise.")],
    labels: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Names with commas, or file.csv::column.", show_default=False)
    ] = None,
    base: Annotated[str | None, typer.Option(help="Unit: nats, bits, hartleys, or a number such as 2.")] = None,
    *,
    counts: Annotated[bool, typer.Option("--counts", help="The numbers are counts or weights.")] = False,
    logits: Annotated[bool, typer.Option("--logits", help="The numbers are logits.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> int:
    """Entropy, cross-entropy and KL of two distributions, and what each category contributes.

    A distribution that begins with a minus sign goes after two dashes: kullback explain --logits -- '-1,0' '0,1'.
    """
    import kullback as kb

    if counts and logits:
        msg = "--counts and --logits were both given; the numbers can be only one of them."
        raise InvalidInput(msg)
    form = kb.Counts if counts else kb.Logits if logits else kb.Probs
    first, second = (form(_numbers(text, name)) for text, name in ((p, "P"), (q, "Q")))
    unit = _base(base)
    try:
        told = kb.explain(first, second, labels=_words(labels) if labels else None, base=unit)
    except kb.InvalidDistribution as error:
        # The way out that the message names, in words of the command line.
        raise InvalidInput(re.sub(r"kb\.(Counts|Logits)\([pq]\)", lambda m: f"--{m[1].lower()}", str(error))) from None
    reverse = float(kb.kl_divergence(second, first, base=unit))
    js = float(kb.js_divergence(first, second, base=unit))
    if json:
        sys.stdout.write(_as_json(told.to_dict(), reverse, js) + "\n")
    else:
        _print(told, reverse, js)
    return 0


def _print(told: Any, reverse: float, js: float) -> None:
    from rich.console import Console
    from rich.text import Text

    from kullback.show import text as words

    console = Console()
    console.print(told)
    line = f" the other way KL(Q‖P) {words.number(reverse)} · Jensen–Shannon {words.number(js)} {told.unit}"
    console.print(Text(line, "dim"))


def _as_json(data: dict[str, Any], reverse: float, js: float) -> str:
    finite = math.isfinite(reverse)
    more = {"kl_reverse": reverse if finite else None, **({} if finite else {"kl_reverse_infinite": True}), "js": js}
    return json_module.dumps({**data, **more}, indent=2, ensure_ascii=False, allow_nan=False)


def _numbers(text: str, name: str) -> list[float]:
    found = []
    for i, part in enumerate(_words(text)):
        try:
            found.append(float(part))
        except ValueError:
            msg = f"{name}, entry {i + 1}: {part!r} is not a number. Expected numbers with commas, or file.csv::column."
            raise InvalidInput(msg) from None
    return found


def _words(text: str) -> list[str]:
    path, mark, column = text.rpartition("::")
    return _column(Path(path), column) if mark else [part.strip() for part in text.split(",")]


def _column(path: Path, column: str) -> list[str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = csv.DictReader(handle)
            if rows.fieldnames is None or column not in rows.fieldnames:
                msg = f"{path} has no column {column!r}; it has {', '.join(rows.fieldnames or ['none'])}."
                raise InvalidInput(msg)
            return [row[column] or "" for row in rows]
    except UnicodeDecodeError:
        msg = f"{path} is not UTF-8 text; expected a CSV file with a header."
        raise InvalidInput(msg) from None
    except csv.Error as error:
        msg = f"{path} is not a CSV file: {error}."
        raise InvalidInput(msg) from None


def _base(given: str | None) -> float | str | None:
    try:
        return float(given) if given is not None else None
    except ValueError:
        return given
