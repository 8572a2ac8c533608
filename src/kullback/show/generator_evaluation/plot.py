"""The divergence frontier drawn with matplotlib."""

from __future__ import annotations

from typing import Any

from kullback.errors import need
from kullback.result.generator_evaluation import GeneratorEvaluation


def plot(result: GeneratorEvaluation, *, ax: Any = None) -> Any:
    """KL of the generated against KL of the real to each mixture; nearer to the corner is better."""
    plt = need("matplotlib.pyplot", "plot")
    if ax is None:
        ax = plt.figure(layout="constrained").add_subplot()
    ax.plot([p.kl_generated for p in result.frontier], [p.kl_real for p in result.frontier], "o-", color="#2a6fb0")
    for p in result.frontier:
        ax.annotate(f"{p.weight:g}", (p.kl_generated, p.kl_real), textcoords="offset points", xytext=(5, 5), fontsize=8)
    said = f"JS {result.js.value:.4f} nats"
    ax.set(xlabel="KL(generated‖mixture): invented", ylabel="KL(real‖mixture): missing", title=said)
    return ax
