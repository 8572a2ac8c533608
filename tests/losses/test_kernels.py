"""The Triton kernels: on a GPU where there is one, else in Triton's interpreter; and compiled for a GPU without one."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.utils.checkpoint
from torch import Tensor

from kullback import losses
from kullback.errors import InvalidForm
from kullback.losses import blocks, in_forward, ops, reference
from losses.oracle import error

pytest.importorskip("triton", reason="triton has no wheel here")

# The interpreter computes with numpy, which warns where −∞ meets −∞; the kernels select such entries away.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:TRITON_DEFAULT_FP_FUSION")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
N = 4
# V of one block, not a multiple of it, below it, one class; a block is 8192 entries of a row, 2048 of a pair
SHAPES = [(1, torch.float32), (37, torch.bfloat16), (8192 + 100, torch.float16)]
KINDS = [
    ("forward_kl", 0.5),
    ("reverse_kl", 0.5),
    ("skew_js", 0.3),
    ("skew_kl", 0.2),
    ("tv", 0.5),
    ("reverse_skew_kl", 0.2),
]


@pytest.fixture(params=["_triton", "_numba"])
def kernels(request: pytest.FixtureRequest) -> Any:
    if request.param == "_numba" and DEVICE == "cuda":
        pytest.skip("the compiled loops are for the CPU")
    return importlib.import_module(f"kullback.losses.{request.param}")


def logits(v: int, dtype: torch.dtype, seed: int = 0) -> Tensor:
    z = 3 * torch.randn(N, v, generator=torch.Generator().manual_seed(seed))
    if v > 8:
        z[0, 5] = -torch.inf
    return z.to(dtype).to(DEVICE)


def targets(v: int) -> Tensor:
    return torch.tensor([0, v - 1, v // 2, v // 3], device=DEVICE)


def wide(z: Tensor) -> Tensor:
    return z.double().cpu()


SOFT = [{"softcap": 0.0, "temperature": 1.0}, {"softcap": 4.0, "temperature": 0.7}]


@pytest.mark.parametrize("shape", SOFT, ids=["plain", "capped"])
@pytest.mark.parametrize(("v", "dtype"), SHAPES)
def test_statistics(kernels: Any, v: int, dtype: torch.dtype, shape: dict[str, float]) -> None:
    z, ids = logits(v, dtype), targets(v)[:, None]
    weight = torch.rand(v, device=DEVICE) + 0.1
    weight[5 if v > 8 else 0] = 0.0  # 0·(−∞) = 0
    flags = {"smooth": True, "entropy": True, "top": True, "complement": False}
    got = kernels.statistics(z, ids, weight, **flags, **shape)
    truth = blocks.statistics(wide(z), ids.cpu(), wide(weight), **flags, **shape)
    for name, a, b in zip(got._fields, got, truth, strict=True):
        assert error(a.cpu(), b) < 2e-6 or float((wide(a) - b).abs().max()) < 2e-6, name


@pytest.mark.parametrize("shape", SOFT, ids=["plain", "capped"])
@pytest.mark.parametrize(("v", "dtype"), SHAPES)
def test_cross_entropy_in_one_launch(kernels: Any, v: int, dtype: torch.dtype, shape: dict[str, float]) -> None:
    weight = torch.tensor([1.0, 0.0, -2.0, 0.5], device=DEVICE)
    classes = torch.rand(v, device=DEVICE)
    for smoothing, z_loss, class_weight in ((0.0, 0.0, None), (0.1, 0.01, classes), (0.2, 0.0, None)):
        z, y = logits(v, dtype), targets(v)
        if smoothing:
            z = torch.where(torch.isinf(z), 0.0, z)
        z[1] = torch.nan  # its weight is 0: nothing of it may be seen, and its gradient must be stored
        o = {"entropy": True, "top": True, "label_smoothing": smoothing, "z_loss": z_loss, **shape}
        out = torch.full(z.shape, torch.nan, device=DEVICE)
        got = kernels.cross_entropy(z, y, class_weight, weight, out, **o)
        exact = torch.empty(z.shape, dtype=torch.float64)
        w = None if class_weight is None else wide(class_weight)
        truth = blocks.cross_entropy(wide(z), y.cpu(), w, wide(weight), exact, **o)
        assert error(out.cpu(), exact) < 2e-6
        assert not bool(out[1].any())
        rows = [0, 2, 3]
        assert float((wide(got.lse)[rows] - truth.lse[rows]).abs().max()) < 4e-6
        assert float((wide(got.entropy)[rows] - truth.entropy[rows]).abs().max()) < 4e-6
        assert torch.equal(got.top.cpu()[rows], truth.top[rows])
        same = z.clone()
        kernels.cross_entropy(same, y, class_weight, weight, same, **o)  # in place, in the logits' dtype
        if dtype == torch.bfloat16 and DEVICE == "cpu":  # the interpreter truncates to bfloat16 where a GPU rounds
            torch.testing.assert_close(same.float(), out, rtol=2**-7, atol=1e-30)
        else:
            assert torch.equal(same, out.to(dtype))


@pytest.mark.parametrize("shape", SOFT, ids=["plain", "capped"])
@pytest.mark.parametrize(("v", "dtype"), SHAPES[1:])
def test_gradients_from_statistics(kernels: Any, v: int, dtype: torch.dtype, shape: dict[str, float]) -> None:
    z, generator = logits(v, dtype), torch.Generator().manual_seed(3)
    g = [torch.randn(N, generator=generator).to(DEVICE) for _ in range(4)]
    for offset in (0, v // 3):  # a slice of the vocabulary: some targets lie elsewhere
        ids = targets(v)[:, None] - offset
        truth = blocks.statistics(
            wide(z), ids.cpu(), None, smooth=True, entropy=True, top=False, complement=False, **shape
        )
        a = torch.empty(z.shape, device=DEVICE)
        b = torch.empty(z.shape, dtype=torch.float64)
        lse, h = truth.lse.to(DEVICE), truth.entropy.to(DEVICE)
        last = {"whole": False, "complement": False, **shape}
        kernels.gradient(z, ids, None, lse, h, g[0], g[1][:, None], g[2], g[3], a, **last)
        e = [wide(part) for part in g]
        stats = truth.lse, truth.entropy
        blocks.gradient(wide(z), ids.cpu(), None, *stats, e[0], e[1][:, None], e[2], e[3], b, **last)
        assert error(a.cpu(), b) < 4e-6


@pytest.mark.parametrize("shape", SOFT, ids=["plain", "capped"])
def test_the_classes_outside_a_set(kernels: Any, shape: dict[str, float]) -> None:
    z = logits(50, torch.float32)
    ids = torch.stack([torch.randperm(50, generator=torch.Generator().manual_seed(i))[:4] for i in range(N)]).to(DEVICE)
    flags = {"smooth": False, "entropy": False, "top": False, "complement": True}
    got = kernels.statistics(z.clone(), ids, None, **flags, **shape)
    truth = blocks.statistics(wide(z), ids.cpu(), None, **flags, **shape)
    assert error(got.lse.cpu(), truth.lse) < 1e-6
    assert error(got.logit.cpu(), truth.logit) < 1e-6
    generator = torch.Generator().manual_seed(1)
    g, g_id = torch.randn(N, generator=generator).to(DEVICE), torch.randn(N, 4, generator=generator).to(DEVICE)
    a, b = torch.empty(z.shape, device=DEVICE), torch.empty(z.shape, dtype=torch.float64)
    last = {"whole": True, "complement": True, **shape}
    kernels.gradient(z.clone(), ids, None, got.lse, None, g, g_id, None, None, a, **last)
    blocks.gradient(wide(z), ids.cpu(), None, truth.lse, None, wide(g), wide(g_id), None, None, b, **last)
    assert error(a.cpu(), b) < 2e-6


def plain_gradient(t: Tensor, s: Tensor, weight: Tensor, o: dict[str, Any]) -> Tensor:
    """The plain formula's own float32 gradient: the measure of what float32 can do."""
    leaf = s.float().cpu().clone().requires_grad_()
    rows = reference.divergence_rows(t.float().cpu(), leaf, **o)
    keep = torch.isfinite(rows.detach()) & (weight.cpu() != 0)
    return torch.autograd.grad((torch.where(keep, rows, 0.0) * weight.cpu()).sum(), leaf)[0].nan_to_num()


