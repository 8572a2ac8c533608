"""Which part of the data a row is judged in, when it may not be judged by what was fitted on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInput


def fold_numbers(
    n: int, /, *, folds: int = 5, clusters: NDArray[np.intp] | None = None, random_state: int = 0
) -> NDArray[np.intp]:
    """A fold 0 … folds−1 for each of `n` rows, at random and of equal size; rows of one cluster share a fold.

    Examples
    --------
    >>> import numpy as np
    >>> np.bincount(fold_numbers(10, folds=5))
    array([2, 2, 2, 2, 2])
    """
    units = n if clusters is None else int(clusters.max()) + 1
    if folds < 2 or units < folds:
        what = "rows" if clusters is None else "clusters"
        raise InvalidInput(f"{folds} folds need at least that many {what} (and at least 2 folds), got {units} {what}")
    of_unit = np.arange(units) % folds
    np.random.default_rng(random_state).shuffle(of_unit)
    return of_unit if clusters is None else of_unit[clusters]
