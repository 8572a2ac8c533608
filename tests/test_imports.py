"""Imports point one way, and importing kullback is light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "kullback"
ROOMS = {"families", "samples", "tables", "losses", "learn", "evaluation"}
CORE = {
    "_version",
    "errors",
    "forms",
    "facts",
    "_special",
    "_double_double",
    "_keyed",
    "_values",
    "_sparse",
    "_door",
    "_pair",
    "_compile",
}

# package or module -> what it may import of kullback
ALLOWED: dict[str, set[str]] = {
    "_version": set(),
    "errors": set(),
    "facts": set(),
    "_special": set(),
    "_double_double": set(),
    "_special_scalar": {"_special"},
    "_special_lanes_numba": {"_special", "_compile", "_lanes_numba"},
    "_special_numba": {"_special", "_special_scalar", "_special_lanes_numba", "_compile"},
    "_compile": set(),
    "_lanes_numba": set(),
    "forms": {"errors"},
    "_keyed": {"errors"},
    "_values": {"errors", "forms"},
    "_sparse": {"errors", "forms", "_values"},
    "_door": {"errors", "forms", "_keyed", "_values", "_sparse"},
    "_pair": {"_door", "_double_double", "_special"},
    "measures": CORE | {"result", "measures"},
    "laws": CORE | {"measures", "result", "laws", "__init__"},
    # The display methods of result.base import show inside the method body: the one exception.
    "result": {"result", "show"},
    "show": {"_version", "result", "show", "errors"},
    "statistics": CORE | {"statistics", "result", "measures"},
    "verbs": CORE | ROOMS | {"measures", "result"},
    "cli": CORE | ROOMS | {"measures", "result", "show", "verbs", "laws", "cli", "statistics", "__init__"},
}
for room in ROOMS:
    ALLOWED[room] = CORE | {"measures", "result", "statistics", "laws", room}
ALLOWED["engine"] = {"errors", "engine"}
ALLOWED["learn"] |= {"families", "_lanes_numba"}
ALLOWED["evaluation"] |= {"families", "engine", "_lanes_numba"}
ALLOWED["tables"] |= {"engine"}
ALLOWED["samples"] |= {"families"}  # the likelihood of a sample under a family


def owner(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            modules = [node.module or ""]
            if node.module == "kullback":
                modules = [f"kullback.{alias.name}" for alias in node.names]
        for module in modules:
            parts = module.split(".")
            if parts[0] == "kullback":
                names.add(parts[1] if len(parts) > 1 else "__init__")
    return names


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_one_way(path: Path) -> None:
    if owner(path) == "__init__":
        return
    wrong = imported(ast.parse(path.read_text(encoding="utf-8"))) - ALLOWED[owner(path)]
    assert not wrong, f"{path.relative_to(SOURCE)} imports {sorted(wrong)}"


def fresh(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_import_brings_numpy_and_nothing_heavier() -> None:
    code = """
import json, sys
import numpy
before = set(sys.modules)
import kullback as kb
kb.kl_divergence([0.5, 0.5], [0.25, 0.75])
print(json.dumps(sorted({m.split('.')[0] for m in set(sys.modules) - before})))
"""
    heavy = {"scipy", "torch", "jax", "numba", "duckdb", "pyarrow", "pandas", "polars", "sklearn", "matplotlib", "rich",
             "typer", "jinja2", "array_api_compat"}  # fmt: skip
    assert heavy.isdisjoint(json.loads(fresh(code)))


def test_every_public_name_resolves_after_every_submodule_was_imported() -> None:
    code = """
import importlib, pkgutil
import kullback as kb
for module in pkgutil.walk_packages(kb.__path__, "kullback."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            if "kullback" in str(error) and "pip install" not in str(error):
                raise
for _ in range(2):
    for name in kb.__all__:
        value = getattr(kb, name)
        assert name == "__version__" or callable(value), (name, value)
print("resolved")
"""
    assert "resolved" in fresh(code)
