"""The peers' known defects, D1–D10: what torch and TFP answer is in the comment of each."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import distributions as D

from kullback import InvalidForm, NoClosedForm, kl_divergence


def t(x: object, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.tensor(x, dtype=dtype)


def close(got: object, truth: float, rel: float = 1e-12) -> None:
    assert float(got) == pytest.approx(truth, rel=rel)  # type: ignore[arg-type]


def test_d1_d2_continuous_bernoulli_and_uniform() -> None:
    # torch: inf and inf, its support test is inverted at the boundary
    # mpmath, mp.dps=40: log C(.3) + η·mean, η = log(3/7); and log((e^η − 1)/η) − η/2, η = log 4
    close(kl_divergence(D.ContinuousBernoulli(t(0.3)), D.Uniform(t(0.0), t(1.0))), 0.029386202232129068)
    close(kl_divergence(D.Uniform(t(0.0), t(1.0)), D.ContinuousBernoulli(t(0.8))), 0.07883084812988339)


def test_d3_binomial_at_the_boundary() -> None:
    # torch: −inf
    close(kl_divergence(D.Binomial(4, t(1.0)), D.Binomial(4, t(0.4))), 4 * math.log(2.5))


def test_d4_poisson_zero() -> None:
    # torch: nan and nan
    close(kl_divergence(D.Poisson(t(0.0)), D.Poisson(t(1.0))), 1.0)
    assert float(kl_divergence(D.Bernoulli(t(0.0)), D.Poisson(t(0.0)))) == 0.0


def test_d5_categories_do_not_broadcast() -> None:
    # torch and TFP: −0.693
    with pytest.raises(InvalidForm, match="2 categories and q 1"):
        kl_divergence(D.Categorical(t([0.5, 0.5])), D.Categorical(t([1.0])))


def test_d6_maps_that_are_not_one_to_one() -> None:
    # torch and TFP: 2.0 for |N(1, 1)| against |N(−1, 1)|, which are one law
    def folded(mean: float) -> D.TransformedDistribution:
        return D.TransformedDistribution(D.Normal(t(mean), t(1.0)), [D.AbsTransform()])

    with pytest.raises(NoClosedForm):
        kl_divergence(folded(1.0), folded(-1.0))
    tanh = [D.TransformedDistribution(D.Normal(t(m), t(1.0)), [D.TanhTransform()]) for m in (0.0, 1.0)]
    close(kl_divergence(*tanh), 0.5)


def test_d7_small_probabilities_are_not_clamped() -> None:
    # torch: 17.33 in float64, 7.28 in float32
    truth = 0.5 * math.log(0.5 / 1e-30) + 0.5 * math.log(0.5)
    close(kl_divergence(D.Categorical(t([0.5, 0.5])), D.Categorical(t([1e-30, 1.0]))), truth)
    close(kl_divergence(D.Bernoulli(t(0.5)), D.Bernoulli(t(1e-30))), truth)
    f32 = [t(x, torch.float32) for x in ([0.5, 0.5], [1e-30, 1.0])]
    close(kl_divergence(D.Categorical(f32[0]), D.Categorical(f32[1])), truth, 1e-6)


def test_d8_large_logits() -> None:
    # torch float32: relative error 0.9; it subtracts a logsumexp without its maximum
    a, b = t([1e6, 1e6 + 1, 1e6 + 2], torch.float32), t([1e6, 1e6 + 1, 1e6 + 2.5], torch.float32)
    # mpmath of softmax([0, 1, 2]) against softmax([0, 1, 2.5])
    p, q = (np.exp(x - np.log(np.exp(x).sum())) for x in (np.array([0.0, 1, 2]), np.array([0.0, 1, 2.5])))
    close(kl_divergence(D.Categorical(logits=a), D.Categorical(logits=b)), float(np.sum(p * np.log(p / q))), 1e-5)


def test_d9_logits_far_apart() -> None:
    # torch: inf and inf; it looks at underflowed probabilities
    one = D.Categorical(logits=t([0.0, 1e4, -1e4])), D.Categorical(logits=t([1e4, 0.0, -1e4]))
    close(kl_divergence(*one), 1e4)
    two = D.Categorical(logits=t([0.0, 0.0], torch.float32)), D.Categorical(logits=t([0.0, -1e5], torch.float32))
    close(kl_divergence(*two), 5e4 - math.log(2), 1e-6)


@pytest.mark.parametrize(
    ("p", "q", "truth"),
    [
        # torch float32: −0.82, −7194, −3150, −1.23. mpmath, mp.dps=60, of the float32 inputs
        (D.Gamma(t(1e6, torch.float32), 1.0), D.Gamma(t(1e6 + 1, torch.float32), 1.0), 5.00000083333333e-07),
        (D.Gamma(t(1e10, torch.float32), 1.0), D.Gamma(t(1e10 + 1024, torch.float32), 1.0), 5.24287982130518e-05),
        (
            D.Dirichlet(torch.full((1000,), 1e4)),
            D.Dirichlet(torch.full((1000,), 1e4) + torch.linspace(-1, 1, 1000)),
            None,
        ),
    ],
    ids=["gamma 1e6", "gamma 1e10", "dirichlet"],
)
def test_d10_float32(p: D.Distribution, q: D.Distribution, truth: float | None) -> None:
    got = kl_divergence(p, q)
    assert got.dtype == torch.float32
    if truth is None:
        from kullback.families import Dirichlet

        exact = [x.concentration.double().numpy() for x in (p, q)]
        truth = float(kl_divergence(Dirichlet(exact[0]), Dirichlet(exact[1])))
        assert truth == pytest.approx(0.0167, rel=0.01)
    close(got, truth, 1e-5)


def test_beta_uniform_of_one_concentration() -> None:
    # torch 1.x: nan (pytorch#144279)
    assert float(kl_divergence(D.Uniform(t(0.0), t(1.0)), D.Beta(t(1.0), t(1.0)))) == 0.0


def test_pairs_that_torch_refuses() -> None:
    close(kl_divergence(D.Weibull(t(1.1), t(1.7)), D.Weibull(t(1.1), t(1.7))), 0.0)
    assert float(kl_divergence(D.Weibull(t(1.1), t(1.7)), D.Weibull(t(1.4), t(1.4)))) > 0
    assert float(kl_divergence(D.StudentT(t(3.0)), D.StudentT(t(5.0)))) > 0
    mixture = D.MixtureSameFamily(D.Categorical(t([0.3, 0.7])), D.Normal(t([-2.0, 2.0]), t([1.0, 0.5])))
    assert float(kl_divergence(mixture, D.Normal(t(0.0), t(2.0)))) == pytest.approx(0.6359629, rel=1e-6)
