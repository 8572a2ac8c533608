"""The fast ways: every one against the formula of its name, and against mpmath where the formula is held to that."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import mpmath as mp
import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import exact
import kullback as kb
import strategies
from kullback._compile import _once
from kullback.measures import _fast, _few, _some
from kullback.measures._numba import rows
from ways import EPS, MEASURES, check_no_worse, compiled_fixture, far, plainly, run, truth  # noqa: F401  a fixture

# ---- right to the last bits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("form", [kb.Probs, kb.Counts])
@pytest.mark.parametrize("apart", [1e-2, 1e-4, 1e-6, 1e-8, 1e-12, 1e-15])
def test_nearly_equal(compiled: list[str], measure: str, form: Any, apart: float) -> None:
    rng = np.random.default_rng(0)
    p = np.maximum(rng.dirichlet(np.ones(1000)), 1e-7)
    p /= p.sum()
    q = p * (1 + apart * rng.standard_normal(1000).clip(-3, 3))
    q = q / q.sum() if form is kb.Probs else 3.7 * q
    check_no_worse(measure, p, q, form)
    assert compiled == [measure]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("form", [kb.Probs, kb.Counts])
@pytest.mark.parametrize(
    ("p", "q"),
    [
        pytest.param([0.5, 0.5], [1e-30, 1.0], id="tail 1e-30"),
        pytest.param([0.5, 0.5], [1e-300, 1.0], id="tail 1e-300"),
        pytest.param([0.5, 0.5], [5e-324, 1.0], id="p/q overflows"),
        pytest.param([1e-20, 1.0], [1e-18, 1.0], id="first-order term"),
        pytest.param([1e-310, 1.0], [1e-308, 1.0], id="subnormal"),
        pytest.param([1.0, 1e-300], [1.0, 1.0001e-300], id="near in the tail"),
        pytest.param([0.0, 0.25, 0.75], [0.25, 0.0, 0.75], id="disjoint zeros"),
        pytest.param([0.0, 0.25, 0.75], [0.25, 0.25, 0.5], id="zero in p"),
        pytest.param([0.0, 1.0], [0.0, 1.0], id="one category"),
        pytest.param([0.0, 1.0, 0.0], [1.0, 0.0, 0.0], id="apart"),
        pytest.param([1.0], [1.0], id="length 1"),
        pytest.param([1 - 2e-16, 2e-16], [1 - 1e-16, 1e-16], id="nearly certain"),
        pytest.param([0.5, 0.5, 0.0] * 20, [0.25, 0.75, 0.0] * 20, id="more than a step"),
    ],
)
def test_hard_masses(compiled: list[str], measure: str, form: Any, p: list[float], q: list[float]) -> None:
    x, y = np.array(p), np.array(q)
    if form is kb.Probs:
        x, y = x / x.sum(), y / y.sum()
    check_no_worse(measure, x, y, form)
    assert compiled == [measure]


def test_every_ratio(compiled: list[str]) -> None:
    # One odd category among many would hide in the sum: here each ratio is the whole answer. The ratios that round to
    # the next power of two are the hard ones.
    for y in [*np.linspace(0.3, 3.0, 40), *(1 + 10.0 ** np.linspace(-15, -1, 15)), 1e-200, 1e200]:
        p, q = np.array([0.7371, 1.0]), np.array([0.7371 * y, 1.0])
        for measure in MEASURES:
            check_no_worse(measure, p, q, kb.Counts)
    assert compiled.count("kl_divergence") == 57


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32])
def test_large_counts_nearly_proportional(compiled: list[str], dtype: Any) -> None:
    x = np.array([123_456_789, 587_654_321, 55_555_555], dtype=dtype)
    y = (3 * x.astype(np.float64) + np.array([1, -1, 2])).astype(np.int64 if dtype == np.int32 else dtype)
    for measure in MEASURES:
        got = run(measure, kb.Counts(x), kb.Counts(y))
        assert exact.error(got, truth(measure, x, y)) <= (1e-14 if dtype != np.float32 else 1e-6)
    assert set(compiled) == set(MEASURES)
    assert kb.kl_divergence(kb.Counts(x), kb.Counts(7 * x.astype(np.float64))) == 0.0


@given(strategies.groups(at_most=70))
def test_no_worse_than_the_formula(pair: tuple[np.ndarray, np.ndarray]) -> None:
    p, q = pair
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fast, "MANY", 0)
        patch.setattr(_few, "MOST", -1)
        patch.setattr(_some, "MOST", -1)
        for measure in MEASURES:
            check_no_worse(measure, p, q)
            check_no_worse(measure, p, q, kb.Counts)


@given(strategies.groups(at_most=12))
def test_few_categories_are_no_worse_than_the_formula(pair: tuple[np.ndarray, np.ndarray]) -> None:
    for measure in MEASURES:
        check_no_worse(measure, *pair)
        few = getattr(_few, measure)(*(x.tolist() for x in pair[: 1 if measure == "entropy" else 2]), -1)
        if min(x[x > 0].min() for x in pair) > 1e-280:  # the rest takes the formula
            assert few is None or few == run(measure, *pair)


@pytest.mark.parametrize("apart", [0.3, 1e-1, 1e-2, 1e-4, 1e-8, 1e-12])
def test_few_nearly_equal_categories(apart: float) -> None:
    rng = np.random.default_rng(8)
    p = rng.dirichlet(np.ones(10))
    q = p * (1 + apart * rng.uniform(-1, 1, 10))
    q /= q.sum()
    for measure in MEASURES:
        assert getattr(_few, measure)(*([p] if measure == "entropy" else [p, q]), -1) == run(measure, p, q)
        check_no_worse(measure, p, q)


def test_few_categories_take_the_short_way() -> None:
    p, q = far(10)
    for measure in MEASURES:
        assert getattr(_few, measure)(*([p] if measure == "entropy" else [p, q]), -1) is not None
        assert type(run(measure, p, q)) is np.float64


@pytest.mark.parametrize("measure", MEASURES)
def test_identical_input(compiled: list[str], measure: str) -> None:
    p, _ = far(1000)
    for form in (kb.Probs, kb.Counts):
        got = run(measure, form(np.stack([p, p])), form(np.stack([p, p])))
        if measure in ("kl_divergence", "js_divergence"):
            assert np.array_equal(got, [0.0, 0.0])
    np.testing.assert_allclose(kb.cross_entropy(p, p), kb.entropy(p), rtol=1e-15)
    assert len(compiled) == 4


# ---- layouts, dtypes, sizes ---------------------------------------------------------------------------------------


def layouts(p: np.ndarray) -> dict[str, tuple[np.ndarray, int]]:
    """The same rows (20, 300) lying differently in memory, and the axis of their categories."""
    wide = np.zeros((40, 600))
    wide[::2, ::2] = p
    back = np.ascontiguousarray(p[::-1, ::-1])
    return {
        "C": (p, -1),
        "Fortran": (np.asfortranarray(p), -1),
        "transposed": (np.ascontiguousarray(p.T), 0),
        "sliced": (wide[::2, ::2], -1),
        "reversed": (back[::-1, ::-1], 1),
        "read-only": (np.frombuffer(p.tobytes()).reshape(p.shape), -1),
        "middle": (np.ascontiguousarray(p.reshape(4, 5, 300).swapaxes(1, 2)), 1),
        "split": (wide.reshape(2, 20, 600)[:, ::2, ::2], -1),
    }


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("form", [kb.Probs, kb.Counts])
@pytest.mark.parametrize("layout", ["C", "Fortran", "transposed", "sliced", "reversed", "read-only", "middle", "split"])
def test_layouts(compiled: list[str], measure: str, form: Any, layout: str) -> None:
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(300), size=20), rng.dirichlet(np.ones(300), size=20)
    x, axis = layouts(p)[layout]
    for other in ("C", layout):
        y = layouts(q)[layout][0] if other == layout else q.reshape(np.moveaxis(x, axis, -1).shape)
        y = y if other == layout else np.moveaxis(y, -1, axis)
        got = run(measure, form(x), form(y), axis=axis)
        np.testing.assert_allclose(got.ravel(), plainly(lambda: run(measure, form(p), form(q))), rtol=1e-14)
        kept = run(measure, form(x), form(y), axis=axis, keepdims=True, base=2)
        assert kept.ndim == x.ndim
        np.testing.assert_allclose(kept.ravel() * np.log(2), got.ravel(), rtol=1e-15)
    assert compiled == [measure] * 4


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("n", [1, 2, 3, 31, 32, 33, 100, 4095, 4096, 4097, 10_000])
def test_lengths(compiled: list[str], measure: str, n: int) -> None:
    rng = np.random.default_rng(n)
    p, q = rng.dirichlet(np.ones(n), size=3), rng.dirichlet(np.ones(n), size=3)
    got = run(measure, p, q)
    np.testing.assert_allclose(got, plainly(lambda: run(measure, p, q)), rtol=1e-14, atol=1e-300)
    turned = run(measure, np.asfortranarray(p), np.asfortranarray(q))
    np.testing.assert_allclose(turned, got, rtol=1e-14, atol=1e-300)
    assert compiled == [measure] * 2


@pytest.mark.parametrize("measure", MEASURES)
def test_float32_and_mixed(compiled: list[str], measure: str) -> None:
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(100), size=8).astype(np.float32)
    q = (p * (1 + 1e-3 * rng.standard_normal(p.shape))).astype(np.float32)
    q /= q.sum(axis=-1, keepdims=True)
    got = run(measure, p, q)
    assert got.dtype == np.float32
    want = [float(truth(measure, a, b)) for a, b in zip(p, q, strict=True)]
    np.testing.assert_allclose(got, want, rtol=1e-6)
    mixed = run(measure, kb.Counts(p), kb.Counts(q.astype(np.float64)))
    assert mixed.dtype == (np.float32 if measure == "entropy" else np.float64)
    np.testing.assert_allclose(mixed, want, rtol=1e-6 if measure == "entropy" else 1e-14)
    assert compiled == [measure] * 2


@pytest.mark.parametrize("measure", ["kl_divergence", "js_divergence", "cross_entropy"])
def test_broadcasting_and_mixed_forms(compiled: list[str], measure: str) -> None:
    rng = np.random.default_rng(3)
    p, q = rng.dirichlet(np.ones(40), size=(3, 5)), rng.dirichlet(np.ones(40))
    counts = rng.integers(1, 100, size=(5, 40))
    for x, y in [(p, q), (q, p), (p, kb.Counts(counts)), (kb.Counts(counts), q), (p[:, :1], p[:1])]:
        got = run(measure, x, y)
        np.testing.assert_allclose(got, plainly(lambda x=x, y=y: run(measure, x, y)), rtol=1e-14)
    assert compiled == [measure] * 5


def test_many_axes_take_the_formula(compiled: list[str]) -> None:
    p = np.random.default_rng(4).dirichlet(np.ones(5), size=(4, 4, 4, 4))[::2, ::2, ::2, ::2]
    np.testing.assert_allclose(kb.entropy(p), plainly(lambda: kb.entropy(p.copy())), rtol=1e-14)
    assert compiled == []


# ---- what is refused ----------------------------------------------------------------------------------------------


def spoiled(what: str, p: np.ndarray) -> np.ndarray:
    p = p.copy()
    at = (len(p) // 2, p.shape[1] // 3)
    p[at] = {"nan": np.nan, "negative": -0.1, "inf": np.inf, "above": 7.5, "sum": p[at] + 1e-6, "minus inf": -np.inf}[
        what
    ]
    return p


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("what", ["nan", "negative", "inf", "above", "sum", "minus inf"])
@pytest.mark.parametrize("form", [kb.Probs, kb.Counts])
@pytest.mark.parametrize("layout", ["C", "F"])
def test_bad_input_is_refused_in_the_same_words(
    compiled: list[str], measure: str, what: str, form: Any, layout: str
) -> None:
    rng = np.random.default_rng(5)
    good = np.asarray(rng.dirichlet(np.ones(50), size=20), order=layout)
    bad = np.asarray(spoiled(what, good), order=layout)
    if form is kb.Counts and what in ("above", "sum"):
        return  # counts may be so
    pairs = [(bad, good)] if measure == "entropy" else [(bad, good), (good, bad)]
    for p, q in pairs:
        with pytest.raises(kb.InvalidDistribution) as fast:
            run(measure, form(p), form(q))
        with pytest.raises(kb.InvalidDistribution) as plain:
            plainly(lambda p=p, q=q: run(measure, form(p), form(q)))
        assert str(fast.value) == str(plain.value)
    assert compiled == []


def test_bad_counts(compiled: list[str]) -> None:
    for bad, words in [([[1, 2], [0, 0]], "no counts at all"), ([[1, 2], [1e308, 1e308]], "overflow")]:
        with pytest.raises(kb.InvalidDistribution, match=words):
            kb.kl_divergence(kb.Counts(np.array(bad)), kb.Counts([[1, 2], [3, 4]]))
    assert compiled == []


def test_validate_false_measures_what_it_was_given(compiled: list[str]) -> None:
    p, q = np.array([0.5, 0.4]), np.array([0.2, 0.2])
    assert kb.kl_divergence(p, q, validate=False) == plainly(lambda: kb.kl_divergence(p, q, validate=False))


@pytest.mark.parametrize("bad", [[0.5, -0.5, 1.0], [0.5, 0.4], [float("nan"), 1.0], [0.7, 0.7], [], [True, False]])
def test_few_bad_categories_are_refused_in_the_same_words(bad: list[Any]) -> None:
    good = [1.0 / max(1, len(bad))] * len(bad)
    for call in (lambda: kb.kl_divergence(bad, good), lambda: kb.js_divergence(good, bad), lambda: kb.entropy(bad)):
        with pytest.raises((kb.InvalidDistribution, kb.InvalidForm)) as fast:
            call()
        with pytest.raises((kb.InvalidDistribution, kb.InvalidForm)) as plain:
            plainly(call)
        assert str(fast.value) == str(plain.value)


# ---- threads, processes, memory -----------------------------------------------------------------------------------


def test_long_rows_and_the_number_of_threads(compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    p, q = rng.random((2, 1 << 20)), rng.random((2, 1 << 20))
    p /= p.sum(axis=1, keepdims=True)
    q /= q.sum(axis=1, keepdims=True)
    many = p.reshape(2048, 1024), q.reshape(2048, 1024)
    answers = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        long = [run(m, form(p), form(q)) for m in MEASURES for form in (kb.Probs, kb.Counts)]
        wide = [run(m, kb.Counts(many[0]), kb.Counts(many[1])) for m in MEASURES]
        strided = [
            run(m, kb.Counts(np.stack([p[0], p[0]], -1)), kb.Counts(np.stack([q[0], q[0]], -1)), axis=0)
            for m in MEASURES
        ]
        answers.append([x.tobytes() for x in (*long, *wide, *strided)])
    assert answers[0] == answers[1] == answers[2]
    for got, measure in zip(long[::2], MEASURES, strict=True):
        np.testing.assert_allclose(got, plainly(lambda m=measure: run(m, p, q)), rtol=1e-14)
    for got, measure in zip(strided, MEASURES, strict=True):
        np.testing.assert_allclose(
            got[0], plainly(lambda m=measure: run(m, kb.Counts(p[0]), kb.Counts(q[0]))), rtol=1e-14
        )


def test_an_error_in_a_thread_reaches_the_caller() -> None:
    def work(i: int) -> None:
        if i == 3:
            raise MemoryError(i)

    with pytest.raises(MemoryError):
        rows.in_threads(work, 8)


def test_calls_from_many_threads() -> None:
    p, q = far(1 << 17)
    want, got = kb.kl_divergence(p, q), [0.0] * 8

    def call(i: int) -> None:
        got[i] = kb.kl_divergence(p, q)

    helpers = [threading.Thread(target=call, args=(i,)) for i in range(8)]
    for helper in helpers:
        helper.start()
    for helper in helpers:
        helper.join()
    assert got == [want] * 8


FORK = """
import multiprocessing
import numpy as np
import kullback as kb

