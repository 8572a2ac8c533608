"""`SNE`: points in few dimensions whose neighbourhoods resemble the data's, min KL(P‖Q)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from kullback.learn import _affinities as affinities
from kullback.learn._base import Learner, Track, whole
from kullback.learn._checks import choice, number
from kullback.result.contributions import Contributions

Floats = NDArray[np.float64]


class SNE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Learner):  # type: ignore[misc]  # scikit-learn: no types
    """Minimise KL(P‖Q) over positions y: stochastic neighbour embedding, t-SNE by default.

    P_ij = (w_i p_j|i + w_j p_i|j)/(2 Σ w) with p_j|i ∝ w_j exp(−β_i d²_ij) of the given perplexity;
    Q_ij ∝ w_i w_j k(|y_i − y_j|²), k Student's t or (symmetric SNE) a Gaussian. All pairs are computed, no tree and no
    grid, up to 20,000 points; L-BFGS then takes the objective to convergence, and its exact value is reported.

    Parameters
    ----------
    n_components : int, default 2
    perplexity : float, default 30
        Effective number of neighbours; below n/3.
    kernel : {"student", "gaussian"}
    dof : float, default 1
        Degrees of freedom of the Student kernel (1 + d²/dof)^(−(dof+1)/2).
    metric : {"euclidean", "kl", "js", "hellinger", "precomputed", "affinity"}
        With kl, js and hellinger the rows of X are counts or distributions, and d² is KL(p_i‖p_j), JS or 1 − Σ√(pq).
        With precomputed, X holds distances (n, n); with affinity, P itself.
    method : {"auto", "exact", "fft"}
        fft hands the descent to openTSNE; auto does so above 20,000 points.
    init : "pca", "random" or ndarray of shape (n_samples, n_components)
    exaggeration : float, default 12
        Of the attraction in the first steps; the Student kernel only.
    early_iter, max_iter : int, default 250 and 500
        Steps with exaggeration, and steps in all before the polish.
    polish : int or bool, default True
        L-BFGS rounds at the end; True is 200, False none.
    tol : float, default 1e-4
        Converged when ten rounds gain less than this share of the objective.
    n_jobs, random_state, verbose
        As in scikit-learn.

    Attributes
    ----------
    embedding_ : ndarray of shape (n_samples, n_components)
    kl_divergence_ : float
        KL(P‖Q) in nats over all pairs, P dense (above 20,000 points: over the stored neighbours).
    kl_per_point_ : ndarray of shape (n_samples,)
        Non-negative, adds up to `kl_divergence_`: where the map misleads.
    method_ : str
    objective_, objective_path_, n_iter_, converged_
        The path is of the stored P, the objective of all pairs.

    Raises
    ------
    ImportError
        More than 20,000 points (or method="fft") without openTSNE: `pip install 'kullback[learn]'`.

    Notes
    -----
    Hinton & Roweis 2002; van der Maaten & Hinton 2008 (JMLR 9). For n > 20,000: Linderman et al. 2019,
    doi:10.1038/s41592-018-0308-4, through openTSNE.

    Examples
    --------
    >>> import numpy as np
    >>> from kullback.learn import SNE
    >>> X = np.random.default_rng(0).normal(size=(60, 5)) + np.repeat([[0], [9]], 30, axis=0)
    >>> model = SNE(perplexity=10, max_iter=250, early_iter=100).fit(X)
    >>> model.embedding_.shape, model.kl_divergence_ < 1
    ((60, 2), True)
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        perplexity: float = 30.0,
        kernel: Literal["student", "gaussian"] = "student",
        dof: float = 1.0,
        metric: str = "euclidean",
        method: Literal["auto", "exact", "fft"] = "auto",
        init: str | Floats = "pca",
        exaggeration: float = 12.0,
        early_iter: int = 250,
        max_iter: int = 500,
        polish: int | bool = True,
        tol: float = 1e-4,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self.n_components = n_components
        self.perplexity = perplexity
        self.kernel = kernel
        self.dof = dof
        self.metric = metric
        self.method = method
        self.init = init
        self.exaggeration = exaggeration
        self.early_iter = early_iter
        self.max_iter = max_iter
        self.polish = polish
        self.tol = tol
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.metric in ("precomputed", "affinity")
        tags.input_tags.positive_only = self.metric != "euclidean"
        tags.input_tags.sparse = self.metric != "euclidean"
        tags.transformer_tags.preserves_dtype = []
        return tags

    @property
    def _n_features_out(self) -> int:
        return int(self.embedding_.shape[1])

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> SNE:  # noqa: ARG002  scikit-learn's signature
        """Embed the rows of X; a weight counts a row as that many points in one place."""
        self._fit(X, sample_weight)
        return self

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Floats:  # noqa: ARG002  scikit-learn's signature
        """Embed the rows of X and return their positions."""
        self._fit(X, sample_weight)
        return np.asarray(self.embedding_)

    @whole
    def _fit(self, X: Any, sample_weight: Any) -> None:
        from kullback.learn import _layouts
        from kullback.learn._embedding import Kernel
        from kullback.learn._numba.jit import Rows, threads

        self._check_parameters()
        X = self._door(X, reset=True)
        n = X.shape[0]
        if not 1.0 <= self.perplexity < n / 3:
            raise ValueError(
                f"perplexity = {self.perplexity:g} needs n_samples > {3 * self.perplexity:g}, got n_samples = {n}: "
                f"a point cannot have that many neighbours. Choose perplexity below {n / 3:.3g}, or give more rows."
            )
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        kept = weight > 0
        if 3 * self.perplexity >= kept.sum():
            raise ValueError(
                f"Only {kept.sum()} rows have positive sample weight; perplexity {self.perplexity:g} needs more."
            )
        kernel = Kernel(self.kernel == "gaussian", float(self.dof))
        method = self.method if self.method != "auto" else ("exact" if n <= _layouts.EXACT_UP_TO else "fft")
        track = Track(self, self.max_iter // 50 + _layouts.rounds_of_polish(self), X=X, weight=sample_weight)
        with Rows(threads(self.n_jobs)) as rows:
            data, mass = (X, weight) if kept.all() else (self._some(X, kept), weight[kept])
            lay = _layouts.exact if method == "exact" else _layouts.fft
            Y, per_point, steps, converged = lay(self, data, mass, self._given_start(kept), kernel, rows, track)
        track.done()
        positions, shares = np.zeros((n, self.n_components)), np.zeros(n)
        positions[kept], shares[kept] = Y, per_point
        self._points_, self._weight_, self._kept_ = data, mass, Y
        self.embedding_, self.kl_per_point_ = positions, shares
        self.n_iter_, self.converged_, self.method_ = max(steps, 1), converged, method
        self.kl_divergence_ = self.objective_ = float(per_point.sum())
        self.objective_path_ = np.array([*track.path, self.objective_])
        if not kept.all() and not self._is_pairwise():  # points without weight push nobody, but have a place
            positions[~kept] = self._place(self._some(X, ~kept))

    def transform(self, X: Any) -> Floats:
        """Place new rows among the embedded ones, each where KL(p‖q) from it is least; a known row where it is."""
        check_is_fitted(self)
        if self._is_pairwise():
            raise ValueError(f"metric={self.metric!r} holds no rows to compare new ones with; fit on rows instead.")
        return self._place(self._door(X, reset=False))

    def explain(self, X: None = None) -> Contributions:  # noqa: ARG002  as the other estimators
        """KL(P‖Q) of the fitted embedding split over its points."""
        check_is_fitted(self)
        return Contributions("KL(P‖Q)", self.objective_, {"sample": np.asarray(self.kl_per_point_)})

    def _is_pairwise(self) -> bool:
        return self.metric in ("precomputed", "affinity")

    def _check_parameters(self) -> None:
        number("n_components", self.n_components, low=1, integer=True)
        number("perplexity", self.perplexity)
        choice("kernel", self.kernel, ("student", "gaussian"))
        number("dof", self.dof, above=True)
        choice("metric", self.metric, affinities.METRICS)
        choice("method", self.method, ("auto", "exact", "fft"))
        number("exaggeration", self.exaggeration, low=1.0)
        number("early_iter", self.early_iter, integer=True)
        number("max_iter", self.max_iter, low=1, integer=True)
        number("tol", self.tol)
        if not isinstance(self.polish, (bool, np.bool_)):
            number("polish", self.polish, integer=True)

    def _door(self, X: Any, *, reset: bool) -> Any:
        X = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr" if self.metric != "euclidean" else False,
            dtype=np.float64,
            ensure_min_samples=2 if reset else 1,
        )
        if reset and self._is_pairwise() and X.shape[0] != X.shape[1]:
            raise ValueError(f"X should be a square matrix for metric={self.metric!r}, got shape {X.shape}.")
        if self.metric in ("kl", "js", "hellinger"):
            return affinities.rows_as_distributions(X)
        if self.metric == "precomputed":
            dense = X.toarray() if sp.issparse(X) else X
            if (dense < 0).any():
                raise ValueError("Negative values in data passed to SNE: distances are ≥ 0.")
            return dense
        return affinities.check_affinity(X) if self.metric == "affinity" and reset else X

    def _given_start(self, kept: NDArray[np.bool_]) -> Floats | None:
        """Where the kept points start, if the user says so; checked for all points."""
        if isinstance(self.init, str):
            choice("init", self.init, ("pca", "random"))
            return None
        Y = np.array(self.init, dtype=np.float64)
        if Y.shape != (kept.size, self.n_components) or not np.isfinite(Y).all():
            raise ValueError(f"init must be finite, of shape ({kept.size}, {self.n_components}); got shape {Y.shape}.")
        return Y[kept]

    def _some(self, X: Any, rows: NDArray[np.bool_]) -> Any:
        return X[rows][:, rows] if self._is_pairwise() else X[rows]

    def _place(self, X: Any) -> Floats:
        from kullback.learn._numba import sne
        from kullback.learn._numba.jit import Rows, threads

        known = {row.tobytes(): i for i, row in enumerate(np.ascontiguousarray(self._points_))}
        at = np.array([known.get(row.tobytes(), -1) for row in np.ascontiguousarray(X)])
        out = np.empty((len(at), self._kept_.shape[1]))
        out[at >= 0] = self._kept_[at[at >= 0]]
        new = np.flatnonzero(at < 0)
        if new.size:
            with Rows(threads(self.n_jobs)) as rows:
                shape = affinities.geometry(X[new], self.metric, self._points_)
                P = affinities.conditional(shape, len(self._kept_), self.perplexity, self._weight_, rows)
                # Begin at the nearest neighbour: the mean of several may lie between clusters.
                placed = np.ascontiguousarray(self._kept_[P.argmax(axis=1)])
                rows(
                    sne.place,
                    new.size,
                    P,
                    self._weight_,
                    self._kept_,
                    self.kernel == "gaussian",
                    float(self.dof),
                    200,
                    placed,
                )
            out[new] = placed
        return out
