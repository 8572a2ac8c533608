"""The command: parse, call, show. Each command has a file of its own; nothing heavy is imported before one runs."""

from kullback.cli.app import main

__all__ = ["main"]
