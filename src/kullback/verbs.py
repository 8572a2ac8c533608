"""entropy, cross_entropy, kl_divergence, explain: choose the room by the forms of P and Q.

The only place that knows several rooms; each is imported when it is needed.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Hashable, Sequence
from types import ModuleType
from typing import Any

from kullback._door import Base, log_base
from kullback.errors import InvalidForm
from kullback.forms import Samples
from kullback.measures import cross_entropy as _cross_entropy
from kullback.measures import entropy as _entropy
from kullback.measures import kl_divergence as _kl_divergence
from kullback.result.explanation import Explanation

Array = Any


def entropy(p: Any, /, *, axis: int = -1, base: Base = None, keepdims: bool = False, validate: bool = True) -> Array:
    """Entropy H(P) = −Σ pᵢ log pᵢ: what coding draws from P must cost.

    Parameters
    ----------
    p
        Probabilities, shape (..., K), or `LogProbs`, `Logits`, `Counts` of such an array, or a mapping from category to
        probability; or a parametric family (kullback.families, scipy.stats, torch.distributions).
    axis
        The axis of the categories (arrays only).
    base
        Unit of the answer: None for nats, 2 or ``"bits"``, ``"hartleys"``, or any number > 1.
    keepdims
        Keep the category axis, with length 1 (arrays only).
    validate
        Check the values (arrays only). Shapes and dtypes are always checked; under jit, grad, vmap or compile values
        are not.

    Returns
    -------
    array
        Shape of `p` without `axis`, in [0, log K] for arrays; the batch shape for families, where the differential
        entropy of a density may be negative.

    Raises
    ------
    InvalidDistribution, InvalidForm
        The message names what was got, the first bad index, and the way out.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.entropy([0.5, 0.25, 0.25], base=2)
    1.5
    """
    if _is_family(p):
        _arrays_only("entropy", axis=axis, keepdims=keepdims)
        return _scaled(_families().entropy(p), base)
    return _entropy.entropy(p, axis=axis, base=base, keepdims=keepdims, validate=validate)


def cross_entropy(
    p: Any,
    q: Any,
    /,
    *,
    axis: int = -1,
    base: Base = None,
    keepdims: bool = False,
    validate: bool = True,
    clusters: Any = None,
) -> Any:
    """Cross-entropy H(P, Q) = −Σ pᵢ log qᵢ = H(P) + KL(P‖Q): what coding draws from P costs with a code made for Q.

    Parameters
    ----------
    p, q
        The true distribution and its model: two arrays in any form (K categories along `axis`, the other axes
        broadcast), two parametric families, or `kb.Samples` and a family.
    axis, base, keepdims, validate
        As in `entropy`.
    clusters
        For `kb.Samples`: a label for each draw; draws of one label may depend on each other, and the error is that of
        cluster totals. None means independent draws.

    Returns
    -------
    array or Estimate
        Arrays and families: an array, ∞ where Q lacks what P has. Samples: the mean negative log-likelihood as an
        `Estimate` with its interval.

    Raises
    ------
    InvalidDistribution, InvalidForm
        The message names what was got, the first bad index, and the way out.

    Notes
    -----
    Not symmetric: swapping P and Q changes what is true and what is the model. Zero only where both are the same single
    category. See `kullback laws` for the proofs by example.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.cross_entropy([0.5, 0.5], [0.25, 0.75], base=2)
    1.207518749639422
    """
    if isinstance(p, Samples) and _is_family(q):
        likelihood = importlib.import_module("kullback.samples.likelihood")
        return likelihood.cross_entropy(p, q, base=base, clusters=clusters)
    if clusters is not None:
        msg = "cross_entropy got clusters; they belong to kb.Samples on the left and a family on the right."
        raise InvalidForm(msg)
    if _is_family(p) or _is_family(q):
        _arrays_only("cross_entropy", axis=axis, keepdims=keepdims)
        return _scaled(_families().cross_entropy(p, q), base)
    return _cross_entropy.cross_entropy(p, q, axis=axis, base=base, keepdims=keepdims, validate=validate)


def kl_divergence(
    p: Any, q: Any, /, *, axis: int = -1, base: Base = None, keepdims: bool = False, validate: bool = True
) -> Array:
    """KL(P‖Q) = Σ pᵢ log(pᵢ/qᵢ): the extra information paid when Q stands in for P. Never negative.

    Parameters
    ----------
    p, q
        The true distribution (reference, teacher) first, its model (current, student) second: two arrays in any form,
        each side choosing its own (K categories along `axis`, the other axes broadcast), or two parametric families.
    axis, base, keepdims, validate
        As in `entropy`.

    Returns
    -------
    array
        Broadcast shape without `axis` (families: batch shape), in [0, ∞]. 0 exactly where P = Q; ∞ where Q gives no
        mass to what P has: `kb.explain` names it.

    Raises
    ------
    InvalidDistribution, InvalidForm
        The message names what was got, the first bad index, and the way out.

    Notes
    -----
    Computed as a sum of non-negative terms, so no digits cancel however close P and Q are; see
    `kullback.measures.kl_divergence`. Kullback & Leibler 1951, doi:10.1214/aoms/1177729694.

    Examples
    --------
    >>> import kullback as kb
    >>> kb.kl_divergence([0.5, 0.5], [0.25, 0.75], base=2)
    0.2075187496394219
    >>> kb.kl_divergence({"heads": 0.5, "tails": 0.5}, {"heads": 1.0})
    inf
    """
    if _is_family(p) or _is_family(q):
        _arrays_only("kl_divergence", axis=axis, keepdims=keepdims)
        return _scaled(_families().kl_divergence(p, q), base)
    return _kl_divergence.kl_divergence(p, q, axis=axis, base=base, keepdims=keepdims, validate=validate)


def explain(p: Any, q: Any, /, *, labels: Sequence[Hashable] | None = None, base: Base = None) -> Explanation:
    """KL(P‖Q) with the parts that it is made of, its entropy and cross-entropy, and the reason where it is infinite.

    Parameters
    ----------
    p, q
        One pair: two 1-D arrays in any form, two mappings, or two families without batch axes.
    labels
        A name for each category; mappings bring their own.
    base
        Unit of all numbers, as in `entropy`.

    Returns
    -------
    Explanation
        `contributions` are non-negative and add up to `value`; `infinite` names what Q lacks and the mass of P there.

    Raises
    ------
    InvalidDistribution, InvalidForm
        As `kl_divergence`; also for arrays that are not 1-D and for labels of the wrong number.

    Examples
    --------
    >>> import kullback as kb
    >>> told = kb.explain({"a": 0.5, "b": 0.5}, {"a": 0.25, "b": 0.75}, base=2)
    >>> dict(zip(told.labels, told.contributions.round(3).tolist()))
    {'a': 0.139, 'b': 0.068}
    """
    if _is_family(p) or _is_family(q):
        explained = _families().explain(p, q, labels=labels, base=base)
        assert isinstance(explained, Explanation)
        return explained
    from kullback.measures.explain import explain_arrays

    return explain_arrays(p, q, labels=labels, base=base)


def _is_family(x: Any) -> bool:
    """A cheap look: arrays and forms have no log-density; the families room decides about what has one."""
    if type(x).__module__.startswith("kullback.families"):
        return True
    if isinstance(x, (list, tuple, dict)) or hasattr(x, "__array__"):
        return False
    return any(hasattr(x, name) for name in ("log_prob", "logpdf", "logpmf"))


@functools.cache
def _families() -> ModuleType:
    return importlib.import_module("kullback.families.dispatch")


def _scaled(answer: Array, base: Base) -> Array:
    unit = log_base(base)
    return answer if unit == 1.0 else answer / unit


def _arrays_only(verb: str, *, axis: int, keepdims: bool) -> None:
    if axis != -1 or keepdims:
        msg = f"{verb} of families got axis={axis}, keepdims={keepdims}; these options are for arrays of categories."
        raise InvalidForm(msg)
