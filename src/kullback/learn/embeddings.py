"""The stated objective of anyone's embedding, exactly: KL(P‖Q) of t-SNE and SNE, the fuzzy cross-entropy of UMAP."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import curve_fit
from scipy.sparse import csr_matrix
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_array, check_consistent_length

from kullback.learn import _affinities as affinities
from kullback.learn._checks import choice, number
from kullback.result.contributions import Contributions

Floats = NDArray[np.float64]


def embedding_divergence(
    X: ArrayLike,
    Y: ArrayLike,
    /,
    *,
    objective: Literal["tsne", "sne", "umap"] = "tsne",
    per_point: bool = True,
    perplexity: float = 30.0,
    metric: str = "euclidean",
    dof: float = 1.0,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    n_jobs: int | None = None,
) -> Contributions:
    """What an embedding costs by the objective it says it minimises, over all pairs of points.

    ``"tsne"`` and ``"sne"`` are KL(P‖Q) with P of the given perplexity and Q of a Student or Gaussian kernel;
    ``"umap"`` is Σ_{i<j} v log(v/w) + (1 − v) log((1 − v)/(1 − w)) between UMAP's graph v of X and the graph w of Y,
    which UMAP itself never computes.

    Parameters
    ----------
    X : array of shape (n, d)
        Data; with `metric` as in `SNE` (Euclidean only for umap).
    Y : array of shape (n, m)
        Embedding, from any library.
    objective : {"tsne", "sne", "umap"}
    per_point : bool, default True
        Whether `per["sample"]` is filled; each pair of umap is shared equally by its points.
    perplexity, dof
        Of t-SNE.
    n_neighbors, min_dist
        Of UMAP (spread 1).
    n_jobs : int or None

    Returns
    -------
    Contributions
        `value` in nats; `per["sample"]` is non-negative and adds up to it.

    Raises
    ------
    ValueError
        Different numbers of rows, or a perplexity of n/3 and more.

    Notes
    -----
    n² time and no n² memory: about 1 s for 10,000 points. van der Maaten & Hinton 2008; McInnes, Healy & Melville 2018,
    arXiv:1802.03426; that UMAP's optimiser pursues another loss: Damrich & Hamprecht 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from kullback.learn import embedding_divergence
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> cost = embedding_divergence(X, X[:, :2], perplexity=10)
    >>> cost.value > 0, abs(cost.per["sample"].sum() - cost.value) < 1e-12
    (True, True)
    """
    from kullback.learn._embedding import Kernel
    from kullback.learn._numba.jit import Rows, threads
    from kullback.learn._pairs import kl_per_point

    choice("objective", objective, ("tsne", "sne", "umap"))
    Y = np.ascontiguousarray(check_array(Y, dtype=np.float64))
    check_consistent_length(X, Y)
    n = len(Y)
    if objective == "umap":
        parts = _umap(check_array(X, dtype=np.float64), Y, n_neighbors, min_dist)
        name = "Σ v log(v/w) + (1−v) log((1−v)/(1−w))"
    else:
        choice("metric", metric, ("euclidean", "kl", "js", "hellinger", "precomputed"))
        if not 1.0 <= perplexity < n / 3:
            raise ValueError(
                f"perplexity = {perplexity:g} with n_samples = {n}; expected 1 ≤ perplexity < {n / 3:.3g}."
            )
        number("dof", dof, above=True)
        data = check_array(X, dtype=np.float64, accept_sparse="csr" if metric != "euclidean" else False)
        if metric in ("kl", "js", "hellinger"):
            data = affinities.rows_as_distributions(data)
        weight, kernel = np.ones(n), Kernel(objective == "sne", float(dof))
        with Rows(threads(n_jobs)) as rows:
            shape = affinities.geometry(data, metric)
            found = affinities.bandwidths(shape, perplexity, weight, rows)
            parts = kl_per_point(shape, found, Y, weight, kernel, rows)
        name = "KL(P‖Q)"
    return Contributions(name, float(parts.sum()), {"sample": parts} if per_point else {})


def _umap(X: Any, Y: Floats, n_neighbors: int, min_dist: float) -> Floats:
    """Bernoulli KL of every pair, half to each of its points."""
    n = len(Y)
    number("n_neighbors", n_neighbors, low=2, high=n - 1, integer=True)
    number("min_dist", min_dist)
    distance, neighbor = NearestNeighbors(n_neighbors=n_neighbors).fit(X).kneighbors()
    strength = np.exp(-np.maximum(distance - distance[:, :1], 0) / _widths(distance)[:, None])
    graph = csr_matrix(
        (strength.ravel(), neighbor.ravel(), np.arange(0, n * n_neighbors + 1, n_neighbors)), shape=(n, n)
    )
    graph = graph + graph.T - graph.multiply(graph.T)
    a, b = _curve(min_dist)
    out, lengths = np.zeros(n), (Y**2).sum(axis=1)
    for start in range(0, n, 512):
        stop = min(start + 512, n)
        v = np.clip(graph[start:stop].toarray(), 0.0, 1.0)
        d2 = np.maximum(lengths[start:stop, None] + lengths - 2 * Y[start:stop] @ Y.T, 0.0)
        power = a * d2**b
        w, rest = 1 / (1 + power), power / (1 + power)
        with np.errstate(divide="ignore", invalid="ignore"):
            near = np.where(v > 0, v * np.log(v / w), 0.0)
            far = np.where(v < 1, (1 - v) * np.log((1 - v) / rest), 0.0)
        pairs = near + far
        pairs[np.arange(stop - start), np.arange(start, stop)] = 0.0
        out[start:stop] = 0.5 * np.maximum(pairs, 0.0).sum(axis=1)
    return out


def _widths(distance: Floats) -> Floats:
    """σ_i with Σ_j exp(−max(0, d_ij − ρ_i)/σ_i) = log2 k, ρ_i the nearest distance: bisection, all rows at once."""
    excess, target = distance - distance[:, :1], np.log2(distance.shape[1])
    typical = np.maximum(excess.mean(axis=1), 1e-300)
    low, high = 1e-3 * typical, 1e3 * typical
    for _ in range(80):
        middle = np.sqrt(low * high)
        over = np.exp(-excess / middle[:, None]).sum(axis=1) > target
        high, low = np.where(over, middle, high), np.where(over, low, middle)
    return np.asarray(np.sqrt(low * high))


def _curve(min_dist: float) -> tuple[float, float]:
    """a, b with 1/(1 + a d^{2b}) close to 1 up to min_dist and exp(min_dist − d) beyond."""
    d = np.linspace(0, 3, 300)
    wanted = np.where(d < min_dist, 1.0, np.exp(-(d - min_dist)))
    (a, b), _ = curve_fit(lambda x, a, b: 1 / (1 + a * x ** (2 * b)), d, wanted)
    return float(a), float(b)
