"""An evaluation as a page and as a notebook fragment."""

from __future__ import annotations

from datetime import datetime

from kullback.result.estimate import Estimate
from kullback.result.evaluation import Evaluation
from kullback.show.evaluation import sheet, words
from kullback.show.evaluation.budget import budget
from kullback.show.text import number, percent


def page(result: Evaluation, *, command: str | None = None, when: datetime | None = None) -> str:
    """One self-contained HTML page.

    Parameters
    ----------
    result : Evaluation
    command : str, optional
        The command line that made it, shown in the header.
    when : datetime, optional
        The time written into the page; now where it is not given.
    """
    return sheet.page(result, _sheet(result), command=command, when=when)


def fragment(result: Evaluation) -> str:
    """HTML for a notebook cell: the terms, the ladder, the scores."""
    return sheet.fragment(_sheet(result))


def _sheet(r: Evaluation) -> sheet.Sheet:
    drawn = budget(r)
    parts: list[sheet.Table | sheet.Figure] = [] if drawn is None else [drawn]
    parts.append(_terms(r, "What the loss is made of" if drawn is None else ""))
    if r.versus is not None:
        parts.append(_versus(r))
    parts += [_curve(r), _ladder(r), _scores(r)]
    if r.slices:
        parts.append(_slices(r))
    if r.review:
        parts.append(_review(r))
    lede = (
        "Cross-entropy is uncertainty, which base rates alone would cost, less resolution, which the predictions know, "
        "plus "
        "reliability, which recalibration removes. The terms add up exactly."
    )
    sources: tuple[tuple[str, str, str], ...] = (("Predictions", r.source or "from memory", words.size(r)),)
    if r.versus is not None:
        sources += (("Compared with", r.versus.name, "the same rows"),)
    return sheet.Sheet("evaluate", words.headline(r), lede, sources, tuple(parts), r.notes)


def _interval(e: Estimate) -> tuple[str, str]:
    return words.fixed(e.value), words.interval(e)


def _terms(r: Evaluation, title: str) -> sheet.Table:
    name = "cross-entropy" if r.kind == "classifier" else "negative log-likelihood"
    rows = [(name, r.cross_entropy.method, *_interval(r.cross_entropy))]
    if r.finite:
        rows.append((f"  zeros read as {r.finite.clip:.0e}", "the finite line", *_interval(r.finite.cross_entropy)))
    certified = f"certified ≥ {words.fixed(r.certified)}; {r.reliability.method}"
    rows += [
        ("= uncertainty", r.uncertainty.method, *_interval(r.uncertainty)),
        ("− resolution", r.resolution.method, *_interval(r.resolution)),
        ("+ reliability", certified, *_interval(r.reliability)),
    ]
    if r.finite:
        rows.append((f"  zeros read as {r.finite.clip:.0e}", "the finite line", *_interval(r.finite.reliability)))
    rows.append(("after recalibration", r.recalibrated.method, *_interval(r.recalibrated)))
    head = ("", "how", "nats", f"{r.cross_entropy.level:.0%} interval")
    return sheet.Table(title, head, tuple(rows), names=2, under=True)


def _ladder(r: Evaluation) -> sheet.Table:
    rows = tuple(
        (
            ("▸ " if g.chosen else "") + g.name,
            g.words,
            words.signed(g.gain.value),
            words.interval(g.gain),
            words.signed(g.in_sample),
            str(g.parameters),
        )
        for g in r.ladder
    )
    note = (
        "What each family of recalibration maps saves on rows it was not fitted on, and on those it was: the truth "
        "lies "
        "between if the family holds it. ▸ marks the one that the training rows choose."
    )
    head = ("rung", "what it found", "saves, nats", "interval", "in sample", "parameters")
    return sheet.Table("Where the reliability loss sits", head, rows, note, names=2, under=True)


def _scores(r: Evaluation) -> sheet.Table:
    rows = tuple(
        (name.replace("_", " "), e.method, number(e.value, digits=4), words.interval(e)) for name, e in r.scores.items()
    )
    return sheet.Table("Other scores", ("score", "what it is", "value", "interval"), rows, names=2, under=True)


def _curve(r: Evaluation) -> sheet.Figure:
    bins = r.curve
    if r.kind == "regressor":
        top = max([1.5, *(b.observed for b in bins)])
        axes = sheet.Axes((0.0, 1.0), (0.0, top), ("where the truth falls in its prediction (PIT)", "density"))
        axes.bars([(b.low, b.high, b.observed) for b in bins]).line([(0.0, 1.0), (1.0, 1.0)], quiet=True)
        note = "Calibrated predictions are flat: a hill means too wide, a valley too narrow, a slope means shifted."
        return sheet.Figure("Calibration", axes.svg("PIT histogram"), note)
    low = min([1.0, *(min(b.predicted, b.observed_low) for b in bins)])
    axes = sheet.Axes((low, 1.0), (low, 1.0), ("confidence in the predicted class", "share that was right"))
    points = [(b.predicted, b.observed) for b in bins]
    axes.line([(low, low), (1.0, 1.0)], quiet=True).line(points)
    axes.dots(points, [(b.observed_low, b.observed_high) for b in bins])
    note = "Below the line the predictions are too confident, above it too timid. Bins hold equally many rows."
    return sheet.Figure("Calibration", axes.svg("reliability curve"), note)


def _versus(r: Evaluation) -> sheet.Table:
    v = r.versus
    assert v is not None
    rows = (
        ("difference of the loss", words.signed(v.difference.value), words.interval(v.difference)),
        ("of which reliability", words.signed(v.reliability.value), words.interval(v.reliability)),
        ("of which resolution", words.signed(v.resolution.value), words.interval(v.resolution)),
        (f"p-value ({v.test})", words.p_value(v.p_value), ""),
        ("anytime-valid e-value", words.e_value(v), f"loss differences bounded by {v.bound:.3g}"),
    )
    return sheet.Table("Against the other model", ("", "nats", "interval"), rows, words.versus(v)[0])


def _slices(r: Evaluation) -> sheet.Table:
    rows = tuple(
        (
            f"{s.column} = {s.value}",
            percent(s.share_of_rows),
            percent(s.share_of_loss),
            words.fixed(s.cross_entropy.value),
            words.interval(s.cross_entropy),
            "" if s.own_gain is None else words.signed(-s.own_gain.value),
        )
        for s in r.slices
    )
    head = ("slice", "of rows", "of the loss", "nats", "interval", "recalibrated by itself")
    return sheet.Table("Slices that lose most", head, rows)


def _review(r: Evaluation) -> sheet.Table:
    rows = tuple(
        (f"{row.row:,}", row.predicted, row.truth, number(row.probability), words.fixed(row.loss), percent(row.share))
        for row in r.review
    )
    note = f"The costliest 1 % of the rows hold {percent(r.concentration)} of the loss. Look for wrong labels first."
    head = ("row", "predicted", "truth", "probability", "loss", "of all")
    return sheet.Table("Rows for review", head, rows, note, names=3)
