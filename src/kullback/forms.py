"""The forms a distribution may come in: `Probs`, `LogProbs`, `Logits`, `Counts`, `Samples`.

A form says what the numbers mean; `kullback._door` checks them when a function is called. A bare array or list is
`Probs`, a `collections.Counter` is `Counts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from kullback.errors import InvalidDistribution, InvalidForm

Array = Any
Smoothing = float | Literal["jeffreys", "laplace"] | None

_PSEUDOCOUNTS = {"jeffreys": 0.5, "laplace": 1.0}


@dataclass(frozen=True, slots=True, eq=False)
class Probs:
    """Probabilities: non-negative, summing to 1 along the category axis.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.entropy(kb.Probs([0.5, 0.5]), base=2)
    1.0
    """

    values: Any


@dataclass(frozen=True, slots=True, eq=False)
class LogProbs:
    """Natural logarithms of probabilities; −∞ is a category of mass 0.

    Examples
    --------
    >>> import kullback as kb, numpy as np
    >>> kb.entropy(kb.LogProbs(np.log([0.5, 0.5])), base=2)
    1.0
    """

    values: Any


@dataclass(frozen=True, slots=True, eq=False)
class Logits:
    """Log-masses up to an additive constant, as a softmax layer takes them; −∞ masks a category.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.entropy(kb.Logits([7.0, 7.0]), base=2)
    1.0
    """

    values: Any


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Counts or non-negative weights; measured as if divided by their total.

    Parameters
    ----------
    values
        Counts along the category axis, or a mapping from category to count.
    smoothing
        Pseudocount added to every category: a number, ``"jeffreys"`` (½) or ``"laplace"`` (1). None (default) adds
        nothing. Between two keyed counts the categories are the union of both.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.kl_divergence(kb.Counts([3, 1]), kb.Counts([30, 10]))
    0.0
    """

    values: Any
    smoothing: Smoothing = None

    @property
    def pseudocount(self) -> float:
        """The number added to each category."""
        if self.smoothing is None:
            return 0.0
        if isinstance(self.smoothing, str):
            if self.smoothing not in _PSEUDOCOUNTS:
                msg = f"smoothing={self.smoothing!r} is not known. Use 'jeffreys' (½), 'laplace' (1) or a number > 0."
                raise InvalidDistribution(msg)
            return _PSEUDOCOUNTS[self.smoothing]
        alpha = float(self.smoothing)
        if not 0.0 <= alpha < float("inf"):
            msg = f"smoothing={self.smoothing!r}: a pseudocount must be a finite number ≥ 0."
            raise InvalidDistribution(msg)
        return alpha


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Draws from a distribution that is not known otherwise.

    Parameters
    ----------
    values
        One draw per row: shape (n,) or (n, d), finite numbers.
    weights
        Non-negative weight of each draw, shape (n,); None means equal weights.

    Raises
    ------
    InvalidDistribution
        No draws, NaN or infinite values, or weights of the wrong length, negative or all zero.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.Samples([0.1, 0.4, 0.2]).values.shape
    (3,)
    """

    values: Any
    weights: Any = None

    def __post_init__(self) -> None:
        """Parse once: a bad sample is refused where it is made."""
        values = self.values if hasattr(self.values, "shape") else np.asarray(self.values)
        if len(values.shape) not in (1, 2) or values.shape[0] == 0 or (len(values.shape) == 2 and values.shape[1] == 0):
            msg = f"Samples has shape {tuple(values.shape)}; expected (n,) or (n, d) with at least one draw."
            raise InvalidDistribution(msg)
        object.__setattr__(self, "values", values)
        _check_finite("Samples", _host(values))
        if self.weights is None:
            return
        weights = self.weights if hasattr(self.weights, "shape") else np.asarray(self.weights, dtype=float)
        host = _host(weights)
        if host.shape != (values.shape[0],):
            msg = (
                f"Samples has {values.shape[0]} draws but weights of shape {host.shape}; expected one weight per draw."
            )
            raise InvalidDistribution(msg)
        _check_finite("weights", host)
        if (host < 0).any() or not host.any():
            bad = f"weights[{int(np.argmax(host < 0))}] is negative" if (host < 0).any() else "all weights are 0"
            msg = f"{bad}; weights must be ≥ 0 with a positive sum."
            raise InvalidDistribution(msg)
        object.__setattr__(self, "weights", weights)


Form = Probs | LogProbs | Logits | Counts | Samples


def _host(values: Array) -> np.ndarray[Any, Any]:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    return np.asarray(values)


def _check_finite(name: str, values: np.ndarray[Any, Any]) -> None:
    if values.dtype.kind not in "biuf":
        msg = f"{name} has dtype {values.dtype}; expected numbers. For categories, count them: kb.Counts(Counter(x))."
        raise InvalidForm(msg)
    bad = ~np.isfinite(values)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        msg = f"{name}[{', '.join(map(str, at))}] = {values[at]}; expected finite numbers. Drop or impute such rows."
        raise InvalidDistribution(msg)
