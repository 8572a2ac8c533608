"""Many short rows, compiled in batches: whatever stands beside a row in its batch, its number is the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kullback as kb
from kullback.measures import _fast, _few, _some
from kullback.measures._numba import rows
from ways import MEASURES, check_no_worse, compiled_fixture, plainly, run  # noqa: F401  a fixture

KINDS = ["far", "near", "equal", "certain", "infinite", "empty", "tiny"]


def row(kind: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A pair of rows of one of the kinds that take different stages."""
    p, q = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n))
    at = int(rng.integers(n))
    if kind in ("near", "equal"):
        q = p * (1 + (1e-9 if kind == "near" else 0.0) * rng.uniform(-1, 1, n))
    if kind == "certain":
        p, q = p * 1e-7, q * 1e-9
        p[at] = q[at] = 1.0
    if kind == "infinite":
        q[at] = 0.0
    if kind == "empty":
        p[at] = 0.0
    if kind == "tiny" and n > 1:
        p[at], q[at] = 1e-310, 3e-309
    if n == 1:
        return np.ones(1), np.ones(1)
    return p / p.sum(), (p / p.sum() if kind == "equal" else q / q.sum())


@given(st.data(), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_neighbours_change_nothing(data: st.DataObject, n: int, seed: int) -> None:
    kinds = data.draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=12))
    rng = np.random.default_rng(seed)
    p, q = (np.stack(x) for x in zip(*(row(kind, n, rng) for kind in kinds), strict=True))
    scale = rng.integers(1, 1000, size=(len(p), 1)).astype(float)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fast, "MANY", 0)
        patch.setattr(_few, "MOST", -1)
        patch.setattr(_some, "MOST", -1)
        for measure in MEASURES:
            for form, x, y in ((kb.Probs, p, q), (kb.Counts, p * scale, q)):
                together = run(measure, form(x), form(y))
                alone = np.stack([run(measure, form(a), form(b)) for a, b in zip(x, y, strict=True)])
                assert np.array_equal(together, alone), (measure, kinds, together, alone)
                spread = run(measure, form(np.repeat(x, 2, axis=0)[::2]), form(y))
                np.testing.assert_allclose(spread, together, rtol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [2, 3, 10, 33, 100])
def test_every_kind_is_no_worse_than_the_formula(compiled: list[str], kind: str, n: int) -> None:
    p, q = row(kind, n, np.random.default_rng(n))
    for measure in MEASURES:
        check_no_worse(measure, p, q)
        check_no_worse(measure, p * 37.0, q, kb.Counts)
    assert compiled == [m for m in MEASURES for _ in range(2)]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("n", [2, 10, 100, 384, 385])
def test_counts_of_any_dtype(compiled: list[str], measure: str, dtype: Any, n: int) -> None:
    x, y = np.random.default_rng(n).integers(0, 50, size=(2, 700, n)).astype(dtype)
    x[:, 0] += 1
    y[:, -1] += 1
    got = run(measure, kb.Counts(x), kb.Counts(y))
    want = plainly(lambda: run(measure, kb.Counts(x), kb.Counts(y)))
    np.testing.assert_allclose(got, want, rtol=1e-14 if dtype is not np.float32 else 2e-7)
    assert compiled == [measure]


@pytest.mark.parametrize("n", [1, 2, 8, 100, 384])
@pytest.mark.parametrize("many", [1, 5, 3000])
def test_one_model_for_many_rows(compiled: list[str], n: int, many: int) -> None:
    rng = np.random.default_rng(n)
    p, q = rng.dirichlet(np.ones(n), size=many), rng.dirichlet(np.ones(n))
    for x, y in [(p, q), (q, p), (p[:, None], p[:3])]:
        got = kb.kl_divergence(x, y)
        np.testing.assert_allclose(got, plainly(lambda x=x, y=y: kb.kl_divergence(x, y)), rtol=1e-14, atol=1e-300)
    assert compiled == ["kl_divergence"] * 3


def test_a_bad_row_in_the_last_batch_is_found(compiled: list[str]) -> None:
    p = np.full((5000, 10), 0.1)
    for at, value, words in [((4999, 9), 0.2, "row 4999"), ((4990, 3), -0.1, r"p\[4990, 3\]"), ((0, 0), np.nan, "nan")]:
        bad = p.copy()
        bad[at] = value
        with pytest.raises(kb.InvalidDistribution, match=words):
            kb.kl_divergence(bad, p)
        with pytest.raises(kb.InvalidDistribution):
            kb.cross_entropy(p, bad)
    assert compiled == []


def test_the_number_of_threads_changes_nothing(compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    p, q = np.random.default_rng(0).dirichlet(np.ones(10), size=(2, 60_000))
    answers = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        monkeypatch.setattr(rows, "TASK", 1 << 12)
        answers.append([run(m, form(p), form(q)).tobytes() for m in MEASURES for form in (kb.Probs, kb.Counts)])
    assert answers[0] == answers[1] == answers[2]
    assert len(compiled) == 24
