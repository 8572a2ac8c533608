"""Laws of probabilities and of the counts that they bring: Dirichlet and DirichletMultinomial."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kullback._special import gamma_step, phi
from kullback.families.answer import FINITE_SUM, STABLE, SUPPORT, Answer
from kullback.families.base import Family, generator, sample_shape, work
from kullback.families.categorical import Multinomial, log_masses
from kullback.families.dirichlet_form import dirichlet_kl, dirichlet_kl_rows
from kullback.families.namespace import is_concrete, namespace_of, to_host
from kullback.families.parameters import family, positive_vector, whole
from kullback.families.symmetric import equal

Array = Any
Namespace = Any


@family
class Dirichlet(Family):
    """Density ∝ Π xᵢ^{concentrationᵢ − 1} on the simplex."""

    concentration: Array = positive_vector()
    _carrier: ClassVar[str] = "the simplex"

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(K,)."""
        return (int(self.concentration.shape[-1]),)

    @property
    def mean(self) -> Array:
        """Concentration / its sum."""
        return self.concentration / self.concentration.sum(-1)[..., None]

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        if type(q) is not Dirichlet:
            return None
        zero = 0.0 * (self.concentration + q.concentration)
        a, c = self.concentration + zero, q.concentration + zero
        return Answer(_dirichlet_rows(a, c, xp), STABLE)

    def _entropy(self, xp: Namespace) -> Array:
        # H = −KL from the uniform law + the log-volume of the simplex, −lnΓ(K)
        one = xp.ones_like(self.concentration)
        return -_dirichlet_rows(self.concentration, one, xp) - math.lgamma(self.concentration.shape[-1])

    def log_prob(self, x: Array, /) -> Array:
        """Log-density at x along the last axis, x > 0 summing to 1."""
        x = np.asarray(x, dtype=float) if not hasattr(x, "shape") else x
        xp = work(x, *self._leaves())
        a = self._lifted(xp).concentration
        powers = xp.sum((a - 1.0) * xp.log(xp.double(x)))
        return powers + xp.gammaln(xp.sum(a)) - xp.sum(xp.gammaln(a))

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Points of the simplex, shape `shape` + batch shape + (K,)."""
        a = to_host(self.concentration)
        g = generator(random_state).gamma(np.broadcast_to(a, sample_shape(shape) + a.shape))
        return g / g.sum(axis=-1, keepdims=True)


@family
class DirichletMultinomial(Family):
    """Multinomial counts whose probabilities are Dirichlet."""

    concentration: Array = positive_vector()
    total_count: Array = whole()
    _carrier: ClassVar[str] = "vectors of counts"

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(K,)."""
        return (int(self.concentration.shape[-1]),)

    @property
    def _k(self) -> int:
        return int(self.concentration.shape[-1])

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        return counts_kl(self, q, xp)

    def _entropy(self, xp: Namespace) -> Array | None:
        points = _compositions(self)
        if points is None:
            return None
        a = _log_mass(self, points, xp)
        return -xp.sum(xp.exp(a) * a)

    def log_prob(self, x: Array, /) -> Array:
        """Log-mass of counts x along the last axis."""
        xp = work(*self._leaves())
        return _compound_log_mass(self._lifted(xp), xp.double(np.asarray(x, dtype=float)), xp)

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Counts, shape `shape` + batch shape + (K,)."""
        rng = generator(random_state)
        p = Dirichlet(self.concentration).sample(shape, random_state=rng)
        n = np.asarray(self._with(np.asarray).total_count, dtype=np.int64)
        return rng.multinomial(np.broadcast_to(n, p.shape[:-1]), p)


def counts_kl(p: Any, q: Any, xp: Namespace) -> Answer | None:
    """Between laws of counts: exact sum over all compositions of total_count into K parts, while they are few."""
    if not isinstance(q, (Multinomial, DirichletMultinomial)) or not (
        is_concrete(p.total_count) and is_concrete(q.total_count)
    ):
        return None
    if not equal(p.total_count, q.total_count):
        if p.batch_shape or q.batch_shape:
            return None
        note = (
            f"p counts {to_host(p.total_count):g} draws, q {to_host(q.total_count):g}: they share no vector of counts."
        )
        return Answer(xp.double(math.inf), SUPPORT, notes=(note,))
    points = _compositions(p)
    if points is None or q.batch_shape:
        return None
    a, b = _log_mass(p, points, xp), _log_mass(q, points, xp)
    none = a == -math.inf
    u = xp.where(none, 0.0 * b, b - xp.where(none, b, a))
    # p·φ(log q/p) = q − p − p·log(q/p) adds up to the divergence over all compositions
    return Answer(xp.sum(xp.where(none, xp.exp(b), xp.exp(a) * phi(u, xp=xp))), FINITE_SUM)


def _compositions(p: Any) -> Any:
    n, k = to_host(p.total_count), p._k
    if n.ndim or p.batch_shape or math.comb(int(n) + k - 1, k - 1) > 500_000:
        return None
    rows = [[int(n)]]
    for _ in range(k - 1):
        rows = [[*r[:-1], i, r[-1] - i] for r in rows for i in range(r[-1] + 1)]
    return np.array(rows, dtype=float)


def _log_mass(p: Any, x: Any, xp: Namespace) -> Array:
    if isinstance(p, DirichletMultinomial):
        return _compound_log_mass(p, xp.double(x), xp)
    x, logs = xp.double(x), log_masses(p, xp)
    counted = xp.where(x == 0, 0.0 * x, x * xp.where(x == 0, 0.0 * (logs + x), logs + 0.0 * x))
    return xp.gammaln(p.total_count + 1.0) - xp.sum(xp.gammaln(x + 1.0)) + xp.sum(counted)


def _compound_log_mass(p: DirichletMultinomial, x: Any, xp: Namespace) -> Array:
    a, n = p.concentration, p.total_count
    a = a + 0.0 * x
    total = xp.sum(a)
    n = n + 0.0 * total
    rising = xp.sum(gamma_step(a, x, xp=xp)) - gamma_step(total, n, xp=xp)
    return xp.gammaln(n + 1.0) - xp.sum(xp.gammaln(x + 1.0)) + rising


def _dirichlet_rows(a: Array, c: Array, xp: Namespace) -> Array:
    """dirichlet_kl with the components along the last axis."""
    if a.shape[-1] <= 4 and xp.name == "numpy" and a.ndim == 1:
        xp = namespace_of()
        return dirichlet_kl([xp.double(x) for x in a], [xp.double(x) for x in c], xp=xp)
    if a.shape[-1] <= 4:
        return dirichlet_kl([a[..., i] for i in range(a.shape[-1])], [c[..., i] for i in range(a.shape[-1])], xp=xp)
    return dirichlet_kl_rows(a, c, xp=xp)
