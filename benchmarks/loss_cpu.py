"""Goal 5 of bench_losses.py: losses on logits on the CPU, and what a call costs where the numbers do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from loss_tables import Clock, differentiate, table
from torch import Tensor
from torch.nn import functional

from kullback import losses


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
                "kullback": lambda f=mine, p=first: lambda: differentiate(lambda: f(*p), z),
                "torch eager": lambda f=theirs: lambda: differentiate(f, z),
                "torch compile": lambda f=compiled: lambda: differentiate(f, z),
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
