"""One KL divergence between arrays, taken apart by category."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from kullback._door import Base, enter, log_base, unit_name
from kullback._pair import masses
from kullback.errors import InvalidDistribution, InvalidForm
from kullback.measures import cross_entropy, entropy, kl_divergence
from kullback.result.explanation import Explanation, Infinite


def explain_arrays(p: Any, q: Any, /, *, labels: Sequence[Hashable] | None = None, base: Base = None) -> Explanation:
    """`kb.explain` for two arrays or mappings."""
    entered = enter(p, q)
    first, second = entered.parts
    for part, name in zip(entered.parts, "pq", strict=True):
        if part.values.ndim != 1:
            msg = f"{name} has shape {tuple(part.values.shape)}; explain takes one pair at a time: pass {name}[i]."
            raise InvalidForm(msg)
    xp, unit = entered.xp, log_base(base)
    names = _labels(labels, entered.labels, first.values.shape[0])
    contributions = _host(kl_divergence.contributions(first, second, xp=xp)) / unit
    mass_p, mass_q = _host(masses(first, xp=xp)), _host(masses(second, xp=xp))
    missing = np.flatnonzero(np.isinf(contributions))
    infinite = None
    if len(missing):
        infinite = Infinite(tuple(names[i] for i in missing), float(mass_p[missing].sum()))
    return Explanation(
        value=float(contributions.sum()),
        entropy=float(_host(entropy.formula(first, xp=xp))) / unit,
        cross_entropy=float(_host(cross_entropy.formula(first, second, xp=xp))) / unit,
        contributions=contributions,
        labels=names,
        unit=unit_name(base),
        method="exact sum of non-negative terms p log(p/q) − p + q",
        p=mass_p,
        q=mass_q,
        infinite=infinite,
    )


def _labels(given: Sequence[Hashable] | None, found: tuple[Hashable, ...] | None, n: int) -> tuple[Hashable, ...]:
    if given is None:
        return found if found is not None else tuple(range(n))
    if found is not None:
        msg = "labels= was given, but the mappings bring their own; pass one or the other."
        raise InvalidForm(msg)
    if len(given) != n:
        msg = f"labels has {len(given)} entries for {n} categories; expected one for each."
        raise InvalidDistribution(msg)
    return tuple(given)


def _host(x: Any) -> np.ndarray[Any, Any]:
    """A NumPy copy, in float64."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
    return np.asarray(x, dtype=np.float64)