@pytest.mark.parametrize(("kind", "beta"), KINDS)
@pytest.mark.parametrize(
    ("v", "dtype", "cap"), [(1, torch.float32, 0.0), (37, torch.float32, 4.0), (2048 + 4, torch.bfloat16, 0.0)]
)
def test_divergences(kernels: Any, v: int, dtype: torch.dtype, cap: float, kind: str, beta: float) -> None:
    weight = torch.tensor([1.0, 0.0, -2.0, 0.5], device=DEVICE)
    s, t = logits(v, dtype, seed=1), logits(v, dtype, seed=2)
    t[2] = s[2] + (1e-2 * t[2]).nan_to_num(neginf=0.0)  # a small divergence
    o = {"kind": kind, "beta": beta, "softcap_t": cap, "softcap_s": 0.0, "temperature": 0.9}
    exact = torch.empty(s.shape, dtype=torch.float64)
    truth = blocks.divergence(wide(t), wide(s), wide(weight), exact, **o)
    limit = 2 * error(plain_gradient(t, s, weight, o), exact) + 2e-6
    out = torch.full(s.shape, torch.nan, device=DEVICE)
    got = kernels.divergence(t, s, weight, out, **o)
    assert error(out.cpu(), exact) < limit
    assert not bool(out[1].any())
    assert error(got.value.cpu(), truth.value) < 3e-6
    value, _ = kernels.divergence_part(t, s, got.lse_t, got.lse_s, **o)
    assert error(value.cpu(), truth.value) < 1e-5
    added = torch.ones(s.shape, device=DEVICE)
    kernels.divergence_gradient(t, s, got, weight, added, accumulate=True, **o)
    assert float((added.cpu().double() - 1.0 - exact).abs().max()) < 1e-6
    same = torch.full(s.shape, torch.nan, device=DEVICE)
    equal = kernels.divergence(s, s.clone(), weight, same, **{**o, "softcap_t": 0.0})
    assert not bool(equal.value.any())
    assert not bool(same.any())


