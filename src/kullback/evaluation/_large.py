"""One pass of the engine over all rows: what is a mean over rows needs no row to leave the file.

It serves the log-loss of a table by itself, and tables whose predictions would not fit into memory: there the means
come from all rows and the recalibration ladder from a sample of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidDistribution, InvalidInput
from kullback.evaluation._table import Table
from kullback.evaluation._truth import ROW_SUM_TOLERANCE, class_numbers
from kullback.result.estimate import Estimate
from kullback.result.evaluation import Evaluation, ReviewRow
from kullback.statistics.means import t_quantile

_CLIP = 1e-15


@dataclass(frozen=True, slots=True)
class Pass:
    """Sums over all rows: loss, Brier, accuracy, rows per class, rows ruled out."""

    n: int
    loss: float
    variance: float
    brier: float
    brier_variance: float
    accuracy: float
    infinite: int
    counts: NDArray[np.int64]
    clusters: int | None
    cluster_error: float

    @property
    def error(self) -> float:
        """Standard error of the mean loss."""
        return math.sqrt(self.variance / self.n) if self.clusters is None else self.cluster_error


class Query:
    """The expressions of a table of probabilities: the loss and what is needed to check the rows."""

    def __init__(self, table: Table, truth: str, columns: list[tuple[str, str]], *, normalise: bool) -> None:
        self.table, self.columns, self.truth = table, columns, truth
        self.classes = tuple(name for _, name in columns)
        K = len(columns)
        self.levels = table.rows(f"SELECT c0, count(*) FROM {table.selecting([truth])} GROUP BY c0 LIMIT {K + 1}")  # noqa: S608
        if not self.levels:
            raise InvalidInput(f"{table.label} has no rows")
        if any(level is None for level, _ in self.levels):
            raise InvalidInput(f"{table.label}: rows without a value in {truth!r}. Drop them first.")
        if len(self.levels) > K:
            raise InvalidInput(f"column {truth!r} has more than {K} values for {K} classes of the predictions")
        texts = [_text(level) for level, _ in self.levels]
        self.numbers = class_numbers(texts, np.arange(len(texts)), self.classes)
        p = [f"c{k + 1}" for k in range(K)]
        self.total = "(" + " + ".join(p) + ")"
        self.least = f"least({', '.join(p)})" if K > 1 else p[0]
        self.most = f"greatest({', '.join(p)})" if K > 1 else p[0]
        self.squares = "(" + " + ".join(f"{c}*{c}" for c in p) + ")"
        whens = " ".join(
            f"WHEN {_literal(level)} THEN {p[k]}" for (level, _), k in zip(self.levels, self.numbers, strict=True)
        )
        self.given = f"(CASE c0 {whens} END)"
        self.slack = math.inf if normalise else max(ROW_SUM_TOLERANCE, K * 2.0**-52)

    def rows(self, more: list[str]) -> str:
        """A subquery: q the probability of the truth, s, m, least mass, squares, then `more` columns as x0, x1, …."""
        names = [self.truth, *(c for c, _ in self.columns), *more]
        kept = "".join(f", c{len(self.columns) + 1 + i} AS x{i}" for i in range(len(more)))
        cast = ", ".join(f"c{k + 1}::DOUBLE AS c{k + 1}" for k in range(len(self.columns)))
        inner = f"(SELECT * REPLACE ({cast}) FROM {self.table.selecting(names)})"  # noqa: S608
        return (
            f"(SELECT {self.given} / {self.total} AS q, {self.total} AS s, {self.least} AS least, "  # noqa: S608
            f"{self.most} / {self.total} AS top, {self.squares} / ({self.total} * {self.total}) AS sq{kept} FROM "
            f"{inner})"
        )

    def run(self, cluster: str | None, *, brief: bool = False) -> Pass:
        """The pass over all rows; refuses rows that are no distributions. `brief`: the loss alone."""
        loss = f"-ln(greatest(q, {_CLIP}))"
        brier = "0.0" if brief else "sq - 2*q + 1"
        hit = "0" if brief else "(q >= top)::INT"
        source = self.rows([cluster] if cluster else [])
        sums = (
            f"count(*), avg({loss}), var_samp({loss}), avg({brier}), var_samp({brier}), avg({hit}), "
            f"count(*) FILTER (q <= 0), max(abs(s - 1)), min(least), count(*) FILTER (q IS NULL OR isnan(q))"
        )
        row = self.table.rows(f"SELECT {sums} FROM {source}")[0]  # noqa: S608
        n, mean = int(row[0]), float(row[1] if row[1] is not None else math.nan)
        if row[9]:
            raise InvalidDistribution(
                f"{self.table.label}: {row[9]} rows of predictions hold NaN or nothing. Drop them first."
            )
        if row[8] < 0:
            raise InvalidDistribution(
                f"{self.table.label}: a probability is {row[8]:.6g}; are these logits? Say --logits."
            )
        if row[7] > self.slack:
            raise InvalidDistribution(
                f"{self.table.label}: a row of predictions misses the sum 1 by {row[7]:.3g} (tolerance "
                f"{self.slack:.1e}). "
                "If they are rounded, say normalise=True (--normalise)."
            )
        groups, error = None, math.nan
        if cluster:
            inner = f"SELECT sum({loss} - {mean!r}) AS d FROM {source} GROUP BY x0"  # noqa: S608  a float's own digits
            found = self.table.rows(f"SELECT count(*), sum(d*d) FROM ({inner})")[0]  # noqa: S608
            groups = int(found[0])
            error = math.sqrt(groups / (groups - 1) * float(found[1])) / n if groups > 1 else math.nan
        counts = np.zeros(len(self.classes), dtype=np.int64)
        for (_, count), k in zip(self.levels, self.numbers, strict=True):
            counts[k] += count
        variance, brier_variance = float(row[2] or 0.0), float(row[4] or 0.0)
        return Pass(n, mean, variance, float(row[3]), brier_variance, float(row[5]), int(row[6]), counts, groups, error)

    def costliest(self, loss: float, most: int = 20) -> tuple[ReviewRow, ...]:
        """The rows whose truth had the least probability; `loss` is the sum over all rows."""
        listed = ", ".join(f"c{k + 1}" for k in range(len(self.columns)))
        # The position in the file is counted before sorting, and only the few rows that win are kept.
        numbered = (
            f"(SELECT {self.given} / {self.total} AS q, row_number() OVER () - 1 AS i, c0, "  # noqa: S608
            f"list_position([{listed}], {self.most}) AS top "
            f"FROM {self.table.selecting([self.truth, *(c for c, _ in self.columns)])})"
        )
        found = self.table.rows(f"SELECT i, q, c0, top FROM {numbered} ORDER BY q, i LIMIT {most}")  # noqa: S608
        out = []
        for i, q, truth, top in found:
            cost = math.inf if q <= 0 else -math.log(q)
            out.append(ReviewRow(int(i), _text(truth), self.classes[int(top) - 1], float(q), cost, cost / loss))
        return tuple(out)


def table_log_loss(query: Query, cluster: str | None, level: float) -> Estimate:
    """The log-loss of all rows with its interval."""
    p = query.run(cluster, brief=True)
    if p.infinite:
        rows = "1 row was" if p.infinite == 1 else f"{p.infinite} rows were"
        note = (f"{rows} ruled out; with zeros read as {_CLIP} it is {p.loss:.6g}",)
        return Estimate(math.inf, math.inf, math.inf, level, math.nan, "nats", "mean over rows", (p.n,), note)
    return _mean(
        p,
        p.loss,
        math.sqrt(p.variance / p.n) if p.clusters is None else p.cluster_error,
        level,
        "nats",
        "mean over rows",
    )


def over_all_rows(sample: Evaluation, p: Pass, review: tuple[ReviewRow, ...], level: float) -> Evaluation:
    """The report of a sample, with everything that is a mean over rows taken from all of them."""
    if p.infinite:
        raise InvalidInput(
            f"{p.infinite} rows were ruled out by the model and happened (probability 0): the log-loss is infinite. "
            f"For a "
            "report of so large a table take these rows apart first."
        )
    cross_entropy = _mean(p, p.loss, p.error, level, "nats", "mean over all rows")
    share = p.counts / p.n
    present = share[share > 0]
    entropy = -float(np.sum(present * np.log(present))) + (present.size - 1) / (2 * p.n)
    spread = math.sqrt(max(float(np.sum(present * np.log(present) ** 2)) - entropy**2, 0.0) / p.n)
    spread *= (
        max(1.0, p.error / math.sqrt(p.variance / p.n)) if p.variance > 0 else 1.0
    )  # clusters widen it as the loss
    uncertainty = _mean(p, entropy, spread, level, "nats", "entropy of the class shares, all rows")
    reliability = sample.reliability
    value = uncertainty.value + reliability.value - cross_entropy.value
    # The sample's error dominates; adding the others as if independent errs on the wide side.
    error = math.hypot(sample.resolution.standard_error, p.error, spread)
    resolution = _mean(p, value, error, level, "nats", "uncertainty + reliability − cross-entropy")
    scores = dict(sample.scores)
    scores["accuracy"] = _mean(
        p, p.accuracy, math.sqrt(p.accuracy * (1 - p.accuracy) / p.n), level, "", "share of all rows"
    )
    scores["brier"] = _mean(p, p.brier, math.sqrt(p.brier_variance / p.n), level, "", "mean over all rows")
    for name in ("skill", "perplexity", "brier_uncertainty", "brier_resolution", "brier_reliability"):
        scores.pop(name, None)
    scores["perplexity"] = replace(
        cross_entropy,
        value=math.exp(p.loss),
        low=math.exp(cross_entropy.low),
        high=math.exp(cross_entropy.high),
        unit="",
    )
    saved = sample.cross_entropy.value - sample.recalibrated.value
    recalibrated = _mean(
        p, p.loss - saved, sample.recalibrated.standard_error, level, "nats", "all rows, less the sample's gain"
    )
    note = f"{sample.n:,} of {p.n:,} rows, drawn at random, measured reliability, ladder and slices; all rows the rest"
    return replace(
        sample,
        n=p.n,
        clusters=p.clusters,
        cross_entropy=cross_entropy,
        uncertainty=uncertainty,
        resolution=resolution,
        recalibrated=recalibrated,
        scores=scores,
        review=review,
        notes=(note, *sample.notes),
    )


def _mean(p: Pass, value: float, error: float, level: float, unit: str, method: str) -> Estimate:
    degrees = p.n - 1 if p.clusters is None else p.clusters - 1
    half = t_quantile(level, degrees) * error
    n = (p.n,) if p.clusters is None else (p.n, p.clusters)
    return Estimate(value, value - half, value + half, level, error, unit, method, n)


def _text(level: Any) -> str:
    text = str(level)
    return text[:-2] if text.endswith(".0") and text[:-2].lstrip("-").isdigit() else text


def _literal(level: Any) -> str:
    """A label as SQL: numbers as they are, everything else as quoted text."""
    if isinstance(level, bool):
        return str(level)
    if isinstance(level, (int, float)):
        return repr(level)
    return "'" + str(level).replace("'", "''") + "'"
