"""NumPyro's distributions as families of ours: exact types, by the parameters that they share with torch's."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from kullback.errors import NoClosedForm
from kullback.families import (
    categorical,
    counts,
    dirichlet,
    interval,
    multivariate_normal,
    normal,
    symmetric,
    trials,
    truncated,
)
from kullback.families.adapt_torch import NAMED
from kullback.families.affine import Affine
from kullback.families.base import Family
from kullback.families.foreign import Foreign
from kullback.families.gamma import Levy
from kullback.families.line import Line
from kullback.families.mixture import Mixture
from kullback.families.product import Independent
from kullback.families.wishart import Wishart

# the same names as torch's and the same parameters, in order
_SHARED = {name: row for name, row in NAMED.items() if name != "Wishart"}
_OWN: dict[str, Callable[[Any], Any]] = {
    "BernoulliProbs": lambda d: trials.Bernoulli(d.probs),
    "BernoulliLogits": lambda d: categorical.Categorical(logits=_two(d.logits)),
    "BinomialProbs": lambda d: trials.Binomial(d.total_count, d.probs),
    "BinomialLogits": lambda d: trials.Binomial(d.total_count, d.probs),
    "CategoricalProbs": lambda d: categorical.Categorical(d.probs),
    "CategoricalLogits": lambda d: categorical.Categorical(logits=d.logits),
    "MultinomialProbs": lambda d: categorical.Multinomial(d.total_count, d.probs),
    "MultinomialLogits": lambda d: categorical.Multinomial(d.total_count, logits=d.logits),
    "GeometricProbs": lambda d: trials.Geometric(d.probs),
    "GeometricLogits": lambda d: trials.Geometric(d.probs),
    **{
        name: lambda d: trials.NegativeBinomial(d.concentration, 1.0 / (1.0 + d.rate))
        for name in ("GammaPoisson", "NegativeBinomial2", "NegativeBinomialProbs", "NegativeBinomialLogits")
    },
    "BetaBinomial": lambda d: counts.BetaBinomial(d.total_count, d.concentration1, d.concentration0),
    "DirichletMultinomial": lambda d: dirichlet.DirichletMultinomial(d.concentration, d.total_count),
    "Logistic": lambda d: symmetric.Logistic(d.loc, d.scale),
    "Levy": lambda d: Levy(d.loc, d.scale),
    "Wishart": lambda d: Wishart(d.concentration, _square(d.scale_tril)),
    "MatrixNormal": lambda d: multivariate_normal.MatrixNormal(
        d.loc, _square(d.scale_tril_row), _square(d.scale_tril_column)
    ),
    "Independent": lambda d: (
        Independent(adapted(d.base_dist), d.reinterpreted_batch_ndims)
        if d.reinterpreted_batch_ndims
        else adapted(d.base_dist)
    ),
    "ExpandedDistribution": lambda d: adapted(d.base_dist)._expanded(tuple(d.batch_shape)),
    "MixtureSameFamily": lambda d: _mixture(d, adapted(d.component_distribution)),
    "MixtureGeneral": lambda d: Mixture(
        d.mixing_distribution.probs, tuple(adapted(c) for c in d.component_distributions)
    ),
    "TwoSidedTruncatedDistribution": lambda d: _truncated(d, d.low, d.high),
    "LeftTruncatedDistribution": lambda d: _truncated(d, d.low, np.inf),
    "RightTruncatedDistribution": lambda d: _truncated(d, -np.inf, d.high),
    "TransformedDistribution": lambda d: _transformed(d),
}


@functools.cache
def _types() -> dict[type, Callable[[Any], Any]]:
    theirs = sys.modules["numpyro.distributions"]
    found: dict[type, Callable[[Any], Any]] = {}
    for name, (cls, parameters) in _SHARED.items():
        if hasattr(theirs, name):
            found[getattr(theirs, name)] = functools.partial(_build, cls, parameters)
    for name, build in _OWN.items():
        if hasattr(theirs, name):
            found[getattr(theirs, name)] = build
    return found


def adapted(x: Any) -> Family:
    """The family that a NumPyro distribution is, or on the line a stand-in by its log-density."""
    build = _types().get(type(x))
    known: Family | None = None if build is None else build(x)
    return _foreign(x) if known is None else known


def _build(cls: Any, parameters: tuple[str, ...], d: Any) -> Any:
    return cls(*(getattr(d, name) for name in parameters))


def _two(logits: Any) -> Any:
    import jax.numpy as jnp

    return jnp.stack([jnp.zeros_like(logits), jnp.asarray(logits)], axis=-1)


def _square(L: Any) -> Any:
    import jax.numpy as jnp

    return jnp.matmul(L, jnp.swapaxes(L, -1, -2))


def _mixture(d: Any, parts: Family) -> Mixture:
    weights = d.mixing_distribution.probs
    return Mixture(weights, tuple(parts._along(k) for k in range(weights.shape[-1])))


def _truncated(d: Any, low: Any, high: Any) -> Family | None:
    base = adapted(d.base_dist)
    if type(base) is not normal.Normal:
        return None
    return truncated.TruncatedNormal((low - base.mean) / base.std, (high - base.mean) / base.std, base.mean, base.std)


def _transformed(d: Any) -> Family | None:
    """Affine maps of the line, and the exponential and the logistic function of a normal law."""
    base = adapted(d.base_dist)
    for t in d.transforms:
        name = type(t).__name__
        if name == "AffineTransform" and isinstance(base, Line) and bool(np.all(np.asarray(t.scale) > 0)):
            if type(base) is normal.Normal:
                base = normal.Normal(t.loc + t.scale * base.mean, t.scale * base.std)
            else:
                base = Affine(base, t.loc, t.scale)
        elif name == "ExpTransform" and type(base) is normal.Normal:
            base = normal.LogNormal(base.mean, base.std)
        elif name == "SigmoidTransform" and type(base) is normal.Normal:
            base = interval.LogitNormal(base.mean, base.std)
        else:
            return None
    return base


def _foreign(x: Any) -> Family:
    import jax

    if tuple(x.event_shape):
        msg = (
            f"{type(x).__name__} is not known here and lives on a space of shape {tuple(x.event_shape)}; only laws on "
            "the line can be integrated by their log_prob."
        )
        raise NoClosedForm(msg)
    low = getattr(x.support, "lower_bound", -np.inf)
    high = getattr(x.support, "upper_bound", np.inf)

    def draw(rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return np.asarray(x.sample(jax.random.PRNGKey(int(rng.integers(2**31))), size))

    return Foreign(x, x.log_prob, draw, (low, high), whole=bool(x.support.is_discrete), shape=tuple(x.batch_shape))
