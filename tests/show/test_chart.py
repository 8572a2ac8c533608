import matplotlib as mpl
import numpy as np
import pytest

import kullback as kb
from kullback.result.estimate import Estimate
from show.builders import categorical, comparison, shop, wide

mpl.use("Agg")
ESTIMATE = Estimate(0.53, 0.48, 0.58, 0.95, 0.025, "nats", "k nearest", (1000, 2000))
SAFE = ["<img src=x onerror=alert(1)>", "$\\frac{1}{2}$ $^_{", "$", "a\nb\x1b[31m", "", "x" * 10_000]


@pytest.fixture(autouse=True)
def close():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def drawn(axes):
    axes.figure.canvas.draw()
    return axes


def lengths(axes):
    return [bar.get_width() for bars in axes.containers for bar in bars]


def test_bars_of_a_comparison_are_as_long_as_d():
    result = shop()
    axes = drawn(result.plot())
    fewer, more = np.array(lengths(axes)).reshape(2, -1)
    assert fewer + more == pytest.approx([column.d_eq for column in result.columns], abs=1e-12)
    assert [label.get_text() for label in axes.get_yticklabels()] == [column.name for column in result.columns]


def test_many_columns_are_cut():
    axes = drawn(wide(40).plot())
    assert len(axes.get_yticklabels()) == 30
    assert "10 more columns" in axes.get_title(loc="left")


def test_given_axes_are_used():
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 3)
    for ax, result in zip(axes, (shop(), kb.explain([0.5, 0.5], [0.2, 0.8]), ESTIMATE), strict=True):
        assert result.plot(ax=ax) is ax


def test_bars_of_an_explanation_are_its_contributions():
    result = kb.explain({"a": 0.5, "b": 0.3, "c": 0.2}, {"a": 0.2, "b": 0.3, "c": 0.5})
    assert sum(lengths(drawn(result.plot()))) == pytest.approx(float(result), rel=1e-12)


def test_an_infinite_contribution_is_a_sign():
    axes = drawn(kb.explain([0.5, 0.5, 0.0], [0.5, 0.0, 0.5]).plot())
    assert [text.get_text() for text in axes.texts] == [" ∞"]


def test_the_interval_of_an_estimate():
    axes = drawn(ESTIMATE.plot())
    assert list(axes.lines[0].get_xdata()) == [0.48, 0.58]


@pytest.mark.parametrize("name", SAFE, ids=lambda name: ascii(name)[:20])
def test_hostile_names_are_text(name):
    drawn(comparison(categorical(name, {name: 80, "a": 40}, {"a": 80, name + "b": 40})).plot())
    drawn(kb.explain({name: 0.5, "b": 0.5}, {name: 0.2, "b": 0.8}).plot())
