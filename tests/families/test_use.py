"""What a user does besides: adapters, samples, projections, bad input, imports, and the unknown distribution."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import distributions as D

import kullback as kb
import kullback.families as F
from kullback.families import dispatch


def test_kinds_mix() -> None:
    got = kb.kl_divergence(stats.gamma(2, scale=3), D.LogNormal(torch.tensor(0.0, dtype=torch.float64), 1.0))
    expected = kb.kl_divergence(F.Gamma(2.0, 1 / 3), F.LogNormal(0.0, 1.0))
    assert float(got) == pytest.approx(expected, rel=1e-13)
    assert kb.kl_divergence(F.Normal(0, 1), F.Laplace(0, 2), base=2) == pytest.approx(0.36629810831665066 / math.log(2))


TORCH = {
    "Normal": ((0.3, 1.2), F.Normal),
    "LogNormal": ((0.3, 1.2), F.LogNormal),
    "Laplace": ((0.3, 1.2), F.Laplace),
    "Gumbel": ((0.3, 1.2), F.Gumbel),
    "Cauchy": ((0.3, 1.2), F.Cauchy),
    "HalfCauchy": ((1.2,), F.HalfCauchy),
    "HalfNormal": ((1.2,), F.HalfNormal),
    "StudentT": ((4.5, 0.3, 1.2), F.StudentT),
    "Exponential": ((1.2,), F.Exponential),
    "Gamma": ((2.3, 1.2), F.Gamma),
    "InverseGamma": ((2.3, 1.2), F.InverseGamma),
    "Chi2": ((2.3,), F.ChiSquared),
    "Weibull": ((2.3, 1.2), F.Weibull),
    "Pareto": ((2.3, 1.2), F.Pareto),
    "Beta": ((2.3, 1.2), F.Beta),
    "Kumaraswamy": ((2.3, 1.2), F.Kumaraswamy),
    "Uniform": ((0.3, 1.2), F.Uniform),
    "VonMises": ((0.3, 1.2), F.VonMises),
    "ContinuousBernoulli": ((0.3,), F.ContinuousBernoulli),
    "Bernoulli": ((0.3,), F.Bernoulli),
    "Geometric": ((0.3,), F.Geometric),
    "Binomial": ((7.0, 0.3), F.Binomial),
    "NegativeBinomial": ((7.0, 0.3), F.NegativeBinomial),
    "Poisson": ((2.3,), F.Poisson),
}


@pytest.mark.parametrize("name", TORCH)
def test_torch_names_and_order(name: str) -> None:
    parameters, cls = TORCH[name]
    theirs = getattr(D, name)(*(torch.tensor(x, dtype=torch.float64) for x in parameters))
    p = dispatch.parsed(theirs, "p")
    assert type(p) is cls
    ours = cls(*parameters)
    x = theirs.sample(torch.Size([5])).double()
    np.testing.assert_allclose(ours.log_prob(x.numpy()), theirs.log_prob(x).numpy(), rtol=1e-7, atol=1e-9)
    assert float(kb.kl_divergence(theirs, ours)) == pytest.approx(0.0, abs=1e-15)
    if name not in ("VonMises",):
        assert float(kb.entropy(ours)) == pytest.approx(_torch_entropy(theirs, ours), rel=1e-6)


def _torch_entropy(theirs: Any, ours: Any) -> float:
    try:
        return float(theirs.entropy())
    except NotImplementedError:
        return float(kb.entropy(ours))


def test_torch_structures() -> None:
    one = torch.tensor(1.0, dtype=torch.float64)
    base = D.Normal(torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64))
    p = dispatch.parsed(D.Independent(base, 1), "p")
    assert p.event_shape == (3,)
    assert p.batch_shape == ()
    q = D.MultivariateNormal(torch.ones(3, dtype=torch.float64), torch.eye(3, dtype=torch.float64))
    assert float(kb.kl_divergence(D.Independent(base, 1), q)) == pytest.approx(1.5)
    stretched = D.TransformedDistribution(D.Normal(0 * one, one), [D.AffineTransform(1.0, 2.0), D.ExpTransform()])
    assert float(kb.kl_divergence(stretched, D.LogNormal(one, 2 * one))) == pytest.approx(0.0, abs=1e-15)
    squashed = D.TransformedDistribution(D.Normal(0 * one, one), [D.SigmoidTransform()])
    assert type(dispatch.parsed(squashed, "p")) is F.LogitNormal
    sheared = D.TransformedDistribution(D.Gamma(one, one), [D.AffineTransform(1.0, 2.0)])
    assert float(kb.kl_divergence(sheared, D.Exponential(one))) == pytest.approx(
        kb.kl_divergence(stats.expon(loc=1, scale=2), stats.expon()), rel=1e-9
    )


def test_exact_types_only() -> None:
    class Normal:  # a look-alike
        loc, scale = 0.0, 1.0

        def log_prob(self, x: Any) -> Any:
            return -np.abs(x) - math.log(2)  # Laplace, whatever the name says

        support = (-math.inf, math.inf)

        def sample(self, shape: Any) -> Any:
            return np.random.default_rng(0).laplace(size=shape)

    assert kb.kl_divergence(Normal(), F.Laplace(0, 1)) == pytest.approx(0.0, abs=1e-14)
    assert kb.kl_divergence(Normal(), F.Normal(0, 1)) == pytest.approx(
        kb.kl_divergence(F.Laplace(0, 1), F.Normal(0, 1)), rel=1e-9
    )

    class Moved(D.Normal):
        def log_prob(self, value: Any) -> Any:
            return super().log_prob(value - 1.0)

        def rsample(self, sample_shape: Any = ()) -> Any:
            return super().rsample(sample_shape) + 1.0

        def sample(self, sample_shape: Any = ()) -> Any:
            return super().sample(sample_shape) + 1.0

    moved = Moved(torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))
    assert kb.kl_divergence(moved, F.Normal(0, 1)) == pytest.approx(0.5, rel=1e-9)


def test_a_distribution_nobody_knows() -> None:
    told = kb.explain(stats.skewnorm(3.0), stats.norm(0, 1))
    assert told.method == "adaptive quadrature"
    x = np.linspace(-12, 12, 200_001)
    p = stats.skewnorm(3.0)
    truth = float(np.sum(np.where(p.pdf(x) > 0, p.pdf(x) * (p.logpdf(x) - stats.norm.logpdf(x)), 0.0)) * (x[1] - x[0]))
    assert told.value == pytest.approx(truth, rel=1e-8)
    discrete = stats.rv_discrete(values=([0, 1, 2], [0.2, 0.5, 0.3]))()
    exact = sum(a * math.log(a / b) for a, b in zip([0.2, 0.5, 0.3], stats.binom(2, 0.5).pmf([0, 1, 2]), strict=True))
    assert kb.kl_divergence(discrete, stats.binom(2, 0.5)) == pytest.approx(exact, rel=1e-12)
    assert kb.kl_divergence(stats.Normal(mu=0.0, sigma=1.0), F.Normal(1, 1)) == pytest.approx(0.5)


def test_scipy_loc_and_scale() -> None:
    p, q = stats.gamma(2, loc=1, scale=2), stats.gamma(2.5, loc=1, scale=2)
    assert kb.kl_divergence(p, q) == pytest.approx(kb.kl_divergence(stats.gamma(2), stats.gamma(2.5)), rel=1e-13)
    assert kb.kl_divergence(stats.gamma(2), q) == math.inf
    # support inside, but origins apart: quadrature
    assert kb.kl_divergence(stats.lognorm(0.5, loc=1), stats.lognorm(0.5)) > 0
    close = stats.expon(scale=1), stats.expon(scale=1 + 1e-7)
    s = (1 + 1e-7) - 1
    assert kb.kl_divergence(*close) == pytest.approx(math.log1p(s) - s / (1 + s), rel=1e-7)
    both = kb.kl_divergence(stats.norm([0, 1], 1), stats.norm(0, [[1], [2]]))
    assert both.shape == (2, 2)


def test_the_likelihood_of_a_sample() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_t(4, 2000)
    told = kb.cross_entropy(kb.Samples(x), F.StudentT(4))
    assert told.low < kb.entropy(F.StudentT(4)) < told.high
    assert told.value == pytest.approx(-stats.t(4).logpdf(x).mean(), rel=1e-12)
    assert told.standard_error == pytest.approx(stats.sem(stats.t(4).logpdf(x)), rel=1e-12)
    weighted = kb.cross_entropy(kb.Samples([0.0, 1.0], weights=[3, 1]), F.Normal(0, 1))
    assert weighted.value == pytest.approx(0.5 * math.log(2 * math.pi) + 0.125)
    outside = kb.cross_entropy(kb.Samples([1.0, -1.0]), F.Exponential(1.0))
    assert outside.value == math.inf
    assert "draw 1" in outside.notes[0]
    # each draw four times over: the clustered error is that of the distinct draws
    four = kb.cross_entropy(kb.Samples(np.repeat(x, 4)), F.StudentT(4), clusters=np.repeat(np.arange(2000), 4))
    assert four.standard_error == pytest.approx(told.standard_error, rel=1e-9)
    assert "clusters" in four.method
    with pytest.raises(kb.InvalidForm, match="clusters"):
        kb.cross_entropy([0.5, 0.5], [0.5, 0.5], clusters=[1, 2])
    vectors = kb.cross_entropy(kb.Samples(rng.standard_normal((500, 2))), F.MultivariateNormal([0.0, 0.0], np.eye(2)))
    assert vectors.low < math.log(2 * math.pi * math.e) < vectors.high
    with pytest.raises(kb.InvalidForm, match="dimensions"):
        kb.cross_entropy(kb.Samples([1.0, 2.0]), F.MultivariateNormal([0.0, 0.0], np.eye(2)))


def test_project() -> None:
    p = F.Mixture([0.5, 0.5], [F.Normal(-3, 1), F.Normal(3, 0.5)])
    cover = F.project(p, F.Normal)
    assert (cover.mean, cover.std**2) == pytest.approx((p.mean, p.variance))
    mode = F.project(p, F.Normal, direction="reverse")
    assert min(abs(mode.mean - 3), abs(mode.mean + 3)) < 0.05
    assert kb.kl_divergence(mode, p) == pytest.approx(math.log(2), rel=0.01)
    again = F.project(F.Gamma(3.0, 2.0), F.Gamma)
    assert (again.concentration, again.rate) == pytest.approx((3.0, 2.0), rel=1e-6)
    # forward projection on an exponential family matches its expectations: E log x for Gamma
    fitted = F.project(F.LogNormal(0.0, 0.5), F.Gamma)
    assert fitted.mean == pytest.approx(F.LogNormal(0.0, 0.5).mean, rel=1e-5)
    assert kb.kl_divergence(F.LogNormal(0.0, 0.5), fitted) <= kb.kl_divergence(F.LogNormal(0.0, 0.5), F.Gamma(4.0, 3.5))
    vector = F.project(
        F.Mixture(
            [0.5, 0.5], [F.MultivariateNormal([0.0, 0.0], np.eye(2)), F.MultivariateNormal([2.0, 0.0], np.eye(2))]
        ),
        F.MultivariateNormal,
    )
    np.testing.assert_allclose(vector.cov, [[2.0, 0.0], [0.0, 1.0]])
    with pytest.raises(kb.InvalidForm, match="direction"):
        F.project(p, F.Normal, direction="sideways")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: F.Normal(0.0, 0.0), r"Normal.std = 0.0; expected a finite number > 0"),
        (lambda: F.Normal([0.0, 1.0], [1.0, -1.0]), r"Normal.std\[1\] = -1.0"),
        (lambda: F.Normal(math.nan, 1.0), r"Normal.mean = nan"),
        (lambda: F.Normal(torch.zeros(2), torch.tensor([1.0, math.nan])), r"Normal.std\[1\] = nan"),
        (lambda: F.Normal("a", 1.0), "expected a number"),
        (lambda: F.Normal(1j, 1.0), "expected a number"),
        (lambda: F.Normal(np.zeros(2), np.ones(3)), "do not broadcast"),
        (lambda: F.Uniform(1.0, 0.0), "expected low < high"),
        (lambda: F.Uniform([0.0, 1.0], [1.0, 0.5]), r"at \[1\]"),
        (lambda: F.Bernoulli(1.5), "probability in"),
        (lambda: F.Binomial(2.5, 0.5), "whole number"),
        (lambda: F.NegativeBinomial(2.5, 1.0), "no failure ever comes"),
        (lambda: F.Hypergeometric(10, 12, 3), "at most population"),
        (lambda: F.Categorical([0.5, 0.6]), "sum"),
        (lambda: F.Categorical(), "probs or logits"),
        (lambda: F.Mixture([0.5, 0.6], [F.Normal(0, 1), F.Normal(1, 1)]), "sum to 1.1"),
        (lambda: F.Mixture([0.5, 0.5], [F.Normal(0, 1), F.Poisson(1)]), "one space"),
        (lambda: F.Zeta(1.0), "> 1"),
        (lambda: kb.kl_divergence(F.Normal(0, 1), [0.5, 0.5]), "parametric family on both sides"),
        (lambda: kb.kl_divergence(F.Normal(0, 1), F.MultivariateNormal([0.0], [[1.0]])), "same space"),
        (lambda: kb.kl_divergence(F.Normal(np.zeros(2), 1), F.Normal(np.zeros(3), 1)), "broadcast"),
        (lambda: kb.explain(F.Normal(np.zeros(2), 1), F.Normal(0, 1)), "one pair"),
        (lambda: F.renyi_divergence(F.Normal(0, 1), F.Normal(0, 1), alpha=-1), "alpha"),
        (lambda: F.monte_carlo(F.Normal(0, 1), F.Normal(0, 1), n=1), "at least 2"),
    ],
)
def test_bad_input_is_named(make: Any, words: str) -> None:
    with pytest.raises((kb.InvalidDistribution, kb.InvalidForm), match=words):
        make()


def test_quadrature_refuses_what_it_cannot_see() -> None:
    # all the mass of x, x^1e-6 ~ Beta(1, 2), lies below the smallest float: one known by its density is refused
    with pytest.raises(kb.NoClosedForm, match=r"Kumaraswamy‖Foreign.*monte_carlo"):
        kb.kl_divergence(F.Kumaraswamy(1e-6, 2.0), stats.foldcauchy(3.0))
    # E log p − E log q, E log x = −1.5/a; mpmath, 40 digits, the rest E log(1 + x²) by quad over t = −log y
    assert kb.kl_divergence(F.Kumaraswamy(1e-6, 2.0), F.LogLogistic(2.0)) == pytest.approx(
        2999984.184489442172383, rel=1e-10
    )


def test_no_gradient_is_lost_silently() -> None:
    df = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    with pytest.raises(kb.NoClosedForm, match="gradient"):
        kb.kl_divergence(F.StudentT(df), F.Cauchy(0.0, 1.0))


def test_modules_and_functions_do_not_share_names() -> None:
    import importlib
    import pkgutil

    for module in pkgutil.iter_modules(F.__path__):
        importlib.import_module(f"kullback.families.{module.name}")
    for name in F.__all__:
        assert callable(getattr(F, name)), name
        assert callable(getattr(F, name))


def test_a_look_costs_nothing() -> None:
    code = (
        "import sys; import kullback.families.dispatch as d; d.is_family(1.0); d.is_family([1]);"
        "heavy = {'torch', 'jax', 'scipy.stats', 'numba'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_what_else_arrives() -> None:
    def t(x: Any) -> torch.Tensor:
        return torch.tensor(x, dtype=torch.float64)

    # torch's Bernoulli of logits is categories here, beside laws of counts
    logits = D.Bernoulli(logits=t(0.3))
    p = 1 / (1 + math.exp(-0.3))
    assert float(kb.kl_divergence(logits, D.Bernoulli(t(0.4)))) == pytest.approx(
        kb.kl_divergence(F.Bernoulli(p), F.Bernoulli(0.4)), rel=1e-12
    )
    assert float(kb.kl_divergence(logits, D.Poisson(t(0.4)))) == pytest.approx(
        kb.kl_divergence(F.Bernoulli(p), F.Poisson(0.4)), rel=1e-12
    )
    assert kb.kl_divergence(F.Categorical([0.2, 0.3, 0.5]), F.Binomial(1, 0.5)) == math.inf
    # a falling map, a law of SciPy that has no parameters, a kernel density, axes counted twice
    falling = D.TransformedDistribution(D.Gumbel(t(0.0), t(1.0)), [D.AffineTransform(t(0.0), t(-1.0))])
    assert float(kb.kl_divergence(falling, D.Normal(t(0.0), t(2.0)))) == pytest.approx(
        kb.kl_divergence(F.Gumbel(0.0, 1.0), F.Normal(0.0, 2.0)), rel=1e-9
    )
    assert kb.kl_divergence(stats.norm, F.Normal(1.0, 1.0)) == 0.5
    kernel = stats.gaussian_kde([0.0, 1.0, 2.0])
    width = math.sqrt(float(kernel.covariance[0, 0]))
    same = F.Mixture(np.full(3, 1 / 3), [F.Normal(x, width) for x in (0.0, 1.0, 2.0)])
    assert kb.kl_divergence(kernel, F.Normal(0, 1)) == pytest.approx(kb.kl_divergence(same, F.Normal(0, 1)), rel=1e-9)
    base = D.Normal(torch.zeros(2, 3, dtype=torch.float64), t(1.0))
    moved = D.Normal(torch.ones(2, 3, dtype=torch.float64), t(1.0))
    twice = D.Independent(D.Independent(base, 1), 1)
    assert float(kb.kl_divergence(twice, D.Independent(moved, 2))) == pytest.approx(3.0)
