"""`evaluate` for tables: files, frames and relations, whose columns are named instead of handed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInput
from kullback.evaluation._evaluate import evaluate
from kullback.evaluation._forecasts import Gaussian, Quantiles
from kullback.evaluation._large import Query, over_all_rows, table_log_loss
from kullback.evaluation._table import Table, opened
from kullback.evaluation._truth import Coded
from kullback.forms import Logits, LogProbs, Samples
from kullback.result.estimate import Estimate
from kullback.result.evaluation import Evaluation

# Predictions of more numbers than this stay in the file (320 MB as float64); a sample of them is taken out.
_ENTRIES_IN_MEMORY = 40_000_000
_SAMPLE_ENTRIES = 10_000_000
_SAMPLE_ROWS = 1_000_000


def evaluate_table(
    source: Any,
    /,
    *,
    truth: str | None = None,
    probs: str | None = None,
    logits: str | None = None,
    log_probs: str | None = None,
    mean: str | None = None,
    std: str | None = None,
    samples: str | None = None,
    quantiles: str | None = None,
    versus: Any = None,
    clusters: str | None = None,
    slices: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    normalise: bool = False,
    level: float = 0.95,
    memory: str | None = None,
    threads: int | None = None,
    random_state: int = 0,
) -> Evaluation:
    """`evaluate` for a table: `source` is a path, glob, `file.duckdb::table`, frame or relation.

    Parameters
    ----------
    truth : str, optional
        The column of labels, or a pattern such as "t_*" of columns with the probability of each class. Default: the
        column named y, truth, label or target.
    probs, logits, log_probs : str, optional
        Pattern of the prediction columns, one of the three; default probs="p_*". What `*` matches names the class.
    mean, std, samples, quantiles : str, optional
        For a truth that is a number: the columns of a normal prediction's mean and standard deviation, or a pattern of
        columns of draws, or of quantiles, where `*` matches the level (q_0.05, q_0.5, …; also q_5, q_50 in percent).
    versus : optional
        Another table with the same rows in the same order, whose prediction columns match the same pattern.
    clusters, slices : names of columns
    memory, threads
        Limits of the engine. Predictions of more than 40 million numbers are not loaded: means are taken over all rows
        inside the engine, the recalibration ladder from a random sample.

    Other parameters are those of `evaluate`.

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> rng = np.random.default_rng(0)
    >>> p = rng.dirichlet([1, 1], size=400)
    >>> y = np.where(rng.random(400) < p[:, 0], "cat", "dog")
    >>> evaluate_table(pa.table({"y": y, "p_cat": p[:, 0], "p_dog": p[:, 1]})).classes
    ('cat', 'dog')
    """
    if mean or std or samples or quantiles:
        if probs or logits or log_probs:
            raise InvalidInput("predictions are given twice: of classes (--probs …) and of a number (--mean …)")
        asked = Asked(mean, std, samples, quantiles)
        tables = [source] if versus is None else [source, versus]
        with opened(*tables, memory=memory, threads=threads) as found:
            table = found[0]
            name = table.truth_column(truth)
            numbers = table.matrix([name])[:, 0]
            if versus is not None and name in found[1].types:
                _equal_numbers(numbers, found[1].matrix([name])[:, 0], found[1].label)
            labels = [t.label for t in found]
            result = evaluate(
                numbers,
                asked.read(table),
                versus=None if versus is None else asked.read(found[1]),
                clusters=None if clusters is None else table.coded(clusters),
                slices={c: table.coded(c, missing="(missing)") for c in slices},
                level=level,
                random_state=random_state,
            )
        return _labelled(result, labels[0], labels[-1])
    pattern, form = _pattern(probs, logits, log_probs)
    tables = [source] if versus is None else [source, versus]
    with opened(*tables, memory=memory, threads=threads) as found:
        table = found[0]
        columns = table.matching(pattern, "the prediction pattern")
        if classes is not None:
            columns = _renamed(columns, classes)
        names = [name for _, name in columns]
        n = table.count()
        if not n:
            raise InvalidInput(f"{table.label} has no rows")
        if n * len(columns) > _ENTRIES_IN_MEMORY:
            if form is not None or versus is not None or (truth and "*" in truth):
                raise InvalidInput(
                    f"{n:,} rows of {len(columns)} predictions do not fit into memory, and for such tables only "
                    f"--probs "
                    "with one column of labels is measured. Convert the predictions, or take a part of the rows."
                )
            return _large(
                table, truth, columns, clusters, slices, level=level, normalise=normalise, random_state=random_state
            )
        y: Any
        if truth is not None and "*" in truth:
            y = table.matrix(_in_order(table.matching(truth, "the truth pattern"), names))
        else:
            y = table.coded(table.truth_column(truth))
        matrix = table.matrix([c for c, _ in columns])
        if len(columns) == 1:
            names = _two_classes(names[0], y, columns[0][0])
        other = None
        if versus is not None:
            second = found[1].matching(pattern, "the prediction pattern")
            other = found[1].matrix(_in_order(second, [name for _, name in table.matching(pattern, "")]))
            if other.shape != matrix.shape:
                raise InvalidInput(
                    f"{table.label} has {n:,} rows and {found[1].label} {other.shape[0]:,}; expected the same"
                )
            _same_truth(table, found[1], truth, y)
        groups = None if clusters is None else table.coded(clusters)
        parts = {name: table.coded(name, missing="(missing)") for name in slices}
        label = table.label
        other_label = found[1].label if versus is not None else ""
    result = evaluate(
        y,
        matrix if form is None else form(matrix),
        versus=None if other is None else (other if form is None else form(other)),
        classes=names,
        clusters=groups,
        slices=parts,
        normalise=normalise,
        level=level,
        random_state=random_state,
    )
    return _labelled(result, label, other_label)


def log_loss_of_table(
    source: Any,
    /,
    *,
    truth: str | None = None,
    probs: str | None = None,
    clusters: str | None = None,
    normalise: bool = False,
    level: float = 0.95,
    memory: str | None = None,
    threads: int | None = None,
) -> Estimate:
    """Mean log-loss of a table with its interval, computed inside the engine: no row leaves the file.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log_loss_of_table(pa.table({"y": [0, 1], "p_0": [0.5, 0.5], "p_1": [0.5, 0.5]})).value
    0.6931471805599453
    """
    with opened(source, memory=memory, threads=threads) as (table,):
        columns = table.matching(probs or "p_*", "--probs")
        _several(columns)
        return table_log_loss(Query(table, table.truth_column(truth), columns, normalise=normalise), clusters, level)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which columns hold the prediction of a number."""

    mean: str | None
    std: str | None
    samples: str | None
    quantiles: str | None

    def read(self, table: Table) -> Any:
        """The forecast of a table."""
        given = [self.mean or self.std, self.samples, self.quantiles]
        if sum(g is not None for g in given) != 1:
            raise InvalidInput("name one of --mean with --std, --samples and --quantiles")
        if self.samples is not None:
            return Samples(table.matrix([c for c, _ in table.matching(self.samples, "--samples")]))
        if self.quantiles is not None:
            columns = table.matching(self.quantiles, "--quantiles")
            try:
                levels = np.array([float(name.lstrip("qp").rstrip("%").replace("_", ".")) for _, name in columns])
            except ValueError:
                raise InvalidInput(
                    f"columns {[c for c, _ in columns][:5]} do not say their levels; call them q_0.05, q_0.5 and so on"
                ) from None
            levels = levels / 100 if levels.max() >= 1 else levels
            order = np.argsort(levels)
            return Quantiles(levels[order], table.matrix([columns[j][0] for j in order]))
        if self.mean is None or self.std is None:
            raise InvalidInput("a normal prediction needs both --mean and --std")
        return Gaussian(*table.matrix([self.mean, self.std]).T)