def kl(n):
    p, q = np.random.default_rng(0).dirichlet(np.ones(n), size=2)
    return float(kb.kl_divergence(p, q))

want = kl(1 << 17)  # the threads of this call are gone again
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.apply_async(kl, (1 << 17,)).get(timeout=60) == want)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_after_a_fork() -> None:
    # In a process of its own: other libraries of this one may not outlive a fork.
    told = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=False)
    assert told.stdout.strip() == "True", told.stderr


def test_numba_that_does_not_work_leaves_the_formula() -> None:
    code = "import numpy as np, kullback as kb; p = np.full((700, 100), 0.01); print(kb.entropy(p)[0])"
    told = subprocess.run(
        [sys.executable, "-c", "import sys; sys.modules['numba'] = None\n" + code],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert float(told.stdout) == pytest.approx(np.log(100), rel=1e-15), told.stderr
    off = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=off)
    assert float(told.stdout) == pytest.approx(np.log(100), rel=1e-15), told.stderr


def test_numba_is_imported_for_many_numbers_only() -> None:
    code = """
import sys, numpy as np, kullback as kb
p = np.full((700, 100), 0.01)
kb.kl_divergence(p, p) if len(sys.argv) > 1 else kb.kl_divergence(p[:300], p[:300])
print("numba" in sys.modules)
"""
    for argument, want in (([], "False"), (["many"], "True")):
        told = subprocess.run([sys.executable, "-c", code, *argument], capture_output=True, text=True, check=True)
        assert told.stdout.strip() == want


