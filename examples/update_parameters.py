"""Gradient steps on a divergence: what they move, what they cannot, and how a penalty holds them near an old model.

Cross-entropy H(P, Q) = H(P) + D(P‖Q). H(P) does not depend on Q, so a step on either is the same step: D alone falls.

    python examples/update_parameters.py
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kullback import losses

# The truth has two humps; a softmax over a line of logits a·x + b·x² can only make one.
x = torch.linspace(-3, 3, 61)
features = torch.stack([x, x.square()], -1)
humps = torch.logsumexp(torch.stack([-4 * (x + 1.5).square(), -4 * (x - 1.2).square() + 0.4]), 0)
truth = humps.softmax(-1)
entropy = torch.special.entr(truth).sum()


def model(parameters: Tensor) -> Tensor:
    return features @ parameters


def descend(name: str, loss: Callable[[Tensor], Tensor], start: Tensor, steps: int = 400, rate: float = 0.05) -> Tensor:
    parameters = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([parameters], lr=rate)
    print(f"\n{name}\n   step        H(P)   + D(P‖Q)    = H(P,Q)    D(Q‖P)")
    for step in range(steps + 1):
        logits = model(parameters)
        if step in (0, 1, 10, 100, steps):
            with torch.no_grad():
                cross, forward = losses.cross_entropy(logits, truth), losses.kl_divergence(humps, logits)
                reverse = losses.reverse_kl_divergence(humps, logits)
            print(f"  {step:5d}  {entropy:10.4f} {forward:10.4f}  {cross:10.4f} {reverse:10.4f}")
        optimizer.zero_grad()
        loss(logits).backward()
        optimizer.step()
    return parameters.detach()


def main() -> None:
    start = torch.tensor([3.0, -1.5])

    leaf = start.clone().requires_grad_()
    (of_cross_entropy,) = torch.autograd.grad(losses.cross_entropy(model(leaf), truth), leaf)
    (of_divergence,) = torch.autograd.grad(losses.kl_divergence(humps, model(leaf)), leaf)
    print("gradient of cross-entropy", of_cross_entropy.tolist())
    print("gradient of D(P‖Q)       ", of_divergence.tolist())
    torch.testing.assert_close(of_cross_entropy, of_divergence, rtol=1e-4, atol=1e-6)

    descend("cross-entropy to the truth", lambda z: losses.cross_entropy(z, truth), start)
    wide = descend("forward KL: the same numbers, step for step", lambda z: losses.kl_divergence(humps, z), start)
    narrow = descend("reverse KL: settles on one hump", lambda z: losses.reverse_kl_divergence(humps, z), start)
    for name, parameters in (("forward", wide), ("reverse", narrow)):
        q = model(parameters).softmax(-1)
        mean = (q * x).sum()
        print(f"{name}: Q has mean {mean:+.2f} and standard deviation {(q * (x - mean).square()).sum().sqrt():.2f}")

    # An update that must stay near the model it starts from: D(P‖Q) + c·D(old‖Q).
    old = model(wide)
    target = (-4 * (x - 1.2).square()).softmax(-1)
    print("\nmoving to the right hump, held by c·D(old‖new)\n      c   D(target‖new)   D(old‖new)")
    for c in (0.0, 0.1, 1.0, 10.0):
        parameters = wide.clone().requires_grad_()
        optimizer = torch.optim.Adam([parameters], lr=0.05)
        for _ in range(400):
            optimizer.zero_grad()
            z = model(parameters)
            (losses.cross_entropy(z, target) + c * losses.kl_divergence(old, z)).backward()
            optimizer.step()
        with torch.no_grad():
            z = model(parameters)
            away = losses.kl_divergence(old, z)
            print(f"  {c:5.1f} {losses.kl_divergence(target.log(), z):14.4f} {away:13.4f}")


if __name__ == "__main__":
    main()
