"""The ways of one measure beside one another: plain, few, some and compiled; what a fast one is held to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import exact
import kullback as kb
from kullback.measures import _fast, _few, _some
from kullback.measures._numba import rows

MEASURES = ["kl_divergence", "js_divergence", "cross_entropy", "entropy"]
EPS = 2.0**-52


@pytest.fixture(name="compiled")
def compiled_fixture(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every array goes to the compiled loops; the list holds the measures that came back with an answer."""
    answered: list[str] = []
    inner = rows.measure

    def spy(name: str, *arguments: Any) -> Any:
        answer = inner(name, *arguments)
        if answer is not None:
            answered.append(name)
        return answer

    monkeypatch.setattr(rows, "measure", spy)
    monkeypatch.setattr(_fast, "MANY", 0)
    monkeypatch.setattr(_few, "MOST", -1)
    monkeypatch.setattr(_some, "MOST", -1)
    return answered


def plainly(call: Callable[[], Any]) -> Any:
    """The same call with no fast way open."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fast, "MANY", float("inf"))
        patch.setattr(_few, "MOST", -1)
        patch.setattr(_some, "MOST", -1)
        return call()


def run(measure: str, p: Any, q: Any, **options: Any) -> Any:
    return kb.entropy(p, **options) if measure == "entropy" else getattr(kb, measure)(p, q, **options)


def truth(measure: str, p: Any, q: Any) -> mp.mpf:
    P, Q = exact.of_masses(p), exact.of_masses(q)
    return exact.entropy(P) if measure == "entropy" else exact.PAIRWISE[measure](P, Q)


def check_no_worse(measure: str, p: Any, q: Any, form: Any = kb.Probs) -> None:
    """err_fast ≤ 2·err_plain + 4 eps, and at most 1e-14; a subnormal answer may be 4 units off."""
    fast = run(measure, form(p), form(q))
    plain = plainly(lambda: run(measure, form(p), form(q)))
    with mp.workdps(420):
        true = truth(measure, p, q)
        error, plain_error = exact.error(fast, true), exact.error(plain, true)
        tiny = 4 * EPS + (0.0 if mp.isinf(true) or true == 0 else float(mp.mpf(4 * 5e-324) / true))
    assert fast >= 0.0
    assert error <= 2 * plain_error + tiny, (measure, float(fast), float(plain), error, plain_error)
    assert error <= 1e-14 + tiny


def far(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n))
