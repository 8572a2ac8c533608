"""Showing results: terminal, plot, HTML. Takes results, never measures.

Each result class has a module (or package) here with the four functions `terminal`, `fragment`, `page`, `plot`.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from kullback.result.base import Result

# result class -> the module that shows it
_SHOWN_BY = {
    "Estimate": "estimate",
    "Explanation": "explanation",
    "Comparison": "comparison",
    "Contributions": "contributions",
    "LawReport": "law_report",
    "Evaluation": "evaluation",
    "ModelComparison": "model_comparison",
    "GeneratorEvaluation": "generator_evaluation",
}


def _module(result: Result) -> ModuleType:
    return importlib.import_module(f"kullback.show.{_SHOWN_BY[type(result).__name__]}")


def terminal(result: Result, **options: Any) -> Any:
    """A rich renderable."""
    return _module(result).terminal(result, **options)


def fragment(result: Result) -> str:
    """HTML for a notebook cell."""
    return str(_module(result).fragment(result))


def page(result: Result, **options: Any) -> str:
    """One self-contained HTML page."""
    return str(_module(result).page(result, **options))


def plot(result: Result, *, ax: Any = None) -> Any:
    """A matplotlib Axes."""
    return _module(result).plot(result, ax=ax)
