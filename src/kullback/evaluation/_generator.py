"""`evaluate_generator`: real samples against generated ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, stats

from kullback.errors import InvalidForm, InvalidInput
from kullback.evaluation._buckets import (
    Counts,
    beyond_chance,
    bucketed,
    drawn,
    features,
    merged,
    second_order_bias,
    shuffled,
    to_mixture,
)
from kullback.evaluation._discriminator import classifier_bound
from kullback.evaluation._truth import codes_of
from kullback.result.estimate import Estimate
from kullback.result.generator_evaluation import FrontierPoint, GeneratorEvaluation, Region
from kullback.statistics import mean_interval

Floats = NDArray[np.float64]

_SHUFFLES = 999
_WEIGHTS = (0.1, 0.3, 0.5, 0.7, 0.9)


def evaluate_generator(
    real: Any,
    generated: Any,
    /,
    *,
    buckets: int | None = None,
    labels: Any = None,
    generated_labels: Any = None,
    nll: Any = None,
    bin_width: float = 1.0,
    dimensions: int | None = None,
    components: int = 50,
    level: float = 0.95,
    random_state: int = 0,
) -> GeneratorEvaluation:
    """How far generated samples are from real ones, how sure that is, what is missing and what is invented.

    Rows are put into buckets by k-means on both sets together; KL to mixtures is measured on the buckets and corrected
    by its mean over shuffled sides, so that equal sets give 0 on average whatever the number of buckets. Several
    tokens or pixels seen as one bucket only hide differences: on average the numbers are lower bounds of the true
    ones.

    Parameters
    ----------
    real, generated : arrays (n, …) and (m, …)
        Samples or, better for images and text, features of them; what is beyond the first axis is flattened.
    buckets : int, optional
        Default: one for every 20 rows of the smaller set, at most 500.
    labels, generated_labels : (n,), (m,), optional
        Names for what is missing or invented.
    nll : (k,), optional
        A model's −log density (nats) of held-out real samples, for bits per dimension, with `dimensions` of a sample
        and `bin_width`, the step of the data in the units of the density (1 for integers, 1/256 for pixels scaled to
        [0, 1)).
    components
        Features are reduced to so many main axes.
    level, random_state
        Of the intervals; the same seed gives the same bits.

    Returns
    -------
    GeneratorEvaluation

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> e = evaluate_generator(rng.normal(size=(600, 2)), rng.normal(size=(600, 2)))
    >>> e.js.low <= 0.0 <= e.js.high
    True
    """
    p, q = _samples(real, "real"), _samples(generated, "generated")
    if p.shape[1] != q.shape[1]:
        raise InvalidInput(
            f"real samples have {p.shape[1]} features and generated ones {q.shape[1]}; expected the same"
        )
    smaller = min(len(p), len(q))
    if smaller < 50:
        raise InvalidInput(f"{smaller} samples are too few to compare distributions; expected at least 50 on each side")
    count = buckets if buckets is not None else min(500, max(2, smaller // 20))
    if not 2 <= count <= smaller:
        raise InvalidInput(f"buckets={count}; expected between 2 and the {smaller} samples of the smaller side")
    x, y, kept = features(p, q, components)
    code_p, code_q, middles = bucketed(x, y, count, random_state)
    K = len(middles)
    a, b = np.bincount(code_p, minlength=K), np.bincount(code_q, minlength=K)
    rng = np.random.default_rng(random_state)
    n = (len(p), len(q))
    region = merged(middles, K, random_state)
    deals = shuffled(a, b, _SHUFFLES, rng)
    draws = drawn(a / n[0], n[0], _SHUFFLES, rng), drawn(b / n[1], n[1], _SHUFFLES, rng)
    first, second = to_mixture(a.astype(float), b.astype(float), 0.5)
    plug_in = 0.5 * (float(first) + float(second))
    null = 0.5 * np.add(*to_mixture(*deals, 0.5))
    p_value = float((np.sum(null >= plug_in * (1 - 1e-12)) + 1) / (null.size + 1))
    bias = _bias(a, b, deals, 0.5, p_value)
    spread = to_mixture(*draws, 0.5)

    def corrected(value: float, excess: float, drawn_values: Floats) -> Estimate:
        error = float(drawn_values.std(ddof=1))
        middle = value - excess
        half = float(stats.norm.ppf(0.5 + level / 2)) * error
        method = f"{K} buckets, less bias; bootstrap error"
        notes = (f"uncorrected {value:.6g}",)
        return Estimate(middle, middle - half, middle + half, level, error, "nats", method, n, notes)

    missing, invented = _regions(region, code_p, code_q, x, y, labels, generated_labels)
    notes = []
    if count > K:
        notes.append(f"{count} buckets were asked for, {K} are not empty")
    if smaller / K < 10:
        notes.append(f"{smaller / K:.1f} rows per bucket are few: differences inside chance are corrected away")
    return GeneratorEvaluation(
        n=n,
        buckets=K,
        dimensions=kept,
        js=corrected(plug_in, 0.5 * (bias[0] + bias[1]), 0.5 * (spread[0] + spread[1])),
        kl_real=corrected(float(first), bias[0], spread[0]),
        kl_generated=corrected(float(second), bias[1], spread[1]),
        p_value=p_value,
        classifier_bound=classifier_bound(x, y, level, random_state),
        frontier=tuple(_point(a, b, deals, w, p_value) for w in _WEIGHTS),
        missing=missing,
        invented=invented,
        missing_labels=_by_label(missing),
        invented_labels=_by_label(invented),
        frechet=_frechet(x, y),
        bits_per_dimension=_bits(nll, dimensions or p.shape[1], bin_width, level),
        notes=tuple(notes),
    )


def _samples(given: Any, what: str) -> Floats:
    if hasattr(given, "values") and not hasattr(given, "to_numpy"):
        given = given.values
    if hasattr(given, "detach"):
        given = given.detach().cpu()
    x = np.asarray(given)
    if x.dtype.kind not in "fiub" or x.ndim < 1:
        raise InvalidForm(f"{what} samples have dtype {x.dtype}; expected numbers. Text: give embeddings of it.")
    x = x.reshape(len(x), -1).astype(np.float64)
    bad = ~np.isfinite(x).all(axis=1)
    if bad.any():
        raise InvalidInput(
            f"row {int(np.argmax(bad))} of the {what} samples holds NaN or ∞; {int(bad.sum())} such rows"
        )
    return x


def _bias(a: Counts, b: Counts, deals: tuple[Floats, Floats], weight: float, p_value: float) -> tuple[float, float]:
    """What scatter alone adds to the two KLs.

    If the sides are alike that is exactly the mean over shuffled sides, however few rows a bucket has; if they differ
    it is not, because where one side is absent nothing scatters, and the second-order bias at the shares seen is
    nearer. Between p = 0 and p = .05 the one passes into the other.
    """
    n, m = int(a.sum()), int(b.sum())
    alike = [float(c.mean()) for c in to_mixture(*deals, weight)]
    differing = second_order_bias(a / n, b / m, n, m, weight)
    belief = min(1.0, p_value / 0.05)
    first, second = (belief * s + (1.0 - belief) * d for s, d in zip(alike, differing, strict=True))
    return first, second


def _point(a: Counts, b: Counts, deals: tuple[Floats, Floats], weight: float, p_value: float) -> FrontierPoint:
    value, bias = to_mixture(a.astype(float), b.astype(float), weight), _bias(a, b, deals, weight, p_value)
    return FrontierPoint(weight, float(value[0]) - bias[0], float(value[1]) - bias[1])


def _regions(
    region: NDArray[np.intp],
    code_p: NDArray[np.intp],
    code_q: NDArray[np.intp],
    x: Floats,
    y: Floats,
    labels: Any,
    generated_labels: Any,
) -> tuple[tuple[Region, ...], tuple[Region, ...]]:
    """The regions whose two counts differ beyond chance, with their names and examples of what one side lacks."""
    K, count = region.size, int(region.max()) + 1
    in_p, in_q = np.bincount(code_p, minlength=K) / code_p.size, np.bincount(code_q, minlength=K) / code_q.size
    a, b = np.bincount(region[code_p], minlength=count), np.bincount(region[code_q], minlength=count)
    seen, p_value = beyond_chance(a, b)
    found = np.flatnonzero(seen)
    p, q = a / a.sum(), b / b.sum()
    r = 0.5 * (p + q)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = 0.5 * (np.where(p > 0, p * np.log(p / r), 0.0) + np.where(q > 0, q * np.log(q / r), 0.0))
    named_p = None if labels is None else codes_of(labels, code_p.size, "labels")
    named_q = None if generated_labels is None else codes_of(generated_labels, code_q.size, "generated_labels")
    missing: list[Region] = []
    invented: list[Region] = []
    for k in found[np.argsort(-part[found])].tolist():
        lacks = p[k] > q[k]
        code, points, named = (code_p, x, named_p) if lacks else (code_q, y, named_q)
        excess = (in_p - in_q if lacks else in_q - in_p) / np.maximum(in_p, in_q)
        rows = np.flatnonzero(region[code] == k)
        # Buckets of the region that the other side does not reach at all come first.
        weight = np.maximum(excess[code[rows]], 0.0)
        middle = np.average(points[rows], axis=0, weights=weight + 1e-9)
        near = rows[np.lexsort((np.sum((points[rows] - middle) ** 2, axis=1), -weight.round(1)))[:3]]
        entry = Region(
            bucket=k,
            label="" if named is None else named[1][int(np.bincount(named[0][rows], weights=weight).argmax())],
            share_real=float(p[k]),
            share_generated=float(q[k]),
            contribution=float(part[k]),
            p_value=float(p_value[k]),
            examples=tuple(int(i) for i in near),
        )
        (missing if lacks else invented).append(entry)
    return tuple(missing), tuple(invented)


def _by_label(regions: tuple[Region, ...]) -> tuple[tuple[str, float, float], ...]:
    names = dict.fromkeys(r.label for r in regions if r.label)
    sums = [
        (
            name,
            sum(r.share_real for r in regions if r.label == name),
            sum(r.share_generated for r in regions if r.label == name),
        )
        for name in names
    ]
    return tuple(sorted(sums, key=lambda s: -abs(s[1] - s[2])))


def _frechet(x: Floats, y: Floats) -> float:
    """|μ − ν|² + tr(S + T − 2 (S T)^½): squared 2-Wasserstein distance of the two fitted normals."""
    s, t = np.atleast_2d(np.cov(x.T)), np.atleast_2d(np.cov(y.T))
    values, vectors = linalg.eigh(s)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    cross = np.sqrt(np.maximum(linalg.eigvalsh(root @ t @ root), 0.0)).sum()
    gap = x.mean(axis=0) - y.mean(axis=0)
    return float(max(gap @ gap + np.trace(s) + np.trace(t) - 2 * cross, 0.0))


def _bits(nll: Any, dimensions: int, bin_width: float, level: float) -> Estimate | None:
    """(nll/D − log bin_width)/log 2: the density times the bin is the mass that a discrete code would have to name."""
    if nll is None:
        return None
    if not bin_width > 0:
        raise InvalidInput(f"bin_width={bin_width}; expected the step of the data in the units of the density")
    values = (np.asarray(nll, dtype=np.float64).reshape(-1) / dimensions - math.log(bin_width)) / math.log(2.0)
    i = mean_interval(values, level=level)
    method = f"mean nll / {dimensions} dimensions, plus {-math.log2(bin_width):.6g} bits for steps of {bin_width:g}"
    return Estimate(i.value, i.low, i.high, level, i.standard_error, "bits per dimension", method, (values.size,))
