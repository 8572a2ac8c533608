"""MultivariateStudentT: exact towards nobody, by one integral from the normal law and between laws of one shape."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from kullback._special import gamma_step
from kullback.errors import InvalidDistribution
from kullback.families.answer import EXPECTATIONS, QUADRATURE, Answer
from kullback.families.base import Family, generator, sample_shape, work
from kullback.families.covariance import check_spd, log_det
from kullback.families.multivariate_normal import MultivariateNormal, mahalanobis
from kullback.families.namespace import to_host
from kullback.families.normal import HALF_LOG_2PI
from kullback.families.parameters import family, positive, real_matrix, real_vector

Array = Any
Namespace = Any


@family
class MultivariateStudentT(Family):
    """Student's t on vectors: df degrees of freedom, location loc, scale matrix `shape`, as in SciPy."""

    df: Array = positive()
    loc: Array = real_vector()
    shape: Array = real_matrix()
    _carrier: ClassVar[str] = "all vectors"

    def _check_together(self) -> None:
        check_spd(self.shape, "MultivariateStudentT.shape")
        if self.loc.shape[-1] != self.shape.shape[-1]:
            sizes = f"loc of {self.loc.shape[-1]} and shape of {self.shape.shape[-1]} dimensions"
            msg = f"MultivariateStudentT got {sizes}; expected the same."
            raise InvalidDistribution(msg)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(d,)."""
        return (int(self.shape.shape[-1]),)

    def _log_constant(self, xp: Namespace) -> Array:
        d, nu = self.shape.shape[-1], self.df
        gammas = gamma_step(0.5 * nu, 0.5 * d, xp=xp)
        return gammas - 0.5 * d * xp.log(nu * math.pi) - 0.5 * log_det(xp.cholesky(self.shape), xp=xp)

    def _entropy(self, xp: Namespace) -> Array:
        d, nu = self.shape.shape[-1], self.df
        return 0.5 * (nu + d) * (xp.digamma(0.5 * (nu + d)) - xp.digamma(0.5 * nu)) - self._log_constant(xp)

    def _kl(self, q: Any, xp: Namespace) -> Answer | None:
        dense = getattr(q, "_dense", None)
        dense = None if dense is None else dense(xp)
        if type(dense) is MultivariateNormal:
            # E[(x−μ)ᵀS⁻¹(x−μ)] = Δᵀ S⁻¹ Δ + ν/(ν−2)·tr(S⁻¹Σ), infinite for ν ≤ 2
            L2 = xp.cholesky(dense.cov)
            W = xp.solve_lower(L2, xp.cholesky(self.shape))
            exists = self.df > 2
            factor = self.df / xp.where(exists, self.df - 2.0, xp.ones_like(self.df))
            square = mahalanobis(self.loc - dense.mean, L2, xp) + factor * xp.sum(xp.sum(W * W))
            d = L2.shape[-1]
            value = 0.5 * square + d * HALF_LOG_2PI + 0.5 * log_det(L2, xp=xp) - self._entropy(xp)
            return Answer(xp.where(exists, value, math.inf + 0.0 * value), EXPECTATIONS)
        return None

    def log_prob(self, x: Array, /) -> Array:
        """Log-density at x along the last axis."""
        x = np.asarray(x, dtype=float) if not hasattr(x, "shape") else x
        xp = work(x, *self._leaves())
        p = self._lifted(xp)
        z = mahalanobis(xp.double(x) - p.loc, xp.cholesky(p.shape), xp)
        return p._log_constant(xp) - 0.5 * (p.df + p.shape.shape[-1]) * xp.log1p(z / p.df)

    def sample(self, shape: Any = (), /, *, random_state: Any) -> Array:
        """Vectors, shape `shape` + batch shape + (d,)."""
        p, rng = self._with(to_host), generator(random_state)
        size = sample_shape(shape) + self.batch_shape
        z = rng.standard_normal((*size, *self.event_shape))
        w = np.sqrt(np.broadcast_to(p.df, size) / rng.chisquare(np.broadcast_to(p.df, size)))
        return p.loc + (np.linalg.cholesky(p.shape) @ z[..., None])[..., 0] * w[..., None]


def numeric_kl(p: Any, q: MultivariateStudentT) -> Answer | None:
    """KL from a normal or Student law to a Student law, one pair, by one or two integrals over scales.

    log(1 + x) = ∫₀^∞ (1 − e^{−sx})e^{−s}/s ds turns E log(1 + Q/ν) into the Laplace transform of a quadratic form,
    known for a normal law; a Student law is a normal one whose scale is drawn, which costs a second integral.
    """
    from kullback.families.dispatch import no_closed_form

    dense = getattr(p, "_dense", None)
    from kullback.families.namespace import namespace_of

    xp = namespace_of(np.zeros(1))
    student = type(p) is MultivariateStudentT
    if not student:
        p = None if dense is None else dense(xp)
        if type(p) is not MultivariateNormal:
            return None
    loc, S = (p.loc, p.shape) if student else (p.mean, p.cov)
    L = np.linalg.cholesky(q.shape)
    W = np.linalg.solve(L, np.linalg.cholesky(S))
    values, vectors = np.linalg.eigh(W @ W.T)
    shift = (vectors.T @ np.linalg.solve(L, loc - q.loc)) ** 2
    nu = float(q.df)

    def expected_log(mixing: Any) -> Any:
        """E log(1 + Q/ν) for normal laws with covariance mixing·S, one per entry."""
        fine, coarse = (_log_moment(values / nu, shift / nu, mixing, n) for n in (1200, 800))
        return fine, np.abs(fine - coarse).max()

    if student:
        # mixing = ν_p/χ²(ν_p), by Gauss–Legendre in its logarithm over the range that carries mass
        from scipy.stats import chi2

        edges = np.log(float(p.df) / np.array([chi2.isf(1e-18, float(p.df)), chi2.ppf(1e-18, float(p.df))]))
        low, high = edges[0], min(edges[1], 200.0)
        results = []
        for n in (500, 400):
            nodes, weights = np.polynomial.legendre.leggauss(n)
            u = 0.5 * (high - low) * (nodes + 1.0) + low
            density = chi2.pdf(float(p.df) * np.exp(-u), float(p.df)) * float(p.df) * np.exp(-u)
            inner, inner_error = expected_log(np.exp(u))
            results.append(0.5 * (high - low) * float(np.sum(weights * density * inner)))
        mean, error = results[0], abs(results[0] - results[1]) + float(inner_error)
    else:
        inner, inner_error = expected_log(np.ones(1))
        mean, error = float(inner[0]), float(inner_error)
    lifted = p._lifted(xp)
    d = len(values)
    value = float(-lifted._entropy(xp) - q._lifted(xp)._log_constant(xp) + 0.5 * (nu + d) * mean)
    error = 0.5 * (nu + d) * error
    if error > 1e-10 * abs(value):
        raise no_closed_form(p, q, f"quadrature reached {value:.10g} ± {error:.2g}, not the relative error 1e-10")
    return Answer(value, QUADRATURE, error)


def _log_moment(a: Any, b: Any, mixing: Any, n: int) -> Any:
    """∫ (1 − M(s))e^{−s}/s ds, M(s) = Π(1 + 2s·aᵢw)^{−½}·exp(−s·bᵢ/(1 + 2s·aᵢw)), by the trapezoid rule in log s."""
    t = np.linspace(-80.0, 6.0, n)
    s = np.exp(t)
    scaled = 1.0 + 2.0 * s[:, None, None] * a * np.asarray(mixing)[None, :, None]
    log_m = (-0.5 * np.log(scaled) - s[:, None, None] * b / scaled).sum(axis=-1)
    return (t[1] - t[0]) * np.sum(-np.expm1(log_m) * np.exp(-s)[:, None], axis=0)
