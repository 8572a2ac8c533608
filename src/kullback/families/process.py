"""Processes: MarkovChain (rate and n-step), AutoRegression (spectral rate of a stationary Gaussian series)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kullback._special import psi
from kullback.errors import InvalidDistribution, InvalidForm
from kullback.families.answer import STABLE, Answer
from kullback.families.base import Family, generator, sample_shape
from kullback.families.namespace import is_concrete, to_host
from kullback.families.parameters import Constraint, family, parameter, positive, real_vector
from kullback.forms import Probs

Array = Any
Namespace = Any


@family
class MarkovChain(Family):
    """A chain on K states: `transition` has a row per state; `initial` is its first law (None: the stationary one).

    With `steps` = n, KL is that of the whole path x₀ … xₙ, KL(initial) + Σₜ Σᵢ P(xₜ = i)·KL(row i). Without `steps` it
    is the rate, nats per step, under the stationary law. Rached, Alajaji & Campbell 2004, doi:10.1109/TIT.2004.826687.
    """

    transition: Array = parameter(Constraint("probabilities in [0, 1]", lambda x: (x >= 0) & (x <= 1), 2))
    initial: Array = parameter(
        Constraint("probabilities in [0, 1]", lambda x: (x >= 0) & (x <= 1), 1, optional=True), default=None
    )
    steps: int | None = None

    def _check_together(self) -> None:
        from kullback.measures.entropy import entropy

        T = self.transition
        if T.shape[-1] != T.shape[-2] or len(T.shape) != 2:
            msg = f"MarkovChain.transition has shape {tuple(T.shape)}; expected (K, K)."
            raise InvalidDistribution(msg)
        entropy(Probs(T))
        if self.initial is not None:
            entropy(Probs(self.initial))
            if self.initial.shape[-1] != T.shape[-1]:
                sizes = f"{self.initial.shape[-1]} states and transition {T.shape[-1]}"
                msg = f"MarkovChain.initial has {sizes}; expected the same."
                raise InvalidDistribution(msg)
        if self.steps is not None and (not isinstance(self.steps, int) or self.steps < 0):
            msg = f"MarkovChain.steps = {self.steps!r}; expected a whole number ≥ 0, or None for the rate."
            raise InvalidForm(msg)

    @property
    def event_shape(self) -> tuple[Any, ...]:
        """States and steps."""
        return ("chain", int(self.transition.shape[-1]), self.steps)

    def stationary(self) -> Any:
        """The law that a step leaves as it is, as NumPy finds it."""
        T = to_host(self.transition)
        k = len(T)
        A = np.vstack([T.T - np.eye(k), np.ones(k)])
        law, _, rank, _ = np.linalg.lstsq(A, np.append(np.zeros(k), 1.0), rcond=None)
        if rank < k:
            msg = "MarkovChain.transition has more than one stationary law; give `initial` and `steps`."
            raise InvalidDistribution(msg)
        law = np.maximum(law, 0.0)
        return law / law.sum()

    def _first(self, xp: Namespace) -> Array:
        return xp.double(self.stationary()) if self.initial is None else self.initial

    def _occupied(self, xp: Namespace) -> Array:
        """Expected visits to each state from which a step is taken (their law, for the rate)."""
        if self.steps is None:
            return xp.double(self.stationary())
        law = self._first(xp)
        total = 0.0 * law
        for _ in range(self.steps):
            total = total + law
            law = xp.matmul(law[None, :], self.transition)[0]
        return total

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        from kullback.measures.kl_divergence import kl_divergence

        if type(q) is not MarkovChain:
            return None
        rows = kl_divergence(Probs(self.transition), Probs(q.transition), validate=False)
        visits = self._occupied(xp)
        value = xp.sum(xp.where(visits == 0, 0.0 * visits, visits * xp.where(visits == 0, 0.0 * visits, rows)))
        if self.steps is None:
            return Answer(value, STABLE)
        start = kl_divergence(Probs(self._first(xp)), Probs(q._first(xp)), validate=False)
        return Answer(value + start, STABLE)

    def _entropy(self, xp: Namespace) -> Array:
        from kullback.measures.entropy import entropy

        value = xp.sum(self._occupied(xp) * entropy(Probs(self.transition), validate=False))
        return value if self.steps is None else value + entropy(Probs(self._first(xp)), validate=False)

    def log_prob(self, x: Array, /) -> Array:
        """Log-probability of paths x along the last axis; transitions alone where `steps` is None."""
        x = np.asarray(x, dtype=np.int64)
        with np.errstate(divide="ignore"):
            logs = np.log(to_host(self.transition))[x[..., :-1], x[..., 1:]].sum(axis=-1)
            first = self.stationary() if self.initial is None else to_host(self.initial)
            return logs if self.steps is None else logs + np.log(first)[x[..., 0]]

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Paths of steps + 1 states."""
        if self.steps is None:
            msg = "MarkovChain without steps has no end; give steps=n to draw paths."
            raise InvalidForm(msg)
        rng, size = generator(random_state), sample_shape(shape)
        first = self.stationary() if self.initial is None else to_host(self.initial)
        rows = np.cumsum(to_host(self.transition), axis=-1)
        path = np.empty((*size, self.steps + 1), dtype=np.int64)
        path[..., 0] = (rng.random(size)[..., None] > np.cumsum(first)[:-1]).sum(axis=-1)
        for t in range(self.steps):
            path[..., t + 1] = (rng.random(size)[..., None] > rows[path[..., t]][..., :-1]).sum(axis=-1)
        return path


