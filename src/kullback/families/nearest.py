"""The member of a family nearest to P: forward (match what P expects), or reverse (seek a mode)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from kullback.errors import InvalidForm, NoClosedForm
from kullback.families import dispatch
from kullback.families.counts import Poisson
from kullback.families.gamma import Exponential
from kullback.families.line import Line
from kullback.families.mixture import Mixture
from kullback.families.multivariate_normal import MultivariateNormal
from kullback.families.normal import LogNormal, Normal

Array = Any


def project(
    p: Any, family: type[Any], /, *, direction: Literal["forward", "reverse"] = "forward", **fixed: float
) -> Any:
    """The member q of `family` with the least KL(p‖q) ("forward") or KL(q‖p) ("reverse").

    Parameters
    ----------
    p
        One distribution on the line, a family or one of another library; for `MultivariateNormal`, also a mixture of
        normal vectors.
    family
        A class of kullback.families, such as `Normal`.
    direction
        Forward covers all of p: for an exponential family it matches p's expectations. Reverse settles on a part of p
        that the family can fill: one mode of a mixture; the best of several starts.
    fixed
        Parameters that are kept, by name: `project(p, StudentT, df=4.0)`.

    Returns
    -------
    family
        The nearest member.

    Raises
    ------
    InvalidForm, NoClosedForm
        Batches; a family with parameters that are not numbers; no member at a finite distance.

    Examples
    --------
    >>> from kullback.families import Mixture, Normal, project
    >>> p = Mixture([0.5, 0.5], [Normal(-2, 1), Normal(2, 1)])
    >>> q = project(p, Normal)
    >>> round(q.mean, 9) + 0.0, round(q.std**2, 9)
    (0.0, 5.0)
    """
    p = dispatch.parsed(p, "p")
    if direction not in ("forward", "reverse"):
        msg = f"direction = {direction!r}; expected 'forward' or 'reverse'."
        raise InvalidForm(msg)
    if p.batch_shape:
        msg = f"project got a batch of shape {p.batch_shape}; expected one distribution."
        raise InvalidForm(msg)
    if family is MultivariateNormal and direction == "forward":
        return MultivariateNormal(*_vector_moments(p))
    if not isinstance(p, Line) or not (isinstance(family, type) and issubclass(family, Line)):
        msg = f"project cannot place {type(p).__name__} among {family!r}; both must be laws on the line."
        raise InvalidForm(msg)
    rule = _FORWARD.get(family)
    if direction == "forward" and rule is not None and not fixed:
        return rule(p)
    return _search(p, family, direction, fixed)


def _normal(p: Line) -> Normal:
    return Normal(float(p.mean), math.sqrt(float(p.variance)))


def _log_normal(p: Line) -> LogNormal:
    from kullback.families.quadrature import mean_of

    first = mean_of(p, np.log)[0]
    return LogNormal(first, math.sqrt(mean_of(p, lambda x: (np.log(x) - first) ** 2)[0]))


_FORWARD: dict[type, Callable[[Line], Any]] = {
    Normal: _normal,
    LogNormal: _log_normal,
    Exponential: lambda p: Exponential(1.0 / float(p.mean)),
    Poisson: lambda p: Poisson(float(p.mean)),
}


def _vector_moments(p: Any) -> tuple[Any, Any]:
    if isinstance(p, Mixture):
        parts = [_vector_moments(c) for c in p.components]
        weights = np.asarray(p.weights)
        mean = sum(w * m for w, (m, _) in zip(weights, parts, strict=True))
        cov = sum(w * (S + np.outer(m - mean, m - mean)) for w, (m, S) in zip(weights, parts, strict=True))
        return mean, cov
    dense = getattr(p, "_dense", None)
    from kullback.families.namespace import namespace_of, to_host

    found = None if dense is None else p._with(to_host)._dense(namespace_of(np.zeros(1)))
    if found is None:
        msg = f"{type(p).__name__} has no known mean vector and covariance to match."
        raise NoClosedForm(msg)
    return np.asarray(found.mean), np.asarray(found.cov)


# ---- search ----------------------------------------------------------------------------------------------------------


def _search(p: Line, family: type[Any], direction: str, fixed: dict[str, float]) -> Any:
    """Nelder–Mead, then a polish, over parameters mapped to the line; starts at p's moments or around its modes."""
    import dataclasses

    from scipy.optimize import minimize

    free = [f for f in dataclasses.fields(family) if "constraint" in f.metadata and f.name not in fixed]
    unknown = set(fixed) - {f.name for f in dataclasses.fields(family)}
    if unknown:
        known = [f.name for f in dataclasses.fields(family)]
        msg = f"{family.__name__} has no parameter {sorted(unknown)}; it has {known}."
        raise InvalidForm(msg)
    maps = [_map(f.metadata["constraint"].words) for f in free]

    def member(theta: Any) -> Any:
        values = {f.name: m(float(t)) for f, m, t in zip(free, maps, theta, strict=True)}
        return family(**values, **fixed)

    def distance(theta: Any) -> float:
        try:
            q = member(theta)
            value = dispatch._kl(p, q).value if direction == "forward" else dispatch._kl(q, p).value
        except (ValueError, NotImplementedError, OverflowError):
            return 1e300
        value = float(value)
        return value if math.isfinite(value) else 1e300

    best_value, best = math.inf, None
    for start in _starts(p, [f.name for f in free], maps, direction):
        found = minimize(distance, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13, "maxfev": 600})
        if found.fun < best_value:
            best_value, best = float(found.fun), found.x
    if best is None or best_value >= 1e299:
        msg = f"no {family.__name__} at a finite distance from {type(p).__name__} was found; is p inside its support?"
        raise NoClosedForm(msg)
    return member(best)


def _map(words: str) -> Callable[[float], float]:
    if "> 0" in words or "≥ 0" in words:
        return math.exp
    if "probability" in words:
        return lambda t: 1.0 / (1.0 + math.exp(-t)) if t > -700 else 0.0
    if "whole" in words:
        msg = "project moves real parameters only; fix the counts by name."
        raise InvalidForm(msg)
    return lambda t: t


def _starts(p: Any, names: list[str], maps: list[Any], direction: str) -> list[Any]:
    x = np.sort(np.asarray(p.sample(512, random_state=0), dtype=float))
    middle, spread = float(np.median(x)), float(x[400] - x[110]) or 1.0
    inside = _modes(x, spread)
    shapes = (1.0, 4.0) if direction == "forward" else (2.0,)
    places = [(middle, spread)] if direction == "forward" else inside
    starts = []
    for place, width in places:
        for shape in shapes:
            theta = []
            for name, m in zip(names, maps, strict=True):
                value = place if name in ("loc", "mean", "low") else width if name in ("scale", "std") else shape
                if name == "rate":
                    value = 1.0 / max(abs(place), 1e-12)
                if name == "high":
                    value = place + width
                theta.append(math.log(max(value, 1e-12)) if m is math.exp else 0.0 if name == "probs" else value)
            starts.append(np.array(theta))
    return starts


def _modes(x: Any, spread: float) -> list[tuple[float, float]]:
    """Places where draws crowd: the narrowest windows of a tenth of them, apart from each other."""
    n = len(x) // 10
    widths = x[n:] - x[:-n]
    found: list[tuple[float, float]] = []
    for i in np.argsort(widths):
        place = float(0.5 * (x[i] + x[i + n]))
        if all(abs(place - other) > 0.5 * spread for other, _ in found):
            found.append((place, max(float(widths[i]) * 3.0, 1e-12)))
        if len(found) == 4:
            break
    return found
