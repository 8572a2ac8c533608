"""How many bicycles will be hired in an hour, as a distribution: DistributionRegressor, and a mixture of counts."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import learn_data

from kullback.learn import DistributionRegressor, HistogramTarget, MixtureMLE, SoftmaxRegression

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
OUT.mkdir(exist_ok=True)
X, y = learn_data.regression("bikeshare")
cut = 6500
model = DistributionRegressor(random_state=0).fit(X[:cut], y[:cut])
q = model.predict_dist(X[cut:])
for stage, cost in zip(("location", "and scale", "and shape"), model.objective_path_, strict=True):
    print(f"cross-entropy with {stage}: {cost:.3f} nats")
low, high = q.interval(0.9)
held = np.mean((y[cut:] >= low) & (y[cut:] <= high))
print(f"the 90 % interval holds {100 * held:.1f} % of unseen hours")
code = HistogramTarget(60, sigma=1.0).fit(y[:cut])
linear = SoftmaxRegression(1e-3).fit(X[:cut] / X.std(axis=0), code.encode(y[:cut]))
density = code.log_density(linear.predict_proba(X[cut:] / X.std(axis=0)), y[cut:])
inside = np.isfinite(density)
nats = -density[inside].mean(), -q.logpdf(y[cut:]).mean()
print(f"cross-entropy of a linear histogram model: {nats[0]:.3f} nats; of the regressor: {nats[1]:.3f}")
kinds = MixtureMLE(3, family="poisson", random_state=0).fit(y[:, None])
print(f"three kinds of hours: {np.sort(kinds.params_['rates'].ravel()).round().astype(int).tolist()} hires")


order = np.argsort(q.mean())[::25]
mean, seen = q.mean()[order], y[cut:][order]
out = (seen < low[order]) | (seen > high[order])
at = np.arange(len(order))
plt.rcParams["font.size"] = 12
fig, ax = plt.subplots(figsize=(11, 5), layout="constrained")
ax.vlines(at, low[order], high[order], color="#9ecae1", linewidth=4)
ax.plot(at, mean, color="#1f77b4", linewidth=2)
ax.plot(at[~out], seen[~out], "o", color="black", markersize=4)
ax.plot(at[out], seen[out], "o", color="#d62728", markersize=6)
k = len(at) * 3 // 5  # the labels point at one hour in the middle
line = {"arrowstyle": "-", "color": "gray"}
ax.annotate("90 % interval", (k, high[order][k]), xytext=(k - 16, 330), color="#4a90c0", arrowprops=line)
ax.annotate("predicted mean", (k + 6, mean[k + 6]), xytext=(k + 8, 40), color="#1f77b4", arrowprops=line)
j = np.flatnonzero(~out)[np.abs(np.flatnonzero(~out) - len(at) * 9 // 10).argmin()]
ax.annotate("observed", (j, seen[j]), xytext=(j - 18, 560), arrowprops=line)
if out.any():
    i = np.flatnonzero(out)[0]
    ax.annotate(
        "observed outside", (i, seen[i]), xytext=(max(i - 8, 0), seen[i] + 110), color="#d62728", arrowprops=line
    )
ax.spines[["top", "right"]].set_visible(False)
ax.set(
    xlabel=f"{len(at)} of {len(q.mean()):,} unseen hours, sorted by predicted mean", ylabel="bicycles hired in the hour"
)
ax.set_title(f"A distribution for every hour: its 90 % intervals hold {100 * held:.0f} % of the unseen hours")
fig.savefig(OUT / "learn_bicycles.png", dpi=120)
print(f"picture: {OUT / 'learn_bicycles.png'}")
