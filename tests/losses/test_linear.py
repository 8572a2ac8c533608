"""Fused heads: against the oracle, chunk by chunk, plan by plan."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from kullback import losses
from kullback.errors import InvalidDistribution, InvalidForm, InvalidInput
from kullback.losses import head, options, plans, workspace
from losses.oracle import assert_as_good_as_plain, error, results

N, D, V = 23, 16, 101


def make(dtype: torch.dtype = torch.float32, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    x, w, b = torch.randn(N, D, generator=g), 0.4 * torch.randn(V, D, generator=g), torch.randn(V, generator=g)
    y = torch.randint(0, V, (N,), generator=g)
    y[3:6], y[0], y[1] = -100, 0, V - 1
    return x.to(dtype), w.to(dtype), b.to(dtype), y


def teacher(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(9)
    return torch.randn(N, 12, generator=g).to(dtype), (0.4 * torch.randn(V, 12, generator=g)).to(dtype)


CLASS_WEIGHT = torch.rand(V, generator=torch.Generator().manual_seed(2))
TOKEN_WEIGHT = torch.rand(N, generator=torch.Generator().manual_seed(3)) - 0.2
OPTIONS: list[dict[str, Any]] = [
    {},
    {"reduction": "none"},
    {"reduction": "none", "z_loss": 0.1, "label_smoothing": 0.1, "class_weight": CLASS_WEIGHT},
    {"reduction": "sum", "chunk_size": 5},
    {"label_smoothing": 0.1, "class_weight": CLASS_WEIGHT, "z_loss": 0.01, "softcap": 5.0, "temperature": 0.7},
    {"low_memory": True, "label_smoothing": 0.1, "softcap": 3.0},
    {"token_weight": TOKEN_WEIGHT, "normalizer": 3.0},
    {"mask": torch.arange(N) % 4 != 1},
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("o", OPTIONS, ids=lambda o: ",".join(o))
def test_cross_entropy(o: dict[str, Any], dtype: torch.dtype) -> None:
    x, w, b, y = make(dtype)
    upstream = torch.linspace(-1, 2, N) if o.get("reduction") == "none" else torch.tensor(-3.0)
    assert_as_good_as_plain(
        lambda x, w, b: losses.linear_cross_entropy(x, w, y, bias=b, **o),
        lambda x, w, b: losses.linear_cross_entropy(x, w, y, bias=b, impl="reference", **o),
        [x, w, b],
        upstream,
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "o",
    [
        {},
        {"kind": "reverse_kl", "temperature": 2.0, "temperature_scaling": "t2"},
        {"kind": "js", "chunk_size": 5, "mask": torch.arange(N) % 4 != 1},
        {"kind": "skew_js", "beta": 0.1, "reduction": "none"},
        {"kind": "skew_kl", "beta": 0.3, "softcap": 4.0, "teacher_softcap": 6.0},
        {"kind": "tv", "reduction": "sum", "token_weight": TOKEN_WEIGHT},
        {"kind": "forward_kl", "target": True, "ce_weight": 0.5, "softcap": 4.0},
        {"kind": "js", "target": True, "ce_weight": 2.0, "reduction": "none", "temperature": 3.0},
    ],
    ids=lambda o: ",".join(map(str, o)),
)
def test_divergence(o: dict[str, Any], dtype: torch.dtype) -> None:
    x, w, b, y = make(dtype)
    xt, wt = teacher(dtype)
    o = {**o, "target": y} if "target" in o else o
    upstream = torch.linspace(-1, 2, N) if o.get("reduction") == "none" else torch.tensor(-3.0)

    def loss(x: Tensor, w: Tensor, b: Tensor, impl: Any = "fused") -> Tensor:
        return losses.linear_divergence(x, w, xt.to(x.dtype), wt.to(x.dtype), bias=b, impl=impl, **o)

    assert_as_good_as_plain(loss, lambda *ps: loss(*ps, impl="reference"), [x, w, b], upstream)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_logprob_and_entropy(dtype: torch.dtype) -> None:
    x, w, b, y = make(dtype)
    r = torch.randn(2, N, generator=torch.Generator().manual_seed(4), dtype=torch.float64)

    def loss(x: Tensor, w: Tensor, b: Tensor, impl: Any = "fused") -> Tensor:
        both = losses.linear_logprob_entropy(x, w, y, bias=b, temperature=0.8, impl=impl)
        return torch.stack(both) * r.to(both[0].dtype)

    assert_as_good_as_plain(loss, lambda *ps: loss(*ps, impl="reference"), [x, w, b])
    alone = losses.linear_logprob(x, w, y, bias=b, temperature=0.8)
    torch.testing.assert_close(alone, losses.linear_logprob_entropy(x, w, y, bias=b, temperature=0.8)[0])
    assert bool((alone <= 0).all())
    assert not bool(alone[3:6].any())


def test_stats() -> None:
    x, w, b, y = make()
    w.requires_grad_()
    loss, stats = losses.linear_cross_entropy_stats(x, w, y, bias=b)
    z = (x.double() @ w.detach().double().T) + b.double()
    p = z.softmax(-1)
    valid = y >= 0
    torch.testing.assert_close(stats.lse[valid], z.logsumexp(-1)[valid].float())
    torch.testing.assert_close(stats.entropy[valid], torch.special.entr(p).sum(-1)[valid].float())
    assert torch.equal(stats.correct, valid & (z.argmax(-1) == y))
    picked = z.log_softmax(-1).gather(1, y.clamp(min=0)[:, None])[:, 0]
    torch.testing.assert_close(stats.logprob[valid], picked[valid].float())
    assert not bool(stats.lse[~valid].any() or stats.logprob[~valid].any())
    assert not any(column.requires_grad for column in stats)
    torch.testing.assert_close(loss.detach(), -stats.logprob[valid].mean())


def test_ties_name_the_first_class() -> None:
    x, w = torch.zeros(2, 3, requires_grad=True), torch.zeros(5, 3)
    _, stats = losses.linear_cross_entropy_stats(x, w, torch.tensor([0, 1]))
    assert stats.correct.tolist() == [True, False]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_another_chunk_size_changes_rounding_alone(dtype: torch.dtype) -> None:
    x, w, b, y = make(dtype)
    xt, wt = teacher(dtype)
    whole = results(lambda x, w, b: losses.linear_cross_entropy(x, w, y, bias=b), [x, w, b])
    pair = results(lambda x, w, b: losses.linear_divergence(x, w, xt, wt, bias=b, kind="js"), [x, w, b])
    for chunk in (1, 7, N, 1000):
        got = results(lambda x, w, b, c=chunk: losses.linear_cross_entropy(x, w, y, bias=b, chunk_size=c), [x, w, b])
        two = results(
            lambda x, w, b, c=chunk: losses.linear_divergence(x, w, xt, wt, bias=b, kind="js", chunk_size=c), [x, w, b]
        )
        for a, e in zip(got + two, whole + pair, strict=True):
            assert error(a, e) < 20 * torch.finfo(dtype).eps


def test_the_same_input_gives_the_same_bits() -> None:
    x, w, b, y = make()
    first, second = (results(lambda x, w, b: losses.linear_cross_entropy(x, w, y, bias=b), [x, w, b]) for _ in range(2))
    assert all(torch.equal(a, e) for a, e in zip(first, second, strict=True))


def test_a_student_equal_to_its_teacher_stays_where_it_is() -> None:
    x, w, _, _ = make()
    for kind in ("forward_kl", "reverse_kl", "js", "skew_js", "skew_kl", "tv"):
        value, *gradients = results(
            lambda x, w, k=kind: losses.linear_divergence(x, w, x.detach(), w.detach(), kind=k, beta=0.3), [x, w]
        )
        assert value.item() == 0.0
        assert not any(bool(g.any()) for g in gradients)


def test_bfloat16_distillation_has_the_gradient_of_float32_logits() -> None:
    """With 16-bit logits the gradient of this KL is 10 % off; goal: 3e-3 at KL = 0.016, 1e-2 at 3e-4."""
    g = torch.Generator().manual_seed(0)
    n, d, v = 64, 128, 2000
    for noise, limit in ((0.15, 3e-3), (0.02, 1e-2)):
        w = (2 * torch.randn(v, d, generator=g) / d**0.5).bfloat16()
        x = torch.randn(n, d, generator=g).bfloat16()
        wt = (w.float() + noise * torch.randn(v, d, generator=g) / d**0.5).bfloat16()
        truth = results(
            lambda x, w, wt=wt, xt=x: losses.linear_divergence(x, w, xt.double(), wt.double(), impl="reference"),
            [x.double(), w.double()],
        )
        mine = results(lambda x, w, wt=wt: losses.linear_divergence(x, w, x.detach(), wt), [x, w])
        assert 1e-5 < truth[0].item() < 0.05
        assert max(error(a, b) for a, b in zip(mine[1:], truth[1:], strict=True)) < limit
        rounded = results(
            lambda x, w, wt=wt: losses.kl_divergence((x.detach() @ wt.T).float(), (x @ w.T).float()), [x, w]
        )
        assert error(rounded[1], truth[1]) > 10 * error(mine[1], truth[1])


@pytest.mark.parametrize("frozen", ["x", "w", "b"])
def test_frozen_operands_cost_no_product(frozen: str, monkeypatch: pytest.MonkeyPatch) -> None:

    products = []
    real = head.multiply
    monkeypatch.setattr(head, "multiply", lambda a, b, out: products.append(tuple(out.shape)) or real(a, b, out))
    x, w, b, y = make()
    full = results(lambda x, w, b: losses.linear_cross_entropy(x, w, y, bias=b), [x, w, b])
    products.clear()
    leaves = {"x": x, "w": w, "b": b}
    for name, leaf in leaves.items():
        leaf.requires_grad_(name != frozen)
    losses.linear_cross_entropy(x, w, y, bias=b).backward()
    shapes = {"x": (N - 3, D), "w": (V, D)}  # three tokens are ignored
    assert set(products) == {(N - 3, V)} | {shape for name, shape in shapes.items() if name != frozen}
    for (name, leaf), truth in zip(leaves.items(), full[1:], strict=True):
        assert (leaf.grad is None) if name == frozen else torch.equal(leaf.grad, truth)


def test_ignored_tokens_are_left_out_and_may_hold_nan() -> None:
    x, w, b, y = make()
    xt, wt = teacher()
    poisoned = x.clone()
    poisoned[3:6] = torch.nan
    for loss in (
        lambda x, w, b: losses.linear_cross_entropy(x, w, y, bias=b),
        lambda x, w, b: losses.linear_divergence(x, w, xt, wt, bias=b, mask=y >= 0),
    ):
        for a, e in zip(results(loss, [poisoned, w, b]), results(loss, [x, w, b]), strict=True):
            torch.testing.assert_close(a, e)


@pytest.mark.parametrize("o", [{}, {"reduction": "none"}, {"low_memory": True}])
def test_no_valid_token(o: dict[str, Any]) -> None:
    x, w, b, _ = make()
    xt, wt = teacher()
    y = torch.full((N,), -100)
    for loss in (
        lambda x, w, b: losses.linear_cross_entropy(x, w, y, bias=b, **o),
        lambda x, w, b: losses.linear_divergence(
            x, w, xt, wt, bias=b, mask=y >= 0, reduction=o.get("reduction", "mean")
        ),
    ):
        value, *gradients = results(loss, [x, w, b])
        assert not bool(value.any())
        assert not any(bool(g.any()) for g in gradients)
    empty = losses.linear_cross_entropy(x[:0].requires_grad_(), w, y[:0], bias=b)
    assert empty.item() == 0.0
    empty.backward()


def test_per_token_upstream_gradients_reach_the_weight() -> None:
    """The gradient cannot be made in the forward pass for "none": two tokens with upstream (1, 0) and (0, 1)."""
    x, w, _, y = make(torch.float64)
    y = y.clamp(min=0)
    w = w.requires_grad_()
    rows = losses.linear_cross_entropy(x, w, y, reduction="none")
    for i in (0, 5):
        (alone,) = torch.autograd.grad(rows[i], w, retain_graph=True)
        (truth,) = torch.autograd.grad(losses.linear_cross_entropy(x[i : i + 1], w, y[i : i + 1]), w)
        torch.testing.assert_close(alone, truth)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_second_backward_finds_what_the_first_found(dtype: torch.dtype) -> None:
    """Sums that become gradients where they lie must not be asked for again; handed out, they are nobody else's."""
    x, w, b, y = make(dtype)
    xt, wt = teacher(dtype)
    for loss in (
        lambda x, w, b: losses.linear_cross_entropy(x, w, y, bias=b),
        lambda x, w, b: losses.linear_divergence(x, w, xt, wt, bias=b, kind="js"),
    ):
        leaves = [p.clone().requires_grad_() for p in (x, w, b)]
        value = loss(*leaves)
        two = [g.clone() for g in torch.autograd.grad(value, leaves, torch.full_like(value, 2.0), retain_graph=True)]
        four = torch.autograd.grad(value, leaves, torch.full_like(value, -4.0), retain_graph=True)
        last = torch.autograd.grad(value, leaves, torch.full_like(value, 2.0))
        for a, e, c in zip(two, four, last, strict=True):
            assert torch.equal(a, c)
            torch.testing.assert_close(-2.0 * a, e)
        with pytest.raises(RuntimeError, match="backward through the graph a second time"):
            torch.autograd.grad(value, leaves)
        for leaf in leaves:
            leaf.grad = None
        for _ in range(2):  # accumulated: .grad is the first gradient itself
            loss(*leaves).backward()
        for leaf, a in zip(leaves, two, strict=True):
            torch.testing.assert_close(leaf.grad, a)


