"""`HistogramTarget`: a number as a distribution over bins, so that regression is cross-entropy (HL, HL-Gauss)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from sklearn.utils.validation import column_or_1d

from kullback.errors import InvalidDistribution
from kullback.learn._checks import choice, distributions, number

Floats = NDArray[np.float64]


class HistogramTarget:
    """Encode y as bin probabilities, min E CE(encode(y), q(x)); decode a predicted histogram to a number.

    With ``smoothing="gaussian"`` the target is N(y, σ²) cut to the bins' range (HL-Gauss), with ``"none"`` all mass
    sits in y's bin, with ``"linear"`` it is shared by the two nearest centres so that the mean is kept.

    Parameters
    ----------
    n_bins : int, default 50
    spacing : {"equal", "quantile"}
    smoothing : {"gaussian", "linear", "none"}
    sigma : float, default 0.75
        Width of the Gaussian in (mean) bin widths.
    margin : float, default 0.05
        Room beyond the smallest and largest y, as a share of the range.

    Attributes
    ----------
    edges_, centers_ : ndarray of shape (n_bins + 1,), (n_bins,)

    Notes
    -----
    Imani & White 2018 (ICML); Farebrother et al. 2024, arXiv:2403.03950.

    Examples
    --------
    >>> import numpy as np
    >>> from kullback.learn import HistogramTarget
    >>> code = HistogramTarget(40).fit([0.0, 10.0])
    >>> Y = code.encode([2.0, 7.5])
    >>> Y.shape, np.round(code.decode(Y), 6).tolist()
    ((2, 40), [2.0, 7.5])
    """

    def __init__(
        self,
        n_bins: int = 50,
        *,
        spacing: Literal["equal", "quantile"] = "equal",
        smoothing: Literal["gaussian", "linear", "none"] = "gaussian",
        sigma: float = 0.75,
        margin: float = 0.05,
    ) -> None:
        number("n_bins", n_bins, low=2, integer=True)
        choice("spacing", spacing, ("equal", "quantile"))
        choice("smoothing", smoothing, ("gaussian", "linear", "none"))
        number("sigma", sigma, above=True)
        number("margin", margin)
        self.n_bins, self.spacing, self.smoothing, self.sigma, self.margin = n_bins, spacing, smoothing, sigma, margin

    def fit(self, y: ArrayLike) -> HistogramTarget:
        """Choose the bins from y, shape (n,)."""
        y = _numbers(y)
        low, high = float(y.min()), float(y.max())
        if low == high:
            raise ValueError(f"All values of y are {low:g}; bins need at least two different values.")
        room = self.margin * (high - low)
        if self.spacing == "equal":
            edges = np.linspace(low - room, high + room, self.n_bins + 1)
        else:
            edges = np.unique(np.quantile(y, np.linspace(0, 1, self.n_bins + 1)))
            edges[0] -= room
            edges[-1] += room
        centers = 0.5 * (edges[1:] + edges[:-1])
        self.edges_: Floats = edges  # an interrupted fit keeps the bins of the one before
        self.centers_: Floats = centers
        return self

    def encode(self, y: ArrayLike) -> Floats:
        """Distributions over the bins, shape (n, n_bins); y outside the bins counts as their end."""
        edges, y = self._edges(), _numbers(y)
        inside = np.clip(y, edges[0], edges[-1])
        K = edges.size - 1
        if self.smoothing == "gaussian":
            scale = self.sigma * (edges[-1] - edges[0]) / K
            # Where both ends lie above y, differences of upper tails keep their digits.
            u = (edges[None, :] - inside[:, None]) / scale
            sign = np.where(u[:, 1:] + u[:, :-1] > 0, -1.0, 1.0)
            mass = np.abs(ndtr(sign * u[:, 1:]) - ndtr(sign * u[:, :-1]))
            return np.asarray(mass / mass.sum(axis=1, keepdims=True))
        if self.smoothing == "none":
            return np.asarray(np.eye(K)[np.clip(np.searchsorted(edges, inside, side="right") - 1, 0, K - 1)])
        if K == 1:
            return np.ones((inside.size, 1))
        centers = self.centers_
        inside = np.clip(inside, centers[0], centers[-1])
        left = np.clip(np.searchsorted(centers, inside, side="right") - 1, 0, K - 2)
        share = (inside - centers[left]) / (centers[left + 1] - centers[left])
        out = np.zeros((inside.size, K))
        rows = np.arange(inside.size)
        out[rows, left], out[rows, left + 1] = 1 - share, share
        return out

    def decode(self, P: ArrayLike) -> Floats:
        """Means of histograms, shape (n,), corrected for what a Gaussian loses at the ends of the bins."""
        P = self._histograms(P)
        mean = P @ self.centers_
        if self.smoothing != "gaussian":
            return np.asarray(mean)
        # encode shifts the mean of values near the ends inwards; invert that known, increasing map.
        grid = np.linspace(self.edges_[0], self.edges_[-1], 20 * self.centers_.size + 1)
        shifted = self.encode(grid) @ self.centers_
        return np.asarray(np.interp(mean, np.maximum.accumulate(shifted), grid))

    def log_density(self, P: ArrayLike, y: ArrayLike) -> Floats:
        """Log of the piecewise constant density at y: log p_bin − log width; −inf outside the bins."""
        P, y = self._histograms(P), _numbers(y)
        K = self.centers_.size
        bin_of = np.clip(np.searchsorted(self.edges_, y, side="right") - 1, 0, K - 1)
        with np.errstate(divide="ignore"):
            inside = np.log(P[np.arange(y.size), bin_of]) - np.log(np.diff(self.edges_)[bin_of])
        return np.where((y >= self.edges_[0]) & (y <= self.edges_[-1]), inside, -np.inf)

    def _edges(self) -> Floats:
        if not hasattr(self, "edges_"):
            raise ValueError("This HistogramTarget has no bins yet. Call fit(y) with the training targets first.")
        return self.edges_

    def _histograms(self, P: ArrayLike) -> Floats:
        K = self._edges().size - 1
        P = np.atleast_2d(np.asarray(P, dtype=np.float64))
        if P.shape[1] != K:
            raise InvalidDistribution(f"Got histograms of {P.shape[1]} bins; this target has {K}.")
        return distributions(P, "P")


def _numbers(y: ArrayLike) -> Floats:
    y = np.asarray(column_or_1d(np.asarray(y)), dtype=np.float64)
    if not np.isfinite(y).all():
        row = int(np.flatnonzero(~np.isfinite(y))[0])
        raise ValueError(f"y[{row}] = {y[row]}; expected finite numbers.")
    return y
