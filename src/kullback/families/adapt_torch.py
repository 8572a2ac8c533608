"""torch.distributions as families of ours: exact types, their parameters kept as tensors with their gradients."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from kullback.errors import NoClosedForm
from kullback.families import (
    categorical,
    counts,
    dirichlet,
    gamma,
    heavy_tails,
    interval,
    multivariate_normal,
    normal,
    symmetric,
    tails,
    trials,
    uniform,
)
from kullback.families.affine import Affine
from kullback.families.base import Family
from kullback.families.circular import ContinuousBernoulli, VonMises
from kullback.families.foreign import Foreign
from kullback.families.line import Line
from kullback.families.low_rank import LowRankMultivariateNormal
from kullback.families.mixture import Mixture
from kullback.families.parameters import family
from kullback.families.product import Independent
from kullback.families.wishart import Wishart

# type name -> (family, the attributes that are its parameters, in order)
NAMED: dict[str, tuple[Any, tuple[str, ...]]] = {
    "Normal": (normal.Normal, ("loc", "scale")),
    "LogNormal": (normal.LogNormal, ("loc", "scale")),
    "Laplace": (symmetric.Laplace, ("loc", "scale")),
    "Gumbel": (symmetric.Gumbel, ("loc", "scale")),
    "Cauchy": (heavy_tails.Cauchy, ("loc", "scale")),
    "HalfCauchy": (heavy_tails.HalfCauchy, ("scale",)),
    "HalfNormal": (gamma.HalfNormal, ("scale",)),
    "StudentT": (heavy_tails.StudentT, ("df", "loc", "scale")),
    "Exponential": (gamma.Exponential, ("rate",)),
    "Gamma": (gamma.Gamma, ("concentration", "rate")),
    "InverseGamma": (gamma.InverseGamma, ("concentration", "rate")),
    "Chi2": (gamma.ChiSquared, ("df",)),
    "Weibull": (gamma.Weibull, ("scale", "concentration")),
    "Pareto": (tails.Pareto, ("scale", "alpha")),
    "Beta": (interval.Beta, ("concentration1", "concentration0")),
    "Kumaraswamy": (interval.Kumaraswamy, ("concentration1", "concentration0")),
    "Uniform": (uniform.Uniform, ("low", "high")),
    "VonMises": (VonMises, ("loc", "concentration")),
    "Poisson": (counts.Poisson, ("rate",)),
    "Dirichlet": (dirichlet.Dirichlet, ("concentration",)),
    "MultivariateNormal": (multivariate_normal.MultivariateNormal, ("loc", "covariance_matrix")),
    "LowRankMultivariateNormal": (
        LowRankMultivariateNormal,
        ("loc", "cov_factor", "cov_diag"),
    ),
    "Wishart": (Wishart, ("df", "covariance_matrix")),
}


@functools.cache
def _types() -> dict[type, Callable[[Any], Any]]:
    from torch import distributions

    found: dict[type, Callable[[Any], Any]] = {}
    for name, (cls, parameters) in NAMED.items():
        if hasattr(distributions, name):
            found[getattr(distributions, name)] = functools.partial(_build, cls, parameters)
    found[distributions.Bernoulli] = _bernoulli
    found[distributions.Geometric] = lambda d: trials.Geometric(d.probs)
    found[distributions.ContinuousBernoulli] = lambda d: ContinuousBernoulli(d.probs)
    found[distributions.Binomial] = lambda d: trials.Binomial(d.total_count, d.probs)
    found[distributions.NegativeBinomial] = lambda d: trials.NegativeBinomial(d.total_count, d.probs)
    found[distributions.Categorical] = _categorical
    found[distributions.OneHotCategorical] = lambda d: _categorical(d._categorical)
    found[distributions.Multinomial] = _multinomial
    found[distributions.Independent] = _independent
    found[distributions.MixtureSameFamily] = _mixture
    found[distributions.TransformedDistribution] = _transformed
    return found


def adapted(x: Any) -> Family:
    """The family that a torch distribution is, or a stand-in by its log-density."""
    build = _types().get(type(x))
    found: Family = _foreign(x) if build is None else build(x)
    return found


def _build(cls: Any, parameters: tuple[str, ...], d: Any) -> Any:
    return cls(*(getattr(d, name) for name in parameters))


def _given_probs(d: Any) -> bool:
    return "probs" in d.__dict__


def _bernoulli(d: Any) -> Family:
    if _given_probs(d):
        return trials.Bernoulli(d.probs)
    import torch

    return categorical.Categorical(logits=torch.stack([torch.zeros_like(d.logits), d.logits], dim=-1))


def _categorical(d: Any) -> Family:
    # torch divides probs by their sum and shifts logits; both are undone by the exact normalisation of the door
    return categorical.Categorical(d.probs) if _given_probs(d) else categorical.Categorical(logits=d.logits)


def _multinomial(d: Any) -> Family:
    inner = d._categorical
    if _given_probs(inner):
        return categorical.Multinomial(d.total_count, inner.probs)
    return categorical.Multinomial(d.total_count, logits=inner.logits)


def _independent(d: Any) -> Family:
    base, n = adapted(d.base_dist), d.reinterpreted_batch_ndims
    if n and isinstance(base, Independent):
        # the same law, however its axes were counted
        return Independent(base.base, base.reinterpreted_batch_ndims + n)
    return Independent(base, n) if n else base


def _mixture(d: Any) -> Family:
    weights = d.mixture_distribution.probs
    part = adapted(d.component_distribution)
    return Mixture(weights, tuple(part._along(k) for k in range(weights.shape[-1])))


def _transformed(d: Any) -> Family:
    """Affine maps and the maps that name a family; any other one-to-one map is kept as it is."""
    from torch import distributions

    base = adapted(d.base_dist)
    flat: list[Any] = []
    for t in d.transforms:
        flat += list(t.parts) if type(t) is distributions.ComposeTransform else [t]
    for i, t in enumerate(flat):
        following = _step(base, t)
        if following is None:
            return Pushed(d, base, tuple(flat[i:]))
        base = following
    return base


def _step(base: Any, t: Any) -> Any:
    from torch import distributions

    if (
        type(t) is distributions.AffineTransform
        and isinstance(base, Line)
        and t.event_dim == 0
        and bool(np.all(np.asarray(t.scale) > 0))
    ):
        return Affine(base, _parameter_of(t.loc), _parameter_of(t.scale))
    as_normal = _as_normal(base)
    if type(t) is distributions.ExpTransform and as_normal is not None:
        return normal.LogNormal(*as_normal)
    if type(t) is distributions.SigmoidTransform and as_normal is not None:
        return interval.LogitNormal(*as_normal)
    return None


def _as_normal(base: Any) -> tuple[Any, Any] | None:
    if type(base) is normal.Normal:
        return base.mean, base.std
    if type(base) is Affine and type(base.base) is normal.Normal:
        return base.loc + base.scale * base.base.mean, base.scale * base.base.std
    return None


def _parameter_of(x: Any) -> Any:
    return float(x) if isinstance(x, (int, float)) else x


@family
class Pushed(Family):
    """A law after maps that have no family of their own: KL needs the same maps on both sides, or quadrature."""

    wrapped: Any = dataclasses.field()
    base: Family = dataclasses.field()
    maps: tuple[Any, ...] = ()
    _comparable: ClassVar[bool] = False

    def __repr__(self) -> str:
        return repr(self.wrapped)

    def _parts(self) -> tuple[Family, ...]:
        return (self.base,)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """As torch has it."""
        return tuple(self.wrapped.batch_shape)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """As torch has it."""
        return tuple(self.wrapped.event_shape)

    def _with(self, change: Callable[[Any], Any]) -> Any:
        return self

    def _along(self, k: int | slice, skip: int = 0) -> Any:
        msg = f"a mixture of {self.wrapped!r} cannot be taken apart: its maps have no family here."
        raise NoClosedForm(msg)

    def _beside(self, other: Family, xp: Any) -> Family:
        """Its base where the other has gone through the same one-to-one maps, else a law known by its log_prob."""
        del xp
        if type(other) is Pushed and self.maps == other.maps and all(t.bijective for t in self.maps):
            return self.base
        return self if self.event_shape else _foreign(self.wrapped)

    def _kl(self, q: Any, xp: Any) -> None:
        return None

    def _entropy(self, xp: Any) -> Any:
        from kullback.families import dispatch

        return None if self.event_shape else dispatch.entropy(_foreign(self.wrapped))

    def log_prob(self, x: Any, /) -> Any:
        """As torch has it."""
        return self.wrapped.log_prob(x)

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Any:
        """Draws by torch, from its own generator seeded with `random_state`."""
        return _draw(self.wrapped, np.random.default_rng(random_state), (shape,) if isinstance(shape, int) else shape)


def _draw(d: Any, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
    import torch

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(int(rng.integers(2**62)))
        return d.sample(torch.Size(size)).detach().cpu().numpy()


def _foreign(d: Any) -> Family:
    import torch

    if tuple(d.event_shape):
        msg = (
            f"{type(d).__name__} is not known here and lives on a space of shape {tuple(d.event_shape)}; only "
            "laws on the line can be integrated by their log_prob."
        )
        raise NoClosedForm(msg)
    low, high, whole = _edges(d)

    def log_density(x: Any) -> Any:
        with torch.no_grad():
            value = torch.as_tensor(np.array(x), dtype=torch.float64)
            try:
                return d.log_prob(value).cpu().numpy()
            except (ValueError, NotImplementedError, RuntimeError) as error:
                msg = f"log_prob of {d!r} refused: {error}"
                raise NoClosedForm(msg) from error

    return Foreign(d, log_density, functools.partial(_draw, d), (low, high), whole=whole, shape=tuple(d.batch_shape))


def _edges(d: Any) -> tuple[Any, Any, bool]:
    support = d.support

    def host(x: Any) -> Any:
        return x.detach().cpu().numpy() if hasattr(x, "detach") else float(x)

    low = host(getattr(support, "lower_bound", -math.inf))
    high = host(getattr(support, "upper_bound", math.inf))
    if type(support).__name__ in ("_Boolean",):
        low, high = 0.0, 1.0
    return low, high, bool(support.is_discrete)
