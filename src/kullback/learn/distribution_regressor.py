"""`DistributionRegressor`: a whole distribution per row from any regressors, min E −log q(y|x)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import MetaEstimatorMixin, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, has_fit_parameter, validate_data

from kullback.learn._base import Learner, whole
from kullback.learn._checks import choice, number, seeded
from kullback.learn._shapes import SHAPES, Histogram, Normal
from kullback.learn.predictive import Predictive
from kullback.result.contributions import Contributions

Floats = NDArray[np.float64]

# The smallest variance a row may get, as a share of the variance of y.
_FLOOR = 1e-6


class DistributionRegressor(MetaEstimatorMixin, RegressorMixin, Learner):  # type: ignore[misc]  # scikit-learn: no types
    """Minimise E −log q(y|x), q of location-scale form: E KL(p(·|x)‖q(·|x)) plus what nobody can remove.

    Three projections, each given the last: the location by `mean`; the scale by `scale`, fitted to squared residuals
    of rows the location had not seen; the shape to standardised residuals of rows neither had seen. Out of fold, or the
    scale would believe the location's training error.

    Parameters
    ----------
    mean : regressor, default HistGradientBoostingRegressor
    scale : None, "constant" or regressor
        None: gradient boosting of the gamma deviance of squared residuals. Another regressor is fitted to their logs.
    shape : {"histogram", "normal", "laplace", "student"}
    cv : int or splitter, default 5
        A number deals the rows to that many folds by their content (equal rows share one), and each stage predicts by
        the mean of its folds' models. With a splitter (`TimeSeriesSplit`, say) the stages are fitted anew to all rows.
    bins : int, default 400
        Of the histogram shape.
    smoothing : "auto" or float
        Width of its Gaussian smoothing in standard residuals; auto maximises the leave-one-out likelihood.
    random_state

    Attributes
    ----------
    mean_, scale_ : fitted regressors (`scale_` is None for a constant scale)
        With a number as `cv` they hold `models_`, one a fold.
    shape_ : the distribution of standardised residuals
    edges_ : bin edges of the histogram shape, or None
    objective_ : float
        Mean −log q of the training rows, each by models that had not seen it.
    objective_path_ : ndarray of shape (3,)
        That with location alone, with the scale, with the shape.

    Examples
    --------
    >>> import numpy as np
    >>> from kullback.learn import DistributionRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(size=(400, 1))
    >>> y = X[:, 0] + (0.05 + X[:, 0]) * rng.normal(size=400)
    >>> q = DistributionRegressor(random_state=0).fit(X, y).predict_dist([[0.1], [0.9]])
    >>> bool(q.entropy()[0] < q.entropy()[1])
    True
    """

    def __init__(
        self,
        mean: Any = None,
        scale: Any = None,
        shape: Literal["histogram", "normal", "laplace", "student"] = "histogram",
        *,
        cv: Any = 5,
        bins: int = 400,
        smoothing: float | Literal["auto"] = "auto",
        random_state: Any = None,
    ) -> None:
        self.mean = mean
        self.scale = scale
        self.shape = shape
        self.cv = cv
        self.bins = bins
        self.smoothing = smoothing
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # `score` is a log-likelihood, not R²
        given: list[Any] = [self.mean, self.scale]
        both: list[Any] = [get_tags(model) for model in given if hasattr(model, "fit")]
        tags.input_tags.allow_nan = all(t.input_tags.allow_nan for t in both)
        tags.input_tags.sparse = bool(both) and len(both) == 2 and all(t.input_tags.sparse for t in both)
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """`sample_weight` goes to every stage."""
        return (
            MetadataRouter(owner=type(self).__name__)
            .add_self_request(self)
            .add(mean=self.mean, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        )

    @whole
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> DistributionRegressor:
        """Fit the three stages on X (n, d), y (n,)."""
        choice("shape", self.shape, tuple(SHAPES))
        number("bins", self.bins, low=2, integer=True)
        if self.smoothing != "auto":
            number("smoothing", self.smoothing, above=True)
        dealt = isinstance(self.cv, (int, np.integer))
        if dealt:
            number("cv", self.cv, low=2, integer=True)
        X, y = self._door(X, y)
        given = None
        if sample_weight is not None:
            given = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if given is not None and not (given > 0).all():
            if not given.sum() > 0:
                raise ValueError("All sample weights are zero: there is nothing to fit.")
            if dealt:  # a splitter counts the rows that it was given
                X, y, given = X[given > 0], y[given > 0], given[given > 0]
        weight = np.ones(len(y)) if given is None else given
        spread = float(np.cov(y, aweights=weight, ddof=0))
        least = max(_FLOOR * spread, 1e-300)
        splits = _deal(X, y, self.cv) if dealt else list(check_cv(self.cv).split(X, y))
        mean, scale = self._models()
        seed = check_random_state(self.random_state).randint(2**31 - 1)  # one for all folds: the same model each time
        seeded(mean, seed)
        location, seen, means = _out_of_fold(mean, X, y, given, splits)
        residual = y - location
        squares = np.maximum(residual**2, least)
        constant = np.full(len(y), max(float(np.average(squares[seen], weights=_some(weight, seen))), least))
        variance = constant
        if scale is not None:
            seeded(scale, seed)
            target = squares if self.scale is None else np.log(squares)
            variance, _, scales = _out_of_fold(scale, X, target, given, splits)
            variance = variance if self.scale is None else np.exp(variance)
            least = _floor(residual, variance, constant[0], seen, _some(weight, seen), least, self.shape)
            variance = np.maximum(variance, least)
        known, w = seen, _some(weight, seen)
        stages = []
        for v in (constant, variance):
            z = residual / np.sqrt(v)
            stages.append(_cost(Normal.fit(z[known], w), z, v, known, w))
        z = residual / np.sqrt(variance)
        if self.shape == "histogram":
            width = None if self.smoothing == "auto" else float(self.smoothing)
            shape: Any = Histogram.fit(z[known], w, self.bins, width)
        else:
            shape = SHAPES[self.shape].fit(z[known], w)
        stages.append(_cost(shape, z, variance, known, w))
        self.mean_ = Ensemble(means) if dealt else _fit(clone(mean), X, y, given)
        self.scale_ = None
        if scale is not None:
            self.scale_ = Ensemble(scales, logs=self.scale is None) if dealt else _fit(clone(scale), X, target, given)
        self._least_, self._constant_ = least, float(constant[0])
        self._normals_ = (Normal.fit(residual[known] / np.sqrt(constant[known]), w), Normal.fit(z[known], w))
        self.shape_ = shape
        self.edges_ = shape.edges if isinstance(shape, Histogram) else None
        self.objective_path_ = np.array(stages)
        self.objective_ = stages[-1]
        self.n_iter_, self.converged_ = 3, True
        return self

    def predict_dist(self, X: Any) -> Predictive:
        """The distribution of y for each row."""
        location, variance = self._location_and_variance(X)
        return Predictive(location, np.sqrt(variance), self.shape_)

    def predict(self, X: Any) -> Floats:
        """Mean of the distribution."""
        return self.predict_dist(X).mean()

    def predict_quantile(self, X: Any, u: ArrayLike) -> Floats:
        """Quantiles at the level u (n,) or levels u -> (n, m)."""
        u = np.asarray(u, dtype=np.float64)
        return self.predict_dist(X).ppf(u[None, :] if u.ndim == 1 else u)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Mean log-density of y: minus the cross-entropy, larger is better."""
        return float(np.average(self.predict_dist(X).logpdf(np.asarray(y, dtype=np.float64)), weights=sample_weight))

    def explain(self, X: Any, y: Any) -> Contributions:
        """Mean −log q(y|x) split over samples, and over stages: location alone, then what scale and shape changed."""
        location, variance = self._location_and_variance(X)
        y = np.asarray(y, dtype=np.float64)
        n = len(y)
        everywhere = np.full(n, self._constant_)
        costs = []
        for v, shape in ((everywhere, self._normals_[0]), (variance, self._normals_[1]), (variance, self.shape_)):
            costs.append(-shape.logpdf((y - location) / np.sqrt(v)) + 0.5 * np.log(v))
        means = [float(c.mean()) for c in costs]
        steps = np.array([means[0], means[1] - means[0], means[2] - means[1]])
        labels = {"stage": ["location", "scale", "shape"]}
        return Contributions("E −log q(y|x)", means[2], {"sample": costs[2] / n, "stage": steps}, labels=labels)

    def _models(self) -> tuple[Any, Any]:
        patient = {"early_stopping": True, "n_iter_no_change": 15}
        boost = HistGradientBoostingRegressor(learning_rate=0.08, max_iter=300, **patient)
        mean = boost if self.mean is None else clone(self.mean)
        if self.scale is None:
            return mean, HistGradientBoostingRegressor(loss="gamma", learning_rate=0.05, max_iter=150, **patient)
        if isinstance(self.scale, str):
            choice("scale", self.scale, ("constant",))
            return mean, None
        return mean, clone(self.scale)

    def _door(self, X: Any, y: Any) -> tuple[Any, Floats]:
        nan = self.__sklearn_tags__().input_tags.allow_nan
        X, y = validate_data(
            self,
            X,
            y,
            y_numeric=True,
            accept_sparse="csr" if self.__sklearn_tags__().input_tags.sparse else False,
            ensure_all_finite="allow-nan" if nan else True,
            ensure_min_samples=4,
        )
        return X, np.asarray(y, dtype=np.float64)

    def _location_and_variance(self, X: Any) -> tuple[Floats, Floats]:
        check_is_fitted(self)
        tags = self.__sklearn_tags__().input_tags
        X = validate_data(
            self,
            X,
            reset=False,
            accept_sparse="csr" if tags.sparse else False,
            ensure_all_finite="allow-nan" if tags.allow_nan else True,
        )
        location = np.asarray(self.mean_.predict(X), dtype=np.float64)
        if self.scale_ is None:
            return location, np.full(len(location), self._constant_)
        variance = np.asarray(self.scale_.predict(X), dtype=np.float64)
        return location, np.maximum(variance if self.scale is None else np.exp(variance), self._least_)


