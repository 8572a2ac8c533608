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
from torch import Tensor

from kullback import losses
from kullback.losses import blocks, ops, reference
from kullback.losses.statistics import PairOptions, RowDerivatives, RowOptions, Spread
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
    o = RowOptions(smooth=True, entropy=True, top=True, **shape)
    got = kernels.statistics(z, ids, weight, o)
    truth = blocks.statistics(wide(z), ids.cpu(), wide(weight), o)
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
        o = Spread(smoothing, z_loss), RowOptions(entropy=True, top=True, **shape)
        out = torch.full(z.shape, torch.nan, device=DEVICE)
        got = kernels.cross_entropy(z, y, class_weight, weight, out, *o)
        exact = torch.empty(z.shape, dtype=torch.float64)
        w = None if class_weight is None else wide(class_weight)
        truth = blocks.cross_entropy(wide(z), y.cpu(), w, wide(weight), exact, *o)
        assert error(out.cpu(), exact) < 2e-6
        assert not bool(out[1].any())
        rows = [0, 2, 3]
        assert float((wide(got.lse)[rows] - truth.lse[rows]).abs().max()) < 4e-6
        assert float((wide(got.entropy)[rows] - truth.entropy[rows]).abs().max()) < 4e-6
        assert torch.equal(got.top.cpu()[rows], truth.top[rows])
        same = z.clone()
        kernels.cross_entropy(same, y, class_weight, weight, same, *o)  # in place, in the logits' dtype
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
        truth = blocks.statistics(wide(z), ids.cpu(), None, RowOptions(smooth=True, entropy=True, **shape))
        a = torch.empty(z.shape, device=DEVICE)
        b = torch.empty(z.shape, dtype=torch.float64)
        lse, h = truth.lse.to(DEVICE), truth.entropy.to(DEVICE)
        o = RowOptions(**shape)
        given = RowDerivatives(g[0], g[1][:, None], g[2], g[3])
        kernels.gradient(z, ids, None, lse, h, given, a, o, whole=False)
        exact = RowDerivatives(*(wide(part) for part in given))
        blocks.gradient(wide(z), ids.cpu(), None, truth.lse, truth.entropy, exact, b, o, whole=False)
        assert error(a.cpu(), b) < 4e-6


@pytest.mark.parametrize("shape", SOFT, ids=["plain", "capped"])
def test_the_classes_outside_a_set(kernels: Any, shape: dict[str, float]) -> None:
    z = logits(50, torch.float32)
    ids = torch.stack([torch.randperm(50, generator=torch.Generator().manual_seed(i))[:4] for i in range(N)]).to(DEVICE)
    o = RowOptions(complement=True, **shape)
    got = kernels.statistics(z.clone(), ids, None, o)
    truth = blocks.statistics(wide(z), ids.cpu(), None, o)
    assert error(got.lse.cpu(), truth.lse) < 1e-6
    assert error(got.logit.cpu(), truth.logit) < 1e-6
    generator = torch.Generator().manual_seed(1)
    g, g_id = torch.randn(N, generator=generator).to(DEVICE), torch.randn(N, 4, generator=generator).to(DEVICE)
    a, b = torch.empty(z.shape, device=DEVICE), torch.empty(z.shape, dtype=torch.float64)
    kernels.gradient(z.clone(), ids, None, got.lse, None, RowDerivatives(g, g_id), a, o, whole=True)
    exact = RowDerivatives(wide(g), wide(g_id))
    blocks.gradient(wide(z), ids.cpu(), None, truth.lse, None, exact, b, o, whole=True)
    assert error(a.cpu(), b) < 2e-6


def plain_gradient(t: Tensor, s: Tensor, weight: Tensor, o: PairOptions) -> Tensor:
    """The plain formula's own float32 gradient: the measure of what float32 can do."""
    leaf = s.float().cpu().clone().requires_grad_()
    rows = reference.divergence_rows(t.float().cpu(), leaf, o)
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
    o = PairOptions(kind, beta, softcap_t=cap, temperature=0.9)
    exact = torch.empty(s.shape, dtype=torch.float64)
    truth = blocks.divergence(wide(t), wide(s), wide(weight), exact, o)
    limit = 2 * error(plain_gradient(t, s, weight, o), exact) + 2e-6
    out = torch.full(s.shape, torch.nan, device=DEVICE)
    got = kernels.divergence(t, s, weight, out, o)
    assert error(out.cpu(), exact) < limit
    assert not bool(out[1].any())
    assert error(got.value.cpu(), truth.value) < 3e-6
    value, _ = kernels.divergence_part(t, s, got.lse_t, got.lse_s, o)
    assert error(value.cpu(), truth.value) < 1e-5
    added = torch.ones(s.shape, device=DEVICE)
    kernels.divergence_gradient(t, s, got, weight, added, o, accumulate=True)
    assert float((added.cpu().double() - 1.0 - exact).abs().max()) < 1e-6
    same = torch.full(s.shape, torch.nan, device=DEVICE)
    equal = kernels.divergence(s, s.clone(), weight, same, o._replace(softcap_t=0.0))
    assert not bool(equal.value.any())
    assert not bool(same.any())


def test_reverse_kl_in_two_reads_keeps_the_digits_of_shifted_rows(kernels: Any) -> None:
    """Its row constant is summed before the normalisers are known, from differences that a shift makes large."""
    generator = torch.Generator().manual_seed(0)
    t = torch.randn(N, 3000, generator=generator)
    s = t + 1e-2 * torch.randn(N, 3000, generator=generator) + torch.tensor([0.0, 64.0, -64.0, 8.0])[:, None]
    t[1, 7], s[2, 0], t[2, 0] = -torch.inf, -torch.inf, -torch.inf
    s[1, 7] = -torch.inf
    weight, o = torch.ones(N, device=DEVICE), PairOptions("reverse_kl")
    out, exact = torch.empty(s.shape, device=DEVICE), torch.empty(s.shape, dtype=torch.float64)
    got = kernels.divergence(t.to(DEVICE), s.to(DEVICE), weight, out, o)
    truth = blocks.divergence(wide(t), wide(s), wide(weight), exact, o)
    plain = error(plain_gradient(t, s, weight, o), exact)
    assert error(out.cpu(), exact) <= 2 * plain + 1e-5
    assert error(got.value.cpu(), truth.value) < 1e-4
    # The same from its own statistics, in a launch of its own.
    later = torch.empty(s.shape, device=DEVICE)
    kernels.divergence_gradient(t.to(DEVICE), s.to(DEVICE), got, weight, later, o)
    assert error(later.cpu(), exact) <= 2 * plain + 1e-4


def test_infinite_rows_have_finite_gradients(kernels: Any) -> None:
    s = torch.zeros(N, 5, device=DEVICE)
    t = s.clone()
    t[:, 0] = -torch.inf
    for kind, beta in KINDS:
        for a, b in ((t, s), (s, t)):
            out = torch.empty(s.shape, device=DEVICE)
            o = PairOptions(kind, beta)
            got = kernels.divergence(a, b, torch.ones(N, device=DEVICE), out, o)
            exact = torch.empty(s.shape, dtype=torch.float64)
            truth = blocks.divergence(wide(a), wide(b), torch.ones(N, dtype=torch.float64), exact, o)
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
    got = kernels.statistics(z, y[:, None], None, RowOptions())
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
