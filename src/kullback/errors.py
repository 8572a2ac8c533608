"""What kullback raises: each says what was got, what was expected and the way out."""

from __future__ import annotations

import importlib
from types import ModuleType


class InvalidDistribution(ValueError):
    """The values given cannot be the distribution they were said to be."""


class InvalidForm(TypeError):
    """The kinds of input given do not go together, or not with this function."""


class InvalidInput(ValueError):
    """A file, table, column or option that cannot be used."""


class NoClosedForm(NotImplementedError):
    """No exact route leads from this pair to an answer; the message names the routes that do."""


class MissingExtra(ImportError):
    """A library that this function needs is not installed."""


def need(module: str, extra: str | None = None) -> ModuleType:
    """Import an optional library, or say how to get it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and not module.startswith(error.name):
            raise
        package = f"'kullback[{extra}]'" if extra else module
        msg = f"{module} is not installed. Install it: pip install {package}"
        raise MissingExtra(msg) from None
