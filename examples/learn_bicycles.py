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
from sklearn.model_selection import PredefinedSplit

from kullback.learn import DistributionRegressor, HistogramTarget, MixtureMLE, SoftmaxRegression

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
OUT.mkdir(exist_ok=True)
X, y = learn_data.regression("bikeshare")
DAY, HOUR, WORKING, WARMTH = 2, 3, 6, 8
# Whole days are held out: of a day that was seen in part, the other hours would be too easy.
days = np.unique(X[:, DAY])
unseen = np.isin(X[:, DAY], np.random.default_rng(0).choice(days, len(days) // 4, replace=False))
A, a, B, b = X[~unseen], y[~unseen], X[unseen], y[unseen]
# So are the folds, or the scale would be learned from days seen in part.
folds = PredefinedSplit(np.unique(A[:, DAY], return_inverse=True)[1] % 5)
model = DistributionRegressor(cv=folds, random_state=0).fit(A, a)
q = model.predict_dist(B)
for stage, cost in zip(("location", "and scale", "and shape"), model.objective_path_, strict=True):
    print(f"cross-entropy with {stage}: {cost:.3f} nats")
print(f"the power {model.power_:.2f} of the hires has even spread; a count stands for itself ± ½: q on {q.support}")
low, high = q.interval(0.9)
held = np.mean((b >= low) & (b <= high))
print(f"the 90 % interval holds {100 * held:.1f} % of unseen hours")
print(f"the lowest of the 5 % quantiles is {abs(round(low.min()))} hires, the fewest ever seen {y.min():.0f}")
code = HistogramTarget(60, sigma=1.0).fit(a)
linear = SoftmaxRegression(1e-3).fit(A / A.std(axis=0), code.encode(a))
density = code.log_density(linear.predict_proba(B / A.std(axis=0)), b)
inside = np.isfinite(density)
nats = -density[inside].mean(), -q.logpdf(b).mean()
print(f"cross-entropy of a linear histogram model: {nats[0]:.3f} nats; of the regressor: {nats[1]:.3f}")
kinds = MixtureMLE(3, family="poisson", random_state=0).fit(y[:, None])
print(f"three kinds of hours: {np.sort(kinds.params_['rates'].ravel()).round().astype(int).tolist()} hires")


def day_of(working: int, warm: bool) -> float:
    """An unseen day with all its hours, of this kind."""
    kind = (B[:, WORKING] == working) & ((B[:, WARMTH] > 0.6) == warm)
    return next(d for d in np.unique(B[kind, DAY]) if (B[kind, DAY] == d).sum() == 24)


BLUE, RED = "#2171b5", "#cb181d"
plt.rcParams["font.size"] = 12
fig, axes = plt.subplots(1, 3, figsize=(13, 4.8), sharey=True, layout="constrained")
KINDS = (("a working day, cool", 1, False), ("a working day, warm", 1, True), ("a day off, warm", 0, True))
for ax, (name, working, warm) in zip(axes, KINDS, strict=True):
    rows = np.flatnonzero(B[:, DAY] == day_of(working, warm))
    rows = rows[np.argsort(B[rows, HOUR])]
    hour, seen = B[rows, HOUR], b[rows]
    levels = model.predict_quantile(B[rows], [0.05, 0.25, 0.5, 0.75, 0.95])
    ax.fill_between(hour, levels[:, 0], levels[:, 4], color="#c6dbef", linewidth=0)
    ax.fill_between(hour, levels[:, 1], levels[:, 3], color="#6baed6", linewidth=0)
    ax.plot(hour, levels[:, 2], color=BLUE, linewidth=1.8)
    out = (seen < levels[:, 0]) | (seen > levels[:, 4])
    ax.plot(hour[~out], seen[~out], "o", color="black", markersize=5)
    ax.plot(hour[out], seen[out], "D", color=RED, markersize=6)
    ax.set_title(name, fontsize=12)
    ax.set(xlabel="hour of the day", xticks=range(0, 25, 6), xlim=(-0.5, 23.5))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="0.92")
    ax.set_axisbelow(True)
axes[0].set(ylabel="bicycles hired in the hour", ylim=(0, None))
handles = [
    plt.Line2D([], [], marker="o", linestyle="", color="black", label="observed"),
    plt.Line2D([], [], marker="D", linestyle="", color=RED, label="observed, outside 90 %"),
    plt.Line2D([], [], color=BLUE, linewidth=1.8, label="median"),
    plt.Rectangle((0, 0), 1, 1, color="#6baed6", label="half of the probability"),
    plt.Rectangle((0, 0), 1, 1, color="#c6dbef", label="90 % of it"),
]
axes[0].legend(handles=handles, frameon=False, loc="upper left", fontsize=10)
fig.suptitle(f"A distribution for every hour of days never seen: 90 % intervals hold {100 * held:.0f} % of their hours")
fig.savefig(OUT / "learn_bicycles.png", dpi=120)
print(f"picture: {OUT / 'learn_bicycles.png'}")
