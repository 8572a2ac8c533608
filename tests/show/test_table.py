import io
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from kullback import show
from show.builders import categorical, comparison, shop, wide
from show.hostile import INVISIBLE, NAMES, everywhere

NUMBERS = re.compile(r"\d\.\d{4}")


def printed(result, width=80, *, encoding="utf-8", **options):
    """As to a pipe: plain text."""
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding=encoding, write_through=True), width=width)
    console.print(show.terminal(result, **options))
    return raw.getvalue().decode(encoding)


def coloured(result, width=80, **options):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor")
    console.print(show.terminal(result, **options))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 79, 80, 100, 139, 140, 160, 250])
@pytest.mark.parametrize("result", [shop(), wide(12), everywhere()], ids=["shop", "wide", "hostile"])
def test_no_line_is_wider_than_the_terminal(result, width):
    text = printed(result, width, written=["a.html", "b" * 300])
    assert max(cell_len(line) for line in text.split("\n")) <= width


def test_what_moved_most_comes_first_and_everything_is_said():
    text = printed(shop(), written=["report.html"])
    names = [line.split()[0] for line in text.splitlines() if NUMBERS.search(line)]
    assert names[:4] == ["ordered_on", "country", "price", "items"]
    for said in (
        "data/january.parquet  4,000 rows",
        "KL nats",
        "like a mean shift of d standard deviations",
        "vanished: 'UK' (8 % → 0 %) · ∞ · 17 % new",
        "new: missing (0 % → 8 %) · ∞ 0.2 % vanished",
        "missing 10.0 % → 9.9 %",
        "only in reference  fax",
        "only in current    tiktok, coupon",
        "comment: missing throughout on both sides",
        "written            report.html",
    ):
        assert said in text


def test_wide_terminals_have_one_line_per_column():
    text = printed(shop(), 160)
    line = next(line for line in text.splitlines() if line.startswith(" country"))
    assert "vanished: 'UK' (8 % → 0 %) · ∞ · 17 % new" in line


def test_top_limits_the_columns_and_says_how_many_are_left():
    text = printed(wide(12), top=3)
    assert len(re.findall(r"^ \w+ +(numeric|categorical) ", text, flags=re.MULTILINE)) == 3
    assert "… 9 more columns, KL " in text
    assert "more column" not in printed(wide(12), top=99)


def test_the_unit_is_named():
    assert "KL bits" in printed(replace(shop(), unit="bits"))


def test_pipes_get_no_escapes_and_terminals_get_colours(monkeypatch):
    assert "\x1b" not in printed(shop())
    assert "38;2;58;143;217" in coloured(shop())
    assert "━" in coloured(shop())
    monkeypatch.setenv("NO_COLOR", "1")
    plain = coloured(shop())
    assert "38;2;" not in plain
    assert "░" in plain  # without colour the two parts differ in darkness
    assert "━" not in plain


def test_a_terminal_without_unicode_gets_ascii():
    text = printed(shop(), encoding="ascii")
    assert text.isascii()
    assert "#" in text
    assert "inf 60 % vanished" in text


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_hostile_names_are_text(name, width):
    other = {"a": 30, name + "b": 90}
    result = comparison(categorical(name, {name: 80, "a": 40}, other), only_in_current=(name,))
    text = printed(result, width, written=[name])
    assert not (INVISIBLE - {"\n"}) & set(text)
    text.encode()
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", coloured(result, width)))
    allowed = {"0", "1", "2", "1;38;2;224;123;26", "38;2;58;143;217", "38;2;224;123;26", "2;38;2;58;143;217"}
    assert codes <= allowed
    assert coloured(result, width).count("\x1b") == sum(
        1 for _ in re.finditer(r"\x1b\[[0-9;]*m", coloured(result, width))
    )


def test_markup_is_not_read():
    result = comparison(categorical("[red]x[/]", {"[b]": 50, "c": 5}, {"[b]": 5, "c": 50}))
    text = printed(result)
    assert "[red]x[/]" in text
    assert "'[b]'" in text


def test_names_are_cut_by_the_width_of_their_characters():
    result = comparison(categorical("漢字" * 30, {"a": 50, "b": 5}, {"a": 5, "b": 50}))
    line = next(line for line in printed(result).splitlines() if "漢" in line)
    assert "…" in line
    assert cell_len(line[: line.index("categorical")]) == 27


def test_nothing_to_show_is_shown():
    empty = comparison(only_in_reference=("a",))
    assert "only in reference  a" in printed(empty)
    still = comparison(categorical("x", {"a": 5, "b": 5}, {"a": 5, "b": 5}))
    assert re.search(r"x +categorical +0 +0", printed(still))
