"""Numbers against mpmath on the cases where today's libraries lose all digits.

Recipe: tests/exact.py, mp.dps=60 (420 where exponents are wide), of the exact float inputs, exactly normalised.
"""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest

import exact
import kullback as kb

N = 1000
# float64: 1e-14 relative; float32: terms and sums are made in float64, so only the answer's rounding is left.
TOLERANCE = {"float64": 1e-14, "float32": 1e-6}
APART = {"float64": [1e-2, 1e-4, 1e-6, 1e-8, 1e-12], "float32": [1e-1, 1e-2, 1e-3, 1e-4]}
CLOSE = [(dtype, d) for dtype, ds in APART.items() for d in ds]


def check(measure: str, got: Any, true: mp.mpf, dtype: str) -> None:
    assert float(got) >= 0.0
    error = exact.error(got, true)
    assert error <= TOLERANCE[dtype], f"{measure}: {float(got)!r}, true {mp.nstr(true, 17)}, error {error:.1e}"


def check_all(p: Any, q: Any, P: list[mp.mpf], Q: list[mp.mpf], dtype: str) -> None:
    for measure, true in exact.PAIRWISE.items():
        check(measure, getattr(kb, measure)(p, q), true(P, Q), dtype)
    check("entropy", kb.entropy(p), exact.entropy(P), dtype)
    told = kb.explain(p, q)
    assert told.contributions.min() >= 0.0
    check("explain", told.value, exact.kl_divergence(P, Q), dtype)
    if np.isfinite(told.value):
        assert abs(float(mp.fsum(map(mp.mpf, told.contributions.tolist()))) - told.value) <= 1e-14 * told.value


@pytest.mark.parametrize(("dtype", "apart"), CLOSE)
def test_nearly_equal_probabilities(dtype: str, apart: float) -> None:
    rng = np.random.default_rng(0)
    p = np.maximum(rng.dirichlet(np.ones(N)), 1e-7)
    p /= p.sum()
    q = p * (1 + apart * rng.standard_normal(N).clip(-3, 3))
    q /= q.sum()
    p, q = p.astype(dtype), q.astype(dtype)
    check_all(p, q, exact.of_masses(p), exact.of_masses(q), dtype)


@pytest.mark.parametrize(("dtype", "apart"), CLOSE)
def test_nearly_equal_logits(dtype: str, apart: float) -> None:
    rng = np.random.default_rng(1)
    a = (3 * rng.standard_normal(N)).astype(dtype)
    b = (a + apart * rng.standard_normal(N)).astype(dtype)
    check_all(kb.Logits(a), kb.Logits(b), exact.of_logits(a), exact.of_logits(b), dtype)


@pytest.mark.parametrize("apart", APART["float64"])
def test_weights_of_different_totals(apart: float) -> None:
    rng = np.random.default_rng(2)
    x = rng.dirichlet(np.ones(N))
    y = 3.7 * x * (1 + apart * rng.standard_normal(N).clip(-3, 3))
    check_all(kb.Counts(x), kb.Counts(y), exact.of_masses(x), exact.of_masses(y), "float64")


@pytest.mark.parametrize("rare", [1e-6, 1e-9, 1e-14])
def test_nearly_certain_and_apart_by_the_rounding_of_totals_alone(rare: float) -> None:
    p = np.array([1.0 - rare, 0.75 * rare, 0.25 * rare])
    for top in (np.nextafter(p[0], 0.0), np.nextafter(p[0], 2.0)):
        q = np.array([top, p[1], p[2]])
        P, Q = exact.of_masses(p), exact.of_masses(q)
        for measure in ("total_variation", "hellinger_distance", "kl_divergence", "js_divergence", "chi2_divergence"):
            # A few roundings more than elsewhere: the totals themselves are all that differs.
            assert exact.error(getattr(kb, measure)(p, q), exact.PAIRWISE[measure](P, Q)) <= 1e-13, measure


