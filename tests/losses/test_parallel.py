"""A vocabulary split between two processes gives the numbers of one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor

from kullback import losses
from kullback.errors import InvalidForm, InvalidInput
from kullback.losses import parallel

N, D, V = 9, 16, 40
HALF = V // 2


def compare(
    x: Tensor, whole: list[Tensor], part: Callable[..., Tensor], full: Callable[..., Tensor], rank: int
) -> None:
    """Loss, the input's whole gradient, and the gradients of this rank's slices."""
    mine = slice(rank * HALF, (rank + 1) * HALF)
    slices = [w[mine].clone().requires_grad_() for w in whole]
    wholes = [w.clone().requires_grad_() for w in whole]
    a, b = part(x, *slices), full(x, *wholes)
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)
    g = torch.linspace(1, 2, a.numel(), dtype=a.dtype).reshape(a.shape)
    got = torch.autograd.grad((a * g).sum(), [x, *slices])
    truth = torch.autograd.grad((b * g).sum(), [x, *wholes])
    torch.testing.assert_close(got[0], truth[0], rtol=1e-10, atol=1e-13)
    for s, t in zip(got[1:], truth[1:], strict=True):
        torch.testing.assert_close(s, t[mine], rtol=1e-10, atol=1e-13)


def work(rank: int, path: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    torch.manual_seed(0)
    x = torch.randn(N, D, dtype=torch.float64, requires_grad=True)
    w, b = torch.randn(V, D, dtype=torch.float64), torch.randn(V, dtype=torch.float64)
    w[:HALF] += 30 * (torch.arange(HALF) == 3)[:, None]  # one rank may hold nearly all the mass
    y = torch.randint(0, V, (N,))
    y[2] = -100
    xt, wt = torch.randn(N, 8, dtype=torch.float64), torch.randn(V, 8, dtype=torch.float64)
    mine = slice(rank * HALF, (rank + 1) * HALF)
    weights = torch.rand(V)
    for o in (
        {},
        {"reduction": "none"},
        {"label_smoothing": 0.1},
        {"label_smoothing": 0.1, "class_weight": weights, "z_loss": 0.1, "softcap": 3.0, "temperature": 0.7},
    ):
        compare(
            x, [w, b],
            lambda x, w, b, o=o: parallel.linear_cross_entropy(x, w, y, bias=b, **o),
            lambda x, w, b, o=o: losses.linear_cross_entropy(x, w, y, bias=b, **o), rank,
        )  # fmt: skip
    compare(
        x, [w, b],
        lambda x, w, b: torch.stack(parallel.linear_logprob_entropy(x, w, y, bias=b, temperature=3.0)),
        lambda x, w, b: torch.stack(losses.linear_logprob_entropy(x, w, y, bias=b, temperature=3.0)), rank,
    )  # fmt: skip
    for kind in ("forward_kl", "reverse_kl", "js", "skew_kl", "tv"):
        compare(
            x, [w, b],
            lambda x, w, b, k=kind: parallel.linear_divergence(
                x, w, xt, wt[mine], bias=b, kind=k, beta=0.3, temperature=9.0, mask=y >= 0, chunk_size=4
            ),
            lambda x, w, b, k=kind: losses.linear_divergence(
                x, w, xt, wt, bias=b, kind=k, beta=0.3, temperature=9.0, mask=y >= 0
            ), rank,
        )  # fmt: skip
    # The ranks' parts of dX are large and cancel: in bfloat16 they have to be added before they are rounded.
    x16, w16 = x.detach().bfloat16().requires_grad_(), (torch.randn(V, D) + 16.0).bfloat16()
    wide, target = x16.detach().double().requires_grad_(), y.clamp(min=0)
    teacher = (torch.randn(N, D).bfloat16(), (torch.randn(V, D) + 16.0).bfloat16())
    doubles = [p.double() for p in teacher]
    for part, full in (
        (
            parallel.linear_cross_entropy(x16, w16[mine].clone().requires_grad_(), target),
            losses.linear_cross_entropy(wide, w16.double(), target, impl="reference"),
        ),
        (
            parallel.linear_divergence(x16, w16[mine].clone().requires_grad_(), teacher[0], teacher[1][mine]),
            losses.linear_divergence(wide, w16.double(), *doubles, impl="reference"),
        ),
    ):
        got, truth = torch.autograd.grad(part, x16)[0].double(), torch.autograd.grad(full, wide)[0]
        off = float((got - truth).norm() / truth.norm())
        assert off < 3e-3, off
    z = torch.randn(N, V, dtype=torch.float64)
    a, f = z[:, mine].clone().requires_grad_(), z.clone().requires_grad_()
    one, two = parallel.cross_entropy(a, y), losses.cross_entropy(f, y)
    torch.testing.assert_close(one, two)
    torch.testing.assert_close(torch.autograd.grad(one, a)[0], torch.autograd.grad(two, f)[0][:, mine])
    sharded = distribute_tensor(w, init_device_mesh("cpu", (2,)), [Shard(0)])
    with pytest.raises(InvalidForm, match="to_local"):
        losses.linear_cross_entropy(x, sharded, y)
    dist.destroy_process_group()


def test_two_processes_are_one(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(rank), str(tmp_path / "meeting")], env=environment, stderr=subprocess.PIPE
        )
        for rank in range(2)
    ]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()[-3000:]


def test_without_a_process_group() -> None:
    with pytest.raises(InvalidInput, match="init_process_group"):
        parallel.cross_entropy(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))


if __name__ == "__main__":
    work(int(sys.argv[1]), sys.argv[2])
