"""What a linear head's loss holds beyond its gradients: the accelerator's plan, at full size, without an accelerator.

Tensors on torch's meta device have shapes and no memory; every allocation of forward and backward pass is counted.
"""

from __future__ import annotations

import weakref
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kullback.losses import linear_ops, ops, workspace
from kullback.losses.statistics import DivergenceStatistics, RowOptions, empty_statistics

LARGE, WIDER, NARROW = (8192, 4096, 128256), (16384, 4096, 151936), (8192, 2048, 32000)
CUDA = torch.device("cuda")
BF16 = torch.bfloat16


class Products(TorchDispatchMode):
    """The shapes of the matrix products that were made."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, int, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm):
            a, b = [x for x in args if isinstance(x, Tensor)][-2:]
            self.shapes.append((a.shape[0], a.shape[1], b.shape[1]))
        return func(*args, **(kwargs or {}))


class Peak(TorchDispatchMode):
    """The most bytes that were held at a time, of those that were allocated meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for given in tree_leaves((args, kwargs)):
            if isinstance(given, Tensor):
                self.known.add(given.untyped_storage()._cdata)
        got = func(*args, **(kwargs or {}))
        for made in tree_leaves(got):
            if isinstance(made, Tensor) and made.untyped_storage()._cdata not in self.known:
                storage = made.untyped_storage()
                self.known.add(storage._cdata)
                self.now += storage.nbytes()
                weakref.finalize(storage, self.forget, storage._cdata, storage.nbytes())
        self.most = max(self.most, self.now)
        return got

    def forget(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size


def no_kernels(_: Tensor) -> Any:
    """Statistics of the right shapes and gradients that are already there: a kernel on CUDA allocates nothing else."""

    def statistics(z: Tensor, ids: Tensor | None, _: Any, o: RowOptions) -> Any:
        return empty_statistics(z, z.shape[0], ids, o)

    def divergence(_: Tensor, s: Tensor, *__: Any, **___: Any) -> DivergenceStatistics:
        return DivergenceStatistics(*(s.new_empty(s.shape[0], dtype=torch.float32) for _ in range(4)))

    return SimpleNamespace(
        statistics=statistics,
        gradient=lambda *_, **__: None,
        cross_entropy=lambda z, y, c, w, out, spread, o: statistics(z, y[:, None], c, o),
        divergence=divergence,
    )


def beyond(shape: tuple[int, int, int], weight: torch.dtype, plan: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Peak bytes of loss and gradients, less the gradients."""
    n, d, v = shape
    monkeypatch.setattr(ops, "kernels", no_kernels)
    x, w = (torch.empty(size, d, dtype=dtype, device="meta") for size, dtype in ((n, BF16), (v, weight)))
    y, per_token = torch.empty(n, dtype=torch.int64, device="meta"), torch.empty(n, device="meta")
    needs = [True, True, False]
    with Peak() as peak:
        if plan == "low memory":
            head, rest = (x, w, None, y[:, None], None), (False, 0.0, 1.0, BF16, BF16, 0)
            got = linear_ops.statistics._compute(*head, False, False, *rest[:1], *rest)
            gradients = linear_ops.statistics._compute_backward(
                *head, got[0], got[3], per_token, per_token[:, None], None, None, *rest, needs
            )
        else:
            if plan == "cross-entropy":
                _, *_, dx, dw, db = linear_ops.cross_entropy._compute(
                    x, w, None, y, None, per_token, 0.0, 0.0, 0.0, 1.0, BF16, BF16, 0, False, needs
                )
            else:
                _, _, dx, dw, db = linear_ops.divergence._compute(
                    x, w, None, x, w, None, None, per_token, "js", 0.5, 1.0, 0.0, 0.0, 0.0, 1.0, BF16, BF16,
                    torch.float32, 0, needs,
                )  # fmt: skip
            monkeypatch.setattr(linear_ops.gradients, "at_hand", lambda _: True)
            monkeypatch.setattr(ops, "scale_", lambda d, _: d)  # as the kernel does: in place
            monkeypatch.setattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: False)
            with torch.no_grad():
                sums = [dx, dw, db]
                del dx, dw, db
                gradients = linear_ops.gradients.scaled(sums, per_token.new_empty(()), (x, w, None), needs)
            del sums
        handed = sum(g.numel() * g.element_size() for g in gradients[:2])
        assert [g.dtype for g in gradients[:2]] == [BF16, weight]
    return peak.most - handed


COLUMNS = 1024  # bytes a token that its statistics may take


@pytest.mark.parametrize("shape", [LARGE, WIDER, NARROW, (100, 64, 50)])
@pytest.mark.parametrize("weight", [BF16, torch.float32])
def test_cross_entropy_holds_one_float32_copy_of_the_weight(
    shape: tuple[int, int, int], weight: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, d, v = shape
    copy = max(4 * d * v, 4 * workspace.LEAST * v)
    assert beyond(shape, weight, "cross-entropy", monkeypatch) <= copy + COLUMNS * n


@pytest.mark.parametrize("shape", [LARGE, WIDER, NARROW])
def test_low_memory_holds_less_than_a_third_of_a_gigabyte(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert beyond(shape, BF16, "low memory", monkeypatch) <= 0.3 * 2**30


@pytest.mark.parametrize("shape", [LARGE, WIDER])
def test_a_divergence_holds_that_copy_and_a_chunk_of_logits(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    n, d, v = shape
    chunk = 2 * 4 * v * max(workspace.LEAST, workspace.CUDA_LOGITS // (8 * v))
    assert beyond(shape, BF16, "divergence", monkeypatch) <= 4 * d * v + chunk + COLUMNS * n


@pytest.mark.parametrize(
    ("shape", "in_place", "weight", "blocks", "chunk"),
    [
        (LARGE, True, BF16, 1, 8192),  # in the logits' place: one product for dW, no float32 sum
        (WIDER, True, BF16, 4, 4096),
        (NARROW, True, BF16, 4, 2048),
        (LARGE, True, torch.float32, 2, 4096),  # beside a bfloat16 copy of the weight
        (LARGE, False, BF16, 1, 1024),  # two float32 logits and a dz for each
        ((100, 64, 50), True, BF16, 1, 100),
    ],
)
def test_blocks_of_tokens(
    shape: tuple[int, int, int], in_place: bool, weight: torch.dtype, blocks: int, chunk: int
) -> None:
    n, d, v = shape
    sizes = workspace.Sizes(2 if in_place else 8, 0 if in_place else 2, weight, BF16)
    got = workspace.token_blocks(n, v, d, sizes, chunk=0, device=CUDA)
    assert len(got) == blocks
    chunks = [part for block in got for part in block.chunks]
    assert [i for part in chunks for i in range(part.start, part.stop)] == list(range(n))
    assert max(part.stop - part.start for part in chunks) == chunk


def test_planned_bytes() -> None:
    """dz and what a sum takes beyond dW, in bytes: the numbers that the goal is about."""

    def planned(shape: tuple[int, int, int]) -> int:
        n, d, v = shape
        sizes = workspace.Sizes(2, 0, BF16, BF16)
        blocks = workspace.token_blocks(n, v, d, sizes, chunk=0, device=CUDA)
        most = max(block.tokens.stop - block.tokens.start for block in blocks)
        return most * v * sizes.kept + d * v * sizes.beyond(several=len(blocks) > 1)

    assert planned(LARGE) == 2_101_346_304 == 4 * 4096 * 128256
    assert planned(WIDER) == 2_489_319_424 == 4 * 4096 * 151936
    assert planned(NARROW) == 262_144_000 == 4 * 2048 * 32000


@pytest.mark.parametrize("shape", [LARGE, WIDER, NARROW, (2048, 1024, 256000), (8192, 512, 262144)])
def test_few_large_products(shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Liger's 32 chunks whatever N were five times slower than torch: products of 64 tokens, each reading the weight.

    Here the work is that of three products of full size, in pieces of a thousand tokens or more.
    """
    n, d, v = shape
    monkeypatch.setattr(ops, "kernels", no_kernels)
    x, w = (torch.empty(size, d, dtype=BF16, device="meta") for size in (n, v))
    y, per_token = torch.empty(n, dtype=torch.int64, device="meta"), torch.empty(n, device="meta")
    with Products() as made:
        linear_ops.cross_entropy._compute(
            x, w, None, y, None, per_token, 0.0, 0.0, 0.0, 1.0, BF16, BF16, 0, False, [True, True, False]
        )
    tokens = [m * k * p // (d * v) for m, k, p in made.shapes]
    assert sum(tokens) == 3 * n
    assert min(tokens) >= 1024
