"""`evaluate_generator`: real samples against generated ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, stats

from kullback.errors import InvalidForm, InvalidInput
from kullback.evaluation._buckets import best_bucketing, merged
from kullback.evaluation._chance import beyond_chance
from kullback.evaluation._discriminator import classifier_bound
from kullback.evaluation._truth import codes_of
from kullback.evaluation._views import main_axes
from kullback.result.estimate import Estimate
from kullback.result.generator_evaluation import FrontierPoint, GeneratorEvaluation, Region
from kullback.statistics import mean_interval

Floats = NDArray[np.float64]

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

    Rows are put into buckets by k-means on both sets together, several times over, by their coordinates or (up to
    12,000 rows) by who their neighbours are, whichever tells the sets apart more clearly. KL to mixtures is measured on
    the buckets and corrected for what chance adds, so that equal sets give 0 on average whatever the number of buckets.
    Seeing several samples as one bucket only hides differences: on average the numbers are lower bounds of the true
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
    both = main_axes(p, q, components)
    x, y = both[: len(p)], both[len(p) :]
    n = (len(p), len(q))
    found, p_value = best_bucketing(both, len(p), count, random_state)
    K = found.sizes[0]
    region = merged(found.middles, K, random_state)
    seen, spread = found.plug_in(0.5), found.again(0.5, random_state + 1)
    biases = found.bias(_WEIGHTS)
    bias = biases[_WEIGHTS.index(0.5)]
    ways = "" if len(found.sizes) == 1 else f", mean of {len(found.sizes)} ways"

    def corrected(value: float, excess: float, drawn_values: Floats) -> Estimate:
        error = float(drawn_values.std(ddof=1))
        middle = value - excess
        half = float(stats.norm.ppf(0.5 + level / 2)) * error
        method = f"{K} buckets{ways}, less bias; bootstrap error"
        notes = (f"uncorrected {value:.6g}",)
        return Estimate(middle, middle - half, middle + half, level, error, "nats", method, n, notes)

    code_p, code_q = found.codes[0][: len(p)], found.codes[0][len(p) :]
    missing, invented = _regions(region, code_p, code_q, x, y, labels, generated_labels)
    notes = []
    if count > K:
        notes.append(f"{count} buckets were asked for, {K} are not empty")
    if smaller / K < 10:
        notes.append(f"{smaller / K:.1f} rows per bucket are few: differences inside chance are corrected away")
    return GeneratorEvaluation(
        n=n,
        buckets=K,
        dimensions=both.shape[1],
        js=corrected(float(seen.mean()), float(bias.mean()), spread.mean(axis=0)),
        kl_real=corrected(float(seen[0]), float(bias[0]), spread[0]),
        kl_generated=corrected(float(seen[1]), float(bias[1]), spread[1]),
        p_value=p_value,
        classifier_bound=classifier_bound(x, y, level, random_state),
        frontier=tuple(
            FrontierPoint(w, *(found.plug_in(w) - off).tolist()) for w, off in zip(_WEIGHTS, biases, strict=True)
        ),
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
    method = (
        f"mean nll / {dimensions} dimensions, plus {0.0 - math.log2(bin_width):.6g} bits for steps of {bin_width:g}"
    )
    return Estimate(i.value, i.low, i.high, level, i.standard_error, "bits per dimension", method, (values.size,))
