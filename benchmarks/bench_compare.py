"""`kb.compare` against its peers: whole processes, CPU seconds and peak memory, ratios in paired runs.

    python benchmarks/bench_compare.py                      # 1 M rows, 20 M rows, outlier, start-up
    python benchmarks/bench_compare.py --evidently PYTHON   # also evidently, by a Python that has it (pandas < 3)
    python benchmarks/bench_compare.py --rows 1000000       # one size only

Tables come from make_table.py and are kept in --folder. Every contender runs in a process of its own, in turns, and the
median of the ratios within a round is what counts. Hand-written SQL is given its best setting: the very same bins, a
balanced tree of comparisons, one GROUP BY per column and side, and nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

OURS = """
import sys, json
import kullback as kb
memory = sys.argv[3] if len(sys.argv) > 3 else None
result = kb.compare(sys.argv[1], sys.argv[2], threads=2, memory=memory)
print(json.dumps({"version": kb.__version__, "numbers": {c.name: c.kl_smoothed for c in result.columns}}))
"""

HAND = """
import sys, json, math, time
import duckdb
edges = json.load(open(sys.argv[3]))
con = duckdb.connect(config={"threads": 2})
con.execute("SET preserve_insertion_order = false")

def tree(c, e, low, high):
    if low == high:
        return str(low)
    m = (low + high) // 2
    return f"CASE WHEN {c} < {e[m]!r}::DOUBLE THEN {tree(c, e, low, m)} ELSE {tree(c, e, m + 1, high)} END"

numbers = {}
for name, (kind, e) in edges.items():
    c = f"epoch({name})" if kind == "datetime" else name
    code = f"CASE WHEN {name} IS NULL THEN -1 ELSE {tree(c, e, 0, len(e))} END::TINYINT" if e else name
    r, q = (dict(con.execute(f"SELECT {code} AS b, count(*) FROM '{p}' GROUP BY b").fetchall()) for p in sys.argv[1:3])
    keys = list({**r, **q})
    n, m = sum(r.values()) + len(keys) / 2, sum(q.values()) + len(keys) / 2
    numbers[name] = sum(
        (r.get(k, 0) + .5) / n * math.log((r.get(k, 0) + .5) * m / n / (q.get(k, 0) + .5)) for k in keys)
print(json.dumps({"version": "duckdb " + duckdb.__version__, "numbers": numbers}))
"""

EVIDENTLY = """
import sys, json, warnings
warnings.filterwarnings("ignore")
import pandas as pd, evidently
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
frames = [pd.read_parquet(p) for p in sys.argv[1:3]]
for f in frames:
    f["boolean"] = f["boolean"].astype(int)
    f["timestamp"] = f["timestamp"].astype("int64") / 1e6
numeric = ["normal", "lognormal", "exponential", "counts", "two_bumps", "timestamp"]
text = ["boolean", "category10", "zipf100", "text"]
definition = DataDefinition(numerical_columns=numeric, categorical_columns=text)
r, c = (Dataset.from_pandas(f, data_definition=definition) for f in frames)
snapshot = Report([DataDriftPreset(method="kl_div")]).run(c, r)
found = {}
for metric in snapshot.dict()["metrics"]:
    column = metric.get("config", {}).get("column")
    if column:
        found[column] = float(metric["value"])
print(json.dumps({"version": "evidently " + evidently.__version__ + ", pandas " + pd.__version__, "numbers": found}))
"""


# Linux counts what a process was before exec into ru_maxrss; the high-water mark of the new image is in /proc.
PEAK = """
for line in open("/proc/self/status"):
    if line.startswith("VmHWM"):
        print(line.split()[1])