def test_temporaries_stay_below_a_mebibyte() -> None:
    import tracemalloc

    p, q = far(1 << 21)
    layouts_of = [(p, q, -1), (p.reshape(-1, 512), q.reshape(-1, 512), 0), (p.astype(np.float32), q, -1)]
    for measure in MEASURES:
        for x, y, axis in layouts_of:
            run(measure, kb.Counts(x), kb.Counts(y), axis=axis)
            tracemalloc.start()
            got = run(measure, kb.Counts(x), kb.Counts(y), axis=axis)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak - got.nbytes < 1 << 20


def test_the_cache_can_be_unwritable(tmp_path: Path) -> None:
    # numba looks for a folder beside the source and then in the user's home; with neither it must compile in memory.
    code = "from kullback._compile import compiled\nimport numba.core.caching as c\n"
    code += "c.CacheImpl._locator_classes = []\nc.FunctionCache._impl_class._locator_classes = []\n"
    code += "print(compiled()(abs.__class__ and (lambda x: x + 1))(1))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.stdout.strip() == "2", told.stderr


def test_a_constant_argument_is_compiled_as_any_other() -> None:
    inner = _once(numba.njit(lambda n: n + 1))
    outer = numba.njit(lambda n: inner(n) + inner(1) + inner(0))
    assert outer(3) == 7
    assert len(inner.signatures) == 1


