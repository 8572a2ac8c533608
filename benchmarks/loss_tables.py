"""Clocks and tables of bench_losses.py: providers that take turns, peak memory, errors, a budget of time, JSON."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Provider = Callable[[], tuple[Tensor, ...]]  # the loss and the gradients
Maker = Callable[[], Provider]  # imports what it needs


class OutOfOrderError(RuntimeError):
    """The GPU answers no more after `culprit`: what else is asked of this process fails too."""

    def __init__(self, culprit: str) -> None:
        super().__init__(culprit)
        self.culprit = culprit


class Clock:
    """Times and memory of providers that take turns, until the minutes are used up."""

    def __init__(self, device: str, rounds: int, minutes: float, without: tuple[str, ...] = ()) -> None:
        self.cuda, self.rounds, self.without = device == "cuda", rounds, without
        self.end = time.monotonic() + 60 * minutes
        self.warm = 2 if self.cuda else 1

    def left(self) -> float:
        """Seconds."""
        return self.end - time.monotonic()

    def once(self, provider: Callable[[], Any]) -> float:
        """Milliseconds."""
        if self.cuda:
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            torch.cuda._sleep(3_000_000)  # some 2 ms in which the launches can queue, as they do in training
            begin.record()
            provider()
            end.record()
            torch.cuda.synchronize()
            return begin.elapsed_time(end)
        begin_s = time.perf_counter()
        provider()
        return 1e3 * (time.perf_counter() - begin_s)

    def times(self, providers: dict[str, Callable[[], Any]]) -> dict[str, float]:
        """GPU: the median of the rounds. CPU: the least, because others share it. Fewer rounds where time is short."""
        begin = time.monotonic()
        for provider in providers.values():
            for _ in range(self.warm):
                provider()
        a_round = (time.monotonic() - begin) / max(1, self.warm)
        taken: dict[str, list[float]] = {name: [] for name in providers}
        for i in range(self.rounds):
            if i >= 3 and self.left() < 2 * a_round:
                break
            for name, provider in providers.items():
                taken[name].append(self.once(provider))
        return {name: statistics.median(t) if self.cuda else min(t) for name, t in taken.items()}

    def peak(self, provider: Callable[[], Any]) -> float:
        """MiB beyond what was there before."""
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            result = provider()
            torch.cuda.synchronize()
            peak = torch.cuda.max_memory_allocated() - before
            del result
            return peak / 2**20
        status, refs = Path("/proc/self/status"), Path("/proc/self/clear_refs")
        if not refs.exists():
            return float("nan")

        def read(key: str) -> int:
            return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(key))

        refs.write_text("5")  # forget the highest mark
        before = read("VmRSS")
        result = provider()
        peak = read("VmHWM") - before
        del result
        return peak / 1024


def error(got: Tensor, truth: Tensor) -> float:
    return float((got.double() - truth.double()).norm() / truth.double().norm())


def differentiate(loss: Callable[[], Tensor], *leaves: Tensor) -> tuple[Tensor, ...]:
    value = loss()
    return value.detach(), *torch.autograd.grad(value, leaves)


def _start(clock: Clock, name: str, make: Maker, truth: tuple[Tensor, ...]) -> tuple[Provider | None, dict[str, Any]]:
    """The provider and a row with its errors and the bytes that it hands out, or why there is none."""
    if name in clock.without:
        return None, {"failed": "the GPU answered no more after it"}
    if clock.left() < 10:
        return None, {"failed": "no time left"}
    try:
        provider = make()
        result = provider()
        if clock.cuda:
            torch.cuda.synchronize()
        errors = [error(g, t) for g, t in zip(result, truth, strict=False)]
        return provider, {"errors": errors, "handed": sum(g.numel() * g.element_size() for g in result) / 2**20}
    except Exception as reason:  # whatever a peer does is reported
        failed = f"{type(reason).__name__}: {' '.join(str(reason).split())[:150]}"
    if clock.cuda:
        try:
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
        except RuntimeError as dead:
            raise OutOfOrderError(name) from dead
    return None, {"failed": failed}


def table(
    title: str,
    clock: Clock,
    floor: Callable[[], Any],
    makers: dict[str, Maker],
    truth: tuple[Tensor, ...],
    *,
    unit: str = "floor",
    goals: dict[str, float] | None = None,
) -> None:
    """Measure, print, and keep: one row for each provider, in `unit`s, those that failed with the reason."""
    print(f"\n{title}", flush=True)
    rows: dict[str, dict[str, Any]] = {}
    alive: dict[str, Provider] = {}
    for name, make in makers.items():
        provider, rows[name] = _start(clock, name, make, truth)
        if provider is not None:
            alive[name] = provider
    times = clock.times({unit: floor, **alive})
    print(f"  {unit} {times[unit]:.2f} ms")
    names = ["loss", *(f"d{i}" for i in range(1, len(truth)))]
    print(f"  {'':36s} {'ms':>9s} {'/' + unit:>8s} {'MiB':>8s} {'beyond':>8s}  error of " + ", ".join(names))
    for name, row in rows.items():
        if name not in alive:
            print(f"  {name:36s} failed: {row['failed']}", flush=True)
            continue
        peak, ratio = clock.peak(alive[name]), times[name] / times[unit]
        row |= {"ms": times[name], "ratio": ratio, "peak": peak, "beyond": peak - row["handed"]}
        said = "  ".join(f"{e:.1e}" for e in row["errors"])
        if clock.cuda and goals and name in goals:
            row["goal"] = goals[name]
            said += f"  goal {goals[name]}: {'met' if ratio <= goals[name] else 'MISSED'}"
        print(f"  {name:36s} {times[name]:9.2f} {ratio:8.2f} {peak:8.0f} {row['beyond']:8.0f}  {said}", flush=True)
    keep({"title": title, "unit": unit, "unit_ms": times[unit], "rows": rows})


def keep(result: dict[str, Any]) -> None:
    """Add to $OUT/bench_losses.json, when that folder is set."""
    if not (folder := os.environ.get("OUT")):
        return
    path = Path(folder) / "bench_losses.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    path.write_text(json.dumps([*known, result], indent=1), encoding="utf-8")
