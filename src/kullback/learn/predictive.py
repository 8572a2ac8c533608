"""`Predictive`: one predictive distribution per row, of location-scale form y = location + scale · z, or of a power."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from sklearn.utils import check_random_state

from kullback.learn._power import Power

Floats = NDArray[np.float64]

# Nodes for expectations without a closed form: a trapezoidal rule in normal quantiles, exact to many digits if smooth.
_T = np.linspace(-8.0, 8.0, 1601)
_WEIGHT = np.exp(-0.5 * _T**2) / np.exp(-0.5 * _T**2).sum()
_U = ndtr(_T)
_ROWS = 512  # whose nodes are held at a time
_NONE = Power()


@dataclass(frozen=True, slots=True, eq=False)
class Predictive:
    """Distributions q(y|x) for n rows.

    Attributes
    ----------
    location, scale : ndarray of shape (n,)
    shape : the standardised distribution, the same for all rows
    power : of y beyond a lower edge, (y − lower)^exponent = location + scale · z given that this is positive; by
        default the exponent is 1 and y any number

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
    power: Power = _NONE

    @classmethod
    def normal(cls, mean: ArrayLike, std: ArrayLike) -> Predictive:
        """Normal distributions, for comparison."""
        from kullback.learn._shapes import Normal

        mean, std = np.asarray(mean, dtype=np.float64), np.asarray(std, dtype=np.float64)
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
            raise ValueError("mean must be finite and std positive and finite, one per row.")
        mean, std = np.broadcast_arrays(np.atleast_1d(mean), std)
        return cls(mean.copy(), std.copy(), Normal(1.0))

    def __len__(self) -> int:
        return len(self.location)

    @property
    def support(self) -> tuple[float, float]:
        """The open interval that y lies in."""
        return self.power.lower, np.inf

    def logpdf(self, y: ArrayLike) -> Floats:
        """Log-density at y (n,), nats; −∞ outside of the support."""
        return self._logpdf(self._door(y))

    def cdf(self, y: ArrayLike) -> Floats:
        """P(Y ≤ y)."""
        y = self._door(y)
        below = self._below()
        z = (self.power.forward(y) - self.location) / self.scale
        return np.asarray(np.clip((self.shape.cdf(z) - below) / (1 - below), 0.0, 1.0))

    def ppf(self, u: ArrayLike) -> Floats:
        """Quantiles: u is a number, one per row, or (1, m) for m levels of all rows -> (n, m)."""
        u = np.asarray(u, dtype=np.float64)
        if not ((u >= 0) & (u <= 1)).all():
            raise ValueError("Quantile levels lie in [0, 1].")
        n = len(self)
        if u.shape not in ((), (n,)) and not (u.ndim == 2 and u.shape[0] in (1, n)):
            raise ValueError(f"u has shape {u.shape}; expected a number, ({n},), or (1, m) for m levels of all rows.")
        location, scale, below = (v[:, None] if u.ndim == 2 else v for v in (self.location, self.scale, self._below()))
        t = location + scale * self.shape.ppf(np.where(u < 1, below + u * (1 - below), 1.0))
        return np.asarray(self.power.inverse(np.where(u > 0, t, self.power.least)))

    def interval(self, level: float = 0.9) -> tuple[Floats, Floats]:
        """The central interval of this probability."""
        return self.ppf((1 - level) / 2), self.ppf((1 + level) / 2)

    def mean(self) -> Floats:
        """E Y."""
        if self.power.exponent == 1:
            return np.asarray(self.location + self.scale * self.shape.mean())
        return self._expect(lambda _q, y, _rows: y)

    def entropy(self) -> Floats:
        """Differential entropy, nats."""
        if self.power.exponent == 1:
            return np.asarray(self.shape.entropy() + np.log(self.scale))
        return -self._expect(lambda q, y, _rows: q._logpdf(y))

    def crps(self, y: ArrayLike) -> Floats:
        """∫ (F(t) − 1[t ≥ y])² dt, in the unit of y."""
        y = np.broadcast_to(self._door(y), self.location.shape)
        if self.power.exponent == 1:
            return np.asarray(self.scale * self.shape.crps((y - self.location) / self.scale))
        # E|Y − y| − ½ E|Y − Y'|, and ½ E|Y − Y'| = ∫ (2u − 1) F⁻¹(u) du
        return self._expect(lambda _q, Y, rows: np.abs(Y - y[rows, None]) - (2 * _U - 1) * Y)

    def kl_to(self, other: Predictive) -> Floats:
        """KL(self‖other) per row in nats: closed for two normals, else by 1,601 quantiles."""
        from kullback.learn._excess import psi_of
        from kullback.learn._shapes import Normal

        if len(other) != len(self):
            raise ValueError(f"Got {len(other)} distributions to compare with {len(self)}; expected one per row.")
        straight = self.power.exponent == other.power.exponent == 1
        if straight and isinstance(self.shape, Normal) and isinstance(other.shape, Normal):
            a, b = self.scale * self.shape.scale, other.scale * other.shape.scale
            # ½ [r − 1 − log r + (difference/b)²], r = a²/b²
            r = (a - b) * (a + b) / b**2
            return np.asarray(0.5 * (psi_of(r, (a / b) ** 2) + ((self.location - other.location) / b) ** 2))

        def excess(q: Predictive, y: Floats, rows: slice) -> Floats:
            own = q._logpdf(y)
            theirs = other._rows(rows)._logpdf(y)
            return np.subtract(own, theirs, out=np.zeros_like(own), where=own > -np.inf)

        return np.maximum(self._expect(excess), 0.0)

    def sample(self, n: int = 1, *, random_state: Any = None) -> Floats:
        """N draws per row, shape (len(self), n)."""
        return self.ppf(check_random_state(random_state).uniform(size=(len(self), n)))

    def _below(self) -> Floats:
        """What location-scale would put below the support, which is cut off."""
        if self.power.exponent == 1:
            return np.zeros(len(self))
        return np.asarray(self.shape.cdf((self.power.least - self.location) / self.scale))

    def _logpdf(self, y: Floats) -> Floats:
        """Log-density at a number, at y (n,), or at m numbers of each row, y (n, m)."""
        location, scale, below = (v[:, None] if y.ndim == 2 else v for v in (self.location, self.scale, self._below()))
        z = (self.power.forward(y) - location) / scale
        return np.asarray(self.shape.logpdf(z) - np.log(scale) - np.log1p(-below) + self.power.log_slope(y))

    def _rows(self, rows: slice) -> Predictive:
        return Predictive(self.location[rows], self.scale[rows], self.shape, self.power)

    def _expect(self, of: Callable[[Predictive, Floats, slice], Floats]) -> Floats:
        """E of(these rows, y, which rows), y at all nodes (rows, 1601)."""
        out = np.empty(len(self))
        for start in range(0, len(self), _ROWS):
            rows = slice(start, start + _ROWS)
            q = self._rows(rows)
            out[rows] = of(q, q.ppf(_U[None, :]), rows) @ _WEIGHT
        return out

    def _door(self, y: ArrayLike) -> Floats:
        y = np.asarray(y, dtype=np.float64)
        if y.ndim and y.shape != self.location.shape:
            raise ValueError(f"y has shape {y.shape}; expected a number or ({len(self)},), one per row.")
        return y