def test_tied_weights_and_accumulation_add_up() -> None:
    _, w, _, y = make(torch.float64)
    ids = torch.randint(0, V, (N,), generator=torch.Generator().manual_seed(1))

    def gradient(impl: Any, times: int) -> Tensor:
        table = w.clone().requires_grad_()
        for _ in range(times):
            losses.linear_cross_entropy(table[ids], table, y, impl=impl).backward()
        assert table.grad is not None
        return table.grad

    torch.testing.assert_close(gradient("fused", 1), gradient("reference", 1))
    torch.testing.assert_close(gradient("fused", 2), 2 * gradient("reference", 1))


def test_normalizer_makes_accumulated_batches_one() -> None:
    x, w, _, y = make(torch.float64)
    w = w.requires_grad_()
    count = (y >= 0).sum()
    losses.linear_cross_entropy(x, w, y).backward()
    assert w.grad is not None
    whole = w.grad.clone()
    w.grad = None
    for part in (slice(0, 7), slice(7, N)):
        losses.linear_cross_entropy(x[part], w, y[part], normalizer=count).backward()
    torch.testing.assert_close(w.grad, whole)


def test_autocast() -> None:
    x, w, b, y = make()
    with torch.autocast("cpu", torch.bfloat16):
        mine = results(lambda x, w, b: losses.linear_cross_entropy(x, w, y, bias=b), [x, w, b])
    same = results(
        lambda x, w, b: losses.linear_cross_entropy(x, w, y, bias=b), [x.bfloat16(), w.bfloat16(), b.bfloat16()]
    )
    assert [m.dtype for m in mine] == [torch.float32] * 4
    assert error(mine[2], same[2]) < 3e-3
    # The weight is float32, so its gradient is not rounded to 16 bits.
    truth = results(
        lambda x, w, b: losses.linear_cross_entropy(x, w, y, bias=b, impl="reference"),
        [x.bfloat16().double(), w.bfloat16().double(), b.double()],
    )
    assert error(mine[2], truth[2]) < 1e-4
    with pytest.raises(InvalidForm, match="autocast"):
        losses.linear_cross_entropy(x.bfloat16(), w, y)


