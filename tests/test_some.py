"""The way for some thousands of numbers: against the formula of its name and mpmath, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kullback as kb
import strategies
from kullback.measures import _few, _some
from ways import MEASURES, check_no_worse, far, plainly, run


@pytest.fixture(autouse=True)
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Nothing is done in plain Python; the list holds for each call whether this way answered."""
    answered: list[bool] = []
    inner = _some._told

    def spy(*arguments: Any) -> Any:
        answered.append(True)
        return inner(*arguments)

    monkeypatch.setattr(_few, "MOST", -1)
    monkeypatch.setattr(_some, "_told", spy)
    return answered


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("apart", [0.5, 1e-1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-12])
def test_nearly_equal(taken: list[bool], measure: str, apart: float) -> None:
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(300))
    q = p * (1 + apart * rng.uniform(-1, 1, 300))
    q /= q.sum()
    check_no_worse(measure, p, q)
    assert taken == [True]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("n", [1, 2, 65, 1000, 5000])
def test_far_and_empty(taken: list[bool], measure: str, n: int) -> None:
    p, q = far(n)
    check_no_worse(measure, p, q)
    if n > 2:
        p[: n // 4] = 0.0
        q[n // 8 : n // 3] = 0.0
        p, q = p / p.sum(), q / q.sum()
        check_no_worse(measure, p, q)
        both = np.where(q == 0.0, 0.0, p)
        check_no_worse(measure, both / both.sum(), q)
    assert taken


@given(strategies.groups(at_most=12))
def test_no_worse_than_the_formula(pair: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_few, "MOST", -1)
        for measure in MEASURES:
            check_no_worse(measure, *pair)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["rows", "columns", "middle", "broadcast", "sliced"]), st.booleans())
def test_layouts_bases_and_dtypes(seed: int, layout: str, single: bool) -> None:
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.ones(7), size=(2, 3, 4))
    axis = {"columns": 0, "middle": 1}.get(layout, -1)
    if axis != -1:
        p, q = np.moveaxis(p, -1, axis), np.moveaxis(q, -1, axis)
    if layout == "broadcast":
        q = q[:1, 2]
    if layout == "sliced":
        p, q = p[::-1, ::2], q[::-1, ::2]
    if single:
        p, q = p.astype(np.float32), q.astype(np.float32)
    for measure in MEASURES:
        for options in ({}, {"base": 2}, {"keepdims": True}, {"base": "hartleys", "keepdims": True}):
            got = run(measure, p, q, axis=axis, **options)
            want = plainly(lambda m=measure, o=options: run(m, p, q, axis=axis, **o))
            assert got.shape == want.shape
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, rtol=2e-7 if single else 4e-15)


@pytest.mark.parametrize("measure", MEASURES)
def test_nearly_certain(taken: list[bool], measure: str) -> None:
    for rest in (1e-3, 1e-9, 1e-15, 1e-200):
        p = np.array([rest, 1.0 - rest - rest / 3, rest / 3])
        q = np.array([rest / 2, 1.0 - rest, rest / 2])
        check_no_worse(measure, p, q)
    assert len(taken) == 4


@pytest.mark.parametrize("measure", MEASURES)
def test_mixed_dtypes_and_scalars(taken: list[bool], measure: str) -> None:
    p, q = far(100)
    got = run(measure, p.astype(np.float32) / p.astype(np.float32).sum(dtype=np.float64), q)
    assert type(got) is np.float64
    single = run(measure, (p.astype(np.float32)), q.astype(np.float32))
    assert type(single) is np.float32
    np.testing.assert_allclose(single, run(measure, p, q), rtol=1e-6)
    assert taken == [True] * 3


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(np.full((3, 70), 1 / 70 + 1e-6), id="sum"),
        pytest.param(np.where(np.arange(210).reshape(3, 70) == 100, -0.1, 1 / 70), id="negative"),
        pytest.param(np.where(np.arange(210).reshape(3, 70) == 100, np.nan, 1 / 70), id="nan"),
        pytest.param(np.where(np.arange(210).reshape(3, 70) == 100, np.inf, 1 / 70), id="inf"),
        pytest.param(np.full((3, 71), 1 / 71), id="other length"),
        pytest.param(np.full((4, 70), 1 / 70), id="other rows"),
        pytest.param(np.full((3, 0), 1.0), id="empty"),
    ],
)
def test_bad_input_is_refused_in_the_same_words(taken: list[bool], measure: str, bad: np.ndarray) -> None:
    good = np.full((3, 70), 1 / 70)
    if measure == "entropy" and bad.size and np.allclose(bad.sum(axis=-1), 1.0, atol=1e-9):
        return  # nothing is wrong with it alone
    for p, q in [(bad, good), (good, bad)][: 1 if measure == "entropy" else 2]:
        with pytest.raises(kb.InvalidDistribution) as fast:
            run(measure, p, q)
        with pytest.raises(kb.InvalidDistribution) as plain:
            plainly(lambda p=p, q=q: run(measure, p, q))
        assert str(fast.value) == str(plain.value)
    assert taken == []


def test_what_it_leaves_to_others(taken: list[bool]) -> None:
    p, q = far(100)
    for x, y in [(kb.Counts(p), kb.Counts(q)), (kb.LogProbs(np.log(p)), kb.LogProbs(np.log(q)))]:
        np.testing.assert_allclose(kb.kl_divergence(x, y), plainly(lambda: kb.kl_divergence(p, q)), rtol=1e-14)
    tiny = np.array([1e-300, 1.0])
    assert kb.kl_divergence(tiny, tiny[::-1]) == plainly(lambda: kb.kl_divergence(tiny, tiny[::-1]))
    assert taken == []
    kb.kl_divergence(p, q)
    assert taken == [True]


def test_the_input_is_not_written_to() -> None:
    p, q = far(100)
    p.setflags(write=False)
    q.setflags(write=False)
    for measure in MEASURES:
        run(measure, p, q)
