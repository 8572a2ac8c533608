"""Sparse rows, all pairs, and counts that arrive in pieces: each against the measure that it stands for."""

from __future__ import annotations

import multiprocessing
import pickle
from collections import Counter
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given
from hypothesis import strategies as st

import exact
import kullback as kb
import strategies
from kullback.measures import _product, pairwise

PAIRS = ["kl_divergence", "js_divergence", "cross_entropy", "jeffreys_divergence", "total_variation",
         "hellinger_distance", "chi2_divergence", "js_distance"]  # fmt: skip


def sparse_rows(n: int, k: int, seed: int, fill: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    p = rng.random((n, k)) * (rng.random((n, k)) < fill)
    p[:, 0] += 0.1
    return p / p.sum(axis=1, keepdims=True)


# ---- sparse -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", PAIRS)
@pytest.mark.parametrize("kind", [sp.csr_array, sp.csr_matrix, sp.csc_array, sp.coo_array, sp.lil_array])
def test_sparse_is_dense(measure: str, kind: Any) -> None:
    p, q = sparse_rows(300, 50, 0), sparse_rows(300, 50, 1)
    q[::2] = np.where(p[::2] > 0, p[::2] * (1 + 1e-9), 0.0)  # close, on the same categories
    q[::2] /= q[::2].sum(axis=1, keepdims=True)
    call = getattr(kb, measure)
    got = call(kind(p), kind(q))
    np.testing.assert_allclose(got, call(p, q), rtol=2e-14)
    assert np.array_equal(call(kind(p), kind(q), axis=1, keepdims=True)[:, 0], got)
    np.testing.assert_allclose(call(kind(p.T), kind(q.T), axis=0), got, rtol=1e-14)


@pytest.mark.parametrize("measure", ["kl_divergence", "js_divergence"])
def test_sparse_counts_one_row_dense_and_smoothed(measure: str) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.poisson(0.3, (400, 90)), rng.poisson(0.3, (400, 90))
    x[:, 3] += 1
    y[:, 4] += 1
    call = getattr(kb, measure)
    sparse, dense = kb.Counts(sp.csr_array(x)), kb.Counts(x)
    q, row = kb.Counts(sp.csr_array(y)), kb.Counts(y[:1] + 1)
    np.testing.assert_allclose(call(sparse, q), call(dense, kb.Counts(y)), rtol=2e-14)
    np.testing.assert_allclose(call(sparse, kb.Counts(sp.csr_array(y[:1] + 1))), call(dense, row), rtol=2e-14)
    np.testing.assert_allclose(call(kb.Counts(sp.csr_array(y[:1] + 1)), sparse), call(row, dense), rtol=2e-14)
    np.testing.assert_allclose(call(sparse, kb.Counts(y[0] + 1)), call(dense, row), rtol=2e-14)
    smooth = [call(kb.Counts(f(x), "jeffreys"), kb.Counts(f(y), "jeffreys")) for f in (sp.csr_array, np.asarray)]
    np.testing.assert_allclose(smooth[0], smooth[1], rtol=2e-14)
    assert np.array_equal(kb.kl_divergence(sparse, kb.Counts(sp.csr_array(3 * x))), np.zeros(400))


def test_sparse_entropy_of_many_categories() -> None:
    # 20 000 × 1 000 000 would be 160 GB; the packed blocks hold the 100 stored ones of each row.
    rng = np.random.default_rng(3)
    columns = np.concatenate([np.sort(rng.choice(1_000_000, 100, replace=False)) for _ in range(50)])
    columns = np.tile(columns, 400)
    data = np.full(len(columns), 0.01)
    p = sp.csr_array((data, columns, np.arange(0, len(columns) + 1, 100)), shape=(20_000, 1_000_000))
    np.testing.assert_allclose(kb.entropy(p), np.log(100), rtol=1e-14)
    assert np.array_equal(kb.kl_divergence(p, p), np.zeros(20_000))


def test_duplicates_and_stored_zeros() -> None:
    p = sp.csr_array((np.array([0.25, 0.25, 0.5, 0.0]), np.array([1, 1, 0, 2]), np.array([0, 4])), shape=(1, 3))
    assert kb.kl_divergence(p, np.array([0.5, 0.5, 0.0])) == [0.0]
    assert p.nnz == 4  # the caller's array is as it was


@pytest.mark.parametrize("what", [np.nan, -0.1, np.inf, 7.5])
def test_bad_sparse_rows_are_named(what: float) -> None:
    p = sp.csr_array(sparse_rows(10, 5, 4))
    bad = p.copy()
    bad.data[bad.indptr[7]] = what
    with pytest.raises(kb.InvalidDistribution, match=r"p\[7\]\[0\]|p\[7\] sums to"):
        kb.kl_divergence(bad, p)
    with pytest.raises(kb.InvalidDistribution, match=r"q\[7\]"):
        kb.kl_divergence(p, bad)
    with np.errstate(all="ignore"):
        assert kb.entropy(bad, validate=False).shape == (10,)


def test_sparse_is_refused_where_it_means_nothing() -> None:
    p = sp.csr_array(sparse_rows(4, 5, 5))
    with pytest.raises(kb.InvalidForm, match="a log-mass of 0 is no missing category"):
        kb.entropy(kb.Logits(p))
    with pytest.raises(kb.InvalidDistribution, match="looks like counts"):
        kb.entropy(sp.csr_array(np.eye(3, dtype=int)))
    with pytest.raises(kb.InvalidDistribution, match="no counts at all"):
        kb.entropy(kb.Counts(sp.csr_array(np.array([[1, 0], [0, 0]]))))
    with pytest.raises(kb.InvalidDistribution, match=r"shape \(4, 5\) and q has shape \(4, 6\)"):
        kb.kl_divergence(p, sp.csr_array(sparse_rows(4, 6, 5)))
    with pytest.raises(kb.InvalidDistribution, match="as many rows or one"):
        kb.kl_divergence(p, sp.csr_array(sparse_rows(3, 5, 5)))


# ---- all pairs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["kl_divergence", "js_divergence"])
@pytest.mark.parametrize(
    "form", [kb.Probs, kb.Counts, lambda x: kb.LogProbs(np.log(x)), lambda x: kb.Logits(np.log(x))]
)
@pytest.mark.parametrize("k", [10, 300])
def test_pairwise_is_each_pair(name: str, form: Any, k: int) -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(k), size=30)
    close = p[:3] * (1 + 1e-9 * rng.standard_normal((3, k)))
    close /= close.sum(axis=1, keepdims=True)
    q = np.concatenate([p[:3], close, rng.dirichlet(np.ones(k), size=20)])
    got = getattr(kb, f"pairwise_{name}")(form(p), form(q), base=2)
    assert got.shape == (30, 26)
    for i, j in [(0, 0), (1, 4), (2, 5), (29, 25), (7, 3)]:
        want = getattr(kb, name)(form(p[i]), form(q[j]), base=2)
        np.testing.assert_allclose(got[i, j], want, rtol=2e-14)
    true = getattr(exact, name)(exact.of_masses(p[0]), exact.of_masses(q[3]))
    if form in (kb.Probs, kb.Counts):
        assert exact.error(got[0, 3] * np.log(2), true) <= 1e-14
        assert got[0, 0] == 0.0


