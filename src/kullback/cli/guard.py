"""Exit codes: what goes wrong for a reason that the user can mend is one line on stderr, never a traceback."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec

import typer

from kullback.errors import InvalidDistribution, InvalidForm, InvalidInput, MissingExtra, NoClosedForm

EXCEEDED, UNUSABLE, INTERRUPTED = 1, 2, 130

P = ParamSpec("P")


def guarded(command: Callable[P, int]) -> Callable[P, None]:
    """A command that returns its exit code, with the errors of ours and of the disk turned into one line and code 2."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
            sys.stdout.flush()
        except (InvalidInput, InvalidDistribution, InvalidForm, MissingExtra, NoClosedForm) as error:
            code = _say(str(error))
        except BrokenPipeError:  # the reader of a pipe has seen enough, and Python should not try to flush again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = UNUSABLE
        except OSError as error:
            code = _say(f"{error.filename or 'output'}: {error.strerror or error}")
        except MemoryError:
            code = _say("memory does not suffice. Allow the engine less (--memory 500MB) so that it spills to disk.")
        except KeyboardInterrupt:
            typer.echo("kullback: interrupted", err=True)
            code = INTERRUPTED
        raise typer.Exit(code)

    return run


def _say(message: str) -> int:
    from kullback.show.text import visible

    line = " ".join(message.split())  # one line, whatever a library put into its message
    typer.echo(f"kullback: {visible(line, limit=2000)}", err=True)
    return UNUSABLE
