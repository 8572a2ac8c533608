import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kullback.show.comparison.cells import ends, in_order, label, shares
from kullback.show.comparison.drivers import drivers, in_words, sides
from show.builders import categorical, column, numeric

counts = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=30).filter(
    lambda pairs: all(sum(side) > 0 for side in zip(*pairs, strict=True))
)


def binned(pairs, *, missing=(0, 0)):
    cells = [("bin", f"[{i}, {i + 1})", float(i), float(i + 1), r, c) for i, (r, c) in enumerate(pairs)]
    last = float(len(pairs))
    return column("x", "numeric", [*cells, ("missing", "(missing)", None, None, *missing)], min=0.0, max=last)


@given(counts, st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_drivers_hold_every_cell_once_and_add_up(pairs, missing):
    made = binned(pairs, missing=missing)
    found = drivers(made)
    assert sorted(id(cell) for driver in found for cell in driver.cells) == sorted(id(cell) for cell in made.cells)
    assert math.isclose(sum(d.contribution for d in found), made.kl_smoothed, rel_tol=1e-12, abs_tol=1e-15)
    assert math.isclose(sum(d.reference for d in found), 1, rel_tol=1e-12)
    assert math.isclose(sum(sides(made)), made.kl_smoothed, rel_tol=1e-12, abs_tol=1e-15)
    assert [d.contribution for d in found] == sorted((d.contribution for d in found), reverse=True)


def test_neighbours_that_changed_the_same_way_are_one_driver():
    made = binned([(100, 10), (100, 20), (100, 100), (10, 100), (10, 90)])
    assert in_words(made) == "fewer below 2 (62 % → 9 %)"


def test_a_flicker_that_counts_for_nothing_does_not_cut_a_driver():
    made = binned([(100, 10), (50, 51), (100, 20), (100, 269)])
    assert in_words(made) == "fewer below 3 (71 % → 23 %)"
    assert len(drivers(made)) == 2


@pytest.mark.parametrize(
    ("reference", "current", "said"),
    [
        ({"UA": 12, "B": 88}, {"UA": 31, "B": 69}, "more 'UA' (12 % → 31 %)"),
        ({"UA": 31, "B": 69}, {"UA": 12, "B": 88}, "fewer 'UA' (31 % → 12 %)"),
        ({"UK": 30, "B": 70}, {"B": 100}, "vanished: 'UK' (30 % → 0 %)"),
        ({"B": 100}, {"B": 60, "new": 40}, "new: 'new' (0 % → 40 %)"),
        ({"B": 100}, {"B": 60, None: 40}, "new: missing (0 % → 40 %)"),
        ({"B": 60, None: 40}, {"B": 90, None: 10}, "fewer missing (40 % → 10 %)"),
        ({"B": 60, "": 40}, {"B": 90, "": 10}, "fewer empty text (40 % → 10 %)"),
        ({"B": 50, "A": 50}, {"B": 50, "A": 50}, ""),
    ],
)
def test_words(reference, current, said):
    assert in_words(categorical("x", reference, current)) == said


def test_many_small_changes_are_called_so():
    reference = {f"v{i}": 100 + (i % 2) * 60 for i in range(100)}
    current = {f"v{i}": 160 - (i % 2) * 60 for i in range(100)}
    assert in_words(categorical("x", reference, current)).startswith("many small changes · ")


def test_all_values_becoming_fewer_is_said_as_more_missing():
    x = np.arange(1000.0)
    x, y = (np.where(np.arange(1000) % 20 < filled, x, np.nan) for filled in (5, 3))
    made = numeric("x", x, y)
    assert drivers(made)[0].cells[0].kind == "bin"
    assert in_words(made) == "more missing (75 % → 85 %)"


def test_ends_and_labels():
    made = column(
        "x",
        "numeric",
        [
            ("bin", "[0, 1.05e+03)", 0.0, 1048.36058, 5, 5),
            ("value", "13.809359999999998", None, None, 5, 5),
            ("bin", "[50.000000000000007, 51.08)", 50.000000000000007, 51.08, 5, 5),
            ("value", "2013", None, None, 5, 5),
            ("inf", "(+inf)", None, None, 1, 0),
        ],
    )
    shown = [label(cell, "numeric") for cell in made.cells]
    assert shown == ["0 to 1048.36", "13.8094", "50 to 51.08", "2013", "(+∞)"]
    assert ends(made.cells[0]) == ("0", "1048.36")
    assert [label(c, "categorical") for c in categorical("x", {" a": 1, "b": 2}, {"b": 1}).cells] == ["b", "“ a”"]


def test_order_of_moments_and_shares():
    cells = [("value", day, None, None, 1, 3) for day in ("2013-03-01", "2013-01-01", "2013-02-01 12:30")]
    made = column("x", "datetime", cells)
    assert [cell.label for cell in in_order(made)] == ["2013-01-01", "2013-02-01 12:30", "2013-03-01"]
    assert shares(made, made.cells[0]) == (1 / 3, 1 / 3)


def test_many_cells_that_are_each_slight_are_not_swallowed_by_their_neighbours():
    x, y = [float(i % 17) for i in range(900)], [float(i % 23) for i in range(900)]
    assert in_words(numeric("x", x, y)) == "new: from 17 to 22 (0 % → 26 %)"
    assert in_words(binned([(1000, 990)] * 5 + [(0, 50)])) == "new: from 5 up (0 % → 1 %)"


@given(counts)
def test_no_driver_is_a_whole_that_stays_the_same(pairs):
    made = binned(pairs)
    if made.kl > 0 and len(made.cells) > 1:
        said = in_words(made)
        assert said
        assert "all values" not in said