@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 200),
    apart=st.sampled_from([1.0, 0.1, 1e-2, 1e-4, 1e-8]),
    holes=st.booleans(),
)
@example(seed=0, k=2, apart=1e-2, holes=False)
def test_a_certain_product_keeps_its_promise(seed: int, k: int, apart: float, holes: bool) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, rng.choice([0.05, 1.0, 50.0])), size=7)
    q = np.concatenate([p[:2] * (1 + apart * rng.uniform(-1, 1, (2, k))), rng.dirichlet(np.ones(k), size=3)])
    if holes:
        p[rng.random(p.shape) < 0.1] = 0.0
        q[rng.random(q.shape) < 0.05] = 0.0
        p[:, 0], q[:, 0] = 0.5, 0.4
    value, certain = _product.kl_divergence(37.0 * p, q)
    want = np.array([[kb.kl_divergence(kb.Counts(a), kb.Counts(b)) for b in q] for a in p])
    assert np.array_equal(np.isinf(value) & certain, np.isinf(want) & certain)
    finite = certain & np.isfinite(want)
    np.testing.assert_allclose(value[finite], want[finite], rtol=1e-13)


@pytest.mark.parametrize("form", [kb.Probs, kb.Counts])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_pairwise_by_a_product(form: Any, dtype: Any) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(1, 1000, size=(120, 100))
    x[5, 7], x[6, 3] = 0, 0
    p = x.astype(dtype) if form is kb.Counts else (x / x.sum(axis=1, keepdims=True)).astype(dtype)
    if form is kb.Probs and dtype is np.int64:
        return  # integers are counts
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        inner = _product.kl_divergence
        patch.setattr(pairwise._product, "kl_divergence", lambda *a: calls.append(a) or inner(*a))
        got = kb.pairwise_kl_divergence(form(p), form(p), base="bits")
    assert len(calls) == 1
    assert got.dtype == (np.float32 if dtype is np.float32 else np.float64)
    want = np.stack([kb.kl_divergence(form(row), form(p), base="bits") for row in p])
    np.testing.assert_allclose(got, want, rtol=1e-13 if dtype is not np.float32 else 2e-7)
    assert not got.diagonal().any()
    assert np.isinf(got[0, 5])
    assert np.isinf(got[5, 6])
    assert np.isfinite(got[5, 0])


