"""NumPyro's distributions: each adapter by its log_prob, its type and its divergences; skipped where it is missing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import kullback as kb
import kullback.families as F
from kullback.families import dispatch
from kullback.families.namespace import to_host

pytest.importorskip("numpyro")

import jax
import jax.numpy as jnp
import numpyro.distributions as D

jax.config.update("jax_enable_x64", True)
MASSES = jnp.array([0.2, 0.3, 0.5])
L = jnp.array([[1.0, 0.0], [0.4, 0.7]])

LINE: list[tuple[Any, type]] = [
    (D.Normal(0.3, 1.2), F.Normal),
    (D.LogNormal(0.3, 1.2), F.LogNormal),
    (D.Laplace(0.3, 1.2), F.Laplace),
    (D.Logistic(0.3, 1.2), F.Logistic),
    (D.Gumbel(0.3, 1.2), F.Gumbel),
    (D.Cauchy(0.3, 1.2), F.Cauchy),
    (D.HalfCauchy(1.2), F.HalfCauchy),
    (D.HalfNormal(1.2), F.HalfNormal),
    (D.StudentT(4.5, 0.3, 1.2), F.StudentT),
    (D.Exponential(1.2), F.Exponential),
    (D.Gamma(2.3, 1.2), F.Gamma),
    (D.InverseGamma(2.3, 1.2), F.InverseGamma),
    (D.Chi2(2.3), F.ChiSquared),
    (D.Weibull(2.3, 1.2), F.Weibull),
    (D.Pareto(2.3, 1.2), F.Pareto),
    (D.Levy(0.3, 1.2), F.Levy),
    (D.Beta(2.3, 1.2), F.Beta),
    (D.Kumaraswamy(2.3, 1.2), F.Kumaraswamy),
    (D.Uniform(0.3, 1.2), F.Uniform),
    (D.VonMises(0.3, 1.2), F.VonMises),
    (D.TruncatedNormal(0.3, 1.2, low=-1.0, high=2.0), F.TruncatedNormal),
    (D.TruncatedNormal(0.3, 1.2, low=-1.0), F.TruncatedNormal),
    (D.TruncatedNormal(0.3, 1.2, high=1.0), F.TruncatedNormal),
    (D.Poisson(2.3), F.Poisson),
    (D.Bernoulli(probs=0.3), F.Bernoulli),
    (D.Bernoulli(logits=0.3), F.Categorical),
    (D.Binomial(7, probs=0.3), F.Binomial),
    (D.Binomial(7, logits=0.3), F.Binomial),
    (D.Geometric(probs=0.3), F.Geometric),
    (D.Geometric(logits=0.3), F.Geometric),
    (D.NegativeBinomial2(3.0, 2.0), F.NegativeBinomial),
    (D.NegativeBinomialProbs(3.0, 0.4), F.NegativeBinomial),
    (D.GammaPoisson(2.0, 3.0), F.NegativeBinomial),
    (D.BetaBinomial(2.0, 3.0, total_count=5), F.BetaBinomial),
    (D.Categorical(probs=MASSES), F.Categorical),
    (D.Categorical(logits=jnp.log(MASSES)), F.Categorical),
    (D.MixtureSameFamily(D.Categorical(probs=MASSES), D.Normal(jnp.arange(3.0), 1.2)), F.Mixture),
    (D.MixtureGeneral(D.Categorical(probs=MASSES[:2] / 0.5), [D.Normal(0.0, 1.0), D.Laplace(0.0, 1.0)]), F.Mixture),
    (D.TransformedDistribution(D.Normal(0.3, 1.2), D.transforms.AffineTransform(1.0, 2.0)), F.Normal),
    (D.TransformedDistribution(D.Gamma(2.3, 1.2), D.transforms.AffineTransform(1.0, 2.0)), F.Affine),
    (D.TransformedDistribution(D.Normal(0.3, 1.2), D.transforms.ExpTransform()), F.LogNormal),
    (D.TransformedDistribution(D.Normal(0.3, 1.2), D.transforms.SigmoidTransform()), F.LogitNormal),
]
VECTORS: list[tuple[Any, type]] = [
    (D.Dirichlet(jnp.array([1.0, 2.0, 3.0])), F.Dirichlet),
    (D.Multinomial(5, probs=MASSES), F.Multinomial),
    (D.Multinomial(5, logits=jnp.log(MASSES)), F.Multinomial),
    (D.DirichletMultinomial(jnp.array([1.0, 2.0]), total_count=5), F.DirichletMultinomial),
    (D.MultivariateNormal(jnp.array([1.0, 2.0]), scale_tril=L), F.MultivariateNormal),
    (D.LowRankMultivariateNormal(jnp.zeros(3), jnp.ones((3, 1)), jnp.arange(1.0, 4.0)), F.LowRankMultivariateNormal),
    (D.Wishart(5.0, scale_tril=L), F.Wishart),
    (D.MatrixNormal(jnp.zeros((2, 2)), L, 2 * L), F.MatrixNormal),
    (D.Normal(jnp.arange(3.0), 1.2).to_event(1), F.Independent),
]


def _cases() -> list[Any]:
    # JAX compiles each log_prob of theirs: one in three here, the others by `make test-all`
    pairs = LINE + VECTORS
    slow = [[] if i % 3 == 0 else [pytest.mark.slow] for i in range(len(pairs))]
    names = [f"{type(d).__name__}-{i}" for i, (d, _) in enumerate(pairs)]
    return [pytest.param(*p, marks=m, id=n) for p, m, n in zip(pairs, slow, names, strict=True)]


@pytest.mark.parametrize(("theirs", "cls"), _cases())
def test_each_is_the_family_that_its_log_prob_says(theirs: Any, cls: type) -> None:
    p = dispatch.parsed(theirs, "p")
    assert type(p) is cls
    assert p.batch_shape == tuple(theirs.batch_shape)
    x = theirs.sample(jax.random.PRNGKey(0), (6,))
    # our formula on NumPy: JAX would compile each of its steps
    got = p._with(to_host).log_prob(np.asarray(x))
    np.testing.assert_allclose(got, np.asarray(theirs.log_prob(x)), rtol=1e-6, atol=1e-7)
    assert float(kb.kl_divergence(theirs, theirs)) == 0.0


def test_batches_gradients_and_other_libraries() -> None:
    many = D.Normal(0.0, 1.0).expand((3,))
    assert kb.kl_divergence(many, F.Laplace(0.0, 2.0)).shape == (3,)
    logits, probs = D.Bernoulli(logits=0.3), D.Bernoulli(probs=0.4)
    p = 1 / (1 + math.exp(-0.3))
    truth = p * math.log(p / 0.4) + (1 - p) * math.log((1 - p) / 0.6)
    assert float(kb.kl_divergence(logits, probs)) == pytest.approx(truth, rel=1e-12)
    assert float(kb.kl_divergence(probs, logits)) > 0
    slope = jax.grad(lambda m: kb.kl_divergence(D.Normal(m, 1.0), D.Normal(0.0, 2.0)))(0.6)
    assert float(slope) == pytest.approx(0.15)


def test_the_unknown_is_integrated_on_the_line_and_refused_beyond() -> None:
    p = D.SoftLaplace(0.0, 1.0)
    told = kb.explain(p, F.Laplace(0.0, 1.0))
    assert told.method == "adaptive quadrature"
    # a symmetric density 2/π·…: twice its half, by a plain rule
    x = np.linspace(-60, 60, 400_001)
    log_p = np.asarray(p.log_prob(x))
    truth = np.trapezoid(np.exp(log_p) * (log_p + np.abs(x) + math.log(2)), x)
    assert told.value == pytest.approx(truth, rel=1e-6)
    with pytest.raises(kb.NoClosedForm, match=r"space of shape \(3,\)"):
        kb.kl_divergence(D.ProjectedNormal(jnp.ones(3)), F.VonMisesFisher([1.0, 0.0, 0.0], 1.0))
