"""Measures of a joint array: what the axes say about each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kullback import _door
from kullback._door import Base, Clean
from kullback._pair import Pair, difference_of_products, masses, pair
from kullback.errors import InvalidDistribution
from kullback.forms import Counts
from kullback.measures import entropy as shannon

Array = Any
Namespace = Any


def mutual_information(
    joint: Array,
    /,
    *,
    axes: Sequence[int] = (-2, -1),
    given: int | Sequence[int] | None = None,
    base: Base = None,
    validate: bool = True,
) -> Array:
    """Mutual information I(X; Y) = KL(P(x,y)‖P(x)P(y)): what X says about Y; with `given`, I(X; Y | Z).

    Parameters
    ----------
    joint
        Joint distribution in any form (`Counts` of a contingency table, for example).
    axes
        The two axes X and Y.
    given
        The axis or axes Z of a conditional mutual information. Every other axis is a batch axis.
    base, validate
        As in `entropy`.

    Returns
    -------
    array
        Shape of `joint` without these axes, in [0, min(log |X|, log |Y|)]; 0 exactly where independent.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them (indices count the joint cells in order); axes that repeat or do not exist.

    Notes
    -----
    From counts the deviations n_x·n_y − N·n_xy are exact, so near-independence loses no digits. Shannon 1948.

    Examples
    --------
    >>> import kullback as kb
    >>> round(float(kb.mutual_information([[0.5, 0.0], [0.0, 0.5]], base=2)), 12)
    1.0
    """
    z = _axes(given)
    groups = [(axes[0],), (axes[1],), z] if len(axes) == 2 else _wrong_axes(axes)
    return _measured(_mutual, joint, groups, base=base, validate=validate)


def conditional_entropy(
    joint: Array,
    /,
    *,
    given: int | Sequence[int],
    axes: Sequence[int] | None = None,
    base: Base = None,
    validate: bool = True,
) -> Array:
    """Conditional entropy H(Y | X) = Σ P(x) H(Y | X = x): what is left to say of Y when X is known.

    Parameters
    ----------
    joint
        Joint distribution in any form.
    given
        The axis or axes X.
    axes
        The axes Y; None: all others.
    base, validate
        As in `entropy`.

    Returns
    -------
    array
        Shape of `joint` without these axes, in [0, H(Y)].

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them; axes that repeat or do not exist.

    Notes
    -----
    H(X, Y) = H(X) + H(Y | X). Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.conditional_entropy([[0.25, 0.25], [0.5, 0.0]], given=0, base=2)
    0.5
    """
    return _measured(_conditional_entropy, joint, [_axes(given), axes], base=base, validate=validate)


def total_correlation(
    joint: Array, /, *, axes: Sequence[int] | None = None, base: Base = None, validate: bool = True
) -> Array:
    """Total correlation KL(P(x₁,…,x_d)‖ΠP(x_j)) = Σ H(X_j) − H(X₁,…,X_d): all dependence between the axes.

    Parameters
    ----------
    joint
        Joint distribution in any form.
    axes
        The axes X_j; None: all.
    base, validate
        As in `entropy`.

    Returns
    -------
    array
        Shape of `joint` without these axes, ≥ 0; for two axes the mutual information.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them; axes that repeat or do not exist.

    Notes
    -----
    Added up as I(X₁;X₂) + I(X₁X₂;X₃) + …, terms that are never negative. Watanabe 1960, doi:10.1147/rd.41.0066.

    Examples
    --------
    >>> import kullback as kb, numpy as np
    >>> copies = np.array([0.5, 0, 0, 0, 0, 0, 0, 0.5]).reshape(2, 2, 2)
    >>> round(float(kb.total_correlation(copies, base=2)), 12)
    2.0
    """
    return _measured(_total_correlation, joint, [axes], base=base, validate=validate)


class ChainRule(NamedTuple):
    """KL(P(x,y)‖Q(x,y)) = KL(P(x)‖Q(x)) + E_P KL(P(y|x)‖Q(y|x))."""

    total: Array
    marginal: Array
    conditional: Array


def chain_rule(
    p: Array, q: Array, /, *, first: int | Sequence[int], base: Base = None, validate: bool = True
) -> ChainRule:
    """Split the divergence of two joint distributions: how much sits in X, how much in Y once X is known.

    Parameters
    ----------
    p, q
        Joint distributions of one shape, in any form.
    first
        The axis or axes of X; all others are Y.
    base, validate
        As in `entropy`.

    Returns
    -------
    ChainRule
        `total`, `marginal`, `conditional`: the last two are non-negative and add up to the first. Where Q(x) = 0 < P(x)
        the marginal is ∞ and that x adds nothing to the conditional part.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As the door finds them; axes that repeat or do not exist.

    Notes
    -----
    Cover & Thomas, theorem 2.5.3, doi:10.1002/047174882X.

    Examples
    --------
    >>> import kullback as kb
    >>> split = kb.chain_rule([[0.4, 0.1], [0.1, 0.4]], [[0.25, 0.25], [0.25, 0.25]], first=0, base=2)
    >>> round(float(split.marginal), 12), round(float(split.conditional), 3)
    (0.0, 0.278)
    """
    entered, (_, y) = _enter((p, q), [_axes(first), None], base=base, validate=validate, names="pq")
    xp = entered.xp
    cells = pair(*entered.parts, xp=xp)
    rows = _reshaped(cells, y, xp)
    total_p, total_q = xp.sum(rows.p, axis=-1), xp.sum(rows.q, axis=-1)
    gap = xp.sum(rows.delta, axis=-1)
    outer = Pair(total_p, total_q, gap, xp)
    marginal = xp.sum(outer.kl_terms(), axis=-1)
    both = (total_p > 0) & (total_q > 0)
    one = xp.ones_like(total_p)
    safe_p = xp.expand_dims(xp.where(both, total_p, one), axis=-1)
    safe_q = xp.expand_dims(xp.where(both, total_q, one), axis=-1)
    # q(y|x) − p(y|x) = (δ − p(y|x)·Σδ)/q(x)
    inner_p, inner_q = rows.p / safe_p, rows.q / safe_q
    inner_gap = (rows.delta - inner_p * xp.expand_dims(gap, axis=-1)) / safe_q
    inner = Pair(inner_p, inner_q, inner_gap, xp)
    by_row = xp.sum(inner.kl_terms(), axis=-1)
    conditional = xp.sum(xp.where(both, total_p * xp.where(both, by_row, 0.0 * one), 0.0 * one), axis=-1)
    return ChainRule(entered.leave(marginal + conditional), entered.leave(marginal), entered.leave(conditional))


def _reshaped(cells: Pair, y: int, xp: Namespace) -> Pair:
    shape = (*cells.p.shape[:-1], -1, y)
    parts = [xp.reshape(v, shape) for v in (cells.p, cells.q, cells.delta, cells.u)]
    p, q, delta, u = parts
    return Pair(p, q, delta, xp, u)


# Doors and shapes ----------------------------------------------------------------------------------------------------


def _measured(formula: Any, joint: Any, groups: Sequence[Sequence[int] | None], *, base: Base, validate: bool) -> Array:
    entered, sizes = _enter((joint,), groups, base=base, validate=validate, names=["joint"])
    return entered.leave(formula(entered.parts[0], sizes, xp=entered.xp))


def _enter(
    given: Sequence[Any], groups: Sequence[Sequence[int] | None], *, base: Base, validate: bool, names: Sequence[str]
) -> tuple[_door.Entered, tuple[Any, ...]]:
    """Through the door with the axes of each group merged, groups in order, as one last axis of cells."""
    flat, sizes = [], ()
    for x in given:
        form = _door.as_form(x, names[0])
        values = form.values if hasattr(form.values, "shape") else np.asarray(form.values)
        xp = _door.namespace([values])
        order, sizes = _layout(values.shape, groups)
        batch = [i for i in range(values.ndim) if i not in order]
        merged = xp.permute_dims(values, tuple(batch + order)) if values.ndim else values
        merged = xp.reshape(merged, (*(values.shape[i] for i in batch), -1))
        flat.append(type(form)(merged, form.smoothing) if isinstance(form, Counts) else type(form)(merged))
    return _door.enter(*flat, base=base, validate=validate, names=names), sizes


def _layout(shape: tuple[int, ...], groups: Sequence[Sequence[int] | None]) -> tuple[list[int], tuple[Any, ...]]:
    """The axes in group order, and the shape of each group (its total size, or all sizes for a lone group)."""
    ndim = len(shape)
    taken = [_place(a, ndim) for group in groups if group is not None for a in group]
    if len(set(taken)) != len(taken):
        msg = f"axes {taken} of shape {shape} repeat; expected each axis once."
        raise InvalidDistribution(msg)
    rest = [a for a in range(ndim) if a not in taken]
    full = [[_place(a, ndim) for a in group] if group is not None else rest for group in groups]
    if len(full) == 1:
        return full[0], tuple(shape[a] for a in full[0])
    return [a for group in full for a in group], tuple(math.prod(shape[a] for a in group) for group in full)


def _place(axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        msg = f"axis {axis} does not exist in a joint array of {ndim} axes."
        raise InvalidDistribution(msg)
    return axis % ndim


def _axes(axes: int | Sequence[int] | None) -> tuple[int, ...]:
    if axes is None:
        return ()
    return (axes,) if isinstance(axes, int) else tuple(axes)


def _wrong_axes(axes: Sequence[int]) -> Any:
    msg = f"axes={tuple(axes)}; mutual information is of two axes. For more, use total_correlation."
    raise InvalidDistribution(msg)


# Formulas ------------------------------------------------------------------------------------------------------------


def _mutual(joint: Clean, sizes: tuple[int, ...], *, xp: Namespace) -> Array:
    """Σ_z P(z) I(X; Y | Z = z); cells arrive as (…, x·y·z)."""
    x, y, z = sizes
    cells = xp.reshape(_plain(joint, xp), (*joint.values.shape[:-1], x, y, z))
    cells = xp.moveaxis(cells, -1, -3)
    total = xp.sum(cells, axis=(-3, -2, -1), keepdims=True)
    share = xp.sum(cells, axis=(-2, -1)) / total[..., 0, 0]
    return xp.sum(share * _dependence(cells, xp), axis=-1)


def _dependence(n: Array, xp: Namespace) -> Array:
    """I(X; Y) of each table n of masses, shape (…, X, Y); 0 for an empty table."""
    rows, columns = xp.sum(n, axis=-1, keepdims=True), xp.sum(n, axis=-2, keepdims=True)
    total = xp.sum(rows, axis=-2, keepdims=True)
    empty = total == 0
    safe = xp.where(empty, xp.ones_like(total), total)
    delta = difference_of_products(rows, columns, n, total, xp) / (safe * safe)
    p, q = n / safe, (rows / safe) * (columns / safe)
    # Deviations add up to 0 in every row and column; what rounded margins left behind is taken off again.
    for axis, margin in ((-1, rows), (-2, columns)):
        weight = xp.where(margin == 0, xp.ones_like(margin), margin / safe)
        delta = delta - q * (xp.sum(delta, axis=axis, keepdims=True) / weight)
    terms = Pair(p, q, delta, xp).kl_terms()
    return xp.sum(terms, axis=(-2, -1))


def _conditional_entropy(joint: Clean, sizes: tuple[int, ...], *, xp: Namespace) -> Array:
    """Σ_x P(x) H(Y | X = x)."""
    x, y = sizes
    cells = xp.reshape(_plain(joint, xp), (*joint.values.shape[:-1], x, y))
    rows = xp.sum(cells, axis=-1)
    share = rows / xp.sum(rows, axis=-1, keepdims=True)
    # A row without mass has no conditional distribution; any one will do, its share is 0.
    some = xp.expand_dims(rows > 0, axis=-1)
    filled = Clean(xp.where(some, cells, xp.ones_like(cells)), log=False, counted=True)
    return xp.sum(share * shannon.formula(filled, xp=xp), axis=-1)


def _total_correlation(joint: Clean, sizes: tuple[int, ...], *, xp: Namespace) -> Array:
    """Σ_j I(X₁…X_{j−1}; X_j)."""
    batch = joint.values.shape[:-1]
    cells = _plain(joint, xp)
    answer = 0.0 * xp.sum(cells, axis=-1)
    for j in range(1, len(sizes)):
        before, size, after = math.prod(sizes[:j]), sizes[j], math.prod(sizes[j + 1 :])
        table = xp.sum(xp.reshape(cells, (*batch, before, size, after)), axis=-1)
        answer = answer + _dependence(table, xp)
    return answer


def _plain(part: Clean, xp: Namespace) -> Array:
    return masses(part, xp=xp) if part.log else part.values
