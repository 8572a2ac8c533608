"""Divergences between families: time and error beside torch.distributions, pair by pair.

Run: python benchmarks/bench_families.py. Truth is mpmath at 60 digits on the first members of the batch.
"""

from __future__ import annotations

import os
import platform
import timeit
from typing import Any

import mpmath as mp
import numpy as np
import torch
from torch import distributions

import kullback
from kullback import families, kl_divergence

N = 1_000_000
CHECKED = 200


def normal(a: Any, s: Any, b: Any, t: Any) -> mp.mpf:
    a, s, b, t = map(mp.mpf, (float(a), float(s), float(b), float(t)))
    return mp.log(t / s) + (s * s + (a - b) ** 2) / (2 * t * t) - mp.mpf(1) / 2


def gamma(a: Any, b: Any, c: Any, d: Any) -> mp.mpf:
    a, b, c, d = map(mp.mpf, (float(a), float(b), float(c), float(d)))
    return c * mp.log(b / d) + mp.loggamma(c) - mp.loggamma(a) + (a - c) * mp.digamma(a) + (d - b) * a / b


def exponential(a: Any, b: Any) -> mp.mpf:
    a, b = map(mp.mpf, (float(a), float(b)))
    return mp.log(a / b) + b / a - 1


def poisson(a: Any, b: Any) -> mp.mpf:
    a, b = map(mp.mpf, (float(a), float(b)))
    return a * mp.log(a / b) - a + b


def beta(a: Any, b: Any, c: Any, d: Any) -> mp.mpf:
    a, b, c, d = map(mp.mpf, (float(a), float(b), float(c), float(d)))

    def log_beta(x: Any, y: Any) -> Any:
        return mp.loggamma(x) + mp.loggamma(y) - mp.loggamma(x + y)

    slopes = (a - c) * mp.digamma(a) + (b - d) * mp.digamma(b) + (c - a + d - b) * mp.digamma(a + b)
    return log_beta(c, d) - log_beta(a, b) + slopes


def worst(values: Any, truth: list[mp.mpf]) -> float:
    return max(float(abs(mp.mpf(float(v)) / x - 1)) for v, x in zip(values, truth, strict=False))


def seconds(f: Any) -> float:
    f()
    return min(timeit.repeat(f, number=1, repeat=5))


def main() -> None:
    mp.mp.dps = 60
    print(f"kullback {kullback.__version__}, torch {torch.__version__}, numpy {np.__version__}, {platform.machine()}")
    print(f"{os.cpu_count()} cores, torch threads {torch.get_num_threads()}; best of 5; error: worst of {CHECKED}\n")
    rng = np.random.default_rng(0)
    print(f"{'1e6 pairs in one call':<34}{'kullback':>10}{'torch':>10}{'ratio':>8}{'error':>10}{'torch error':>13}")
    for name, ours, theirs, exact, low, high in (
        ("Normal, apart", families.Normal, distributions.Normal, normal, 0.5, 2.0),
        ("Normal, 1e-6 apart", families.Normal, distributions.Normal, normal, 1 - 1e-6, 1 + 1e-6),
        ("Gamma, small shapes, apart", families.Gamma, distributions.Gamma, gamma, 0.5, 2.0),
        ("Gamma, small shapes, 1e-6 apart", families.Gamma, distributions.Gamma, gamma, 1 - 1e-6, 1 + 1e-6),
        ("Beta, apart", families.Beta, distributions.Beta, beta, 0.5, 2.0),
        ("Exponential, apart", families.Exponential, distributions.Exponential, exponential, 0.5, 2.0),
        ("Poisson, apart", families.Poisson, distributions.Poisson, poisson, 0.5, 2.0),
    ):
        a = [rng.uniform(0.5, 20.0, N) for _ in range(1 if exact in (exponential, poisson) else 2)]
        b = [x * rng.uniform(low, high, N) for x in a]
        mine = ours(*a), ours(*b)
        peer = theirs(*map(torch.from_numpy, a)), theirs(*map(torch.from_numpy, b))
        truth = [exact(*row) for row in zip(*(x[:CHECKED] for x in a + b), strict=True)]
        got, other = kl_divergence(*mine), distributions.kl_divergence(*peer)
        t1, t2 = seconds(lambda p=mine: kl_divergence(*p)), seconds(lambda p=peer: distributions.kl_divergence(*p))
        times = f"{1e3 * t1:>8.1f}ms{1e3 * t2:>8.1f}ms{t1 / t2:>8.2f}"
        print(f"{name:<34}{times}{worst(got, truth):>10.0e}{worst(other, truth):>13.0e}")
    print(f"\n{'one pair of numbers':<34}{'kullback':>10}{'torch':>10}")
    one = torch.tensor(1.0, dtype=torch.float64)
    for name, p, q, tp, tq in (
        (
            "Normal‖Normal",
            families.Normal(0, 1),
            families.Normal(1, 2),
            distributions.Normal(0 * one, one),
            distributions.Normal(one, 2 * one),
        ),
        (
            "Gamma‖Gamma",
            families.Gamma(2.0, 1.0),
            families.Gamma(3.0, 2.0),
            distributions.Gamma(2 * one, one),
            distributions.Gamma(3 * one, 2 * one),
        ),
        (
            "Beta‖Beta",
            families.Beta(2.0, 1.0),
            families.Beta(3.0, 2.0),
            distributions.Beta(2 * one, one),
            distributions.Beta(3 * one, 2 * one),
        ),
        (
            "Normal‖Laplace",
            families.Normal(0, 1),
            families.Laplace(0, 2),
            distributions.Normal(0 * one, one),
            distributions.Laplace(0 * one, 2 * one),
        ),
        ("VonMises‖VonMises (torch: none)", families.VonMises(0.0, 1.5), families.VonMises(1.0, 25.0), None, None),
        ("Zeta‖Zeta (torch: none)", families.Zeta(3.5), families.Zeta(30.0), None, None),
        ("Gamma‖LogNormal (torch: none)", families.Gamma(2.0, 1.0), families.LogNormal(0, 1), None, None),
        ("StudentT‖Cauchy (quadrature)", families.StudentT(3.0), families.Cauchy(0, 1), None, None),
    ):
        n = 20 if "quadrature" in name else 500
        t1 = min(timeit.repeat(lambda p=p, q=q: kl_divergence(p, q), number=n, repeat=5)) / n
        t2 = (
            min(timeit.repeat(lambda p=tp, q=tq: distributions.kl_divergence(p, q), number=n, repeat=5)) / n
            if tp
            else float("nan")
        )
        print(f"{name:<34}{1e6 * t1:>8.0f}µs{1e6 * t2:>8.0f}µs")


if __name__ == "__main__":
    main()
