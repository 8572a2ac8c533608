"""`DistributionRegressor`: a whole distribution per row from any regressors, min E −log q(y|x)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import MetaEstimatorMixin, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from kullback.learn._base import Learner, whole
from kullback.learn._checks import choice, number, seeded
from kullback.learn._folds import Ensemble, deal, fitted, out_of_fold
from kullback.learn._power import ROOTS, Power, edge
from kullback.learn._shapes import SHAPES, Histogram, Normal
from kullback.learn._spread import FLOOR, even, floor, size, some
from kullback.learn.predictive import Predictive
from kullback.result.contributions import Contributions

Floats = NDArray[np.float64]

# Fewer rows than these say too little about the power of y; and what a root must gain, in nats, to be believed.
_FEW, _GAIN = 100, 0.02
# From so many rows on the location learns fast and with few rows a leaf: too much for one model, right for the mean of
# several. Fewer rows would let it learn noise.
_MANY = 2000


class DistributionRegressor(MetaEstimatorMixin, RegressorMixin, Learner):  # type: ignore[misc]  # scikit-learn: no types
    """Minimise E −log q(y|x), q of location-scale form: E KL(p(·|x)‖q(·|x)) plus what nobody can remove.

    Three projections, each given the last: the location by `mean`; the scale by `scale`, fitted to absolute residuals
    of rows the location had not seen; the shape to standardised residuals of rows neither had seen. Out of fold, or the
    scale would believe the location's training error. Of a y that is positive, a root may take the place of y.

    Parameters
    ----------
    mean : regressor, default HistGradientBoostingRegressor
        Boosting with `early_stopping=True` stops by the fold held out, where scikit-learn (1.7 or later) lets it. The
        default is faster and has smaller leaves from 2,000 rows on.
    scale : None, "constant" or regressor
        None: gradient boosting of the gamma deviance of absolute residuals, which is the KL projection of a Laplace
        shape. Another regressor is fitted to their logs.
    shape : {"histogram", "normal", "laplace", "student"}
    cv : int or splitter, default 5
        A number deals the rows to that many folds by their content (equal rows share one), and each stage predicts by
        the mean of its folds' models. With a splitter (`TimeSeriesSplit`, say) the stages are fitted anew to all rows.
    bins : int, default 400
        Of the histogram shape.
    smoothing : "auto" or float
        Width of its Gaussian smoothing in standard residuals; auto maximises the leave-one-out likelihood.
    support : {"auto", "real", "positive"}
        Positive: y > 0, or counts 0, 1, 2, …, on (−½, ∞); the square, cube or fourth root of y has the location-scale
        form, cut off at the edge and normalised again. Auto: so, if y allows it and a root has the lower cross-entropy
        on rows held out. Then a y beyond the edge is impossible, its log-density −∞.
    random_state

    Attributes
    ----------
    mean_, scale_ : fitted regressors (`scale_` is None for a constant scale)
        With a number as `cv` they hold `models_`, one a fold.
    shape_ : the distribution of standardised residuals
    power_, lower_ : float
        (y − lower)^power has the location-scale form; 1 and −∞ if that is y itself.
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
        support: Literal["auto", "real", "positive"] = "auto",
        random_state: Any = None,
    ) -> None:
        self.mean = mean
        self.scale = scale
        self.shape = shape
        self.cv = cv
        self.bins = bins
        self.smoothing = smoothing
        self.support = support
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
        choice("support", self.support, ("auto", "real", "positive"))
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
        if np.ptp(y[weight > 0]) == 0:
            raise ValueError(
                f"y is {y[0]:g} in all {len(y)} rows: its distribution is one point, which has no density. Leave the "
                "estimator out there, or give rows whose y differ."
            )
        splits = deal(X, y, int(self.cv)) if dealt else list(check_cv(self.cv).split(X, y))
        mean, scale = self._models(len(y))
        seed = check_random_state(self.random_state).randint(2**31 - 1)  # one for all folds: the same model each time
        seeded(mean, seed)
        power = self._power(mean, X, y, given, splits)
        t = power.forward(y)
        location, seen, means = out_of_fold(mean, X, t, given, splits)
        location = np.maximum(location, power.least)
        residual = np.where(seen, t - location, 0.0)
        least = max(FLOOR * float(np.sqrt(np.cov(t, aweights=weight, ddof=0))), 1e-150)
        sizes = np.maximum(np.abs(residual), least)
        constant = np.full(len(t), max(size(residual[seen], some(weight, seen)), least))
        width, target = constant, sizes if self.scale is None else np.log(sizes)
        if scale is not None:
            seeded(scale, seed)
            judged = np.flatnonzero(seen)  # only these have a residual to learn from
            later = [(np.intersect1d(train, judged), test) for train, test in splits]
            later = [(train, test) for train, test in later if len(train) > 1] or [(judged, judged)]
            width, seen, scales = out_of_fold(scale, X, target, given, later)
            seen &= np.isin(np.arange(len(t)), judged)
            width = width if self.scale is None else np.exp(width)
            w = some(weight, seen)
            least = floor(residual[seen], width[seen], constant[0], w, least, self.shape)
            width = np.maximum(width, least)
        w = some(weight, seen)
        normals = (Normal.fit((residual / constant)[seen], w), Normal.fit((residual / width)[seen], w))
        z = (residual / width)[seen]
        if self.shape == "histogram":
            smoothing = None if self.smoothing == "auto" else float(self.smoothing)
            shape: Any = Histogram.fit(z, w, self.bins, smoothing)
        else:
            shape = SHAPES[self.shape].fit(z, w)
        stages = []
        for spread, law in ((constant, normals[0]), (width, normals[1]), (width, shape)):
            q = Predictive(location[seen], spread[seen], law, power)
            stages.append(float(np.average(-q.logpdf(y[seen]), weights=w)))
        self.mean_ = Ensemble(means) if dealt else fitted(mean, X, t, given)
        self.scale_ = None
        if scale is not None:
            self.scale_ = (
                Ensemble(scales, logs=self.scale is None) if dealt else fitted(scale, X, target, given, judged)
            )
        self._least_, self._constant_ = least, float(constant[0])
        self.power_, self.lower_ = power.exponent, power.lower
        self._normals_ = normals
        self.shape_ = shape
        self.edges_ = shape.edges if isinstance(shape, Histogram) else None
        self.objective_path_ = np.array(stages)
        self.objective_ = stages[-1]
        self.n_iter_, self.converged_ = 3, True
        return self

    def predict_dist(self, X: Any) -> Predictive:
        """The distribution of y for each row."""
        return self._stages(X)[-1]

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
        costs = [-q.logpdf(y) for q in self._stages(X)]
        means = [float(c.mean()) for c in costs]
        steps = np.array([means[0], means[1] - means[0], means[2] - means[1]])
        labels = {"stage": ["location", "scale", "shape"]}
        return Contributions(
            "E −log q(y|x)", means[2], {"sample": costs[2] / len(costs[2]), "stage": steps}, labels=labels
        )

    def _models(self, n: int) -> tuple[Any, Any]:
        if n < _MANY:
            pace = {"learning_rate": 0.08, "max_iter": 300, "n_iter_no_change": 15}
        else:
            pace = {"learning_rate": 0.2, "max_iter": 200, "n_iter_no_change": 20, "min_samples_leaf": 5}
        boost = HistGradientBoostingRegressor(**pace, max_features=0.7, early_stopping=True)
        mean = boost if self.mean is None else clone(self.mean)
        if self.scale is None:
            calm = {"loss": "gamma", "learning_rate": 0.1, "max_iter": 100, "min_samples_leaf": 30}
            return mean, HistGradientBoostingRegressor(**calm, early_stopping=True)
        if isinstance(self.scale, str):
            choice("scale", self.scale, ("constant",))
            return mean, None
        return mean, clone(self.scale)

    def _power(self, mean: Any, X: Any, y: Floats, weight: Floats | None, splits: Any) -> Power:
        """The root of y that has the lowest cross-entropy on rows held out of a single fit."""
        lower = edge(y)
        if self.support == "positive" and lower is None:
            row = int(np.argmin(y))
            raise ValueError(
                f"y[{row}] = {y[row]:g}; support='positive' is for y > 0, or for whole numbers ≥ 0. "
                "Leave such rows out, or set support='real'."
            )
        if lower is None or self.support == "real" or (self.support == "auto" and len(y) < _FEW):
            return Power()
        fold, others = splits[0]
        if self.mean is None:  # a fifth of the rows is enough for the default; a model of yours may need more
            fold, others = others, fold
        best, least = Power(), np.inf
        for power in [Power()] * (self.support == "auto") + [Power(root, lower) for root in ROOTS]:
            t = power.forward(y)
            location = np.asarray(fitted(mean, X, t, weight, fold, others).predict(X[others]), dtype=np.float64)
            cost = even(t[others] - location, location, None if weight is None else weight[others])
            cost -= float(np.average(power.log_slope(y[others]), weights=None if weight is None else weight[others]))
            if cost >= least:
                break
            best, least = power, cost - _GAIN * (power.exponent == 1)
        return best

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

    def _stages(self, X: Any) -> tuple[Predictive, Predictive, Predictive]:
        """What each row would get by its location alone, with its scale, with the shape."""
        check_is_fitted(self)
        tags = self.__sklearn_tags__().input_tags
        X = validate_data(
            self,
            X,
            reset=False,
            accept_sparse="csr" if tags.sparse else False,
            ensure_all_finite="allow-nan" if tags.allow_nan else True,
        )
        power = Power(self.power_, self.lower_)
        location = np.maximum(np.asarray(self.mean_.predict(X), dtype=np.float64), power.least)
        everywhere = width = np.full(len(location), self._constant_)
        if self.scale_ is not None:
            width = np.asarray(self.scale_.predict(X), dtype=np.float64)
            width = np.maximum(width if self.scale is None else np.exp(width), self._least_)
        first, second = self._normals_
        return (
            Predictive(location, everywhere, first, power),
            Predictive(location, width, second, power),
            Predictive(location, width, self.shape_, power),
        )
