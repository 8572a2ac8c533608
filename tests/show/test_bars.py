import pytest
from hypothesis import given
from hypothesis import strategies as st

from kullback.show.bars import interval_bar, split_bar

lengths = st.floats(0, 10)
ways = st.tuples(st.booleans(), st.booleans())


@given(lengths, lengths, st.floats(0.1, 5), st.integers(1, 60), ways)
def test_a_bar_fits_and_says_when_it_is_cut(fewer, more, full, width, way):
    colour, ascii_only = way
    bar = split_bar(fewer, more, full=full, width=width, colour=colour, ascii_only=ascii_only)
    signs = "".join(part for part, _ in bar)
    assert len(signs) <= width
    assert bool(signs) == (fewer + more > 0)
    assert (bar[-1][1] == "over" if bar else False) == (fewer + more > full * (1 + 1e-9))
    assert not ascii_only or signs.isascii()


@given(lengths, lengths, st.floats(0, 5), st.integers(4, 60), ways)
def test_a_longer_bar_is_not_drawn_shorter(fewer, more, further, width, way):
    def drawn(extra):
        bar = split_bar(fewer, more + extra, full=5.0, width=width, colour=way[0], ascii_only=way[1])
        return sum(len(part) for part, _ in bar)

    assert drawn(further) >= drawn(0.0)


def test_parts_are_in_proportion_and_differ_without_colour():
    assert split_bar(1, 3, full=4, width=8, colour=False, ascii_only=False) == [("░░", "fewer"), ("██████", "more")]
    assert split_bar(1, 3, full=4, width=8, colour=True, ascii_only=False) == [("━━", "fewer"), ("━━━━━━", "more")]
    assert split_bar(1, 3, full=4, width=8, colour=False, ascii_only=True) == [("==", "fewer"), ("######", "more")]
    assert split_bar(0, 9, full=4, width=4, colour=False, ascii_only=False) == [("███", "more"), ("▸", "over")]


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_interval(value):
    line = interval_bar(0.0, value, 1.0, start=0.0, stop=1.0, width=11)
    assert len(line) == 11
    assert line[round(10 * value)] == "●"
