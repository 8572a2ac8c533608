"""`kullback laws` and `kullback explain`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import kullback as kb
from kullback.cli.app import app
from kullback.facts import FACTS, LAWS

RUN = CliRunner()


def test_laws_lists_every_measure_and_every_broken_law() -> None:
    told = RUN.invoke(app, ["laws", "--json"])
    assert told.exit_code == 0
    rows = {row["name"]: row for row in json.loads(told.stdout)["measures"]}
    assert set(rows) == set(FACTS)
    for name, facts in FACTS.items():
        assert {law for law, broken in rows[name]["laws"].items() if broken} == {
            law for law in LAWS if not facts.obeys(law)
        }


def test_laws_in_words() -> None:
    told = RUN.invoke(app, ["laws", "kl"], env={"COLUMNS": "80"})
    assert told.exit_code == 0
    assert max(map(len, told.stdout.splitlines())) <= 80
    assert "kl_divergence: not symmetric" in told.stdout
    assert "false  Cross-entropy is symmetric" in told.stdout


def test_laws_of_an_unknown_measure() -> None:
    told = RUN.invoke(app, ["laws", "kolmogorov"])
    assert told.exit_code == 2
    assert "no measure is called kolmogorov" in told.stderr


def test_explain_adds_up_and_names_the_infinite() -> None:
    told = RUN.invoke(app, ["explain", "0.5,0.5,0", "0.25,0.5,0.25", "--labels", "a,b,c", "--base", "2", "--json"])
    data = json.loads(told.stdout)
    assert data["value"] == pytest.approx(kb.kl_divergence([0.5, 0.5, 0], [0.25, 0.5, 0.25], base=2))
    assert sum(part["contribution"] for part in data["parts"]) == pytest.approx(data["value"])
    assert [part["label"] for part in data["parts"]] == ["a", "b", "c"]
    assert data["kl_reverse"] is None
    assert data["kl_reverse_infinite"] is True
    shown = RUN.invoke(app, ["explain", "0.5,0.5,0", "1,0,0"])
    assert "∞" in shown.stdout
    assert "where P has 50 %" in shown.stdout


def test_explain_from_a_csv_file(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("who,then,now\nx,30,10\ny,10,10\n", encoding="utf-8")
    told = RUN.invoke(
        app, ["explain", f"{table}::then", f"{table}::now", "--labels", f"{table}::who", "--counts", "--json"]
    )
    assert json.loads(told.stdout)["value"] == pytest.approx(kb.kl_divergence([0.75, 0.25], [0.5, 0.5]))
    wrong = RUN.invoke(app, ["explain", f"{table}::then", f"{table}::later", "--counts"])
    assert wrong.exit_code == 2
    assert "has no column 'later'; it has who, then, now" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["1,2", "3,4"], "looks like counts or logits. Pass --counts or --logits"),
        (["0.5,x", "0.5,0.5"], "P, entry 2: 'x' is not a number"),
        (["0.5,0.5", "0.2,0.3,0.5"], "p has 2 categories and q has 3"),
        (["0.5,0.5", "0.5,0.5", "--counts", "--logits"], "only one of them"),
        (["0.5,0.5", "0.5,0.5", "--base", "zwei"], "base='zwei'"),
        (["nofile.csv::a", "0.5,0.5"], "nofile.csv"),
    ],
)
def test_explain_refuses_in_one_line(arguments: list[str], words: str) -> None:
    told = RUN.invoke(app, ["explain", *arguments])
    assert told.exit_code == 2
    assert words in told.stderr
    assert told.stderr.count("\n") == 1
