"""What a loss is made of, drawn as bars that start where the one above ends."""

from __future__ import annotations

import math
from collections.abc import Callable

from markupsafe import Markup

from kullback.result.estimate import Estimate
from kullback.result.evaluation import Evaluation
from kullback.show.evaluation.sheet import Figure

_WIDTH, _ROW, _LEFT, _RIGHT = 640, 30, 170, 74


def budget(r: Evaluation) -> Figure | None:
    """Uncertainty, less resolution, plus reliability: the loss, and below it what is left after recalibration."""
    reliability = r.finite.reliability if r.finite else r.reliability
    loss = r.finite.cross_entropy if r.finite else r.cross_entropy
    name = "cross-entropy" if r.kind == "classifier" else "negative log-likelihood"
    known = r.uncertainty.value - r.resolution.value if not r.finite else loss.value - reliability.value
    if not all(map(math.isfinite, (loss.value, reliability.value, known, r.uncertainty.value))):
        return None
    bars = [
        ("uncertainty", 0.0, r.uncertainty.value, "H", None),
        ("− resolution", r.uncertainty.value, known, "R", r.resolution),
        ("+ reliability", known, loss.value, "C", reliability),
        (f"= {name}", 0.0, loss.value, "H", loss),
    ]
    ends = [0.0, *(b for bar in bars for b in bar[1:3]), loss.high, loss.low]
    low, high = min(ends), max(ends)
    scale = (_WIDTH - _LEFT - _RIGHT) / ((high - low) or 1.0)

    def x(value: float) -> float:
        return _LEFT + (value - low) * scale

    shapes = []
    for i, (words, start, stop, look, e) in enumerate(bars):
        y = i * _ROW + 6
        left, right = sorted((x(start), x(stop)))
        shapes.append(f'<text class="end" text-anchor="end" x="{_LEFT - 12}" y="{y + 14}">{words}</text>')
        shapes.append(
            f'<rect class="{look}" x="{left:.1f}" y="{y}" width="{max(right - left, 1.5):.1f}" height="18" rx="2"/>'
        )
        if i + 1 < len(bars):
            shapes.append(f'<path class="axis" d="M{x(stop):.1f} {y + 18}V{y + _ROW}"/>')
        whisker = _whisker(e, start, stop, x) if e is not None else None
        if whisker is not None:
            shapes.append(f'<path class="mark" d="M{whisker[0]:.1f} {y + 9}H{whisker[1]:.1f}"/>')
            right = max(right, whisker[1])
        value = stop - start if e is None else e.value
        shapes.append(f'<text class="start" x="{right + 8:.1f}" y="{y + 14}">{value:.4f}</text>')
    height = len(bars) * _ROW + 6
    head = f'<svg class="budget" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img" aria-label="{name} split">'
    note = (
        "Grey is what base rates alone would cost and what the predictions cost; blue is what they know; orange is "
        "what recalibration would save. Whiskers are intervals."
    )
    svg = Markup(f"{head}{''.join(shapes)}</svg>")  # noqa: S704  numbers and words of this package, nothing of the data
    return Figure("What the loss is made of", svg, note)


def _whisker(e: Estimate, start: float, stop: float, x: Callable[[float], float]) -> tuple[float, float] | None:
    """The interval at the end of a bar that may run to the left."""
    sign = -1.0 if stop < start else 1.0
    low, high = sorted(x(start + sign * v) for v in (e.low, e.high))
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None
