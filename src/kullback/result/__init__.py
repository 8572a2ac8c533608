"""Result classes: frozen dataclasses that hold numbers only."""

from kullback.result.base import Result

__all__ = ["Result"]
