"""Topics and clusters of newswire stories by KL: KLNMF, KLKMeans, and which words carry the loss."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

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

fig, axes = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
axes[0].plot(topics.objective_path_)
axes[0].set(title="KLNMF: D(V‖WH) per story", xlabel="round", ylabel="nats")
axes[1].bar(range(8), clusters.cluster_objective_)
axes[1].set(title="KLKMeans: where the loss sits", xlabel="cluster", ylabel="nats")
fig.savefig(OUT / "learn_topics.png", dpi=120)
print(f"picture: {OUT / 'learn_topics.png'}")
