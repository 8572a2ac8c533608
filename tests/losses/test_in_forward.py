"""Losses on given logits whose gradient the forward pass makes: the Triton kernels on a GPU or in the interpreter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.utils.checkpoint
from torch import Tensor

from kullback import losses
from kullback.errors import InvalidForm
from kullback.losses import in_forward, ops
from losses.oracle import error

pytest.importorskip("triton", reason="triton has no wheel here")

from losses.test_kernels import DEVICE, N, logits, targets, wide

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:TRITON_DEFAULT_FP_FUSION")


def one_launch(monkeypatch: pytest.MonkeyPatch, count: list[str]) -> None:
    """Given logits on the kernels, CPU or not; `count` notes what is launched."""
    from kullback.losses import _triton, at_once

    monkeypatch.setattr(ops, "kernels", lambda _: _triton)
    monkeypatch.setattr(at_once, "suits", lambda *_: False)
    for name in ("cross_entropy", "divergence", "statistics", "gradient", "divergence_statistics"):
        f = getattr(_triton, name)
        monkeypatch.setattr(_triton, name, lambda *a, _f=f, _name=name, **o: (count.append(_name), _f(*a, **o))[1])


MASK = torch.tensor([True, True, False, True])
GIVEN: dict[str, Any] = {
    "cross-entropy": lambda z, t, y, **o: losses.cross_entropy(z, y, label_smoothing=0.1, z_loss=0.01, **o),
    "forward KL": lambda z, t, y, **o: losses.kl_divergence(t, z, temperature=2.0, temperature_scaling="t2", **o),
    "JS": lambda z, t, y, **o: losses.js_divergence(t, z, **o),
    "total variation": lambda z, t, y, **o: losses.total_variation(t, z, **o),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", GIVEN)
def test_given_logits_are_read_in_one_launch(name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    case, y = GIVEN[name], targets(37)
    y[0] = -100 if name == "cross-entropy" else y[0]
    start, t = logits(37, dtype, seed=4).nan_to_num(neginf=-3.0), logits(37, dtype, seed=5).nan_to_num(neginf=-3.0)
    launched: list[str] = []
    one_launch(monkeypatch, launched)
    mask = MASK.to(DEVICE)
    weight = torch.tensor([1.0, 0.5, 9.0, 2.0], device=DEVICE)
    for o in ({}, {"reduction": "sum"}, {"mask": mask, "token_weight": weight}, {"normalizer": 7.0}):
        truth = wide(start).reshape(2, 2, 37).requires_grad_()
        options = {k: v.cpu().reshape(2, 2) if isinstance(v, Tensor) else v for k, v in o.items()}
        exact = case(truth, wide(t).reshape(2, 2, 37), y.cpu().reshape(2, 2), impl="reference", **options)
        (3.0 * exact).backward()
        options = {k: v.reshape(2, 2) if isinstance(v, Tensor) else v for k, v in o.items()}
        both = []
        for two_passes in (False, True):
            z = start.clone().reshape(2, 2, 37).requires_grad_()
            launched.clear()
            with monkeypatch.context() as patch:
                if two_passes:
                    patch.setattr(in_forward, "suits", lambda *_, **__: False)
                loss = case(z, t.reshape(2, 2, 37), y.reshape(2, 2), **options)
                (3.0 * loss).backward()
            assert (launched in (["cross_entropy"], ["divergence"])) is not two_passes
            both.append((loss.detach(), z.grad))
            assert loss.dtype == torch.float32
            assert error(loss.detach().cpu(), exact.detach()) < 2e-6
            limit = 2e-5 if dtype == torch.float32 else 2**-6  # the interpreter truncates to bfloat16, twice here
            assert z.grad is not None
            assert z.grad.dtype == dtype
            assert error(z.grad.cpu(), truth.grad) < limit
        torch.testing.assert_close(both[0][0], both[1][0])
        torch.testing.assert_close(both[0][1], both[1][1], rtol=2**-6 if dtype == torch.bfloat16 else 1e-4, atol=1e-6)


@pytest.mark.parametrize("name", GIVEN)
def test_a_gradient_made_in_the_forward_pass_behaves_as_one_made_later(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, y = GIVEN[name], targets(37)
    z, t = logits(37, torch.float32, seed=4).nan_to_num(neginf=-3.0), logits(37, torch.float32, seed=5)
    launched: list[str] = []
    one_launch(monkeypatch, launched)
    t = t.nan_to_num(neginf=-3.0)
    x = z.clone().requires_grad_()
    loss = case(x, t, y)
    # a second backward, with another factor; then they add up
    (first,) = torch.autograd.grad(loss, x, torch.tensor(2.0, device=DEVICE), retain_graph=True)
    kept = first.clone()
    (second,) = torch.autograd.grad(loss, x, torch.tensor(-4.0, device=DEVICE), retain_graph=True)
    torch.testing.assert_close(second, -2.0 * kept)
    assert torch.equal(first, kept)
    loss.backward()
    case(x, t, y).backward()
    torch.testing.assert_close(x.grad, kept)
    # no second derivative, but a first that may be asked with create_graph
    x = z.clone().requires_grad_()
    (g,) = torch.autograd.grad(case(x, t, y), x, create_graph=True)
    torch.testing.assert_close(g, kept / 2)
    with pytest.raises(InvalidForm, match="second derivative"):
        g.sum().backward()
    # activation checkpointing drops it and makes it again
    x = z.clone().requires_grad_()
    torch.utils.checkpoint.checkpoint(lambda x: case(2.0 * x, t, y), 0.5 * x, use_reentrant=False).backward()
    torch.testing.assert_close(x.grad, kept / 2)
    # whatever is not one number times a constant gradient takes the two passes
    for o in ({"reduction": "none"}, {"token_weight": torch.ones(N, device=DEVICE, requires_grad=True)}):
        launched.clear()
        case(x, t, y, **o)
        assert launched[0] in ("statistics", "divergence_statistics")
    launched.clear()
    with torch.no_grad():
        case(x, t, y)
    assert launched[0] in ("statistics", "divergence_statistics")


def test_one_launch_holds_one_buffer_of_the_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    one_launch(monkeypatch, [])
    z, t = logits(37, torch.bfloat16, seed=4), logits(37, torch.bfloat16, seed=5)
    x = z.requires_grad_()
    held: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda s: (held.append(s.data_ptr()), s)[1], lambda s: s):
        losses.js_divergence(t, x).backward()
    assert len({p for p in held if p not in (x.data_ptr(), t.data_ptr())}) == 1
    assert x.grad is not None
    assert x.grad.data_ptr() in held  # what was made in the forward pass is the gradient, not a copy of it


@pytest.mark.parametrize("name", GIVEN)
def test_a_mean_is_divided_in_the_launch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes back from above is then 1, which moves nothing; in float16 the quotient would underflow."""
    launched: list[str] = []
    one_launch(monkeypatch, launched)
    scaled: list[float] = []
    scale_ = ops.scale_
    monkeypatch.setattr(ops, "scale_", lambda dz, g: (scaled.append(float(g)), scale_(dz, g))[1])
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        z, t = (logits(37, dtype, seed).requires_grad_(seed == 4) for seed in (4, 5))
        GIVEN[name](z, t.nan_to_num(neginf=-3.0), targets(37)).backward()
    assert scaled == [1.0, 1.0]
    assert launched[:2] == [launched[0]] * 2
    assert launched[2] in ("statistics", "divergence_statistics")
