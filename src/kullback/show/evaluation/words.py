"""What an evaluation says, in words and humane digits: the terminal and the page read the same sentences."""

from __future__ import annotations

import math

from kullback.result.estimate import Estimate
from kullback.result.evaluation import Evaluation, Versus
from kullback.show.text import number, percent, plural, visible

_LOG10 = math.log(10.0)


def interval(e: Estimate, *, decimals: int = 4) -> str:
    """[low, high] with the digits of a table."""
    if math.isinf(e.value):
        return ""
    if math.isnan(e.low):
        return "(no interval)"
    return f"[{fixed(e.low, decimals)}, {fixed(e.high, decimals)}]"


def fixed(value: float, decimals: int = 4) -> str:
    """A number with a fixed number of decimals; ∞ and – as signs."""
    if not math.isfinite(value):
        return number(value)
    return f"{value if abs(value) >= 0.5 * 10.0**-decimals else 0.0:.{decimals}f}".replace("-", "−")


def signed(value: float, decimals: int = 4) -> str:
    """The same with its sign."""
    text = fixed(value, decimals)
    return text if text.startswith("−") or not math.isfinite(value) else f"+{text}"


def headline(result: Evaluation) -> str:
    """The result in one sentence."""
    loss = result.finite.cross_entropy.value if result.finite else result.cross_entropy.value
    waste = result.finite.reliability.value if result.finite else result.reliability.value
    if loss <= 0:
        return "The predictions are certain and right in every row."
    what = "log-loss" if result.kind == "classifier" else "negative log-likelihood"
    if result.finite:
        rows = plural(result.finite.count, "row")
        start = f"The model ruled out what happened in {rows}: the {what} is infinite"
        return f"{start}; with zeros read as {result.finite.clip:.0e} it is {fixed(loss)} nats."
    share = waste / loss if result.kind == "classifier" else float("nan")
    saved = result.cross_entropy.value - result.recalibrated.value
    chosen = next((r for r in result.ladder if r.chosen), None)
    if chosen is None or (result.certified <= 0 and saved <= 0):
        return f"A {what} of {fixed(loss)} nats, of which recalibration removes nothing that the data can show."
    part = f" ({percent(share)} of it)" if share == share else ""
    saves = f"Recalibration ({chosen.name}) saves {fixed(max(saved, 0.0))} of {fixed(loss)} nats{part}"
    return f"{saves}; the rest needs a better model."


def size(result: Evaluation) -> str:
    """Rows, classes and clusters."""
    said = [f"{result.n:,} rows"]
    if result.classes:
        said.append(f"{len(result.classes):,} classes")
    if result.clusters is not None:
        said.append(f"{result.clusters:,} clusters")
    return ", ".join(said)


def e_value(v: Versus) -> str:
    """An e-value that may be too large to write out."""
    return number(math.exp(v.log_e)) if v.log_e < 25 else f"1e{v.log_e / _LOG10:.0f}"


def p_value(p: float) -> str:
    """A p-value; what is below the smallest float is not called 0."""
    return "<1e−300" if p < 1e-300 else number(p, digits=2)


def versus(v: Versus) -> list[str]:
    """The paired comparison in two sentences."""
    e = v.difference
    better = "better" if e.value < 0 else "worse"
    sure = "" if e.low > 0 or e.high < 0 else ", a difference that chance could make"
    first = (
        f"vs {visible(v.name, limit=60)}: {signed(e.value)} nats {interval(e)}, {better}{sure}; "
        f"p = {p_value(v.p_value)} ({v.test}), e-value {e_value(v)}"
    )
    reached = "" if v.row is None else f" (20 reached at row {v.row + 1:,})"
    second = f"of which reliability {signed(v.reliability.value)}, resolution {signed(v.resolution.value)}"
    return [first + reached, second]
