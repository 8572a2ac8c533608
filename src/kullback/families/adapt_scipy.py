"""Frozen scipy.stats distributions and SciPy's new ones, as families of ours."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kullback.families import (
    categorical,
    counts,
    dirichlet,
    gamma,
    heavy_tails,
    interval,
    multivariate_normal,
    normal,
    power_series,
    symmetric,
    tails,
    trials,
    truncated,
    uniform,
)
from kullback.families.affine import Affine
from kullback.families.base import Family
from kullback.families.circular import VonMises
from kullback.families.directional import VonMisesFisher
from kullback.families.foreign import Foreign
from kullback.families.mixture import Mixture
from kullback.families.student import MultivariateStudentT
from kullback.families.wishart import InverseWishart, Wishart

_ROOT2 = math.sqrt(2.0)


def _moved(base: Any, loc: Any, scale: Any = 1.0) -> Any:
    """base, or loc + scale·base."""
    still = np.all(np.asarray(loc) == 0) and np.all(np.asarray(scale) == 1)
    return base if still else Affine(base, loc, scale)


# The scale stays a scale (and is not turned into a rate): two that are close keep the digits of their difference.
_CONTINUOUS: dict[str, Callable[..., Any]] = {
    "norm": lambda loc, scale: normal.Normal(loc, scale),
    "lognorm": lambda s, loc, scale: _moved(normal.LogNormal(np.log(scale), s), loc),
    "laplace": lambda loc, scale: symmetric.Laplace(loc, scale),
    "logistic": lambda loc, scale: symmetric.Logistic(loc, scale),
    "gumbel_r": lambda loc, scale: symmetric.Gumbel(loc, scale),
    "cauchy": lambda loc, scale: heavy_tails.Cauchy(loc, scale),
    "halfcauchy": lambda loc, scale: _moved(heavy_tails.HalfCauchy(scale), loc),
    "t": lambda df, loc, scale: heavy_tails.StudentT(df, loc, scale),
    "gennorm": lambda beta, loc, scale: symmetric.GeneralizedNormal(beta, loc, scale),
    "truncnorm": lambda a, b, loc, scale: truncated.TruncatedNormal(a, b, loc, scale),
    "expon": lambda loc, scale: gamma.GeneralizedGamma(1.0, 1.0, loc, scale),
    "gamma": lambda a, loc, scale: gamma.GeneralizedGamma(a, 1.0, loc, scale),
    "erlang": lambda a, loc, scale: gamma.GeneralizedGamma(a, 1.0, loc, scale),
    "chi2": lambda df, loc, scale: gamma.GeneralizedGamma(0.5 * df, 1.0, loc, 2.0 * scale),
    "chi": lambda df, loc, scale: gamma.Chi(df, loc, scale),
    "weibull_min": lambda c, loc, scale: gamma.GeneralizedGamma(1.0, c, loc, scale),
    "rayleigh": lambda loc, scale: gamma.Rayleigh(loc, scale),
    "maxwell": lambda loc, scale: gamma.Maxwell(loc, scale),
    "halfnorm": lambda loc, scale: gamma.GeneralizedGamma(0.5, 2.0, loc, _ROOT2 * scale),
    "nakagami": lambda nu, loc, scale: gamma.Nakagami(nu, loc, scale),
    "gengamma": lambda a, c, loc, scale: gamma.GeneralizedGamma(a, c, loc, scale),
    "invgamma": lambda a, loc, scale: gamma.GeneralizedGamma(a, -1.0, loc, scale),
    "invweibull": lambda c, loc, scale: gamma.Frechet(c, loc, scale),
    "levy": lambda loc, scale: gamma.Levy(loc, scale),
    "pareto": lambda b, loc, scale: _moved(tails.Pareto(scale, b), loc),
    "lomax": lambda c, loc, scale: tails.Lomax(c, loc, scale),
    "fisk": lambda c, loc, scale: tails.LogLogistic(c, loc, scale),
    "invgauss": lambda mu, loc, scale: tails.InverseGaussian(mu, loc, scale),
    "beta": lambda a, b, loc, scale: _moved(interval.Beta(a, b), loc, scale),
    "uniform": lambda loc, scale: uniform.Uniform(loc, loc + scale),
    "vonmises": lambda kappa, loc, scale: _moved(VonMises(loc / scale, kappa), 0.0, scale),
}
_DISCRETE: dict[str, Callable[..., Any]] = {
    "bernoulli": lambda p, loc: _moved(trials.Bernoulli(p), loc),
    "binom": lambda n, p, loc: _moved(trials.Binomial(n, p), loc),
    "geom": lambda p, loc: Affine(trials.Geometric(p), loc + 1.0),  # SciPy counts the success too
    "nbinom": lambda n, p, loc: _moved(trials.NegativeBinomial(n, 1.0 - p), loc),
    "poisson": lambda mu, loc: _moved(counts.Poisson(mu), loc),
    "zipf": lambda a, loc: _moved(power_series.Zeta(a), loc),
    "logser": lambda p, loc: _moved(power_series.LogSeries(p), loc),
    "betabinom": lambda n, a, b, loc: _moved(counts.BetaBinomial(n, a, b), loc),
    "skellam": lambda mu1, mu2, loc: _moved(counts.Skellam(mu1, mu2), loc),
    "hypergeom": lambda M, n, N, loc: _moved(counts.Hypergeometric(M, n, N), loc),
}


@functools.cache
def _by_type() -> dict[type, Callable[..., Any]]:
    """The type of SciPy's own generator -> ours: a subclass or a look-alike is not in it."""
    from scipy import stats

    return {type(getattr(stats, name)): build for name, build in {**_CONTINUOUS, **_DISCRETE}.items()}