def test_rows_too_close_for_a_product_are_summed() -> None:
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(100), size=120)
    q = p[:1] * (1 + 1e-7 * rng.standard_normal(p.shape))  # all near one row: no product is exact enough
    q /= q.sum(axis=1, keepdims=True)
    got = kb.pairwise_kl_divergence(q, q)
    true = exact.kl_divergence(exact.of_masses(q[3]), exact.of_masses(q[70]))
    assert exact.error(got[3, 70], true) <= 1e-14
    mixed = kb.pairwise_kl_divergence(p, np.concatenate([q[:2], p[2:]]))
    true = exact.kl_divergence(exact.of_masses(p[0]), exact.of_masses(q[1]))
    assert exact.error(mixed[0, 1], true) <= 1e-14


def test_pairwise_names_the_bad_row_and_shape() -> None:
    p = np.full((3, 4), 0.25)
    bad = p.copy()
    bad[2, 1] = -1.0
    with pytest.raises(kb.InvalidDistribution, match=r"q\[2, 1\] = -1 is negative"):
        kb.pairwise_kl_divergence(p, bad)
    with pytest.raises(kb.InvalidDistribution, match=r"p has shape \(4,\); expected \(rows, categories\)"):
        kb.pairwise_js_divergence(p[0], p)
    with pytest.raises(kb.InvalidDistribution, match="category axis is never broadcast"):
        kb.pairwise_kl_divergence(p, p[:, :3], validate=False)


def test_pairwise_of_torch() -> None:
    import torch

    p = torch.softmax(torch.randn(5, 7, dtype=torch.float64), -1)
    got = kb.pairwise_kl_divergence(p, p)
    assert torch.equal(got.diagonal(), torch.zeros(5, dtype=torch.float64))
    np.testing.assert_allclose(got.numpy(), kb.pairwise_kl_divergence(p.numpy(), p.numpy()), rtol=1e-13)


# ---- pieces -------------------------------------------------------------------------------------------------------


