"""What every result can do: hold numbers, hand them out as plain data, and ask `kullback.show` to draw them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any


class Result(ABC):
    """A number with a story. Subclasses are final frozen dataclasses that hold numbers and words, never drawings."""

    __slots__ = ()

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON: an infinite value is None beside a flag `<name>_infinite`: True."""

    def to_json(self, *, indent: int | None = 2) -> str:
        """Strict JSON (no NaN, no Infinity)."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def __rich__(self) -> Any:
        from kullback import show

        return show.terminal(self)

    def _repr_html_(self) -> str:
        from kullback import show

        return show.fragment(self)

    def plot(self, *, ax: Any = None) -> Any:
        """Draw with matplotlib and return the Axes (needs `pip install 'kullback[plot]'`)."""
        from kullback import show

        return show.plot(self, ax=ax)


def finite_or_none(name: str, value: float) -> dict[str, float | bool | None]:
    """`{name: value}`, or for an infinite value `{name: None, name_infinite: True}`; NaN (does not apply) is None."""
    if value != value:
        return {name: None}
    if value in (float("inf"), float("-inf")):
        return {name: None, f"{name}_infinite": True}
    return {name: float(value)}
