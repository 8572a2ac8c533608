"""Which columns of two tables belong together, and which cannot be compared."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from kullback.errors import InvalidInput
from kullback.result.comparison import Skipped
from kullback.tables.counts import SIDES, Engine, Field, Pair

Names = tuple[str, ...] | None


def matched(engine: Engine, columns: Names, exclude: Names) -> tuple[list[Pair], list[Skipped]]:
    """The columns that both tables have, loaded; and those among them that cannot be counted."""
    r, c = ({field.name: field for field in engine.schema(side)} for side in SIDES)
    known(columns, r, c, "columns")
    known(exclude, r, c, "exclude")
    common = [name for name in r if name in c and _wanted(name, columns, exclude)]
    if not common:
        asked = " among those asked for" if columns is not None or exclude is not None else ""
        msg = f"the tables have no common column{asked}: reference has {_listed(r)}; current has {_listed(c)}."
        raise InvalidInput(msg)
    pairs, skipped = [], []
    for name in common:
        nested = next((field for field in (r[name], c[name]) if field.kind is None), None)
        if nested is None:
            pairs.append(_pair(r[name], c[name]))
        else:
            skipped.append(Skipped(name, f"{type_of(nested)} is not compared; make columns of its parts"))
    engine.load(pairs)
    return pairs, skipped


def _pair(r: Field, c: Field) -> Pair:
    kind = c.kind if r.kind == "nothing" else r.kind
    assert kind is not None  # those without a kind were skipped before
    return Pair(r.name, kind, r, c, r.whole and c.whole)


def met(engine: Engine, pairs: Sequence[Pair], rows: Sequence[int]) -> tuple[list[Pair], list[Skipped]]:
    """Pairs of one kind. A column without any value has whatever kind the other side has."""
    met, skipped = [], []
    for pair in pairs:
        kinds = {pair.reference.kind, pair.current.kind}
        if len(kinds - {"nothing"}) <= 1:
            met.append(_only_nulls_fit(pair))
            continue
        empty = [side for side, n in zip(SIDES, rows, strict=True) if engine.missing(side, pair) == n]
        if not empty:
            r, c = type_of(pair.reference), type_of(pair.current)
            skipped.append(Skipped(pair.name, f"types do not meet: {r} in reference, {c} in current"))
            continue
        void = {side: replace(pair.on(side), kind="nothing", type="NULL") for side in empty}
        met.append(_only_nulls_fit(_pair(void.get("reference", pair.reference), void.get("current", pair.current))))
    return met, skipped


def _only_nulls_fit(pair: Pair) -> Pair:
    """A side without values does not decide whether numbers are whole."""
    known = [field for field in (pair.reference, pair.current) if field.kind != "nothing"]
    return replace(pair, whole=bool(known) and all(field.whole for field in known))


def only_in(engine: Engine, side: str, columns: Names, exclude: Names) -> tuple[str, ...]:
    """Columns of one side that the other lacks."""
    here, there = SIDES if side == "reference" else SIDES[::-1]
    others = {field.name for field in engine.schema(there)}
    names = (field.name for field in engine.schema(here) if field.name not in others)
    return tuple(name for name in names if _wanted(name, columns, exclude))


def _wanted(name: str, columns: Names, exclude: Names) -> bool:
    return (columns is None or name in columns) and (exclude is None or name not in exclude)


def known(asked: Iterable[str] | None, r: Mapping[str, Field], c: Mapping[str, Field], option: str) -> None:
    """Refuse a name that neither table has, with the nearest that they do."""
    for name in asked or ():
        if name not in r and name not in c:
            near = difflib.get_close_matches(name, [*r, *c], n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" The tables have {_listed({**r, **c})}."
            msg = f"{option}: neither table has a column {name!r}.{hint}"
            raise InvalidInput(msg)


def type_of(field: Field) -> str:
    """The engine's word for a type, short."""
    return field.type if len(field.type) <= 40 else field.type[:37] + "…"


def _listed(fields: Mapping[str, Field]) -> str:
    names = [repr(name) for name in fields]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "none"
