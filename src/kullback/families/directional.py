"""VonMisesFisher on the sphere."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kullback.errors import InvalidDistribution
from kullback.families.answer import STABLE, Answer
from kullback.families.base import Family, generator, sample_shape, work
from kullback.families.bessel import log_normaliser, log_normaliser_bregman, own_part, ratio
from kullback.families.namespace import to_host
from kullback.families.parameters import family, non_negative, real_vector

Array = Any
Namespace = Any


@family
class VonMisesFisher(Family):
    """Density ∝ e^{concentration·mean_directionᵀx} on the unit sphere (SciPy's mu, kappa)."""

    mean_direction: Array = real_vector()
    concentration: Array = non_negative()
    _carrier: ClassVar[str] = "the sphere"

    def _check_together(self) -> None:
        host = to_host(self.mean_direction.detach() if hasattr(self.mean_direction, "detach") else self.mean_direction)
        length = np.sqrt((host * host).sum(axis=-1))
        if (np.abs(length - 1.0) > 1e-6).any():
            worst = length.flat[np.argmax(np.abs(length - 1.0))]
            msg = f"VonMisesFisher.mean_direction has length {worst:.6g}; expected a unit vector."
            raise InvalidDistribution(msg)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(d,)."""
        return (int(self.mean_direction.shape[-1]),)

    def _nu(self) -> float:
        return 0.5 * float(self.mean_direction.shape[-1]) - 1.0

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        # Bregman divergence of log(I_ν(κ)/κ^ν) plus A(κ₁)κ₂(1 − μ₁ᵀμ₂), 1 − μ₁ᵀμ₂ = ½|μ₁ − μ₂|²
        if type(q) is not VonMisesFisher:
            return None
        gap = self.mean_direction - q.mean_direction
        turn = 0.5 * xp.sum(gap * gap)
        spread = log_normaliser_bregman(self.concentration, q.concentration, self._nu(), xp=xp)
        return Answer(spread + ratio(self.concentration, self._nu(), xp=xp) * q.concentration * turn, STABLE)

    def _log_constant(self, xp: Namespace) -> Array:
        return (self._nu() + 1.0) * math.log(2 * math.pi) + log_normaliser(self.concentration, self._nu(), xp=xp)

    def _entropy(self, xp: Namespace) -> Array:
        return (self._nu() + 1.0) * math.log(2 * math.pi) + own_part(self.concentration, self._nu(), xp=xp)

    def log_prob(self, x: Array, /) -> Array:
        """Log-density at unit vectors x, with respect to the area of the sphere."""
        x = np.asarray(x, dtype=float) if not hasattr(x, "shape") else x
        xp = work(x, *self._leaves())
        p = self._lifted(xp)
        return p.concentration * xp.sum(p.mean_direction * xp.double(x)) - p._log_constant(xp)

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Unit vectors, by SciPy; no batch axes."""
        from scipy.stats import vonmises_fisher

        p = self._with(to_host)
        size = sample_shape(shape)
        draws = vonmises_fisher(p.mean_direction, float(p.concentration)).rvs(
            max(math.prod(size), 1), random_state=generator(random_state)
        )
        return draws.reshape(*size, self.event_shape[0])