@family
class AutoRegression(Family):
    """xₜ = Σ coefficientsₖ xₜ₋ₖ + noise_std·εₜ, stationary; its entropy and KL are rates, nats per step.

    KL rate = (1/4π)∫ψ(f/g − 1)dω with f, g the spectral densities: ψ(s) = s − log1p(s) ≥ 0 (Itakura and Saito).
    """

    coefficients: Array = real_vector()
    noise_std: Array = positive()

    def _check_together(self) -> None:
        if not is_concrete(self.coefficients):
            return
        host = to_host(self.coefficients.detach() if hasattr(self.coefficients, "detach") else self.coefficients)
        for at in np.ndindex(host.shape[:-1]):
            a = host[at]
            companion = np.diag(np.ones(len(a) - 1), -1)
            companion[0] = a
            radius = float(np.abs(np.linalg.eigvals(companion)).max())
            if radius >= 1.0:
                where = f"AutoRegression.coefficients{list(at) if at else ''}"
                msg = f"{where} are not stationary: a root has modulus {radius:.4g} ≥ 1."
                raise InvalidDistribution(msg)

    @property
    def event_shape(self) -> tuple[Any, ...]:
        """A series."""
        return ("series",)

    def _transfer(self, cosines: Any, sines: Any, xp: Namespace) -> Array:
        """|1 − Σ aₖe^{−ikω}|² at the given tables of cos kω and sin kω."""
        a = self.coefficients[..., :, None]
        n = self.coefficients.shape[-1]
        real = 1.0 - _sum_rows(a * xp.double(cosines[:n]), xp)
        imaginary = _sum_rows(a * xp.double(sines[:n]), xp)
        return real * real + imaginary * imaginary

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        if type(q) is not AutoRegression:
            return None
        order = max(self.coefficients.shape[-1], q.coefficients.shape[-1])
        before = None
        for power in range(8, 21):
            n = 1 << power
            omega = math.pi * (np.arange(n) + 0.5) / n
            k = np.arange(1, order + 1)[:, None]
            tables = np.cos(k * omega), np.sin(k * omega)
            ours, theirs = self._transfer(*tables, xp), q._transfer(*tables, xp)
            ratio = (self.noise_std / q.noise_std) ** 2
            s = (ratio[..., None] if hasattr(ratio, "shape") and ratio.shape else ratio) * theirs / ours - 1.0
            value = 0.5 * xp.sum(psi(s, xp=xp)) / n
            if not is_concrete(value):
                if n >= 4096:  # under a trace nothing can be compared: roots up to .99 are resolved by then
                    return Answer(value, STABLE)
                continue
            now = to_host(value.detach() if hasattr(value, "detach") else value)
            if before is not None and np.all(np.abs(now - before) <= 1e-13 * np.abs(now) + 1e-300):
                return Answer(value, STABLE, float(np.max(np.abs(now - before))))
            before = now
        return None

    def _entropy(self, xp: Namespace) -> Array:
        return 0.5 * math.log(2 * math.pi * math.e) + xp.log(self.noise_std)

    def log_prob(self, x: Array, /) -> Array:
        """Log-density of a series x along the last axis, given its first `order` values."""
        x, a = np.asarray(x, dtype=float), to_host(self.coefficients)
        n = len(a)
        errors = x[..., n:] - sum(a[k] * x[..., n - 1 - k : x.shape[-1] - 1 - k] for k in range(n))
        std = to_host(self.noise_std)
        return (-0.5 * (errors / std) ** 2 - np.log(std) - 0.5 * math.log(2 * math.pi)).sum(axis=-1)

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """A series of length shape[-1], after a burn-in of 1000 steps."""
        from scipy.signal import lfilter

        size = sample_shape(shape)
        noise = generator(random_state).standard_normal((*size[:-1], size[-1] + 1000)) * to_host(self.noise_std)
        return lfilter([1.0], np.concatenate([[1.0], -to_host(self.coefficients)]), noise, axis=-1)[..., 1000:]


def _sum_rows(x: Array, xp: Namespace) -> Array:
    return xp.sum(xp.transpose(x))
