"""Two ways to lay out the points of `SNE`: forces between all pairs, polished to the end, or openTSNE's grid.

Both give (positions, KL per point, steps, converged); `model` is the estimator, read for its parameters alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, svds
from sklearn.utils import check_random_state
from sklearn.utils.extmath import randomized_svd

from kullback.errors import need
from kullback.learn import _affinities as affinities
from kullback.learn import _embedding, _pairs
from kullback.learn._base import Track
from kullback.learn._numba.jit import threads

Floats = NDArray[np.float64]
Layout = tuple[Floats, Floats, int, bool]

# Above this many points the n² pairs of a step cost more than interpolating them on a grid.
EXACT_UP_TO = 20_000
# What of p_j|i is stored: coarse while points travel, finer at the end.
_FLOOR, _FINE_FLOOR = 1e-3, 3e-4


def rounds_of_polish(model: Any) -> int:
    """L-BFGS rounds that the model asks for."""
    return 200 if model.polish is True else int(model.polish)


def exact(model: Any, X: Any, weight: Floats, start: Floats | None, kernel: Any, rows: Any, track: Track) -> Layout:
    """All pairs, to convergence where the model asks for polish."""
    if model.metric == "affinity":
        shape = found = None
        coarse = fine = X
    else:
        shape = affinities.geometry(X, model.metric)
        found = affinities.bandwidths(shape, model.perplexity, weight, rows)
        fine = affinities.joint(shape, found, weight, _FINE_FLOOR, rows)
        coarse = affinities.without_small(fine, 0.5 * _FLOOR / X.shape[0])
    Y = (first_positions(model, X, coarse, weight) if start is None else start).T

    def learned(Y: Any) -> dict[str, Any]:
        return {"embedding_": np.ascontiguousarray(Y.T, np.float64)}

    def note(value: float, Y: Any) -> bool:
        return track(value, lambda: learned(Y))

    early = min(model.early_iter, model.max_iter)
    steps, n_threads = model.max_iter, threads(model.n_jobs)
    with _embedding.Forces(coarse, weight, kernel, model.n_components, n_threads) as forces:
        Y = _embedding.descend(
            forces, Y, exaggeration=model.exaggeration, early=early, late=model.max_iter - early, note=note
        )
    path = track.path
    converged = len(path) > 1 and path[-2] - path[-1] <= 5 * model.tol * abs(path[-1])
    if rounds_of_polish(model):
        before = len(path)
        with _embedding.Forces(fine, weight, kernel, model.n_components, n_threads) as forces:
            Y = _embedding.rescale(forces, Y)
            Y, converged = _embedding.polish(forces, Y, rounds=rounds_of_polish(model), tol=model.tol, note=note)
        steps += len(track.path) - before
    Y = np.ascontiguousarray(Y.T, np.float64)
    Y -= np.average(Y, axis=0, weights=weight)
    if shape is None or found is None:
        per_point = _pairs.stored_kl_per_point(coarse, Y, weight, kernel, rows)
    else:
        per_point = _pairs.kl_per_point(shape, found, Y, weight, kernel, rows)
    return Y, per_point, steps, bool(converged)


def fft(model: Any, X: Any, weight: Floats, start: Floats | None, kernel: Any, rows: Any, track: Track) -> Layout:
    """By openTSNE, for more points than all pairs are affordable for."""
    if model.metric != "euclidean" or kernel.gaussian or model.n_components > 2 or (weight != weight[0]).any():
        raise ValueError(
            "method='fft' has the Euclidean metric, the Student kernel, one or two dimensions and equal weights "
            f"only. Use method='exact' for metric={model.metric!r}, kernel={model.kernel!r} "
            f"(up to about {EXACT_UP_TO} points)."
        )
    need("openTSNE", "learn")
    from openTSNE import TSNEEmbedding, affinity

    n_threads, seed = threads(model.n_jobs), check_random_state(model.random_state).randint(2**31 - 1)
    P = affinity.PerplexityBasedNN(X, perplexity=model.perplexity, n_jobs=n_threads, random_state=seed)
    embedding = TSNEEmbedding(
        first_positions(model, X, P.P, weight) if start is None else start,
        P,
        negative_gradient_method="fft",
        n_jobs=n_threads,
        dof=model.dof,
        random_state=seed,
    )
    early = min(model.early_iter, model.max_iter)
    if early:
        embedding = embedding.optimize(early, exaggeration=model.exaggeration, momentum=0.5)
    if model.max_iter > early:
        embedding = embedding.optimize(model.max_iter - early, momentum=0.8)
    Y = np.ascontiguousarray(embedding, np.float64)
    stored = affinities.check_affinity(P.P)
    per_point = _pairs.stored_kl_per_point(stored, Y, weight, kernel, rows)
    track(float(per_point.sum()))
    return Y, per_point, model.max_iter, False


def first_positions(model: Any, X: Any, P: sp.csr_matrix, weight: Floats) -> Floats:
    """Where points start: at random, or along the main directions of the data."""
    n, D, random = X.shape[0], model.n_components, check_random_state(model.random_state)
    Y = 1e-4 * random.standard_normal((n, D))
    if model.init == "random":
        return np.asarray(Y)
    pairwise = model.metric in ("precomputed", "affinity")
    # The main directions of what is compared: the rows, the square roots of distributions, the rows of P.
    A = np.asarray(P.todense()) if pairwise and n <= EXACT_UP_TO else (P if pairwise else X)
    A = np.sqrt(A) if model.metric != "euclidean" else A
    share = weight / weight.sum()
    k = min(D, *A.shape)
    if sp.issparse(A):
        U, S, Vt = _main_of_sparse(A, share, k)
    else:
        A = (A - share @ A) * np.sqrt(share)[:, None]
        U, S, Vt = randomized_svd(A, k, n_iter=7, random_state=0)
    main = U * S / np.sqrt(share)[:, None] * np.sign(Vt[np.arange(k), np.abs(Vt).argmax(axis=1)] + 1e-300)
    if S[0] > 0:
        Y[:, :k] = main / np.sqrt(share @ main[:, 0] ** 2) * 1e-4 + 1e-2 * Y[:, :k]
    return np.asarray(Y)


def _main_of_sparse(A: sp.csr_matrix, share: Floats, k: int) -> tuple[Floats, Floats, Floats]:
    """(U, S, Vᵀ) of √share·(A − share·A), largest first; the centred rows, which are dense, are never made."""
    root, mean = np.sqrt(share), share @ A
    scaled = sp.csr_matrix(A.multiply(root[:, None]))
    centred = LinearOperator(
        A.shape,
        matvec=lambda v: scaled @ v.ravel() - root * (mean @ v.ravel()),
        rmatvec=lambda u: scaled.T @ u.ravel() - mean * (root @ u.ravel()),
        dtype=np.float64,
    )
    U, S, Vt = svds(centred, k, v0=np.random.default_rng(0).standard_normal(min(A.shape)))
    order = np.argsort(-S)
    return U[:, order], S[order], Vt[order]