def _equal_numbers(ours: NDArray[Any], theirs: NDArray[Any], label: str) -> None:
    if ours.shape != theirs.shape or (ours != theirs).any():
        raise InvalidInput(f"{label} does not hold the same truth in the same order")


def _pattern(probs: str | None, logits: str | None, log_probs: str | None) -> tuple[str, Any]:
    given = [(p, form) for p, form in ((probs, None), (logits, Logits), (log_probs, LogProbs)) if p is not None]
    if len(given) > 1:
        raise InvalidInput("predictions are given twice: name one of --probs, --logits and --log-probs")
    return given[0] if given else ("p_*", None)


def _large(
    table: Table,
    truth: str | None,
    columns: list[tuple[str, str]],
    clusters: str | None,
    slices: Sequence[str],
    *,
    level: float,
    normalise: bool,
    random_state: int,
) -> Evaluation:
    y = table.truth_column(truth)
    _several(columns)
    query = Query(table, y, columns, normalise=normalise)
    seen = query.run(clusters)
    share = min(1.0, max(20_000, min(_SAMPLE_ROWS, _SAMPLE_ENTRIES // len(columns))) / seen.n)
    sampled = table.sampled(
        [y, *(c for c, _ in columns), *([clusters] if clusters else []), *slices], share, random_state
    )
    sample = evaluate(
        sampled.coded(y),
        sampled.matrix([c for c, _ in columns]),
        classes=[name for _, name in columns],
        clusters=sampled.coded(clusters) if clusters else None,
        slices={name: sampled.coded(name, missing="(missing)") for name in slices},
        normalise=normalise,
        level=level,
        random_state=random_state,
    )
    return _labelled(over_all_rows(sample, seen, query.costliest(seen.loss * seen.n), level), table.label, "")


def _several(columns: list[tuple[str, str]]) -> None:
    if len(columns) < 2:
        raise InvalidInput(
            f"one column of predictions, {columns[0][0]!r}; inside the engine a column per class is needed, of two "
            "classes both"
        )


def _two_classes(name: str, y: Any, column: str) -> list[str]:
    """What one column of probabilities stands for: the class that its name says, or 1 of 0 and 1, and the other one."""
    levels = list(y.levels) if isinstance(y, Coded) else []
    for no, yes in (("0", "1"), ("false", "true"), ("False", "True")):
        if set(levels) <= {no, yes}:
            return [no, yes]
    others = [level for level in levels if level != name]
    if name in levels and len(others) <= 1:
        return [others[0] if others else f"not {name}", name]
    raise InvalidInput(
        f"one column of predictions, {column!r}, for the labels {levels[:8]}: expected a column per class, or one with "
        "the probability of class 1 of 0 and 1, or called for one of two classes as p_cat is"
    )


def _labelled(result: Evaluation, label: str, other: str) -> Evaluation:
    versus = replace(result.versus, name=other) if result.versus is not None else None
    return replace(result, source=label, versus=versus)


def _renamed(columns: list[tuple[str, str]], classes: Sequence[str]) -> list[tuple[str, str]]:
    if len(classes) != len(columns):
        raise InvalidInput(f"{len(classes)} classes named for {len(columns)} columns of predictions")
    return [(c, str(name)) for (c, _), name in zip(columns, classes, strict=True)]


def _in_order(columns: list[tuple[str, str]], names: list[str]) -> list[str]:
    """Columns in the order of the classes."""
    by_name = {name: c for c, name in columns}
    if set(by_name) != set(names):
        raise InvalidInput(f"different classes: {sorted(names)[:12]} and {sorted(by_name)[:12]}")
    return [by_name[name] for name in names]


def _same_truth(table: Table, other: Table, truth: str | None, y: Any) -> None:
    """Rows are paired by position: where both tables hold the truth, it must be the same in every row."""
    if not isinstance(y, Coded):
        return
    name = table.truth_column(truth)
    if name not in other.types:
        return
    theirs = other.coded(name)
    ours = np.array(y.levels)[y.codes]
    differs = ours != np.array(theirs.levels)[theirs.codes]
    if differs.any():
        raise InvalidInput(
            f"row {int(np.argmax(differs))} has another truth in {other.label} than in {table.label} "
            f"({int(differs.sum())} such rows): the two files do not hold the same rows in the same order"
        )
