"""A map of handwritten digits, how far it is from the data, and where it misleads: SNE and embedding_divergence."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from kullback.learn import SNE, embedding_divergence

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
OUT.mkdir(exist_ok=True)
X, y = load_digits(return_X_y=True)
model = SNE(random_state=0).fit(X)
plane = PCA(2, random_state=0).fit_transform(X)
print(f"KL(P‖Q) over all pairs: SNE {model.kl_divergence_:.4f}, PCA {embedding_divergence(X, plane).value:.4f} nats")
print(
    f"UMAP's objective of the same map: {embedding_divergence(X, model.embedding_, objective='umap').value:,.0f} nats"
)

fig, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
axes[0].scatter(*model.embedding_.T, c=y, cmap="tab10", s=5)
axes[0].set_title("digits")
points = axes[1].scatter(*model.embedding_.T, c=model.kl_per_point_ * len(X), s=5, cmap="magma_r")
axes[1].set_title("KL per point: where the map misleads")
fig.colorbar(points, label="share of KL × n, nats")
fig.savefig(OUT / "learn_digits_map.png", dpi=120)
print(f"picture: {OUT / 'learn_digits_map.png'}")
