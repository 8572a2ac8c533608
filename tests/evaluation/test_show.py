"""Every result on a terminal, in a notebook, as a page and as a plot; nothing of the data becomes markup."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from kullback import show
from kullback.evaluation import diff_models, evaluate, evaluate_generator
from kullback.result import evaluation, generator_evaluation, model_comparison

HOSTILE = '<script>alert(1)</script>"]\x1b[31m{{ 7*7 }}[bold]'


@dataclass(frozen=True)
class Normal:
    mean: object
    std: object


def results():
    rng = np.random.default_rng(0)
    q = rng.dirichlet(np.ones(3), size=400)
    y = (np.cumsum(q, axis=1) < rng.random(400)[:, None]).sum(axis=1)
    names = ["a", HOSTILE, "c"]
    labels = np.array(names, dtype=object)[y]
    sharper = q**2 / np.sum(q**2, axis=1, keepdims=True)
    infinite = q.copy()
    infinite[3] = 0.0
    infinite[3, (y[3] + 1) % 3] = 1.0
    x = rng.standard_normal(200)
    a = rng.standard_normal((60, 20))
    texts = [HOSTILE] * 60
    yield "classifier", evaluate(labels, sharper, classes=names, slices={HOSTILE: labels}, versus=q)
    yield "infinite", evaluate(y, infinite)
    yield "regressor", evaluate(x, Normal(np.zeros(200), np.full(200, 0.6)))
    yield "models", diff_models(a, a + rng.standard_normal(a.shape), targets=rng.integers(0, 20, 60), tokens=texts)
    yield "same", diff_models(a, a)
    real = rng.standard_normal((400, 2))
    yield "generator", evaluate_generator(real, real[real[:, 0] < 0.5], labels=[HOSTILE] * 400)


@pytest.fixture(scope="module")
def shown():
    return dict(results())


@pytest.mark.parametrize("name", ["classifier", "infinite", "regressor", "models", "same", "generator"])
@pytest.mark.parametrize("width", [60, 100, 160])
def test_terminal(shown, name, width):
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False, highlight=False).print(shown[name])
    text = out.getvalue()
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= width
    assert len(text.splitlines()) > 3


@pytest.mark.parametrize("name", ["classifier", "infinite", "regressor", "models", "same", "generator"])
def test_page_and_fragment(shown, name):
    page, cell = show.page(shown[name]), shown[name]._repr_html_()
    for html in (page, cell):
        assert "<script>alert" not in html
        assert "\x1b" not in html
        assert "49[bold]" not in html
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL).group(1)
    assert json.loads(data)["schema"].startswith("kullback-")
    assert len(page) < 300_000


@pytest.mark.parametrize("name", ["classifier", "regressor", "models", "generator"])
def test_plot(shown, name):
    pytest.importorskip("matplotlib").use("Agg")
    ax = shown[name].plot()
    assert ax.get_title()
    ax.figure.clear()


def test_headlines_say_what_was_found(shown):
    def first(name):
        out = io.StringIO()
        Console(file=out, width=200, highlight=False).print(shown[name])
        return out.getvalue().splitlines()[0]

    assert "saves" in first("classifier")
    assert "1 row: the log-loss is infinite" in first("infinite")
    assert "same at every position" in first("same")
    assert "nats per token" in first("models")
    assert "differ" in first("generator")


def test_every_key_of_the_json_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "evaluation-json.md").read_text(encoding="utf-8")
    said = set(re.findall(r"\w+", text))
    for kind in (evaluation, model_comparison, generator_evaluation):
        assert kind.SCHEMA in text
        for held in vars(kind).values():
            if dataclasses.is_dataclass(held) and held.__module__ == kind.__name__:
                assert {f.name for f in dataclasses.fields(held)} <= said
