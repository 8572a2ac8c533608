"""A comparison of two models drawn with matplotlib: the share of positions with more than so much KL."""

from __future__ import annotations

from typing import Any

from kullback.errors import need
from kullback.result.model_comparison import ModelComparison


def plot(result: ModelComparison, *, ax: Any = None) -> Any:
    """Survival of KL over positions on two logarithmic axes, with the mean and the noise floor."""
    plt = need("matplotlib.pyplot", "plot")
    if ax is None:
        ax = plt.figure(layout="constrained").add_subplot()
    points = [(v, 1.0 - float(q)) for q, v in result.quantiles.items() if q not in ("min", "max") and v > 0]
    ax.loglog([v for v, _ in points], [s for _, s in points], "o-", color="#2a6fb0", markersize=4)
    ax.axvline(result.kl.value, color="#d0620f", linewidth=1, label=f"mean {result.kl.value:.4g}")
    if result.noise_floor:
        ax.axvline(result.noise_floor, color="#777777", linewidth=1, linestyle=":", label="noise floor of the format")
    ax.set(xlabel="KL(P‖Q) of a position, nats", ylabel="share of positions above", title="How KL is spread")
    ax.legend(frameon=False)
    return ax
