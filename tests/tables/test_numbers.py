"""From counts to numbers: distances along the axis, and the correction for chance."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats

import kullback as kb
from kullback.tables import numbers
from kullback.tables.cells import Counted


def column(*cells: tuple[float, float, int, int], **options: object):
    counted = [Counted("bin" if low < high else "value", str(low), r, c, low, high) for low, high, r, c in cells]
    return numbers.column("x", "numeric", counted, **options)


def test_distances_by_hand() -> None:
    # All mass moves from [0, 1) to [3, 4): W₁ = 3 by symmetry; F−G is 1 between.
    far = column((0, 1, 5, 0), (3, 4, 0, 5))
    assert (far.ks, far.wasserstein) == (1.0, 3.0)
    # Point masses at 0 and 10, half of one moves: W₁ = 10/2.
    points = column((0, 0, 4, 2), (10, 10, 0, 2))
    assert (points.ks, points.wasserstein) == (0.5, 5.0)
    # F−G rises to ½ at 1 and falls through 0 at 2 to −½ at 3, then to 0 at 4: four triangles of area ¼.
    crossing = column((0, 1, 2, 0), (1, 3, 0, 4), (3, 4, 2, 0))
    assert crossing.ks == 0.5
    assert crossing.wasserstein == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_distances_of_many_small_cells_are_those_of_the_data(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.gamma(2, 3, 3000).round(2), rng.gamma(2 + seed / 5, 3, 2000).round(2)
    edges = np.unique(np.concatenate([x, y])).tolist()
    found = kb.compare(pa.table({"x": x}), pa.table({"x": y}), bins={"x": edges})["x"]
    assert found.ks == pytest.approx(scipy.stats.ks_2samp(x, y).statistic, abs=1e-12)
    assert found.wasserstein == pytest.approx(scipy.stats.wasserstein_distance(x, y), abs=0.02)


def test_only_finite_values_are_on_the_axis() -> None:
    plain = column((0, 1, 5, 2), (1, 2, 5, 8))
    states = [Counted("bin", "a", 5, 2, 0, 1), Counted("bin", "b", 5, 8, 1, 2), Counted("missing", "(missing)", 90, 1)]
    with_missing = numbers.column("x", "numeric", states)
    assert (with_missing.ks, with_missing.wasserstein) == (plain.ks, plain.wasserstein)
    assert (with_missing.missing.reference, with_missing.missing.current) == (90, 1)


def test_times_are_in_seconds() -> None:
    day = 86_400_000_000
    x = pa.table({"t": pa.array([0, day, 2 * day, 3 * day], pa.timestamp("us"))})
    y = pa.table({"t": pa.array([day, 2 * day, 3 * day, 4 * day], pa.timestamp("us"))})
    edges = kb.compare(x, y, bins="equal-width:4")["t"]
    assert edges.edges == (86_400.0, 172_800.0, 259_200.0)
    assert (edges.min, edges.max) == (0.0, 345_600.0)
    assert edges.wasserstein == pytest.approx(86_400 * 0.75, rel=0.2)


def test_the_correction() -> None:
    found = column((0, 1, 30, 10), (1, 2, 20, 30), (2, 3, 10, 40))
    r, c = kb.Counts([30, 20, 10], smoothing="jeffreys"), kb.Counts([10, 30, 40], smoothing="jeffreys")
    chance = 2 / (2 * 60 * 80 / 140)  # (K−1)/(2·n_eff)
    assert found.kl == pytest.approx(kb.kl_divergence(r, c) - chance, rel=1e-14)
    assert found.psi == pytest.approx(kb.kl_divergence(r, c) + kb.kl_divergence(c, r) - 2 * chance, rel=1e-14)
    assert found.js == pytest.approx(kb.js_divergence(r, c) - chance / 4, rel=1e-14)
    bits = column((0, 1, 30, 10), (1, 2, 20, 30), (2, 3, 10, 40), base=2)
    assert bits.kl * np.log(2) == pytest.approx(found.kl, rel=1e-14)
    assert bits.d_eq == pytest.approx(found.d_eq, rel=1e-14)


def test_a_range_beyond_all_floats() -> None:
    found = column((-1.5e308, -1.5e308, 1, 0), (1.5e308, 1.5e308, 0, 1))
    assert found.ks == 1.0
    assert found.wasserstein == float("inf")
    assert found.to_dict()["wasserstein_infinite"] is True
    half = column((-1.5e308, -1.5e308, 2, 1), (1.5e308, 1.5e308, 0, 1))
    assert half.wasserstein == pytest.approx(1.5e308)


def test_infinite_values_are_null_with_a_flag() -> None:
    plain = column((0, 1, 1, 0), (1, 2, 1, 2)).to_dict()
    assert plain["kl_raw"] is None
    assert plain["kl_raw_infinite"] is True
    assert plain["cross_entropy"] is None
    assert plain["cross_entropy_infinite"] is True
    assert "kl_reverse_raw_infinite" not in plain
    assert plain["kl_reverse_raw"] == pytest.approx(np.log(2))
