"""Where columns are cut: the default sees shifts, tails and spikes, and one outlier does not blind it."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kullback as kb
from kullback.tables import bins

N = 100_000


def normal(seed: int, mean: float = 0.0, n: int = N) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1.0, n)


def kl(reference: np.ndarray, current: np.ndarray, **options: object) -> float:
    return kb.compare(pa.table({"x": reference}), pa.table({"x": current}), **options)["x"].kl


def test_one_outlier_does_not_blind() -> None:
    # KL(N(0,1)‖N(1,1)) = 1/2; evidently 0.7 falls from 0.49 to 0.002 with the same outlier.
    clean = kl(normal(0), normal(1, 1.0))
    assert clean == pytest.approx(0.5, rel=0.03)
    for spoiled in (
        kl(np.append(normal(0), 1e6), normal(1, 1.0)),
        kl(normal(0), np.append(normal(1, 1.0), 1e6)),
        kl(np.append(normal(0), -1e300), np.append(normal(1, 1.0), 1e300)),
    ):
        assert spoiled == pytest.approx(clean, rel=0.02)


def test_a_heavy_tail_does_not_hide_a_shift() -> None:
    # lognormal σ = 3, scaled by 2: KL = (ln 2)²/(2·9) = .02669; equal width sees 0.0002.
    x, y = np.exp(3 * normal(2)), 2 * np.exp(3 * normal(3))
    assert kl(x, y) == pytest.approx(np.log(2) ** 2 / 18, rel=0.06)


def test_outliers_and_spikes_are_seen() -> None:
    """2 % outliers are invisible to quantiles, a 2 % spike to equal width; the default sees both."""
    rng = np.random.default_rng(4)
    x, y = normal(4, n=20_000), normal(5, n=20_000)
    few = rng.random(20_000) < 0.02
    wild, spiked = np.where(few, rng.normal(0, 5, 20_000), y), np.where(few, 0.25, y)
    for moved in (wild, spiked):
        assert kl(x, moved) > 0.004
        assert kl(x, y) < 0.001
    assert kl(x, wild, bins="quantiles:10") < 0.002
    spike = kb.compare(pa.table({"x": x}), pa.table({"x": spiked}))["x"]
    assert ("value", "0.25") in {(cell.kind, cell.label) for cell in spike.cells}


def test_zeros_among_amounts_have_a_cell_of_their_own() -> None:
    amount = np.where(np.random.default_rng(6).random(N) < 0.3, 0.0, np.exp(normal(7)))
    column = kb.compare(pa.table({"x": amount}), pa.table({"x": amount}))["x"]
    zero = next(cell for cell in column.cells if cell.label == "0")
    assert zero.kind == "value"
    assert zero.reference == int((amount == 0).sum())
    assert len(column.cells) < 30


def test_few_whole_numbers_keep_their_own_cells() -> None:
    rng = np.random.default_rng(8)
    for x in (rng.integers(0, 60, N), rng.integers(0, 60, N).astype(float), 10**15 + rng.integers(0, 5, N)):
        column = kb.compare(pa.table({"x": x}), pa.table({"x": x}))["x"]
        assert [cell.label for cell in column.cells] == [str(int(v)) for v in np.unique(x)]
        assert {cell.kind for cell in column.cells} == {"value"}
    many = kb.compare(pa.table({"x": rng.integers(0, 10_000, N)}), pa.table({"x": rng.integers(0, 10_000, N)}))["x"]
    assert len(many.cells) == 22
    assert all(float(edge).is_integer() for edge in many.edges)


def test_whole_numbers_that_the_sample_missed_are_counted_between() -> None:
    x = np.zeros(200_000, np.int64)
    x[123_456] = 7  # one row in 200,000 is likely to be outside a sample of a quarter
    column = kb.compare(pa.table({"x": x}), pa.table({"x": x}), random_state=1)["x"]
    assert sum(cell.reference for cell in column.cells) == 200_000
    assert column.max == 7
    assert len(column.cells) == 2


def test_a_constant_column_is_at_no_distance() -> None:
    assert kl(np.full(1000, 3.7), np.full(10, 3.7)) == 0
    assert kl(np.full(1000, 3.7), np.full(1000, 3.8)) > 5


def test_no_drift_stays_near_zero_whatever_the_size() -> None:
    """The correction holds the mean of KL under no change at nothing; rivals call 65 % of such pairs drifted."""
    found = []
    for seed in range(40):
        column = kb.compare(pa.table({"x": normal(seed, n=200)}), pa.table({"x": normal(seed + 1000, n=200)}))["x"]
        chance = (len(column.cells) - 1) / 200
        found.append((column.kl_smoothed / chance, column.kl))
    smoothed, corrected = np.mean(found, axis=0)
    assert smoothed == pytest.approx(1.0, abs=0.15)  # standard error √(2/21)/√40 = .05, Jeffreys' ½ takes a little off
    assert corrected < 0.03


samples = st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=60).map(np.array)


@given(samples, samples, st.booleans())
def test_edges_do_not_depend_on_the_order_of_the_sides(r: np.ndarray, c: np.ndarray, whole: bool) -> None:
    r, c = (np.floor(x) if whole else x for x in (r, c))
    if not len(r) + len(c):
        return
    ends = float(min([*r, *c])), float(max([*r, *c]))
    there, back = bins.pool(r, c, whole=whole), bins.pool(c, r, whole=whole)
    for rule in (bins.default, bins.quantiles, bins.equal_width):
        edges = rule(there, ends)
        assert edges == rule(back, ends)
        assert all(low < high for low, high in itertools.pairwise(edges))


@given(samples.filter(len), st.integers(1, 50))
def test_each_side_weighs_the_same(r: np.ndarray, times: int) -> None:
    c = r[: max(1, len(r) // 3)] + 1.0
    ends = float(min([*r, *c])), float(max([*r, *c]))
    once = bins.pool(r, c, whole=False)
    often = bins.pool(np.repeat(r, times), c, whole=False)
    np.testing.assert_allclose(once.shares, often.shares, rtol=1e-12)
    assert bins.quantiles(once, ends) == bins.quantiles(often, ends)


def test_rules() -> None:
    x = pa.table({"x": normal(9), "d": pa.array(np.arange(N) * 86_400_000_000, pa.timestamp("us"))})
    assert len(kb.compare(x, x, bins="quantiles:20")["x"].edges) == 19
    wide = kb.compare(x, x, bins="equal-width:4")["x"]
    np.testing.assert_allclose(np.diff([wide.min, *wide.edges, wide.max]), (wide.max - wide.min) / 4)
    assert len(kb.compare(x, x, bins="quantiles")["d"].edges) == 9


def test_edges_of_ones_own(tmp_path: Path) -> None:
    x = pa.table(
        {
            "x": [1.0, 2.0, 2.5, 9.0],
            "my day": pa.array([dt.datetime(2024, m, 1) for m in (1, 2, 3, 4)]),
            "clock": pa.array([dt.time(h) for h in (1, 8, 12, 23)]),
            "i": [1, 2, 3, 4],
        }
    )
    path = tmp_path / "edges.toml"
    path.write_text('x = [2, 5.5, 100]\n"my day" = [2024-02-01, 2024-03-01T00:00:01]\nclock = [12:00:00]\ni = [2.5]\n')
    result = kb.compare(x, x, bins=path)
    assert [(cell.label, cell.reference) for cell in result["x"].cells] == [
        ("[1, 2)", 1),
        ("[2, 5.5)", 2),
        ("[5.5, 100)", 1),
    ]
    assert result["x"].edges == (2, 5.5, 100)
    assert [cell.reference for cell in result["my day"].cells] == [1, 2, 1]
    assert result["my day"].edges == (1706745600, 1709251201)
    assert [(cell.label, cell.reference) for cell in result["clock"].cells] == [
        ("[01:00:00, 12:00:00)", 2),
        ("[12:00:00, 23:00:00]", 2),
    ]
    assert [cell.reference for cell in result["i"].cells] == [2, 2]
    assert kb.compare(x, x, bins=str(path)).to_dict() == result.to_dict()
    same = kb.compare(x, x, bins={"x": [2, 5.5, 100]})
    assert same["x"] == result["x"]
    path.write_text("x = [1,")
    with pytest.raises(kb.InvalidInput, match="is not TOML"):
        kb.compare(x, x, bins=path)


def test_the_edges_in_the_result_give_the_same_counts() -> None:
    x, y = pa.table({"x": normal(10)}), pa.table({"x": normal(11, 0.3)})
    first = kb.compare(x, y)["x"]
    again = kb.compare(x, y, bins={"x": first.edges})["x"]
    assert again == first
    low = np.array([cell.low for cell in first.cells])
    counts = np.histogram(x["x"].to_numpy(), [*low, np.inf])[0]
    assert counts.tolist() == [cell.reference for cell in first.cells]