def test_noncontiguous_operands() -> None:
    x, w, b, y = make()
    base = results(lambda x, w, b: losses.linear_cross_entropy(x, w, y, bias=b), [x, w, b])
    wide = torch.cat([w, w], 1)
    got = results(lambda x, w, b: losses.linear_cross_entropy(x, w[:, :D], y, bias=b), [x.T.contiguous().T, wide, b])
    torch.testing.assert_close(got[0], base[0])
    torch.testing.assert_close(got[2][:, :D], base[2])


def test_second_derivatives_are_refused() -> None:
    x, w, b, y = make(torch.float64)
    xt, wt = teacher(torch.float64)
    for loss in (
        losses.linear_cross_entropy(x.requires_grad_(), w, y, bias=b),
        losses.linear_cross_entropy(x, w, y, bias=b, reduction="none").sum(),
        losses.linear_divergence(x, w, xt, wt),
        losses.linear_divergence(x, w, xt, wt, reduction="none").sum(),
    ):
        (g,) = torch.autograd.grad(loss, x, create_graph=True)
        with pytest.raises(InvalidForm, match="impl='reference'"):
            g.sum().backward()


def test_sparse_teachers() -> None:
    x, w, b, _ = make(torch.float64)
    xt, wt = teacher(torch.float64)
    logp, ids = (xt @ wt.T).log_softmax(-1).sort(-1, descending=True)
    full = losses.linear_divergence(x, w, xt, wt, bias=b)
    everything = losses.linear_sparse_kl(x, w, ids, logp, bias=b)
    torch.testing.assert_close(everything, full)
    last = torch.tensor(0.0, dtype=torch.float64)
    for k in (1, 5, 50, V - 1):
        for tail in ("bucket", "renormalize"):
            assert_as_good_as_plain(
                lambda x, w, b, k=k, t=tail: losses.linear_sparse_kl(
                    x, w, ids[:, :k], logp[:, :k].to(x.dtype), bias=b, tail=t
                ),
                lambda x, w, b, k=k, t=tail: losses.linear_sparse_kl(
                    x, w, ids[:, :k], logp[:, :k].to(x.dtype), bias=b, tail=t, impl="reference"
                ),
                [x, w, b],
            )
        bucket = losses.linear_sparse_kl(x, w, ids[:, :k], logp[:, :k], bias=b)
        assert last <= bucket <= full + 1e-15  # splitting the bucket never lowers the divergence
        last = bucket
    # by the definition, one token
    q = ((x[:1] @ w.T) + b).softmax(-1)[0]
    p, t = logp[0, :3].exp(), ids[0, :3]
    rest, left = 1 - p.sum(), 1 - q[t].sum()
    truth = (p * (p / q[t]).log()).sum() + rest * (rest / left).log()
    torch.testing.assert_close(losses.linear_sparse_kl(x[:1], w, ids[:1, :3], logp[:1, :3], bias=b), truth)
    renormalized = losses.linear_sparse_kl(x[:1], w, ids[:1, :3], logp[:1, :3], bias=b, tail="renormalize")
    pt, qt = p / p.sum(), q[t] / q[t].sum()
    torch.testing.assert_close(renormalized, (pt * (pt / qt).log()).sum())