def test_infinite_rows_have_finite_gradients(kernels: Any) -> None:
    s = torch.zeros(N, 5, device=DEVICE)
    t = s.clone()
    t[:, 0] = -torch.inf
    for kind, beta in KINDS:
        for a, b in ((t, s), (s, t)):
            out = torch.empty(s.shape, device=DEVICE)
            o = {"kind": kind, "beta": beta, "softcap_t": 0.0, "softcap_s": 0.0, "temperature": 1.0}
            got = kernels.divergence(a, b, torch.ones(N, device=DEVICE), out, **o)
            exact = torch.empty(s.shape, dtype=torch.float64)
            truth = blocks.divergence(wide(a), wide(b), torch.ones(N, dtype=torch.float64), exact, **o)
            assert error(got.value.cpu(), truth.value) < 1e-6
            assert error(out.cpu(), exact) < 1e-6


def test_no_launch_asks_for_more_warps_than_any_gpu_runs() -> None:
    """32 warps of 64 threads are more than AMD's data-centre GPUs give a program."""
    from kullback.losses._triton import primitives

    for v in (1, 5, 255, 4096, 32000, 50257, 128256, 2**20):
        for largest in (primitives.ROW_BLOCK, primitives.PAIR_BLOCK):
            got = primitives.launch(v, largest)
            assert 1 <= got["num_warps"] <= 16
            assert got["BLOCK"] <= largest


def test_targets_that_start_off_alignment(kernels: Any) -> None:
    """A compiled load of aligned labels reads the wrong ones where they are a slice from the middle."""
    z = logits(37, torch.float32)
    y = torch.tensor([9, 0, 36, 18, 12], device=DEVICE)[1:]
    flags = {"smooth": False, "entropy": False, "top": False, "complement": False, "softcap": 0.0, "temperature": 1.0}
    got = kernels.statistics(z, y[:, None], None, **flags)
    assert torch.equal(got.logit[:, 0].float(), z.gather(1, y[:, None])[:, 0])


