"""`kullback evaluate PREDICTIONS`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kullback.cli.guard import EXCEEDED, guarded

Names = list[str]


@guarded
def evaluate(
    predictions: Annotated[str, typer.Argument(metavar="FILE", help="A table with truth and predictions.")],
    truth: Annotated[
        str | None, typer.Option(metavar="COLUMN|PATTERN", help="The truth; 't_*' for probabilities of each class.")
    ] = None,
    probs: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Columns of probabilities [default: p_*].")
    ] = None,
    logits: Annotated[str | None, typer.Option(metavar="PATTERN", help="Columns of logits instead.")] = None,
    log_probs: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Columns of log-probabilities instead.")
    ] = None,
    mean: Annotated[str | None, typer.Option(metavar="COLUMN", help="For a number: the mean of a normal.")] = None,
    std: Annotated[str | None, typer.Option(metavar="COLUMN", help="Its standard deviation.")] = None,
    samples: Annotated[str | None, typer.Option(metavar="PATTERN", help="For a number: columns of draws.")] = None,
    quantiles: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="For a number: columns of quantiles, q_0.05 and so on.")
    ] = None,
    vs: Annotated[
        str | None, typer.Option(metavar="FILE", help="Another model's predictions of the same rows.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Rows that share a value depend on each other.")
    ] = None,
    slices: Annotated[
        Names | None,
        typer.Option("--slice", metavar="COLUMN", help="Look for values that fare worse; may be repeated."),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(metavar="NAMES", help="What the prediction columns stand for, with commas, in order.")
    ] = None,
    normalise: Annotated[bool, typer.Option("--normalise", help="Divide rows by their sum.")] = False,  # noqa: FBT002  typer
    quick: Annotated[bool, typer.Option("--quick", help="Only the log-loss and its interval.")] = False,  # noqa: FBT002  typer
    html: Annotated[Path | None, typer.Option(help="Write a report that opens in a browser, one file.")] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write all numbers as JSON (- for stdout).")
    ] = None,
    recalibrator: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the recalibration map as JSON.")
    ] = None,
    fail_above: Annotated[
        Names | None, typer.Option(metavar="TERM=X", help="Exit with 1 if exceeded, such as reliability=0.02.")
    ] = None,
    top: Annotated[int, typer.Option(min=0, metavar="N", help="Slices and rows to show.")] = 8,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Limit of the engine, such as 200MB.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, metavar="N", help="Threads of the engine.")] = None,
    random_state: Annotated[int, typer.Option(metavar="SEED", help="Seed of folds and samples.")] = 0,
) -> int:
    """Split the loss of predictions: what nobody can remove, what recalibration removes, what needs a better model.

    FILE is Parquet, CSV, JSON lines or Arrow, a glob in quotes, or file.duckdb::table. What the * of a pattern matches
    names the class, so p_cat holds the probability of "cat".
    """
    from kullback.cli import write
    from kullback.cli.progress import bar
    from kullback.evaluation.limits import EVALUATION_TERMS, above, parse_limits

    limits = parse_limits(fail_above or [], EVALUATION_TERMS)
    targets = [p for p in (html, Path(json) if json not in (None, "-") else None, recalibrator) if p is not None]
    write.check_targets(targets, inputs=(predictions, vs))
    from kullback import show
    from kullback.evaluation import evaluate_table, log_loss_of_table

    shared: dict[str, Any] = {
        "truth": truth,
        "probs": probs,
        "normalise": normalise,
        "memory": memory,
        "threads": threads,
    }
    with bar("evaluating"):
        if quick:
            estimate = log_loss_of_table(predictions, clusters=cluster, **shared)
        else:
            result = evaluate_table(
                predictions,
                **shared,
                logits=logits,
                log_probs=log_probs,
                mean=mean,
                std=std,
                samples=samples,
                quantiles=quantiles,
                versus=vs,
                clusters=cluster,
                slices=tuple(slices or ()),
                classes=classes.split(",") if classes else None,
                random_state=random_state,
            )
    if quick:
        return _quick(estimate, json)
    files: dict[Path, str] = {}
    if html is not None:
        files[html] = show.page(result, command=shlex.join(["kullback", *sys.argv[1:]]))
    if json not in (None, "-"):
        files[Path(str(json))] = result.to_json() + "\n"
    if recalibrator is not None:
        files[recalibrator] = _map_of(result)
    write.write_files(files)
    if json == "-":
        typer.echo(result.to_json())
    else:
        from rich.console import Console

        from kullback.show.evaluation.table import EvaluationTable

        Console(highlight=False).print(EvaluationTable(result, top=top, written=tuple(files)))
    exceeded = above(result, limits)
    for name, value, limit in exceeded:
        typer.echo(f"kullback: {name} is {value:.6g}, above {limit:g}", err=True)
    return EXCEEDED if exceeded else 0


def _map_of(result: Any) -> str:
    import json

    from kullback.errors import InvalidInput

    if result.recalibrator is None:
        raise InvalidInput("there is no recalibration map to write: these are a regressor's predictions")
    return json.dumps(result.recalibrator.to_dict(), indent=2, ensure_ascii=False) + "\n"


def _quick(estimate: Any, json: str | None) -> int:
    from kullback.cli.write import write_files

    if json == "-":
        typer.echo(estimate.to_json())
        return 0
    if json is not None:
        write_files({Path(json): estimate.to_json() + "\n"})
    n = estimate.n[0]
    typer.echo(f"log-loss {estimate.value:.6f} nats [{estimate.low:.6f}, {estimate.high:.6f}], {n:,} rows")
    for note in estimate.notes:
        typer.echo(note)
    return 0
