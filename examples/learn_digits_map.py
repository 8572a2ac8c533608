"""A map of handwritten digits, how far it is from the data, and where it misleads: SNE and embedding_divergence."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patheffects import withStroke
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from kullback.learn import SNE, embedding_divergence

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
OUT.mkdir(exist_ok=True)
X, y = load_digits(return_X_y=True)
model = SNE(random_state=0).fit(X)
plane = PCA(2, random_state=0).fit_transform(X)
flat = embedding_divergence(X, plane).value
print(f"KL(P‖Q) over all pairs: SNE {model.kl_divergence_:.4f}, PCA {flat:.4f} nats")
print(
    f"UMAP's objective of the same map: {embedding_divergence(X, model.embedding_, objective='umap').value:,.0f} nats"
)


plt.rcParams["font.size"] = 12
fig, axes = plt.subplots(1, 2, figsize=(13, 6), layout="constrained")
axes[0].scatter(*model.embedding_.T, c=y, cmap="tab10", s=6)
outlined = [withStroke(linewidth=4, foreground="white")]
for digit in range(10):
    at = np.median(model.embedding_[y == digit], axis=0)
    axes[0].text(*at, str(digit), ha="center", va="center", size=22, weight="bold", path_effects=outlined)
axes[0].set_title(f"1,797 handwritten digits, KL(P‖Q) = {model.kl_divergence_:.2f} nats (PCA: {flat:.2f})")
cost = model.kl_per_point_ * len(X)
worst_last = cost.argsort()
points = axes[1].scatter(*model.embedding_[worst_last].T, c=cost[worst_last], s=6, cmap="magma_r")
worst = worst_last[-12:]
axes[1].scatter(*model.embedding_[worst].T, s=130, facecolors="none", edgecolors="black")
axes[1].set_title("Where the map misleads: the twelve worst points are circled")
fig.colorbar(points, label="a point's KL, nats (their mean is KL(P‖Q))")
for ax in axes:
    ax.set(xticks=[], yticks=[], aspect="equal")
fig.savefig(OUT / "learn_digits_map.png", dpi=120)
print(f"picture: {OUT / 'learn_digits_map.png'}")
