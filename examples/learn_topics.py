"""Topics and clusters of newswire stories by KL: KLNMF, KLKMeans, and which words carry the loss."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import learn_data

from kullback.learn import KLNMF, KLKMeans

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
OUT.mkdir(exist_ok=True)
X, y, words = learn_data.counts("reuters-r8", words=4000)
topics = KLNMF(8, random_state=0).fit(X)
for k, topic in enumerate(topics.topic_word_):
    print(f"topic {k}: {' '.join(words[j] for j in topic.argsort()[::-1][:8])}")
clusters = KLKMeans(8, random_state=0).fit(X)
print(f"8 clusters keep {100 * clusters.information_retained_:.0f} % of the information between stories and words")
parts = clusters.explain(X)
print("words that carry the loss:", ", ".join(words[int(j)] for j, _ in parts.top("feature", 8)))


# How many words each topic wrote, and what each cluster says more often than all stories do.
share = topics.transform(X).sum(axis=0) * topics.components_.sum(axis=1)
share = 100 * share / share.sum()
overall = np.asarray(X.sum(axis=0)).ravel() / X.sum()
centers = clusters.cluster_centers_
ratio = np.divide(centers, overall, out=np.ones_like(centers), where=(centers > 0) & (overall > 0))
lift = centers * np.log(ratio)


def top(scores: np.ndarray) -> str:
    """The four words of the largest scores."""
    return " ".join(words[j] for j in scores.argsort()[::-1][:4])


plt.rcParams["font.size"] = 12
fig, axes = plt.subplots(1, 2, figsize=(14, 4.6), layout="constrained")
panels = (
    (share, [top(t * np.log(np.maximum(t, 1e-12) / overall)) for t in topics.topic_word_], "%.0f %%"),
    (clusters.cluster_objective_, [top(row) for row in lift], "%.2f"),
)
for ax, (values, names, form) in zip(axes, panels, strict=True):
    order = values.argsort()
    bars = ax.barh([names[k] for k in order], values[order], color="#1f77b4")
    ax.bar_label(bars, fmt=form, padding=4)
    ax.spines[["top", "right"]].set_visible(False)
    ax.margins(x=0.12)
axes[0].set(title="Topics of newswire stories by KLNMF", xlabel="% of all words")
loss = f"8 clusters of KLKMeans lose {clusters.distortion_:.2f} nats"
axes[1].set(title=loss, xlabel="share in the mean KL(story‖cluster), nats")
fig.savefig(OUT / "learn_topics.png", dpi=120)
print(f"picture: {OUT / 'learn_topics.png'}")
