"""Fixtures and Hypothesis profiles shared by all rooms."""

from __future__ import annotations

import os
from typing import Any

import hypothesis
import numpy as np
import pytest

hypothesis.settings.register_profile("dev", max_examples=50, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("deep", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


def namespaces() -> list[Any]:
    """Every array library that the measures are proven on."""
    import array_api_compat.torch
    import array_api_strict
    import jax
    import jax.numpy

    jax.config.update("jax_enable_x64", True)
    return [
        pytest.param(np, id="numpy"),
        pytest.param(array_api_compat.torch, id="torch"),
        pytest.param(jax.numpy, id="jax"),
        pytest.param(array_api_strict, id="strict"),
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "xp" in metafunc.fixturenames:
        metafunc.parametrize("xp", namespaces())
