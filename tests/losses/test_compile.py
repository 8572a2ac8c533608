"""torch.compile sees one graph: no break, no synchronisation, the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from kullback import losses
from kullback.losses import linear_ops, ops

N, D, V = 6, 8, 33
X = torch.randn(N, D, generator=torch.Generator().manual_seed(0))
W = torch.randn(V, D, generator=torch.Generator().manual_seed(1))
Y = torch.tensor([0, 32, -100, 5, 6, 7])
IDS = torch.stack([torch.randperm(V, generator=torch.Generator().manual_seed(i))[:4] for i in range(N)])
LOGP = torch.full((N, 4), 0.1).log()

CASES: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "cross_entropy": lambda x, w: losses.cross_entropy(x @ w.T, Y, label_smoothing=0.1, softcap=9.0),
    "soft": lambda x, w: losses.cross_entropy(x @ w.T, torch.full((N, V), 1 / V)),
    "js": lambda x, w: losses.js_divergence(X @ W.T, x @ w.T * 0.5),
    "linear": lambda x, w: losses.linear_cross_entropy(x, w, Y),
    "linear none": lambda x, w: losses.linear_cross_entropy(x, w, Y, reduction="none").square().sum(),
    "stats": lambda x, w: (
        sum(part.float().sum() for part in losses.linear_cross_entropy_stats(x, w, Y)[1])
        + losses.linear_cross_entropy(x, w, Y, token_weight=X[:, 0])
    ),
    "divergence": lambda x, w: losses.linear_divergence(x, w * 0.5, X, W, target=Y, ce_weight=0.5),
    "divergence none": lambda x, w: losses.linear_divergence(x, w * 0.5, X, W, kind="js", reduction="none").sum(),
    "logprob": lambda x, w: sum(part.sum() for part in losses.linear_logprob_entropy(x, w, Y)),
    "sparse": lambda x, w: losses.linear_sparse_kl(x, w, IDS, LOGP),
    "estimate": lambda x, w: losses.kl_estimate(
        losses.linear_logprob(x, w, Y), torch.zeros(N), gradient="unbiased"
    ).sum(),
}


@pytest.mark.parametrize("name", CASES)
def test_compiles_to_one_graph(name: str) -> None:
    torch._dynamo.reset()
    case = CASES[name]
    compiled = torch.compile(case, fullgraph=True, backend="aot_eager")
    both = []
    for f in (case, compiled):
        x, w = X.clone().requires_grad_(), W.clone().requires_grad_()
        value = f(x, w)
        value.backward()
        both.append([value.detach(), x.grad, w.grad])
    for a, b in zip(*both, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_dynamic_shapes_compile_once() -> None:
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    f = torch.compile(
        lambda x, w, y: losses.linear_cross_entropy(x, w, y), fullgraph=True, backend=counter, dynamic=True
    )
    for n in (4, 5, 6):
        torch.testing.assert_close(f(X[:n], W, Y[:n]), losses.linear_cross_entropy(X[:n], W, Y[:n]))
    assert counter.frame_count == 1


def test_operators_keep_torchs_rules() -> None:
    x, w = X.clone().requires_grad_(), W.clone().requires_grad_()
    z = (x @ w.T).detach().requires_grad_()
    y = Y.clamp(min=0)
    common = {"test_utils": ("test_schema", "test_faketensor", "test_autograd_registration")}
    torch.library.opcheck(ops._row_statistics.registered, (z, y[:, None], None, True, True, True, 3.0, 0.5), **common)
    torch.library.opcheck(ops._divergence.registered, (z.detach(), z, "skew_js", 0.5, 0.0, 0.0, 1.0), **common)
    rest = (torch.float32, torch.float32, 0)
    torch.library.opcheck(
        linear_ops.linear_cross_entropy.registered,
        (x, w, None, y, None, torch.ones(N), 0.1, 0.0, 0.0, 1.0, *rest, True, [True, True, False]),
        **common,
    )
    torch.library.opcheck(
        linear_ops.statistics._statistics.registered,
        (x, w, None, IDS, None, False, True, False, True, 0.0, 1.0, *rest),
        **common,
    )
    torch.library.opcheck(
        linear_ops.linear_divergence.registered,
        (x, w, None, X, W, None, None, torch.ones(N), "skew_js", 0.5, 1.0, 0.0, 0.0, 0.0, 1.0,
         torch.float32, *rest, [True, True, False]),
        **common,
    )  # fmt: skip