class Ensemble:
    """The mean of several fitted regressors' predictions, or (`logs`) of their logarithms."""

    def __init__(self, models: list[Any], *, logs: bool = False) -> None:
        self.models_, self.logs_ = models, logs

    def predict(self, X: Any) -> Floats:
        """Prediction for each row, shape (n,)."""
        each = np.stack([np.asarray(model.predict(X), dtype=np.float64) for model in self.models_])
        return np.asarray(np.exp(np.log(each).mean(axis=0)) if self.logs_ else each.mean(axis=0))


def _floor(
    residual: Floats,
    variance: Floats,
    constant: float,
    seen: NDArray[np.bool_],
    weight: Floats,
    least: float,
    shape: str,
) -> float:
    """The smallest variance to believe: of some shares of the constant one, that of the least cross-entropy.

    Judged by a normal shape only where that is the one asked for: a few outliers would make it choose too wide a floor.
    """
    candidates = np.r_[least, constant * np.geomspace(1e-4, 1.0, 13)]
    costs = []
    for low in candidates:
        v = np.maximum(variance, low)
        z = (residual / np.sqrt(v))[seen]
        law: Any = Normal.fit(z, weight) if shape == "normal" else Histogram.fit(z, weight, bins=100, smoothing=0.15)
        costs.append(_cost(law, residual / np.sqrt(v), v, seen, weight))
    return max(float(candidates[int(np.argmin(costs))]), least)


