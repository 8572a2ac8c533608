"""Each law as a function of (measure, p, q, …): used by the tests, by `kb.laws.check` and by `kullback laws`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback.errors import InvalidForm
from kullback.facts import LAWS, Law

Measure = Callable[[Any, Any], Any]
Vector = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a law held, and the two sides that were compared."""

    law: Law
    holds: bool
    left: float
    right: float

    def __bool__(self) -> bool:
        return self.holds


def check(
    measure: Measure,
    law: Law,
    p: Any,
    q: Any,
    /,
    *more: Any,
    tolerance: float = 1e-12,
    bounds: Sequence[float] = (0.0, np.inf),
) -> Verdict:
    """Whether `measure` obeys `law` on these distributions: a function of your own is held to the same laws as ours.

    Parameters
    ----------
    measure
        Any function of two 1-D arrays of probabilities.
    law
        A key of `kullback.facts.LAWS`.
    p, q
        Distributions, shape (K,).
    *more
        A third distribution R for ``"triangle"``; a second pair P′, Q′ for ``"convex"`` and ``"additive"``.
    tolerance
        Relative slack for rounding, of the larger side.
    bounds
        (low, high) for ``"bounded"``.

    Returns
    -------
    Verdict
        True or false, with the two sides compared.

    Raises
    ------
    InvalidForm
        An unknown law, or one that needs more distributions.

    Examples
    --------
    >>> import kullback as kb
    >>> bool(kb.laws.check(kb.kl_divergence, "symmetric", [0.5, 0.5], [0.9, 0.1]))
    False
    """
    if law not in LAWS:
        msg = f"law={law!r} is not known; expected one of {', '.join(LAWS)}."
        raise InvalidForm(msg)
    needed = {"triangle": 1, "convex": 2, "additive": 2}.get(law, 0)
    if len(more) != needed:
        msg = f"The law {law!r} ({LAWS[law]}) needs {2 + needed} distributions; got {2 + len(more)}."
        raise InvalidForm(msg)
    vectors = [np.asarray(x, dtype=float) for x in (p, q, *more)]
    if law == "bounded":
        value = float(measure(*vectors))
        slack = tolerance * max(1.0, abs(value) if np.isfinite(value) else 1.0)
        return Verdict(law, bounds[0] - slack <= value <= bounds[1] + slack, value, bounds[1])
    left, right, equal = _SIDES[law](measure, *vectors)
    return Verdict(law, _compare(left, right, tolerance, equal=equal), left, right)


def _compare(left: float, right: float, tolerance: float, *, equal: bool) -> bool:
    """Left = right, or left ≤ right, up to rounding; infinities are equal to themselves."""
    if np.isnan(left) or np.isnan(right):
        return False
    if np.isinf(left) or np.isinf(right):
        return bool(left == right) or (not equal and left < right)
    slack = tolerance * max(abs(left), abs(right))
    return bool(abs(left - right) <= slack) if equal else bool(left <= right + slack)


def _non_negative(m: Measure, p: Vector, q: Vector) -> tuple[float, float, bool]:
    return 0.0, float(m(p, q)), False


def _zero_at_equal(m: Measure, p: Vector, q: Vector) -> tuple[float, float, bool]:
    del q
    return float(m(p, p)), 0.0, True


def _zero_only_at_equal(m: Measure, p: Vector, q: Vector) -> tuple[float, float, bool]:
    """Sides: 0 if the law is broken here, that is, a zero between different distributions."""
    broken = float(m(p, q)) == 0.0 and not np.array_equal(p, q)
    return float(broken), 0.0, True


def _symmetric(m: Measure, p: Vector, q: Vector) -> tuple[float, float, bool]:
    return float(m(p, q)), float(m(q, p)), True


def _triangle(m: Measure, p: Vector, q: Vector, r: Vector) -> tuple[float, float, bool]:
    return float(m(p, r)), float(m(p, q)) + float(m(q, r)), False


def _convex(m: Measure, p: Vector, q: Vector, p2: Vector, q2: Vector) -> tuple[float, float, bool]:
    mixed = float(m(0.5 * p + 0.5 * p2, 0.5 * q + 0.5 * q2))
    return mixed, 0.5 * float(m(p, q)) + 0.5 * float(m(p2, q2)), False


def _data_processing(m: Measure, p: Vector, q: Vector) -> tuple[float, float, bool]:
    """Merges the first two categories."""
    if len(p) < 2:
        return 0.0, 0.0, True
    return float(m(_merge(p), _merge(q))), float(m(p, q)), False


def _additive(m: Measure, p: Vector, q: Vector, p2: Vector, q2: Vector) -> tuple[float, float, bool]:
    joint = float(m(np.outer(p, p2).ravel(), np.outer(q, q2).ravel()))
    return joint, float(m(p, q)) + float(m(p2, q2)), True


def _relabelling(m: Measure, p: Vector, q: Vector) -> tuple[float, float, bool]:
    return float(m(p[::-1], q[::-1])), float(m(p, q)), True


def _merge(x: Vector) -> Vector:
    return np.concatenate([[x[0] + x[1]], x[2:]])


_SIDES: dict[str, Callable[..., tuple[float, float, bool]]] = {
    "non_negative": _non_negative,
    "zero_at_equal": _zero_at_equal,
    "zero_only_at_equal": _zero_only_at_equal,
    "symmetric": _symmetric,
    "triangle": _triangle,
    "convex": _convex,
    "data_processing": _data_processing,
    "additive": _additive,
    "relabelling": _relabelling,
}
