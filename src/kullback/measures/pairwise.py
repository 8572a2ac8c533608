"""All pairs: the divergence of every row of one array from every row of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kullback._door import Base, enter, log_base
from kullback.errors import InvalidDistribution
from kullback.forms import Counts, Logits, LogProbs, Probs
from kullback.measures import _fast, _product
from kullback.measures.js_divergence import js_divergence
from kullback.measures.kl_divergence import kl_divergence

Array = Any
Product = Callable[[Array, Array], tuple[Array, Array]]

BLOCK = 1 << 17  # pairs of numbers that the plain formula is given at a time
PAIRS = 1 << 20  # pairs of numbers copied at a time where a matrix product was not exact enough
WORTH_A_PRODUCT = 1 << 20


def pairwise_kl_divergence(p: Any, q: Any, /, *, base: Base = None, validate: bool = True) -> Array:
    """KL(Pᵢ‖Qⱼ) for every row i of P and every row j of Q.

    Parameters
    ----------
    p, q
        Shapes (m, K) and (n, K), each as probabilities, `LogProbs`, `Logits` or `Counts`.
    base, validate
        As in `kl_divergence`.

    Returns
    -------
    array
        Shape (m, n); exactly 0 where both rows are the same. The relative error is at most 1e-13 for large float64
        arrays of NumPy, else that of `kl_divergence(P[i], Q[j])`.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As `kl_divergence`; also for arrays that have not two axes.

    Notes
    -----
    Σ pᵢ log pᵢ − P·log Qᵀ is one matrix product, but a difference of two larger numbers, which loses all digits between
    rows that are close. It is taken relative to the middle of all rows, with a bound on its error for each pair; where
    the bound is above 1e-13 of the value, the pair is summed by itself, in ψ-form.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.pairwise_kl_divergence([[0.5, 0.5], [0.25, 0.75]], [[0.5, 0.5]], base=2).round(4)
    array([[0.    ],
           [0.1887]])
    """
    return _pairwise(kl_divergence, p, q, base=base, validate=validate, product=_product.kl_divergence)


def pairwise_js_divergence(p: Any, q: Any, /, *, base: Base = None, validate: bool = True) -> Array:
    """JS(Pᵢ, Qⱼ) for every row i of P and every row j of Q.

    Parameters
    ----------
    p, q, base, validate
        As in `pairwise_kl_divergence`.

    Returns
    -------
    array
        Shape (m, n), as exact as `js_divergence(P[i], Q[j])`.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As `js_divergence`; also for arrays that have not two axes.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.pairwise_js_divergence([[1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]], base=2)
    array([[1., 0.]])
    """
    return _pairwise(js_divergence, p, q, base=base, validate=validate)


def _pairwise(
    measure: Callable[..., Array], p: Any, q: Any, *, base: Base, validate: bool, product: Product | None = None
) -> Array:
    (form_p, x), (form_q, y) = _rows(p, "p"), _rows(q, "q")
    # Shapes, and the values once for each row and not for each pair.
    xp = enter(form_p(x[:1]), form_q(y[:1]), validate=False).xp
    if validate:
        enter(form_p(x), names="p")
        enter(form_q(y), names="q")

    def block(some: Array, others: Array) -> Array:
        return measure(form_p(some[:, None, :]), form_q(others[None, :, :]), base=base, validate=False)

    if all(_fast.covers(f(a), a) for f, a in ((form_p, x), (form_q, y))):
        if product is not None and len(x) * y.size >= WORTH_A_PRODUCT:
            value, certain = product(x, y)
            if np.count_nonzero(certain) > 0.9 * certain.size:
                return _mended(value, ~certain, measure, (form_p, x), (form_q, y), base)
        return block(x, y)  # the compiled loops make nothing of that size
    step = max(1, BLOCK // x.shape[1])
    high = max(1, step // min(step, y.shape[0]))
    lines = [
        xp.concat([block(x[i : i + high], y[j : j + step]) for j in range(0, y.shape[0], step)], axis=1)
        for i in range(0, x.shape[0], high)
    ]
    return xp.concat(lines, axis=0)


def _mended(
    value: Array, uncertain: Array, measure: Callable[..., Array], first: Any, second: Any, base: Base
) -> Array:
    """The values in the unit of `base`, the uncertain ones summed pair by pair."""
    (form_p, x), (form_q, y) = first, second
    value /= log_base(base)
    left, right = np.nonzero(uncertain)
    step = max(1, PAIRS // x.shape[1])
    for k in range(0, len(left), step):
        i, j = left[k : k + step], right[k : k + step]
        value[i, j] = measure(form_p(x[i]), form_q(y[j]), base=base, validate=False)
    return value.astype(np.float32) if x.dtype == y.dtype == np.float32 else value


def _rows(x: Any, name: str) -> tuple[Callable[[Any], Any], Any]:
    """How to make the same form of other values, and the values."""
    form = x if isinstance(x, (Probs, LogProbs, Logits, Counts)) else Probs(x)
    values = form.values if hasattr(form.values, "shape") else np.asarray(form.values)
    if len(values.shape) != 2 or 0 in values.shape:
        msg = f"{name} has shape {tuple(values.shape)}; expected (rows, categories), at least one of each."
        raise InvalidDistribution(msg)

    def again(some: Any) -> Any:
        return Counts(some, form.smoothing) if isinstance(form, Counts) else type(form)(some)

    return again, values
