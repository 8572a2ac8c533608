import io
import math
import re

import numpy as np
import pytest
from rich.console import Console

import kullback as kb
from kullback import show
from show.hostile import INVISIBLE, NAMES
from show.test_page import Page, safe, safe_fragment

FRUIT = kb.explain({"apple": 0.5, "pear": 0.3, "fig": 0.2}, {"apple": 0.2, "pear": 0.3, "fig": 0.5})
INFINITE = kb.explain({"apple": 0.5, "fig": 0.5}, {"apple": 1.0})


def printed(result, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(result)
    return console.file.getvalue()


def test_the_identity_stands_above_the_parts():
    text = printed(FRUIT)
    assert "KL(P‖Q) 0.2749 nats" in text
    assert "H(P) 1.03 + KL(P‖Q) 0.275 = H(P, Q) 1.30" in text
    assert [line.split()[0] for line in text.splitlines() if "%" in line] == ["apple", "fig", "pear"]


def test_the_parts_shown_add_up_with_the_others():
    rng = np.random.default_rng(0)
    result = kb.explain(kb.Counts(rng.poisson(30, 60)), kb.Counts(rng.poisson(30, 60)), base=2)
    parts = [float(value) for value in re.findall(r" % +(0\.\d{4})", printed(result))]
    assert len(parts) == 13
    assert math.isclose(sum(parts), float(result), abs_tol=0.00005 * 13)
    assert "(48 others)" in printed(result)
    assert "bits" in printed(result)


def test_infinite_is_named_with_its_mass():
    said = "Q has nothing at 'fig', where P has 50 %"
    assert said in printed(INFINITE)
    assert said in Page(show.fragment(INFINITE)).text
    page = safe(show.page(INFINITE))
    assert said in page.text
    assert page.data["value_infinite"] is True


def test_pages():
    page = safe(show.page(FRUIT, command="kullback explain"))
    assert "KL(P‖Q) is 0.2749 nats" in page.text
    assert "costs 1.30 nats each. 1.03 of them nobody can save; 0.275 are wasted" in page.text
    assert "H(P) and KL(P‖Q) add up" in page.text
    assert page.data == FRUIT.to_dict()
    assert "apple" in safe_fragment(FRUIT._repr_html_()).text


def test_nothing_where_p_and_q_agree():
    result = kb.explain([0.1, 0.2, 0.7], [0.1, 0.2, 0.7])
    assert "KL(P‖Q) 0 nats" in printed(result)
    safe(show.page(result))


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_hostile_labels_are_text(name):
    result = kb.explain({name: 0.5, "b": 0.5}, {name: 0.2, "b": 0.8})
    text = printed(result)
    assert not (INVISIBLE - {"\n"}) & set(text)
    safe(show.page(result, command=name))
    safe_fragment(show.fragment(result))
