"""Which route answers a pair: identity, stable form, expectations, one-to-one map, support, sum, quadrature.

The first that applies wins; `kb.explain` says which one it was. Nothing here is a formula.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from kullback.errors import InvalidForm, NoClosedForm
from kullback.families import blocks
from kullback.families.answer import (
    IDENTITY,
    PER_PAIR,
    Answer,
)
from kullback.families.base import Family, work
from kullback.families.namespace import Namespace, is_concrete, to_host
from kullback.families.routes import ROUNDING, anchor

Array = Any


def is_family(x: Any) -> bool:
    """Whether x is a family of ours, or a distribution of a library that is already imported."""
    if isinstance(x, Family):
        return True
    from kullback.families import adapt

    return adapt.is_foreign(x)


def kl_divergence(p: Any, q: Any, /) -> Array:
    """KL(p‖q) in nats, one value per pair of the broadcast batch."""
    p, q = parsed(p, "p"), parsed(q, "q")
    return _finished(_kl(p, q).value, p, q)


def entropy(p: Any, /) -> Array:
    """H(p) in nats; the differential entropy of a density."""
    p = parsed(p, "p")
    xp = work(*p._leaves())
    with np.errstate(all="ignore"):
        value = p._lifted(xp)._entropy(xp)
        if value is None:
            value = _numeric_entropy(p)
    return _finished(value, p)


def cross_entropy(p: Any, q: Any, /) -> Array:
    """H(p, q) = −E_p[log q] in nats; ∞ where q has no mass and p has some."""
    p, q = parsed(p, "p"), parsed(q, "q")
    xp = _together(p, q)
    with np.errstate(all="ignore"):
        lifted, against = p._lifted(xp), q._lifted(xp)
        value = lifted._cross_entropy(against, xp)
        if value is None:
            value = entropy(p) + _kl(p, q).value
    return _finished(value, p, q)


def parsed(x: Any, name: str) -> Any:
    """A family of ours, or what stands for a distribution of another library."""
    if isinstance(x, Family):
        return x
    from kullback.families import adapt

    found = adapt.adapted(x)
    if found is None:
        msg = (
            f"{name} is a {type(x).__module__}.{type(x).__name__}; expected a parametric family on both sides: one of "
            "kullback.families, a frozen scipy.stats distribution, or a torch or numpyro distribution."
        )
        raise InvalidForm(msg)
    return found


def _kl(p: Family, q: Family) -> Answer:
    """KL(p‖q) in double precision, with its method."""
    xp = _together(p, q)
    _same_space(p, q)
    p, q = p._beside(q, xp), q._beside(p, xp)
    shape = _batch(p, q)
    if p is not q and xp.name == "numpy" and (many := blocks.pieces(p, q, shape)) > 1:
        return blocks.in_blocks(_kl, p, q, shape, many)
    with np.errstate(all="ignore"):
        if same(p, q):
            return Answer(_zeros(shape, xp, p, q), IDENTITY)
        answer: Answer | None = p._lifted(xp)._kl(q._lifted(xp), xp)
        if answer is None:
            return _numeric(p, q, shape, xp)
        return answer if _is_sound(answer, xp) else _mended(answer, p, q, shape, xp)


# A divergence this far below the largest of the terms that it is left of has lost so many digits that a sum or a
# quadrature knows it better.
_CANCELLED = 1e-5


def _is_sound(answer: Answer, xp: Namespace) -> bool:
    """Whether a closed form came to numbers ≥ 0 that kept their digits (where that can be looked at)."""
    value, size = answer.value, answer.size
    if xp.name == "scalar":
        return bool(value >= _CANCELLED * size) and value == value
    if xp.name != "numpy" and (getattr(value, "requires_grad", False) or not is_concrete(value)):
        return True
    good = value >= _CANCELLED * size
    return bool(good.all() if hasattr(good, "all") else good)


def _mended(answer: Answer, p: Family, q: Family, shape: tuple[int, ...], xp: Namespace) -> Answer:
    """The members that a closed form left without digits, by sum or quadrature; those that it cannot do stay."""
    value = np.array(np.broadcast_to(to_host(answer.value), shape))
    size = np.broadcast_to(to_host(answer.size), shape)
    bad = ~(value >= _CANCELLED * size)
    error, methods = 0.0, {answer.method} if not bad.all() else set()
    for at in map(tuple, np.argwhere(bad)):
        from kullback.families import numeric

        own = Answer(value[at], answer.method, ROUNDING * float(size[at]))
        found = numeric.better(own, _member(p, shape, at), _member(q, shape, at))
        value[at] = float(found.value)
        error = max(error, found.error)
        methods.add(found.method)
    return Answer(_like(value, xp, p, q), methods.pop() if len(methods) == 1 else PER_PAIR, error)


def same(p: Family, q: Family) -> bool:
    """Whether p and q are one distribution: the same object, or the same family with equal parameters."""
    if p is q:
        return True
    if type(p) is not type(q):
        return False
    ours, theirs = p._leaves(), q._leaves()
    if len(ours) != len(theirs):
        return False
    for x, y in zip(ours, theirs, strict=True):
        if not _equal(x, y):
            return False
    return bool(p._kind() == q._kind())


def _equal(x: Any, y: Any) -> bool:
    if isinstance(x, float) or isinstance(y, float):
        return isinstance(x, float) and isinstance(y, float) and x == y
    if getattr(x, "requires_grad", False) or getattr(y, "requires_grad", False):
        return False
    if not (is_concrete(x) and is_concrete(y)) or x.shape != y.shape or type(x) is not type(y):
        return False
    return bool((x == y).all())


def _together(p: Family, q: Family) -> Namespace:
    return work() if p._is_plain() and q._is_plain() else work(*p._leaves(), *q._leaves())


def _same_space(p: Family, q: Family) -> None:
    ours, theirs = p.event_shape, q.event_shape
    if ours != theirs:
        msg = (
            f"p is a {type(p).__name__} on a space of shape {ours}, q a {type(q).__name__} on one of shape {theirs}; "
            "expected the same space."
        )
        raise InvalidForm(msg)


def _batch(p: Family, q: Family) -> tuple[int, ...]:
    ours, theirs = p.batch_shape, q.batch_shape
    if not ours or not theirs:
        return ours or theirs
    try:
        return tuple(np.broadcast_shapes(p.batch_shape, q.batch_shape))
    except ValueError:
        msg = f"p has batch shape {p.batch_shape}, q {q.batch_shape}; expected shapes that broadcast."
        raise InvalidForm(msg) from None


def _zeros(shape: tuple[int, ...], xp: Namespace, p: Family, q: Family) -> Array:
    return xp.broadcast_to(0.0 * anchor(p, q, xp), shape)


def _finished(value: Array, *families: Family) -> Array:
    """In the batch shape and the dtype of the parameters; a Python number where all of them are numbers."""
    if isinstance(value, float) and all(map(Family._is_plain, families)):
        return float(value)
    leaves = [x for f in families for x in f._leaves()]
    xp = work(*leaves)
    shape = np.broadcast_shapes(*(f.batch_shape for f in families))
    if xp.name == "scalar":
        return float(value) if shape == () else np.broadcast_to(value, shape)
    value = xp.broadcast_to(xp.double(value), shape)
    dtype = _result_dtype(leaves, xp)
    value = value if value.dtype == dtype else xp.like(value, dtype)
    return float(value) if xp.name == "numpy" and shape == () else value


def _result_dtype(leaves: list[Any], xp: Namespace) -> Any:
    dtypes = {x.dtype for x in leaves if not isinstance(x, float)}
    if xp.name == "torch":
        torch = sys.modules["torch"]
        found = torch.float32
        for d in dtypes:
            found = torch.promote_types(found, d if isinstance(d, torch.dtype) else torch.float64)
        return found
    if xp.name == "jax":
        return np.result_type(np.float32, *dtypes) if _jax_double() else np.dtype("float32")
    return np.result_type(np.float32, *dtypes)


def _jax_double() -> bool:
    return bool(sys.modules["jax"].config.jax_enable_x64)


def _numeric(p: Family, q: Family, shape: tuple[int, ...], xp: Namespace) -> Answer:
    """Sums and quadrature, pair by pair: each may still find a closed route of its own."""
    from kullback.families import numeric

    if shape == ():
        answer = numeric.kl(p._with(_number), q._with(_number))
        return Answer(_like(answer.value, xp, p, q), answer.method, answer.error, answer.notes)
    values = np.empty(shape)
    worst, methods = 0.0, set()
    for at in np.ndindex(shape):
        answer = _kl(_member(p, shape, at), _member(q, shape, at))
        values[at] = float(answer.value)
        worst = max(worst, answer.error)
        methods.add(answer.method)
    method = methods.pop() if len(methods) == 1 else PER_PAIR
    return Answer(_like(values, xp, p, q), method, worst)


def _numeric_entropy(p: Family) -> Array:
    from kullback.families import numeric

    xp = work(*p._leaves())
    if p.batch_shape == ():
        return _like(numeric.entropy(p._with(_number)).value, xp, p, p)
    values = np.empty(p.batch_shape)
    for at in np.ndindex(p.batch_shape):
        values[at] = float(entropy(_member(p, p.batch_shape, at)))
    return _like(values, xp, p, p)


def _like(value: Any, xp: Namespace, p: Family, q: Family) -> Array:
    if xp.name in ("scalar", "numpy"):
        return xp.double(value)
    return anchor(p, q, xp) + xp.double(value)


def _number(x: Any) -> Any:
    x = to_host(x)
    return float(x) if x.ndim == 0 else x


def _member(p: Family, shape: tuple[int, ...], at: tuple[int, ...]) -> Any:
    """One member of a batch, with NumPy parameters."""
    return p._pick(shape, at)


def no_closed_form(p: Family, q: Family, why: str) -> NoClosedForm:
    """The refusal, with the ways that would work."""
    return NoClosedForm(
        f"KL({type(p).__name__}‖{type(q).__name__}) has no closed form here, and {why}. "
        "kullback.families.monte_carlo(p, q, n=..., random_state=...) gives an estimate with its interval"
        + (
            ", kullback.families.bounds(p, q) certified bounds."
            if "Mixture" in type(p).__name__ + type(q).__name__
            else "."
        )
    )


def explain(p: Any, q: Any, /, *, labels: Any = None, base: Any = None) -> Any:
    """KL(p‖q) of one pair with its method, its error and its parts."""
    from kullback.families.explain import explain as told

    return told(p, q, labels=labels, base=base)
