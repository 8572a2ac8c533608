"""Distributions of other libraries, looked at without importing any: exact types only, else by log-density."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from kullback.families.base import Family


def is_foreign(x: Any) -> bool:
    """Whether x is a distribution of a library that is already imported."""
    stats = sys.modules.get("scipy.stats")
    if stats is not None and (_is_frozen(x) or hasattr(x, "logpdf") or hasattr(x, "logpmf")):
        return type(x).__module__.startswith("scipy.stats") or _is_frozen(x)
    torch = sys.modules.get("torch.distributions")
    if torch is not None and isinstance(x, torch.Distribution):
        return True
    numpyro = sys.modules.get("numpyro.distributions")
    return numpyro is not None and isinstance(x, numpyro.Distribution)


def adapted(x: Any) -> Family | None:
    """The family that x is, or a stand-in that calls its log-density; None for what is no distribution."""
    torch = sys.modules.get("torch.distributions")
    if torch is not None and isinstance(x, torch.Distribution):
        return _by("adapt_torch", x)
    numpyro = sys.modules.get("numpyro.distributions")
    if numpyro is not None and isinstance(x, numpyro.Distribution):
        return _by("adapt_numpyro", x)
    if type(x).__module__.startswith("scipy.stats") or _is_frozen(x):
        return _by("adapt_scipy", x)
    if hasattr(x, "logpdf") or hasattr(x, "logpmf") or hasattr(x, "log_prob"):
        return _by("foreign", x)
    return None


def _by(module: str, x: Any) -> Family | None:
    found: Family | None = importlib.import_module(f"kullback.families.{module}").adapted(x)
    return found


def _is_frozen(x: Any) -> bool:
    infrastructure = sys.modules.get("scipy.stats._distn_infrastructure")
    return infrastructure is not None and isinstance(x, infrastructure.rv_frozen)