@given(strategies.groups(at_most=6), st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_pieces_are_the_whole(pair: Any, cuts: list[int], seed: int) -> None:
    """Weights of any size, cut anywhere, merged in any order: the number of one call."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.integers(-8, 8, size=(len(cuts), 1))
    pieces = [w * scale * rng.random((len(cuts), len(w))) + 1e-3 * w for w in pair]
    parts = [kb.Accumulator() for _ in range(6)]
    for cut, p, q in zip(cuts, *pieces, strict=True):
        parts[cut].update(p, q)
    whole = kb.Accumulator()
    for i in rng.permutation(6):
        whole.merge(pickle.loads(pickle.dumps(parts[i])))
    with mp.workdps(60):
        totals = [np.array([float(mp.fsum(map(mp.mpf, column))) for column in w.T.tolist()]) for w in pieces]
    for measure in (kb.kl_divergence, kb.js_divergence):
        want = measure(*map(kb.Counts, totals))
        assert whole.result(measure) == want or abs(whole.result(measure) - want) <= 1e-14 * want


def test_what_a_plain_sum_loses() -> None:
    # 2⁵³ + 1 is no float: a plain sum would still hold 2⁵³ after a thousand of these, and KL would be 6e-27.
    whole = 2.0**53
    acc = kb.Accumulator()
    acc.update([whole, whole], [whole + 1000, whole])
    for _ in range(1000):
        acc.update([1.0, 0.0], [0.0, 0.0])
    assert acc.result() == 0.0
    twice = kb.Accumulator()
    twice.merge(acc)
    twice.merge(acc)
    assert twice.result() == 0.0


def _count(text: str) -> kb.Accumulator:
    acc = kb.Accumulator()
    acc.update(Counter(text), Counter(text.swapcase()))
    return acc


def test_a_pool_of_processes_can_feed_it() -> None:
    texts = ["abcA", "AbCd", "ddbA"]
    whole = kb.Accumulator()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for part in pool.map(_count, texts):
            whole.merge(part)
    text = "".join(texts)
    smooth = kb.js_divergence(Counter(text), Counter(text.swapcase()))
    assert whole.result(kb.js_divergence) == pytest.approx(smooth, rel=1e-15)
    assert "8 categories" in repr(whole)


def test_rows_and_one_stream() -> None:
    rng = np.random.default_rng(1)
    x = rng.poisson(3.0, (100, 8))
    acc = kb.Accumulator()
    acc.update(x[:40])
    acc.update(kb.Counts(x[40:]))
    assert acc.result(base=2) == kb.entropy(kb.Counts(x.sum(axis=0)), base=2)
    assert acc.result(kb.perplexity) == kb.perplexity(kb.Counts(x.sum(axis=0)))


@pytest.mark.parametrize(
    ("pieces", "error", "words"),
    [
        ([([1, 2], [1, 2, 3])], kb.InvalidDistribution, "p has 2 categories and q has 3"),
        ([([1, 2],), ([1, 2, 3],)], kb.InvalidDistribution, "Got 3 categories where earlier pieces had 2"),
        ([([1, 2],), ([1, 2], [1, 2])], kb.InvalidForm, r"Got 2 stream\(s\)"),
        ([({"a": 1},), ([1],)], kb.InvalidForm, "positions where earlier pieces had keys"),
        ([({"a": 1}, [1])], kb.InvalidForm, "give both as mappings or as arrays"),
        ([([1, -2],)], kb.InvalidDistribution, r"p\[1\] = -2"),
        ([([1, 2], [1, float("nan")])], kb.InvalidDistribution, r"q\[1\] = nan"),
        ([(["a"],)], kb.InvalidForm, "expected an array or a mapping of counts"),
        ([(kb.Counts([1], "laplace"),)], kb.InvalidForm, "Smooth what result"),
    ],
)
def test_pieces_that_do_not_fit(pieces: Any, error: Any, words: str) -> None:
    acc = kb.Accumulator()
    for piece in pieces[:-1]:
        acc.update(*piece)
    before = pickle.dumps(acc)
    with pytest.raises(error, match=words):
        acc.update(*pieces[-1])
    assert pickle.dumps(acc) == before


def test_nothing_yet() -> None:
    acc = kb.Accumulator()
    acc.merge(kb.Accumulator())
    with pytest.raises(kb.InvalidDistribution, match="Nothing was added"):
        acc.result()
    with pytest.raises(kb.InvalidForm, match="merge got dict"):
        acc.merge({"a": 1})
    assert repr(acc) == "Accumulator(empty)"
