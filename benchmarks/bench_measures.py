"""The measures beside their peers: time, and the error against mpmath or float64, in one process.

    python benchmarks/bench_measures.py [--quick] [--rounds N]

Every contender of a row of the table is timed in turn, round after round, and the fastest round counts: what else runs
on the machine then slows all of them alike. OpenMP's threads sleep when they have nothing to do: torch's would else
spin on for milliseconds on a core that whoever comes next is timed on. Times are per pair of numbers (for one short
pair: per call). The goals are printed with what was reached.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read by torch's OpenMP as it is loaded

import platform
import sys
import time
import tracemalloc
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import scipy.spatial.distance
import scipy.special
import scipy.stats
import torch
from torch.nn import functional

import kullback as kb

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import exact

Contenders = dict[str, Callable[[], Any]]
OURS = "kullback"


def timed(contenders: Contenders, rounds: int) -> dict[str, float]:
    """Seconds of the fastest round of each, the rounds interleaved."""
    best = dict.fromkeys(contenders, float("inf"))
    for call in contenders.values():
        call()  # compiles, and touches the memory
    for _ in range(rounds):
        for name, call in contenders.items():
            start = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def relative_error(got: Any, truth: Any) -> float:
    """The largest relative error of the values that have a truth."""
    got, truth = np.asarray(got, dtype=float).ravel(), np.asarray(truth, dtype=float).ravel()
    return float(np.max(np.abs(got - truth) / np.abs(truth)))


class Report:
    """Lines of the table, and the goals that were missed."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.missed: list[str] = []

    def work(
        self,
        title: str,
        contenders: Contenders,
        *,
        numbers: int,
        goals: dict[str, float],
        truth: Any = None,
        judged: tuple[str, ...] = (),
        parts: dict[str, int] | None = None,
    ) -> None:
        """Time, print, and compare. A goal > 0 is 'so many times faster than this', < 0 'at most so many times this'.

        `parts` names contenders that were given only one part in so many of the work.
        """
        seconds = {name: s * (parts or {}).get(name, 1) for name, s in timed(contenders, self.rounds).items()}
        unit, scale = ("µs a call", 1e6) if numbers == 0 else ("ns a pair", 1e9 / numbers)
        print(f"\n{title}")
        for name, s in seconds.items():
            line = f"  {name:34s}{s * scale:10.3f} {unit} {s / seconds[OURS]:8.2f} ×"
            if truth is not None and (name == OURS or name in judged):
                line += f"   relative error {relative_error(contenders[name](), truth):.1e}"
            print(line)
        for name, goal in goals.items():
            ratio = seconds[name] / seconds[OURS] if goal > 0 else seconds[OURS] / seconds[name]
            met = ratio >= goal if goal > 0 else ratio <= -goal
            words = f"{ratio:.1f} × faster than {name}, goal ≥ {goal:g}"
            if goal < 0:
                words = f"{ratio:.1f} × the time of {name}, goal ≤ {-goal:g}"
            print(f"    {'met   ' if met else 'MISSED'} {words}")
            if not met:
                self.missed.append(f"{title}: {words}")


def reference_rows(rows: list[tuple[np.ndarray, np.ndarray]], measure: str) -> list[float]:
    """The truth of a few rows, by mpmath."""
    found = []
    for p, q in rows:
        P, Q = exact.of_masses(p), exact.of_masses(q)
        found.append(float(exact.entropy(P) if measure == "entropy" else exact.PAIRWISE[measure](P, Q)))
    return found