def test_large_integer_counts_nearly_proportional() -> None:
    x = np.array([123_456_789, 987_654_321, 55_555_555], dtype=np.int64)
    y = 3 * x + np.array([1, -1, 2])
    check_all(kb.Counts(x), kb.Counts(y), exact.of_masses(x), exact.of_masses(y), "float64")


@pytest.mark.parametrize(
    ("a", "b", "dtype"),
    [
        pytest.param([0, 1e4, -1e4], [1e4, 0, -1e4], "float64", id="swapped modes"),
        pytest.param([1e6, 1e6 + 1, 1e6 + 2], [1e6, 1e6 + 1.5, 1e6 + 2], "float32", id="offset 1e6"),
        pytest.param([1e8, 1e8 + 1, 1e8 + 2], [1e8, 1e8 + 1 + 1e-6, 1e8 + 2], "float64", id="offset 1e8"),
        pytest.param([0, 0], [0, -1e5], "float32", id="underflowing mass"),
        pytest.param([0, -700], [0, -690], "float64", id="2.2e-300"),
        pytest.param([0, -40, -45], [0, -41, -45], "float64", id="nearly certain"),
    ],
)
def test_hard_logits(a: list[float], b: list[float], dtype: str) -> None:
    x, y = np.array(a, dtype=dtype), np.array(b, dtype=dtype)
    with mp.workdps(420):
        P, Q = exact.of_logits(x), exact.of_logits(y)
        for measure in (
            "kl_divergence",
            "js_divergence",
            "total_variation",
            "hellinger_distance",
            "jeffreys_divergence",
        ):
            check(measure, getattr(kb, measure)(kb.Logits(x), kb.Logits(y)), exact.PAIRWISE[measure](P, Q), dtype)
        if exact.entropy(P) > 1e-307:  # below that the truth is no normal float
            check("entropy", kb.entropy(kb.Logits(x)), exact.entropy(P), dtype)


@pytest.mark.parametrize(
    ("p", "q", "dtype"),
    [
        pytest.param([0.5, 0.5], [1e-30, 1.0], "float64", id="tail 1e-30"),
        pytest.param([0.5, 0.5], [1e-30, 1.0], "float32", id="tail 1e-30 float32"),
        pytest.param([0.5, 0.5], [5e-324, 1.0], "float64", id="p/q overflows"),
        pytest.param([1e-20, 1.0], [1e-18, 1.0], "float64", id="first-order term"),
        pytest.param([1e-310, 1.0], [1e-308, 1.0], "float64", id="subnormal"),
        pytest.param([0.0, 0.25, 0.75], [0.25, 0.0, 0.75], "float64", id="disjoint zeros"),
        pytest.param([0.0, 1.0], [0.0, 1.0], "float64", id="one category"),
        pytest.param([1.0], [1.0], "float64", id="length 1"),
    ],
)
def test_hard_masses(p: list[float], q: list[float], dtype: str) -> None:
    x, y = np.array(p, dtype=dtype), np.array(q, dtype=dtype)
    with mp.workdps(420):
        check_all(x, y, exact.of_masses(x), exact.of_masses(y), dtype)


def test_long_float32_axis_that_is_not_last() -> None:
    # numpy's pairwise sum does not apply along a strided axis: scipy's entropy is above log n here (scipy 1.18: 4e-3).
    n = 1 << 21
    p = np.full((n, 2), 1.0 / n, dtype=np.float32)
    got = kb.entropy(p, axis=0)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.log(n), rtol=1e-6)


@pytest.mark.parametrize("measure", ["kl_divergence", "js_divergence", "jeffreys_divergence", "chi2_divergence"])
@pytest.mark.parametrize("form", [kb.Probs, kb.Counts])
def test_identical_input_gives_exactly_zero(measure: str, form: Any) -> None:
    p = np.random.default_rng(3).dirichlet(np.ones(50), size=20)
    assert np.array_equal(getattr(kb, measure)(form(p), form(p)), np.zeros(20))


