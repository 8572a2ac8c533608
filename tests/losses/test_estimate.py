"""KL estimates, variational KL, the ELBO, and torch's own names."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from kullback import losses
from kullback.errors import InvalidInput
from kullback.losses import torch_compat


def policies() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    z = torch.randn(7, dtype=torch.float64, requires_grad=True)
    return z, torch.randn(7, dtype=torch.float64)


@pytest.mark.parametrize("kind", ["k1", "k3"])
def test_estimates_average_to_the_divergence(kind: Any) -> None:
    z, r = policies()
    logp, ref = z.log_softmax(-1), r.log_softmax(-1)
    mean = (logp.exp() * losses.kl_estimate(logp, ref, kind=kind)).sum()  # over every token: no sampling error
    torch.testing.assert_close(mean, losses.kl_divergence(z, r))


@pytest.mark.parametrize("kind", ["k1", "k2", "k3"])
def test_the_unbiased_gradient_is_that_of_the_reverse_kl(kind: Any) -> None:
    z, r = policies()
    logp, ref = z.log_softmax(-1), r.log_softmax(-1)
    p = logp.detach().exp()
    (truth,) = torch.autograd.grad(losses.kl_divergence(z, r), z)
    value = losses.kl_estimate(logp, ref, kind=kind, gradient="unbiased")
    torch.testing.assert_close(value, losses.kl_estimate(logp, ref, kind=kind))
    (mine,) = torch.autograd.grad((p * value).sum(), z, retain_graph=True)
    torch.testing.assert_close(mine, truth)
    (pathwise,) = torch.autograd.grad((p * losses.kl_estimate(logp, ref, kind=kind)).sum(), z)
    if kind == "k3":  # the trap: the gradient of the forward divergence
        (forward,) = torch.autograd.grad(losses.kl_divergence(r, z), z)
        torch.testing.assert_close(pathwise, forward)
    if kind == "k1":
        assert float(pathwise.abs().max()) < 1e-15


@pytest.mark.parametrize("d", [1e-1, 1e-3, 1e-4, 1e-6])
def test_k3_keeps_its_digits_in_float32(d: float) -> None:
    d = float(torch.tensor(d))
    truth = d * d * (1 / 2 + d / 6 + d * d / 24 + d**3 / 120 + d**4 / 720)
    got = losses.kl_estimate(torch.tensor(0.0), torch.tensor(d))
    assert float(got) == pytest.approx(truth, rel=3e-7)
    assert float(losses.kl_estimate(torch.tensor(0.0), torch.tensor(-math.inf))) == math.inf


def test_estimates_refuse() -> None:
    with pytest.raises(InvalidInput, match="same tokens"):
        losses.kl_estimate(torch.zeros(3), torch.zeros(4))
    with pytest.raises(InvalidInput, match="k3"):
        losses.kl_estimate(torch.zeros(3), torch.zeros(3), kind="k4")


def test_gaussian_kl() -> None:
    torch.manual_seed(0)
    m, s, pm, ps = (torch.randn(5, 3, dtype=torch.float64, requires_grad=True) for _ in range(4))
    mine = losses.gaussian_kl(m, s, pm, ps)
    normal = torch.distributions.Normal
    truth = torch.distributions.kl_divergence(normal(m, s.exp()), normal(pm, ps.exp()))
    torch.testing.assert_close(mine, truth)
    for a, b in zip(
        torch.autograd.grad(mine.sum(), (m, s, pm, ps)), torch.autograd.grad(truth.sum(), (m, s, pm, ps)), strict=True
    ):
        torch.testing.assert_close(a, b)
    # mpmath, mp.dps=50: ½(exp(2δ) − 1 − 2δ) + ½δ² at δ = 1e-6 (as float32 1e-6), all digits lost by the textbook form
    d = torch.tensor(1e-6, dtype=torch.float64)
    assert float(losses.gaussian_kl(d, d)) == pytest.approx(1.5e-12 + 2e-18 / 3, rel=1e-12)
    assert float(losses.gaussian_kl(torch.tensor(2.0), torch.tensor(0.5), 2.0, 0.5)) == 0.0


def test_categorical_kl() -> None:
    torch.manual_seed(0)
    q = torch.randn(4, 2, 6, dtype=torch.float64, requires_grad=True)
    p = torch.randn(6, dtype=torch.float64, requires_grad=True)
    categorical = torch.distributions.Categorical
    truth = torch.distributions.kl_divergence(categorical(logits=q), categorical(logits=p.expand_as(q)))
    mine = losses.categorical_kl(q, p)
    torch.testing.assert_close(mine, truth)
    for a, b in zip(torch.autograd.grad(mine.sum(), (q, p)), torch.autograd.grad(truth.sum(), (q, p)), strict=True):
        torch.testing.assert_close(a, b)
    uniform = losses.categorical_kl(q)
    torch.testing.assert_close(uniform, math.log(6) - categorical(logits=q).entropy())
    with pytest.raises(InvalidInput, match="classes"):
        losses.categorical_kl(q, p[:5])


def test_elbo_splits_and_adds_up() -> None:
    torch.manual_seed(0)
    likelihood, z, c = torch.randn(5, 7), torch.rand(5, 3), torch.rand(5)
    parts = losses.elbo(likelihood, {"z": z, "c": c}, weight=0.5)
    torch.testing.assert_close(parts.reconstruction, likelihood.sum(-1).mean())
    torch.testing.assert_close(parts.kl, z.sum(-1).mean() + c.mean())
    torch.testing.assert_close(parts.value, parts.reconstruction - 0.5 * parts.kl)
    torch.testing.assert_close(parts.per_latent["z"], z.mean(0))
    torch.testing.assert_close(losses.elbo(likelihood[:, 0], z).kl, z.sum(-1).mean())
    with pytest.raises(InvalidInput, match="batch"):
        losses.elbo(likelihood, z[:4])


@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("reduction", ["none", "sum", "batchmean", "mean"])
def test_kl_div_is_torchs_but_for_the_mean(reduction: str, log_target: bool) -> None:
    torch.manual_seed(0)
    q = torch.randn(4, 3, 6, dtype=torch.float64).log_softmax(-1).requires_grad_()
    p = torch.randn(4, 3, 6, dtype=torch.float64).log_softmax(-1)
    p = p if log_target else p.exp()
    mine = torch_compat.kl_div(q, p, reduction, log_target=log_target)
    if reduction in ("batchmean", "mean"):
        truth = functional.kl_div(q, p, reduction="sum", log_target=log_target) / 12
    else:
        truth = functional.kl_div(q, p, reduction=reduction, log_target=log_target)
    torch.testing.assert_close(mine, truth)
    torch.testing.assert_close(
        torch.autograd.grad(mine.sum(), q, retain_graph=True)[0], torch.autograd.grad(truth.sum(), q)[0]
    )


def test_kl_div_with_empty_classes_has_no_nan() -> None:
    q = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64).log()
    for log_target in (False, True):
        p = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
        p = (p.log() if log_target else p).requires_grad_()
        x = q.clone().requires_grad_()
        value = torch_compat.kl_div(x, p, log_target=log_target)
        value.backward()
        assert value.item() == pytest.approx(math.log(2))
        for g in (p.grad, x.grad):
            assert g is not None
            assert not bool(torch.isnan(g).any())
    with pytest.raises(InvalidInput, match="reduction"):
        torch_compat.kl_div(q, q, "average")
    with pytest.raises(InvalidInput, match="shape"):
        torch_compat.kl_div(q, q[:, :2])


def test_torchs_layouts() -> None:
    torch.manual_seed(0)
    z = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    y = torch.randint(0, 5, (2, 3, 4))
    y[0, 0, 0] = -100
    w = torch.rand(5, dtype=torch.float64)
    for reduction in ("mean", "sum", "none"):
        torch.testing.assert_close(
            torch_compat.cross_entropy(z, y, w, reduction=reduction, label_smoothing=0.1),
            functional.cross_entropy(z, y, w, reduction=reduction, label_smoothing=0.1),
        )
    soft = torch.rand_like(z)
    torch.testing.assert_close(torch_compat.cross_entropy(z, soft), functional.cross_entropy(z, soft))
    torch.testing.assert_close(
        torch_compat.cross_entropy(z[0, :, 0, 0], y[1, 0, 0]), functional.cross_entropy(z[0, :, 0, 0], y[1, 0, 0])
    )
    x, weight = torch.randn(6, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    t = torch.randint(0, 5, (6,))
    torch.testing.assert_close(
        torch_compat.linear_cross_entropy(x, weight, t, linear_bias=w), functional.cross_entropy(x @ weight.T + w, t)
    )


def test_modules_are_their_functions() -> None:
    torch.manual_seed(0)
    x, t = torch.randn(6, 3), torch.randint(0, 5, (6,))
    head = losses.LinearCrossEntropyLoss(3, 5, label_smoothing=0.1)
    torch.testing.assert_close(
        head(x, t), losses.linear_cross_entropy(x, head.weight, t, bias=head.bias, label_smoothing=0.1)
    )
    assert [name for name, _ in head.named_parameters()] == ["weight", "bias"]
    assert losses.LinearCrossEntropyLoss(3, 5, bias=False).bias is None
    z = torch.randn(6, 5)
    torch.testing.assert_close(losses.CrossEntropyLoss(z_loss=0.1)(z, t), losses.cross_entropy(z, t, z_loss=0.1))
    torch.testing.assert_close(
        losses.DivergenceLoss("skew_js", beta=0.1)(z, 2 * z), losses.skew_js_divergence(z, 2 * z, beta=0.1)
    )
    w = torch.randn(5, 3)
    torch.testing.assert_close(
        losses.LinearDivergenceLoss(kind="js")(x, w, x, 2 * w), losses.linear_divergence(x, w, x, 2 * w, kind="js")
    )
    with pytest.raises(InvalidInput, match="beta"):
        losses.DivergenceLoss("skew_js", beta=2.0)