# ---- logits -------------------------------------------------------------------------------------------------------


@pytest.fixture
def logits_compiled(monkeypatch: pytest.MonkeyPatch, compiled: list[str]) -> list[str]:
    inner = rows.measure_logits

    def spy(*arguments: Any) -> Any:
        answer = inner(*arguments)
        if answer is not None:
            compiled.append("logits")
        return answer

    monkeypatch.setattr(rows, "measure_logits", spy)
    return compiled


def check_logits(a: np.ndarray, b: np.ndarray) -> None:
    fast = kb.kl_divergence(kb.Logits(a), kb.Logits(b))
    plain = plainly(lambda: kb.kl_divergence(kb.Logits(a), kb.Logits(b)))
    with mp.workdps(420):
        true = exact.kl_divergence(exact.of_logits(a), exact.of_logits(b))
        error, plain_error = exact.error(fast, true), exact.error(plain, true)
        if true < 1e-290:  # no normal float
            return
    tiny = 8 * EPS if a.dtype == np.float64 else 1.2e-7
    assert fast >= 0.0
    assert error <= 2 * plain_error + tiny, (float(fast), float(plain), error, plain_error)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("apart", [3.0, 1e-1, 1e-2, 1e-4, 1e-8, 1e-12])
def test_logits_nearly_equal(logits_compiled: list[str], dtype: Any, apart: float) -> None:
    rng = np.random.default_rng(1)
    a = (3 * rng.standard_normal(5000)).astype(dtype)
    check_logits(a, (a + apart * rng.standard_normal(5000)).astype(dtype))
    check_logits(a, (a + apart * (np.arange(5000) == np.argmax(a))).astype(dtype))  # the mode alone moves
    check_logits(a, (a + apart * (np.arange(5000) != np.argmax(a))).astype(dtype))
    assert logits_compiled == ["logits"] * 3


