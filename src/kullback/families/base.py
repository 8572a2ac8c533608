"""What every family is: a frozen dataclass whose parameters were checked once, and what the engine asks of it.

A family on the line is described by its standard variable y, x = loc + scale·y. Two questions are enough for any
pair: what is log q as a sum of features of y (`_terms`), and what does p expect of each feature (`_expect`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np

from kullback.errors import InvalidDistribution
from kullback.families.namespace import namespace_of, to_host
from kullback.families.parameters import as_parameter, check, numbers, shape_of, spec

Array = Any
Namespace = Any
T = TypeVar("T")


class Family(ABC):
    """A parametric family, one member or a batch of them. Subclasses are final frozen dataclasses."""

    __slots__ = ()
    # whether equal parameters make equal distributions (not so for what wraps an object of another library)
    _comparable: ClassVar[bool] = True
    # the set that a law of several dimensions fills: two laws on different ones share no mass
    _carrier: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Parse once: a bad parameter is refused where it is given, by its name."""
        name = type(self).__name__
        for field, constraint in spec(type(self)):
            if constraint is not None and not (constraint.optional and getattr(self, field) is None):
                where = f"{name}.{field}"
                value = as_parameter(getattr(self, field), where)
                check(value, constraint, where)
                object.__setattr__(self, field, value)
        self._check_together()
        try:
            _ = self.batch_shape
        except ValueError:
            shapes = ", ".join(f"{f} {shape_of(v)}" for f, v in self._arrays().items())
            msg = f"{name} got parameters whose shapes do not broadcast: {shapes}."
            raise InvalidDistribution(msg) from None

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={getattr(self, name)!r}" for name, _ in spec(type(self)))
        return f"{type(self).__name__}({inside})"

    def _check_together(self) -> None:  # noqa: B027  most families have nothing to add
        """Refuse parameters that are fine alone and wrong together."""

    def _arrays(self) -> dict[str, Any]:
        """The parameters that are numbers, by name."""
        given = {name: getattr(self, name) for name, constraint in spec(type(self)) if constraint is not None}
        return {name: value for name, value in given.items() if value is not None}

    def _parts(self) -> tuple[Family, ...]:
        """The families that this one is made of."""
        return ()

    def _leaves(self) -> list[Any]:
        own = [value for name in numbers(type(self)) if (value := getattr(self, name)) is not None]
        for part in self._parts():
            own += part._leaves()
        return own

    def _is_plain(self) -> bool:
        """Whether every parameter is one Python number."""
        for name in numbers(type(self)):
            if not isinstance(getattr(self, name), float):
                return False
        return all(map(Family._is_plain, self._parts()))

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The broadcast shape of the parameters."""
        shapes = []
        for name, constraint in spec(type(self)):
            value = getattr(self, name)
            if constraint is None or value is None or isinstance(value, float):
                continue
            shapes.append(tuple(value.shape)[: len(value.shape) - constraint.event_dims])
        return tuple(np.broadcast_shapes(*shapes)) if shapes else ()

    def _with(self, change: Callable[[Any], Any]) -> Any:
        """The same family with `change` done to every array parameter; nothing is checked again."""
        new = object.__new__(type(self))
        for name, constraint in spec(type(self)):
            value = getattr(self, name)
            if value is None:
                pass
            elif constraint is not None:
                value = change(value)
            elif isinstance(value, Family):
                value = value._with(change)
            elif isinstance(value, tuple) and value and isinstance(value[0], Family):
                value = tuple(v._with(change) for v in value)
            object.__setattr__(new, name, value)
        return new

    def _pick(self, shape: tuple[int, ...], at: tuple[int, ...]) -> Any:
        """The member at index `at` of the batch broadcast to `shape`, with NumPy parameters."""
        new = object.__new__(type(self))
        for name, constraint in spec(type(self)):
            value = getattr(self, name)
            if value is None:
                pass
            elif constraint is not None:
                host = to_host(value)
                event = host.shape[host.ndim - constraint.event_dims :]
                value = np.broadcast_to(host, shape + event)[at]
                value = float(value) if value.ndim == 0 else value
            elif isinstance(value, Family):
                value = value._pick(shape, at)
            elif isinstance(value, tuple) and value and isinstance(value[0], Family):
                value = tuple(v._pick(shape, at) for v in value)
            object.__setattr__(new, name, value)
        return new

    def _along(self, k: int | slice, skip: int = 0) -> Any:
        """The k-th member along the last batch axis but `skip`, or the members of a slice."""
        only = slice(None) if isinstance(k, slice) else 0
        new = object.__new__(type(self))
        for name, constraint in spec(type(self)):
            value = getattr(self, name)
            if constraint is not None and value is not None and not isinstance(value, float):
                axis = len(value.shape) - constraint.event_dims - 1 - skip
                if axis >= 0:
                    value = value[(slice(None),) * axis + (k if value.shape[axis] > 1 else only,)]
            elif isinstance(value, Family):
                value = value._along(k, skip)
            elif isinstance(value, tuple) and value and isinstance(value[0], Family):
                value = tuple(v._along(k, skip) for v in value)
            object.__setattr__(new, name, value)
        return new

    def _expanded(self, shape: tuple[int, ...]) -> Any:
        """The same law, its parameters broadcast to a batch of `shape`."""
        xp = work(*self._leaves())
        new = object.__new__(type(self))
        for name, constraint in spec(type(self)):
            value = getattr(self, name)
            if constraint is not None and value is not None:
                value = xp.double(value) if isinstance(value, float) else value
                event = tuple(value.shape)[len(value.shape) - constraint.event_dims :] if constraint.event_dims else ()
                value = (np.broadcast_to if xp.name == "scalar" else xp.broadcast_to)(value, shape + event)
            elif isinstance(value, Family):
                value = value._expanded(shape)
            elif isinstance(value, tuple) and value and isinstance(value[0], Family):
                value = tuple(v._expanded(shape) for v in value)
            object.__setattr__(new, name, value)
        return new

    def _lifted(self, xp: Namespace) -> Any:
        """With parameters in `xp`, in double precision where there is one."""
        return self._with(xp.double)

    def _kind(self) -> Any:
        """What a family is besides its numbers: its type, its options, and the same of its parts."""
        if not self._comparable:
            return id(self)
        parts = self._parts()
        options = []
        for name, constraint in spec(type(self)):
            value = getattr(self, name)
            inner = isinstance(value, Family) or (
                isinstance(value, tuple) and any(isinstance(v, Family) for v in value)
            )
            if constraint is not None:
                options.append(value is None)
            elif not inner:
                options.append(value)
        return type(self), tuple(options), tuple(part._kind() for part in parts)

    def _beside(self, other: Family, xp: Namespace) -> Family:
        """What stands for this law in a pair with `other`."""
        del other, xp
        return self

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one draw."""
        return ()

    @abstractmethod
    def _kl(self, q: Any, xp: Namespace) -> Any:
        """The `Answer` of a closed route from this family to q, both lifted to `xp`, or None."""

    @abstractmethod
    def _entropy(self, xp: Namespace) -> Array | None:
        """H in nats by a closed form, lifted, or None."""

    def _cross_entropy(self, q: Any, xp: Namespace) -> Array | None:
        """−E log q by a closed form, lifted, or None; the sum of entropy and KL is the way out."""
        del q, xp
        return None

    def entropy(self) -> Array:
        """Entropy in nats, one per member of the batch; the differential entropy of a density may be negative."""
        from kullback.families import dispatch

        return dispatch.entropy(self)

    @abstractmethod
    def log_prob(self, x: Array, /) -> Array:
        """Natural log of the density or mass at x; −∞ outside the support."""

    @abstractmethod
    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Draws of shape `shape` + batch shape (+ event shape), as NumPy makes them from `random_state`."""


def generator(random_state: Any) -> np.random.Generator:
    """A NumPy generator from a seed or a generator."""
    return np.random.default_rng(random_state)


def sample_shape(shape: Any) -> tuple[int, ...]:
    """An int or a tuple of ints as a tuple."""
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)


def work(*values: Any) -> Namespace:
    """The namespace to compute in for these values and parameters."""
    return namespace_of(*values)
