"""Speed and error of evaluating models, beside the peers: python benchmarks/bench_evaluate.py [ROWS]

With ROWS, such as 100000000, instead: the whole command on a Parquet file of so many rows, 8 bytes each, and its
memory.
"""

from __future__ import annotations

import importlib.metadata as versions
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def best(call, times=5):
    call()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        value = call()
        found.append(time.perf_counter() - start)
    return min(found), value


def show(name, seconds, unit, rate, error):
    print(f"{name:52}{1000 * seconds:10.1f} ms{rate:14.3g} {unit:10} error {error:.1e}")


def log_losses(n, K):
    from sklearn.metrics import log_loss as peer

    from kullback.evaluation import log_loss

    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(K), size=n)
    y = rng.integers(0, K, n)
    truth = float(np.mean(-np.log(p[np.arange(n), y].astype(np.longdouble))))
    labels = np.arange(K)
    ours, a = best(lambda: log_loss(y, p).value)
    theirs, b = best(lambda: peer(y, p, labels=labels), 2)
    print(f"log-loss, n={n:,}, K={K}")
    show("  kullback, with interval, rows checked", ours, "rows/s", n / ours, abs(a - truth))
    show(f"  scikit-learn {versions.version('scikit-learn')}", theirs, "rows/s", n / theirs, abs(b - truth))
    print(f"  ratio {theirs / ours:.0f}\n")
    return y, p


def parquet(y, p):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from kullback.evaluation import evaluate_table, log_loss_of_table

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.parquet"
        pq.write_table(pa.table({"y": y} | {f"p_{k}": p[:, k] for k in range(p.shape[1])}), path)
        quick, _ = best(lambda: log_loss_of_table(path), 3)
        full, _ = best(lambda: evaluate_table(path), 1)
    print(
        f"Parquet, n={len(y):,}, K={p.shape[1]}: log-loss with interval {quick:.2f} s, the full report {full:.1f} s\n"
    )


def pairs():
    import torch

    from kullback.evaluation._pairs import pairs as ours
    from kullback.evaluation._pairs import pairs_formula

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    n, V = 256, 49_152
    a = (4 * rng.standard_normal((n, V))).astype(np.float32)
    b = (a + 0.1 * rng.standard_normal((n, V))).astype(np.float32)
    truth = pairs_formula(a[:8], b[:8]).kl
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)

    def peer():
        p, q = torch.log_softmax(ta, -1), torch.log_softmax(tb, -1)
        return torch.nn.functional.kl_div(q, p, log_target=True, reduction="none").sum(-1).numpy()

    mine, x = best(lambda: ours(a, b).kl)
    theirs, z = best(peer)
    print(f"two models, {n} positions, vocabulary {V:,}, float32, one thread")
    show("  kullback: KL both ways, JS, TV, entropy", mine, "pairs/s", n * V / mine, np.max(np.abs(x[:8] / truth - 1)))
    show(f"  torch {torch.__version__}: KL alone", theirs, "pairs/s", n * V / theirs, np.max(np.abs(z[:8] / truth - 1)))
    print(f"  ratio {theirs / mine:.1f}\n")


def large(rows):
    """The command in a process of its own, on probabilities of two classes that are too confident."""
    import resource
    import subprocess

    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.parquet"
        writer = None
        for start in range(0, rows, 2_000_000):
            z = 1.5 * rng.standard_normal(min(2_000_000, rows - start), dtype=np.float32)
            p = 1.0 / (1.0 + np.exp(np.float32(-1.3) * z))
            y = rng.random(z.size, dtype=np.float32) < 1.0 / (1.0 + np.exp(-z))
            table = pa.table({"y": y.astype(np.int8), "p_0": 1.0 - p, "p_1": p})
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
        writer.close()
        start = time.perf_counter()
        limit = ["--memory", "500MB"]
        command = [sys.executable, "-c", "from kullback.cli import main; main()", "evaluate", str(path), *limit]
        subprocess.run(command, check=True, capture_output=True)
        wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    print(f"{rows:,} rows, K=2, --memory 500MB: {wall:.1f} s, {cpu:.1f} s of CPU, {peak:.0f} MB at most")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        large(int(sys.argv[1]))
        sys.exit()
    pairs()
    parquet(*log_losses(1_000_000, 10))
    log_losses(50_000, 1000)
