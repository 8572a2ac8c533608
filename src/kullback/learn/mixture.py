"""`MixtureMLE`: mixtures of any exponential family with sample weights, min KL(data‖Σ π_k p_k) by EM."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from kullback._special import log_sum_exp
from kullback.learn._base import Learner, Track, whole
from kullback.learn._checks import choice, number, row_sums
from kullback.learn._mixture_bound import variational_bound
from kullback.learn._mixture_em import Task, descend
from kullback.learn._mixture_families import FAMILIES, Product
from kullback.learn._unique import unique_rows
from kullback.result.contributions import Contributions
from kullback.result.estimate import Estimate

Floats = NDArray[np.float64]

# Families write −1e30 for log 0, so that 0 · log 0 is 0 in a product; below this a log-density is −∞.
_IMPOSSIBLE = -1e25


class MixtureMLE(DensityMixin, Learner):  # type: ignore[misc]  # scikit-learn has no types
    """Minimise −E log Σ_k π_k p(x; θ_k) over π and θ: KL(data‖mixture), up to the data's own entropy.

    EM is an alternating KL projection (Csiszár & Tusnády 1984); each step matches moments. `prior` adds to every
    component that many observations shaped like the whole data, which keeps it from collapsing onto a point.

    Parameters
    ----------
    n_components : int, default 1
    family : str or list of (str, columns), default "gaussian"
        "gaussian" (full covariance), "diag", "multinomial", "poisson", "bernoulli", "vonmises-fisher"; a list of
        families with their column numbers makes components that are products.
    prior : float, default 1e-3
        Pseudo-observations per component, shaped like the data (for normals a thousandth wider); 0: none.
    anneal : bool, default True
        Begin with softened responsibilities, which finds better optima.
    n_init : int, default 5
    tol : float, default 1e-6
        Converged when a round gains less than this many nats per unit of weight.
    max_iter, random_state, verbose
        As in scikit-learn.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
    params_ : dict of ndarrays, first axis the component
    bic_, aic_ : float
    objective_, objective_path_, n_iter_, converged_
        Cross-entropy in nats per unit of weight, with the prior's part.

    Notes
    -----
    `sample_weight` 2 is the same as the row given twice: equal rows are merged first.

    Examples
    --------
    >>> import numpy as np
    >>> from kullback.learn import MixtureMLE
    >>> x = np.r_[np.zeros((50, 1)), np.ones((150, 1))]
    >>> model = MixtureMLE(2, family="bernoulli", random_state=0).fit(x)
    >>> float((model.weights_ @ model.params_["probabilities"]).round(2)[0])
    0.75
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        family: Any = "gaussian",
        prior: float = 1e-3,
        anneal: bool = True,
        n_init: int = 5,
        tol: float = 1e-6,
        max_iter: int = 1000,
        random_state: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self.n_components = n_components
        self.family = family
        self.prior = prior
        self.anneal = anneal
        self.n_init = n_init
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        kind = FAMILIES.get(self.family) if isinstance(self.family, str) else None
        tags.input_tags.sparse = bool(kind is not None and kind.sparse)
        tags.input_tags.positive_only = self.family in ("multinomial", "poisson")
        return tags

    @whole
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> MixtureMLE:  # noqa: ARG002  scikit-learn's signature
        """Fit to the rows of X (n, d)."""
        number("n_components", self.n_components, low=1, integer=True)
        number("prior", self.prior)
        number("n_init", self.n_init, low=1, integer=True)
        number("max_iter", self.max_iter, low=1, integer=True)
        number("tol", self.tol)
        X = self._door(X, reset=True)
        n, d = X.shape
        if self.n_components > n:
            raise ValueError(f"n_samples={n} should be >= n_components={self.n_components}: more components than rows.")
        family = self._family(d)
        family.check(X)
        given = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not given.sum() > 0:
            raise ValueError("All sample weights are zero: there is nothing to fit.")
        rows, weight, _ = unique_rows(sp.csr_matrix(X), given)
        data = rows if sp.issparse(X) else rows.toarray()
        random = check_random_state(self.random_state)
        track = Track(self, self.n_init * self.max_iter, X=X, weight=sample_weight)
        task = Task(data, weight, family, self.family, self.n_components, self.prior, self.tol, self.max_iter, track)
        starts = self.n_init if self.n_components > 1 else 1
        runs = [descend(task, start, random, anneal=self.anneal) for start in range(starts)]
        track.done()
        best = min(runs, key=lambda run: run.objective)
        self.weights_, self.params_ = best.shares, best.theta
        self.n_iter_, self.converged_ = len(best.path), best.converged
        self.objective_, self.objective_path_ = best.objective, np.array(best.path)
        components = family.log_density(data, best.theta)
        with np.errstate(divide="ignore"):  # a component that lost all its rows
            logs = np.log(best.shares)
        fit_cost = -float(weight @ log_sum_exp(logs + components, xp=np)[:, 0])
        free = self.n_components - 1 + self.n_components * family.free(d)
        self.bic_ = float(2 * fit_cost + free * np.log(weight.sum()))
        self.aic_ = float(2 * fit_cost + 2 * free)
        self._penalty_ = task.penalty(components, best.theta, task.extra)
        self._total_ = _median(row_sums(data), weight) if self.family == "multinomial" else 0.0
        return self

    def score_samples(self, X: Any) -> Floats:
        """Log-density of each row, nats."""
        value = np.asarray(log_sum_exp(self._joint(X), xp=np)[:, 0])
        return np.where(value > _IMPOSSIBLE, value, -np.inf)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:  # noqa: ARG002  scikit-learn's signature
        """Mean log-density: minus the cross-entropy of the rows under the mixture."""
        return float(np.average(self.score_samples(X), weights=sample_weight))

    def predict_proba(self, X: Any) -> Floats:
        """Responsibilities (n, n_components)."""
        joint = self._joint(X)
        return np.asarray(np.exp(joint - log_sum_exp(joint, xp=np)))

    def predict(self, X: Any) -> NDArray[np.int64]:
        """The component most responsible."""
        return np.asarray(self._joint(X).argmax(axis=1))

    def sample(self, n_samples: int = 1, *, random_state: Any = None) -> tuple[Floats, NDArray[np.int64]]:
        """(draws, their components); a multinomial draw has the median total of the training rows."""
        check_is_fitted(self)
        random = check_random_state(random_state)
        component = random.choice(self.weights_.size, size=n_samples, p=self.weights_)
        theta = self.params_ | ({"total": np.array(round(self._total_))} if self.family == "multinomial" else {})
        return self._family(self.n_features_in_).sample(theta, component, random), component

    def explain(self, X: Any, sample_weight: Any = None) -> Contributions:
        """−E log p(x) plus the prior's part, split over samples and over components (by responsibility)."""
        joint = self._joint(X)
        cost = -log_sum_exp(joint, xp=np)[:, 0]
        share = _check_sample_weight(sample_weight, joint, dtype=np.float64)
        share = share / share.sum()
        R = np.exp(joint + cost[:, None])
        parts = {"sample": share * cost, "component": (share * cost) @ R}
        value = float(share @ cost) + self._penalty_
        if (cost[share > 0] >= -_IMPOSSIBLE).any():
            parts, value = {n: np.where(v > 1e20, np.inf, v) for n, v in parts.items()}, np.inf
        return Contributions("−E log p(x) + prior", value, parts, self._penalty_)

    def kl_to(self, other: MixtureMLE, *, n_samples: int = 20_000, random_state: Any = 0) -> Estimate:
        """KL(self‖other) from draws, with its 95 % interval held between 0 and a variational upper bound.

        The bound is Hershey & Olsen's (2007): the KL of the best joint assignment of components, each pair closed.
        For multinomials the divergence is of rows with the median total.
        """
        check_is_fitted(self)
        check_is_fitted(other)
        if self.family != other.family or self.n_features_in_ != other.n_features_in_:
            raise ValueError(
                f"Got families {self.family!r} and {other.family!r} over {self.n_features_in_} and "
                f"{other.n_features_in_} features; expected the same. For others, average score_samples over `sample`."
            )
        draws, _ = self.sample(n_samples, random_state=random_state)
        ratio = self.score_samples(draws) - other.score_samples(draws)
        value, error = float(ratio.mean()), float(ratio.std(ddof=1) / np.sqrt(n_samples))
        per_row = self._total_ if self.family == "multinomial" else 1.0
        pairs = per_row * self._family(self.n_features_in_).kl(self.params_, other.params_)
        bound = variational_bound(self.weights_, other.weights_, pairs)
        low, high = max(value - 1.96 * error, 0.0), min(value + 1.96 * error, bound)
        return Estimate(
            min(max(value, 0.0), bound),
            min(low, high),
            high,
            0.95,
            error,
            "nats",
            "Monte Carlo over draws of self",
            (n_samples,),
            (f"certain upper bound: {bound:.6g} nats",),
        )

    def _family(self, d: int) -> Any:
        if isinstance(self.family, str):
            choice("family", self.family, tuple(FAMILIES))
            return FAMILIES[self.family]()
        parts = []
        try:
            pairs = [(name, columns) for name, columns in self.family]
        except (TypeError, ValueError):
            raise ValueError(
                f"family = {self.family!r}; expected one of {', '.join(FAMILIES)}, or a list of (family, columns)."
            ) from None
        for name, columns in pairs:
            choice("family", name, tuple(FAMILIES))
            parts.append((FAMILIES[name](), np.asarray(columns, dtype=np.int64)))
        used = np.sort(np.concatenate([c for _, c in parts]))
        if not np.array_equal(used, np.arange(d)):
            raise ValueError(f"family names the columns {used.tolist()}; expected each of 0…{d - 1} once.")
        return Product(parts)

    def _door(self, X: Any, *, reset: bool) -> Any:
        sparse = self.__sklearn_tags__().input_tags.sparse
        X = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr" if sparse else False,
            dtype=np.float64,
            ensure_min_samples=2 if reset else 1,
        )
        values = X.data if sp.issparse(X) else X
        if values.size and np.abs(values).max() > 1e150:
            raise ValueError("X holds numbers above 1e150, whose squares are no numbers. Divide X by a constant first.")
        if not sp.issparse(X):
            return X
        X = sp.csr_matrix(X, copy=True)
        X.sum_duplicates()  # a factorial is of a whole count, and equal rows must look equal
        X.eliminate_zeros()
        return X

    def _joint(self, X: Any) -> Floats:
        check_is_fitted(self)
        X = self._door(X, reset=False)
        family = self._family(self.n_features_in_)
        family.check(X)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.weights_) + family.log_density(X, self.params_))


def _median(x: Floats, weight: Floats) -> float:
    """The median of x where each stands for `weight` equal ones."""
    order = np.argsort(x, kind="stable")
    below = np.cumsum(weight[order])
    middle = [np.searchsorted(below, 0.5 * below[-1], side=side).clip(0, x.size - 1) for side in ("left", "right")]
    return float(x[order][middle].mean())
