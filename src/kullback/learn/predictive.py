"""`Predictive`: one predictive distribution per row, of location-scale form y = location + scale · z."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from sklearn.utils import check_random_state

Floats = NDArray[np.float64]

# Nodes for expectations without a closed form: a trapezoidal rule in normal quantiles, exact to many digits if smooth.
_T = np.linspace(-8.0, 8.0, 1601)
_WEIGHT = np.exp(-0.5 * _T**2) / np.exp(-0.5 * _T**2).sum()


@dataclass(frozen=True, slots=True, eq=False)
class Predictive:
    """Distributions q(y|x) for n rows.

    Attributes
    ----------
    location, scale : ndarray of shape (n,)
    shape : the standardised distribution, the same for all rows

    Examples
    --------
    >>> import numpy as np
    >>> from kullback.learn import Predictive
    >>> q = Predictive.normal([0.0, 1.0], [1.0, 2.0])
    >>> q.ppf(0.5).tolist()
    [0.0, 1.0]
    """

    location: Floats
    scale: Floats
    shape: Any

    @classmethod
    def normal(cls, mean: ArrayLike, std: ArrayLike) -> Predictive:
        """Normal distributions, for comparison."""
        from kullback.learn._shapes import Normal

        mean, std = np.asarray(mean, dtype=np.float64), np.asarray(std, dtype=np.float64)
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
            raise ValueError("mean must be finite and std positive and finite, one per row.")
        return cls(mean, std, Normal(1.0))

    def __len__(self) -> int:
        return len(self.location)

    def logpdf(self, y: ArrayLike) -> Floats:
        """Log-density at y (n,), nats."""
        return np.asarray(self.shape.logpdf(self._standard(y)) - np.log(self.scale))

    def cdf(self, y: ArrayLike) -> Floats:
        """P(Y ≤ y)."""
        return np.asarray(self.shape.cdf(self._standard(y)))

    def ppf(self, u: ArrayLike) -> Floats:
        """Quantiles: u is a number, one per row, or (1, m) for m levels of all rows -> (n, m)."""
        u = np.asarray(u, dtype=np.float64)
        if ((u < 0) | (u > 1)).any():
            raise ValueError("Quantile levels lie in [0, 1].")
        if u.ndim == 2:
            return np.asarray(self.location[:, None] + self.scale[:, None] * self.shape.ppf(u))
        return np.asarray(self.location + self.scale * self.shape.ppf(u))

    def interval(self, level: float = 0.9) -> tuple[Floats, Floats]:
        """The central interval of this probability."""
        return self.ppf((1 - level) / 2), self.ppf((1 + level) / 2)

    def mean(self) -> Floats:
        """E Y."""
        return np.asarray(self.location + self.scale * self.shape.mean())

    def entropy(self) -> Floats:
        """Differential entropy, nats."""
        return np.asarray(self.shape.entropy() + np.log(self.scale))

    def crps(self, y: ArrayLike) -> Floats:
        """∫ (F(t) − 1[t ≥ y])² dt, in the unit of y."""
        return np.asarray(self.scale * self.shape.crps(self._standard(y)))

    def kl_to(self, other: Predictive) -> Floats:
        """KL(self‖other) per row in nats: closed for two normals, else by 1,601 quantiles."""
        from kullback.learn._excess import psi_of
        from kullback.learn._shapes import Normal

        if len(other) != len(self):
            raise ValueError(f"Got {len(other)} distributions to compare with {len(self)}; expected one per row.")
        if isinstance(self.shape, Normal) and isinstance(other.shape, Normal):
            a, b = self.scale * self.shape.scale, other.scale * other.shape.scale
            # ½ [r − 1 − log r + (difference/b)²], r = a²/b²
            r = (a - b) * (a + b) / b**2
            return np.asarray(0.5 * (psi_of(r, (a / b) ** 2) + ((self.location - other.location) / b) ** 2))
        z = self.shape.ppf(ndtr(_T))
        own = self.shape.logpdf(z)
        out = np.empty(len(self))
        for i in range(len(self)):
            y = self.location[i] + self.scale[i] * z
            theirs = other.shape.logpdf((y - other.location[i]) / other.scale[i]) - np.log(other.scale[i])
            out[i] = _WEIGHT @ (own - np.log(self.scale[i]) - theirs)
        return np.maximum(out, 0.0)

    def sample(self, n: int = 1, *, random_state: Any = None) -> Floats:
        """N draws per row, shape (len(self), n)."""
        return self.ppf(check_random_state(random_state).uniform(size=(len(self), n)))

    def _standard(self, y: ArrayLike) -> Floats:
        y = np.asarray(y, dtype=np.float64)
        if y.ndim and y.shape != self.location.shape:
            raise ValueError(f"y has shape {y.shape}; expected a number or ({len(self)},), one per row.")
        return np.asarray((y - self.location) / self.scale)