def test_jensenshannon_of_neighbouring_floats_is_not_nan() -> None:
    # scipy 1.18: jensenshannon([x, 1-x], [1-x, x]) is NaN for x = nextafter(.5, 0) (scipy#20083).
    x = np.nextafter(0.5, 0.0)
    p, q = [x, 1 - x], [1 - x, x]
    check("js_distance", kb.js_distance(p, q), exact.js_distance(exact.of_masses(p), exact.of_masses(q)), "float64")


def test_js_of_three_with_weights() -> None:
    ps = [[0.2, 0.3, 0.5], [0.1, 0.3, 0.6], [0.0, 0.5, 0.5]]
    weights = [0.5, 0.3, 0.2]
    P = [exact.of_masses(p) for p in ps]
    w = exact.of_exact([mp.mpf(v) for v in weights])
    m = [mp.fsum(wj * p[i] for wj, p in zip(w, P, strict=True)) for i in range(3)]
    true = mp.fsum(wj * exact.kl_divergence(p, m) for wj, p in zip(w, P, strict=True))
    check("js_divergence", kb.js_divergence(*ps, weights=weights), true, "float64")


@pytest.mark.parametrize("base", [2, "bits", 10, "hartleys", "nats", None, 3.5])
def test_units(base: Any) -> None:
    p, q = [0.5, 0.5], [0.25, 0.75]
    unit = {"bits": np.log(2), "hartleys": np.log(10), "nats": 1.0, None: 1.0}.get(base) or np.log(base)
    for measure in (kb.kl_divergence, kb.cross_entropy, kb.js_divergence, kb.jeffreys_divergence):
        assert measure(p, q, base=base) == pytest.approx(measure(p, q) / unit, rel=1e-15)
    assert kb.js_distance(p, q, base=base) == pytest.approx(kb.js_distance(p, q) / np.sqrt(unit), rel=1e-15)
    assert kb.explain(p, q, base=base).value == pytest.approx(kb.kl_divergence(p, q) / unit, rel=1e-15)


@pytest.mark.parametrize("form", ["probs", "log_probs", "logits", "counts"])
@pytest.mark.parametrize("other", ["probs", "log_probs", "logits", "counts"])
def test_forms_mix(form: str, other: str) -> None:
    p, q = np.array([0.2, 0.3, 0.0, 0.5]), np.array([0.1, 0.3, 0.1, 0.5])
    with np.errstate(divide="ignore"):
        made = {
            "probs": lambda x: x,
            "log_probs": lambda x: kb.LogProbs(np.log(x)),
            "logits": lambda x: kb.Logits(np.log(x) + 5.0),
            "counts": lambda x: kb.Counts(np.round(x * 10).astype(int)),
        }
        pair = made[form](p), made[other](q)
    for measure in exact.PAIRWISE:
        np.testing.assert_allclose(
            getattr(kb, measure)(*pair), getattr(kb, measure)(p, q), rtol=2e-14, err_msg=f"{measure} {form} {other}"
        )


def test_axis_keepdims_and_broadcasting() -> None:
    rng = np.random.default_rng(4)
    p = rng.dirichlet(np.ones(4), size=(3, 5))
    q = rng.dirichlet(np.ones(4), size=5)
    want = np.array([[kb.kl_divergence(p[i, j], q[j]) for j in range(5)] for i in range(3)])
    np.testing.assert_allclose(kb.kl_divergence(p, q), want, rtol=1e-15)
    turned = kb.kl_divergence(np.moveaxis(p, -1, 0), np.moveaxis(p, -1, 0)[:, ::-1], axis=0, keepdims=True)
    assert turned.shape == (1, 3, 5)
    np.testing.assert_allclose(turned[0], kb.kl_divergence(p, p[::-1]), rtol=1e-15)
