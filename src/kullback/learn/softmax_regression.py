"""`SoftmaxRegression`: the linear model of cross-entropy, for labels or for distributions over the classes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, check_is_fitted, validate_data

from kullback.learn._base import Learner, Track, whole
from kullback.learn._checks import choice, distributions, number
from kullback.learn._softmax_solvers import Problem, minimise
from kullback.learn._targets import against, targets
from kullback.result.contributions import Contributions

Floats = NDArray[np.float64]


class SoftmaxRegression(ClassifierMixin, Learner):  # type: ignore[misc]  # scikit-learn has no types
    """Minimise E CE(y, softmax(Wx + b)) + alpha/2 ‖W‖² over W and b: multinomial logistic regression.

    y holds labels, or per row a distribution over the classes (raters, a teacher, label smoothing). Less the entropy
    of y, which nobody can remove, the cross-entropy is E KL(y‖softmax(Wx + b)).

    Parameters
    ----------
    alpha : float, default 1e-4
        Weight of the penalty, for a mean loss: scikit-learn's ``C`` is ``1 / (alpha * n)``.
    fit_intercept : bool, default True
    prior : None, array of shape (n_classes,), or fitted classifier
        Pull towards this model instead of towards W = 0: the penalty becomes alpha · E KL(prior‖softmax).
    class_weight : None, "balanced" or dict
    solver : {"auto", "lbfgs", "newton-cg"}
        L-BFGS in whitened features, or Newton with conjugate gradients; auto: the first for larger dense data.
    tol : float, default 1e-7
        Converged when the estimated distance to the optimum is below this share of the objective.
    max_iter, n_jobs, verbose
        As in scikit-learn; `n_jobs` threads evaluate the softmax.

    Attributes
    ----------
    coef_ : ndarray of shape (n_classes, n_features)
    intercept_, classes_ : ndarray of shape (n_classes,)
    entropy_floor_ : float
        Mean entropy of y: the cross-entropy cannot be less.
    cross_entropy_ : float
        Mean cross-entropy of the training data.
    objective_, objective_path_, n_iter_, converged_
        The objective in nats per unit of weight.

    Notes
    -----
    The Hessian is bounded by ½(I − 11ᵀ/K) ⊗ XᵀX (Böhning 1992, doi:10.1007/BF00048682), which preconditions both
    solvers. Two-dimensional y always means distributions, in the order of their columns; a data frame's column names
    become `classes_`.

    Examples
    --------
    >>> import numpy as np
    >>> from kullback.learn import SoftmaxRegression
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> raters = np.array([[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]])
    >>> SoftmaxRegression().fit(X, raters).predict([[0.2], [2.9]]).tolist()
    [0, 1]
    """

    def __init__(
        self,
        alpha: float = 1e-4,
        *,
        fit_intercept: bool = True,
        prior: Any = None,
        class_weight: Any = None,
        solver: Literal["auto", "lbfgs", "newton-cg"] = "auto",
        tol: float = 1e-7,
        max_iter: int = 500,
        n_jobs: int | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.prior = prior
        self.class_weight = class_weight
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @whole
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SoftmaxRegression:
        """Fit W and b. X is (n, d), dense or sparse; y is (n,) labels or (n, K) distributions, dense or sparse."""
        from kullback.learn._numba.jit import Rows, threads

        number("alpha", self.alpha)
        choice("solver", self.solver, ("auto", "lbfgs", "newton-cg"))
        number("tol", self.tol)
        number("max_iter", self.max_iter, low=1, integer=True)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32])
        T, classes, soft = targets(y)
        check_consistent_length(X, T)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        total = weight.sum()
        if total <= 0:
            raise ValueError("All sample weights are zero: there is nothing to fit.")
        if not soft and np.count_nonzero(weight @ T) < 2:
            raise ValueError("Only one class has positive sample weight; a classifier needs at least 2 classes.")
        prior = self._prior(X, classes)
        mixed = T if prior is None else T + self.alpha * prior
        joint = mixed * self._class_weights(classes, T, weight) * weight[:, None]
        track = Track(self, self.max_iter, X=X, y=y, weight=sample_weight)
        with Rows(threads(self.n_jobs)) as rows:
            ridge = self.alpha if prior is None else 0.0
            problem = Problem(X, joint, total, ridge=ridge, intercept=self.fit_intercept, rows=rows)
            solver = self.solver
            if solver == "auto":
                solver = "lbfgs" if problem.can_whiten and not problem.small else "newton-cg"

            def learned(W: Floats, b: Floats) -> dict[str, Any]:
                return {"coef_": W.T.copy(), "intercept_": b.copy(), "classes_": classes}

            W, b, n_iter, converged = minimise(problem, solver, self.tol, self.max_iter, track, learned)
            track.done()
            value = problem.value(W, b)
        share = weight / total
        # What the prior's cross-entropy must cost is no part of its KL.
        constant = 0.0 if prior is None else self.alpha * float(share @ _entropies(np.broadcast_to(prior, T.shape)))
        self.classes_ = classes
        self.coef_ = np.ascontiguousarray(W.T).astype(X.dtype, copy=False)
        self.intercept_ = b.astype(X.dtype, copy=False)
        self.entropy_floor_ = float(share @ _entropies(T))
        self.cross_entropy_ = float(share @ -(T * self._log_softmax(X)).sum(axis=1))
        self.objective_ = float(value - constant)
        self.objective_path_ = np.array([*(v - constant for v in track.path), self.objective_])
        self.n_iter_ = max(n_iter, 1)
        self.converged_ = converged
        return self

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Logits (n, K); with two classes their difference (n,), as scikit-learn has it."""
        Z = self._logits(X)
        return Z[:, 1] - Z[:, 0] if self.classes_.size == 2 else Z

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Log-probabilities (n, K) in nats."""
        check_is_fitted(self)
        return self._log_softmax(
            validate_data(self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32])
        )

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probabilities (n, K)."""
        return np.asarray(np.exp(self.predict_log_proba(X)))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class."""
        Z = self._logits(X)
        return np.asarray(self.classes_[Z.argmax(axis=1)])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """P(a label drawn from y equals the prediction): for labels the accuracy. For cross-entropy use the scorers."""
        code = self._logits(X).argmax(axis=1)
        right = against(y, self.classes_)[np.arange(code.size), code]
        return float(np.average(right, weights=sample_weight))

    def explain(self, X: Any, y: Any, sample_weight: Any = None) -> Contributions:
        """The objective on (X, y), split over samples and over classes: parts plus the penalty add up to it."""
        L = np.asarray(self.predict_log_proba(X), dtype=np.float64)
        T = against(y, self.classes_)
        check_consistent_length(L, T)
        weight = _check_sample_weight(sample_weight, L, dtype=np.float64)
        share = weight / weight.sum()
        terms = np.where(T > 0, -T * L, 0.0) * self._class_weights(self.classes_, T, weight) * share[:, None]
        prior = self._prior(X, self.classes_)
        if prior is None:
            penalty = 0.5 * self.alpha * float((self.coef_.astype(np.float64) ** 2).sum())
        else:
            full = np.broadcast_to(prior, L.shape)
            penalty = self.alpha * float(share @ (-(full * L).sum(axis=1) - _entropies(full)))
        value = float(terms.sum()) + penalty
        labels = {"class": [str(c) for c in self.classes_]}
        return Contributions(
            "E CE(y, softmax(Wx+b)) + penalty",
            value,
            {"sample": terms.sum(axis=1), "class": terms.sum(axis=0)},
            penalty,
            labels,
        )

    def _logits(self, X: Any) -> NDArray[Any]:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32])
        return np.asarray(X @ self.coef_.T + self.intercept_)

    def _log_softmax(self, X: Any) -> NDArray[Any]:
        Z = np.asarray(X @ self.coef_.T + self.intercept_)
        Z = Z - Z.max(axis=1, keepdims=True)
        return np.asarray(Z - np.log(np.exp(Z).sum(axis=1, keepdims=True)))

    def _class_weights(self, classes: NDArray[Any], T: Floats, weight: Floats) -> Floats:
        if self.class_weight is None:
            return np.ones(classes.size)
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            mass = weight @ T
            return np.asarray(mass.sum() / (classes.size * np.where(mass > 0, mass, 1.0)))
        return np.asarray(compute_class_weight(self.class_weight, classes=classes, y=classes), dtype=np.float64)

    def _prior(self, X: Any, classes: NDArray[Any]) -> Floats | None:
        if self.prior is None:
            return None
        if not hasattr(self.prior, "predict_proba"):
            prior = distributions(np.atleast_2d(np.asarray(self.prior, dtype=np.float64)), "prior")
            if prior.shape != (1, classes.size):
                raise ValueError(f"prior has shape {np.shape(self.prior)}; expected ({classes.size},), one per class.")
            return prior
        known = list(self.prior.classes_)
        missing = [c for c in classes if c not in known]
        if missing or len(known) != classes.size:
            raise ValueError(f"prior knows the classes {known}; expected exactly {list(classes)}.")
        P = np.asarray(self.prior.predict_proba(X), dtype=np.float64)
        return distributions(P[:, [known.index(c) for c in classes]], "prior")


def _entropies(T: Floats) -> Floats:
    return np.asarray(-(T * np.log(np.where(T > 0, T, 1.0))).sum(axis=1))
