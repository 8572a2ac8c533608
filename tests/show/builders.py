"""Comparisons made from numbers, as `kullback.compare` makes them: pooled deciles, tails, values, states."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from kullback.result.comparison import Cell, Column, Comparison, Sides, Skipped, Source

TAILS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05]
CUTS = np.array([*TAILS, *np.arange(0.1, 0.95, 0.1), *(1 - t for t in reversed(TAILS))])


def _measures(r: np.ndarray, c: np.ndarray) -> dict:
    """Every number of a column, from the counts of its cells."""
    n, m, k = r.sum(), c.sum(), len(r)
    p, q, ps, qs = r / n, c / m, (r + 0.5) / (n + k / 2), (c + 0.5) / (m + k / 2)
    mid, chance = (ps + qs) / 2, (k - 1) / 2 * (1 / n + 1 / m)

    def kl(p, q):
        with np.errstate(divide="ignore"):
            return math.inf if ((q == 0) & (p > 0)).any() else float(p[p > 0] @ np.log(p[p > 0] / q[p > 0]))

    def entropy(p):
        return float(-(p[p > 0] @ np.log(p[p > 0])))

    smoothed = float(np.sum(ps * np.log(ps / qs) - ps + qs))
    raw, value = kl(p, q), max(0.0, smoothed - chance)
    return {
        "contributions": ps * np.log(ps / qs) - ps + qs,
        "kl": value,
        "kl_reverse": max(0.0, kl(qs, ps) - chance),
        "js": max(0.0, (kl(ps, mid) + kl(qs, mid)) / 2 - chance / 4),
        "psi": max(0.0, kl(ps, qs) + kl(qs, ps) - 2 * chance),
        "kl_smoothed": smoothed,
        "kl_raw": raw,
        "kl_reverse_raw": kl(q, p),
        "entropy_reference": entropy(p),
        "entropy_current": entropy(q),
        "cross_entropy": entropy(p) + raw,
        "hellinger": float(np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2)),
        "total_variation": float(abs(p - q).sum() / 2),
        "vanished_mass": float(p[c == 0].sum()),
        "new_mass": float(q[r == 0].sum()),
        "d_eq": math.sqrt(2 * value),
    }


def column(name: str, kind: str, cells: list[tuple], **more) -> Column:
    """From (kind, label, low, high, reference, current) per cell."""
    cells = [cell for cell in cells if cell[4] or cell[5]]
    counts = np.array([cell[4:6] for cell in cells], dtype=float).T
    numbers = _measures(*counts)
    contributions = numbers.pop("contributions")
    missing = next((Sides(*cell[4:6]) for cell in cells if cell[0] == "missing"), Sides(0, 0))
    built = tuple(Cell(*cell, float(part)) for cell, part in zip(cells, contributions, strict=True))
    ordered = {"ks": 0.1, "wasserstein": 1.0} if kind in ("numeric", "datetime") else {"ks": None, "wasserstein": None}
    rows = Sides(int(counts[0].sum()), int(counts[1].sum()))
    return Column(name=name, kind=kind, rows=rows, missing=missing, **numbers, **ordered, cells=built, **more)


def numeric(name: str, x, y, *, kind: str = "numeric", label=lambda v: f"{v:.4g}") -> Column:
    """From samples, NaN meaning missing."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    fx, fy = x[np.isfinite(x)], y[np.isfinite(y)]
    both = np.concatenate([fx, fy])
    missing = ("missing", "missing", None, None, len(x) - len(fx), len(y) - len(fy))
    low, high = float(both.min()), float(both.max())
    values = np.unique(both)
    if len(values) <= 24:
        cells = [
            (
                "value",
                f"{v:.17g}" if kind == "numeric" else label(v),
                None,
                None,
                int((fx == v).sum()),
                int((fy == v).sum()),
            )
            for v in values
        ]
        return column(name, kind, [*cells, missing], min=low, max=high)
    edges = np.unique(np.quantile(both, CUTS))
    where = [*zip([low, *edges], [*edges, high], strict=True)]
    nx, ny = (np.bincount(np.searchsorted(edges, f, side="right"), minlength=len(where)) for f in (fx, fy))
    cells = [
        ("bin", f"[{label(a)}, {label(b)})", float(a), float(b), int(i), int(j))
        for (a, b), i, j in zip(where, nx, ny, strict=True)
    ]
    return column(name, kind, [*cells, missing], edges=tuple(map(float, edges)), min=low, max=high)


