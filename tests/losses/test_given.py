"""Losses on given logits: against the oracle, at the edges, and where other libraries went wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from kullback import losses
from kullback.errors import InvalidForm, InvalidInput
from losses.oracle import assert_as_good_as_plain, results

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
DIVERGENCES: list[tuple[Any, dict[str, Any]]] = [
    (losses.kl_divergence, {}),
    (losses.reverse_kl_divergence, {"temperature": 2.0, "temperature_scaling": "t2"}),
    (losses.js_divergence, {"reduction": "none"}),
    (losses.skew_js_divergence, {"beta": 0.1}),
    (losses.skew_kl_divergence, {"beta": 0.9, "reduction": "sum"}),
    (losses.total_variation, {}),
]


def make(n: int = 6, v: int = 257, dtype: torch.dtype = torch.float32, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    z = 3 * torch.randn(n, v, generator=generator)
    y = torch.randint(0, v, (n,), generator=generator)
    y[0] = -100
    y[1], y[-1] = 0, v - 1
    return z.to(dtype), y


OPTIONS: list[dict[str, Any]] = [
    {},
    {"reduction": "sum"},
    {"reduction": "none"},
    {"label_smoothing": 0.1},
    {"z_loss": 0.01, "softcap": 5.0, "temperature": 0.7},
    {"class_weight": True, "label_smoothing": 0.2, "reduction": "none", "z_loss": 0.1},
    {"token_weight": True, "mask": True},
    {"normalizer": 17.0},
]


def options(o: dict[str, Any], n: int, v: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    o = dict(o)
    if "class_weight" in o:
        o["class_weight"] = torch.rand(v, generator=generator)
    if "token_weight" in o:
        o["token_weight"] = torch.rand(n, generator=generator)
    if "mask" in o:
        o["mask"] = torch.arange(n) % 3 != 2
    return o


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("o", OPTIONS, ids=str)
def test_cross_entropy_is_as_good_as_the_plain_formula(o: dict[str, Any], dtype: torch.dtype) -> None:
    z, y = make(dtype=dtype)
    o = options(o, *z.shape)
    upstream = torch.linspace(-1, 2, len(z)) if o.get("reduction") == "none" else torch.tensor(-3.0)
    assert_as_good_as_plain(
        lambda z: losses.cross_entropy(z, y, **o),
        lambda z: losses.cross_entropy(z, y, impl="reference", **o),
        [z],
        upstream,
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_is_torchs(reduction: str, smoothing: float, weighted: bool) -> None:
    z, y = make(dtype=torch.float64)
    w = torch.rand(z.shape[1], dtype=torch.float64) if weighted else None
    mine = results(
        lambda z: losses.cross_entropy(z, y, reduction=reduction, label_smoothing=smoothing, class_weight=w), [z]
    )
    torchs = results(
        lambda z: functional.cross_entropy(z, y, reduction=reduction, label_smoothing=smoothing, weight=w), [z]
    )
    for a, b in zip(mine, torchs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_soft_targets(dtype: torch.dtype) -> None:
    z, _ = make(dtype=dtype)
    t = torch.rand(z.shape, dtype=torch.float64)
    t[2] = 0.0
    t[3] /= t[3].sum()
    w = torch.rand(z.shape[1], dtype=torch.float64)
    for o in ({}, {"label_smoothing": 0.1}, {"class_weight": w}):
        mine = results(lambda z, o=o: losses.cross_entropy(z, t.to(z.dtype), **o), [z])
        o = {"weight" if k == "class_weight" else k: v for k, v in o.items()}
        truth = results(lambda z, o=o: functional.cross_entropy(z, t, **o), [z.double()])
        for a, b in zip(mine, truth, strict=True):
            torch.testing.assert_close(a.double(), b, rtol=20 * torch.finfo(dtype).eps, atol=torch.finfo(dtype).eps)
    with pytest.raises(InvalidForm, match="reference"):
        losses.cross_entropy(z, t.to(dtype, copy=True).requires_grad_())
    soft = t.clone().requires_grad_()
    losses.cross_entropy(z.double(), soft, impl="reference").backward()
    torch.testing.assert_close(soft.grad, -z.double().log_softmax(-1) / len(z))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("divergence", "o"), DIVERGENCES, ids=lambda x: getattr(x, "__name__", ""))
def test_divergences_are_as_good_as_the_plain_formula(divergence: Any, o: dict[str, Any], dtype: torch.dtype) -> None:
    s, _ = make(dtype=dtype)
    t, _ = make(dtype=dtype, seed=5)
    upstream = torch.linspace(-1, 2, len(s)) if o.get("reduction") == "none" else torch.tensor(-3.0)
    assert_as_good_as_plain(
        lambda t, s: divergence(t, s, **o), lambda t, s: divergence(t, s, impl="reference", **o), [t, s], upstream,
        relabel=True,
    )  # fmt: skip


@pytest.mark.parametrize("scale", [1e-2, 1e-4, 1e-6])
def test_float32_keeps_the_digits_of_a_small_divergence(scale: float) -> None:
    torch.manual_seed(0)
    t = torch.randn(4, 1000)
    s = t + scale * torch.randn(4, 1000)
    for divergence in (losses.kl_divergence, losses.reverse_kl_divergence, losses.js_divergence):
        truth = divergence(t.double(), s.double(), impl="reference")
        assert float(divergence(t, s)) == pytest.approx(float(truth), rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("divergence", "o"), DIVERGENCES, ids=lambda x: getattr(x, "__name__", ""))
def test_equal_logits_give_zero_and_no_gradient(divergence: Any, o: dict[str, Any], dtype: torch.dtype) -> None:
    z, _ = make(dtype=dtype)
    value, gt, gs = results(lambda t, s: divergence(t, s, **o), [z, z])
    assert not bool(value.any())
    assert not bool(gt.any())
    assert not bool(gs.any())


def test_masked_vocabulary() -> None:
    """Logits of −∞ are classes that do not exist: no NaN, no mass, the same loss as without them."""
    z, y = make(v=40)
    t, _ = make(v=40, seed=3)
    wide = [torch.cat([x, torch.full((len(x), 5), -math.inf)], -1) for x in (z, t)]
    for softcap in (None, 4.0):
        got = results(lambda z, c=softcap: losses.cross_entropy(z, y.clamp(max=39), softcap=c), [wide[0]])
        want = results(lambda z, c=softcap: losses.cross_entropy(z, y.clamp(max=39), softcap=c), [z])
        torch.testing.assert_close(got[0], want[0])
        torch.testing.assert_close(got[1][:, :40], want[1], rtol=1e-5, atol=1e-7)
        assert not bool(got[1][:, 40:].any())
    for divergence, o in DIVERGENCES:
        got = results(lambda t, s, d=divergence, o=o: d(t, s, **o), [wide[1], wide[0]])
        want = results(lambda t, s, d=divergence, o=o: d(t, s, **o), [t, z])
        torch.testing.assert_close(got[0], want[0])
        for a, b in zip(got[1:], want[1:], strict=True):
            torch.testing.assert_close(a[:, :40], b, rtol=1e-5, atol=1e-7)
            assert not bool(a[:, 40:].any())


def test_infinite_divergences_have_gradients_without_nan() -> None:
    t = torch.tensor([[0.0, -math.inf, 0.0]])
    s = torch.zeros(1, 3)
    value, _, gs = results(losses.reverse_kl_divergence, [t, s])
    assert float(value) == math.inf
    assert not bool(torch.isnan(gs).any())
    value, gt, gs = results(losses.kl_divergence, [s, t])
    assert float(value) == math.inf
    assert not bool(torch.isnan(gs).any() or torch.isnan(gt).any())
    # D(t‖s) with mass of s where t has none: the whole, and s is pulled back
    value, _, gs = results(losses.kl_divergence, [t, s])
    assert float(value) == pytest.approx(math.log(1.5), rel=1e-6)
    torch.testing.assert_close(gs, torch.tensor([[-1 / 6, 1 / 3, -1 / 6]]))


def test_wide_logits() -> None:
    t = torch.tensor([[0.0, 800.0], [1e4, 0.0]])
    s = torch.tensor([[800.0, 0.0], [0.0, 1e4]])
    torch.testing.assert_close(losses.kl_divergence(t, s, reduction="none"), torch.tensor([800.0, 1e4]))
    torch.testing.assert_close(losses.total_variation(t, s), torch.tensor(1.0))


@pytest.mark.parametrize("temperature", [1e-2, 1e-4])
def test_low_temperatures_have_no_nan(temperature: float) -> None:
    """The gradient of F.kl_div into its target is NaN where a probability has vanished."""
    t, s = make()[0], make(seed=5)[0]
    for divergence, o in DIVERGENCES:
        o = {**o, "temperature": temperature, "temperature_scaling": "t2"}
        for x in results(lambda t, s, d=divergence, o=o: d(t, s, **o), [t, s]):
            assert bool(torch.isfinite(x).all())


@pytest.mark.parametrize("v", [1, 2, 31])
def test_small_vocabularies(v: int) -> None:
    z, y = make(v=v)
    y = y.clamp(min=-100, max=v - 1)
    if v == 1:
        assert not bool(results(lambda z: losses.cross_entropy(z, y), [z])[1].any())
    assert_as_good_as_plain(
        lambda z: losses.cross_entropy(z, y), lambda z: losses.cross_entropy(z, y, impl="reference"), [z]
    )


def test_no_valid_token_gives_zero_in_the_graph() -> None:
    z = torch.full((3, 5), math.nan, requires_grad=True)  # a padded position may hold anything
    loss = losses.cross_entropy(z, torch.full((3,), -100))
    assert loss.item() == 0.0
    loss.backward()
    assert z.grad is not None
    assert not bool(z.grad.any())
    s = torch.randn(3, 5, requires_grad=True)
    loss = losses.js_divergence(s.detach(), s, mask=torch.zeros(3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0.0


def test_empty_batch() -> None:
    z = torch.zeros(0, 5, requires_grad=True)
    loss = losses.cross_entropy(z, torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0.0
    assert losses.kl_divergence(z, z, reduction="none").shape == (0,)


def test_an_ignored_token_may_hold_nan() -> None:
    z, y = make()
    poisoned = z.clone()
    poisoned[0] = math.nan
    a, b = results(lambda z: losses.cross_entropy(z, y), [poisoned]), results(lambda z: losses.cross_entropy(z, y), [z])
    for x, w in zip(a, b, strict=True):
        torch.testing.assert_close(x, w)


def test_layouts_and_leading_axes() -> None:
    z, y = make(n=12)
    base = results(lambda z: losses.cross_entropy(z, y), [z])
    turned = z.T.contiguous().T
    assert turned.stride(-1) != 1
    for a, b in zip(results(lambda z: losses.cross_entropy(z, y), [turned]), base, strict=True):
        torch.testing.assert_close(a, b)
    strided = torch.cat([z, z], -1)[:, 1 : 1 + z.shape[1]]  # rows that start off alignment
    torch.testing.assert_close(losses.cross_entropy(strided, y, impl="reference"), losses.cross_entropy(strided, y))
    shaped = losses.cross_entropy(z.reshape(3, 4, -1), y.reshape(3, 4), reduction="none")
    assert shaped.shape == (3, 4)
    assert losses.cross_entropy(z[1], y[1]).shape == ()


def test_a_loss_near_zero_keeps_its_digits() -> None:
    # mpmath, mp.dps=40: log(1 + exp(-25)); in float32 lse − z is 0 there
    loss = losses.cross_entropy(torch.tensor([[25.0, 0.0]]), torch.tensor([0]))
    assert float(loss) == pytest.approx(1.3887943864867583102e-11, rel=1e-4)


def test_half_precision_losses_are_float32() -> None:
    z, y = make(dtype=torch.bfloat16)
    loss = losses.cross_entropy(z, y, reduction="none")
    assert loss.dtype == torch.float32
    truth = losses.cross_entropy(z.double(), y, reduction="none", impl="reference")
    torch.testing.assert_close(loss.double(), truth, rtol=1e-6, atol=1e-6)  # a row stored in bfloat16 is 0.4 % off


def test_float16_over_many_tokens_does_not_flush_its_gradient() -> None:
    """With 1/N folded in before rounding, nearly every entry of a float16 gradient is 0."""
    n, d, v = 2**17, 8, 64
    torch.manual_seed(0)
    x, w = torch.randn(n, d).half(), (0.1 * torch.randn(v, d)).half()
    y = torch.randint(0, v, (n,))
    w = w.requires_grad_()
    losses.linear_cross_entropy(x, w, y).backward()
    wf = w.detach().double().requires_grad_()
    losses.linear_cross_entropy(x.double(), wf, y, impl="reference").backward()
    assert w.grad is not None
    assert wf.grad is not None
    assert float((w.grad.double() - wf.grad).norm() / wf.grad.norm()) < 1e-3


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 5),
    v=st.integers(1, 9),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([0.0, 1.0, 50.0]),
    smoothing=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_cross_entropy_gradients_sum_to_nothing(n: int, v: int, seed: int, scale: float, smoothing: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    z = scale * torch.randn(n, v, generator=generator, dtype=torch.float64).round()
    y = torch.randint(0, v, (n,), generator=generator)
    value, g = results(lambda z: losses.cross_entropy(z, y, label_smoothing=smoothing), [z])
    assert float(value) >= 0.0
    assert float(g.sum(-1).abs().max()) < 1e-14


def test_in_place_writes_the_gradient_over_the_logits() -> None:
    z, y = make()
    for factor in (1.0, -2.5):
        x = z.clone().requires_grad_()
        logits = x * 1.0
        loss = losses.cross_entropy(logits, y, in_place=True, reduction="sum")
        (factor * loss).backward()
        plain = z.clone().requires_grad_()
        (factor * losses.cross_entropy(plain, y, reduction="sum")).backward()
        torch.testing.assert_close(x.grad, plain.grad)
        torch.testing.assert_close(loss, losses.cross_entropy(plain, y, reduction="sum"))
    logits = z.clone().requires_grad_() * 1.0
    loss = losses.cross_entropy(logits, y, in_place=True)
    loss.backward(retain_graph=True)
    with pytest.raises(InvalidForm, match="in_place=False"):
        loss.backward()
    for dtype in (torch.float64, torch.float32):  # torch's own operations and kernels that write past torch
        x = z.clone().to(dtype).requires_grad_()
        e = x.exp()  # saves its result for the backward
        loss = losses.cross_entropy(e, y, in_place=True)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()
    with pytest.raises(InvalidInput, match="leaf"):
        losses.cross_entropy(z.clone().requires_grad_(), y, in_place=True)
    with pytest.raises(InvalidInput, match="contiguous"):
        losses.cross_entropy((z.clone().requires_grad_() * 1)[:, :-1], y.clamp(max=0), in_place=True)
    with pytest.raises(InvalidInput, match="reduction"):
        losses.cross_entropy(z.clone().requires_grad_() * 1, y, in_place=True, reduction="none")


@pytest.mark.parametrize("in_place", [False, True])
def test_a_bfloat16_gradient_is_rounded_once(in_place: bool) -> None:
    """Written over the logits in 16 bits and scaled later, or p − 1 made of a rounded p, it loses its last digits

    (TransformerEngine #3193, which answered with a float32 buffer of all logits).
    """
    n, v = 64, 300
    generator = torch.Generator().manual_seed(0)
    z, y = (2 * torch.randn(n, v, generator=generator)).bfloat16(), torch.randint(0, v, (n,), generator=generator)
    z[torch.arange(n // 2), y[: n // 2]] += 14.0  # sure rows: p − 1 is small
    truth = z.double().requires_grad_()
    losses.cross_entropy(truth, y, impl="reference").backward()
    x = z.clone().requires_grad_()
    losses.cross_entropy(x * 1.0 if in_place else x, y, in_place=in_place).backward()
    assert x.grad is not None
    assert truth.grad is not None
    off = (x.grad.double() - truth.grad).abs() / truth.grad.abs()
    assert float(off.max()) <= 2**-8 + 1e-5


def test_the_teachers_tail_is_not_clamped() -> None:
    """Log-probabilities stored down to max − 16 alone (llama.cpp, ik_llama.cpp #325) give another divergence."""
    t = torch.tensor([[0.0, -1.0, -30.0, -45.0]])
    s = torch.tensor([[0.0, -1.0, -4.0, -9.0]])
    # mpmath, mp.dps=40: Σ s·log(s/t) and Σ t·log(t/s) of the two softmaxes
    reverse, forward = 0.33331921489998539, 0.01338997751666676
    assert float(losses.reverse_kl_divergence(t, s)) == pytest.approx(reverse, rel=1e-6)
    assert float(losses.kl_divergence(t, s)) == pytest.approx(forward, rel=1e-6)
    assert float(losses.kl_divergence(s, t)) == pytest.approx(reverse, rel=1e-6)
    clamped = t.clamp(min=-16.0)
    assert abs(float(losses.reverse_kl_divergence(clamped, s)) / reverse - 1.0) > 0.4
    # the same stored as log-probabilities of the top classes, against a student's head
    weight, ids = s[0, :, None], torch.arange(4)[None]
    sparse = losses.linear_sparse_kl(torch.ones(1, 1), weight, ids[:, :3], t.log_softmax(-1)[:, :3])
    rest = float(t.double().softmax(-1)[0, 3] * (t.double().log_softmax(-1) - s.double().log_softmax(-1))[0, 3])
    assert float(sparse) == pytest.approx(forward - rest, rel=1e-5)


def test_a_second_backward_gives_the_same_again() -> None:
    z, y = make()
    x = z.requires_grad_()
    loss = losses.cross_entropy(x, y)
    (first,) = torch.autograd.grad(loss, x, 3 * torch.ones_like(loss), retain_graph=True)
    (second,) = torch.autograd.grad(loss, x, 3 * torch.ones_like(loss))
    assert torch.equal(first, second)


def test_second_derivatives_are_refused_or_served() -> None:
    z, y = make(v=5)
    x = z.double().requires_grad_()
    (g,) = torch.autograd.grad(losses.cross_entropy(x, y), x, create_graph=True)
    with pytest.raises(InvalidForm, match="impl='reference'"):
        g.sum().backward()
    t = torch.randn_like(x)
    (g,) = torch.autograd.grad(losses.js_divergence(t, x), x, create_graph=True)
    with pytest.raises(InvalidForm, match="impl='reference'"):
        g.sum().backward()
    assert torch.autograd.gradgradcheck(lambda z: losses.cross_entropy(z, y, impl="reference"), x)


@pytest.mark.parametrize(("divergence", "o"), DIVERGENCES[:-1], ids=lambda x: getattr(x, "__name__", ""))
def test_gradcheck(divergence: Any, o: dict[str, Any]) -> None:
    torch.manual_seed(0)
    t, s = (torch.randn(2, 5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda t, s: divergence(t, s, impl="reference", **o), (t, s))
    assert torch.autograd.gradcheck(lambda t, s: divergence(t, s, **o), (t, s))


def test_hostile_input() -> None:
    z, y = make()
    with pytest.raises(InvalidInput, match="token 2"):
        losses.cross_entropy(z, torch.tensor([0, 1, 257, 3, 4, 5]))
    with pytest.raises(InvalidInput, match="shape"):
        losses.cross_entropy(z, y[:3])
    with pytest.raises(InvalidInput, match="shape"):
        losses.cross_entropy(z[None], y)
    with pytest.raises(InvalidForm, match="integer class ids"):
        losses.cross_entropy(z, y.float())
    with pytest.raises(InvalidForm, match="floating"):
        losses.cross_entropy(z.long(), y)
    with pytest.raises(InvalidInput, match="reduction"):
        losses.cross_entropy(z, y, reduction="batchmean")
    with pytest.raises(InvalidInput, match="temperature"):
        losses.kl_divergence(z, z, temperature=0.0)
    with pytest.raises(InvalidInput, match="vocabulary"):
        losses.kl_divergence(z, z[:, :-1])
    with pytest.raises(InvalidInput, match="softcap"):
        losses.cross_entropy(z, y, softcap=-1.0)
    with pytest.raises(InvalidInput, match="label_smoothing"):
        losses.cross_entropy(z, y, label_smoothing=1.5)
    with pytest.raises(InvalidForm, match="bool"):
        losses.cross_entropy(z, y, mask=torch.ones(6))
    with pytest.raises(InvalidInput, match="impl"):
        losses.kl_divergence(z, z, impl="triton")
    with pytest.raises(InvalidInput, match="temperature_scaling"):
        losses.kl_divergence(z, z, temperature_scaling="T2")
