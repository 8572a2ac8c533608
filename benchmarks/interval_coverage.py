"""Do 95 % intervals hold the truth in 95 % of the cases? Simulated classifiers with known truth, printed as a table.

    python benchmarks/interval_coverage.py [repetitions] [case …]

z ~ N(0, s² I_K), Y ~ softmax(z); predictions: softmax(z) (none), softmax(1.6 z) (temperature), an elementwise curve
(nl), or shifted base rates (bias); `uneven` is the curve where classes are not equally frequent. The truth of each term
is the mean over 400,000 further draws. Under `none` the reliability is 0, and everywhere but under `uneven` the
uncertainty is log K, at the edge of what they can be: their intervals hold it nearly always, and have to.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from scipy.special import log_softmax

from kullback.evaluation._ladder import climb
from kullback.evaluation._line import centred
from kullback.evaluation._terms import split
from kullback.evaluation._truth import Truth

SCALE = {2: 1.5, 10: 2.0}
CASES = [
    (2, 1000, "none"),
    (2, 1000, "nl"),
    (2, 10_000, "nl"),
    (10, 1000, "none"),
    (10, 1000, "nl"),
    (10, 1000, "bias"),
    (10, 1000, "temperature"),
    (10, 1000, "uneven"),
    (10, 10_000, "nl"),
]
TERMS = ("cross_entropy", "uncertainty", "resolution", "reliability")


def draw(K, n, kind, rng):
    """Log-probabilities of the truth and of the predictions."""
    z = SCALE[K] * rng.standard_normal((n, K))
    if kind == "uneven":
        z = z + np.linspace(-1.5, 1.5, K)
    log_p = log_softmax(z, axis=1)
    c = z - z.mean(axis=1, keepdims=True)
    bent = np.sign(c) * np.abs(c) ** 1.6 / 1.4
    f = {"none": z, "temperature": 1.6 * z, "nl": bent, "uneven": bent, "bias": z + np.linspace(-0.8, 0.8, K)}[kind]
    return log_p, log_softmax(f, axis=1), rng


def truth_of(K, kind):
    rng = np.random.default_rng(10**6)
    sums, shares = np.zeros(2), np.zeros(K)
    for _ in range(20):
        log_p, log_q, _ = draw(K, 20_000, kind, rng)
        p = np.exp(log_p)
        sums += [-np.sum(p * log_q), np.sum(p * (log_p - log_q))]
        shares += p.sum(axis=0) / 400_000
    cross_entropy, reliability = sums / 400_000
    # The maps are injective: the law of Y given the prediction is softmax(z) itself; else classes are exchangeable.
    uncertainty = -np.sum(shares * np.log(shares)) if kind == "uneven" else np.log(K)
    return dict(
        zip(TERMS, (cross_entropy, uncertainty, uncertainty + reliability - cross_entropy, reliability), strict=True)
    )


def main(repetitions, wanted):
    print(f"{'case':22}{'term':15}{'truth':>9}{'bias':>10}{'± 2 se':>9}{'coverage':>10}   ({repetitions} repetitions)")
    for K, n, kind in CASES:
        if wanted and f"{K},{n},{kind}" not in wanted:
            continue
        start, truth = time.perf_counter(), truth_of(K, kind)
        seen = {name: [] for name in TERMS}
        certified = []
        for r in range(repetitions):
            rng = np.random.default_rng([K, n, r])
            log_p, log_q, _ = draw(K, n, kind, rng)
            y = (log_p + rng.gumbel(size=log_p.shape)).argmax(axis=1)
            each, q = np.arange(n), np.exp(log_q)
            loss, brier = -log_q[each, y], np.sum(q**2, axis=1) - 2 * q[each, y] + 1
            label = Truth(y, None)
            found = split(loss, label, climb(centred(log_q), loss, brier, label), K)
            for name in TERMS:
                e = getattr(found, name)
                seen[name].append(
                    (e.value - truth[name], e.low <= truth[name] + 1e-12 and truth[name] <= e.high + 1e-12)
                )
            certified.append(found.certified <= truth["reliability"] + 1e-12)
        for name in TERMS:
            error, inside = np.array(seen[name]).T
            spread = 2 * error.std() / np.sqrt(repetitions)
            print(
                f"K={K} n={n} {kind:10}"[:22].ljust(22)
                + f"{name:15}{truth[name]:9.4f}{error.mean():+10.4f}{spread:9.4f}{inside.mean():10.3f}"
            )
        print(
            f"{'':22}{'certified ≥':15}{'':28}{np.mean(certified):10.3f}   {time.perf_counter() - start:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, sys.argv[2:])
