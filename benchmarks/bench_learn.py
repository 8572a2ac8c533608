"""kullback.learn beside its peers on real data: CPU seconds and the objective reached, in one process.

    python benchmarks/bench_learn.py [--threads 1] [nmf kmeans sne sne20k softmax soft regression]

Peers: scikit-learn, openTSNE, sib-clustering, NGBoost (the last two only where they are installed), each at its best
setting known to us. Compilation is left out for both sides (a small fit first). Data: benchmarks/learn_data.py.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("work", nargs="*")
OPTIONS = parser.parse_args()
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(OPTIONS.threads)

import learn_data as data  # noqa: E402  after the thread counts are set
import numpy as np  # noqa: E402

warnings.simplefilter("ignore")  # peers warn that they have not converged: their objective shows it
JOBS = OPTIONS.threads


class Clock:
    """CPU seconds, and how many of them the system spent, mostly on handing out memory; wall seconds."""

    cpu = system = wall = 0.0

    def __str__(self) -> str:
        return f"{self.cpu:7.2f} s cpu ({self.system:5.2f} system) {self.wall:7.2f} s wall"


@contextmanager
def clock() -> Iterator[Clock]:
    result, before, wall = Clock(), os.times(), time.perf_counter()
    yield result
    after = os.times()
    result.system, result.wall = after.system - before.system, time.perf_counter() - wall
    result.cpu = after.user - before.user + result.system


def line(name: str, took: Clock | str, *numbers: str) -> None:
    print(f"  {name:<44}{took!s:>48}  {'  '.join(numbers)}", flush=True)


def optional(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        line(f"{module} is not installed", "")
        return None


def nmf() -> None:
    """KLNMF, k = 20, Reuters R8, to the divergence scikit-learn reaches in 60 iterations.

    scikit-learn makes two arrays of 48 MB an iteration, which the allocator hands back to the system each time. The
    same runs follow in a process whose allocator keeps them (MALLOC_MMAP_THRESHOLD_): nobody runs it so, but it shows
    how much of the time is arithmetic.
    """
    from sklearn.decomposition import non_negative_factorization

    from kullback.learn import KLNMF

    X, _, _ = data.counts("reuters-r8")
    KLNMF(20, random_state=0).fit(X[:300])  # compiles
    keeps = "MALLOC_MMAP_THRESHOLD_" in os.environ

    def divergence(W: Any, H: Any) -> float:
        cells, total = X.tocoo(), 0.0
        rates = np.einsum("pk,kp->p", W[cells.row], H[:, cells.col])
        total = float((cells.data * np.log(cells.data / rates) - cells.data).sum())
        return total + float(W.sum(axis=0) @ H.sum(axis=1))

    def ours(seed: int, rounds: int) -> KLNMF:
        return KLNMF(20, random_state=seed, tol=0, max_iter=rounds, n_jobs=JOBS).fit(X)

    goals = {}
    for init in ("random", "nndsvda"):  # the second is its default and its best
        with clock() as theirs:
            W, H, _ = non_negative_factorization(
                X, n_components=20, init=init, solver="mu", beta_loss="kullback-leibler", max_iter=60, tol=0,
                random_state=0,
            )  # fmt: skip
        goals[init] = (divergence(W, H), theirs)
        line(f"scikit-learn mu, init={init}, 60 iterations", theirs, f"D {goals[init][0]:,.0f}")
    for init, (goal, theirs) in goals.items():
        took = []
        for seed in range(5):
            path = ours(seed, 60).objective_path_ * X.shape[0]
            rounds = int(np.argmax(path <= goal)) or 60
            while rounds > 1 and ours(seed, rounds - 1).reconstruction_kl_ <= goal:
                rounds -= 1
            runs = []
            for _ in range(3):
                with clock() as one:
                    model = ours(seed, rounds)
                runs.append(one)
            runs.sort(key=lambda c: c.cpu)
            took.append(runs[1].cpu)
            mark = "" if model.reconstruction_kl_ <= goal else "  NOT REACHED"
            line(
                f"KLNMF seed {seed}, {rounds} rounds, to {goal:,.0f}",
                runs[1],
                f"D {model.reconstruction_kl_:,.0f}",
                f"{theirs.cpu / runs[1].cpu:.1f}x{mark}",
            )
        line(f"median of seeds, against init={init}", "", f"{theirs.cpu / np.median(took):.1f}x")
    if not keeps:
        with clock() as took_:
            model = KLNMF(20, random_state=0, n_jobs=JOBS).fit(X)
        line(f"KLNMF to tol ({model.n_iter_} rounds, {model.converged_})", took_, f"D {model.reconstruction_kl_:,.0f}")
        print(" the same with an allocator that keeps what it has", flush=True)
        keeping = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
        command = [sys.executable, __file__, "--threads", str(JOBS), "nmf"]
        subprocess.run(command, env=os.environ | keeping, check=True)


def kmeans() -> None:
    """KLKMeans, 20 newsgroups counts, k = 20: NMI, information retained."""
    from sklearn.cluster import KMeans
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.metrics import normalized_mutual_info_score as nmi

    from kullback.learn import KLKMeans

    X, y, _ = data.counts("20newsgroups")
    KLKMeans(20, random_state=0, n_init=1, max_iter=1).fit(X[:500])

    def rounds(name: str, fit: Callable[[int], Any]) -> None:
        scores = []
        for seed in range(3):
            with clock() as took:
                labels = fit(seed)
            scores.append((nmi(y, labels), took.cpu, took.wall))
        middle = Clock()
        middle.cpu, middle.wall = np.median([s[1] for s in scores]), np.median([s[2] for s in scores])
        line(name, middle, f"NMI median {np.median([s[0] for s in scores]):.3f} of {[round(s[0], 3) for s in scores]}")

    rounds("KLKMeans hartigan", lambda s: KLKMeans(20, n_init=1, random_state=s, n_jobs=JOBS).fit(X).labels_)
    rounds(
        "KLKMeans hartigan, weights=mass",
        lambda s: KLKMeans(20, n_init=1, weights="mass", random_state=s).fit(X).labels_,
    )
    rounds("KLKMeans lloyd", lambda s: KLKMeans(20, n_init=1, method="lloyd", random_state=s).fit(X).labels_)
    tfidf = TfidfTransformer(sublinear_tf=True).fit_transform(X)
    rounds("scikit-learn KMeans on tf-idf", lambda s: KMeans(20, n_init=1, random_state=s).fit(tfidf).labels_)
    sib = optional("sib")
    if sib:
        rounds("sib-clustering", lambda s: sib.SIB(n_clusters=20, random_state=s, n_init=1, n_jobs=1).fit(X).labels_)


def _embed(name: str, X: Any, *, methods: tuple[str, ...]) -> None:
    from openTSNE import TSNE

    from kullback.learn import SNE, embedding_divergence

    print(f" {name} {X.shape}, perplexity 30; exact KL over all pairs")
    for polish in (True, False):
        with clock() as took:
            model = SNE(polish=polish, max_iter=500 if polish else 750, n_jobs=JOBS, random_state=0).fit(X)
        exact = embedding_divergence(X, model.embedding_, n_jobs=JOBS).value
        line(
            f"SNE{'' if polish else ' without polish, 750 steps'}",
            took,
            f"KL {exact:.4f}, reported {model.kl_divergence_:.4f}",
        )
    for method in methods:
        with clock() as took:
            found = TSNE(n_jobs=JOBS, random_state=0, negative_gradient_method=method).fit(X)
        exact = embedding_divergence(X, np.asarray(found), n_jobs=JOBS).value
        line(f"openTSNE {method}, 750 steps", took, f"KL {exact:.4f}, reported {found.kl_divergence:.4f}")


def sne() -> None:
    """SNE, digits 1,797 and MNIST 5,000, affinities included."""
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    from kullback.learn import SNE, embedding_divergence

    digits = PCA(50, random_state=0).fit_transform(load_digits().data)
    SNE(max_iter=20, polish=2).fit(digits[:200])
    _embed("digits", digits, methods=("bh", "fft"))
    with clock() as took:
        found = TSNE(init="pca", random_state=0, n_jobs=JOBS).fit(digits)
    exact = embedding_divergence(digits, found.embedding_).value
    line("scikit-learn TSNE", took, f"KL {exact:.4f}, reported {found.kl_divergence_:.4f}")
    _embed("MNIST", PCA(50, random_state=0).fit_transform(data.mnist5k()[0]), methods=("bh", "fft"))


def sne20k() -> None:
    """SNE, letter 20,000, affinities included, against the FFT."""
    from kullback.learn import SNE

    X = data.letter()[0]
    SNE(max_iter=20, polish=2).fit(X[:300])
    _embed("letter", X, methods=("fft",))


def softmax() -> None:
    """SoftmaxRegression, hard labels, C = 1: CPU until 1e-6 above the best objective known."""
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression

    from kullback.learn import SoftmaxRegression

    X20, y20, _ = data.counts("20newsgroups")
    letter = data.letter()
    sets = {
        "letter": (letter[0][:18_000], letter[1][:18_000]),
        "MNIST 5,000": data.mnist5k(),
        "20 newsgroups tf-idf": (TfidfTransformer(sublinear_tf=True).fit_transform(X20)[:11_293].tocsr(), y20[:11_293]),
    }
    for name, (X, y) in sets.items():
        alpha = 1.0 / X.shape[0]
        SoftmaxRegression(alpha, max_iter=2).fit(X[:3000], y[:3000])
        best = SoftmaxRegression(alpha, tol=1e-12, max_iter=5000).fit(X, y).objective_
        print(f" {name} {X.shape}, K = {len(np.unique(y))}, best {best:.10f}")
        with clock() as took:
            model = SoftmaxRegression(alpha, n_jobs=JOBS).fit(X, y)
        line(f"SoftmaxRegression ({model.n_iter_} rounds)", took, f"gap {model.objective_ / best - 1:.1e}")
        solvers = [("lbfgs", 1e-4), ("lbfgs", 1e-5), ("newton-cg", 1e-4), ("newton-cg", 1e-5), ("newton-cg", 1e-6)]
        for solver, tol in solvers + ([("newton-cholesky", 1e-4)] if X.shape[1] < 100 else []):
            if X.shape[1] < 100 and solver == "lbfgs":
                continue  # 10 to 20 s there
            with clock() as took:
                peer = LogisticRegression(C=1.0, solver=solver, tol=tol, max_iter=3000).fit(X, y)
            L = peer.predict_log_proba(X)
            value = -L[np.arange(len(y)), y].mean() + alpha / 2 * (peer.coef_**2).sum()
            line(f"scikit-learn {solver}, tol {tol:g}", took, f"gap {value / best - 1:.1e}")


def soft() -> None:
    """Soft labels: movie snippets, 9 marks, 15 to 29 raters; test KL, C chosen by validation on the training part."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    from kullback.learn import SoftmaxRegression, SoftTarget, kl_scorer

    texts, Y = data.raters()
    Y /= Y.sum(axis=1, keepdims=True)
    order = np.random.default_rng(0).permutation(len(texts))
    train, test = order[: int(0.75 * len(order))], order[int(0.75 * len(order)) :]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=3, sublinear_tf=True)
    A = vectorizer.fit_transform([texts[i] for i in train]).tocsr()
    B = vectorizer.transform([texts[i] for i in test]).tocsr()
    n = len(train)
    inner, check = slice(0, int(0.8 * n)), slice(int(0.8 * n), n)
    hard = np.eye(9)[Y[train].argmax(axis=1)]

    def report(name: str, make: Callable[[float], Any], target: Any) -> float:
        def score(c: float) -> float:
            return kl_scorer(make(c).fit(A[inner], target[inner]), A[check], Y[train][check])

        best = max((0.1, 0.3, 1.0, 3.0, 10.0), key=score)
        with clock() as took:
            model = make(best).fit(A, target)
        found = -kl_scorer(model, B, Y[test])
        line(name, took, f"test KL {found:.4f}", f"C {best:g}")
        return found

    few = report("SoftmaxRegression on majority labels", lambda c: SoftmaxRegression(1 / (c * n)), hard)
    all_ = report("SoftmaxRegression on distributions", lambda c: SoftmaxRegression(1 / (c * n)), Y[train])
    report("SoftTarget(LogisticRegression)", lambda c: SoftTarget(LogisticRegression(C=c, max_iter=1000)), Y[train])
    print(f"  {100 * (1 - all_ / few):.1f} % below the majority-label fit")


