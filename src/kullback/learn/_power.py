"""y on a half-line, and its power t = (y − lower)^exponent: the scale on which its spread is even."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Square, cube and fourth root: of counts, of gamma's law (Wilson & Hilferty 1931), and nearly the logarithm. The
# logarithm itself would give tails whose mean is infinite.
ROOTS = (1 / 2, 1 / 3, 1 / 4)


@dataclass(frozen=True, slots=True)
class Power:
    """t = (y − lower)^exponent for y > lower; with the exponent 1 the whole line, t = y."""

    exponent: float = 1.0
    lower: float = -np.inf

    @property
    def least(self) -> float:
        """The smallest t."""
        return -np.inf if self.exponent == 1 else 0.0

    def forward(self, y: Floats) -> Floats:
        return y if self.exponent == 1 else np.asarray(np.maximum(y - self.lower, 0.0) ** self.exponent)

    def inverse(self, t: Floats) -> Floats:
        if self.exponent == 1:
            return t
        y = self.lower + np.maximum(t, 0.0) ** (1 / self.exponent)
        # A y inside the support stays inside: rounding may put it on the edge, where the density is 0.
        return np.where(t > 0, np.maximum(y, np.nextafter(self.lower, np.inf)), self.lower)

    def log_slope(self, y: Floats) -> Floats:
        """Log dt/dy, −∞ outside of the support."""
        if self.exponent == 1:
            return np.zeros(np.shape(y))
        inside = y > self.lower
        slope = np.log(self.exponent) + (self.exponent - 1) * np.log(np.where(inside, y - self.lower, 1.0))
        return np.where(inside, slope, -np.inf)


def edge(y: Floats) -> float | None:
    """Where a half-line that holds all y begins: 0, or −½ for counts, each of which stands for itself ± ½."""
    if (y >= 0).all() and (y == np.floor(y)).all():
        return -0.5
    return 0.0 if (y > 0).all() else None
