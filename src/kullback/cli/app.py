"""`kullback`: the commands and what they share."""

from __future__ import annotations

from typing import Annotated

import typer

from kullback.cli import compare, diff_models, evaluate, explain, laws, trace

app = typer.Typer(
    name="kullback",
    help="How far one probability distribution is from another, where the difference sits, and how sure the number is.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 a threshold is exceeded, 2 unusable input or options, 130 interrupted.",
)


def _version(asked: bool) -> None:  # noqa: FBT001  typer calls it by position
    if asked:
        from kullback._version import __version__

        typer.echo(f"kullback {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command."""
    del version


app.command("compare")(compare.compare)
app.command("evaluate")(evaluate.evaluate)
app.command("diff-models")(diff_models.diff_models)
app.command("trace")(trace.trace)
app.command("explain")(explain.explain)
app.command("laws")(laws.laws)


def main() -> None:
    """Run the command line."""
    app()
