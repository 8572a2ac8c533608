"""What the documentation shows is what the code does."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kullback

ROOT = Path(__file__).parents[1]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# Rooms whose libraries are slow to import run their examples in their own tests.
MODULES = [
    module.name
    for module in pkgutil.walk_packages(kullback.__path__, "kullback.")
    if not module.name.startswith(("kullback.losses", "kullback.learn", "kullback.cli"))
]


@pytest.fixture(autouse=True)
def _plain_numbers() -> object:
    """Scalars print as numbers, not as np.float64(…)."""
    with np.printoptions(legacy="1.25"):
        yield


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert failed == 0


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_readme_python(name: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, name, name, 0)
    failed, tried = doctest.DocTestRunner(optionflags=FLAGS).run(test)
    assert tried > 5
    assert failed == 0


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_function_has_an_example() -> None:
    without = [
        name
        for name in kullback.__all__
        if callable(value := getattr(kullback, name))
        and not isinstance(value, type)
        and ">>> " not in (value.__doc__ or "")
    ]
    assert not without