def test_sparse_padding_and_hostile_input() -> None:
    x, w, _, _ = make(torch.float64)
    logp, ids = (x @ w.T).log_softmax(-1).topk(4)
    # Rows of different k: padding repeats any id and is one of the other classes.
    padded = torch.cat([logp, torch.full((N, 2), -torch.inf, dtype=torch.float64)], -1)
    more = torch.cat([ids, torch.full((N, 2), 7)], -1)
    torch.testing.assert_close(
        losses.linear_sparse_kl(0.5 * x, w, more, padded), losses.linear_sparse_kl(0.5 * x, w, ids, logp)
    )
    g = results(lambda x, w: losses.linear_sparse_kl(x, w, more, padded), [x, w])
    assert not any(bool(torch.isnan(a).any()) for a in g)
    assert g[0].item() < 1e-15  # the student is the teacher
    assert float(g[1].abs().max()) < 1e-15
    with pytest.raises(InvalidInput, match="twice"):
        losses.linear_sparse_kl(x, w, torch.zeros_like(ids), logp)
    with pytest.raises(InvalidDistribution, match="probability"):
        losses.linear_sparse_kl(x, w, ids, x[:, :4].abs())
    with pytest.raises(InvalidInput, match="class"):
        losses.linear_sparse_kl(x, w, ids + V, logp)
    with pytest.raises(InvalidInput, match="shape"):
        losses.linear_sparse_kl(x, w, ids[:, :2], logp)
    with pytest.raises(InvalidInput, match="tail"):
        losses.linear_sparse_kl(x, w, ids, logp, tail="drop")