"""


def run(python: str, code: str, *arguments: object) -> dict[str, object]:
    """One process: CPU seconds of it and its children, wall seconds, peak memory in MB, and what it printed."""
    started = time.perf_counter()
    read, write = os.pipe()
    with os.fdopen(write, "wb") as out:
        process = subprocess.Popen([python, "-c", code + PEAK, *map(str, arguments)], stdout=out)
    with os.fdopen(read) as printed:
        text = printed.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{code.strip().splitlines()[1]} … failed")
    return {
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": time.perf_counter() - started,
        "mb": int(text.split()[-1]) / 1024,
        **json.loads(text.strip().splitlines()[-2]),
    }


def tables(folder: Path, rows: int) -> tuple[Path, Path]:
    where = folder / str(rows)
    if not (where / "current.parquet").exists():
        subprocess.run([sys.executable, HERE / "make_table.py", where, str(rows)], check=True)
    return where / "reference.parquet", where / "current.parquet"


def report(name: str, runs: list[dict[str, object]], against: list[dict[str, object]] | None = None) -> None:
    cpu, wall, mb = (statistics.median(float(r[key]) for r in runs) for key in ("cpu", "wall", "mb"))
    line = f"  {name:34} {cpu:8.2f} CPU-s {wall:8.2f} s {mb:7.0f} MB   {runs[0].get('version', '')}"
    if against:
        ratios = [float(r["cpu"]) / float(o["cpu"]) for r, o in zip(runs, against, strict=True)]
        memory = [float(r["mb"]) / float(o["mb"]) for r, o in zip(runs, against, strict=True)]
        line += f"   {statistics.median(ratios):.2f} x our CPU, {statistics.median(memory):.2f} x our memory"
    print(line, flush=True)


def bins(reference: Path, current: Path, target: Path) -> None:
    import kullback as kb

    result = kb.compare(reference, current)
    own = {"lognormal", "normal", "exponential", "two_bumps", "counts", "timestamp"}
    edges = {c.name: (c.kind, c.edges if c.name in own else []) for c in result.columns}
    target.write_text(json.dumps(edges))


def difference(ours: dict[str, object], theirs: dict[str, object]) -> float:
    """Largest relative difference of the smoothed KL of a column; text is left out, for which we keep fewer cells."""
    a, b = ours["numbers"], theirs["numbers"]
    assert isinstance(a, dict)
    assert isinstance(b, dict)
    return max(abs(a[k] - b[k]) / max(abs(a[k]), 1e-12) for k in b if k != "text")


def sized(folder: Path, rows: int, rounds: int, evidently: str | None) -> None:
    reference, current = tables(folder, rows)
    edges = folder / f"edges-{rows}.json"
    bins(reference, current, edges)
    print(f"{rows:,} rows x 10 columns a side, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    ours, limited, hand, other = [], [], [], []
    for _ in range(rounds):
        ours.append(run(sys.executable, OURS, reference, current))
        hand.append(run(sys.executable, HAND, reference, current, edges))
        limited.append(run(sys.executable, OURS, reference, current, "200MB"))
        if evidently and rows <= 1_000_000:
            other.append(run(evidently, EVIDENTLY, reference, current))
    report("kullback", ours)
    report("kullback, memory 200MB", limited)
    report("hand-written SQL, the same bins", hand, ours)
    print(f"  {'':34} largest relative difference of KL (smoothed) from ours: {difference(ours[0], hand[0]):.1e}")
    if other:
        report("evidently, kl_div", other, ours)
        print(f"  {'':34} KL by column: " + _columns(other[0]))
        print(f"  {'':34}     and ours: " + _columns(ours[0]))


def _columns(one: dict[str, object]) -> str:
    numbers = one["numbers"]
    assert isinstance(numbers, dict)
    return ", ".join(f"{name} {value:.4f}" for name, value in sorted(numbers.items()))


def outlier() -> None:
    """One value of 1e6 among a million draws: KL(N(0,1)‖N(1,1)) = ½ may move by < 2 %."""
    import numpy as np
    import pyarrow as pa

    import kullback as kb

    x, y = (np.random.default_rng(seed).normal(seed, 1, 1_000_000) for seed in (0, 1))
    clean = kb.compare(pa.table({"x": x}), pa.table({"x": y}))["x"].kl
    spoiled = kb.compare(pa.table({"x": np.append(x, 1e6)}), pa.table({"x": y}))["x"].kl
    print(
        f"KL(N(0,1)‖N(1,1)), truth 0.5: {clean:.5f}; with one 1e6: {spoiled:.5f} ({100 * (spoiled / clean - 1):+.3f} %)"
    )


def start_up(rounds: int = 15) -> None:
    codes = {
        "import numpy": "import numpy",
        "import kullback": "import kullback",
        "kullback --help": "import sys; sys.argv = ['kullback', '--help']; from kullback.cli import main; main()",
    }
    found: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(rounds):
        for name, code in codes.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    for name, cpu in found.items():
        print(f"{name:18} {1000 * statistics.median(cpu):6.0f} ms of CPU (median of {rounds})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("out/bench"))
    parser.add_argument("--rows", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--evidently", help="a Python that has evidently 0.7 and pandas < 3")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    start_up()
    outlier()
    for rows in args.rows or (1_000_000, 20_000_000):
        sized(args.folder, rows, args.rounds, args.evidently)


if __name__ == "__main__":
    main()
