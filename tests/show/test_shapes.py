import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kullback.show import ticks
from kullback.show.comparison.shapes import FINEST, TAIL, profile, rows
from kullback.show.comparison.svg import HEIGHT, WIDTH, bar, sparkline
from show.builders import categorical, column, numeric

samples = st.lists(st.floats(-1e6, 1e6).map(lambda v: round(v, 3)), min_size=5, max_size=80)


def mass(drawn, side):
    return sum(getattr(b, side) * (b.high - b.low) for b in drawn.bars)


@settings(max_examples=80)
@given(samples, samples)
def test_density_keeps_the_mass_in_order_and_apart(x, y):
    made = numeric("x", x, y)
    drawn = profile(made)
    if drawn is None:
        return
    for side in ("reference", "current"):
        assert 1 - 2 * TAIL - 1e-9 <= mass(drawn, side) <= 1 + 1e-9
    for left, right in zip(drawn.bars, drawn.bars[1:], strict=False):
        assert left.high <= right.low + 1e-9 * (drawn.high - drawn.low)
    assert len(drawn.bars) <= 2 * FINEST + 2
    assert all(drawn.low <= b.low and b.high <= drawn.high for b in drawn.bars)


@settings(max_examples=60)
@given(samples, samples)
def test_paths_stay_inside_and_hold_digits_only(x, y):
    made = numeric("x", x, y)
    for path in sparkline(profile(made), rows(made)).values():
        assert set(path) <= set("MhvVz -0123456789")


def test_an_outlier_does_not_stretch_the_axis():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, 10_000)
    x[0] = 1e6
    drawn = profile(numeric("x", x, rng.normal(0, 1, 10_000)))
    assert drawn.high < 10
    assert drawn.beyond[-1].endswith("above")


def test_a_value_of_its_own_is_a_spike_beside_the_bins():
    cells = [
        ("value", "0", None, None, 900, 800),
        ("bin", "[0.01, 0.1)", 0.01, 0.1, 60, 100),
        ("bin", "[0.1, 1]", 0.1, 1.0, 40, 100),
    ]
    drawn = profile(column("x", "numeric", cells, min=0.0, max=1.0))
    assert drawn.bars[0].low <= 0 <= drawn.bars[0].high < 0.05
    assert math.isclose(mass(drawn, "reference"), 1)


def test_nothing_finite_and_no_order_have_no_axis():
    assert (
        profile(column("x", "numeric", [("inf", "inf", None, None, 5, 0), ("missing", "", None, None, 1, 6)])) is None
    )
    assert profile(categorical("x", {"a": 1}, {"b": 1})) is None


def test_constants_and_moments_can_be_drawn():
    assert len(profile(numeric("x", [5.0] * 9, [5.0] * 4)).bars) == 1
    times = 1.4e9 + 3600.0 * np.arange(500)
    drawn = profile(numeric("x", times, times + 9e6, kind="datetime"))
    assert [text for _, text in drawn.ticks][:2] == ["Jun 2014", "Jul 2014"]


def test_rows_are_the_largest_and_the_others_together():
    made = categorical("x", {f"v{i}": 100 - i for i in range(20)}, {f"v{i}": 100 for i in range(20)})
    found = rows(made)
    assert [row.label for row in found[:3]] == ["v0", "v1", "v2"]
    assert found[-1].label == "(12 others)"
    assert found[-1].together == 12
    assert math.isclose(sum(row.reference for row in found), 1)


@given(st.floats(0, 5), st.floats(0, 5), st.floats(0.5, 2))
def test_bar_lengths(fewer, more, end):
    drawn = bar(fewer, more, end)
    total = drawn["fewer"] + drawn["more"]
    assert 0 <= total <= 200
    assert (total > 0) == (fewer + more > 0)
    assert drawn["over"] == (fewer + more > end * (1 + 1e-9))


@given(st.floats(-1e12, 1e12), st.floats(1e-3, 1e12))
def test_ticks_lie_inside_and_are_few(low, width):
    high = low + width
    for marks in (ticks.numbers(low, high), ticks.moments(low, high)):
        assert len(marks) <= 14
        assert all(low - 1e-6 * width <= x <= high + 1e-6 * width for x, _ in marks)
        assert [x for x, _ in marks] == sorted(x for x, _ in marks)
        texts = [text for _, text in marks]
        assert marks is not None
        if marks and width > 1e-6 * abs(low) and marks == ticks.numbers(low, high):
            assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("days", "first"), [(0.02, "00:10"), (1, "06:00"), (12, "6 Jan"), (200, "Jan 1970"), (4000, "1970")]
)
def test_moments(days, first):
    texts = [text for _, text in ticks.moments(0.0, 86_400.0 * days)]
    assert first in texts


def test_size_of_the_drawing():
    assert (WIDTH, HEIGHT) == (440, 96)  # the templates' view boxes
