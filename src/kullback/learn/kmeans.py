"""`KLKMeans`: clusters of counts or distributions by KL; with finite `beta`, the information bottleneck."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from kullback.learn._base import Learner, Track, whole
from kullback.learn._centroids import nearest, normalised, overall_of, softmax
from kullback.learn._checks import choice, no_empty_rows, non_negative, number, row_sums
from kullback.learn._clustering import Solution, Task, bottleneck, hartigan, lloyd, plus_plus
from kullback.learn._unique import unique_rows
from kullback.result.contributions import Contributions

Floats = NDArray[np.float64]


class KLKMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, Learner):  # type: ignore[misc]
    """Minimise Σ_i w_i KL(p_i‖q_c(i)) over clusters c and centroids q: k-means in the geometry of counts.

    That sum is what the clusters lose of the information between rows and features,
    Σ w KL = Σ w · (I(rows; features) − I(clusters; features)). With finite `beta` the memberships are soft and their
    rate is paid for: E KL(p_x‖q_t) + I(X; T)/β, the information bottleneck.

    Parameters
    ----------
    n_clusters : int, default 8
    weights : {"rows", "mass"}, default "rows"
        Every row counts 1, or as much as its total.
    method : {"hartigan", "lloyd"}, default "hartigan"
        One row at a time with the exact change of the objective (better optima, no smoothing), or all rows at once.
    beta : float, default inf
        Price of the lost information in units of the rate; inf gives hard clusters.
    smoothing : float, default 0
        Lloyd only: share of the uniform distribution mixed into centroids while assigning. Early rounds use more.
    init : {"random", "kl++"} or ndarray of shape (n_clusters, n_features), default "random"
    n_init : int, default 3
        Starts; the best objective wins.
    tol : float, default 1e-4
        Converged when a round gains less than this share of the objective.
    max_iter, n_jobs, random_state, verbose
        As in scikit-learn.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Distributions.
    labels_ : ndarray of shape (n_samples,)
    cluster_objective_ : ndarray of shape (n_clusters,)
        The part of `objective_` that sits in each cluster.
    information_retained_ : float
        I(clusters; features) / I(rows; features), between 0 and 1.
    cluster_mass_ : ndarray of shape (n_clusters,)
    objective_, objective_path_, n_iter_, converged_
        The objective per unit of weight, in nats.

    Notes
    -----
    Slonim, Friedman & Tishby 2002, doi:10.1145/564376.564401; Banerjee et al. 2005 (JMLR 6); Slonim, Aharoni & Crammer
    2013; Tishby, Pereira & Bialek 1999. Equal rows are merged first: a weight of 2 is the same as the row twice.

    Examples
    --------
    >>> import numpy as np
    >>> from kullback.learn import KLKMeans
    >>> counts = np.array([[9, 1, 0, 0], [4, 0, 0, 0], [0, 0, 3, 5], [0, 0, 1, 2]])
    >>> KLKMeans(2, random_state=0).fit(counts).labels_[:2].tolist() in ([0, 0], [1, 1])
    True
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        weights: Literal["rows", "mass"] = "rows",
        method: Literal["hartigan", "lloyd"] = "hartigan",
        beta: float = np.inf,
        smoothing: float = 0.0,
        init: str | Floats = "random",
        n_init: int = 3,
        tol: float = 1e-4,
        max_iter: int = 100,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self.n_clusters = n_clusters
        self.weights = weights
        self.method = method
        self.beta = beta
        self.smoothing = smoothing
        self.init = init
        self.n_init = n_init
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)

    @whole
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> KLKMeans:  # noqa: ARG002  scikit-learn's signature
        """Cluster the rows of X (n, d): counts or probabilities, dense or sparse, no row all zero."""
        self._check_parameters()
        P, sums = self._door(X, reset=True)
        n = P.shape[0]
        if self.n_clusters > n:
            raise ValueError(
                f"n_samples={n} should be >= n_clusters={self.n_clusters}: there cannot be more clusters than rows."
            )
        given = _check_sample_weight(sample_weight, P, dtype=np.float64, ensure_non_negative=True)
        weight = given * sums if self.weights == "mass" else given
        if not np.any(weight > 0):
            raise ValueError("All sample weights are zero: there is nothing to cluster.")
        rows, mass, inverse = unique_rows(P, weight)
        random = check_random_state(self.random_state)
        track = Track(self, self.n_init * self.max_iter, X=X, weight=sample_weight)
        best = min((self._solve(rows, mass, random, track) for _ in range(self._starts())), key=lambda s: s.objective)
        track.done()
        self._learn(P, weight, best, inverse)
        return self

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Nearest centroid in KL; where every centroid misses a word, the cluster that would lose least by the row."""
        return np.asarray(self._distances(self._rows(X))[1], dtype=np.int64)

    def transform(self, X: Any) -> Floats:
        """KL(p_i‖q_c) in nats for every row and cluster, shape (n, n_clusters); inf where q misses what p has."""
        return self._distances(self._rows(X))[0]

    def predict_proba(self, X: Any) -> Floats:
        """Memberships: q(t|x) ∝ q(t) exp(−β KL(p_x‖q_t)) for finite `beta`, otherwise one 1 per row."""
        distance, labels = self._distances(self._rows(X))
        if not np.isfinite(self.beta):
            return np.eye(distance.shape[1])[labels]
        with np.errstate(divide="ignore"):
            logits = np.log(self.cluster_mass_ / self.cluster_mass_.sum()) - self.beta * distance
        lost = ~np.isfinite(logits).any(axis=1)
        logits[lost] = np.where(np.arange(distance.shape[1]) == labels[lost, None], 0.0, -np.inf)
        return softmax(logits)

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002  scikit-learn's signature
        """−mean KL(p_i‖nearest centroid): larger is better, −inf where a row cannot be reached."""
        distance, labels = self._distances(self._rows(X))
        return -float(distance[np.arange(labels.size), labels].mean())

    def explain(self, X: Any) -> Contributions:
        """The mean of KL(p_i‖q_c(i)) over the rows of X, split over samples, features and clusters."""
        P = self._rows(X)
        labels = self._distances(P)[1]
        weight = np.full(P.shape[0], 1.0 / P.shape[0])
        per_row, per_column = self._parts(P, labels, weight)
        clusters = np.bincount(labels, per_row * weight, minlength=len(self.cluster_centers_)).astype(np.float64)
        names = {"feature": [str(v) for v in self.feature_names_in_]} if hasattr(self, "feature_names_in_") else {}
        return Contributions(
            "E KL(p‖q_c)",
            float(per_row @ weight),
            {"sample": per_row * weight, "feature": per_column, "cluster": clusters},
            labels=names,
        )

    def _starts(self) -> int:
        return 1 if not isinstance(self.init, str) else self.n_init

    def _check_parameters(self) -> None:
        number("n_clusters", self.n_clusters, low=1, integer=True)
        choice("weights", self.weights, ("rows", "mass"))
        choice("method", self.method, ("hartigan", "lloyd"))
        number("beta", self.beta, above=True)
        number("smoothing", self.smoothing, high=1.0)
        number("n_init", self.n_init, low=1, integer=True)
        number("max_iter", self.max_iter, low=1, integer=True)
        number("tol", self.tol)

    def _door(self, X: Any, *, reset: bool) -> tuple[Any, Floats]:
        X = validate_data(self, X, reset=reset, accept_sparse="csr", dtype=[np.float64, np.float32])
        non_negative(X, "KLKMeans")
        P = sp.csr_matrix(X, dtype=np.float64, copy=True)
        P.sum_duplicates()
        P.eliminate_zeros()
        sums = row_sums(P)
        no_empty_rows(sums, "KLKMeans")
        P.data /= np.repeat(sums, np.diff(P.indptr))
        return P, sums

    def _rows(self, X: Any) -> Any:
        check_is_fitted(self)
        return self._door(X, reset=False)[0]

    def _solve(self, P: Any, mass: Floats, random: np.random.RandomState, track: Track) -> Solution:
        task = Task(P, mass, self.n_clusters, self.tol, self.max_iter, track)
        labels = self._start(P, mass, random)
        hard = lloyd(task, labels, self.smoothing) if self.method == "lloyd" else hartigan(task, labels, random)
        return hard if not np.isfinite(self.beta) else bottleneck(task, hard.labels, self.beta)

    def _start(self, P: Any, mass: Floats, random: np.random.RandomState) -> NDArray[np.int64]:
        n, k = P.shape[0], self.n_clusters
        if not isinstance(self.init, str):
            centers = np.asarray(self.init, dtype=np.float64)
            if centers.shape != (k, P.shape[1]) or (centers < 0).any() or not np.isfinite(centers).all():
                raise ValueError(f"init must be ({k}, {P.shape[1]}), finite and ≥ 0; got shape {centers.shape}.")
            no_empty_rows(centers.sum(axis=1), "KLKMeans as init")
            return nearest(P, centers / centers.sum(axis=1, keepdims=True), 0.01)
        choice("init", self.init, ("random", "kl++"))
        if k >= n:
            return np.arange(n)
        if self.init == "random":
            return np.asarray(random.permutation(np.arange(n) % k))
        return plus_plus(P, mass, k, random)

    def _learn(self, P: Any, weight: Floats, best: Solution, inverse: NDArray[np.int64]) -> None:
        """Everything learned, the objective measured anew as a sum of non-negative terms."""
        k, share = self.n_clusters, weight / weight.sum()
        known = inverse >= 0  # rows of weight zero had no say; they are assigned afterwards
        labels = np.where(known, best.labels[inverse], -1)
        T = np.eye(k)[best.labels] if best.membership is None else best.membership
        memberships = T[np.maximum(inverse, 0)] * known[:, None]
        C = np.asarray(P.T @ (memberships * weight[:, None])).T
        self.cluster_centers_ = normalised(C, overall_of(P, weight))
        self.cluster_mass_ = memberships.T @ weight
        self._counts_ = C
        if not known.all():
            labels[~known] = self._distances(P[~known])[1]
        self.labels_ = labels
        if best.membership is None:
            per_row, _ = self._parts(P[known], labels[known], share[known])
            self.cluster_objective_ = np.bincount(labels[known], per_row * share[known], minlength=k)
            rate = 0.0
        else:
            distance = self._distances(P[known])[0]
            used = memberships[known]
            with np.errstate(invalid="ignore", divide="ignore"):
                self.cluster_objective_ = share[known] @ np.where(used > 0, used * distance, 0.0)
                size = share[known] @ used
                rate = float(share[known] @ np.where(used > 0, used * np.log(used / size), 0.0).sum(axis=1))
        self.distortion_ = float(self.cluster_objective_.sum())
        self.rate_ = rate
        self.objective_ = self.distortion_ + (rate / self.beta if rate else 0.0)
        whole_information = self._information(P[known], share[known])
        self.information_retained_ = 1 - self.distortion_ / whole_information if whole_information > 0 else 1.0
        self.objective_path_ = np.array([*best.path, self.objective_])
        self.n_iter_ = len(best.path)
        self.converged_ = best.converged
        if (self.cluster_mass_ == 0).any():
            empty = int((self.cluster_mass_ == 0).sum())
            warnings.warn(
                f"{empty} of {k} clusters are empty: fewer distinct rows than clusters, or rows that are alike.",
                ConvergenceWarning,
                stacklevel=4,
            )

    @staticmethod
    def _information(P: Any, share: Floats) -> float:
        """I(rows; features) = E KL(p_i‖p̄)."""
        from kullback.learn._numba import kmeans

        out = np.empty((P.shape[0], 1))
        kmeans.divergences(0, P.shape[0], P.indptr, P.indices, P.data, overall_of(P, share)[:, None], out)
        return float(share @ out[:, 0])

    def _parts(self, P: Any, labels: NDArray[np.int64], weight: Floats) -> tuple[Floats, Floats]:
        from kullback.learn._numba import kmeans

        Q = np.ascontiguousarray(self.cluster_centers_.T)
        outside = Q * np.bincount(labels, weight, minlength=Q.shape[1])
        per_row, per_column = np.zeros(P.shape[0]), np.zeros(P.shape[1])
        kmeans.contributions(
            P.indptr, P.indices, P.data, labels.astype(np.int64), weight, Q, outside, per_row, per_column
        )
        # Σ_{p=0} q per feature is what is left of the centroids' mass there; rounding of what was taken off is not.
        outside[outside < 1e-12 * Q] = 0.0
        return per_row, per_column + outside.sum(axis=1)

    def _distances(self, P: Any) -> tuple[Floats, NDArray[np.int64]]:
        from kullback.learn._numba import kmeans
        from kullback.learn._numba.jit import Rows, threads

        n, k = P.shape[0], len(self.cluster_centers_)
        distance = np.empty((n, k))
        with Rows(threads(self.n_jobs)) as rows:
            Q = np.ascontiguousarray(self.cluster_centers_.T)
            rows(kmeans.divergences, n, P.indptr, P.indices, P.data, Q, distance)
            labels = distance.argmin(axis=1)
            lost = np.flatnonzero(~np.isfinite(distance).any(axis=1))
            if lost.size:
                C = np.ascontiguousarray(self._counts_.T)
                cost, some = np.empty((lost.size, k)), P[lost]
                rows(kmeans.insertion_cost, lost.size, some.indptr, some.indices, some.data, C.sum(axis=0), C, cost)
                labels[lost] = cost.argmin(axis=1)
        return distance, labels
