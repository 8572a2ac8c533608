"""Predictions of a number: named families, draws, quantiles, histograms; each gives a density, a CDF and a CRPS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from kullback.errors import InvalidDistribution, InvalidForm, InvalidInput
from kullback.forms import Samples

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Quantiles:
    """Predicted quantiles: `levels` (k,) rising inside (0, 1), `values` (n, k) not falling.

    Between the levels the CDF is a straight line; beyond the first and last the density falls off exponentially from
    the height of its neighbour.

    Examples
    --------
    >>> Quantiles([0.1, 0.5, 0.9], [[-1.0, 0.0, 1.0]]).values.shape
    (1, 3)
    """

    levels: Any
    values: Any

    def __post_init__(self) -> None:
        """Parse once."""
        levels, values = np.asarray(self.levels, dtype=np.float64), np.asarray(self.values, dtype=np.float64)
        if (
            levels.ndim != 1
            or levels.size < 2
            or not (levels[0] > 0 and levels[-1] < 1 and (np.diff(levels) > 0).all())
        ):
            raise InvalidDistribution(f"quantile levels {self.levels!r}: expected at least two, rising inside (0, 1)")
        if values.ndim != 2 or values.shape[1] != levels.size:
            raise InvalidDistribution(f"quantile values have shape {values.shape}; expected (n, {levels.size})")
        bad = ~np.isfinite(values).all(axis=1) | (np.diff(values, axis=1) < 0).any(axis=1)
        if bad.any():
            raise InvalidDistribution(f"row {int(np.argmax(bad))}: quantiles must be finite and must not fall")
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "values", values)


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Predicted mass per bin: `edges` (k+1,) or (n, k+1) rising, `mass` (n, k) with rows that sum to 1.

    Examples
    --------
    >>> Histogram([0.0, 1.0, 2.0], [[0.25, 0.75]]).mass.shape
    (1, 2)
    """

    edges: Any
    mass: Any

    def __post_init__(self) -> None:
        """Parse once."""
        edges, mass = np.asarray(self.edges, dtype=np.float64), np.asarray(self.mass, dtype=np.float64)
        if mass.ndim != 2 or edges.shape not in ((mass.shape[1] + 1,), (mass.shape[0], mass.shape[1] + 1)):
            raise InvalidDistribution(f"edges {edges.shape} and mass {mass.shape} do not go together")
        if not (np.diff(edges) > 0).all() or not np.isfinite(edges).all():
            raise InvalidDistribution("the edges of a histogram must be finite and rise")
        bad = ~((mass >= 0).all(axis=1) & (np.abs(mass.sum(axis=1) - 1.0) <= 1e-6))
        if bad.any():
            row = int(np.argmax(bad))
            raise InvalidDistribution(
                f"row {row} of the histogram sums to {mass[row].sum():.9g}; expected masses ≥ 0 and sum 1"
            )
        object.__setattr__(self, "edges", np.broadcast_to(edges, (mass.shape[0], mass.shape[1] + 1)))
        object.__setattr__(self, "mass", mass / mass.sum(axis=1, keepdims=True))


class Gaussian(NamedTuple):
    """Normal predictions read from two columns; in Python `kullback.families.Normal` is the same to `evaluate`."""

    mean: Floats
    std: Floats


class Judged(NamedTuple):
    """Per row: −log density, PIT value in (0, 1), CRPS, median; and how the density was made, in words."""

    loss: Floats
    pit: Floats
    crps: Floats
    median: Floats
    method: str


def is_forecast(predictions: Any) -> bool:
    """Whether this predicts a number rather than a class."""
    if isinstance(predictions, (Samples, Quantiles, Histogram)):
        return True
    return _is_normal(predictions) or (hasattr(predictions, "logpdf") and hasattr(predictions, "cdf"))


def judge(y: Floats, predictions: Any, random_state: int) -> Judged:
    """Score numbers `y` (n,) against their predictions."""
    if isinstance(predictions, Samples):
        return _draws(y, np.asarray(predictions.values, dtype=np.float64), random_state)
    if isinstance(predictions, Quantiles):
        return _quantiles(y, predictions)
    if isinstance(predictions, Histogram):
        return _histogram(y, predictions)
    if _is_normal(predictions):
        return _normal(y, predictions)
    return _frozen(y, predictions)


