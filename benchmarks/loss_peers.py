"""The peers of bench_losses.py, called as their installed versions want it, imported when it is their turn."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from loss_tables import Maker, Provider, differentiate
from torch import Tensor
from torch.nn import functional

Loss = Callable[..., Tensor]
LOG2 = 0.6931471805599453


def _liger(name: str, **options: Any) -> Any:
    return getattr(import_module("liger_kernel.transformers"), name)(**options)


def _maker(load: Callable[[], Loss], *leaves: Tensor) -> Maker:
    """`load` imports a peer and returns its loss of the leaves."""

    def make() -> Provider:
        loss = load()
        return lambda: differentiate(lambda: loss(*leaves), *leaves)

    return make


def linear_cross_entropy(x: Tensor, w: Tensor, y: Tensor) -> dict[str, Maker]:
    """Logits x·wᵀ against class ids."""

    def liger(**o: Any) -> Callable[[], Loss]:
        def load() -> Loss:
            f = _liger("LigerFusedLinearCrossEntropyLoss", **o)
            return lambda x, w: f(w, x, y)

        return load

    def cut(epsilon: str | None) -> Callable[[], Loss]:
        def load() -> Loss:
            f = import_module("cut_cross_entropy").linear_cross_entropy
            return lambda x, w: f(x, w, y, filter_eps=epsilon)

        return load

    def quack() -> Loss:
        f = import_module("quack.linear_cross_entropy").chunked_linear_cross_entropy
        return lambda x, w: f(x, w, y, chunk_size=4096)

    loads: dict[str, Callable[[], Loss]] = {
        "torch eager": lambda: lambda x, w: functional.cross_entropy(x @ w.T, y),
        "torch compile": lambda: torch.compile(lambda x, w: functional.cross_entropy((x @ w.T).float(), y)),
        "torch linear_cross_entropy": lambda: lambda x, w: functional.linear_cross_entropy(x, w, y),
        "liger": liger(),
        "liger, float32 accumulation": liger(accum_dtype=torch.float32),
        "quack chunked": quack,
        "cut-cross-entropy": cut("high"),
        "cut-cross-entropy, nothing filtered": cut(None),
    }
    return {name: _maker(load, x, w) for name, load in loads.items()}


def plain_divergence(kind: str) -> Callable[[Tensor, Tensor], Tensor]:
    """What torch's users write, of float32 logits of teacher and student."""

    def mean(log_q: Tensor, log_p: Tensor) -> Tensor:
        return functional.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

    def loss(t: Tensor, s: Tensor) -> Tensor:
        log_t, log_s = t.log_softmax(-1), s.log_softmax(-1)
        if kind == "js":
            log_m = torch.logaddexp(log_t, log_s) - LOG2
            return 0.5 * (mean(log_m, log_t) + mean(log_m, log_s))
        return mean(log_s, log_t) if kind == "forward_kl" else mean(log_t, log_s)

    return loss


def linear_divergence(kind: str, x: Tensor, w: Tensor, tx: Tensor, tw: Tensor) -> dict[str, Maker]:
    """The student's head x, w against the teacher's."""
    beta = {"forward_kl": 0.0, "js": 0.5, "reverse_kl": 1.0}[kind]
    of_logits = plain_divergence(kind)

    def plain(x: Tensor, w: Tensor) -> Tensor:
        return of_logits((tx @ tw.T).float(), (x @ w.T).float())

    def liger(**o: Any) -> Callable[[], Loss]:
        def load() -> Loss:
            f = _liger("LigerFusedLinearJSD", jsd_beta=beta, **o)
            return lambda x, w: f(x, w, tx, tw, None)

        return load

    def liger_kl(**o: Any) -> Callable[[], Loss]:
        """It takes probabilities: the teacher's product and its float32 softmax are made by torch."""

        def load() -> Loss:
            f = _liger("LigerFusedLinearKLDivLoss", **o)
            return lambda x, w: f(x, w, torch.softmax(tx @ tw.T, -1, dtype=torch.float32))

        return load

    def chunked() -> Loss:
        module = import_module("liger_kernel.chunked_loss")
        f = module.LigerFusedLinearJSDLoss(
            beta=beta, weight_hard_loss=0.0, weight_soft_loss=1.0, compiled=torch.cuda.is_available()
        )
        y = torch.zeros(x.shape[0], dtype=torch.int64, device=x.device)
        return lambda x, w: f(x, w, tx, tw, y)

    loads: dict[str, Callable[[], Loss]] = {
        "torch eager": lambda: plain,
        "torch compile": lambda: torch.compile(plain),
        "liger fused JSD": liger(),
        "liger fused JSD, float32 sums": liger(accum_dtype=torch.float32),
        "liger chunked JSD": chunked,
    }
    if kind == "forward_kl":
        loads |= {"liger fused KL": liger_kl(), "liger fused KL, float32 sums": liger_kl(accum_dtype=torch.float32)}
    return {name: _maker(load, x, w) for name, load in loads.items()}


def cross_entropy(z: Tensor, y: Tensor) -> dict[str, Maker]:
    """Given logits against class ids."""

    def liger() -> Loss:
        f = _liger("LigerCrossEntropyLoss")
        return lambda z: f(z.clone(), y)

    loads: dict[str, Callable[[], Loss]] = {
        "torch eager": lambda: lambda z: functional.cross_entropy(z, y),
        "torch compile": lambda: torch.compile(lambda z: functional.cross_entropy(z.float(), y)),
        "liger, clone included": liger,
    }
    return {name: _maker(load, z) for name, load in loads.items()}
