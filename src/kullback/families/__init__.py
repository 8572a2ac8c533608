"""Parametric families, and the divergences between any two of them.

`kb.kl_divergence(Normal(0, 1), Laplace(0, 2))` works, and so do frozen scipy.stats and torch distributions. Names are
resolved when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

# file -> what it defines
_FILES = {
    "normal": ("Normal", "LogNormal"),
    "gamma": (
        "Exponential",
        "Gamma",
        "ChiSquared",
        "Chi",
        "Weibull",
        "Rayleigh",
        "Maxwell",
        "HalfNormal",
        "Nakagami",
        "GeneralizedGamma",
        "InverseGamma",
        "Frechet",
        "Levy",
    ),
    "symmetric": ("Laplace", "Logistic", "Gumbel", "GeneralizedNormal"),
    "heavy_tails": ("Cauchy", "HalfCauchy", "StudentT"),
    "tails": ("Pareto", "Lomax", "LogLogistic", "InverseGaussian"),
    "uniform": ("Uniform",),
    "interval": ("Beta", "Kumaraswamy", "LogitNormal"),
    "truncated": ("TruncatedNormal",),
    "circular": ("VonMises", "ContinuousBernoulli"),
    "trials": ("Bernoulli", "Binomial", "Geometric", "NegativeBinomial"),
    "counts": ("Poisson", "BetaBinomial", "Skellam", "Hypergeometric"),
    "power_series": ("Zeta", "LogSeries"),
    "categorical": ("Categorical", "Multinomial"),
    "dirichlet": ("Dirichlet", "DirichletMultinomial"),
    "multivariate_normal": ("MultivariateNormal", "MatrixNormal"),
    "low_rank": ("LowRankMultivariateNormal",),
    "wishart": ("Wishart", "InverseWishart", "NormalInverseWishart"),
    "student": ("MultivariateStudentT",),
    "directional": ("VonMisesFisher",),
    "process": ("MarkovChain", "AutoRegression"),
    "mixture": ("Mixture",),
    "product": ("Independent", "Product"),
    "affine": ("Affine",),
    "renyi": ("renyi_divergence", "hellinger_distance", "bhattacharyya_distance", "chi2_divergence"),
    "draws": ("monte_carlo",),
    "certified": ("bounds",),
    "nearest": ("project",),
    "matrix": ("table",),
    "base": ("Family",),
}
_PUBLIC = {name: file for file, names in _FILES.items() for name in names}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"kullback.families.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    msg = f"module 'kullback.families' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__
