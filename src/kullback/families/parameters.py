"""Parameters of families: what each must be, in words and as a test, and the door that refuses it by its name."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

import numpy as np

from kullback.errors import InvalidDistribution, InvalidForm
from kullback.families.namespace import is_concrete

Array = Any
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Constraint:
    """What a parameter must be: the words for the message, and the test, on arrays of any namespace."""

    words: str
    holds: Callable[[Any], Any]
    event_dims: int = 0
    optional: bool = False


def parameter(constraint: Constraint, *, default: Any = dataclasses.MISSING) -> Any:
    """A field that holds numbers."""
    return dataclasses.field(default=default, metadata={"constraint": constraint})


_INF = float("inf")


def real(*, default: Any = dataclasses.MISSING) -> Any:
    """A finite number."""
    return parameter(Constraint("a finite number", lambda x: (x > -_INF) & (x < _INF)), default=default)


def positive(*, default: Any = dataclasses.MISSING) -> Any:
    """A finite number > 0."""
    return parameter(Constraint("a finite number > 0", lambda x: (x > 0) & (x < _INF)), default=default)


def non_negative(default: Any = dataclasses.MISSING) -> Any:
    """A finite number ≥ 0."""
    return parameter(Constraint("a finite number ≥ 0", lambda x: (x >= 0) & (x < _INF)), default=default)


def nonzero() -> Any:
    """A finite number that is not 0."""
    return parameter(Constraint("a finite number ≠ 0", lambda x: (x > -_INF) & (x < _INF) & (x != 0)))


def extended() -> Any:
    """A number or ±∞."""
    return parameter(Constraint("a number or ±inf", lambda x: x == x))


def greater_than(low: float) -> Any:
    """A finite number > low."""
    return parameter(Constraint(f"a finite number > {low:g}", lambda x: (x > low) & (x < _INF)))


def probability() -> Any:
    """A number in [0, 1]."""
    return parameter(Constraint("a probability in [0, 1]", lambda x: (x >= 0) & (x <= 1)))


def open_probability(*, upper_included: bool = False) -> Any:
    """A number in (0, 1), or (0, 1]."""
    if upper_included:
        return parameter(Constraint("a probability in (0, 1]", lambda x: (x > 0) & (x <= 1)))
    return parameter(Constraint("a probability in (0, 1)", lambda x: (x > 0) & (x < 1)))


def whole(low: int = 0) -> Any:
    """A whole number ≥ low."""
    return parameter(Constraint(f"a whole number ≥ {low}", lambda x: (x >= low) & (x < 2**53) & (x % 1 == 0)))


def positive_vector() -> Any:
    """Finite numbers > 0 along the last axis."""
    return parameter(Constraint("finite numbers > 0", lambda x: (x > 0) & (x < _INF), 1))


def real_vector() -> Any:
    """Finite numbers along the last axis."""
    return parameter(Constraint("finite numbers", lambda x: (x > -_INF) & (x < _INF), 1))


def real_matrix() -> Any:
    """Finite numbers along the last two axes."""
    return parameter(Constraint("finite numbers", lambda x: (x > -_INF) & (x < _INF), 2))


@dataclass_transform(
    frozen_default=True,
    eq_default=False,
    field_specifiers=(
        dataclasses.field,
        parameter,
        real,
        positive,
        non_negative,
        nonzero,
        extended,
        greater_than,
        probability,
        open_probability,
        whole,
        positive_vector,
        real_vector,
        real_matrix,
    ),
)
def family(cls: type[T]) -> type[T]:
    """The dataclass that every family is: frozen, slotted, compared by identity (its parameters may be arrays)."""
    return dataclasses.dataclass(frozen=True, slots=True, eq=False, repr=False)(cls)


def as_parameter(value: Any, where: str) -> Any:
    """A parameter as given: Python and NumPy numbers to float, lists to arrays, integers to float64."""
    if type(value) is float:
        return value
    if isinstance(value, (bool, str, bytes, complex)) or value is None:
        msg = f"{where} = {value!r}; expected a number or an array of numbers."
        raise InvalidForm(msg)
    if isinstance(value, (int, np.number)):
        return float(value)
    if isinstance(value, (list, tuple)):
        try:
            value = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            msg = f"{where} = {value!r}; expected numbers in a rectangular shape."
            raise InvalidForm(msg) from None
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "iuf":
            msg = f"{where} has dtype {value.dtype}; expected real numbers."
            raise InvalidForm(msg)
        if value.ndim == 0:
            return float(value)
        return value if value.dtype.kind == "f" else value.astype(float)
    if not hasattr(value, "shape"):
        msg = f"{where} is a {type(value).__name__}; expected a number or an array of numbers."
        raise InvalidForm(msg)
    kind = str(value.dtype)
    if "complex" in kind or "bool" in kind:
        msg = f"{where} has dtype {kind}; expected real numbers."
        raise InvalidForm(msg)
    return value


def check(value: Any, constraint: Constraint, where: str) -> None:
    """Refuse a value that breaks its constraint, by the first bad index."""
    if isinstance(value, float):
        if constraint.event_dims:
            msg = f"{where} = {value}; expected an array with at least {constraint.event_dims} axes."
            raise InvalidDistribution(msg)
        if not constraint.holds(value):
            msg = f"{where} = {value}; expected {constraint.words}."
            raise InvalidDistribution(msg)
        return
    if len(value.shape) < constraint.event_dims:
        msg = f"{where} has shape {tuple(value.shape)}; expected at least {constraint.event_dims} axes."
        raise InvalidDistribution(msg)
    if not is_concrete(value):
        return
    good = constraint.holds(value)
    if bool(good.all()):
        return
    host = np.asarray(good.detach().cpu() if hasattr(good, "detach") else good)
    at = tuple(int(i) for i in np.argwhere(~host)[0])
    bad = float(value[at])
    index = f"[{', '.join(map(str, at))}]" if at else ""
    msg = f"{where}{index} = {bad}; expected {constraint.words}."
    raise InvalidDistribution(msg)


def shape_of(value: Any) -> tuple[int, ...]:
    """() for a plain number."""
    return () if isinstance(value, (float, int)) else tuple(value.shape)


@functools.cache
def spec(cls: type) -> tuple[tuple[str, Constraint | None], ...]:
    """The fields of a family: their names, and the constraints of those that are parameters."""
    return tuple((f.name, f.metadata.get("constraint")) for f in dataclasses.fields(cls))


@functools.cache
def numbers(cls: type) -> tuple[str, ...]:
    """The fields of a family that are parameters."""
    return tuple(name for name, constraint in spec(cls) if constraint is not None)
