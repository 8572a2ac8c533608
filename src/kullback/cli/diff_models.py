"""`kullback diff-models A B`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from kullback.cli.guard import EXCEEDED, guarded

Names = list[str]


@guarded
def diff_models(
    base: Annotated[str, typer.Argument(metavar="A", help="The model P: logits, a trace, a .kld file, log-probs.")],
    other: Annotated[str, typer.Argument(metavar="B", help="The model Q that is held against it, on the same text.")],
    targets: Annotated[Path | None, typer.Option(metavar="FILE.npy", help="What came next at each position.")] = None,
    documents: Annotated[
        Path | None, typer.Option(metavar="FILE.npy", help="The document of each position, for clustered intervals.")
    ] = None,
    llama_compat: Annotated[  # noqa: FBT002  typer
        bool, typer.Option("--llama-compat", help="Print llama.cpp's statistics, digit for digit (A is a .kld file).")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write a report that opens in a browser, one file.")] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write all numbers as JSON (- for stdout).")
    ] = None,
    fail_above: Annotated[
        Names | None, typer.Option(metavar="MEASURE=X", help="Exit with 1 if exceeded, such as kl=0.02.")
    ] = None,
    top: Annotated[int, typer.Option(min=0, metavar="N", help="Groups and positions to show.")] = 5,
) -> int:
    """How far two language models are apart on the same text, how sure that is, and where they differ.

    A and B are logits (.npy, .npz, .safetensors, memory-mapped), traces (*.ktrace.safetensors), llama.cpp's .kld files,
    or JSON lines of log-probabilities as vLLM and OpenAI report them.
    """
    import numpy as np

    from kullback.cli import write
    from kullback.cli.progress import bar
    from kullback.errors import InvalidInput
    from kullback.evaluation.limits import COMPARISON_TERMS, above, parse_limits

    limits = parse_limits(fail_above or [], COMPARISON_TERMS)
    files = [p for p in (html, Path(json) if json not in (None, "-") else None) if p is not None]
    write.check_targets(files, inputs=(base, other))
    from kullback import show
    from kullback.evaluation import diff_models as measure

    columns = []
    for path in (targets, documents):
        try:
            columns.append(None if path is None else np.load(path, allow_pickle=False))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{path} cannot be read as .npy: {error}") from None
    with bar("comparing models"):
        result = measure(
            base, other, targets=columns[0], documents=columns[1], llama_compat=llama_compat, top=max(top, 20)
        )
    texts: dict[Path, str] = {}
    if html is not None:
        texts[html] = show.page(result, command=shlex.join(["kullback", *sys.argv[1:]]))
    if json not in (None, "-"):
        texts[Path(str(json))] = result.to_json() + "\n"
    write.write_files(texts)
    if json == "-":
        typer.echo(result.to_json())
    elif llama_compat:
        typer.echo(result.llama)
    else:
        from rich.console import Console

        from kullback.show.model_comparison.table import ModelComparisonTable

        Console(highlight=False).print(ModelComparisonTable(result, top=top, written=tuple(texts)))
    exceeded = above(result, limits)
    for name, value, limit in exceeded:
        typer.echo(f"kullback: {name} is {value:.6g}, above {limit:g}", err=True)
    return EXCEEDED if exceeded else 0