def test_hostile_input() -> None:
    x, w, b, y = make()
    xt, wt = teacher()
    with pytest.raises(InvalidInput, match="vocabulary"):
        losses.linear_divergence(x, w, xt, wt[:-1])
    with pytest.raises(InvalidInput, match="tokens"):
        losses.linear_divergence(x, w, xt[1:], wt)
    with pytest.raises(InvalidInput, match="teacher requires a gradient"):
        losses.linear_divergence(x, w, xt, wt.clone().requires_grad_())
    with pytest.raises(InvalidInput, match="no target"):
        losses.linear_divergence(x, w, xt, wt, ce_weight=1.0)
    with pytest.raises(InvalidInput, match=r"\(\.\.\., D\)"):
        losses.linear_cross_entropy(w, x.T, y)
    with pytest.raises(InvalidInput, match="bias"):
        losses.linear_cross_entropy(x, w, y, bias=b[1:])
    with pytest.raises(InvalidInput, match="chunk_size"):
        losses.linear_cross_entropy(x, w, y, chunk_size=-1)
    with pytest.raises(InvalidInput, match="is not a class"):
        losses.linear_cross_entropy(x, w, y.clamp(min=0) + V)
    with pytest.raises(InvalidInput, match="kind"):
        losses.linear_divergence(x, w, xt, wt, kind="kl")


