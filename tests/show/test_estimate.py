import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from kullback import show
from kullback.result.estimate import Estimate
from show.hostile import INVISIBLE, NAMES
from show.test_page import safe, safe_fragment

SURE = Estimate(0.5312, 0.48, 0.58, 0.95, 0.0251, "nats", "k nearest", (1000, 2000), ("Close to its bias.",))


def printed(result, width=90):
    console = Console(file=io.StringIO(), width=width)
    console.print(result)
    return console.file.getvalue()


def test_the_number_comes_with_its_interval():
    text = printed(SURE)
    assert "0.531 nats   95 % interval 0.480 to 0.580, standard error 0.0251" in text
    assert "├" in text
    assert "k nearest, n = 1,000 and 2,000" in text
    assert "Close to its bias." in text


def test_no_more_digits_than_the_interval_allows():
    assert printed(replace(SURE, low=0.1, high=0.9)).startswith(" 0.53 nats")
    assert printed(replace(SURE, low=0.53119, high=0.53121)).startswith(" 0.5312")


@pytest.mark.parametrize(
    "changes",
    [
        {"high": math.inf},
        {"value": math.inf, "high": math.inf},
        {"low": 0.0, "value": 0.0, "high": 0.0},
        {"low": -1.0, "value": -0.5, "high": -0.1},
        {"standard_error": math.nan},
        {"n": ()},
    ],
)
def test_edges_can_be_shown(changes):
    result = replace(SURE, **changes)
    assert printed(result)
    safe(show.page(result))
    safe_fragment(show.fragment(result))


def test_pages():
    page = safe(show.page(SURE))
    assert "95 % interval 0.480 to 0.580 nats" in page.text
    assert page.data == SURE.to_dict()


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_hostile_words_are_text(name):
    result = replace(SURE, method=name, notes=(name,))
    assert not (INVISIBLE - {"\n"}) & set(printed(result))
    safe(show.page(result))
    safe_fragment(show.fragment(result))