def distributions(shape: tuple[int, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p, q = rng.random(shape), rng.random(shape)
    p /= p.sum(axis=1, keepdims=True)
    q /= q.sum(axis=1, keepdims=True)
    return p, q


def masses(report: Report, shape: tuple[int, int]) -> None:
    p, q = distributions(shape)
    tp, tq = torch.from_numpy(p), torch.from_numpy(q)
    n, name = p.size, f"{shape[0]} × {shape[1]} float64"

    def sum_both() -> Any:
        return tp.sum(), tq.sum()

    def numpy_js() -> Any:
        m = (p + q) / 2
        return (p * np.log(p / m) + q * np.log(q / m)).sum(axis=1) / 2

    def torch_js() -> Any:
        m = (tp + tq) / 2
        return (torch.xlogy(tp, tp / m) + torch.xlogy(tq, tq / m)).sum(1) / 2

    # The truth of a float64 sum of 10⁷ terms by mpmath takes minutes; extended precision is at hand and nearly as good.
    wide = [x.astype(np.longdouble) for x in ((p, q) if shape[0] == 1 else (p[:50], q[:50]))]
    a, b = (x / x.sum(axis=1, keepdims=True) for x in wide)
    m = (a + b) / 2
    truths = {
        "kl": (a * np.log(a / b)).sum(axis=1),
        "ce": -(a * np.log(b)).sum(axis=1),
        "h": -(a * np.log(a)).sum(axis=1),
        "js": ((a * np.log(a / m)).sum(axis=1) + (b * np.log(b / m)).sum(axis=1)) / 2,
    }
    some = len(a)

    def first(call: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: np.asarray(call())[:some]

    numpy_peers: Contenders = {
        OURS: first(lambda: kb.kl_divergence(p, q)),
        "scipy.stats.entropy": first(lambda: scipy.stats.entropy(p, q, axis=1)),
        "scipy.special.rel_entr, summed": first(lambda: scipy.special.rel_entr(p, q).sum(axis=1)),
        "torch p·log(p/q)": first(lambda: (tp * (tp / tq).log()).sum(1)),
        "torch kl_div": first(lambda: functional.kl_div(tq.log(), tp, reduction="none").sum(1)),
        "NumPy p·log(p/q)": first(lambda: (p * np.log(p / q)).sum(axis=1)),
        "torch sum of both": sum_both,
    }
    goals = {"scipy.stats.entropy": 20, "NumPy p·log(p/q)": 7, "torch sum of both": -3}
    goals |= {"torch p·log(p/q)": 10, "torch kl_div": 10}
    judged = tuple(k for k in numpy_peers if k != "torch sum of both")
    report.work(f"KL {name}", numpy_peers, numbers=n, goals=goals, truth=truths["kl"], judged=judged)
    report.work(
        f"cross-entropy {name}",
        {
            OURS: first(lambda: kb.cross_entropy(p, q)),
            "torch −p·log q": first(lambda: -(tp * tq.log()).sum(1)),
            "NumPy −p·log q": first(lambda: -(p * np.log(q)).sum(axis=1)),
            "torch sum of both": sum_both,
        },
        numbers=n, goals={"NumPy −p·log q": 7, "torch sum of both": -3}, truth=truths["ce"],
        judged=("torch −p·log q", "NumPy −p·log q"),
    )  # fmt: skip
    report.work(
        f"entropy {name}",
        {
            OURS: first(lambda: kb.entropy(p)),
            "scipy.stats.entropy": first(lambda: scipy.stats.entropy(p, axis=1)),
            "torch special.entr": first(lambda: torch.special.entr(tp).sum(1)),
            "NumPy −p·log p": first(lambda: -(p * np.log(p)).sum(axis=1)),
            "torch sum": tp.sum,
        },
        numbers=n, goals={"NumPy −p·log p": 7, "torch sum": -3}, truth=truths["h"],
        judged=("scipy.stats.entropy", "torch special.entr", "NumPy −p·log p"),
    )  # fmt: skip
    report.work(
        f"JS {name}",
        {
            OURS: first(lambda: kb.js_divergence(p, q)),
            "scipy jensenshannon²": first(lambda: scipy.spatial.distance.jensenshannon(p, q, axis=1) ** 2),
            "torch": first(torch_js),
            "NumPy": first(numpy_js),
            "torch sum of both": sum_both,
        },
        numbers=n, goals={"scipy jensenshannon²": 20, "torch sum of both": -5}, truth=truths["js"],
        judged=("scipy jensenshannon²", "torch", "NumPy"),
    )  # fmt: skip


def other_layouts(report: Report) -> None:
    p, q = distributions((2000, 1000))
    f, g = np.asfortranarray(p), np.asfortranarray(q)
    s, t = p.astype(np.float32), q.astype(np.float32)
    x = np.random.default_rng(1).poisson(20.0, (2, *p.shape)) + 1
    contenders: Contenders = {
        OURS: lambda: kb.kl_divergence(p, q),
        "kullback, Fortran order": lambda: kb.kl_divergence(f, g),
        "kullback, float32": lambda: kb.kl_divergence(s, t),
        "kullback, int64 counts": lambda: kb.kl_divergence(kb.Counts(x[0]), kb.Counts(x[1])),
        "NumPy p·log(p/q), Fortran order": lambda: (f * np.log(f / g)).sum(axis=1),
        "NumPy p·log(p/q), float32": lambda: (s * np.log(s / t)).sum(axis=1),
        "scipy.stats.entropy, Fortran order": lambda: scipy.stats.entropy(f, g, axis=1),
    }
    report.work("KL 2000 × 1000, other layouts", contenders, numbers=p.size, goals={})


def nearly_equal(report: Report) -> None:
    rng = np.random.default_rng(2)
    p = np.maximum(rng.dirichlet(np.ones(100_000)), 1e-9)
    p /= p.sum()
    for apart in (1e-3, 1e-6, 1e-8):
        q = p * (1 + apart * rng.standard_normal(p.size).clip(-3, 3))
        q /= q.sum()
        truth = reference_rows([(p, q)], "kl_divergence")
        contenders: Contenders = {
            OURS: lambda q=q: kb.kl_divergence(p, q),
            "scipy.stats.entropy": lambda q=q: scipy.stats.entropy(p, q),
            "scipy.special.rel_entr, summed": lambda q=q: scipy.special.rel_entr(p, q).sum(),
            "torch kl_div": lambda q=q: functional.kl_div(
                torch.log(torch.from_numpy(q)), torch.from_numpy(p), reduction="sum"
            ),
        }
        report.work(
            f"KL 1 × 100 000, {apart:g} apart (truth: mpmath)", contenders, numbers=p.size, goals={}, truth=truth,
            judged=tuple(contenders),
        )  # fmt: skip


def logits(report: Report) -> None:
    rng = np.random.default_rng(3)
    a = (3 * rng.standard_normal((256, 49_152))).astype(np.float32)
    b = (a + 0.3 * rng.standard_normal(a.shape)).astype(np.float32)
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    wide = torch.from_numpy(a).double().log_softmax(-1), torch.from_numpy(b).double().log_softmax(-1)
    truth = (wide[0].exp() * (wide[0] - wide[1])).sum(-1).numpy()

    def peer() -> Any:
        return functional.kl_div(tb.log_softmax(-1), ta.log_softmax(-1), log_target=True, reduction="none").sum(-1)

    report.work(
        "KL of logits 256 × 49 152 float32",
        {OURS: lambda: kb.kl_divergence(kb.Logits(a), kb.Logits(b)), "torch log_softmax + kl_div": peer},
        numbers=a.size, goals={"torch log_softmax + kl_div": 3}, truth=truth, judged=("torch log_softmax + kl_div",),
    )  # fmt: skip


def one_short_pair(report: Report) -> None:
    p, q = (x[0] for x in distributions((1, 10), seed=4))
    rounds, report.rounds = report.rounds, 2000
    contenders: Contenders = {
        OURS: lambda: kb.kl_divergence(p, q),
        "scipy.stats.entropy": lambda: scipy.stats.entropy(p, q),
        "scipy.special.rel_entr, summed": lambda: scipy.special.rel_entr(p, q).sum(),
        "NumPy p·log(p/q)": lambda: (p * np.log(p / q)).sum(),
        "kullback, entropy": lambda: kb.entropy(p),
        "kullback, cross-entropy": lambda: kb.cross_entropy(p, q),
        "kullback, JS": lambda: kb.js_divergence(p, q),
    }
    truth = reference_rows([(p, q)], "kl_divergence")
    peers = ("scipy.stats.entropy", "scipy.special.rel_entr, summed", "NumPy p·log(p/q)")
    report.work(
        "KL n = 10, one pair, validate=True", contenders, numbers=0, goals={"scipy.stats.entropy": 1}, truth=truth,
        judged=peers,
    )  # fmt: skip
    microseconds = timed({OURS: contenders[OURS]}, 2000)[OURS] * 1e6
    print(f"    {'met   ' if microseconds <= 15 else 'MISSED'} {microseconds:.1f} µs, goal ≤ 15 µs")
    if microseconds > 15:
        report.missed.append(f"n = 10: {microseconds:.1f} µs, goal ≤ 15")
    report.rounds = rounds


def pairwise(report: Report) -> None:
    p, q = distributions((2000, 1000), seed=5)
    part, loop = 50, "scipy, a loop over rows (one in 50)"

    def over_rows() -> Any:  # over rows of P, all of Q at once: the fastest loop that scipy allows
        return np.stack([scipy.stats.entropy(np.broadcast_to(row, q.shape), q, axis=1) for row in p[: len(p) // part]])

    a, b = p[: len(p) // part].astype(np.longdouble), q.astype(np.longdouble)
    a, b = a / a.sum(axis=1, keepdims=True), b / b.sum(axis=1, keepdims=True)
    truth = (a * np.log(a)).sum(axis=1)[:, None] - a @ np.log(b).T
    error = relative_error(kb.pairwise_kl_divergence(p[: len(p) // part], q), truth)
    rounds, report.rounds = report.rounds, 2
    report.work(
        f"pairwise KL 2000 × 2000 rows of 1000 (relative error {error:.1e}, goal ≤ 1e-12)",
        {
            OURS: lambda: kb.pairwise_kl_divergence(p, q),
            "kullback, JS": lambda: kb.pairwise_js_divergence(p, q),
            loop: over_rows,
        },
        numbers=len(p) * q.size, goals={loop: 20}, parts={loop: part},
    )  # fmt: skip
    report.rounds = rounds


def sparse(report: Report) -> None:
    rng = np.random.default_rng(6)
    x, y = (scipy.sparse.random_array((2000, 5000), density=0.02, rng=rng, format="csr") for _ in range(2))
    x, y = (scipy.sparse.csr_array((m + y).multiply(1.0 / (m + y).sum(axis=1)[:, None])) for m in (x, y))
    p, q = x.toarray(), y.toarray()
    contenders: Contenders = {
        OURS: lambda: kb.kl_divergence(y, x),
        "kullback, made dense": lambda: kb.kl_divergence(q, p),
        "scipy.stats.entropy, made dense": lambda: scipy.stats.entropy(q, p, axis=1),
    }
    report.work("KL of sparse rows 2000 × 5000, 2–4 % stored", contenders, numbers=y.nnz, goals={})


def memory() -> None:
    print("\nLargest temporary of one call (tracemalloc sees NumPy's arrays), goal ≤ 1 MiB")
    for shape in [(1, 10_000_000), (100_000, 100), (2000, 5000)]:
        p, q = distributions(shape)
        for measure in (kb.kl_divergence, kb.js_divergence, kb.cross_entropy, lambda p, _: kb.entropy(p)):
            measure(p, q)
            tracemalloc.start()
            answer = measure(p, q)
            peak = tracemalloc.get_traced_memory()[1] - answer.nbytes
            tracemalloc.stop()
            name = getattr(measure, "__name__", "entropy")
            print(f"  {name if name != '<lambda>' else 'entropy':16s}{shape!s:18s}{peak / 2**20:8.3f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("--rounds", type=int, default=15)
    chosen = parser.parse_args()
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(threads)
    peers = ", ".join(f"{m} {version(m)}" for m in ("numpy", "scipy", "torch", "numba", "mpmath"))
    print(f"kullback {version('kullback')}; {peers}; Python {platform.python_version()}; {platform.machine()}")
    print(f"{threads} threads; fastest of {chosen.rounds} interleaved rounds")
    report = Report(chosen.rounds)
    one_short_pair(report)
    part = 10 if chosen.quick else 1
    for shape in [(1, 10_000_000 // part), (100_000 // part, 100), (2000 // part, 5000)]:
        masses(report, shape)
    other_layouts(report)
    nearly_equal(report)
    logits(report)
    sparse(report)
    if not chosen.quick:
        pairwise(report)
    memory()
    print("\nGoals missed:", *(report.missed or ["none"]), sep="\n  ")


if __name__ == "__main__":
    main()
