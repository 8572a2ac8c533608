"""The families that a mixture knows by name, and products of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.learn._components import Floats, Parameters
from kullback.learn._count_components import Bernoulli, Multinomial, Poisson
from kullback.learn._direction_components import VonMisesFisher
from kullback.learn._normal_components import Diagonal, Gaussian


class Product:
    """Independent blocks of columns, each of its own family."""

    sparse = False

    def __init__(self, parts: list[tuple[Any, NDArray[np.int64]]]) -> None:
        self.parts = parts

    def check(self, X: Any) -> None:
        for family, columns in self.parts:
            family.check(X[:, columns])

    def fit(self, X: Any, R: Floats, extra: Floats) -> Parameters:
        return {
            f"{i}.{name}": value
            for i, (family, columns) in enumerate(self.parts)
            for name, value in family.fit(X[:, columns], R, extra[columns]).items()
        }

    def strain(self, theta: Parameters, extra: Floats) -> float:
        return math.fsum(f.strain(self._of(theta, i), extra[c]) for i, (f, c) in enumerate(self.parts))

    def log_density(self, X: Any, theta: Parameters) -> Floats:
        return np.asarray(sum(f.log_density(X[:, c], self._of(theta, i)) for i, (f, c) in enumerate(self.parts)))

    def sample(self, theta: Parameters, component: NDArray[np.int64], random: np.random.RandomState) -> Floats:
        out = np.empty((component.size, sum(len(c) for _, c in self.parts)))
        for i, (family, columns) in enumerate(self.parts):
            out[:, columns] = family.sample(self._of(theta, i), component, random)
        return out

    def kl(self, a: Parameters, b: Parameters) -> Floats:
        return np.asarray(sum(f.kl(self._of(a, i), self._of(b, i)) for i, (f, _) in enumerate(self.parts)))

    def free(self, d: int) -> int:
        del d
        return sum(family.free(len(columns)) for family, columns in self.parts)

    @staticmethod
    def _of(theta: Parameters, i: int) -> Parameters:
        return {name.split(".", 1)[1]: value for name, value in theta.items() if name.startswith(f"{i}.")}


FAMILIES: dict[str, Any] = {
    "gaussian": Gaussian,
    "diag": Diagonal,
    "multinomial": Multinomial,
    "poisson": Poisson,
    "bernoulli": Bernoulli,
    "vonmises-fisher": VonMisesFisher,
}
