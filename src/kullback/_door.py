"""The door: every array that enters is checked here once, so that the formulas may assume clean arrays.

`enter` takes what users pass, in any form, and gives arrays of one namespace with the categories on the last axis,
in the dtype in which the sums are made. Order of checks: form, namespace, dtype, shape; then, unless traced or
`validate=False`, values.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from kullback import _keyed, _sparse, _values
from kullback.errors import InvalidDistribution, InvalidForm
from kullback.forms import Counts, Logits, LogProbs, Probs, Samples

Array = Any
Namespace = Any
Base = float | str | None

BLOCK = 1 << 13  # numbers that a formula of NumPy arrays is given at a time, where they are many rows

_BASES = {"nats": math.e, "e": math.e, "bits": 2.0, "hartleys": 10.0}


@dataclass(frozen=True, slots=True)
class Clean:
    """A checked array. Masses need not sum to 1: they are measured as if divided by their total."""

    values: Array
    log: bool  # log-masses rather than masses
    counted: bool  # totals may differ between arrays by more than rounding


@dataclass(frozen=True, slots=True)
class Entered:
    """What the door hands to a formula, and how its answer leaves."""

    xp: Namespace
    parts: tuple[Clean, ...]
    labels: tuple[Hashable, ...] | None
    leave: Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class _Arrived:
    """One namespace, and shapes and dtypes that go together; values not yet looked at."""

    xp: Namespace
    forms: list[Any]
    arrays: list[Array]
    names: Sequence[str]
    labels: tuple[Hashable, ...] | None
    inside: Any
    leave: Callable[[Array], Array]


class Fast(Protocol):
    """Fast ways of one measure, None where they do not lead there; see `kullback.measures._fast`."""

    def few(self, given: Sequence[Any], axis: int) -> Array | None:
        """For not too many numbers, as the user gave them."""

    def many(self, forms: Sequence[Any], arrays: Sequence[Array], axis: int) -> Array | None:
        """For NumPy arrays that have arrived."""


def enter(
    *given: Any,
    axis: int = -1,
    base: Base = None,
    keepdims: bool = False,
    validate: bool = True,
    names: Sequence[str] = "pq",
) -> Entered:
    """Check `given` and bring it into one shape and dtype; `leave` casts the answer back, in the unit of `base`."""
    axis = _index(axis)
    arrived = _arrive(given, axis=axis, base=base, keepdims=keepdims, names=names)
    return _admit(arrived, axis, validate=validate)


def measure(
    formula: Callable[..., Array],
    *given: Any,
    fast: Fast | None = None,
    axis: int = -1,
    base: Base = None,
    keepdims: bool = False,
    validate: bool = True,
    names: Sequence[str] = "pq",
) -> Array:
    """The whole way of a measure: through the door, the formula on clean arrays, and out again.

    `fast` gives the same number sooner, or None for all that it does not cover.
    """
    if type(axis) is not int:
        axis = _index(axis)
    if fast is not None and (few := fast.few(given, axis)) is not None:
        few = few if base is None else few / few.dtype.type(log_base(base))
        return np.expand_dims(few, axis) if keepdims else few
    if any(_sparse.is_sparse(x) for x in given):
        run = partial(measure, formula, fast=fast, base=base, names=names, validate=False)
        forms = [as_form(x, name) for x, name in zip(given, names, strict=False)]
        return _sparse.measure(run, forms, names, axis=axis, keepdims=keepdims, validate=validate)
    arrived = _arrive(given, axis=axis, base=base, keepdims=keepdims, names=names)
    if arrived.xp is not np:
        entered = _admit(arrived, axis, validate=validate)
        return entered.leave(formula(*entered.parts, xp=entered.xp))
    if fast is not None and (many := fast.many(arrived.forms, arrived.arrays, axis)) is not None:
        return arrived.leave(many)
    with np.errstate(over="ignore"):  # a value above the largest float is ∞, as everywhere in this library
        entered = _admit(arrived, axis, validate=validate)
        return entered.leave(_by_rows(formula, entered.parts))


def _by_rows(formula: Callable[..., Array], parts: Sequence[Clean]) -> Array:
    """The formula of a few rows at a time: all that it makes on the way stays in the cache."""
    shapes = [part.values.shape for part in parts]
    lead, k = np.broadcast_shapes(*(shape[:-1] for shape in shapes)), shapes[0][-1]
    rows, step = math.prod(lead), max(1, BLOCK // k)
    if rows <= step or any(shape[:-1] != lead and math.prod(shape[:-1]) != 1 for shape in shapes):
        return formula(*parts, xp=np)
    flat = [replace(part, values=part.values.reshape(-1, k)) for part in parts]

    def some(part: Clean, first: int) -> Clean:
        return part if len(part.values) == 1 else replace(part, values=part.values[first : first + step])

    answers = [formula(*(some(part, i) for part in flat), xp=np) for i in range(0, rows, step)]
    return np.concatenate(answers).reshape(lead)


def _arrive(given: Sequence[Any], *, axis: int, base: Base, keepdims: bool, names: Sequence[str]) -> _Arrived:
    unit = log_base(base)
    forms = [as_form(x, name) for x, name in zip(given, names, strict=False)]
    aligned, labels = _keyed.align([f.values for f in forms], names[: len(forms)])
    arrays = [x if _is_array(x) else np.asarray(x) for x in aligned]
    xp = namespace(arrays)
    for form, x, name in zip(forms, arrays, names, strict=False):
        _check_dtype_and_shape(form, x, name, axis, xp)
    _check_lengths(arrays, names, axis)
    out, inside = _dtypes(arrays, xp)

    def leave(answer: Array) -> Array:
        answer = answer if unit == 1.0 else answer / unit
        if keepdims:
            answer = xp.expand_dims(answer, axis=axis)
        answer = answer if answer.dtype == out else xp.astype(answer, out)
        return answer[()] if xp is np else answer  # a NumPy scalar rather than a 0-d array

    return _Arrived(xp, forms, arrays, names, labels, inside, leave)


def _admit(arrived: _Arrived, axis: int, *, validate: bool) -> Entered:
    xp, forms, arrays = arrived.xp, arrived.forms, arrived.arrays
    if validate and not any(is_traced(x) for x in arrays):
        for form, x, name in zip(forms, arrays, arrived.names, strict=False):
            _values.check(form, x, name, axis, xp)
    parts = tuple(_clean(f, _to_last(x, axis, xp), arrived.inside, xp) for f, x in zip(forms, arrays, strict=True))
    return Entered(xp, parts, arrived.labels, arrived.leave)


def _index(axis: Any) -> int:
    try:
        return operator.index(axis)
    except TypeError:
        msg = f"axis={axis!r}; expected the number of one axis, such as -1. Merge several axes with reshape first."
        raise InvalidForm(msg) from None


def log_base(base: Base) -> float:
    """Nats per unit: 1 for nats, ln 2 for bits."""
    if base is None:
        return 1.0
    number = _BASES.get(base) if isinstance(base, str) else base
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 1.0 < number < math.inf:
        msg = f"base={base!r}; expected a number > 1, or one of {', '.join(map(repr, _BASES))}."
        raise InvalidForm(msg) if not isinstance(number, (int, float)) else InvalidDistribution(msg)
    return math.log(number) if number != math.e else 1.0


def unit_name(base: Base) -> str:
    """The name of the unit of `base`, for results."""
    nats = log_base(base)
    names = {1.0: "nats", math.log(2): "bits", math.log(10): "hartleys"}
    return names.get(nats, f"units of log {base}")


def namespace(arrays: Sequence[Array]) -> Namespace:
    """The one array namespace of all inputs; NumPy is its own."""
    if all(type(x) is np.ndarray or isinstance(x, np.generic) for x in arrays):
        return np
    torch = sys.modules.get("torch")
    if torch is not None and all(isinstance(x, torch.Tensor) for x in arrays):
        import array_api_compat.torch as xp_torch

        return xp_torch
    import array_api_compat

    try:
        return array_api_compat.array_namespace(*arrays)
    except TypeError:
        kinds = ", ".join(sorted({f"{type(x).__module__.split('.')[0]}.{type(x).__name__}" for x in arrays}))
        msg = (
            f"Got arrays of different libraries in one call ({kinds}); expected one. Convert them to the same library."
        )
        raise InvalidForm(msg) from None


def is_traced(x: Array) -> bool:
    """Whether values are unknown now: under jax.jit, grad or vmap, torch.compile or torch.func transforms."""
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(x, jax.core.Tracer):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor):
        return bool(torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(x))
    return False


def _is_array(x: Any) -> bool:
    return hasattr(x, "dtype") and hasattr(x, "shape")


def as_form(x: Any, name: str) -> Probs | LogProbs | Logits | Counts:
    if isinstance(x, (Probs, LogProbs, Logits)):
        return x
    if isinstance(x, Counts):
        x.pseudocount  # noqa: B018  an unknown smoothing is refused before anything is measured
        return x
    if isinstance(x, Samples):
        msg = (
            f"{name} is kb.Samples: this function measures distributions that are known, and no estimator from samples "
            "stands behind it. Discrete samples: count them, kb.Counts(Counter(x)). "
            "Tables: kb.compare(reference, current)."
        )
        raise InvalidForm(msg)
    if isinstance(x, (str, bytes)) or x is None:
        msg = f"{name} is {x!r}; expected an array of probabilities, or kb.LogProbs, kb.Logits, kb.Counts of an array."
        raise InvalidForm(msg)
    return Counts(x) if _keyed.is_counter(x) else Probs(x)


def _check_dtype_and_shape(form: Any, x: Array, name: str, axis: int, xp: Namespace) -> None:
    kind = _kind(x, xp)
    if kind == "other":
        msg = f"{name} has dtype {x.dtype}; expected real numbers."
        raise InvalidForm(msg)
    if kind == "integer" and isinstance(form, Probs):
        msg = (
            f"{name} holds integers (dtype {x.dtype}): that looks like counts. Pass kb.Counts({name}); "
            "probabilities are floats that sum to 1."
        )
        raise InvalidDistribution(msg)
    if x.ndim == 0:
        msg = f"{name} is a single number; expected an axis of categories, such as [{name}, 1 - {name}]."
        raise InvalidDistribution(msg)
    if not -x.ndim <= axis < x.ndim:
        msg = f"axis={axis}, but {name} has shape {tuple(x.shape)}; expected {-x.ndim} ≤ axis < {x.ndim}."
        raise InvalidDistribution(msg)
    if x.shape[axis] == 0:
        msg = f"{name} has no categories: shape {tuple(x.shape)}, axis {axis}. A distribution needs at least one."
        raise InvalidDistribution(msg)


def _check_lengths(arrays: Sequence[Array], names: Sequence[str], axis: int) -> None:
    first = arrays[0]
    for x, name in zip(arrays[1:], names[1:], strict=False):
        shapes = f"shapes {tuple(first.shape)} and {tuple(x.shape)}, axis {axis}"
        if x.shape[axis] != first.shape[axis]:
            msg = (
                f"{names[0]} has {first.shape[axis]} categories and {name} has {x.shape[axis]} ({shapes}); the "
                "category axis is never broadcast. Give both the same categories (mass 0 where one lacks a category)."
            )
            raise InvalidDistribution(msg)
        rest_first, rest = _without(first.shape, axis), _without(x.shape, axis)
        for n, m in zip(reversed(rest_first), reversed(rest), strict=False):
            if n != m and 1 not in (n, m):
                msg = (
                    f"{names[0]} and {name} do not broadcast: {shapes}. Axes beside the categories must match or be 1."
                )
                raise InvalidDistribution(msg)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    kept = list(shape)
    del kept[axis]
    return tuple(kept)


def _kind(x: Array, xp: Namespace) -> str:
    """One of float, integer, other."""
    if _values.is_float(x):
        return "float"
    return "integer" if xp.isdtype(x.dtype, "integral") else "other"


def _dtypes(arrays: Sequence[Array], xp: Namespace) -> tuple[Any, Any]:
    """(dtype of the answer, dtype of the sums): 16-bit answers as float32, sums in float64 wherever it is at hand."""
    wide, single = getattr(xp, "float64", None), xp.float32
    floats = [x.dtype for x in arrays if _kind(x, xp) == "float"]
    answer_wide = any(d == wide for d in floats) or len(floats) < len(arrays)
    jax = sys.modules.get("jax")
    if jax is not None and any(isinstance(x, jax.Array) for x in arrays):
        has_wide = bool(jax.config.jax_enable_x64)
    else:
        # A GPU does float64 slowly; the CPU does it for free.
        has_wide = answer_wide or all(getattr(getattr(x, "device", "cpu"), "type", "cpu") == "cpu" for x in arrays)
    inside = wide if has_wide else single
    return (inside if answer_wide else single), inside


def _to_last(x: Array, axis: int, xp: Namespace) -> Array:
    return x if axis in (-1, x.ndim - 1) else xp.moveaxis(x, axis, -1)


def _clean(form: Any, x: Array, dtype: Any, xp: Namespace) -> Clean:
    x = x if x.dtype == dtype else xp.astype(x, dtype)
    if isinstance(form, Counts):
        alpha = form.pseudocount
        return Clean(x + alpha if alpha else x, log=False, counted=True)
    return Clean(x, log=not isinstance(form, Probs), counted=False)
