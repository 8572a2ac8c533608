"""An evaluation drawn with matplotlib: the reliability curve and what the loss is made of."""

from __future__ import annotations

from typing import Any

from kullback.errors import need
from kullback.result.evaluation import Evaluation


def plot(result: Evaluation, *, ax: Any = None) -> Any:
    """The reliability curve: predicted against observed, with intervals (regressors: the PIT histogram)."""
    plt = need("matplotlib.pyplot", "plot")
    if ax is None:
        ax = plt.figure(layout="constrained").add_subplot()
    bins = result.curve
    if result.kind == "regressor":
        width = [b.high - b.low for b in bins]
        ax.bar([b.low for b in bins], [b.observed for b in bins], width=width, align="edge", color="#2a6fb0", alpha=0.6)
        ax.axhline(1.0, color="#777777", linewidth=1)
        ax.set(xlabel="probability integral transform", ylabel="density", title="Calibrated predictions are flat")
        return ax
    ax.plot([0, 1], [0, 1], color="#777777", linewidth=1)
    middle = [b.predicted for b in bins]
    seen = [b.observed for b in bins]
    low = [max(b.observed - b.observed_low, 0.0) for b in bins]
    high = [max(b.observed_high - b.observed, 0.0) for b in bins]
    ax.errorbar(middle, seen, yerr=[low, high], fmt="o-", color="#2a6fb0", markersize=4, capsize=2)
    title = f"reliability {result.reliability.value:.4f} nats of {result.cross_entropy.value:.4f}"
    ax.set(xlabel="confidence in the predicted class", ylabel="share that was right", title=title)
    return ax
