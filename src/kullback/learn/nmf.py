"""`KLNMF`: non-negative factors of a matrix of counts, min D(V‖WH); with rows normalised, pLSA topics."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from kullback.learn._base import Learner, Track, whole
from kullback.learn._checks import choice, no_empty_rows, non_negative, number, row_sums
from kullback.learn._counts import Counts, flat, lower, read, scaled_by
from kullback.learn._topics import first_topics
from kullback.result.contributions import Contributions

# Doubled EM steps are the fastest way down until a round (two of them for W and for H) gains less than this share.
_SLOW, _FAST_ROUNDS = 2e-3, 20

Floats = NDArray[np.float64]


class KLNMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Learner):  # type: ignore[misc]  # scikit-learn: no types
    """Minimise the generalised KL divergence D(V‖WH) = Σ v log(v/(WH)) − v + WH over W, H ≥ 0.

    That is the Poisson cross-entropy of counts V under the rates WH, less what it must cost. Normalised, the rows of H
    are topics and the rows of W say how much of each a document holds: probabilistic latent semantic analysis.
    Solved by multiplicative updates of twice their length while those are fast, then by Newton steps one coordinate at
    a time, which reach a given divergence in a fraction of the time of plain multiplicative updates.

    Parameters
    ----------
    n_components : int, default 10
    alpha_W, alpha_H : float, default 0
        Weights of the penalties Σ W and Σ H (nats per unit).
    missing : {"nan", "zeros"}, default "nan"
        What was not observed and costs nothing: NaN entries, or every zero (ratings).
    init : "random" or ndarray of shape (n_components, n_features)
        Start of H: "random" shakes topics that lie between the whole data and three rows each, and lowers them on
        parts of the data first. W always starts from H alone, so that equal rows get equal factors.
    inner : int, default 3
        Newton sweeps over a row before the next row.
    tol : float, default 1e-3
        Converged when one round moves less than this share of the mass.
    max_iter : int, default 200
    n_jobs : int or None
        Threads.
    random_state, verbose
        As in scikit-learn.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
    topic_word_ : ndarray of shape (n_components, n_features)
        `components_` as distributions.
    reconstruction_kl_ : float
        D(V‖WH) of the training data in nats, weighted.
    objective_, objective_path_ : float, ndarray
        D plus penalties per unit of sample weight; the path holds the value at the start of each round, then the last.
    n_iter_, converged_ : int, bool

    Notes
    -----
    Lee & Seung 1999; Hsieh & Dhillon 2011, doi:10.1145/2020408.2020577; Hien & Gillis 2021,
    doi:10.1007/s10915-021-01504-0. `sample_weight` 2 is the same as the row given twice.

    Examples
    --------
    >>> import numpy as np
    >>> from kullback.learn import KLNMF
    >>> V = np.array([[4, 2, 0], [8, 4, 0], [0, 1, 5]])
    >>> model = KLNMF(2, random_state=0, tol=1e-8).fit(V)
    >>> round(abs(model.reconstruction_kl_), 6)
    0.0
    """

    def __init__(
        self,
        n_components: int = 10,
        *,
        alpha_W: float = 0.0,
        alpha_H: float = 0.0,
        missing: Literal["nan", "zeros"] = "nan",
        init: str | NDArray[np.float64] = "random",
        inner: int = 3,
        tol: float = 1e-3,
        max_iter: int = 200,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self.n_components = n_components
        self.alpha_W = alpha_W
        self.alpha_H = alpha_H
        self.missing = missing
        self.init = init
        self.inner = inner
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.input_tags.allow_nan = self.missing == "nan"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return int(self.components_.shape[0])

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> KLNMF:  # noqa: ARG002  scikit-learn's signature
        """Find H. X is (n, d), dense or sparse, ≥ 0; NaN marks what was not observed."""
        self._fit(X, sample_weight)
        return self

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> NDArray[Any]:  # noqa: ARG002  scikit-learn's signature
        """Find H and return W, the same as `fit(X).transform(X)`."""
        return self._fit(X, sample_weight)

    @whole
    def _fit(self, X: Any, sample_weight: Any) -> NDArray[Any]:
        from kullback.learn._numba.jit import Rows, threads

        self._check_parameters()
        counts = self._door(X, reset=True, needed=True)
        V = counts.rows
        n, d = V.shape
        weight = _check_sample_weight(sample_weight, V, dtype=np.float64, ensure_non_negative=True)
        # w D(v‖u) = D(wv‖wu): a weighted row is a longer row; its factors are divided by w at the end.
        scaled = scaled_by(counts, weight)
        total = float(weight.sum())
        change, objective, moved = np.inf, np.empty(n), np.zeros(max(n, d))
        mass = max(float(scaled.rows.data.sum()), 1e-300)
        track = Track(self, self.max_iter, X=X, weight=sample_weight)

        with Rows(threads(self.n_jobs)) as rows:
            H = self._start(rows, counts, weight)
            W = flat(scaled, H)

            def learned() -> dict[str, Any]:
                return {"components_": H.T.copy()}

            fast, doubled, last, before = True, 1, np.inf, (W, H)
            while len(track.path) < self.max_iter:
                sweeps = 0 if fast else self.inner
                now = (W.copy(), H.copy()) if doubled else before
                ahead = doubled if track.path else 3 * doubled  # W is flat at first
                lower(rows, scaled, 0, W, H, self.alpha_W, ahead, sweeps, 1e-2, objective, moved)
                value = objective.sum() + self.alpha_H * now[1].sum()
                if doubled and value > last:  # a doubled step went too far: take it back, and go on without them
                    (W, H), fast, doubled = before, False, 0
                    continue
                change = moved[:n].sum()
                lower(rows, scaled, 1, H, W, self.alpha_H, doubled, sweeps, 1e-2, None, moved)
                change = (change + moved[:d].sum()) / (2 * mass)
                if fast:  # what these steps move says little about how far there is to go
                    change = np.inf
                    lower(rows, scaled, 0, W, H, self.alpha_W, 1, 0, 0.0, None, moved)
                    lower(rows, scaled, 1, H, W, self.alpha_H, 1, 0, 0.0, None, moved)
                fast = fast and last - value > _SLOW * value and len(track.path) < _FAST_ROUNDS
                last, before = value, now
                if track(value / total, learned) or change <= self.tol:
                    break
            track.done()
            factors, per_row, self.objective_ = self._measure(rows, counts, weight, H)
            if doubled and self.objective_ * total > last:
                H = before[1]
                factors, per_row, self.objective_ = self._measure(rows, counts, weight, H)
        self.components_ = np.ascontiguousarray(H.T).astype(self._dtype_, copy=False)
        self.reconstruction_kl_ = float(per_row[weight > 0] @ weight[weight > 0])
        self.objective_path_ = np.array([*track.path, self.objective_])
        self.n_iter_ = len(track.path)
        self.converged_ = bool(change <= self.tol)
        self._sum_of_weights_ = total
        return factors.astype(self._dtype_, copy=False)

    @property
    def topic_word_(self) -> NDArray[np.float64]:
        """The components as distributions over the features."""
        check_is_fitted(self)
        mass = self.components_.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(self.components_, mass, out=np.zeros_like(self.components_), where=mass > 0))

    def transform(self, X: Any) -> NDArray[Any]:
        """W that minimises D(X‖WH) for the fitted H: a convex problem a row, solved to convergence."""
        from kullback.learn._numba.jit import Rows, threads

        check_is_fitted(self)
        counts = self._door(X, reset=False)
        with Rows(threads(self.n_jobs)) as rows:
            return self._factors(rows, counts, self._columns()).astype(self._dtype_, copy=False)

    def inverse_transform(self, W: ArrayLike) -> NDArray[Any]:
        """The rates WH."""
        check_is_fitted(self)
        return np.asarray(np.asarray(W) @ self.components_)

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002  scikit-learn's signature
        """−D(X‖WH) per unit of mass with W fitted to X: larger is better. Not a held-out score in W; see below."""
        per_row, _, mass = self._explain(X)
        return -float(per_row.sum()) / mass

    def completion_cross_entropy(self, seen: Any, held_out: Any, *, smoothing: float = 0.0) -> float:
        """Cross-entropy in nats per count of `held_out` under the topics that `seen` counts of the same rows imply.

        Document completion, the honest held-out score of a topic model. A held-out word that the mixture gives no
        probability costs inf; `smoothing` mixes in that share of the training data's overall word frequencies.
        """
        number("smoothing", smoothing, high=1.0)
        W = np.asarray(self.transform(seen), dtype=np.float64)
        target = self._door(held_out, reset=False).rows
        if target.shape[0] != W.shape[0]:
            raise ValueError(f"seen has {W.shape[0]} rows and held_out {target.shape[0]}; expected the same documents.")
        H = self._columns().T
        rates = W * H.sum(axis=1)
        mixture = np.divide(
            rates,
            rates.sum(axis=1, keepdims=True),
            out=np.full_like(W, 1 / W.shape[1]),
            where=rates.sum(axis=1, keepdims=True) > 0,
        )
        topics = np.asarray(self.topic_word_, dtype=np.float64)
        entries = target.tocoo()
        probability = np.einsum("pk,pk->p", mixture[entries.row], topics.T[entries.col])
        probability = (1 - smoothing) * probability + smoothing * self.feature_mass_[entries.col]
        with np.errstate(divide="ignore"):
            return float(-(entries.data @ np.log(probability)) / entries.data.sum())

    def explain(self, X: Any) -> Contributions:
        """D(X‖WH) in nats split over samples and over features (unweighted, without penalties)."""
        per_row, per_column, _ = self._explain(X)
        labels = (
            {"feature": [str(name) for name in self.feature_names_in_]} if hasattr(self, "feature_names_in_") else {}
        )
        return Contributions("D(V‖WH)", float(per_row.sum()), {"sample": per_row, "feature": per_column}, labels=labels)

    def _explain(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        W = np.asarray(self.transform(X), dtype=np.float64)
        counts = self._door(X, reset=False)
        return *self._divergence(counts, W, self._columns()), float(counts.rows.data.sum())

    def _check_parameters(self) -> None:
        number("n_components", self.n_components, low=1, integer=True)
        number("alpha_W", self.alpha_W)
        number("alpha_H", self.alpha_H)
        choice("missing", self.missing, ("nan", "zeros"))
        number("inner", self.inner, low=1, integer=True)
        number("max_iter", self.max_iter, low=1, integer=True)
        number("tol", self.tol)

    def _columns(self) -> NDArray[np.float64]:
        return np.ascontiguousarray(self.components_.T, dtype=np.float64)

    def _door(self, X: Any, *, reset: bool, needed: bool = False) -> Counts:
        nan = self.missing == "nan"
        X = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if nan else True,
        )
        values = X.data if sp.issparse(X) else X
        if np.isinf(values).any():
            raise ValueError("X contains infinity. Counts are finite; mark what was not observed as NaN.")
        non_negative(X, "KLNMF")
        # 32-bit numbers lie within these bounds, and comparing them with 1e150 would overflow.
        if values.dtype == np.float64 and ((values > 1e150).any() or ((values > 0) & (values < 1e-150)).any()):
            raise ValueError(
                "X holds numbers above 1e150 or positive ones below 1e-150. Multiply X by a constant first."
            )
        if reset:
            self._dtype_ = X.dtype.name
        counts = read(X, self.missing)
        if needed and counts.rows.nnz == 0:
            no_empty_rows(row_sums(counts.rows), "KLNMF")
        return counts

    def _start(self, rows: Any, counts: Counts, weight: Floats) -> Floats:
        k, d, mass = self.n_components, counts.rows.shape[1], np.asarray(counts.rows.T @ weight, np.float64).ravel()
        self.feature_mass_ = mass / max(mass.sum(), 1e-300)
        if isinstance(self.init, str):
            choice("init", self.init, ("random",))
            random = check_random_state(self.random_state)
            return first_topics(rows, counts, weight, self.feature_mass_, k, random)
        H = np.array(self.init, dtype=np.float64)
        if H.shape != (k, d) or not np.isfinite(H).all() or (H < 0).any():
            raise ValueError(f"init must be ({k}, {d}), finite and ≥ 0; got shape {H.shape}.")
        if not (H.sum(axis=0) > 0)[mass > 0].all():
            column = int(np.flatnonzero((H.sum(axis=0) <= 0) & (mass > 0))[0])
            raise ValueError(
                f"Column {column} of init is all zeros but X has counts there, so that WH could never reach them. "
                "Give every such column a positive entry."
            )
        return np.ascontiguousarray(H.T)

    def _measure(self, rows: Any, counts: Counts, weight: Floats, H: Floats) -> tuple[Floats, Floats, float]:
        """W for this H, D of each row, and the objective."""
        W = self._factors(rows, counts, H)
        per_row = self._divergence(counts, W, H)[0]
        penalty = self.alpha_W * float(weight @ W.sum(axis=1)) + self.alpha_H * float(H.sum())
        used = weight > 0  # a row without weight may be beyond reach
        return W, per_row, (float(per_row[used] @ weight[used]) + penalty) / float(weight.sum())

    def _factors(self, rows: Any, counts: Counts, H: NDArray[np.float64]) -> NDArray[np.float64]:
        W = flat(counts, H)
        lower(rows, counts, 0, W, H, self.alpha_W, 4, 1000, 1e-8, None, np.empty(len(W)))
        return W

    @staticmethod
    def _divergence(
        counts: Counts, W: NDArray[np.float64], H: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        from kullback.learn._numba import nmf, nmf_divergence

        per_row, per_column = np.zeros(W.shape[0]), np.zeros(H.shape[0])
        visited = nmf_divergence.divergence(*counts.pointers(0), W, H, H.sum(axis=0), per_row, per_column)
        if counts.mode != nmf.ONLY_STORED:  # the zeros that were not visited one by one
            whole_mass = H @ W.sum(axis=0)
            rest = whole_mass - visited
            per_column += np.where(rest > 1e-12 * whole_mass, rest, 0.0)
        return per_row, per_column
