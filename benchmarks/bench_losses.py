"""Losses against their floors and their peers: time, peak memory, and the error beside them.

    python benchmarks/bench_losses.py                  what this machine has: a CUDA GPU, else the CPU
    python benchmarks/bench_losses.py --minutes 9      as much of it as fits, the first goals first
    python benchmarks/bench_losses.py --only kl logprob
    python benchmarks/bench_losses.py --device cpu --quick
    python benchmarks/bench_losses.py --rehearse       the GPU's half on the CPU: tiny shapes, Triton's interpreter

The GPU's goals, and the peers to install beside torch for them (one that is missing or fails is named in its row):
pip install liger-kernel cut-cross-entropy quack-kernels
(or, where nothing can be installed, `pip install --target peers --no-deps` of the first two, and PYTHONPATH=peers)

On a GPU the floor of a fused head is the matrix products alone (three, four with a teacher) with the real operands,
and that of a loss on given logits is copying them (KL: reading two and writing one). Providers take turns within each
round, so that a clock that falls falls for all. "beyond" is the peak memory less the gradients that are handed out.
Each section is a process of its own: a peer that leaves the GPU in disorder is left out of a second try. Tables are
printed as they come; with $OUT set they are also in $OUT/bench_losses.json.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import loss_cpu
import loss_peers
import torch
from loss_tables import Clock, Maker, OutOfOrderError, Provider, differentiate, table
from torch import Tensor
from torch.nn import functional

from kullback import losses
from kullback.losses import blocks, ops
from kullback.losses.statistics import RowOptions, Spread

Shape = tuple[int, int, int]  # tokens, features, classes
LARGE, WIDER, NARROW, TINY = (8192, 4096, 128256), (16384, 4096, 151936), (8192, 2048, 32000), (512, 256, 4000)
DEVICE = "cuda"  # of the GPU's half; "cpu" where that is rehearsed
DISORDER = 3  # the exit status of a section whose GPU answers no more; the culprit is its last line


def mine(loss: Callable[[], Tensor], *leaves: Tensor) -> Maker:
    """A provider of ours."""
    return lambda: lambda: differentiate(loss, *leaves)


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
        dw.addmm_(dz.T, x[part].detach().float())
    return value, dx, dw


def reference_rows(loss: Callable[..., Tensor], t: Tensor, z: Tensor, rows: int = 256) -> tuple[Tensor, Tensor]:
    """A divergence of given logits and its gradient by the plain formula in float32, a few rows at a time."""
    value, gradient = torch.zeros((), device=z.device, dtype=torch.float64), torch.empty(z.shape, device=z.device)
    for start in range(0, z.shape[0], rows):
        part = slice(start, start + rows)
        leaf = z[part].detach().float().requires_grad_()
        l = loss(t[part].float(), leaf, impl="reference", reduction="sum") / z.shape[0]
        (gradient[part],) = torch.autograd.grad(l, leaf)
        value += l.detach().double()
    return value, gradient


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


def linear_cross_entropy(clock: Clock, shape: Shape, goal: float) -> None:
    n, d, v = shape
    torch.manual_seed(0)
    x = torch.randn(n, d, device=DEVICE).bfloat16().requires_grad_()
    w = (1.5 * torch.randn(v, d, device=DEVICE) / d**0.5).bfloat16().requires_grad_()
    y = torch.randint(0, v, (n,), device=DEVICE)
    # A float32 weight under autocast: its gradient is not rounded to 16 bits, so dW shows the sums' own error.
    master = w.detach().float().requires_grad_()

    def mixed() -> Tensor:
        with torch.autocast(DEVICE, torch.bfloat16):
            return losses.linear_cross_entropy(x, master, y)

    def with_options(**o: Any) -> Maker:
        return mine(lambda: losses.linear_cross_entropy(x, w, y, **o), x, w)

    makers = {
        "kullback": with_options(),
        "kullback, low_memory": with_options(low_memory=True),
        "kullback, half the tokens a block": with_options(chunk_size=n // 2),
        "kullback, float32 weight": mine(mixed, x, master),
        "kullback, float32 logits": with_options(logits_dtype=torch.float32),
        **loss_peers.linear_cross_entropy(x, w, y),
    }
    truth = reference_head(x, w, lambda z, rows: functional.cross_entropy(z, y[rows], reduction="sum"))
    title = f"linear cross-entropy, N={n} D={d} V={v}, bfloat16; a float32 weight: {d * v / 2**18:.0f} MiB"
    goals = {"kullback": goal, "kullback, low_memory": 1.45}
    table(title, clock, products(x, w, less_one(y)), makers, truth, goals=goals)


def linear_divergence(clock: Clock, shape: Shape, noise: float, *kinds: str) -> None:
    """A noise of 0.15 makes a divergence of about 0.016, 0.02 one of about 3e-4."""
    n, d, v = shape
    torch.manual_seed(0)
    w = (2 * torch.randn(v, d, device=DEVICE) / d**0.5).bfloat16()
    x = torch.randn(n, d, device=DEVICE).bfloat16()
    tw = (w.float() + noise * torch.randn(v, d, device=DEVICE) / d**0.5).bfloat16()
    tx = (x.float() + noise / 3 * torch.randn(n, d, device=DEVICE)).bfloat16()
    x.requires_grad_()
    w.requires_grad_()
    wide = tw.float()
    plain_of = {
        "forward_kl": losses.kl_divergence,
        "reverse_kl": losses.reverse_kl_divergence,
        "js": losses.js_divergence,
    }

    def apart(z: Tensor, part: slice) -> Tensor:
        return z.softmax(-1) - (tx[part] @ tw.T).float().softmax(-1)

    floor = products(x, w, apart, (tx, tw))
    for kind in kinds:

        def exact(z: Tensor, rows: slice, f: Any = plain_of[kind]) -> Tensor:
            return f(tx[rows].float() @ wide.T, z, reduction="sum", impl="reference")

        def loss(kind: Any = kind) -> Tensor:
            return losses.linear_divergence(x, w, tx, tw, kind=kind)

        truth = reference_head(x, w, exact, rows=256)
        makers = {"kullback": mine(loss, x, w), **loss_peers.linear_divergence(kind, x, w, tx, tw)}
        title = f"linear {kind}, N={n} D={d} V={v}, bfloat16, value {float(truth[0]):.2e}"
        table(title, clock, floor, makers, truth, goals={"kullback": 1.15})


def logprob(clock: Clock, shape: Shape) -> None:
    n, d, v = shape
    torch.manual_seed(0)
    x = torch.randn(n, d, device=DEVICE).bfloat16().requires_grad_()
    w = (1.5 * torch.randn(v, d, device=DEVICE) / d**0.5).bfloat16().requires_grad_()
    y = torch.randint(0, v, (n,), device=DEVICE)

    def both() -> Tensor:
        logp, entropy = losses.linear_logprob_entropy(x, w, y)
        return (logp - 0.01 * entropy).sum() / n

    def plain(z: Tensor, part: slice) -> Tensor:
        logp = z.log_softmax(-1)
        picked = logp.gather(1, y[part, None]).sum()
        return picked + 0.01 * (logp.exp() * logp).sum()

    makers = {
        "kullback": mine(both, x, w),
        "torch eager": mine(lambda: plain((x @ w.T).float(), slice(None)) / n, x, w),
    }
    floor = products(x, w, less_one(y), (x.detach(), w.detach()))
    title = f"log-probability and entropy, N={n} D={d} V={v}, bfloat16"
    table(title, clock, floor, makers, reference_head(x, w, plain), goals={"kullback": 1.15})


def given_logits(clock: Clock, n: int, v: int, goal: float) -> None:
    torch.manual_seed(0)
    z = torch.randn(n, v, device=DEVICE).bfloat16().requires_grad_()
    t = torch.randn(n, v, device=DEVICE).bfloat16()
    y = torch.randint(0, v, (n,), device=DEVICE)
    spare = torch.empty_like(t)

    # The kernel alone: logits that are overwritten by their gradient, as in_place=True does. Its error: the line above.
    def kernel() -> Provider:
        weight = torch.full((n,), 1.0 / n, device=DEVICE)

        def run() -> tuple[Tensor, ...]:
            ops.kernels(spare).cross_entropy(spare, y, None, weight, spare, Spread(), RowOptions())
            return ()

        return run

    makers: dict[str, Maker] = {
        "kullback": mine(lambda: losses.cross_entropy(z, y), z),
        "kullback, in_place, copy included": mine(lambda: losses.cross_entropy(z.clone(), y, in_place=True), z),
        "kullback, in_place (kernel alone)": kernel,
        **loss_peers.cross_entropy(z, y),
    }
    truth = differentiate(lambda: functional.cross_entropy(z.float(), y), z)
    title = f"cross-entropy on logits ({n}, {v}) bfloat16"
    goals = {"kullback": goal, "kullback, in_place (kernel alone)": goal}
    table(title, clock, lambda: spare.copy_(t), makers, truth, unit="copy", goals=goals)

    def traffic() -> None:
        torch.add(t, z.detach(), out=spare)

    for kind, loss in (("forward_kl", losses.kl_divergence), ("js", losses.js_divergence)):
        exact = reference_rows(loss, t, z)
        plain = loss_peers.plain_divergence(kind)
        compiled = torch.compile(lambda z, f=plain: f(t.float(), z.float()))
        makers = {
            "kullback": mine(lambda f=loss: f(t, z), z),
            "torch eager": mine(lambda f=plain: f(t.float(), z.float()), z),
            "torch compile": mine(lambda f=compiled: f(z), z),
        }
        title = f"{kind} on two logits ({n}, {v}) bfloat16"
        table(title, clock, traffic, makers, exact, unit="read two, write one", goals={"kullback": 1.25})


KINDS = ("forward_kl", "js", "reverse_kl")
SECTIONS: dict[str, Callable[[Clock], None]] = {  # what matters most comes first
    "ce": lambda clock: linear_cross_entropy(clock, LARGE, 1.06),
    "kl": lambda clock: linear_divergence(clock, LARGE, 0.15, *KINDS),
    "given": lambda clock: given_logits(clock, 8192, 128256, 1.12),
    "logprob": lambda clock: logprob(clock, LARGE),
    "ce-wider": lambda clock: linear_cross_entropy(clock, WIDER, 1.06),
    "ce-narrow": lambda clock: linear_cross_entropy(clock, NARROW, 1.15),
    "given-narrow": lambda clock: given_logits(clock, 16384, 32000, 1.05),
    "kl-near": lambda clock: linear_divergence(clock, LARGE, 0.02, *KINDS[:2]),
    "kl-narrow": lambda clock: linear_divergence(clock, NARROW, 0.15, *KINDS),
}


def small(clock: Clock, shape: Shape = TINY) -> None:
    """Every line once."""
    linear_cross_entropy(clock, shape, 1.06)
    linear_divergence(clock, shape, 0.15, *KINDS)
    logprob(clock, shape)
    given_logits(clock, shape[0], shape[2], 1.12)


def gpu(clock: Clock, names: list[str]) -> None:
    """Each section in a process of its own, as long as there is time."""
    for name in names:
        without: list[str] = []
        while clock.left() > 30:
            command = [sys.executable, __file__, "--section", name, "--minutes", str(clock.left() / 60)]
            command += ["--rounds", str(clock.rounds), "--without", *without]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1)
            assert process.stdout is not None
            last = ""
            for line in process.stdout:
                last = line.strip() or last
                print(line, end="", flush=True)
            if process.wait() != DISORDER:
                if process.returncode:
                    print(f"  section {name} ended with status {process.returncode}", flush=True)
                break
            without.append(last)
        else:
            print(f"  section {name}: no time left", flush=True)


def rehearse(clock: Clock) -> None:
    """The GPU's half where there is none: what it prints is worth nothing but that it ran, and the errors."""
    global DEVICE
    from kullback.losses import _triton

    DEVICE = "cpu"
    clock.warm, clock.rounds = 0, 1
    ops.kernels = lambda z: _triton if z.dtype != torch.float64 else blocks
    small(clock, (6, 16, 40))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--minutes", type=float, default=13.0, help="stop starting things after these")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS), help="sections of the GPU")
    parser.add_argument("--threads", type=int, default=None, help="of the CPU")
    parser.add_argument("--rehearse", action="store_true", help="run the GPU's half on the CPU, to see that it runs")
    parser.add_argument("--quick", action="store_true", help="small shapes, to see that everything runs")
    parser.add_argument("--section", choices=list(SECTIONS), help=argparse.SUPPRESS)
    parser.add_argument("--without", nargs="*", default=[], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    rounds = arguments.rounds or (8 if arguments.device == "cuda" else 5)
    clock = Clock(arguments.device, rounds, arguments.minutes, tuple(arguments.without))
    torch.backends.cuda.matmul.allow_tf32 = False
    if arguments.section:
        try:
            SECTIONS[arguments.section](clock)
        except OutOfOrderError as dead:
            print(dead.culprit, flush=True)
            os._exit(DISORDER)  # no destructor asks the GPU for anything
        return
    peers = ("torch", "triton", "numba", "liger-kernel", "cut-cross-entropy", "quack-kernels")
    installed = {d.metadata["Name"].replace("_", "-"): d.version for d in importlib.metadata.distributions()}
    print(arguments.device, torch.cuda.get_device_name() if arguments.device == "cuda" else "", end=": ")
    print(", ".join(f"{name} {installed.get(name, 'not installed')}" for name in peers), flush=True)
    if arguments.rehearse:
        rehearse(clock)
    elif arguments.device == "cpu":
        n, v = (256, 2000) if arguments.quick else (4096, 32000)
        loss_cpu.cpu(clock, n, v, "cross-entropy", "D(teacher‖student)")
        loss_cpu.cpu(clock, n // 4, v, "D(student‖teacher)", "Jensen–Shannon", "total variation")
        loss_cpu.small_inputs(clock)
    else:
        probe = ops.kernels(torch.empty(1, 1, device=DEVICE))
        assert probe is not blocks, "install triton: the kernels are what is measured"
        if arguments.quick:
            small(clock)
        else:
            gpu(clock, arguments.only)
    print(f"{time.monotonic() - clock.end + 60 * arguments.minutes:.0f} s")


if __name__ == "__main__":
    if "--rehearse" in sys.argv:
        os.environ["TRITON_INTERPRET"] = "1"  # before triton is first imported
    main()