def _is_normal(x: Any) -> bool:
    return (
        type(x).__name__ in ("Normal", "Gaussian") and hasattr(x, "mean") and hasattr(x, "std") and not callable(x.mean)
    )


def _rows(n: int, got: int, what: str) -> None:
    if n != got:
        raise InvalidInput(f"{n} numbers and {got} {what}; expected one per row")


def _normal(y: Floats, p: Any) -> Judged:
    mean, std = (np.broadcast_to(np.asarray(v, dtype=np.float64), y.shape) for v in (p.mean, p.std))
    bad = ~(np.isfinite(mean) & np.isfinite(std) & (std > 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise InvalidDistribution(
            f"row {row}: mean {mean[row]} and std {std[row]}; expected finite numbers and std > 0"
        )
    z = (y - mean) / std
    loss = 0.5 * z * z + np.log(std) + 0.5 * np.log(2 * np.pi)
    # Gneiting & Raftery 2007, doi:10.1198/016214506000001437: σ [z (2Φ(z) − 1) + 2φ(z) − 1/√π]
    phi = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    crps = std * (z * (2 * special.ndtr(z) - 1) + 2 * phi - 1 / np.sqrt(np.pi))
    return Judged(loss, special.ndtr(z), crps, np.array(mean), "normal density")


def _frozen(y: Floats, p: Any) -> Judged:
    """A frozen scipy distribution: CRPS as twice the pinball loss over levels, by Gauss–Legendre."""
    loss = np.asarray(-p.logpdf(y), dtype=np.float64)
    if loss.shape != y.shape or np.isnan(loss).any():
        raise InvalidForm("the predictions' logpdf does not give one number per row")
    node, weight = np.polynomial.legendre.leggauss(64)
    crps = np.zeros(y.shape)
    for t, w in zip(0.5 * (node + 1), 0.5 * weight, strict=True):
        q = np.broadcast_to(np.asarray(p.ppf(t), dtype=np.float64), y.shape)
        crps += 2 * w * np.where(y >= q, t * (y - q), (1 - t) * (q - y))
    median = np.broadcast_to(np.asarray(p.ppf(0.5), dtype=np.float64), y.shape)
    return Judged(loss, np.asarray(p.cdf(y), dtype=np.float64), crps, np.array(median), "density of the family")


def _draws(y: Floats, x: Floats, random_state: int) -> Judged:
    if x.ndim != 2 or x.shape[1] < 2:
        raise InvalidForm(f"kb.Samples of predictions has shape {x.shape}; expected (n, draws) with at least 2 draws")
    _rows(y.size, x.shape[0], "rows of draws")
    n, m = x.shape
    ordered = np.sort(x, axis=1)
    low, high = np.quantile(ordered, [0.25, 0.75], axis=1)
    spread = np.minimum(x.std(axis=1, ddof=1), np.where(high > low, (high - low) / 1.349, np.inf))
    # Silverman's rule; draws that are all equal leave no density but a point.
    width = np.maximum(0.9 * spread * m**-0.2, 1e-12 * (1.0 + np.abs(ordered[:, 0])))
    z = (y[:, None] - x) / width[:, None]
    exponent = -0.5 * z * z
    top = exponent.max(axis=1)
    loss = -(top + np.log(np.mean(np.exp(exponent - top[:, None]), axis=1))) + np.log(width) + 0.5 * np.log(2 * np.pi)
    below, equal = (x < y[:, None]).sum(axis=1), (x == y[:, None]).sum(axis=1)
    pit = (below + np.random.default_rng(random_state).random(n) * (equal + 1)) / (m + 1)
    # The fair CRPS: pairs of different draws only, so that it does not depend on how many were made (Ferro 2014).
    rank = 2 * np.arange(1, m + 1) - m - 1
    gini = (ordered * rank).sum(axis=1) / (m * (m - 1))
    crps = np.abs(x - y[:, None]).mean(axis=1) - gini
    return Judged(loss, pit, crps, np.median(x, axis=1), f"kernel density of {m} draws")


def _quantiles(y: Floats, p: Quantiles) -> Judged:
    _rows(y.size, p.values.shape[0], "rows of quantiles")
    t, q = p.levels, p.values
    n, k = q.shape
    height = np.diff(t) / np.maximum(np.diff(q, axis=1), 1e-12 * (1.0 + np.abs(q[:, :1])))
    j = np.clip((q <= y[:, None]).sum(axis=1) - 1, 0, k - 2)
    each = np.arange(n)
    inside = height[each, j]
    cdf = np.clip(t[j] + inside * (y - q[each, j]), t[j], t[j + 1])
    left, right = y < q[:, 0], y >= q[:, -1]
    a, b = height[:, 0] / t[0], height[:, -1] / (1 - t[-1])
    with np.errstate(over="ignore"):
        density = np.log(inside)
        density = np.where(left, np.log(height[:, 0]) + a * np.minimum(y - q[:, 0], 0), density)
        density = np.where(right, np.log(height[:, -1]) - b * np.maximum(y - q[:, -1], 0), density)
        cdf = np.where(left, t[0] * np.exp(a * np.minimum(y - q[:, 0], 0)), cdf)
        cdf = np.where(right, 1 - (1 - t[-1]) * np.exp(-b * np.maximum(y - q[:, -1], 0)), cdf)
    # CRPS = 2 ∫ pinball dτ, each level standing for the stretch up to half-way to its neighbours.
    edges = np.concatenate([[0.0], 0.5 * (t[1:] + t[:-1]), [1.0]])
    pinball = np.where(y[:, None] >= q, t * (y[:, None] - q), (1 - t) * (q - y[:, None]))
    crps = 2 * pinball @ np.diff(edges)
    median = np.array([np.interp(0.5, t, row) for row in q])
    return Judged(-density, cdf, crps, median, f"straight CDF between {k} quantiles, exponential tails")


def _histogram(y: Floats, p: Histogram) -> Judged:
    _rows(y.size, p.mass.shape[0], "rows of histograms")
    e, m = p.edges, p.mass
    n, k = m.shape
    each, width = np.arange(n), np.diff(e, axis=1)
    j = np.clip((e <= y[:, None]).sum(axis=1) - 1, 0, k - 1)
    outside = (y < e[:, 0]) | (y > e[:, -1])
    with np.errstate(divide="ignore"):
        loss = np.where(outside, np.inf, -np.log(m[each, j] / width[each, j]))
    up_to = np.concatenate([np.zeros((n, 1)), np.cumsum(m, axis=1)], axis=1)
    part = np.clip((y - e[each, j]) / width[each, j], 0, 1)
    pit = np.clip(up_to[each, j] + part * m[each, j], 0, 1)
    # ∫ (F − 1{x ≥ y})² over each bin: F is a straight line there, so each part is a difference of cubes.
    crps = np.where(y < e[:, 0], e[:, 0] - y, 0.0) + np.where(y > e[:, -1], y - e[:, -1], 0.0)
    cut = np.clip(y[:, None], e[:, :-1], e[:, 1:])
    at = up_to[:, :-1] + m * (cut - e[:, :-1]) / width
    left, right = cut - e[:, :-1], e[:, 1:] - cut
    f0, f1 = up_to[:, :-1], up_to[:, 1:]
    crps = crps + np.sum(left * (f0**2 + f0 * at + at**2) / 3, axis=1)
    g0, g1 = 1 - at, 1 - f1
    crps = crps + np.sum(right * (g0**2 + g0 * g1 + g1**2) / 3, axis=1)
    at_half = np.clip((up_to <= 0.5).sum(axis=1) - 1, 0, k - 1)
    rest = (0.5 - up_to[each, at_half]) / np.maximum(m[each, at_half], 1e-300)
    return Judged(loss, pit, crps, e[each, at_half] + rest * width[each, at_half], "histogram density")
