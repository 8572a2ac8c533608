"""Losses against their floors and their peers, in one process: time, peak memory, and the error beside them.

    python benchmarks/bench_losses.py                  what this machine has: a CUDA GPU, else the CPU
    python benchmarks/bench_losses.py --device cpu --quick
    python benchmarks/bench_losses.py --rehearse       the GPU's half on the CPU: tiny shapes, Triton's interpreter

The GPU's goals, and the peers to install beside torch for them (a peer that is not there is named and left out):
pip install liger-kernel cut-cross-entropy quack-kernels

On a GPU the floor of a fused head is the matrix products alone (three, four with a teacher) with the real operands,
and that of a loss on given logits is copying them (KL: reading two and writing one). Providers take turns within each
round, so that a clock that falls falls for all. "beyond" is the peak memory less the gradients that are handed out.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from kullback import losses
from kullback.losses import blocks, ops

Provider = Callable[[], tuple[Tensor, ...]]  # the loss and the gradients
DEVICE = "cuda"  # of the GPU's half; "cpu" where that is rehearsed


class Clock:
    """Times and memory of providers that take turns."""

    def __init__(self, device: str, rounds: int) -> None:
        self.cuda, self.rounds = device == "cuda", rounds

    def once(self, provider: Callable[[], Any]) -> float:
        if self.cuda:
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            provider()
            end.record()
            torch.cuda.synchronize()
            return begin.elapsed_time(end)
        begin_s = time.perf_counter()
        provider()
        return 1e3 * (time.perf_counter() - begin_s)

    def times(self, providers: dict[str, Callable[[], Any]]) -> dict[str, float]:
        """GPU: the median of the rounds. CPU: the least, because others share it."""
        for provider in providers.values():
            for _ in range(2 if self.cuda else 1):
                provider()
        taken: dict[str, list[float]] = {name: [] for name in providers}
        for _ in range(self.rounds):
            for name, provider in providers.items():
                taken[name].append(self.once(provider))
        return {name: statistics.median(t) if self.cuda else min(t) for name, t in taken.items()}

    def peak(self, provider: Callable[[], Any]) -> float:
        """MiB beyond what was there before."""
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            result = provider()
            torch.cuda.synchronize()
            peak = torch.cuda.max_memory_allocated() - before
            del result
            return peak / 2**20
        status, refs = Path("/proc/self/status"), Path("/proc/self/clear_refs")
        if not refs.exists():
            return float("nan")

        def read(key: str) -> int:
            return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(key))

        refs.write_text("5")  # forget the highest mark
        before = read("VmRSS")
        result = provider()
        peak = read("VmHWM") - before
        del result
        return peak / 1024


def error(got: Tensor, truth: Tensor) -> float:
    return float((got.double() - truth.double()).norm() / truth.double().norm())


def table(
    title: str, clock: Clock, floor: Callable[[], Any], providers: dict[str, Provider], truth: tuple[Tensor, ...],
    *, unit: str = "floor",
) -> None:  # fmt: skip
    alive = {}
    for name, provider in providers.items():
        try:
            provider()
            alive[name] = provider
        except Exception as reason:  # a peer that fails is reported, not fatal
            print(f"  {name}: left out, {type(reason).__name__}: {str(reason)[:120]}")
    times = clock.times({unit: floor, **alive})
    print(f"\n{title}\n  {unit} {times[unit]:.2f} ms")
    names = ["loss", *(f"d{i}" for i in range(1, len(truth)))]
    print(f"  {'':34s} {'ms':>9s} {'/' + unit:>8s} {'MiB':>9s} {'beyond':>9s}  error of " + ", ".join(names))
    for name, provider in alive.items():
        peak = clock.peak(provider)
        result = provider()
        errors = "  ".join(f"{error(g, t):.1e}" for g, t in zip(result, truth, strict=False))
        beyond = peak - sum(g.numel() * g.element_size() for g in result) / 2**20
        ratio = times[name] / times[unit]
        print(f"  {name:34s} {times[name]:9.2f} {ratio:8.2f} {peak:9.0f} {beyond:9.0f}  {errors}", flush=True)


def differentiate(loss: Callable[[], Tensor], *leaves: Tensor) -> tuple[Tensor, ...]:
    value = loss()
    return value.detach(), *torch.autograd.grad(value, leaves)


def peer(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except Exception as reason:
        print(f"  {module}: left out, {type(reason).__name__}: {str(reason)[:80]}")
        return None


# The CPU: goal 5


def cpu(clock: Clock, n: int, v: int, *names: str) -> None:
    generator = torch.Generator().manual_seed(0)
    student = 2 * torch.randn(n, v, generator=generator)
    teacher = student + 0.1 * torch.randn(n, v, generator=generator)
    y = torch.randint(0, v, (n,), generator=generator)
    z = student.requires_grad_()

    def plain_kl() -> Tensor:
        return functional.kl_div(z.log_softmax(-1), teacher.log_softmax(-1), reduction="batchmean", log_target=True)

    def plain_js() -> Tensor:
        log_t, log_s = teacher.log_softmax(-1), z.log_softmax(-1)
        log_m = torch.logaddexp(log_t, log_s) - 0.6931471805599453
        halves = (functional.kl_div(log_m, x, reduction="batchmean", log_target=True) for x in (log_t, log_s))
        return 0.5 * sum(halves)

    def exact(loss: Callable[[Tensor, slice], Tensor]) -> tuple[Tensor, Tensor]:
        value, gradient = torch.zeros((), dtype=torch.float64), torch.empty(n, v)
        for start in range(0, n, 256):
            rows = slice(start, start + 256)
            leaf = z[rows].detach().double().requires_grad_()
            part = loss(leaf, rows)
            gradient[rows] = torch.autograd.grad(part, leaf)[0] / n
            value += part.detach() / n
        return value, gradient

    def plain_tv() -> Tensor:
        return 0.5 * (teacher.softmax(-1) - z.softmax(-1)).abs().sum(-1).mean()

    def plain_reverse() -> Tensor:
        return functional.kl_div(teacher.log_softmax(-1), z.log_softmax(-1), reduction="batchmean", log_target=True)

    spare = torch.empty_like(teacher)
    plains: dict[str, tuple[Callable[..., Tensor], Callable[[], Tensor]]] = {
        "cross-entropy": (losses.cross_entropy, lambda: functional.cross_entropy(z, y)),
        "D(teacher‖student)": (losses.kl_divergence, plain_kl),
        "D(student‖teacher)": (losses.reverse_kl_divergence, plain_reverse),
        "Jensen–Shannon": (losses.js_divergence, plain_js),
        "total variation": (losses.total_variation, plain_tv),
    }
    for name in names:
        mine, theirs = plains[name]
        first, second = ((z, y) if mine is losses.cross_entropy else (teacher, z)), (y, teacher)

        def oracle(leaf: Tensor, rows: slice, f: Any = mine, second: Any = second) -> Tensor:
            o = {"reduction": "sum", "impl": "reference"}
            if f is losses.cross_entropy:
                return f(leaf, second[0][rows], **o)
            return f(second[1][rows].double(), leaf, **o)

        compiled = torch.compile(theirs)
        table(
            f"CPU, {name} on logits ({n}, {v}) float32, forward and backward, {torch.get_num_threads()} threads",
            clock,
            lambda: spare.copy_(teacher),
            {
                "kullback": lambda f=mine, p=first: differentiate(lambda: f(*p), z),
                "torch eager": lambda f=theirs: differentiate(f, z),
                "torch compile": lambda f=compiled: differentiate(f, z),
            },
            exact(oracle),
            unit="copy",
        )


def small_inputs(clock: Clock) -> None:
    """What a call costs where the numbers do not: microseconds, forward and backward."""
    print("\nCPU, forward and backward of small inputs, µs: kullback (torch eager)")
    for n, v in ((4, 10), (32, 10), (8, 1000), (4, 32000)):
        z, teacher = torch.randn(n, v, requires_grad=True), torch.randn(n, v)
        y = torch.randint(0, v, (n,))

        def plain_kl(z: Tensor = z, teacher: Tensor = teacher) -> Tensor:
            return functional.kl_div(z.log_softmax(-1), teacher.log_softmax(-1), reduction="batchmean", log_target=True)

        pairs = {
            "cross-entropy": (
                lambda z=z, y=y: losses.cross_entropy(z, y),
                lambda z=z, y=y: functional.cross_entropy(z, y),
            ),
            "D(teacher‖student)": (lambda z=z, t=teacher: losses.kl_divergence(t, z), plain_kl),
        }
        said = []
        for name, both in pairs.items():
            providers = {str(i): lambda f=f, z=z: [differentiate(f, z) for _ in range(100)] for i, f in enumerate(both)}
            mine, theirs = (10 * t for t in clock.times(providers).values())
            said.append(f"{name} {mine:.0f} ({theirs:.0f})")
        print(f"  ({n}, {v}): " + ", ".join(said))


# The GPU: goals 1 to 4


def reference_head(
    x: Tensor, w: Tensor, loss: Callable[[Tensor, slice], Tensor], rows: int = 512
) -> tuple[Tensor, ...]:
    """Loss and gradients with float32 logits (no TF32), a few rows at a time."""
    n = x.shape[0]
    wide = w.detach().float()
    dx, dw = torch.empty(x.shape, device=x.device), torch.zeros(w.shape, device=w.device)
    value = torch.zeros((), device=x.device, dtype=torch.float64)
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        leaf = (x[part].detach().float() @ wide.T).requires_grad_()
        l = loss(leaf, part) / n
        (dz,) = torch.autograd.grad(l, leaf)
        value += l.detach().double()
        dx[part] = dz @ wide
        dw += dz.T @ x[part].detach().float()
    return value, dx, dw


def products(x: Tensor, w: Tensor, dz_of: Callable[[Tensor, slice], Tensor], *teachers: Any) -> Callable[[], None]:
    """The floor: logits, dX and dW alone, the teacher's logits too, on buffers that are there.

    The operand dZ is the real one: how many bits of it toggle decides the power a product takes, and so its clock.
    """
    z = torch.empty(x.shape[0], w.shape[0], device=x.device, dtype=x.dtype)
    with torch.no_grad():
        for start in range(0, x.shape[0], 512):
            part = slice(start, start + 512)
            z[part] = dz_of((x[part] @ w.T).float(), part)
    dx, dw, out = torch.empty_like(x), torch.empty_like(w), torch.empty_like(z)

    @torch.no_grad()
    def run() -> None:
        torch.mm(x, w.T, out=out)
        for tx, tw in teachers:
            torch.mm(tx, tw.T, out=out)
        torch.mm(z, w, out=dx)
        torch.mm(z.T, x, out=dw)

    return run


def less_one(y: Tensor) -> Callable[[Tensor, slice], Tensor]:
    """The derivative of a cross-entropy: softmax, less 1 at the target."""

    def dz(z: Tensor, part: slice) -> Tensor:
        p = z.softmax(-1)
        return p.scatter_add_(1, y[part, None], torch.full_like(p[:, :1], -1.0))

    return dz


def linear_cross_entropy(clock: Clock, n: int, d: int, v: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(n, d, device=DEVICE).bfloat16().requires_grad_()
    w = (1.5 * torch.randn(v, d, device=DEVICE) / d**0.5).bfloat16().requires_grad_()
    y = torch.randint(0, v, (n,), device=DEVICE)
    compiled = torch.compile(lambda x, w: functional.cross_entropy((x @ w.T).float(), y))
    # A float32 weight under autocast: its gradient is not rounded to 16 bits, so dW shows the sums' own error.
    master = w.detach().float().requires_grad_()

    def mixed() -> Tensor:
        with torch.autocast(DEVICE, torch.bfloat16):
            return losses.linear_cross_entropy(x, master, y)

    providers: dict[str, Provider] = {
        "kullback": lambda: differentiate(lambda: losses.linear_cross_entropy(x, w, y), x, w),
        "kullback, float32 weight": lambda: differentiate(mixed, x, master),
        "kullback, low_memory": lambda: differentiate(
            lambda: losses.linear_cross_entropy(x, w, y, low_memory=True), x, w
        ),
        "kullback, float32 logits": lambda: differentiate(
            lambda: losses.linear_cross_entropy(x, w, y, logits_dtype=torch.float32), x, w
        ),
        "torch eager": lambda: differentiate(lambda: functional.cross_entropy(x @ w.T, y), x, w),
        "torch compile": lambda: differentiate(lambda: compiled(x, w), x, w),
    }
    if hasattr(functional, "linear_cross_entropy"):
        providers["torch linear_cross_entropy"] = lambda: differentiate(
            lambda: functional.linear_cross_entropy(x, w, y), x, w
        )
    if liger := peer("liger_kernel.transformers"):
        for name, o in (("", {}), (", float32 accumulation", {"accum_dtype": torch.float32})):
            fused = liger.LigerFusedLinearCrossEntropyLoss(**o)
            providers["liger" + name] = lambda f=fused: differentiate(lambda: f(w, x, y), x, w)
    if cce := peer("cut_cross_entropy"):
        for name, filtered in (("", "high"), (", nothing filtered", None)):
            providers["cut-cross-entropy" + name] = lambda e=filtered: differentiate(
                lambda: cce.linear_cross_entropy(x, w, y, filter_eps=e), x, w
            )
    if quack := peer("quack.linear_cross_entropy"):
        providers["quack chunked"] = lambda: differentiate(
            lambda: quack.chunked_linear_cross_entropy(x, w, y, chunk_size=4096), x, w
        )
    truth = reference_head(x, w, lambda z, rows: functional.cross_entropy(z, y[rows], reduction="sum"))
    table(f"linear cross-entropy, N={n} D={d} V={v}, bfloat16", clock, products(x, w, less_one(y)), providers, truth)


def linear_divergence(clock: Clock, n: int, d: int, v: int, noise: float) -> None:
    torch.manual_seed(0)
    w = (2 * torch.randn(v, d, device=DEVICE) / d**0.5).bfloat16()
    x = torch.randn(n, d, device=DEVICE).bfloat16()
    tw = (w.float() + noise * torch.randn(v, d, device=DEVICE) / d**0.5).bfloat16()
    tx = (x.float() + noise / 3 * torch.randn(n, d, device=DEVICE)).bfloat16()
    x.requires_grad_()
    w.requires_grad_()

    def plain(x: Tensor, w: Tensor, tx: Tensor, tw: Tensor) -> Tensor:
        teacher = (tx @ tw.T).float().log_softmax(-1)
        return functional.kl_div((x @ w.T).float().log_softmax(-1), teacher, reduction="batchmean", log_target=True)

    compiled = torch.compile(plain)
    wide = tw.float()
    y = torch.zeros(n, dtype=torch.int64, device=DEVICE)
    plain_of = {
        "forward_kl": losses.kl_divergence,
        "reverse_kl": losses.reverse_kl_divergence,
        "js": losses.js_divergence,
    }

    def apart(z: Tensor, part: slice) -> Tensor:
        return z.softmax(-1) - (tx[part] @ tw.T).float().softmax(-1)

    floor = products(x, w, apart, (tx, tw))
    for kind in ("forward_kl", "reverse_kl", "js"):
        providers: dict[str, Provider] = {
            "kullback": lambda k=kind: differentiate(lambda: losses.linear_divergence(x, w, tx, tw, kind=k), x, w)
        }
        if kind == "forward_kl":
            providers["torch eager"] = lambda: differentiate(lambda: plain(x, w, tx, tw), x, w)
            providers["torch compile"] = lambda: differentiate(lambda: compiled(x, w, tx, tw), x, w)
        beta = {"forward_kl": 0.0, "js": 0.5, "reverse_kl": 1.0}[kind]
        if liger := peer("liger_kernel.transformers"):
            for name, o in (("", {}), (", float32 sums", {"accum_dtype": torch.float32})):
                fused = liger.LigerFusedLinearJSD(jsd_beta=beta, **o)
                providers["liger fused JSD" + name] = lambda f=fused: differentiate(lambda: f(x, w, tx, tw, None), x, w)
        if chunked := peer("liger_kernel.chunked_loss"):
            other = chunked.LigerFusedLinearJSDLoss(beta=beta, weight_hard_loss=0.0, weight_soft_loss=1.0)
            providers["liger chunked JSD"] = lambda f=other: differentiate(lambda: f(x, w, tx, tw, y), x, w)

        def exact(z: Tensor, rows: slice, f: Any = plain_of[kind]) -> Tensor:
            return f(tx[rows].float() @ wide.T, z, reduction="sum", impl="reference")

        truth = reference_head(x, w, exact, rows=256)
        title = f"linear {kind}, N={n} D={d} V={v}, bfloat16, value {float(truth[0]):.2e}"
        table(title, clock, floor, providers, truth)


def logprob(clock: Clock, n: int, d: int, v: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(n, d, device=DEVICE).bfloat16().requires_grad_()
    w = (1.5 * torch.randn(v, d, device=DEVICE) / d**0.5).bfloat16().requires_grad_()
    y = torch.randint(0, v, (n,), device=DEVICE)

    def mine() -> Tensor:
        logp, entropy = losses.linear_logprob_entropy(x, w, y)
        return (logp - 0.01 * entropy).sum() / n

    def plain(z: Tensor, part: slice) -> Tensor:
        logp = z.log_softmax(-1)
        picked = logp.gather(1, y[part, None]).sum()
        return picked + 0.01 * (logp.exp() * logp).sum()

    providers: dict[str, Provider] = {
        "kullback": lambda: differentiate(mine, x, w),
        "torch eager": lambda: differentiate(lambda: plain((x @ w.T).float(), slice(None)) / n, x, w),
    }
    floor = products(x, w, less_one(y), (x.detach(), w.detach()))
    table(f"log-probability and entropy, N={n} D={d} V={v}", clock, floor, providers, reference_head(x, w, plain))


def given_logits(clock: Clock, n: int, v: int) -> None:
    torch.manual_seed(0)
    z = torch.randn(n, v, device=DEVICE).bfloat16().requires_grad_()
    t = torch.randn(n, v, device=DEVICE).bfloat16()
    y = torch.randint(0, v, (n,), device=DEVICE)
    spare = torch.empty_like(t)
    compiled = torch.compile(lambda z: functional.cross_entropy(z.float(), y))

    # The kernel alone: logits that are overwritten by their gradient, as in_place=True does. Its error: the line above.
    def kernel(z: Tensor) -> tuple[Tensor, ...]:
        weight = torch.full((n,), 1.0 / n, device=DEVICE)
        ops.kernels(z).cross_entropy(
            z,
            y,
            None,
            weight,
            z,
            entropy=False,
            top=False,
            label_smoothing=0.0,
            z_loss=0.0,
            softcap=0.0,
            temperature=1.0,
        )
        return ()

    providers: dict[str, Provider] = {
        "kullback": lambda: differentiate(lambda: losses.cross_entropy(z, y), z),
        "kullback, in_place, copy included": lambda: differentiate(
            lambda: losses.cross_entropy(z.clone(), y, in_place=True), z
        ),
        "kullback, in_place (kernel alone)": lambda: kernel(spare),
        "torch eager": lambda: differentiate(lambda: functional.cross_entropy(z, y), z),
        "torch compile": lambda: differentiate(lambda: compiled(z), z),
    }
    if liger := peer("liger_kernel.transformers"):
        loss = liger.LigerCrossEntropyLoss()
        providers["liger, clone included"] = lambda: differentiate(lambda: loss(z.clone(), y), z)
    truth = differentiate(lambda: functional.cross_entropy(z.float(), y), z)
    table(f"cross-entropy on logits ({n}, {v}) bfloat16", clock, lambda: spare.copy_(t), providers, truth, unit="copy")

    def traffic() -> None:
        torch.add(t, z.detach(), out=spare)

    for name, loss in (("forward KL", losses.kl_divergence), ("Jensen–Shannon", losses.js_divergence)):
        exact = differentiate(lambda f=loss: f(t.float(), z.float(), impl="reference"), z)
        plain = torch.compile(lambda z, f=loss: f(t, z, impl="reference"))
        table(
            f"{name} on two logits ({n}, {v}) bfloat16", clock, traffic,
            {
                "kullback": lambda f=loss: differentiate(lambda: f(t, z), z),
                "plain formula, compiled": lambda f=plain: differentiate(lambda: f(z), z),
            },
            exact, unit="read two, write one",
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--threads", type=int, default=None, help="of the CPU")
    parser.add_argument("--rehearse", action="store_true", help="run the GPU's half on the CPU, to see that it runs")
    parser.add_argument("--quick", action="store_true", help="small shapes, to see that everything runs")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    clock = Clock(arguments.device, arguments.rounds or (8 if arguments.device == "cuda" else 5))
    peers = ("torch", "triton", "numba", "liger-kernel", "cut-cross-entropy", "quack-kernels")
    installed = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    print(arguments.device, torch.cuda.get_device_name() if arguments.device == "cuda" else "", end=": ")
    print(", ".join(f"{name} {installed.get(name, 'not installed')}" for name in peers))
    if arguments.rehearse:
        rehearse(clock)
        return
    if arguments.device == "cpu":
        n, v = (256, 2000) if arguments.quick else (4096, 32000)
        cpu(clock, n, v, "cross-entropy", "D(teacher‖student)")
        cpu(clock, n // 4, v, "D(student‖teacher)", "Jensen–Shannon", "total variation")
        small_inputs(clock)
        return
    assert ops.kernels(torch.empty(1, 1, device=DEVICE)) is not blocks, (
        "install triton: the kernels are what is measured"
    )
    torch.backends.cuda.matmul.allow_tf32 = False
    gpu(clock, small=arguments.quick)


def gpu(clock: Clock, *, small: bool, tiny: tuple[int, int, int] = (512, 256, 4000)) -> None:
    large, wider, narrow = (8192, 4096, 128256), (16384, 4096, 151936), (8192, 2048, 32000)
    for shape in [tiny] if small else [large, wider, narrow]:
        linear_cross_entropy(clock, *shape)
        release()
    # noise 0.15 makes a divergence of about 0.016, 0.02 one of about 3e-4
    for shape, noise in [(tiny, 0.15)] if small else [(large, 0.15), (large, 0.02), (narrow, 0.15)]:
        linear_divergence(clock, *shape, noise)
        release()
    logprob(clock, *(tiny if small else large))
    for n, v in [(tiny[0], tiny[2])] if small else [(8192, 128256), (16384, 32000)]:
        given_logits(clock, n, v)
        release()


def release() -> None:
    if DEVICE == "cuda":
        torch.cuda.empty_cache()


def rehearse(clock: Clock) -> None:
    """The GPU's half where there is none: what it prints is worth nothing but that it ran, and the errors."""
    global DEVICE
    os.environ["TRITON_INTERPRET"] = "1"  # before triton is first imported
    from kullback.losses import _triton

    DEVICE = "cpu"
    ops.kernels = lambda z: _triton if z.dtype != torch.float64 else blocks
    gpu(clock, small=True, tiny=(6, 16, 40))


if __name__ == "__main__":
    main()
