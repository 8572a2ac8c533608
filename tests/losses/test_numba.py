"""The CPU's compiled loops in their own domain: many entries, all distances, threads, and the memory they write to."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from kullback import losses
from kullback.errors import InvalidForm, InvalidInput
from kullback.losses import _numba, blocks, kinds, memory
from kullback.losses.statistics import PairOptions, RowOptions
from losses.oracle import error, results

KINDS = [
    ("forward_kl", 0.5),
    ("reverse_kl", 0.5),
    ("skew_js", 0.5),
    ("skew_js", 0.01),
    ("skew_kl", 0.9),
    ("tv", 0.5),
    ("reverse_skew_kl", 0.2),
]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Rows of float32 logits: of all lengths around the blocks, near copies, far apart, shifted, with empty classes."""
    v = draw(st.sampled_from([1, 2, 31, 1024, 1027, 5000]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    t = draw(st.sampled_from([0.1, 3.0, 30.0])) * torch.randn(3, v, generator=generator)
    s = t + draw(st.sampled_from([1e-6, 1e-3, 1.0, 40.0])) * torch.randn(3, v, generator=generator)
    s += draw(st.sampled_from([0.0, 100.0]))
    if draw(st.booleans()) and v > 2:
        t[0, 0] = s[0, 0] = t[1, s[1].argmax()] = -math.inf
    return t, s


@pytest.mark.parametrize(("kind", "beta"), KINDS)
@settings(max_examples=40, deadline=None)
@given(pair=pairs(), temperature=st.sampled_from([1.0, 2.0, 0.7]))
def test_float32_terms_keep_the_digits(kind: str, beta: float, pair: tuple[Tensor, Tensor], temperature: float) -> None:
    t, s = pair
    weight = torch.tensor([1.0, -2.0, 0.5])
    o = PairOptions(kind, beta, temperature=temperature)
    out, exact = torch.empty_like(s), torch.empty(s.shape, dtype=torch.float64)
    got = _numba.divergence(t, s, weight, out, o)
    truth = blocks.divergence(t.double(), s.double(), weight.double(), exact, o)
    assert torch.equal(torch.isinf(got.value), torch.isinf(truth.value))
    finite = torch.isfinite(truth.value)
    off = (got.value - truth.value)[finite].abs()
    assert bool((off <= 4e-6 * truth.value[finite] + 1e-12).all()), (got.value, truth.value)
    assert bool((got.value >= 0.0).all())
    # s·(G − Σ s·G) is as good as float32's G and its mean
    log_t, log_s = ((x.double() / temperature).log_softmax(-1) for x in (t, s))
    g = torch.where(log_s < -200, 0.0, log_s.exp() * kinds.score(kinds.log_ratio(log_t, log_s), kind=kind, beta=beta))
    if kind == "tv":  # where the two are equal but for rounding, the sign may be either
        g = torch.where(kinds.log_ratio(log_t, log_s).abs() < 1e-6, 2**21 * log_s.exp(), g)
    size = 0.0 if kind == "forward_kl" else 2**-21 * float(g.abs().max())
    assert float((out.double() - exact).abs().max()) <= 4e-6 * float(exact.abs().max()) + size + 1e-12


@pytest.mark.parametrize(("kind", "beta"), KINDS)
@settings(max_examples=20, deadline=None)
@given(pair=pairs())
def test_equal_logits_are_exactly_nothing(kind: str, beta: float, pair: tuple[Tensor, Tensor]) -> None:
    t, _ = pair
    out = torch.full_like(t, math.nan)
    got = _numba.divergence(t, t.clone(), torch.ones(3), out, PairOptions(kind, beta))
    assert not bool(got.value.any())
    assert not bool(out.any())


def test_a_sure_row_keeps_its_digits() -> None:
    z = torch.full((1, 100_000), -30.0)
    z[0, 7] = 0.0
    got = _numba.statistics(z, torch.tensor([[7]]), None, RowOptions(entropy=True, top=True))
    others = 99_999 * math.exp(-30.0)
    assert float(got.lse - got.logit[:, 0]) == pytest.approx(math.log1p(others), rel=1e-6)
    # −Σ p log p: the sure class has p ≈ 1 − others, the rest e⁻³⁰ each
    assert float(got.entropy) == pytest.approx(others * 31, rel=1e-5)
    assert int(got.top) == 7
    leaf = z.clone().requires_grad_()
    losses.cross_entropy(leaf, torch.tensor([7])).backward()
    assert leaf.grad is not None
    assert float(leaf.grad[0, 7]) == pytest.approx(-others, rel=1e-5)  # p − 1, not a difference of rounded numbers


@pytest.mark.parametrize("kind", ["forward_kl", "skew_js"])
def test_threads_do_not_change_the_bits(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    t, s = (torch.randn(99, 20_000, generator=generator) for _ in range(2))
    y = torch.randint(0, 20_000, (99,), generator=generator)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            leaf = s.clone().requires_grad_()
            out = torch.empty_like(s)
            got = _numba.divergence(t, s, torch.ones(99), out, PairOptions(kind, 0.3))
            loss = losses.cross_entropy(leaf, y)
            loss.backward()
            results.append([got.value, out, loss.detach(), leaf.grad])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_sixteen_bits_are_widened_and_layouts_are_read() -> None:
    generator = torch.Generator().manual_seed(0)
    t, s = (3 * torch.randn(5, 700, generator=generator) for _ in range(2))
    weight = torch.ones(5)
    for dtype, limit in ((torch.bfloat16, 4e-3), (torch.float16, 5e-4)):
        a, b = t.to(dtype), s.to(dtype)
        out, exact = torch.empty_like(b), torch.empty(b.shape, dtype=torch.float64)
        got = _numba.divergence(a, b, weight, out, PairOptions("forward_kl"))
        truth = blocks.divergence(a.double(), b.double(), weight, exact, PairOptions("forward_kl"))
        assert error(got.value, truth.value) < 1e-6
        assert error(out, exact) < limit
    out, same = torch.empty(5, 700), torch.empty(5, 700)
    wide = torch.cat([s, s], 1)[:, 3:703]
    _numba.divergence(t, wide, weight, out, PairOptions("tv"))
    _numba.divergence(t, wide.contiguous(), weight, same, PairOptions("tv"))
    assert torch.equal(out, same)


def test_a_nan_is_not_lost() -> None:
    z = torch.randn(3, 3000)
    z[1, 2999] = math.nan
    value = losses.cross_entropy(z, torch.tensor([0, 1, 2]), reduction="none")
    assert torch.isnan(value).tolist() == [False, True, False]
    for name in ("kl_divergence", "reverse_kl_divergence", "js_divergence", "total_variation"):
        divergence = getattr(losses, name)
        for pair in ((z, torch.zeros(3, 3000)), (torch.zeros(3, 3000), z)):
            assert torch.isnan(divergence(*pair, reduction="none")).tolist() == [False, True, False], name
    z[1] = math.inf
    assert torch.isnan(losses.cross_entropy(z, torch.tensor([0, 1, 2]), reduction="none")).tolist() == [
        False,
        True,
        False,
    ]


def test_large_gradients_lie_in_fresh_memory() -> None:
    z = torch.empty(memory.LARGE // 4 + 5)
    out = memory.empty_like(z)
    assert out.shape == z.shape
    assert out.data_ptr() != z.data_ptr()
    out.fill_(1.0)
    assert float(out.sum()) == z.numel()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_one_step_is_the_general_path(reduction: Any) -> None:
    """Without options a float32 loss on the CPU is one step; a mask of ones takes the general path."""
    generator = torch.Generator().manual_seed(0)
    t, s = (3 * torch.randn(2, 3, 40, generator=generator) for _ in range(2))
    y = torch.randint(0, 40, (2, 3), generator=generator)
    y[1, 2] = -100
    mask = torch.ones(2, 3, dtype=torch.bool)
    upstream = torch.linspace(-1, 2, 6).reshape(2, 3) if reduction == "none" else torch.tensor(-3.0)

    def both(loss: Any, *inputs: Tensor) -> None:
        one, general = (
            results(lambda *x, o=o: loss(*x, reduction=reduction, temperature=2.0, **o), inputs, upstream)
            for o in ({}, {"mask": mask})
        )
        for a, b in zip(one, general, strict=True):
            assert a.dtype == torch.float32
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)

    both(lambda z, **o: losses.cross_entropy(z, y, **o), s)
    both(losses.kl_divergence, t, s)
    both(losses.js_divergence, t, s)
    both(lambda s, **o: losses.reverse_kl_divergence(t, s, **o), s)


def test_one_step_keeps_the_promises_of_the_general_path() -> None:
    z, t = torch.randn(4, 9, requires_grad=True), torch.randn(4, 9)
    y = torch.tensor([0, 8, -100, 3])
    for loss in (losses.cross_entropy(z, y), losses.js_divergence(t, z), losses.kl_divergence(t, z, reduction="sum")):
        (g,) = torch.autograd.grad(loss, z, create_graph=True)
        with pytest.raises(InvalidForm, match="impl='reference'"):
            g.sum().backward()
    with pytest.raises(InvalidInput, match="target 9 at token 1"):
        losses.cross_entropy(z, torch.tensor([0, 9, -100, 3]))
    with pytest.raises(InvalidInput, match="target -1 at token 0"):
        losses.cross_entropy(z, torch.tensor([-1, 9, -100, 3]))
    plain = torch.autograd.grad(losses.cross_entropy(z, y), z)[0]
    torch.testing.assert_close(torch.func.grad(lambda z: losses.cross_entropy(z, y))(z.detach()), plain)
    with FlopCounterMode(display=False):  # whoever watches the operators sees them
        torch.testing.assert_close(torch.autograd.grad(losses.cross_entropy(z, y), z)[0], plain)
    ignored = losses.cross_entropy(z, torch.full((4,), -100))
    ignored.backward()
    assert ignored.item() == 0.0
    assert z.grad is not None
    assert not bool(z.grad.any())
    assert losses.cross_entropy(torch.zeros(0, 5), y[:0]).item() == 0.0
    assert losses.cross_entropy(z[0], y[0]).shape == ()