@functools.cache
def _multivariate() -> dict[type, Callable[[Any], Any]]:
    from scipy.stats import _multivariate as m

    return {
        m.multivariate_normal_frozen: lambda d: multivariate_normal.MultivariateNormal(
            np.atleast_1d(d.mean), np.atleast_2d(d.cov_object.covariance)
        ),
        m.matrix_normal_frozen: lambda d: multivariate_normal.MatrixNormal(d.mean, d.rowcov, d.colcov),
        m.dirichlet_frozen: lambda d: dirichlet.Dirichlet(d.alpha),
        m.multinomial_frozen: lambda d: categorical.Multinomial(d.n, d.p),
        m.dirichlet_multinomial_frozen: lambda d: dirichlet.DirichletMultinomial(d.alpha, d.n),
        m.wishart_frozen: lambda d: Wishart(d.df, np.atleast_2d(d.scale)),
        m.invwishart_frozen: lambda d: InverseWishart(d.df, np.atleast_2d(d.scale)),
        m.vonmises_fisher_frozen: lambda d: VonMisesFisher(d.mu, d.kappa),
        m.multivariate_t_frozen: lambda d: MultivariateStudentT(d.df, d.loc, d.shape),
    }


def adapted(x: Any) -> Family | None:
    """The family that a SciPy distribution is, or a stand-in by its log-density."""
    from scipy import stats
    from scipy.stats._distn_infrastructure import rv_frozen, rv_generic

    if isinstance(x, rv_generic) and x.numargs == 0:
        x = x.freeze()  # a law of its own, such as rv_histogram
    if type(x) is stats.gaussian_kde and x.d == 1:
        return Foreign(
            x,
            lambda y: x.logpdf(np.ravel(y)).reshape(np.shape(y)),
            lambda r, s: x.resample(int(np.prod(s)), seed=r).reshape(s),
            (-np.inf, np.inf),
        )
    if isinstance(x, rv_frozen):
        build = _by_type().get(type(x.dist))
        shapes, loc, scale = x.dist._parse_args(*x.args, **x.kwds)
        discrete_ = isinstance(x.dist, stats.rv_discrete)
        if build is not None:
            arguments = [np.asarray(a, dtype=float)[()] for a in (*shapes, loc, *(() if discrete_ else (scale,)))]
            found: Family = build(*arguments)
            return found
        return _foreign(
            x,
            x.logpmf if discrete_ else x.logpdf,
            x.support(),
            lambda r, s: x.rvs(size=s, random_state=r),
            whole=discrete_,
        )
    built = _multivariate().get(type(x))
    if built is not None:
        known: Family = built(x)
        return known
    if type(x) is getattr(stats, "Normal", None):
        return normal.Normal(x.mu, x.sigma)
    if type(x) is getattr(stats, "Uniform", None):
        return uniform.Uniform(x.a, x.b)
    if type(x) is getattr(stats, "Mixture", None):
        return Mixture(
            np.asarray(x.weights, dtype=float), tuple(part for c in x.components if (part := adapted(c)) is not None)
        )
    if hasattr(x, "logpdf") and hasattr(x, "support") and hasattr(x, "sample"):
        return _foreign(x, x.logpdf, x.support(), lambda r, s: x.sample(s, rng=r), whole=False)
    return None


def _foreign(x: Any, log_density: Any, edges: Any, draw: Any, *, whole: bool) -> Foreign:
    shape = tuple(np.broadcast_shapes(*(np.shape(e) for e in edges)))
    return Foreign(x, log_density, draw, edges, whole=whole, shape=shape)