@pytest.mark.parametrize(
    ("a", "b"),
    [
        pytest.param([1e6, 1e6 + 1, 1e6 + 2], [1e6, 1e6 + 1.5, 1e6 + 2], id="offset 1e6"),
        pytest.param([1e8, 1e8 + 1, 1e8 + 2], [1e8, 1e8 + 1 + 1e-6, 1e8 + 2], id="offset 1e8"),
        pytest.param([0, -700], [0, -690], id="2.2e-300"),
        pytest.param([0, -40, -45], [0, -41, -45], id="nearly certain"),
        pytest.param([0, 0, -300], [0, -300, 0], id="far"),
        pytest.param([0, -np.inf, 1, -np.inf], [0.5, 0, 1, -np.inf], id="p masked"),
        pytest.param([0, -np.inf, 1], [0.5, -np.inf, 1.25], id="both masked"),
        pytest.param([0, -1e9, 1], [0.5, -1e9, 1.25], id="both masked by a number"),
        pytest.param([0, -2, 1], [0.5, -np.inf, 1.25], id="q masked"),
        pytest.param([0, -2, 1], [0.5, 0, -np.inf], id="q masked at the mode"),
        pytest.param([1e8, -np.inf, 1e8, 1e8 + 1], [0, 2.06, 0.7, 0.1], id="one of them at offset 1e8"),
        pytest.param([0.3, -2.1, 0.7], [1e5 + 0.3, 1e5 - 2, 1e5 + 0.75], id="the other at offset 1e5"),
        pytest.param([3.0], [5.0], id="length 1"),
        pytest.param([5.0, 5.0], [7.0, 7.0], id="shifted ties"),
    ],
)
def test_hard_logits(logits_compiled: list[str], a: list[float], b: list[float]) -> None:
    check_logits(np.array(a, dtype=float), np.array(b, dtype=float))
    check_logits(np.array(a * 20, dtype=float), np.array(b * 20, dtype=float))
    assert logits_compiled == ["logits"] * 2


