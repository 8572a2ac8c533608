"""`kullback trace MODEL --text FILE -o OUT`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kullback.cli.guard import guarded


@guarded
def trace(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A local folder in Hugging Face's format, or a .gguf file.")
    ],
    text: Annotated[Path, typer.Option("--text", "--corpus", metavar="FILE", help="UTF-8 text, or JSON lines.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="NAME.ktrace.safetensors")],
    level: Annotated[str, typer.Option(metavar="LEVEL", help="score, sparse or full.")] = "sparse",
    following: Annotated[
        Path | None, typer.Option(metavar="TRACE", help="The base's sparse trace: score its tokens too.")
    ] = None,
    k: Annotated[int, typer.Option(min=1, help="Most probable tokens kept per position.")] = 64,
    draws: Annotated[int, typer.Option(min=0, help="Tokens drawn from the rest per position.")] = 8,
    window: Annotated[int, typer.Option(min=2, help="Tokens the model sees at once.")] = 512,
    stride: Annotated[int, typer.Option(min=1, help="How far the next window starts.")] = 256,
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    random_state: Annotated[int, typer.Option(metavar="SEED", help="Seed of the draws.")] = 0,
) -> int:
    """Record a causal language model on a text, for `kullback diff-models`. Downloads nothing; resumes after a kill."""
    from kullback.cli.progress import bar
    from kullback.cli.write import check_targets
    from kullback.evaluation import trace as record

    check_targets([output], inputs=(str(model), str(text), str(following)))
    with bar("tracing") as progress:
        record(
            model,
            text,
            output,
            level=level,
            k=k,
            draws=draws,
            window=window,
            stride=stride,
            following=following,
            device=device,
            dtype=dtype,
            random_state=random_state,
            progress=progress,
        )
    typer.echo(f"written: {output} ({output.stat().st_size:,} bytes)")
    return 0