def _cost(shape: Any, z: Floats, variance: Floats, known: NDArray[np.bool_], weight: Floats) -> float:
    return float(np.average((-shape.logpdf(z) + 0.5 * np.log(variance))[known], weights=weight))


def _some(weight: Floats, rows: NDArray[np.bool_]) -> Floats:
    return weight[rows] if weight[rows].sum() > 0 else np.ones(int(rows.sum()))


def _fit(model: Any, X: Any, y: Floats, weight: Floats | None) -> Any:
    if weight is None:
        return model.fit(X, y)
    if not has_fit_parameter(model, "sample_weight"):
        raise TypeError(
            f"{type(model).__name__}.fit takes no sample_weight; leave it out or use a regressor that does."
        )
    return model.fit(X, y, sample_weight=weight)


def _deal(X: Any, y: Floats, folds: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(training rows, test rows) of each fold: equal rows together, in an order that depends on content alone."""
    table: Any = (
        sp.csr_matrix(X) if sp.issparse(X) else np.nan_to_num(np.asarray(X, dtype=np.float64), nan=-0.123456789)
    )
    direction = np.random.default_rng(20010909).standard_normal(table.shape[1] + 1)
    # Row by row, not by a matrix product, whose sums may run in another order for another row.
    products = (
        table.multiply(direction[:-1]).sum(axis=1) if sp.issparse(table) else (table * direction[:-1]).sum(axis=1)
    )
    key = np.asarray(products, dtype=np.float64).ravel() + direction[-1] * y
    distinct, place = np.unique(key, return_inverse=True)
    if distinct.size < 2:
        raise ValueError(f"All {len(y)} rows and their y are the same: there is nothing to learn a distribution from.")
    fold = (np.random.RandomState(20010909).permutation(distinct.size) % folds)[place]
    splits = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(folds)]
    return [(train, test) for train, test in splits if len(train) and len(test)]


def _out_of_fold(
    model: Any, X: Any, y: Floats, weight: Floats | None, splits: Any
) -> tuple[Floats, NDArray[np.bool_], list[Any]]:
    """Predictions of each row by a model that did not see it, which rows have one, and the models."""
    out, seen, models = np.zeros(len(y)), np.zeros(len(y), dtype=bool), []
    for train, test in splits:
        fitted = _fit(clone(model), X[train], y[train], None if weight is None else weight[train])
        out[test], seen[test] = fitted.predict(X[test]), True
        models.append(fitted)
    return out, seen, models
