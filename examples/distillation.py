"""A small transformer learns from a larger one: D(teacher‖student) of the next character, on a CPU in under a minute.

The text is a module of Python's own library. `linear_divergence` takes both models' last hidden states and heads and
never makes the logits of all positions.

    python examples/distillation.py
"""

from __future__ import annotations

import argparse
import inspect
import time

import torch
from torch import Tensor, nn

from kullback import losses

VOCABULARY, LENGTH, BATCH = 128, 64, 16


class Transformer(nn.Module):
    """Causal: hidden states of every position, and a head that the losses read."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, width)
        self.place = nn.Parameter(0.02 * torch.randn(LENGTH, width))
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Parameter(0.02 * torch.randn(VOCABULARY, width))

    def forward(self, ids: Tensor) -> Tensor:
        causal = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
        return self.norm(self.body(self.embed(ids) + self.place, mask=causal, is_causal=True))


def batch(text: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    starts = torch.randint(0, len(text) - LENGTH - 1, (BATCH, 1), generator=generator)
    at = starts + torch.arange(LENGTH)
    return text[at], text[at + 1]


def compare(teacher: Transformer, student: Transformer, text: Tensor) -> tuple[float, float, float]:
    """Held-out cross-entropies of both, and the divergence between them, in nats a character."""
    generator = torch.Generator().manual_seed(7)
    sums = torch.zeros(3)
    with torch.no_grad():
        for _ in range(8):
            ids, following = batch(text, generator)
            t, s = teacher(ids), student(ids)
            sums += torch.stack([
                losses.linear_cross_entropy(t, teacher.head, following),
                losses.linear_cross_entropy(s, student.head, following),
                losses.linear_divergence(s, student.head, t, teacher.head),
            ])  # fmt: skip
    hard, soft, divergence = (sums / 8).tolist()
    return hard, soft, divergence


def main(steps: int = 150) -> float:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    source = inspect.getsource(argparse).encode("ascii", "replace")
    text = torch.tensor(list(source))
    train, held_out = text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]
    teacher, student = Transformer(64, 2), Transformer(32, 1)

    began = time.perf_counter()
    optimizer = torch.optim.AdamW(teacher.parameters(), lr=3e-3)
    for _ in range(steps):
        ids, following = batch(train, generator)
        optimizer.zero_grad()
        losses.linear_cross_entropy(teacher(ids), teacher.head, following).backward()
        optimizer.step()
    print(f"teacher trained in {time.perf_counter() - began:.0f} s")

    print("  step   H(P, teacher)  H(P, student)  D(teacher‖student)   nats a character, held out")
    optimizer = torch.optim.AdamW(student.parameters(), lr=3e-3)
    for step in range(steps + 1):
        if step % (steps // 3) == 0:
            hard, soft, divergence = compare(teacher, student, held_out)
            print(f"  {step:4d} {hard:14.3f} {soft:14.3f} {divergence:16.3f}")
        ids, following = batch(train, generator)
        with torch.no_grad():
            hidden = teacher(ids)
        optimizer.zero_grad()
        losses.linear_divergence(
            student(ids), student.head, hidden, teacher.head.detach(), target=following, ce_weight=0.1
        ).backward()
        optimizer.step()
    print(f"done after {time.perf_counter() - began:.0f} s")
    return divergence


if __name__ == "__main__":
    torch.set_num_threads(1)  # the tensors are too small to share
    main()
