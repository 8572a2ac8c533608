"""What all estimators here share: the objective of every iteration, callbacks, and fits that are whole or not."""

from __future__ import annotations

import functools
import sys
import time
from abc import ABC
from collections.abc import Callable
from os import PathLike
from typing import Any, TypeVar

from kullback.errors import need

need("sklearn", "learn")

from sklearn.base import BaseEstimator  # noqa: E402  after the check that names the extra

try:  # scikit-learn ≥ 1.9
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Older scikit-learn has no callbacks."""

    def with_callbacks(method: Any) -> Any:
        """Older scikit-learn has no callbacks."""
        return method


Method = TypeVar("Method", bound=Callable[..., Any])


def forget(estimator: Any) -> None:
    """Remove everything learned, so that `check_is_fitted` says what is true."""
    for name in [name for name in vars(estimator) if name.endswith("_") and not name.startswith("__")]:
        delattr(estimator, name)


def whole(fit: Method) -> Method:
    """A fit that ends in an error or an interrupt leaves the estimator unfitted, never half fitted.

    What an earlier fit had learned is gone too: the parameters may have changed since, and a model that nobody asked
    for must not answer in the place of the one that failed.
    """

    @functools.wraps(fit)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        forget(self)
        try:
            return with_callbacks(fit)(self, *args, **kwargs)
        except BaseException:
            forget(self)
            raise

    return run  # type: ignore[return-value]


class Learner(CallbackSupportMixin, BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn has no types
    """Base of the estimators here: parameters in, one objective minimised, and a file that holds it all.

    A fit that fails or is interrupted leaves the estimator unfitted, also one that was fitted before: `clone` it or
    `save` it first to keep the earlier fit.
    """

    def save(self, path: str | PathLike[str]) -> None:
        """Write parameters and everything learned to one `.npz` without pickles; `kullback.learn.load` reads it."""
        from kullback.learn.persistence import save

        save(self, path)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_iter_")


class Track:
    """The objective at each iteration: remembered, shown if `verbose`, and told to scikit-learn's callbacks."""

    def __init__(self, estimator: Any, max_iter: int, *, X: Any = None, y: Any = None, weight: Any = None) -> None:
        self.path: list[float] = []
        self._estimator, self._max_iter, self._start = estimator, max_iter, time.perf_counter()
        self._verbose = bool(getattr(estimator, "verbose", False))
        self._data: dict[str, Any] = {"X": X, "y": y}
        if weight is not None:
            self._data["metadata"] = {"sample_weight": weight}
        self._root = None
        if getattr(estimator, "_skl_callbacks", None):
            self._root = estimator._init_callback_context(max_subtasks=None)
            self._root.call_on_fit_task_begin(estimator=estimator, **self._data)

    def __call__(self, objective: float, learned: Callable[[], dict[str, Any]] | None = None) -> bool:
        """Note one iteration; True when a callback asks to stop. `learned()` gives the attributes as of now."""
        self.path.append(float(objective))
        if self._verbose:
            self._draw(objective)
        if self._root is None:
            return False
        step = self._root.subcontext(task_name="iteration")
        step.call_on_fit_task_begin(estimator=self._estimator, **self._data)
        return bool(
            step.call_on_fit_task_end(estimator=self._estimator, reconstruction_attributes=learned, **self._data)
        )

    def done(self) -> None:
        """Close the bar and the callbacks' task."""
        if self._verbose:
            sys.stderr.write("\n")
        if self._root is not None:
            self._root.call_on_fit_task_end(estimator=self._estimator, **self._data)

    def _draw(self, objective: float) -> None:
        n = len(self.path)
        filled = min(24, 24 * n // max(1, self._max_iter))
        bar = "█" * filled + "·" * (24 - filled)
        name = type(self._estimator).__name__
        seconds = time.perf_counter() - self._start
        sys.stderr.write(f"\r{name} {bar} {n}/{self._max_iter}  {objective:.6g} nats  {seconds:.1f} s ")
        sys.stderr.flush()
