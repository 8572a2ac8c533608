"""The choice of the way: a few categories in plain Python, some thousands of numbers in a few calls of NumPy, many in
compiled loops, all else the formula.

Each way answers None for whatever they do not cover or would refuse: the plain door then speaks, in the same words as
ever. They are chosen by kind and size alone, so the same input gives the same bits whatever was imported before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback._values import tolerance
from kullback.forms import Counts, Logits, Probs
from kullback.measures import _few, _some

Array = np.ndarray[Any, Any]

MANY = _some.MOST + 1  # pairs of numbers from which on loops are compiled


@dataclass(frozen=True, slots=True)
class Fast:
    """The fast ways of one measure."""

    name: str
    in_python: Callable[..., float | None]
    in_numpy: Callable[..., Any]

    def few(self, given: Sequence[Any], axis: int) -> Any:
        """The measure of what the user gave, for few or some categories."""
        answer = self.in_python(*given, axis)
        return np.float64(answer) if answer is not None else self.in_numpy(*given, axis)

    def many(self, forms: Sequence[Any], arrays: Sequence[Any], axis: int) -> Array | None:
        """The measure by compiled loops, for enough numbers in one of the two forms that they know."""
        logits = self.name == "kl_divergence" and all(covers_logits(f, x) for f, x in zip(forms, arrays, strict=True))
        if not logits and not all(covers(f, x) for f, x in zip(forms, arrays, strict=True)):
            return None
        last = [np.moveaxis(x, axis, -1) for x in (arrays[0], arrays[-1])]
        enough = MANY if all(type(f) is Probs for f in forms) else MANY / 4  # others have no way in a few calls
        if math.prod(np.broadcast_shapes(*(x.shape for x in last))) < enough:
            return None
        rows = _compiled()
        if rows is None:
            return None
        answer: Array | None
        if logits:
            answer = rows.measure_logits(*last)
            return answer
        p, q = arrays[0], arrays[-1]
        bounds = np.array([*_bounds(forms[0], p, axis), *_bounds(forms[-1], q, axis)])
        answer = rows.measure(self.name, *last, int(any(isinstance(f, Counts) for f in forms)), bounds)
        return answer


KL_DIVERGENCE = Fast("kl_divergence", _few.kl_divergence, _some.kl_divergence)
JS_DIVERGENCE = Fast("js_divergence", _few.js_divergence, _some.js_divergence)
CROSS_ENTROPY = Fast("cross_entropy", _few.cross_entropy, _some.cross_entropy)
ENTROPY = Fast("entropy", _few.entropy, _some.entropy)


def covers(form: Any, x: Any) -> bool:
    """Whether the compiled loops know this form and dtype."""
    if type(x) is not np.ndarray or x.dtype.str[1:] not in ("f8", "f4", "i8", "i4"):
        return False
    if not x.dtype.isnative or not x.flags.aligned:
        return False
    return type(form) is Probs or (type(form) is Counts and not form.pseudocount)


def covers_logits(form: Any, x: Any) -> bool:
    """Whether the compiled loop for logits knows this."""
    return type(form) is Logits and covers(Probs(x), x) and x.dtype.kind == "f"


def _bounds(form: Any, x: Array, axis: int) -> tuple[float, float]:
    """Between which the total of a row must be. Half the tolerance: the plain door decides about the other half."""
    if isinstance(form, Counts):
        return float(np.finfo(np.float64).smallest_subnormal), float(np.finfo(np.float64).max)
    slack = 0.5 * tolerance(x, axis, np)
    return 1.0 - slack, 1.0 + slack


def _compiled() -> Any:
    """The compiled loops, or None where numba does not work."""
    try:
        import numba

        if numba.config.DISABLE_JIT:
            return None
        from kullback.measures._numba import rows
    except ImportError:  # a numba that does not fit the Python or NumPy at hand: the formula gives the same numbers
        return None
    return rows