def test_bfloat16_slices_of_the_vocabulary_are_added_before_they_are_rounded() -> None:
    """Each slice's part of dX is large and they cancel: rounded one by one they leave noise (Megatron-LM #2739)."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(N, D, generator=g).bfloat16()
    w = (torch.randn(V, D, generator=g) + 64.0).bfloat16()  # Σ (p − [y]) = 0 takes the offset out again
    y = torch.randint(0, V, (N,), generator=g)
    upstream = torch.linspace(0.5, 2, N)

    def loss(x: Tensor, w: Tensor, impl: Any = "fused") -> Tensor:
        return losses.linear_cross_entropy(x, w, y, reduction="none", chunk_size=16, impl=impl)

    truth = results(lambda x, w: loss(x, w, "reference"), [x.double(), w.double()], upstream)
    assert error(results(loss, [x, w], upstream)[1], truth[1]) < 3e-3


def test_teacher_of_another_precision_is_not_rounded() -> None:
    x, w, _, _ = make(torch.bfloat16)
    xt, wt = teacher(torch.float32)
    got = losses.linear_divergence(x, w, xt, wt)
    truth = losses.linear_divergence(x.double(), w.double(), xt.double(), wt.double(), impl="reference")
    assert got.item() == pytest.approx(truth.item(), rel=1e-6)


@pytest.mark.parametrize("loss", ["cross entropy", "divergence"])
def test_blocks_of_several_chunks(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU does: one dz for several chunks of logits, and a sum of several blocks."""
    x, w, b, y = make()
    xt, wt = teacher()

    def value(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        if loss == "divergence":
            return losses.linear_divergence(x, w, xt, wt, bias=b, kind="js", target=y.clamp(min=0), ce_weight=0.3)
        return losses.linear_cross_entropy(x, w, y.clamp(min=0), bias=b)

    truth = results(value, [x, w, b])

    def blocks(n: int, *_: Any, **__: Any) -> list[workspace.Block]:
        parts = workspace.even(slice(0, n), 7)
        return [workspace.Block(p, [p] if loss != "divergence" else workspace.even(p, 3)) for p in parts]

    monkeypatch.setattr(plans, "token_blocks", blocks)
    for a, e in zip(results(value, [x, w, b]), truth, strict=True):
        assert error(a, e) < 4e-6


def test_a_bfloat16_mean_is_normalised_before_it_is_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = options.tokens(torch.Size([4]), torch.device("cpu"), torch.bfloat16, target=torch.tensor([1, -100, 2, 3]))
    weight, how = options.normalized(rows, before=True, reduction="mean", normalizer=None)
    torch.testing.assert_close(weight, torch.tensor([1.0, 0.0, 1.0, 1.0]) / 3)
    assert how["reduction"] == "sum"
    weight, how = options.normalized(rows, before=False, reduction="mean", normalizer=None)
    assert torch.equal(weight, rows.weight)
    assert how["reduction"] == "mean"
    asked: list[bool] = []
    for module in ("linear", "distillation"):
        monkeypatch.setattr(
            f"kullback.losses.{module}.normalized",
            lambda *a, before, **o: (asked.append(before), options.normalized(*a, before=before, **o))[1],
        )
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        x, w = torch.ones(4, 3, dtype=dtype, requires_grad=True), torch.ones(5, 3, dtype=dtype)
        losses.linear_cross_entropy(x, w, torch.zeros(4, dtype=torch.int64))
        losses.linear_divergence(x, w, x.detach(), w)
    assert asked == [True, True, False, False, False, False]