@pytest.mark.parametrize(("a", "b"), [([0, 1e4, -1e4], [1e4, 0, -1e4]), ([0, 0], [0, -1e5]), ([0, -2e3], [-2e3, 0])])
def test_logits_too_far_apart_take_the_formula(logits_compiled: list[str], a: list[float], b: list[float]) -> None:
    check_logits(np.array(a, dtype=float), np.array(b, dtype=float))


@given(st.data(), st.integers(1, 40))
def test_logits_no_worse_than_the_formula(data: st.DataObject, n: int) -> None:
    a = data.draw(strategies.logits(n))
    near = data.draw(st.sampled_from([None, 1e-2, 1e-6, 1e-10]))
    b = data.draw(strategies.logits(n)) if near is None else np.where(a > -np.inf, a + near * np.sin(np.arange(n)), a)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fast, "MANY", 0)
        check_logits(a, b)


def test_logits_layouts_and_refusals(logits_compiled: list[str]) -> None:
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((2, 6, 4, 50)).astype(np.float32)
    want = plainly(lambda: kb.kl_divergence(kb.Logits(a), kb.Logits(b)))
    for x, y in [(a, b), (a[::-1], b[::-1]), (a.astype(np.float64), b)]:
        got = kb.kl_divergence(kb.Logits(x), kb.Logits(y))
        np.testing.assert_allclose(got[:: 1 if x is not a[::-1] and x.strides[0] > 0 else -1], want, rtol=1e-6)
    np.testing.assert_allclose(
        kb.kl_divergence(kb.Logits(a), kb.Logits(b[:1, :1])),
        plainly(lambda: kb.kl_divergence(kb.Logits(a), kb.Logits(b[:1, :1]))), rtol=1e-6,
    )  # fmt: skip
    assert logits_compiled == ["logits"] * 4
    turned = kb.kl_divergence(kb.Logits(np.moveaxis(a, -1, 0)), kb.Logits(np.moveaxis(b, -1, 0)), axis=0)
    np.testing.assert_allclose(turned, want, rtol=1e-6)
    for bad in (np.nan, np.inf):
        c = a.copy()
        c[2, 1, 3] = bad
        for call in (
            lambda c=c: kb.kl_divergence(kb.Logits(c), kb.Logits(b)),
            lambda c=c: kb.kl_divergence(kb.Logits(a), kb.Logits(c)),
        ):
            with pytest.raises(kb.InvalidDistribution, match=r"\[2, 1, 3\] = (nan|inf)"):
                call()
    c = a.copy()
    c[5, 3] = -np.inf
    with pytest.raises(kb.InvalidDistribution, match="Every category of q is masked"):
        kb.kl_divergence(kb.Logits(a), kb.Logits(c))
