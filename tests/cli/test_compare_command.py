"""`kullback compare`: what it prints, writes and returns."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

import kullback as kb
from kullback.cli import thresholds
from kullback.cli.app import app

COMMAND = [sys.executable, "-c", "from kullback.cli import main; main()"]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tables")
    found = []
    for name, shift in (("reference", 0.0), ("current", 0.5)):
        rng = np.random.default_rng(len(name))
        data = {
            "x": rng.normal(shift, 1, 2000),
            "s": rng.choice(["red", "green"], 2000),
            "a,b": rng.integers(0, 3, 2000),
            "odd:name=1": rng.random(2000) < 0.2 + shift,
        }
        pq.write_table(pa.table(data), folder / f"{name}.parquet")
        found.append(str(folder / f"{name}.parquet"))
    return found[0], found[1]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def spawn(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60, **options)


def test_the_table(paths: tuple[str, str]) -> None:
    result = run(*paths)
    assert result.exit_code == 0
    assert result.stderr == ""
    for word in ("x", "numeric", "categorical", "boolean", "2,000 rows"):
        assert word in result.stdout
    assert "more column" in run(*paths, "--top", 1).stdout


def test_json_on_stdout_is_only_json(paths: tuple[str, str]) -> None:
    result = run(*paths, "--json", "-", "--base", "2")
    found = json.loads(result.stdout, parse_constant=pytest.fail)
    assert found == kb.compare(*paths, base=2).to_dict()
    assert found["unit"] == "bits"


def test_files(paths: tuple[str, str], tmp_path: Path) -> None:
    html, numbers = tmp_path / "r.html", tmp_path / "r.json"
    result = run(*paths, "--html", html, "--json", numbers, "--columns", r"x,a\,b", "--columns", "s", "--exclude", "s")
    assert result.exit_code == 0
    assert {column["name"] for column in json.loads(numbers.read_text())["columns"]} == {"x", "a,b"}
    assert html.read_text().lower().startswith("<!doctype html>")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["r.html", "r.json"]
    assert "r.html" in result.stdout


def test_thresholds(paths: tuple[str, str]) -> None:
    for arguments, code in (
        (["js=0.0001"], 1),
        (["js=0.5"], 0),
        (["x:kl=0.05"], 1),
        (["x:kl=0.2"], 0),
        (["js=0.0001", "x:js=1", "odd:name=1:js=1", "s:js=1", "a,b:js=1"], 0),
        (["odd:name=1:kl=0.1"], 1),
        (["vanished_mass=1"], 0),
        (["kl_raw=inf"], 0),
    ):
        flat = [part for argument in arguments for part in ("--fail-above", argument)]
        result = run(*paths, *flat)
        assert result.exit_code == code, arguments
        assert ("above the threshold" in result.stderr) == bool(code)
    assert "x has kl" in run(*paths, "--fail-above", "x:kl=0.05").stderr


def test_thresholds_are_in_the_unit_asked_for(paths: tuple[str, str]) -> None:
    value = kb.compare(*paths)["x"].kl
    assert run(*paths, "--fail-above", f"x:kl={value * 1.2}").exit_code == 0
    assert run(*paths, "--fail-above", f"x:kl={value * 1.2}", "--base", "bits").exit_code == 1


def test_infinite_is_above_every_threshold() -> None:
    result = kb.compare(pa.table({"k": ["a", "b"]}), pa.table({"k": ["a", "a"]}))
    assert [found.column for found in thresholds.exceeded(result, thresholds.parse(["kl_raw=1e308"]))] == ["k"]
    assert thresholds.exceeded(result, thresholds.parse(["ks=0"])) == []  # text has no order


BAD = [
    (["no-such-file", "{r}"], "there is no file no-such-file"),
    (["{r}", "{r}", "--fail-above", "js"], "expected MEASURE=NUMBER"),
    (["{r}", "{r}", "--fail-above", "js=nan"], "expected MEASURE=NUMBER"),
    (["{r}", "{r}", "--fail-above", "yes=1"], "'yes' is not a measure"),
    (["{r}", "{r}", "--fail-above", "q:js=1"], "column 'q' was not compared"),
    (["{r}", "{r}", "--columns", "nope"], "neither table has a column 'nope'"),
    (["{r}", "{r}", "--bins", "odd"], "is not a rule"),
    (["{r}", "{r}", "--base", "0.5"], "base=0.5"),
    (["{r}", "{r}", "--memory", "some"], "is not a size"),
    (["{r}", "{r}", "--json", "{t}/no/such/folder.json"], "there is no folder"),
    (["{r}", "{r}", "--json", "{t}"], "is a folder"),
    (["{r}", "{r}", "--json", "{r}"], "is an input"),
    (["{r}", "{r}", "--json", "{t}/a", "--html", "{t}/a"], "two outputs"),
    (["{r}", "{r}", "--json", "/dev/full"], "No space left on device"),
    (["{r}", "{r}", "--threads", "0"], "Invalid value"),
    (["{r}"], "Missing argument"),
    (["{r}", "{r}", "--nonsense"], "No such option"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD)
def test_unusable_input_is_code_2_and_words(
    arguments: list[str], words: str, paths: tuple[str, str], tmp_path: Path
) -> None:
    before = Path(paths[0]).read_bytes()
    result = run(*(argument.format(r=paths[0], t=tmp_path) for argument in arguments))
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []
    assert Path(paths[0]).read_bytes() == before


def test_errors_of_ours_are_one_line_without_traceback() -> None:
    result = spawn("compare", "a\nb\x1bm.parquet", "b")
    assert result.returncode == 2
    assert result.stderr.startswith("kullback: reference: there is no file")
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.stderr


def test_a_full_disk_leaves_nothing(paths: tuple[str, str], tmp_path: Path) -> None:
    """A limit on the size of files fails the write half-way, like a disk that is full."""
    (tmp_path / "old.json").write_text("before")

    # Limited inside the child: forking this process to limit it would clash with the threads of other libraries.
    small = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); from kullback.cli import main; main()"
    )
    outputs = ["--html", str(tmp_path / "r.html"), "--json", str(tmp_path / "old.json"), "--threads", "1"]
    result = subprocess.run(
        [sys.executable, "-c", small, "compare", *paths, *outputs], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 2
    assert "r.html cannot be written" in result.stderr
    assert result.stderr.count("\n") == 1
    assert (tmp_path / "old.json").read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["old.json"]


def test_a_link_stays_a_link_and_permissions_stay(paths: tuple[str, str], tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    assert run(*paths, "--json", link).exit_code == 0
    assert link.is_symlink()
    assert json.loads(real.read_text())["schema_version"] == 1
    assert real.stat().st_mode & 0o777 == 0o640


def test_interrupt_is_130(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "large.parquet"
    data = pa.table({f"k{i}": rng.integers(0, 10**9, 2_000_000).astype(str) for i in range(4)})
    pq.write_table(data, path, compression="none", use_dictionary=False)
    process = subprocess.Popen(
        [*COMMAND, "compare", str(path), str(path), "--threads", "1"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(2.0)
    assert process.poll() is None, "it was done before it could be interrupted"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip() == "kullback: interrupted"


def test_a_closed_pipe_is_no_traceback(paths: tuple[str, str]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        result = subprocess.run(
            [*COMMAND, "compare", *paths, "--json", "-"], stdout=closed, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert result.stderr == ""


def test_help_is_light_and_complete() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = spawn("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.returncode == 0
    assert "compare" in result.stdout
    loaded = spawn_code(
        "import sys; import kullback.cli.app; print([m for m in ('numpy', 'duckdb', 'pyarrow') if m in sys.modules])"
    )
    assert loaded == "[]"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0  # the goal of 0.5 is benched


def spawn_code(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    ).stdout.strip()


def test_a_command_line_in_the_report(paths: tuple[str, str], tmp_path: Path) -> None:
    target = tmp_path / "my report.html"
    assert spawn("compare", *paths, "--html", target).returncode == 0
    assert "kullback compare" in target.read_text()