def test_scale() -> None:
    from kullback.losses import _triton as kernels

    d = torch.randn(5000, device=DEVICE)
    for g in (1.0, -2.0):
        e = d.clone()
        kernels.scale_(e, torch.tensor(g, device=DEVICE))
        torch.testing.assert_close(e, d * g)


@pytest.mark.parametrize(
    "case",
    [
        lambda x, w, y: losses.linear_cross_entropy(x, w, y, chunk_size=4, label_smoothing=0.1, z_loss=0.01),
        lambda x, w, y: losses.linear_cross_entropy(x, w, y, reduction="none"),
        lambda x, w, y: losses.linear_cross_entropy(x, w, y, low_memory=True, softcap=3.0),
        lambda x, w, y: losses.linear_divergence(x, 0.9 * w, x.detach(), w.detach(), target=y, ce_weight=0.5),
        lambda x, w, y: losses.linear_divergence(x, 0.9 * w, x.detach(), w.detach(), kind="js", reduction="none"),
        lambda x, w, y: torch.stack(losses.linear_logprob_entropy(x, w, y)),
        lambda x, w, y: losses.linear_sparse_kl(
            x, w, torch.arange(5, device=x.device).expand(6, 5), torch.full((6, 5), 0.1, device=x.device).log()
        ),
        lambda x, w, y: losses.js_divergence(x @ w.T, 0.5 * x @ w.T),
        lambda x, w, y: losses.cross_entropy(x @ w.T, y, label_smoothing=0.1, reduction="none"),
        lambda x, w, y: losses.cross_entropy(x @ w.T, y, in_place=True),
    ],
)  # fmt: skip
def test_whole_losses_on_the_kernels(case: Any, monkeypatch: pytest.MonkeyPatch, kernels: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    x, w = torch.randn(6, 8, generator=generator), torch.randn(33, 8, generator=generator)
    y = torch.tensor([0, 32, -100, 4, 5, 6])
    results = []
    for use, dtype, device in ((blocks, torch.float64, "cpu"), (kernels, torch.float32, DEVICE)):
        monkeypatch.setattr(ops, "kernels", lambda z, use=use: use)
        a, b = (p.to(device, dtype).detach().requires_grad_() for p in (x, w))
        value = case(a, b, y.to(device))
        value.backward(torch.arange(1.0, 1.0 + value.numel(), device=device).reshape(value.shape).to(value))
        assert a.grad is not None
        assert b.grad is not None
        results.append([value.detach().cpu(), a.grad.cpu(), b.grad.cpu()])
    for truth, got in zip(*results, strict=True):
        assert error(got, truth) < 5e-6


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


def test_rows_are_addressed_with_64_bits() -> None:
    """N·V > 2³¹: the row number is widened before it meets a stride."""
    from kullback.losses._triton import pairs, rows

    for module, kernel in ((rows, "_rows"), (pairs, "_divergence")):
        source = Path(module.__file__).read_text(encoding="utf-8")
        body = source[source.index(f"def {kernel}(") :]
        first = body.index("row = tl.program_id(0)")
        assert body[first:].startswith("row = tl.program_id(0).to(tl.int64)")
        assert "program_id(0)" not in body[first + 40 : body.index("@triton.jit") if "@triton.jit" in body else None]


@pytest.mark.slow
def test_every_kernel_compiles_for_a_gpu_that_is_not_here(tmp_path: Path) -> None:
    """The interpreter accepts Python that Triton's compiler does not: build for sm_90 with the ptxas in the wheel."""
    script = Path(__file__).parents[2] / "benchmarks" / "kernel_resources.py"
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment |= {
        "TRITON_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line for line in done.stdout.splitlines() if "loss and gradient" in line or line.startswith("cross")]
    assert len(lines) == 8
    for line in lines:  # block, warps, registers, spilled, shared, resident
        assert line.split()[-3] == "0", f"spills: {line}"
        assert int(line.split()[-1].split("/")[0]) >= 16, f"few warps: {line}"
