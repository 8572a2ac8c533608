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
print(f"the 90 % interval holds {100 * np.mean((y[cut:] >= low) & (y[cut:] <= high)):.1f} % of unseen hours")
code = HistogramTarget(60, sigma=1.0).fit(y[:cut])
linear = SoftmaxRegression(1e-3).fit(X[:cut] / X.std(axis=0), code.encode(y[:cut]))
density = code.log_density(linear.predict_proba(X[cut:] / X.std(axis=0)), y[cut:])
inside = np.isfinite(density)
nats = -density[inside].mean(), -q.logpdf(y[cut:]).mean()
print(f"cross-entropy of a linear histogram model: {nats[0]:.3f} nats; of the regressor: {nats[1]:.3f}")
kinds = MixtureMLE(3, family="poisson", random_state=0).fit(y[:, None])
print(f"three kinds of hours: {np.sort(kinds.params_['rates'].ravel()).round().astype(int).tolist()} hires")

order = np.argsort(q.mean())[::40]
fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
ax.fill_between(range(len(order)), low[order], high[order], alpha=0.3, label="90 % interval")
ax.plot(q.mean()[order], label="mean")
ax.plot(y[cut:][order], ".", label="observed")
ax.set(xlabel="unseen hours, by predicted mean", ylabel="hires")
ax.legend()
fig.savefig(OUT / "learn_bicycles.png", dpi=120)
print(f"picture: {OUT / 'learn_bicycles.png'}")
