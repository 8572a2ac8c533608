"""Distributions with names: mappings, Counters, pandas Series and polars value counts, aligned by key."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from kullback.errors import InvalidDistribution, InvalidForm

Labels = tuple[Hashable, ...]


def as_keyed(x: Any) -> dict[Hashable, Any] | None:
    """The {category: mass} of a keyed object, None for everything else. Never imports a library to look at a type."""
    if isinstance(x, Mapping):
        return dict(x)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(x, pandas.Series):
        if not x.index.is_unique:
            twice = x.index[x.index.duplicated()][0]
            msg = f"The Series has the key {twice!r} more than once; sum its values first: s.groupby(level=0).sum()."
            raise InvalidDistribution(msg)
        return dict(zip(x.index.tolist(), x.to_numpy().tolist(), strict=True))
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(x, polars.DataFrame):
        if x.width != 2:
            msg = (
                f"A polars DataFrame with {x.width} columns; expected two, category and mass, as value_counts() gives."
            )
            raise InvalidForm(msg)
        keys, masses = x.get_columns()
        if keys.n_unique() != len(keys):
            msg = f"The column {keys.name!r} names a category more than once; group it and sum the masses first."
            raise InvalidDistribution(msg)
        return dict(zip(keys.to_list(), masses.to_list(), strict=True))
    return None


def is_counter(x: Any) -> bool:
    """A Counter holds counts by its very type."""
    return isinstance(x, Counter)


def positional(x: Any) -> Any:
    """Series without keys (polars) as arrays; everything else as it is."""
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(x, polars.Series):
        return x.to_numpy()
    return x


def align(raw: Sequence[Any], names: Sequence[str]) -> tuple[list[Any], Labels | None]:
    """Arrays over the union of the keys, in order of first appearance; a key that one side lacks has mass 0 there."""
    keyed = [as_keyed(x) for x in raw]
    if all(k is None for k in keyed):
        return [positional(x) for x in raw], None
    for name, k in zip(names, keyed, strict=True):
        if k is None:
            other = names[next(i for i, other in enumerate(keyed) if other is not None)]
            msg = f"{other} has named categories but {name} has none; give both as mappings or both as arrays."
            raise InvalidForm(msg)
    labels: dict[Hashable, None] = {}
    for k in keyed:
        labels.update(dict.fromkeys(k or ()))
    columns = [[(k or {}).get(label, 0) for label in labels] for k in keyed]
    return [_numbers(c, name) for c, name in zip(columns, names, strict=True)], tuple(labels)


def _numbers(column: list[Any], name: str) -> np.ndarray[Any, Any]:
    array = np.asarray(column)
    if array.dtype.kind not in "iuf":
        msg = f"{name} holds values of dtype {array.dtype}; expected one number per category."
        raise InvalidForm(msg)
    return array
