"""Two edges in order, or a refusal by the first bad index."""

from __future__ import annotations

from typing import Any

import numpy as np

from kullback.errors import InvalidDistribution
from kullback.families.namespace import is_concrete

Array = Any
Namespace = Any


def refuse_unless(good: Any, name: str, first: str, x: Any, second: str, y: Any) -> None:
    """Refuse two edges in the wrong order, by the first bad index."""
    if isinstance(good, (bool, np.bool_)):
        if not good:
            msg = f"{name} got {first} = {x} and {second} = {y}; expected {first} < {second}."
            raise InvalidDistribution(msg)
        return
    if not is_concrete(good) or bool(good.all()):
        return
    at = tuple(int(i) for i in np.argwhere(~np.asarray(good))[0])
    x, y = (np.broadcast_to(np.asarray(v.detach() if hasattr(v, "detach") else v), good.shape)[at] for v in (x, y))
    msg = f"{name} got {first} = {x} and {second} = {y} at {list(at)}; expected {first} < {second}."
    raise InvalidDistribution(msg)
