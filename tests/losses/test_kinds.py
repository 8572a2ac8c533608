"""The entry-wise formulas: their laws, their limits, and their gradients against autograd of the definition."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kullback import losses
from kullback.errors import InvalidInput
from kullback.losses import kinds

# mpmath, mp.dps=50: t = softmax(1, 0, −2), s = softmax(0, ½, 0), β = 0.3, by the definitions in kinds.py
MPMATH = {
    "fkl": 0.45076278125780894628,
    "rkl": 0.55463544735054320493,
    "skew_js": 0.44966145816052354656,
    "skew_kl": 0.22409154081109716121,
    "tv": 0.43131589363704418024,
}

SETTLED = [
    ("forward_kl", 0.5),
    ("reverse_kl", 0.5),
    ("skew_js", 0.5),
    ("skew_js", 0.1),
    ("skew_kl", 0.3),
    ("reverse_skew_kl", 0.3),
    ("tv", 0.5),
]


@st.composite
def logits(draw: st.DrawFn, rows: int = 2) -> tuple[Tensor, Tensor]:
    """Two rows of logits: ties, wide ranges, near copies, and lengths from 1."""
    v = draw(st.integers(1, 12))
    scale = draw(st.sampled_from([0.0, 1e-6, 1.0, 30.0]))
    values = st.integers(-8, 8).map(float)
    t = torch.tensor(draw(st.lists(values, min_size=rows * v, max_size=rows * v)), dtype=torch.float64).reshape(rows, v)
    d = torch.tensor(draw(st.lists(values, min_size=rows * v, max_size=rows * v)), dtype=torch.float64).reshape(rows, v)
    return t, t + scale * d


def rows(t: Tensor, s: Tensor, kind: str, beta: float) -> Tensor:
    return kinds.entries(t.log_softmax(-1), s.log_softmax(-1), kind=kind, beta=beta)


@pytest.mark.parametrize(("kind", "beta"), SETTLED)
@settings(max_examples=40, deadline=None)
@given(pair=logits())
def test_entries_are_never_negative_and_vanish_only_at_equality(
    kind: str, beta: float, pair: tuple[Tensor, Tensor]
) -> None:
    t, s = pair
    entries = rows(t, s, kind, beta)
    assert bool((entries >= 0).all())
    assert bool(torch.isfinite(entries).all())
    assert float(rows(t, t, kind, beta).abs().max()) == 0.0


@pytest.mark.parametrize(("kind", "beta"), SETTLED)
@settings(max_examples=30, deadline=None)
@given(pair=logits())
def test_the_mirror_exchanges_teacher_and_student(kind: str, beta: float, pair: tuple[Tensor, Tensor]) -> None:
    t, s = pair
    other, weight = kinds.mirror(kind, beta)
    torch.testing.assert_close(
        rows(t, s, kind, beta).sum(-1), rows(s, t, other, weight).sum(-1), rtol=1e-12, atol=1e-300
    )


@pytest.mark.parametrize(("kind", "beta"), SETTLED)
@settings(max_examples=30, deadline=None)
@given(pair=logits())
def test_the_score_gives_the_gradient_of_the_entries(kind: str, beta: float, pair: tuple[Tensor, Tensor]) -> None:
    t, s = pair
    if kind == "tv":
        s = s + 1e-3 * torch.arange(s.shape[1], dtype=torch.float64)  # |t − s| has no derivative at a tie
        t = t - 1e-3 * torch.arange(s.shape[1], dtype=torch.float64).square()
    s = s.clone().requires_grad_()
    (truth,) = torch.autograd.grad(rows(t, s, kind, beta).sum(), s)
    p, q = t.log_softmax(-1), s.detach().log_softmax(-1)
    g = kinds.score(kinds.log_ratio(p, q), kind=kind, beta=beta)
    mine = q.exp() * (g - (q.exp() * g).sum(-1, keepdim=True))
    if kind == "forward_kl":
        mine = q.exp() - p.exp()
    torch.testing.assert_close(mine, truth, rtol=1e-8, atol=1e-13)


def test_entries_agree_with_the_definitions() -> None:
    t = torch.tensor([[1.0, 0.0, -2.0]], dtype=torch.float64)
    s = torch.tensor([[0.0, 0.5, 0.0]], dtype=torch.float64)
    expected = {
        ("forward_kl", 0.5): MPMATH["fkl"],
        ("reverse_kl", 0.5): MPMATH["rkl"],
        ("skew_js", 0.3): MPMATH["skew_js"],
        ("skew_kl", 0.3): MPMATH["skew_kl"],
        ("tv", 0.5): MPMATH["tv"],
    }
    for (kind, beta), value in expected.items():
        assert float(rows(t, s, kind, beta).sum()) == pytest.approx(value, rel=4e-15)


@pytest.mark.parametrize("kind", ["skew_js", "skew_kl"])
def test_the_skewed_kinds_are_continuous_at_the_ends(kind: str) -> None:
    torch.manual_seed(0)
    t, s = torch.randn(1, 20, dtype=torch.float64), torch.randn(1, 20, dtype=torch.float64)
    forward = float(rows(t, s, "forward_kl", 0.5).sum())
    assert float(rows(t, s, kind, 1e-9).sum()) == pytest.approx(forward, rel=1e-7)
    if kind == "skew_js":
        assert float(rows(t, s, kind, 1 - 1e-9).sum()) == pytest.approx(
            float(rows(t, s, "reverse_kl", 0.5).sum()), rel=1e-7
        )
        assert float(losses.skew_js_divergence(t, s, beta=0.0)) == pytest.approx(forward, rel=1e-14)
        four = 4 * float(losses.js_divergence(t, s))
        assert float(losses.skew_js_divergence(t, s, beta=0.5)) == pytest.approx(four, rel=1e-14)


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-7])
def test_a_small_divergence_keeps_its_digits(distance: float) -> None:
    # KL(t‖s) for t uniform on two classes and logits ±distance is log cosh(distance), to first order distance²/2.
    t = torch.zeros(1, 2, dtype=torch.float64)
    s = torch.tensor([[distance, -distance]], dtype=torch.float64)
    d2 = distance * distance
    truth = d2 / 2 - d2 * d2 / 12 + d2**3 / 45
    assert float(rows(t, s, "forward_kl", 0.5).sum()) == pytest.approx(truth, rel=1e-14)


def test_empty_classes() -> None:
    t = torch.tensor([[0.0, -math.inf, 0.0]], dtype=torch.float64)
    s = torch.tensor([[0.0, 0.0, -math.inf]], dtype=torch.float64)
    assert float(rows(t, s, "forward_kl", 0.5).sum()) == math.inf
    assert float(rows(t, s, "tv", 0.5).sum()) == pytest.approx(0.5)
    assert float(rows(t, s, "skew_js", 0.5).sum()) / 4 == pytest.approx(0.5 * math.log(2))
    both = torch.tensor([[0.0, -math.inf, 1.0]], dtype=torch.float64)
    for kind, beta in SETTLED:
        assert float(rows(t, both, kind, beta).sum()) < math.inf


@pytest.mark.parametrize(("kind", "beta"), [("skew_js", -0.1), ("skew_js", 1.1), ("skew_kl", 1.0), ("kl", 0.5)])
def test_kinds_that_mean_nothing_are_refused(kind: str, beta: float) -> None:
    with pytest.raises(InvalidInput, match=r"expected|choose"):
        kinds.settle(kind, beta)
