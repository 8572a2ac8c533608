"""Certified bounds on KL between mixtures, from the divergences between their components."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback.errors import NoClosedForm
from kullback.families import dispatch
from kullback.families.mixture import Mixture
from kullback.families.namespace import to_host
from kullback.families.renyi import bhattacharyya_distance


def bounds(p: Any, q: Any, /) -> tuple[Any, Any]:
    """(low, high) with low ≤ KL(p‖q) ≤ high, for mixtures of any components; equal ends where KL has a closed form.

    Parameters
    ----------
    p, q
        At least one `Mixture` (or torch's MixtureSameFamily), usually; the other may be one component.

    Returns
    -------
    tuple of float or of arrays
        nats, 0 ≤ low ≤ high ≤ ∞, of the batch shape.

    Raises
    ------
    InvalidForm
        Different spaces, or batches that do not broadcast.

    Notes
    -----
    Above: Σ φₐᵦ[log(φₐᵦ/ψₐᵦ) + KL(pₐ‖qᵦ)] for any couplings φ of p's weights and ψ of q's, improved by turns (Hershey &
    Olsen 2007, doi:10.1109/ICASSP.2007.366913). Below: KL(p‖q) = Σ wₐKL(pₐ‖q) − Σ wₐKL(pₐ‖p), the first at least
    −2·log Σ √vᵦ·BC(pₐ, qᵦ), the second at most −log Σ wᵦe^{−KL(pₐ‖pᵦ)} (Kolchinsky & Tracey 2017,
    doi:10.3390/e19070361); turned round, the same split bounds from above as well. Components whose own divergence
    needs quadrature enter with its error.

    Examples
    --------
    >>> from kullback.families import Mixture, Normal, bounds
    >>> low, high = bounds(Mixture([0.5, 0.5], [Normal(-9, 1), Normal(9, 1)]), Normal(-9, 1))
    >>> round(low, 3), round(high, 3)
    (80.307, 80.307)
    """
    p, q = dispatch.parsed(p, "p"), dispatch.parsed(q, "q")
    dispatch._same_space(p, q)
    shape = dispatch._batch(p, q)
    if not shape:
        return _of_one(p, q)
    both = np.empty((2, *shape))
    for at in np.ndindex(shape):
        both[(slice(None), *at)] = _of_one(p._pick(shape, at), q._pick(shape, at))
    return both[0], both[1]


def _of_one(p: Any, q: Any) -> tuple[float, float]:
    if not isinstance(p, Mixture) and not isinstance(q, Mixture):
        answer = dispatch._kl(p, q)
        value, error = float(answer.value), float(answer.error)
        return max(value - error, 0.0), value + error
    (w, ps), (v, qs) = _components(p), _components(q)
    cross = np.array([[_kl(a, b, 1.0) for b in qs] for a in ps])
    high = _above(w, v, cross)
    own = np.array([[_kl(a, b, 1.0) if a is not b else 0.0 for b in ps] for a in ps])
    with np.errstate(divide="ignore"):
        overlap = np.exp(-np.array([[_distance(a, b) for b in qs] for a in ps]))
        first = np.maximum(-2.0 * np.log(overlap @ np.sqrt(v)), 0.0)
        # KL(pₐ‖q) = KL(pₐ‖qᵦ) where there is one component
        first = cross[:, 0] if len(qs) == 1 else first
        second = -np.log(np.exp(-own) @ w)
    second = np.minimum(second, -np.log(w))
    with np.errstate(divide="ignore"):
        # and from above: KL(pₐ‖q) ≤ −log Σ vᵦe^{−KL(pₐ‖qᵦ)}, less Σ wₐKL(pₐ‖p) ≥ −Σ wₐ log Σ wᵦBC(pₐ, pᵦ)
        among = np.exp(-np.array([[_distance(a, b) if a is not b else 0.0 for b in ps] for a in ps]))
        apart = float(np.sum(w * -np.log(np.exp(-cross) @ v))) + float(np.sum(w * np.log(among @ w)))
    if math.isfinite(apart):
        high = min(high, apart)
    low = float(np.sum(w * first) - np.sum(w * second))
    slack = 1e-9 * (abs(low) + 1e-12)  # rounding, and quadrature of the components
    return max(low - slack, 0.0), high + 1e-12 * (1.0 + high)


def _components(p: Any) -> tuple[Any, Any]:
    if not isinstance(p, Mixture):
        return np.ones(1), (p,)
    weights = to_host(p.weights)
    keep = weights > 0
    return weights[keep] / weights.sum(), tuple(c for c, k in zip(p.components, keep, strict=True) if k)


def _distance(a: Any, b: Any) -> float:
    """Bhattacharyya's distance, or 0, which never claims too much."""
    try:
        return float(bhattacharyya_distance(a, b))
    except NoClosedForm:
        return 0.0


def _kl(a: Any, b: Any, sign: float) -> float:
    try:
        answer = dispatch._kl(a, b)
    except NoClosedForm:
        return math.inf
    return float(answer.value) + sign * float(answer.error)


def _above(w: Any, v: Any, cross: Any) -> float:
    """Minimise over couplings: rows of φ sum to w, columns of ψ to v; each half-step has a closed form."""
    psi = np.broadcast_to(v / len(w), cross.shape)
    weight = np.exp(
        -np.where(np.isinf(cross), np.inf, cross - np.where(np.isinf(cross), np.inf, cross).min(axis=1, keepdims=True))
    )
    if not np.isfinite(cross).any(axis=1).all():
        return math.inf
    best = math.inf
    for _ in range(200):
        rows = psi * weight
        total = rows.sum(axis=1, keepdims=True)
        if (total == 0).any():
            break
        phi = w[:, None] * rows / total
        columns = phi.sum(axis=0, keepdims=True)
        psi = np.where(columns > 0, v * phi / np.where(columns > 0, columns, 1.0), v / len(w))
        some = phi > 0
        value = float(
            np.sum(
                np.where(
                    some,
                    phi * (np.log(np.where(some, phi, 1.0) / np.where(some, psi, 1.0)) + np.where(some, cross, 0.0)),
                    0.0,
                )
            )
        )
        if best - value <= 1e-12 * abs(best):
            best = min(best, value)
            break
        best = min(best, value)
    return max(best, 0.0)
