"""A small variational autoencoder on real handwritten digits: its ELBO taken apart, its samples judged.

−log p(x) ≤ E −log p(x|z)  +  KL(q(z|x)‖p(z))
            reconstruction    what the code costs
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from kullback.evaluation import evaluate_generator
from kullback.losses import elbo, gaussian_kl

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
OUT.mkdir(exist_ok=True)
LATENT, LEVELS = 8, 16  # each of 64 pixels is a count from 0 to 16

torch.manual_seed(0)
pixels, label = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(pixels))
x = torch.tensor(pixels[order] / LEVELS, dtype=torch.float32)
train, test = x[:1400], x[1400:]

encoder = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 2 * LATENT))
decoder = nn.Sequential(nn.Linear(LATENT, 256), nn.ReLU(), nn.Linear(256, 64))


def bound(batch: torch.Tensor):
    """The ELBO of binomial pixels (16 trials each), in nats an image."""
    mean, log_std = encoder(batch).chunk(2, dim=1)
    z = mean + log_std.exp() * torch.randn_like(mean)
    law = torch.distributions.Binomial(LEVELS, logits=decoder(z))
    return elbo(law.log_prob(batch * LEVELS).sum(dim=1), {"code": gaussian_kl(mean, log_std)})


optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 2e-3)
path = []
for _ in range(150):
    for batch in train[torch.randperm(len(train))].split(100):
        optimizer.zero_grad()
        loss = -bound(batch).value.mean()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        held = bound(test)
    path.append((-held.reconstruction.mean().item(), held.kl.mean().item()))

reconstruction, code = path[-1]
print(f"unseen digits: −ELBO {reconstruction + code:.1f} = reconstruction {reconstruction:.1f} + code {code:.1f} nats")
used = held.per_latent["code"].flatten()
print(f"{int((used > 0.05).sum())} of {LATENT} code dimensions carry information")

with torch.no_grad():
    made = torch.distributions.Binomial(LEVELS, logits=decoder(torch.randn(1400, LATENT))).sample().numpy()
judged = evaluate_generator(train.numpy() * LEVELS, made, random_state=0)
itself = evaluate_generator(pixels[::2], pixels[1::2], random_state=0)
print(f"JS between digits and samples: {judged.js.value:.3f} nats ({judged.js.low:.3f} to {judged.js.high:.3f})")
print(f"and between two halves of the digits: {itself.js.value:.3f} ({itself.js.low:.3f} to {itself.js.high:.3f})")


def sheet(images: np.ndarray) -> np.ndarray:
    """The first 64 images as an 8×8 sheet, two empty pixels between them."""
    framed = np.pad(images[:64].reshape(8, 8, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    return framed.transpose(0, 2, 1, 3).reshape(80, 80)


plt.rcParams["font.size"] = 12
fig, axes = plt.subplots(1, 3, figsize=(14, 4.6), layout="constrained", width_ratios=[1.25, 1, 1])
below, above = np.array(path).T
axes[0].stackplot(range(1, len(path) + 1), below, above, colors=["#1f77b4", "#ff7f0e"])
middle = {"ha": "center", "va": "center", "color": "white", "weight": "bold"}
axes[0].text(90, reconstruction / 2, f"reconstruction: {reconstruction:.0f} nats", **middle)
axes[0].annotate(
    f"code: {code:.0f} nats, KL(q(z|x)‖p(z))",
    (90, below[89] + above[89] / 2),
    xytext=(90, 190),
    ha="center",
    color="#c05a00",
    weight="bold",
    arrowprops={"arrowstyle": "-", "color": "#c05a00"},
)
axes[0].spines[["top", "right"]].set_visible(False)
axes[0].set(xlabel="epoch", ylabel="nats an unseen image", xlim=(1, len(path)), ylim=(0, None))
axes[0].set_title(f"−ELBO of unseen digits falls to {reconstruction + code:.0f} nats")
for axis, images, title in (
    (axes[1], test.numpy() * LEVELS, "64 unseen digits\nas they are"),
    (
        axes[2],
        made,
        f"64 samples: JS to the digits {judged.js.value:.2f} nats\n(0 alike, {np.log(2):.2f} nothing in common)",
    ),
):
    axis.imshow(sheet(images), cmap="gray_r")
    axis.set(xticks=[], yticks=[], title=title)
fig.savefig(OUT / "vae.png", dpi=120)
print(f"picture: {OUT / 'vae.png'}")
