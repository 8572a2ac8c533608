"""Training: the fused losses follow the plain ones step for step, and the examples do what they say."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from kullback import losses

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def curve(loss: Callable[[Tensor, Tensor, Tensor], Tensor], steps: int = 25) -> list[float]:
    """The losses of a small transformer that learns to copy with a shift."""
    module = example("distillation")
    torch.manual_seed(0)
    model = module.Transformer(32, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    generator = torch.Generator().manual_seed(0)
    values = []
    for _ in range(steps):
        start = torch.randint(0, 100, (4, 1), generator=generator)
        ids = (start + 3 * torch.arange(module.LENGTH)) % 101
        following = (ids + 3) % 101
        following[:, :8] = -100
        optimizer.zero_grad()
        value = loss(model(ids), model.head, following)
        value.backward()
        optimizer.step()
        values.append(value.item())
    return values


def test_the_fused_loss_follows_the_plain_curve() -> None:
    plain = curve(lambda x, w, y: functional.cross_entropy((x @ w.T).flatten(0, 1), y.flatten()))
    fused = curve(lambda x, w, y: losses.linear_cross_entropy(x, w, y, chunk_size=100))
    assert plain[-1] < 0.8 * plain[0]
    torch.testing.assert_close(torch.tensor(fused), torch.tensor(plain), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_distillation_lowers_the_divergence() -> None:
    module = example("distillation")
    assert module.main(steps=60) < 0.6


def test_update_parameters_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example("update_parameters").main()
    lines = capsys.readouterr().out.splitlines()
    tables = [i for i, line in enumerate(lines) if line.lstrip().startswith("step")]
    cross, forward, reverse = ([lines[i + k].split() for k in range(1, 6)] for i in tables)
    assert [row[1:4] for row in cross[:3]] == [row[1:4] for row in forward[:3]]
    for row in cross + forward + reverse:
        h, kl, ce = map(float, row[1:4])
        assert abs(h + kl - ce) < 2e-4
    assert float(forward[-1][2]) < float(reverse[-1][2])
    assert float(reverse[-1][4]) < float(forward[-1][4])