def regression() -> None:
    """DistributionRegressor: test NLL of y in standard deviations over five splits, ± its standard error.

    NGBoost's trees, rate, rounds and law are those of the least NLL on one validation fold of the first split's
    training part (depths 3 to 8, leaves of 1 to 20 rows, rates .01 to .05, half or all of the rows and columns, stopped
    at the best round); our defaults were chosen on the same part. Its defaults, slow, are run on the first split only.
    What diamonds allow: fitted to 50,189 rows, all that are not test rows, the earlier estimator had -1.21 on the first
    split's test part, with the 11,250 rows of the benchmark -1.14.
    """
    from sklearn.tree import DecisionTreeRegressor

    from kullback.learn import DistributionRegressor

    ngboost = optional("ngboost")

    def tree(depth: int, leaf: int) -> Any:
        return DecisionTreeRegressor(criterion="friedman_mse", max_depth=depth, min_samples_leaf=leaf)

    fast = {"learning_rate": 0.03, "minibatch_frac": 0.5}
    tuned = {
        "bikeshare": {
            "Normal, tuned": fast | {"Base": tree(7, 10), "n_estimators": 128},
            "LogNormal, tuned": fast | {"Base": tree(7, 10), "n_estimators": 107},
        },
        "diamonds": {"Normal, tuned": fast | {"Base": tree(8, 20), "n_estimators": 120}},
    }
    for name, peers in tuned.items():
        X, y = data.regression(name)
        cut = int(0.75 * len(y))
        print(f" {name} {X.shape}")
        costs: dict[str, list[float]] = {}
        cpu: dict[str, list[float]] = {}
        more: list[tuple[float, float]] = []

        def note(
            who: str, took: Clock, nll: float, costs: dict[str, list[float]] = costs, cpu: dict[str, list[float]] = cpu
        ) -> None:
            costs.setdefault(who, []).append(nll)
            cpu.setdefault(who, []).append(took.cpu)

        for split in range(5):
            order = np.random.default_rng(split).permutation(len(y)) if split else np.arange(len(y))
            (A, a), (B, b) = (X[order[:cut]], y[order[:cut]]), (X[order[cut:]], y[order[cut:]])
            unit, middle = a.std(), a.mean()
            with clock() as took:
                q = DistributionRegressor(random_state=split).fit(A, a).predict_dist(B)
                nll = -q.logpdf(b).mean()
            note("DistributionRegressor", took, nll - np.log(unit))
            more.append((q.crps(b).mean() / unit, float(np.mean((q.cdf(b) > 0.05) & (q.cdf(b) < 0.95)))))
            if not ngboost:
                continue
            for label, options in (peers if split else {"defaults": {}} | peers).items():
                law = getattr(ngboost.distns, label.split(",")[0], ngboost.distns.Normal)
                shift = 0.0 if law is ngboost.distns.LogNormal else middle
                with clock() as took:
                    model = ngboost.NGBRegressor(law, verbose=False, random_state=split, **options)
                    nll = -model.fit(A, (a - shift) / unit).pred_dist(B).logpdf((b - shift) / unit).mean()
                note(f"NGBoost {label}", took, nll)
        own = np.array(costs["DistributionRegressor"])
        for who, nlls in costs.items():
            found, apart = np.array(nlls), np.array(nlls) - own[: len(nlls)]
            line(
                who,
                f"{np.mean(cpu[who]):7.2f} s cpu",
                f"NLL {found.mean():.3f} ± {_error(found):.3f}",
                "CRPS {:.4f}, the 90 % interval holds {:.3f}".format(*np.mean(more, axis=0))
                if who == "DistributionRegressor"
                else f"above ours by {apart.mean():.3f} ± {_error(apart):.3f} ({len(nlls)} splits)",
            )


def _error(values: Any) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


WORK = {f.__name__: f for f in (nmf, kmeans, sne, softmax, soft, regression, sne20k)}

if __name__ == "__main__":
    import numba
    import scipy
    import sklearn

    print(f"python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}, ", end="")
    print(f"scikit-learn {sklearn.__version__}, numba {numba.__version__}, {platform.machine()}, {JOBS} thread(s)")
    for peer in ("openTSNE", "ngboost"):
        module = sys.modules.get(peer) or optional(peer)
        if module:
            print(f"{peer} {module.__version__}", end="  ")
    print()
    for chosen in OPTIONS.work or WORK:
        print(f"\n{WORK[chosen].__doc__}")
        WORK[chosen]()
