import math
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kullback.show import text
from show.hostile import INVISIBLE, NAMES

anything = st.text(st.characters(), max_size=300) | st.sampled_from(NAMES)
numbers = st.floats(1e-12, 1e14) | st.floats(-1e14, -1e-12)


@given(anything, st.integers(1, 250))
def test_what_is_visible_has_nothing_hidden_and_is_short(value, limit):
    shown = text.visible(value, limit=limit)
    assert len(shown) <= limit
    hidden = {c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")}
    assert not hidden
    assert not INVISIBLE & set(shown)
    shown.encode()


@given(st.text("abcxyz äöüßéøåñ漢字かなабв(){}<>&\"'`|*_~#0123456789", max_size=200))
def test_ordinary_text_stays_as_it_is(value):
    assert text.visible(value) == value


@given(anything)
def test_cut_text_says_that_it_was_cut(value):
    shown = text.visible(value, limit=20)
    whole = text.visible(value, limit=10**6)
    assert shown == whole or shown.endswith("…")
    if len(whole) <= 20:
        assert shown == whole


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("red\x1b[31m", "red␛[31m"),
        ("a\nb\tc", "a␊b␉c"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("a\u00a0b", "a⟨U+00A0⟩b"),
        ("\ud800", "⟨U+D800⟩"),
        ("\x9b", "⟨U+009B⟩"),
        ("👍🏽 ☕\ufe0f", "👍🏽 ☕\ufe0f"),
        (3.5, "3.5"),
        (None, "None"),
    ],
)
def test_what_stands_for_the_invisible(value, shown):
    assert text.visible(value) == shown


def test_names_of_nothing_or_blanks_are_marked():
    assert text.name("") == "(empty name)"
    assert text.name("  ") == "“  ”"
    assert text.name(" a") == "“ a”"
    assert text.name("a b") == "a b"


@given(numbers, st.integers(1, 12))
def test_a_number_reads_back_within_half_a_unit_of_its_last_digit(value, digits):
    shown = text.number(value, digits=digits)
    back = float(shown.replace(",", "").replace("−", "-"))
    assert abs(back - value) <= 0.5000001 * 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (0.71302, "0.713"),
        (1302.0, "1,302"),
        (0.0123, "0.0123"),
        (4.5e-7, "4.5e−7"),
        (9.999, "10.00"),
        (-2.5, "−2.50"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_numbers(value, shown):
    assert text.number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0"), (1e-9, "<0.0001"), (0.00004, "<0.0001"), (0.00006, "0.0001"), (8.378, "8.3780")]
)
def test_only_nothing_is_drawn_as_nothing_in_a_table(value, shown):
    assert text.fixed(value) == shown


@given(st.floats(0, 1))
def test_only_none_is_zero_percent_and_only_all_is_a_hundred(share):
    shown = text.percent(share)
    assert (shown == "0 %") == (share == 0)
    assert (shown == "100 %") == (share == 1)
    value = float(re.sub(r"[<> %]", "", shown))
    assert abs(value - 100 * share) <= 0.5 + 1e-9
    assert (value == 0) == (share == 0)
    assert (value == 100) == (share == 1)


@given(st.floats(0, 1), st.floats(0, 1))
def test_percent_is_monotone(a, b):
    low, high = sorted((a, b))

    def read(share):
        shown = text.percent(share)
        shift = {"<": -0.001, ">": 0.001}.get(shown[0], 0.0)
        return float(re.sub(r"[<> %]", "", shown)) + shift

    assert read(low) <= read(high)


def test_shares_that_differ_do_not_read_the_same():
    assert text.percents(0.12, 0.31) == ("12 %", "31 %")
    assert text.percents(0.1000, 0.0992) == ("10.0 %", "9.9 %")
    assert text.percents(0.5, 0.5) == ("50 %", "50 %")
    assert text.percents(0.20001, 0.20002) == ("20 %", "20 %")  # no more than two digits after the point


def test_plural():
    assert text.plural(1, "row") == "1 row"
    assert text.plural(13_014, "row") == "13,014 rows"


@given(anything)
def test_ascii_only(value):
    assert text.ascii_only(text.visible(value)).isascii()
