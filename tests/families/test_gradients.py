"""Gradients in every parameter equal finite differences, in torch and in JAX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kullback.families as F
from kullback import kl_divergence

S1 = [[2.0, 0.3], [0.3, 1.0]]
S2 = [[1.0, -0.2], [-0.2, 1.5]]
SAME: list[tuple[Any, list[Any], list[Any]]] = [
    (F.Normal, [0.3, 1.2], [0.1, 1.5]),
    (F.LogNormal, [0.2, 0.6], [-0.1, 0.9]),
    (F.Laplace, [-0.2, 0.7], [0.3, 1.1]),
    (F.Gumbel, [0.2, 0.5], [0.1, 0.8]),
    (F.Cauchy, [0.3, 1.2], [-0.1, 0.8]),
    (F.HalfCauchy, [1.2], [0.8]),
    (F.Exponential, [1.4], [0.9]),
    (F.Gamma, [2.5, 0.8], [2.1, 1.1]),
    (F.Gamma, [25.0, 0.8], [21.0, 1.1]),
    (F.InverseGamma, [3.2, 0.8], [2.2, 1.1]),
    (F.ChiSquared, [3.3], [2.3]),
    (F.Chi, [3.3], [2.3]),
    (F.Weibull, [1.1, 1.7], [1.4, 1.4]),
    (F.HalfNormal, [0.9], [1.2]),
    (lambda s: F.Rayleigh(0.0, s), [1.3], [1.1]),
    (lambda s: F.Maxwell(0.0, s), [0.8], [1.1]),
    (lambda c, s: F.Nakagami(c, 0.0, s), [1.3, 1.1], [1.1, 1.3]),
    (lambda k, c, s: F.GeneralizedGamma(k, c, 0.0, s), [1.5, 1.6, 1.3], [1.3, 1.3, 1.5]),
    (lambda c, s: F.Frechet(c, 0.0, s), [4.6, 1.2], [4.1, 1.0]),
    (lambda s: F.Levy(0.0, s), [0.7], [1.1]),
    (F.Pareto, [1.2, 4.2], [1.0, 3.1]),
    (lambda m, s: F.InverseGaussian(m, 0.0, s), [0.5, 2.3], [0.8, 1.9]),
    (F.Beta, [2.0, 3.0], [2.5, 1.7]),
    (F.LogitNormal, [0.3, 1.2], [0.1, 1.5]),
    (F.ContinuousBernoulli, [0.3], [0.8]),
    (F.ContinuousBernoulli, [0.45], [0.55]),
    (F.Uniform, [0.2, 0.7], [0.0, 1.0]),
    (F.VonMises, [0.2, 1.5], [-0.3, 2.5]),
    (F.VonMises, [0.2, 50.0], [-0.3, 70.0]),
    (F.Bernoulli, [0.3], [0.4]),
    (F.Geometric, [0.3], [0.4]),
    (F.Poisson, [2.3], [3.1]),
    (F.Zeta, [3.5], [3.1]),
    (F.LogSeries, [0.4], [0.6]),
    (F.LogSeries, [0.1], [0.2]),
    (lambda p: F.Binomial(5.0, p), [0.3], [0.4]),
    (lambda p: F.NegativeBinomial(2.5, p), [0.3], [0.4]),
    (lambda b: F.GeneralizedNormal(b, 0.0, 1.0), [1.5], [1.2]),
    (lambda m: F.Logistic(m, 1.0), [0.3], [0.9]),
    (F.Dirichlet, [[2.0, 3.0, 0.5]], [[2.5, 1.7, 1.5]]),
    (F.Dirichlet, [[2.0, 3.0, 0.5, 1.0, 2.0]], [[2.5, 1.7, 1.5, 2.0, 1.0]]),
    (F.MultivariateNormal, [[1.0, 0.0], S1], [[0.6, 0.8], S2]),
    (F.MultivariateNormal, [[1.0, 0.0], [[0.01, 0.0], [0.0, 1.0]]], [[0.6, 0.8], S2]),
    (lambda m, s: F.Independent(F.Normal(m, s)), [[1.0, 0.0], [1.0, 2.0]], [[0.6, 0.8], [2.0, 1.0]]),
    (F.LowRankMultivariateNormal, [[1.0, 0.0], [[1.0], [0.5]], [1.0, 2.0]], [[0.6, 0.8], [[0.3], [0.7]], [2.0, 1.0]]),
    (F.Wishart, [5.0, S1], [6.0, S2]),
    (F.InverseWishart, [5.0, S1], [6.0, S2]),
    (F.NormalInverseWishart, [[1.0, 0.0], 2.0, 5.0, S1], [[0.6, 0.8], 3.0, 6.0, S2]),
    (F.MatrixNormal, [S1, S1, S2], [S2, S2, S1]),
    (lambda k: F.VonMisesFisher([1.0, 0.0, 0.0], k), [1.5], [2.5]),
    (lambda a, s: F.AutoRegression(a, s), [[0.5], 1.0], [[0.25], 1.2]),
    (lambda T: F.MarkovChain(T, [0.5, 0.5], 3), [[[0.9, 0.1], [0.4, 0.6]]], [[[0.8, 0.2], [0.3, 0.7]]]),
]
CROSS: list[tuple[Any, Any, list[Any], list[Any]]] = [
    (F.Normal, F.Laplace, [0.3, 1.2], [0.1, 1.5]),
    (F.Normal, F.Gumbel, [0.3, 1.2], [0.1, 1.5]),
    (F.Laplace, F.Normal, [0.3, 1.2], [0.1, 1.5]),
    (F.Laplace, F.Gumbel, [0.3, 0.7], [0.1, 1.5]),
    (F.Gumbel, F.Normal, [0.3, 1.2], [0.1, 1.5]),
    (F.Gumbel, F.Laplace, [0.3, 1.2], [0.1, 1.5]),
    (F.Exponential, F.Gamma, [1.3], [2.1, 1.5]),
    (F.Exponential, F.Laplace, [1.3], [0.4, 1.5]),
    (F.Exponential, F.Weibull, [1.3], [1.1, 1.5]),
    (F.Gamma, F.LogNormal, [2.3, 1.2], [0.1, 1.5]),
    (F.Gamma, F.InverseGamma, [2.3, 1.2], [0.9, 1.5]),
    (F.Gamma, F.Normal, [2.3, 1.2], [0.9, 1.5]),
    (F.LogNormal, F.Gamma, [0.3, 0.6], [2.1, 1.5]),
    (F.LogNormal, F.Weibull, [0.3, 0.6], [2.1, 1.5]),
    (F.LogNormal, F.Laplace, [0.3, 0.6], [0.4, 1.5]),
    (F.Weibull, F.LogNormal, [1.3, 1.6], [0.4, 1.5]),
    (F.Pareto, F.Gamma, [1.3, 3.6], [2.4, 1.5]),
    (F.Pareto, F.LogNormal, [1.3, 3.6], [0.4, 1.5]),
    (F.Beta, F.LogitNormal, [1.3, 3.6], [0.4, 1.5]),
    (F.Beta, F.Exponential, [1.3, 3.6], [0.4]),
    (F.Uniform, F.Beta, [0.2, 0.7], [2.0, 3.0]),
    (F.Uniform, F.Normal, [0.2, 0.7], [2.0, 3.0]),
    (F.Uniform, F.Cauchy, [0.2, 0.7], [2.0, 3.0]),
    (F.Cauchy, F.StudentT, [0.2, 0.7], [2.0, 0.3, 1.3]),
    (F.HalfNormal, F.Gamma, [0.7], [2.0, 1.3]),
    (F.Kumaraswamy, F.Gamma, [0.7, 2.0], [2.0, 1.3]),
]


def _difference(f: Any, values: list[Any]) -> list[Any]:
    """Central differences of a function of several arrays."""
    found = []
    for i, value in enumerate(values):
        x = np.asarray(value, dtype=float)
        grad = np.zeros_like(x)
        for at in np.ndindex(x.shape):
            h = 1e-5 * max(1.0, abs(x[at]))
            step = []
            for sign in (1, -1):
                moved = x.copy()
                moved[at] += sign * h
                if x.ndim == 2 and x.shape[0] == x.shape[1] and at[0] != at[1] and _symmetric(x):
                    moved[at[::-1]] += sign * h
                step.append(f(*values[:i], moved, *values[i + 1 :]))
            grad[at] = (step[0] - step[1]) / (2 * h)
        found.append(grad)
    return found


def _symmetric(x: Any) -> bool:
    return bool((x == x.T).all())


def _compare(got: Any, expected: Any, value: Any) -> None:
    got, expected, x = (np.asarray(v, dtype=float) for v in (got, expected, value))
    if x.ndim == 2 and x.shape[0] == x.shape[1] and _symmetric(x):
        got = got + got.T - np.diag(np.diag(got))  # a covariance moves with its mirror image
    np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-8)


def _cases() -> list[Any]:
    # JAX traces each formula anew, up to ten seconds for a long one: one in four here, the others by `make test-all`
    marks = [[] if i % 4 == 0 and i != 28 else [pytest.mark.slow] for i in range(len(SAME) + len(CROSS))]
    jax = [pytest.param("jax", i, marks=marks[i], id=f"jax-{i}") for i in range(len(marks))]
    return [pytest.param("torch", i, id=f"torch-{i}") for i in range(len(marks))] + jax


@pytest.mark.parametrize(("library", "case"), _cases())
def test_gradients(library: str, case: int) -> None:
    make, other, a, b = (SAME[case][0], *SAME[case]) if case < len(SAME) else CROSS[case - len(SAME)]

    def plain(*values: Any) -> float:
        return float(kl_divergence(make(*values[: len(a)]), other(*values[len(a) :])))

    values = [*a, *b]
    if make is F.MarkovChain or (case < len(SAME) and len(a) == 1 and np.ndim(a[0]) == 2 and case == len(SAME) - 1):
        _check_chain(make, a, b, library)
        return
    expected = _difference(plain, [np.asarray(v, dtype=float) for v in values])
    if library == "torch":
        import torch

        tensors = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values]
        kl_divergence(make(*tensors[: len(a)]), other(*tensors[len(a) :])).backward()
        got = [torch.zeros_like(t) if t.grad is None else t.grad for t in tensors]
    else:
        import jax

        jax.config.update("jax_enable_x64", True)
        arrays = [jax.numpy.asarray(v, dtype=float) for v in values]

        def loss(*xs: Any) -> Any:
            return kl_divergence(make(*xs[: len(a)]), other(*xs[len(a) :]))

        got = jax.grad(loss, argnums=tuple(range(len(values))))(*arrays)
    for g, e, v in zip(got, expected, values, strict=True):
        _compare(g, e, v)


def _check_chain(make: Any, a: Any, b: Any, library: str) -> None:
    """Rows of a transition matrix must sum to 1: the derivative along a direction that keeps them so."""
    if library == "jax":
        pytest.skip("the chain's door looks at values")
    import torch

    T = torch.tensor(a[0], dtype=torch.float64, requires_grad=True)
    direction = np.array([[1.0, -1.0], [0.0, 0.0]])
    kl_divergence(make(T), make(b[0])).backward()
    h = 1e-6
    up, down = (kl_divergence(make(np.array(a[0]) + s * h * direction), make(b[0])) for s in (1, -1))
    assert float((T.grad.numpy() * direction).sum()) == pytest.approx((up - down) / (2 * h), rel=1e-6)


def test_gradients_are_zero_where_the_two_are_equal() -> None:
    import torch

    for make, a, _ in SAME:
        if make in (F.Pareto, F.Uniform):
            continue  # the edge of the support: ∞ on one side, a slope on the other
        tensors = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in a]
        value = kl_divergence(make(*tensors), make(*a))
        if not value.requires_grad:
            continue  # a form that sees that the values are equal
        value.backward()
        for t in tensors:
            if t.grad is not None:
                assert bool(torch.isfinite(t.grad).all())
                assert float(t.grad.abs().max()) < 1e-9, make


def test_float32_comes_back_as_float32_and_right() -> None:
    import torch

    # torch 2.13 gives −0.82 here (D10)
    a = torch.tensor(1e6)
    got = kl_divergence(F.Gamma(a, torch.tensor(1.0)), F.Gamma(a + 1, torch.tensor(1.0)))
    assert got.dtype == torch.float32
    # mpmath, mp.dps=40: lnΓ(a+1) − lnΓ(a) − ψ₀(a), a = 10⁶
    assert float(got) == pytest.approx(5.00000083333333e-07, rel=1e-6)
    p = np.array([1e6], dtype=np.float32)
    assert kl_divergence(F.Gamma(p, 1.0), F.Gamma(p + 1, 1.0)).dtype == np.float32
    half = torch.tensor([1.0], dtype=torch.float16)
    assert kl_divergence(F.Normal(0.0, half), F.Normal(0.0, 2 * half)).dtype == torch.float32


def test_batches_broadcast() -> None:
    m = np.zeros((3, 1))
    got = kl_divergence(F.Normal(m, 1.0), F.Normal(0.0, np.array([1.0, 2.0])))
    assert got.shape == (3, 2)
    mixed = kl_divergence(F.Exponential(np.ones(3)), F.Uniform(0.0, np.array([1.0, 2.0, 3.0])))
    assert np.isinf(mixed).all()
    some = kl_divergence(F.Uniform(0.0, np.array([1.0, 2.0, 3.0])), F.Uniform(0.0, 2.0))
    np.testing.assert_allclose(some, [np.log(2), 0.0, np.inf])
    numeric = kl_divergence(F.StudentT(np.array([3.0, 4.0])), F.Cauchy(0.0, 1.0))
    single = [kl_divergence(F.StudentT(d), F.Cauchy(0.0, 1.0)) for d in (3.0, 4.0)]
    np.testing.assert_allclose(numeric, single, rtol=1e-12)
