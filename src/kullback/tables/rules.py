"""What `bins=` may be: nothing, the name of a rule, edges for columns, or a TOML file that holds either."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from kullback.errors import InvalidInput
from kullback.tables import bins
from kullback.tables.counts import TICKS, Pair

RULES = ("default", "quantiles", "equal-width")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Bins:
    """A rule for all ordered columns, and edges for those that have their own."""

    rule: bins.Rule = bins.default
    edges: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def parse(given: Any) -> Bins:
    """Read `bins=`.

    A rule is "default", "quantiles", "quantiles:20", "equal-width" or "equal-width:20". A mapping or TOML file gives
    the inner edges of columns by name, `temp = [32, 50, 68]`, dates included.
    """
    if given is None:
        return Bins()
    if isinstance(given, Mapping):
        return Bins(edges=dict(given))
    if isinstance(given, os.PathLike) or (isinstance(given, str) and given.endswith(".toml")):
        return Bins(edges=_from_file(Path(given)))
    if isinstance(given, str):
        return Bins(rule=_rule(given))
    msg = f"bins is a {type(given).__name__}; expected a rule ({', '.join(RULES)}), edges by column, or a TOML file."
    raise InvalidInput(msg)


def _rule(text: str) -> bins.Rule:
    name, colon, number = text.partition(":")
    if name == "default" and not colon:
        return bins.default
    if name in ("quantiles", "equal-width"):
        n = 10
        if colon:
            if not number.isdecimal() or not 2 <= int(number) <= 10_000:
                msg = f"bins={text!r}: expected a number of bins from 2 to 10000, such as {name}:20."
                raise InvalidInput(msg)
            n = int(number)
        return partial(bins.quantiles if name == "quantiles" else bins.equal_width, bins=n)
    msg = (
        f"bins={text!r} is not a rule. Use {', '.join(RULES)} (with a number: quantiles:20), or a .toml file of edges."
    )
    raise InvalidInput(msg)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as handle:
            return tomllib.load(handle)
    except OSError as error:
        msg = f"bins: {path} cannot be read: {error.strerror}."
        raise InvalidInput(msg) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"bins: {path} is not TOML: {error}."
        raise InvalidInput(msg) from None


def own_edges(pair: Pair, given: Any) -> list[float | int]:
    """The edges that the user gave for one column, as numbers or ticks."""
    where = f"bins: the edges of {pair.name!r}"
    if isinstance(given, (str, bytes)) or not isinstance(given, Sequence) or not given:
        msg = f"{where} are {given!r}; expected a list of numbers or dates, such as [0, 10, 100]."
        raise InvalidInput(msg)
    found = [_number(pair, edge, where) for edge in given]
    if any(not low < high for low, high in itertools.pairwise(found)):
        msg = f"{where} are {list(given)!r}; expected them in rising order, each once."
        raise InvalidInput(msg)
    return found


def _number(pair: Pair, edge: Any, where: str) -> float | int:
    if pair.kind == "datetime" and isinstance(edge, dt.date):
        if not isinstance(edge, dt.datetime):
            edge = dt.datetime(edge.year, edge.month, edge.day)
        edge = edge if edge.tzinfo else edge.replace(tzinfo=dt.UTC)
        ticks: int = (edge - _EPOCH) // dt.timedelta(microseconds=1)
        return ticks
    if pair.kind == "time" and isinstance(edge, dt.time):
        return ((edge.hour * 60 + edge.minute) * 60 + edge.second) * TICKS + edge.microsecond
    if pair.kind in ("datetime", "time"):
        kind = "dates" if pair.kind == "datetime" else "times of day"
        msg = f"{where} hold {edge!r}; expected {kind}, as TOML writes them without quotes."
        raise InvalidInput(msg)
    try:
        number = float(edge)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(edge, (bool, str)) or not math.isfinite(number):
        msg = f"{where} hold {edge!r}; expected finite numbers."
        raise InvalidInput(msg)
    return int(edge) if isinstance(edge, int) or (pair.whole and number == int(number)) else number