def categorical(name: str, reference: dict, current: dict, *, kind: str = "categorical") -> Column:
    """From counts per value; None means missing."""
    reference, current = Counter(reference), Counter(current)
    cells = [
        ("missing", "missing", None, None, reference[v], current[v])
        if v is None
        else ("empty" if v == "" else "value", str(v), None, None, reference[v], current[v])
        for v in reference | current
    ]
    return column(name, kind, sorted(cells, key=lambda cell: -(cell[4] + cell[5])))


def comparison(*columns: Column, **more) -> Comparison:
    ranked = tuple(sorted(columns, key=lambda c: -c.kl))
    rows = ranked[0].rows if ranked else Sides(0, 0)
    options = {
        "reference": Source("data/january.parquet", rows.reference),
        "current": Source("data/june.parquet", rows.current),
        "kullback": "0.1.0",
    } | more
    return Comparison(columns=ranked, **options)


def shop(n: int = 4000, seed: int = 0) -> Comparison:
    """Shifts, a new value, a vanished one, missing values, an outlier, a date, no change."""
    rng = np.random.default_rng(seed)
    price, price_after = rng.lognormal(3, 0.6, n), rng.lognormal(3.25, 0.6, n)
    price_after[rng.random(n) < 0.08] = np.nan
    weight, weight_after = rng.normal(70, 8, n), rng.normal(70, 8, n)
    weight_after[0] = 1e6
    day = 86_400 * rng.integers(15_700, 15_881, n)

    def date(v):
        return str(np.datetime64(int(v), "s").astype("datetime64[D]"))

    return comparison(
        numeric("price", price, price_after),
        numeric("weight", weight, weight_after),
        numeric("items", rng.poisson(3, n), rng.poisson(4, n)),
        numeric("ordered_on", day, day + 86_400 * 120, kind="datetime", label=date),
        categorical(
            "country", {"DE": 1800, "FR": 1200, "IT": 700, "UK": 300}, {"DE": 1500, "FR": 1100, "IT": 720, "UA": 680}
        ),
        categorical("newsletter", {"true": 1200, "false": 2800}, {"true": 1320, "false": 2680}, kind="boolean"),
        categorical(
            "channel", {"web": 2000, "app": 1500, "": 100, None: 400}, {"web": 1995, "app": 1510, "": 98, None: 397}
        ),
        only_in_reference=("fax",),
        only_in_current=("tiktok", "coupon"),
        skipped=(Skipped("comment", "missing throughout on both sides"),),
    )


def wide(columns: int = 100, n: int = 20_000, seed: int = 1) -> Comparison:
    """Many columns, for size and `top`."""
    rng = np.random.default_rng(seed)
    built = []
    for i in range(columns):
        if i % 3 == 2:
            k = int(rng.integers(3, 400))
            p, q = rng.dirichlet(np.full(k, 0.5)), rng.dirichlet(np.full(k, 0.5))
            q = 0.9 * p + 0.1 * q
            r, c = rng.multinomial(n, p), rng.multinomial(n, q)
            keys = [f"value {j}" for j in range(k)]
            built.append(
                categorical(f"category_{i}", *(dict(zip(keys, side.tolist(), strict=True)) for side in (r, c)))
            )
        else:
            shift, scale = rng.exponential(0.2), 10.0 ** rng.integers(-2, 4)
            built.append(numeric(f"measurement_{i}", scale * rng.normal(5, 1, n), scale * rng.normal(5 + shift, 1, n)))
    return comparison(*built)
