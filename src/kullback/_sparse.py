"""Sparse rows: scipy.sparse matrices of probabilities or counts, measured by the categories that their rows have.

A category that no side of a row has changes no measure, so the rows of all sides are aligned to the union of their
categories and packed to the left of a small dense block, which then goes the way of every array. No more is ever dense.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kullback import _values
from kullback.errors import InvalidDistribution, InvalidForm
from kullback.forms import Counts, Probs

Array = np.ndarray[Any, Any]
Run = Callable[..., Any]

BLOCK = 1 << 16  # numbers in a block


def is_sparse(x: Any) -> bool:
    """Whether this, or what a form holds, is of scipy.sparse; scipy is not imported to find out."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and sparse.issparse(getattr(x, "values", x))


def measure(run: Run, forms: Sequence[Any], names: Sequence[str], *, axis: int, keepdims: bool, validate: bool) -> Any:
    """`run(*blocks)` on block after block of rows; `run` measures dense forms along their last axis."""
    sides = [_rows(form, name, axis) for form, name in zip(forms, names, strict=False)]
    many = max(x.shape[0] for x in sides)
    for x, name in zip(sides, names, strict=False):
        if x.shape[0] not in (1, many) or x.shape[1] != sides[0].shape[1]:
            msg = (
                f"{names[0]} has shape {_as_given(sides[0], axis)} and {name} has shape {_as_given(x, axis)}, axis "
                f"{axis}; expected the same categories, and as many rows or one."
            )
            raise InvalidDistribution(msg)
    if validate:
        for form, x, name in zip(forms, sides, names, strict=False):
            _check(form, x, name)
    all_sparse = all(is_sparse(x) and not getattr(f, "pseudocount", 0.0) for f, x in zip(forms, sides, strict=True))
    blocks = _packed(sides, many) if all_sparse else _dense(sides, many)
    answers = [run(*(type(f)(b, *_options(f)) for f, b in zip(forms, block, strict=True))) for block in blocks]
    answer = np.concatenate(answers) if answers else np.empty(0)
    return np.expand_dims(answer, axis) if keepdims else answer


def _options(form: Any) -> tuple[Any, ...]:
    return (form.smoothing,) if isinstance(form, Counts) else ()


def _rows(form: Any, name: str, axis: int) -> Any:
    """The distributions of one side as rows: CSR, sorted and without duplicates, or a dense array of two axes."""
    x = form.values
    if is_sparse(x):
        if type(form) not in (Probs, Counts):
            msg = (
                f"{name} is sparse {type(form).__name__}; what a sparse array does not store is 0, and a log-mass of 0 "
                f"is no missing category. Pass kb.{type(form).__name__}(x.toarray()), or probabilities or counts."
            )
            raise InvalidForm(msg)
        if x.ndim != 2 or axis not in (-2, -1, 0, 1):
            msg = f"{name} is sparse with shape {tuple(x.shape)}, axis={axis}; expected two axes."
            raise InvalidDistribution(msg)
        if x.dtype.kind not in "iuf":
            msg = f"{name} has dtype {x.dtype}; expected real numbers."
            raise InvalidForm(msg)
        if x.dtype.kind in "iu" and type(form) is Probs:
            msg = (
                f"{name} holds integers (dtype {x.dtype}): that looks like counts. Pass kb.Counts({name}); "
                "probabilities are floats that sum to 1."
            )
            raise InvalidDistribution(msg)
        rows = x.T.tocsr() if axis in (0, -2) else x.tocsr()
        if not rows.has_canonical_format:
            rows = rows.copy()
            rows.sum_duplicates()
        if rows.shape[1] == 0:
            msg = f"{name} has no categories: shape {tuple(x.shape)}, axis {axis}. A distribution needs at least one."
            raise InvalidDistribution(msg)
        return rows
    dense = np.asarray(x)
    if dense.ndim not in (1, 2):
        msg = f"{name} has shape {dense.shape} beside a sparse array; expected one or two axes."
        raise InvalidDistribution(msg)
    return np.atleast_2d(dense.T if axis in (0, -2) else dense)


def _as_given(x: Any, axis: int) -> tuple[int, ...]:
    return tuple(x.shape[::-1]) if axis in (0, -2) else tuple(x.shape)


def _check(form: Any, x: Any, name: str) -> None:
    """The door's look, at the stored values; a row that fails it is shown to the door itself, which finds the words."""
    if not is_sparse(x):
        _values.check(form, x, name, -1, np)
        return
    rows = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))
    data = x.data.astype(np.float64, copy=False)
    with np.errstate(invalid="ignore", over="ignore"):
        totals = np.bincount(rows, weights=data, minlength=x.shape[0])
    bad = ~np.isfinite(totals)
    bad[rows[~(data >= 0.0)]] = True
    if isinstance(form, Counts):
        bad |= totals == 0.0
    else:
        # The categories are all those of the axis, stored or not.
        slack = min(max(16, x.shape[1]) * _values.epsilon(x.data, np), 0.05)
        bad |= ~(np.abs(totals - 1.0) <= slack)
    for row in np.flatnonzero(bad):
        _values.check(form, x[[int(row)]].toarray()[0], f"{name}[{row}]", -1, np)


def _dense(sides: Sequence[Any], many: int) -> Iterator[list[Array]]:
    """Where one side is dense anyway, or smoothing gives every category a count."""
    step = max(1, BLOCK // sides[0].shape[1])
    for first in range(0, many, step):
        parts = [x if x.shape[0] == 1 < many else x[first : first + step] for x in sides]
        yield [x.toarray() if is_sparse(x) else x for x in parts]


def _packed(sides: Sequence[Any], many: int) -> Iterator[list[Array]]:
    stored = np.sum([np.broadcast_to(np.diff(x.indptr), many) for x in sides], axis=0)
    first = 0
    while first < many:
        # As many rows as fill a block if each were as wide as the widest of them.
        widest = np.maximum.accumulate(np.maximum(stored[first : first + BLOCK], 1))
        last = first + max(1, int(np.sum(widest * np.arange(1, len(widest) + 1) <= BLOCK)))
        yield _pack([x if x.shape[0] == 1 < many else x[first:last] for x in sides], last - first)
        first = last


def _pack(sides: Sequence[Any], many: int) -> list[Array]:
    """The rows of each side, aligned: entry j of row i is, on every side, the j-th category that any side has."""
    sides = [x if x.shape[0] == many else x[np.zeros(many, dtype=int)] for x in sides]
    # Side number k marks its categories by 2ᵏ; the sum of the marks is sorted, as are the entries of each side.
    marks = [type(x)((np.full(x.nnz, 1 << k), x.indices, x.indptr), shape=x.shape) for k, x in enumerate(sides)]
    union = marks[0]
    for other in marks[1:]:
        union = union + other
    widths = np.diff(union.indptr)
    width = max(1, int(widths.max(initial=0)))
    places = np.arange(union.nnz) + np.repeat(np.arange(many) * width - union.indptr[:-1], widths)
    packed = []
    for k, x in enumerate(sides):
        block = np.zeros(many * width, dtype=x.dtype)
        block[places[union.data & (1 << k) > 0]] = x.data
        packed.append(block.reshape(many, width))
    return packed
