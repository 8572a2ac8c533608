"""The whole matrix of pairs by method: which are exact, which summed, which integrated."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from kullback.errors import NoClosedForm
from kullback.families import (
    categorical,
    circular,
    counts,
    directional,
    dirichlet,
    dispatch,
    gamma,
    heavy_tails,
    interval,
    low_rank,
    mixture,
    multivariate_normal,
    normal,
    power_series,
    process,
    product,
    student,
    symmetric,
    tails,
    trials,
    truncated,
    uniform,
    wishart,
)
from kullback.families.answer import (
    EXPECTATIONS,
    FINITE_SUM,
    INVARIANCE,
    QUADRATURE,
    STABLE,
    SUPPORT,
    TRUNCATED_SUM,
)
from kullback.families.base import Family

# method -> the letter that stands for it
LETTERS = {
    STABLE: "F",
    EXPECTATIONS: "E",
    INVARIANCE: "M",
    FINITE_SUM: "S",
    SUPPORT: "∞",
    TRUNCATED_SUM: "s",
    QUADRATURE: "q",
}
CLOSED = "FEMS"


@dataclass(frozen=True, slots=True)
class Table:
    """One letter per ordered pair: F family form, E expectations, M one-to-one map, S exact sum, ∞ support or a heavy
    tail, s bounded sum, q quadrature, · no answer but draws.

    `names` are the families, `letters[i][j]` says how KL(namesᵢ‖namesⱼ) is found.
    """

    names: tuple[str, ...]
    letters: tuple[str, ...]

    def count(self, which: str) -> int:
        """Ordered pairs whose letter is among `which`."""
        return sum(row.count(letter) for row in self.letters for letter in which)

    def __str__(self) -> str:
        width = max(map(len, self.names))
        head = " " * (width + 1) + " ".join(str(i % 10) for i in range(len(self.names)))
        rows = [f"{name:<{width}} {' '.join(row)}" for name, row in zip(self.names, self.letters, strict=True)]
        return "\n".join([head, *rows])


def members() -> tuple[list[Family], list[Family]]:
    """Two members of each family, apart enough that no route is taken by accident."""
    import numpy as np

    S1, S2 = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([[1.0, -0.2], [-0.2, 1.5]])
    T1, T2 = np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([[0.8, 0.2], [0.3, 0.7]])
    e1, e2 = np.array([1.0, 0.0]), np.array([0.6, 0.8])
    two: list[tuple[Family, Family]] = [
        (normal.Normal(0.3, 1.2), normal.Normal(0.1, 1.5)),
        (normal.LogNormal(0.2, 0.6), normal.LogNormal(-0.1, 0.9)),
        (gamma.HalfNormal(0.9), gamma.HalfNormal(1.2)),
        (symmetric.Laplace(-0.2, 0.7), symmetric.Laplace(0.3, 1.1)),
        (symmetric.Logistic(0.1, 0.6), symmetric.Logistic(-0.1, 0.8)),
        (tails.LogLogistic(4.5, 0.0, 1.2), tails.LogLogistic(3.5, 0.0, 1.0)),
        (symmetric.Gumbel(0.2, 0.5), symmetric.Gumbel(0.1, 0.8)),
        (heavy_tails.Cauchy(0.3, 1.2), heavy_tails.Cauchy(-0.1, 0.8)),
        (heavy_tails.HalfCauchy(1.2), heavy_tails.HalfCauchy(0.8)),
        (heavy_tails.StudentT(4.5, 0.2, 1.3), heavy_tails.StudentT(3.5, 0.1, 1.1)),
        (symmetric.GeneralizedNormal(1.5, 0.3, 1.1), symmetric.GeneralizedNormal(1.2, 0.3, 1.3)),
        (gamma.Exponential(1.4), gamma.Exponential(0.9)),
        (gamma.Gamma(2.5, 0.8), gamma.Gamma(2.1, 1.1)),
        (gamma.InverseGamma(3.2, 0.8), gamma.InverseGamma(2.2, 1.1)),
        (gamma.GeneralizedGamma(1.5, 1.6, 0.0, 1.3), gamma.GeneralizedGamma(1.3, 1.3, 0.0, 1.5)),
        (gamma.Weibull(1.1, 1.7), gamma.Weibull(1.4, 1.4)),
        (gamma.Rayleigh(0.0, 1.3), gamma.Rayleigh(0.0, 1.1)),
        (gamma.Maxwell(0.0, 0.8), gamma.Maxwell(0.0, 1.1)),
        (gamma.Chi(3.3), gamma.Chi(2.3)),
        (gamma.ChiSquared(3.3), gamma.ChiSquared(2.3)),
        (gamma.Nakagami(1.3, 0.0, 1.1), gamma.Nakagami(1.1, 0.0, 1.3)),
        (gamma.Frechet(4.6, 0.0, 1.2), gamma.Frechet(4.1, 0.0, 1.0)),
        (gamma.Levy(0.0, 0.7), gamma.Levy(0.0, 1.1)),
        (tails.Pareto(1.2, 4.2), tails.Pareto(1.0, 3.1)),
        (tails.Lomax(4.5, 0.0, 1.3), tails.Lomax(3.5, 0.0, 1.3)),
        (tails.InverseGaussian(0.5, 0.0, 2.3), tails.InverseGaussian(0.8, 0.0, 1.9)),
        (interval.Beta(2.0, 3.0), interval.Beta(2.5, 1.7)),
        (interval.Kumaraswamy(2.0, 3.0), interval.Kumaraswamy(2.0, 1.7)),
        (interval.LogitNormal(0.3, 1.2), interval.LogitNormal(0.1, 1.5)),
        (circular.ContinuousBernoulli(0.3), circular.ContinuousBernoulli(0.8)),
        (uniform.Uniform(0.2, 0.7), uniform.Uniform(0.0, 1.0)),
        (circular.VonMises(0.2, 1.5), circular.VonMises(-0.3, 2.5)),
        (truncated.TruncatedNormal(-1.0, 2.0, 0.5, 0.8), truncated.TruncatedNormal(-2.0, 4.0, 0.3, 0.9)),
        (trials.Bernoulli(0.3), trials.Bernoulli(0.4)),
        (trials.Binomial(5.0, 0.3), trials.Binomial(7.0, 0.4)),
        (trials.NegativeBinomial(2.5, 0.4), trials.NegativeBinomial(2.5, 0.3)),
        (trials.Geometric(0.3), trials.Geometric(0.4)),
        (counts.Poisson(2.3), counts.Poisson(3.1)),
        (power_series.Zeta(3.5), power_series.Zeta(3.1)),
        (power_series.LogSeries(0.4), power_series.LogSeries(0.6)),
        (counts.BetaBinomial(5.0, 2.0, 3.0), counts.BetaBinomial(7.0, 2.5, 3.0)),
        (counts.Skellam(2.0, 3.0), counts.Skellam(2.5, 2.0)),
        (counts.Hypergeometric(30.0, 12.0, 5.0), counts.Hypergeometric(40.0, 20.0, 7.0)),
        (categorical.Categorical([0.2, 0.8]), categorical.Categorical([0.3, 0.7])),
        (categorical.Multinomial(5.0, [0.2, 0.8]), categorical.Multinomial(5.0, [0.3, 0.7])),
        (dirichlet.Dirichlet([2.0, 3.0]), dirichlet.Dirichlet([2.5, 1.7])),
        (dirichlet.DirichletMultinomial([2.0, 3.0], 5.0), dirichlet.DirichletMultinomial([2.5, 1.7], 5.0)),
        (multivariate_normal.MultivariateNormal(e1, S1), multivariate_normal.MultivariateNormal(e2, S2)),
        (
            low_rank.LowRankMultivariateNormal(e1, S1[:, :1], e2 + 1.0),
            low_rank.LowRankMultivariateNormal(e2, S2[:, :1], e1 + 1.0),
        ),
        (product.Independent(normal.Normal(e1, e2 + 1.0)), product.Independent(normal.Normal(e2, e1 + 1.0))),
        (student.MultivariateStudentT(4.5, e1, S1), student.MultivariateStudentT(3.5, e2, S2)),
        (directional.VonMisesFisher(e1, 1.5), directional.VonMisesFisher(e2, 2.5)),
        (multivariate_normal.MatrixNormal(S1, S1, S2), multivariate_normal.MatrixNormal(S2, S2, S1)),
        (wishart.Wishart(5.0, S1), wishart.Wishart(6.0, S2)),
        (wishart.InverseWishart(5.0, S1), wishart.InverseWishart(6.0, S2)),
        (wishart.NormalInverseWishart(e1, 2.0, 5.0, S1), wishart.NormalInverseWishart(e2, 3.0, 6.0, S2)),
        (process.MarkovChain(T1), process.MarkovChain(T2)),
        (process.AutoRegression([0.5], 1.0), process.AutoRegression([0.25], 1.2)),
        (
            mixture.Mixture([0.3, 0.7], [normal.Normal(-2.0, 1.0), normal.Normal(2.0, 0.5)]),
            mixture.Mixture([0.5, 0.5], [normal.Normal(-1.0, 1.0), normal.Normal(2.0, 1.5)]),
        ),
    ]
    return [a for a, _ in two], [b for _, b in two]


@functools.cache
def table() -> Table:
    """The matrix of all ordered pairs of families on one space, each asked once.

    Returns
    -------
    Table
        `names`, `letters`, `count("FEMS")` and a printed form.

    Examples
    --------
    >>> from kullback.families import table
    >>> matrix = table()
    >>> matrix.count("FEMS") > 400
    True
    """
    first, second = members()
    rows = ["".join(_letter(p, q) for q in second) for p in first]
    return Table(tuple(type(p).__name__ for p in first), tuple(rows))


def _letter(p: Any, q: Any) -> str:
    """How one pair is answered; a blank where the two do not live on one space."""
    if p.event_shape != q.event_shape or getattr(p, "discrete", None) != getattr(q, "discrete", None):
        return " "
    try:
        answer = dispatch._kl(p, q)
    except NoClosedForm:
        return "·"
    return "∞" if float(answer.value) == float("inf") else LETTERS[answer.method]
