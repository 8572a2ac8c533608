"""`SoftTarget` and `Distilled`: soft labels and distillation for any classifier that takes `sample_weight`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from kullback.learn._base import whole
from kullback.learn._checks import number, seeded
from kullback.learn._targets import against, is_soft, targets

Floats = NDArray[np.float64]


class _OverClasses(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn: no types
    """Predicting with an inner classifier that may have seen fewer classes."""

    _inner: str

    def predict_proba(self, X: Any) -> Floats:
        """Probabilities (n, K) in the order of `classes_`."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse=True, dtype=None, ensure_all_finite=False)
        inner = getattr(self, self._inner)
        P = np.zeros((X.shape[0], self.classes_.size))
        P[:, np.asarray(inner.classes_)] = inner.predict_proba(X)
        return P

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class."""
        check_is_fitted(self)
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """P(a label drawn from y equals the prediction): for labels the accuracy."""
        code = self.predict_proba(X).argmax(axis=1)
        right = against(y, self.classes_)[np.arange(code.size), code]
        return float(np.average(right, weights=sample_weight))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, self._inner)


class SoftTarget(_OverClasses):
    """Minimise Σ_i Σ_k y_ik L(k, f(x_i)): the expected loss of any classifier under soft labels.

    Each row is given to the inner classifier once per class it may have, weighted by the probability of that class. For
    a classifier that minimises cross-entropy this is E CE(y, f(x)), exactly.

    Parameters
    ----------
    estimator : classifier whose fit takes `sample_weight`
    top : int or None
        Keep the `top` most probable classes of a row (their masses rescaled to 1): fewer rows.
    draws : int or None
        Instead, draw this many labels a row from its distribution.
    random_state
        For the draws, and for `estimator` where it has no seed of its own.

    Attributes
    ----------
    estimator_ : the fitted classifier, over class numbers
    classes_ : ndarray of shape (n_classes,)

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from kullback.learn import SoftTarget
    >>> raters = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
    >>> model = SoftTarget(DecisionTreeClassifier(criterion="log_loss", max_depth=1)).fit([[0], [1], [5]], raters)
    >>> model.predict_proba([[0.5]]).round(2).tolist()
    [[0.85, 0.15]]
    """

    _inner = "estimator_"

    def __init__(
        self, estimator: Any, *, top: int | None = None, draws: int | None = None, random_state: Any = None
    ) -> None:
        self.estimator = estimator
        self.top = top
        self.draws = draws
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """`sample_weight` is this estimator's own; it reaches the inner one multiplied into the expanded rows."""
        return (
            MetadataRouter(owner=type(self).__name__)
            .add_self_request(self)
            .add(estimator=self.estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        )

    @whole
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SoftTarget:
        """Fit on labels (n,) or distributions (n, K)."""
        if not has_fit_parameter(self.estimator, "sample_weight"):
            raise TypeError(
                f"{type(self.estimator).__name__}.fit takes no sample_weight, through which soft labels reach it. "
                "Use a classifier that does, or kullback.learn.SoftmaxRegression."
            )
        nan = get_tags(self.estimator).input_tags.allow_nan
        X = validate_data(self, X, accept_sparse="csr", dtype=None, ensure_all_finite="allow-nan" if nan else True)
        T, classes, _ = targets(y)
        check_consistent_length(X, T)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        row, label, mass = self._expand(T, weight)
        model = seeded(clone(self.estimator), self.random_state)
        model.fit(X[row], label, sample_weight=mass)
        self.estimator_, self.classes_ = model, classes
        return self

    def _expand(self, T: Floats, weight: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """(row, class, weight) of the hard-labelled rows that stand for the soft ones."""
        n, K = T.shape
        if self.draws is not None:
            number("draws", self.draws, low=1, integer=True)
            u = check_random_state(self.random_state).uniform(size=(n, self.draws))
            label = (u[:, :, None] > np.cumsum(T, axis=1)[:, None, :]).sum(axis=2).clip(0, K - 1)
            return np.repeat(np.arange(n), self.draws), label.ravel(), np.repeat(weight / self.draws, self.draws)
        if self.top is not None:
            number("top", self.top, low=1, integer=True)
            cut = np.argsort(-T, axis=1, kind="stable")[:, self.top :]
            T = T.copy()
            np.put_along_axis(T, cut, 0.0, axis=1)
            T /= T.sum(axis=1, keepdims=True)
        row, label = np.nonzero(T * (weight[:, None] > 0))
        return row, label, T[row, label] * weight[row]


class Distilled(_OverClasses):
    """Minimise mix · T² KL(teacher_T‖student) + (1 − mix) · CE(y, student): a student taught by a teacher's doubts.

    teacher_T is the teacher's distribution at temperature T, softmax(log p / T). A student that takes soft labels
    (`SoftmaxRegression`) gets them; any other gets them through `SoftTarget`. The student itself is not tempered.

    Parameters
    ----------
    student : classifier
    teacher : classifier with predict_proba, fitted or not
        If it is not fitted, `fit` fits it on the same data (on distributions through `SoftTarget`).
    temperature : float, default 1
    mix : float in [0, 1], default 1
        Share of the teacher; the rest is y.

    Attributes
    ----------
    student_, teacher_, classes_
    agreement_ : float
        Share of training rows on which both predict the same class.
    kl_to_teacher_ : float
        Mean KL(teacher‖student) on the training rows, in nats.

    Notes
    -----
    Hinton, Vinyals & Dean 2015, arXiv:1503.02531.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from kullback.learn import Distilled
    >>> X, y = load_iris(return_X_y=True)
    >>> teacher = RandomForestClassifier(50, random_state=0).fit(X, y)
    >>> model = Distilled(DecisionTreeClassifier(criterion="log_loss", max_depth=3), teacher).fit(X, y)
    >>> model.agreement_ > 0.9
    True
    """

    _inner = "student_"

    def __init__(self, student: Any, teacher: Any, *, temperature: float = 1.0, mix: float = 1.0) -> None:
        self.student = student
        self.teacher = teacher
        self.temperature = temperature
        self.mix = mix

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        both = [get_tags(self.student), get_tags(self.teacher)]
        tags.input_tags.sparse = all(t.input_tags.sparse for t in both)
        tags.input_tags.allow_nan = all(t.input_tags.allow_nan for t in both)
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """`sample_weight` is this estimator's own."""
        return (
            MetadataRouter(owner=type(self).__name__)
            .add_self_request(self)
            .add(student=self.student, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        )

    @whole
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Distilled:
        """Fit the student (and the teacher, if it is not fitted yet). y holds labels or distributions."""
        from kullback.learn.softmax_regression import SoftmaxRegression

        number("temperature", self.temperature, above=True)
        number("mix", self.mix, high=1.0)
        nan = self.__sklearn_tags__().input_tags.allow_nan
        X = validate_data(self, X, accept_sparse="csr", dtype=None, ensure_all_finite="allow-nan" if nan else True)
        T, classes, soft = targets(y)
        check_consistent_length(X, T)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        teacher = self._taught(X, y if soft else classes[T.argmax(axis=1)], weight)
        P = self._beliefs(teacher, X, classes)
        with np.errstate(divide="ignore"):
            warm = np.exp((np.log(P) - np.log(P.max(axis=1, keepdims=True))) / self.temperature)
        warm /= warm.sum(axis=1, keepdims=True)
        # T² keeps the size of the gradient as T grows; a mixture of cross-entropies is one to the mixture.
        share = self.mix * self.temperature**2
        blend = share * warm + (1 - self.mix) * T
        blend /= share + (1 - self.mix)
        student = clone(self.student)
        takes_soft = isinstance(student, (SoftmaxRegression, SoftTarget))
        model = student if takes_soft else SoftTarget(student)
        model.fit(X, blend, sample_weight=weight)
        self.student_, self.teacher_, self.classes_ = model, teacher, classes
        Q = self.predict_proba(X)
        share_of = weight / weight.sum()
        from kullback.forms import Probs
        from kullback.measures.kl_divergence import kl_divergence

        Q /= Q.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):
            self.kl_to_teacher_ = float(share_of @ kl_divergence(Probs(P), Probs(Q)))
        self.agreement_ = float(share_of @ (P.argmax(axis=1) == Q.argmax(axis=1)))
        return self

    def _taught(self, X: Any, y: Any, weight: Floats) -> Any:
        from kullback.learn.softmax_regression import SoftmaxRegression

        try:
            check_is_fitted(self.teacher)
        except Exception:  # noqa: BLE001  not fitted: scikit-learn and its kin raise NotFittedError, others their own
            teacher = clone(self.teacher)
            if is_soft(y) and not isinstance(teacher, (SoftmaxRegression, _OverClasses)):
                teacher = SoftTarget(teacher)
            if has_fit_parameter(teacher, "sample_weight"):
                return teacher.fit(X, y, sample_weight=weight)
            return teacher.fit(X, y)
        return self.teacher

    @staticmethod
    def _beliefs(teacher: Any, X: Any, classes: NDArray[Any]) -> Floats:
        known = list(teacher.classes_)
        strange = [c for c in known if c not in set(classes.tolist())]
        if strange:
            raise ValueError(
                f"The teacher knows classes that y lacks: {strange}. Fit with y that has them, or another teacher."
            )
        P = np.zeros((X.shape[0], classes.size))
        P[:, [int(np.flatnonzero(classes == c)[0]) for c in known]] = teacher.predict_proba(X)
        return np.asarray(P / P.sum(axis=1, keepdims=True))
