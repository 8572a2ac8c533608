"""The door: what is refused, and what the message says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import kullback as kb

GOOD = [0.25, 0.75]


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        pytest.param(
            [0.5, -0.5, 1.0], kb.InvalidDistribution, r"p\[1\] = -0.5 is negative.*kb.Logits\(p\)", id="negative"
        ),
        pytest.param([0.5, np.nan], kb.InvalidDistribution, r"p\[1\] = nan", id="nan"),
        pytest.param([0.5, 0.4], kb.InvalidDistribution, r"p sums to 0\.9.*expected 1.*kb.Counts\(p\)", id="sum"),
        pytest.param([0.0, 0.0], kb.InvalidDistribution, "p sums to 0", id="no mass"),
        pytest.param([3, 4], kb.InvalidDistribution, r"integers.*looks like counts.*kb.Counts\(p\)", id="integers"),
        pytest.param(
            [0.2, 7.5], kb.InvalidDistribution, r"p\[1\] = 7.5 is above 1.*looks like counts or logits", id="above 1"
        ),
        pytest.param(
            [-0.7, -0.7], kb.InvalidDistribution, r"looks like log-probabilities.*kb.LogProbs\(p\)", id="logs"
        ),
        pytest.param([], kb.InvalidDistribution, r"no categories: shape \(0,\)", id="empty"),
        pytest.param(0.3, kb.InvalidDistribution, "single number", id="0-d"),
        pytest.param([[0.5, 0.5], [0.5, 0.6]], kb.InvalidDistribution, "in row 1", id="second row"),
        pytest.param([[0.5, 0.5], [0.5, -0.6]], kb.InvalidDistribution, r"p\[1, 1\] = -0.6", id="index in two axes"),
        pytest.param([np.inf, 0.0], kb.InvalidDistribution, r"p\[0\] = inf is above 1", id="infinite"),
        pytest.param([True, False], kb.InvalidForm, "dtype bool; expected real numbers", id="boolean"),
        pytest.param(["a", "b"], kb.InvalidForm, "expected real numbers", id="text"),
        pytest.param([1j, 0j], kb.InvalidForm, "expected real numbers", id="complex"),
        pytest.param("ab", kb.InvalidForm, "p is 'ab'; expected an array", id="string"),
        pytest.param(None, kb.InvalidForm, "p is None; expected an array", id="None"),
        pytest.param(
            kb.Counts([1, -1]), kb.InvalidDistribution, r"p\[1\] = -1 is negative; counts are ≥ 0", id="counts"
        ),
        pytest.param(kb.Counts([0, 0]), kb.InvalidDistribution, "no counts at all", id="no counts"),
        pytest.param(
            kb.Counts([[1, 2], [0, 0]]), kb.InvalidDistribution, "no counts at all.* in row 1", id="no counts row"
        ),
        pytest.param(kb.Counts([np.inf, 1.0]), kb.InvalidDistribution, "counts must be finite", id="infinite count"),
        pytest.param(kb.Counts([np.nan, 1.0]), kb.InvalidDistribution, r"p\[0\] = nan", id="nan count"),
        pytest.param(kb.Counts([1e308, 1e308]), kb.InvalidDistribution, "overflow", id="huge counts"),
        pytest.param(kb.Counts([1, 2], smoothing="none"), kb.InvalidDistribution, "'jeffreys'", id="smoothing name"),
        pytest.param(
            kb.Counts([1, 2], smoothing=-1.0), kb.InvalidDistribution, "finite number ≥ 0", id="smoothing < 0"
        ),
        pytest.param(kb.Logits([np.inf, 0.0]), kb.InvalidDistribution, "must be < ∞", id="logit ∞"),
        pytest.param(
            kb.Logits([-np.inf, -np.inf]), kb.InvalidDistribution, "Every category of p is masked", id="all masked"
        ),
        pytest.param(kb.Logits([np.nan, 0.0]), kb.InvalidDistribution, r"p\[0\] = nan", id="nan logit"),
        pytest.param(kb.LogProbs([0.5, 0.5]), kb.InvalidDistribution, "looks like probabilities", id="probs as logs"),
        pytest.param(kb.LogProbs([2.0, 5.0]), kb.InvalidDistribution, "looks like logits", id="logits as logs"),
        pytest.param(kb.LogProbs([-1.0, -1.0]), kb.InvalidDistribution, r"exp\(p\) sums to 0\.73", id="log sum"),
        pytest.param({"a": "x", "b": "y"}, kb.InvalidForm, "expected one number per category", id="mapping of text"),
    ],
)
def test_refused(bad: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        kb.entropy(bad)


def test_the_message_names_the_argument() -> None:
    with pytest.raises(kb.InvalidDistribution, match=r"q\[0\] = -0.25 is negative"):
        kb.kl_divergence(GOOD, [-0.25, 1.25])
    with pytest.raises(kb.InvalidDistribution, match=r"ps\[2\] sums to"):
        kb.js_divergence(GOOD, GOOD, [0.5, 0.4])


@pytest.mark.parametrize(
    ("q", "words"),
    [
        ([0.2, 0.3, 0.5], "p has 2 categories and q has 3 .*category axis is never broadcast"),
        ([1.0], "p has 2 categories and q has 1"),  # torch and TFP broadcast this to KL = −0.693
        ([[0.5, 0.5]] * 3, "do not broadcast"),
    ],
)
def test_lengths_must_match(q: Any, words: str) -> None:
    p = [GOOD] * 4 if len(q) == 3 and isinstance(q[0], list) else GOOD
    with pytest.raises(kb.InvalidDistribution, match=words):
        kb.kl_divergence(p, q)


@pytest.mark.parametrize("axis", [None, 1.0, "last", (0, 1)])
@pytest.mark.parametrize("n", [3, 100])
def test_an_axis_is_one_number(axis: Any, n: int) -> None:
    p = np.full((2, n), 1 / n)
    for call in (kb.entropy, lambda x, **o: kb.kl_divergence(x, x, **o), lambda x, **o: kb.total_variation(x, x, **o)):
        with pytest.raises(kb.InvalidForm, match="expected the number of one axis"):
            call(p, axis=axis)
        assert call(p, axis=np.int64(1)).shape == (2,)


@pytest.mark.parametrize("form", [kb.Probs, kb.Counts, kb.Logits, kb.LogProbs])
def test_no_rows_give_no_numbers(form: Any) -> None:
    none = form(np.empty((0, 7)))
    assert kb.entropy(none).shape == (0,)
    assert kb.kl_divergence(none, none).shape == (0,)
    assert kb.kl_divergence(none, np.full(7, 1 / 7)).shape == (0,)
    assert kb.renyi_divergence(none, none, 0.5).shape == (0,)


def test_axis_out_of_range() -> None:
    with pytest.raises(kb.InvalidDistribution, match=r"axis=1, but p has shape \(2,\)"):
        kb.entropy(GOOD, axis=1)


@pytest.mark.parametrize(("base", "error"), [(1, ValueError), (0, ValueError), (-2, ValueError), ("byte", TypeError)])
def test_bases(base: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="base="):
        kb.entropy(GOOD, base=base)


def test_errors_are_the_usual_kinds() -> None:
    assert issubclass(kb.InvalidDistribution, ValueError)
    assert issubclass(kb.InvalidForm, TypeError)


def test_mixed_libraries() -> None:
    import torch

    with pytest.raises(kb.InvalidForm, match=r"different libraries.*numpy\.ndarray.*torch\.Tensor"):
        kb.kl_divergence(np.array(GOOD), torch.tensor(GOOD))


def test_float32_softmax_of_a_vocabulary_passes_the_sum_check() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((4, 131_072)).astype(np.float32)
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    assert np.all(kb.entropy(p) > 11)


def test_the_sum_check_is_as_tight_as_the_dtype() -> None:
    kb.entropy([0.1] * 10)
    with pytest.raises(kb.InvalidDistribution, match="sums to"):
        kb.entropy([0.1 + 1e-14] * 10)


def test_validate_false_still_checks_shapes() -> None:
    assert np.isfinite(kb.entropy([0.5, 0.4], validate=False))
    with pytest.raises(kb.InvalidDistribution, match="categories"):
        kb.kl_divergence(GOOD, [0.2, 0.3, 0.5], validate=False)


@pytest.mark.parametrize(
    "form",
    [
        lambda d: d,
        lambda d: pd.Series(d),
        lambda d: pl.DataFrame({"k": list(d), "v": list(d.values())}),
    ],
    ids=["dict", "pandas", "polars"],
)
def test_keys_are_aligned(form: Any) -> None:
    p = form({"a": 0.5, "b": 0.25, "c": 0.25})
    q = form({"c": 0.5, "a": 0.5})
    told = kb.explain(p, q)
    assert told.labels == ("a", "b", "c")
    assert told.value == np.inf
    assert told.infinite == (("b",), 0.25)
    assert kb.kl_divergence(q, p) == pytest.approx(0.5 * np.log(2))


def test_counters_are_counts() -> None:
    x, y = Counter("aabc"), Counter("abd")
    assert kb.kl_divergence(x, y) == np.inf
    smooth = kb.kl_divergence(kb.Counts(x, smoothing="jeffreys"), kb.Counts(y, smoothing="jeffreys"))
    p, q = np.array([2.5, 1.5, 1.5, 0.5]) / 6, np.array([1.5, 1.5, 0.5, 1.5]) / 5
    assert smooth == pytest.approx(np.sum(p * np.log(p / q)), rel=1e-14)


def test_polars_series_by_position() -> None:
    assert kb.entropy(pl.Series([0.5, 0.5]), base=2) == 1.0


def test_value_counts_of_pandas_and_polars() -> None:
    assert kb.entropy(kb.Counts(pd.Series(list("aabb")).value_counts()), base=2) == 1.0
    assert kb.entropy(kb.Counts(pl.Series(list("aabb")).value_counts()), base=2) == 1.0


def test_keyed_against_unkeyed() -> None:
    with pytest.raises(kb.InvalidForm, match="p has named categories but q has none"):
        kb.kl_divergence({"a": 1.0}, [1.0])


def test_repeated_keys() -> None:
    with pytest.raises(kb.InvalidDistribution, match="'a' more than once"):
        kb.entropy(pd.Series([0.5, 0.5], index=["a", "a"]))


def test_samples_have_no_makeshift_estimator() -> None:
    x = kb.Samples([1.0, 2.0])
    for verb in (kb.kl_divergence, kb.cross_entropy, kb.js_divergence, kb.explain):
        with pytest.raises(kb.InvalidForm, match=r"kb.Counts\(Counter\(x\)\).*kb.compare"):
            verb(x, x)


@pytest.mark.parametrize(
    ("values", "weights", "error", "words"),
    [
        ([], None, ValueError, r"shape \(0,\)"),
        (3.0, None, ValueError, r"shape \(\)"),
        ([1.0, np.nan], None, ValueError, r"Samples\[1\] = nan"),
        ([[1.0, np.inf]], None, ValueError, r"Samples\[0, 1\] = inf"),
        (["a"], None, TypeError, "count them"),
        ([1.0, 2.0], [1.0], ValueError, "one weight per draw"),
        ([1.0, 2.0], [-1.0, 1.0], ValueError, r"weights\[0\] is negative"),
        ([1.0, 2.0], [0.0, 0.0], ValueError, "all weights are 0"),
    ],
)
def test_bad_samples(values: Any, weights: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        kb.Samples(values, weights)


def test_explain_wants_one_pair() -> None:
    with pytest.raises(kb.InvalidForm, match="one pair at a time"):
        kb.explain([GOOD], [GOOD])
    with pytest.raises(kb.InvalidDistribution, match="labels has 3 entries for 2"):
        kb.explain(GOOD, GOOD, labels="abc")


def test_js_weights() -> None:
    with pytest.raises(kb.InvalidDistribution, match="one for each"):
        kb.js_divergence(GOOD, GOOD, weights=[1.0])
    with pytest.raises(kb.InvalidDistribution, match="sum to 1"):
        kb.js_divergence(GOOD, GOOD, weights=[0.5, 0.6])
    with pytest.raises(kb.InvalidForm, match="at least two"):
        kb.js_divergence(GOOD)
