"""Counts that arrive in pieces: sum them anywhere, merge the sums, measure once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from kullback import _keyed
from kullback.errors import InvalidDistribution, InvalidForm
from kullback.forms import Counts
from kullback.measures.entropy import entropy
from kullback.measures.kl_divergence import kl_divergence

Array = np.ndarray[Any, Any]


class Accumulator:
    """Sums of counts, or of non-negative weights, per category: fed in pieces, merged, and measured at the end.

    One stream of counts, or two (P and Q) over the same categories: what the first `update` brings decides. Categories
    are positions (arrays) or keys (mappings and Counters; new keys may turn up at any time). The sums are kept to twice
    the digits of a float, so the answer does not depend on the pieces or on their order; an accumulator can be pickled,
    and so made in other processes and merged here.

    Examples
    --------
    >>> import kullback as kb
    >>> first, second = kb.Accumulator(), kb.Accumulator()
    >>> first.update({"a": 1, "b": 1}, {"a": 1})
    >>> second.update({"a": 1, "b": 1}, {"b": 3})
    >>> first.merge(second)
    >>> first.result(base=2) == kb.kl_divergence(kb.Counts([2, 2]), kb.Counts([1, 3]), base=2)
    True
    """

    __slots__ = ("_keys", "_sums")

    def __init__(self) -> None:
        self._keys: dict[Hashable, int] | None = None  # category -> column; None for positions
        self._sums: Array | None = None  # (stream, [sum, what it lost], category)

    def update(self, p: Any, q: Any = None, /) -> None:
        """Add counts of P, or of P and Q.

        Parameters
        ----------
        p, q
            Arrays of counts whose last axis is the categories (all other axes are added up), or mappings from category
            to count; `kb.Counts` of either. The same kind, and as many, in every call.

        Raises
        ------
        InvalidDistribution, InvalidForm
            Negative, infinite or NaN counts, or pieces that do not fit what came before. Nothing is added then.
        """
        pieces = [_values(x, name) for x, name in ((p, "p"), (q, "q")) if name == "p" or x is not None]
        keyed = [_keyed.as_keyed(x) for x in pieces]
        if any(k is None for k in keyed) != all(k is None for k in keyed):
            msg = "One of p and q has named categories and the other has none; give both as mappings or as arrays."
            raise InvalidForm(msg)
        if keyed[0] is None:
            self._add(None, np.stack(_same_length([_columns(x, name) for x, name in zip(pieces, "pq", strict=False)])))
            return
        labels = list(dict.fromkeys(label for k in keyed for label in k or ()))
        rows = [
            _columns(np.asarray([(k or {}).get(label, 0) for label in labels]), name)
            for k, name in zip(keyed, "pq", strict=False)
        ]
        self._add(labels, np.stack(rows))

    def merge(self, other: Accumulator, /) -> None:
        """Add all that `other` was fed; `other` stays as it is.

        Raises
        ------
        InvalidForm, InvalidDistribution
            `other` is no Accumulator, or holds other categories or another number of streams.
        """
        if not isinstance(other, Accumulator):
            msg = f"merge got {type(other).__name__}; expected kb.Accumulator. For counts, use update."
            raise InvalidForm(msg)
        if other._sums is None:
            return
        labels = None if other._keys is None else list(other._keys)
        lost = other._sums[:, 1].copy()
        self._add(labels, other._sums[:, 0], lost)

    def result(self, measure: Callable[..., Any] | None = None, **options: Any) -> Any:
        """`measure(kb.Counts(p), kb.Counts(q), **options)` of the sums; of one stream `measure(kb.Counts(p), …)`.

        Parameters
        ----------
        measure
            Any measure of this library. None: `kl_divergence` of two streams, `entropy` of one.
        **options
            Options of that measure, such as ``base``.

        Raises
        ------
        InvalidDistribution
            Nothing has been added yet, or a stream has no counts at all.
        """
        if self._sums is None:
            msg = "Nothing was added to this Accumulator yet; call update(p, q) or merge(other) first."
            raise InvalidDistribution(msg)
        totals = self._sums[:, 0] + self._sums[:, 1]
        chosen = measure or (entropy if len(totals) == 1 else kl_divergence)
        return chosen(*(Counts(row) for row in totals), **options)

    def __repr__(self) -> str:
        if self._sums is None:
            return "Accumulator(empty)"
        totals = ", ".join(f"{t:g}" for t in self._sums[:, 0].sum(axis=-1))
        return f"Accumulator({self._sums.shape[-1]} categories, totals {totals})"

    def _add(self, labels: list[Hashable] | None, piece: Array, lost: Array | None = None) -> None:
        if self._sums is None:
            self._keys = None if labels is None else {}
            self._sums = np.zeros((len(piece), 2, 0 if labels is not None else piece.shape[-1]))
        self._check_fit(labels, piece)
        if labels is not None:
            assert self._keys is not None
            new = [label for label in labels if label not in self._keys]
            self._keys.update({label: len(self._keys) + i for i, label in enumerate(new)})
            self._sums = np.pad(self._sums, ((0, 0), (0, 0), (0, len(new))))
            at: Any = np.array([self._keys[label] for label in labels], dtype=int)
        else:
            at = slice(None)
        old = self._sums[:, 0, at]
        total = old + piece
        # Neumaier 1974, doi:10.1002/zamm.19740540106: what the sum has rounded away.
        rest = np.where(np.abs(old) >= np.abs(piece), (old - total) + piece, (piece - total) + old)
        self._sums[:, 0, at] = total
        self._sums[:, 1, at] += rest if lost is None else rest + lost

    def _check_fit(self, labels: list[Hashable] | None, piece: Array) -> None:
        assert self._sums is not None
        if len(piece) != len(self._sums):
            msg = f"Got {len(piece)} stream(s) of counts where earlier pieces had {len(self._sums)}: p, or p and q."
            raise InvalidForm(msg)
        if (labels is None) != (self._keys is None):
            kinds = ("positions", "keys") if labels is None else ("keys", "positions")
            msg = f"Categories came as {kinds[0]} where earlier pieces had {kinds[1]}."
            raise InvalidForm(msg)
        if labels is None and piece.shape[-1] != self._sums.shape[-1]:
            msg = f"Got {piece.shape[-1]} categories where earlier pieces had {self._sums.shape[-1]}."
            raise InvalidDistribution(msg)


def _values(x: Any, name: str) -> Any:
    if isinstance(x, Counts):
        if x.pseudocount:
            msg = f"{name} has smoothing={x.smoothing!r}; pieces are added as they are. Smooth what result() is given."
            raise InvalidForm(msg)
        return x.values
    return x


def _columns(x: Any, name: str) -> Array:
    """Counts in float64, all axes but the last added up; refused before anything is added."""
    array = np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)
    if array.dtype.kind not in "iuf" or array.ndim == 0:
        msg = f"{name} has dtype {array.dtype} and shape {array.shape}; expected an array or a mapping of counts."
        raise InvalidForm(msg)
    bad = ~(np.isfinite(array) & (array >= 0))
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        msg = f"{name}[{', '.join(map(str, at))}] = {float(array[at]):.6g}; expected finite counts or weights ≥ 0."
        raise InvalidDistribution(msg)
    wide = array.astype(np.float64, copy=False)
    return wide if wide.ndim == 1 else wide.reshape(-1, wide.shape[-1]).sum(axis=0)


def _same_length(rows: list[Array]) -> list[Array]:
    if len({row.shape for row in rows}) > 1:
        msg = f"p has {rows[0].shape[0]} categories and q has {rows[1].shape[0]}; expected the same."
        raise InvalidDistribution(msg)
    return rows
