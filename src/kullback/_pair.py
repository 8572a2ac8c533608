"""Two distributions on the same categories, exactly normalised, with their difference and log-ratio to the last bits.

Everything that compares P and Q is written in p, q, δ = q − p and u = log(q/p). The masses are divided by their totals,
the differences never come from those quotients: normalising p and q first and subtracting afterwards would lose the
digits of δ when P and Q are close.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kullback._door import Clean
from kullback._double_double import two_product
from kullback._special import PSI_HIGH, PSI_LOW, expm1, log_sum_exp, psi_series

Array = Any
Namespace = Any


@dataclass(slots=True, eq=False)
class Pair:
    """Clean arrays, categories last: p and q sum to 1; δ = q − p; u = log q − log p (0 where both are 0)."""

    p: Array
    q: Array
    delta: Array
    xp: Namespace
    known_u: Array | None = None

    @property
    def u(self) -> Array:
        """The log-ratio, made of p, q and δ when a measure first wants it."""
        if self.known_u is None:
            self.known_u = log_ratio(self.p, self.q, self.delta, self.xp)
        return self.known_u

    def kl_terms(self) -> Array:
        """Q − p − p·u = p·ψ(δ/p) ≥ 0 for each category: they add up to KL(P‖Q). Where p = 0 the term is q."""
        xp = self.xp
        s, near = self._relative()
        empty = self.p == 0
        lost = xp.isinf(self.u)
        zero = xp.zeros_like(self.u)
        far = self.delta - self.p * xp.where(near | lost, zero, self.u)
        terms = xp.where(near, self.p * psi_series(s), far)
        return xp.where(empty, self.q, xp.where(lost, zero + float("inf"), terms))

    def reversed(self) -> Pair:
        """The same with P and Q exchanged."""
        u = None if self.known_u is None else -self.known_u
        return Pair(self.q, self.p, -self.delta, self.xp, u)

    def _relative(self) -> tuple[Array, Array]:
        """S = δ/p where it is small (0 elsewhere), and where that is."""
        xp = self.xp
        some = self.p > 0
        s = self.delta / xp.where(some, self.p, xp.ones_like(self.p))
        near = some & (s > PSI_LOW) & (s < PSI_HIGH)
        return xp.where(near, s, xp.zeros_like(s)), near


def pair(first: Clean, second: Clean, *, xp: Namespace) -> Pair:
    """The pair of two clean arrays, of whatever forms."""
    if first.log or second.log:
        return _pair_of_logs(_log_masses(first, xp), _log_masses(second, xp), xp)
    return _pair_of_masses(first, second, xp)


def masses(part: Clean, *, xp: Namespace) -> Array:
    """The array, exactly normalised."""
    x = part.values
    if part.log:
        return _softmax(x, xp)
    return x / xp.sum(x, axis=-1, keepdims=True)


def relative_to_top(part: Clean, *, xp: Namespace) -> tuple[Array, Array, Array]:
    """(w, log w, rest): masses divided by the largest one, and Σw − 1 without the digits that Σw would lose."""
    x = part.values
    top = xp.max(x, axis=-1, keepdims=True)
    if part.log:
        log_w = x - top
        w = xp.exp(log_w)
    else:
        w = x / top
        empty = w == 0
        log_w = xp.where(empty, xp.zeros_like(w) - float("inf"), xp.log(xp.where(empty, xp.ones_like(w), w)))
    rest = xp.sum(xp.where(is_top(x, xp), xp.zeros_like(w), w), axis=-1, keepdims=True)
    return w, log_w, rest


def _pair_of_masses(first: Clean, second: Clean, xp: Namespace) -> Pair:
    a, b = first.values, second.values
    total_a = xp.sum(a, axis=-1, keepdims=True)
    total_b = xp.sum(b, axis=-1, keepdims=True)
    p, q = a / total_a, b / total_b
    if first.counted or second.counted:
        # q/Q − p/P = (qP − pQ)/(PQ): the totals differ, so the products are differenced exactly.
        gap = difference_of_products(b, total_a, a, total_b, xp) / total_a
    else:
        # Both totals are 1 within rounding, and q − p is exact where p and q are close.
        gap = b - a
    # δ sums to 0: taking Σ gap off again removes what rounded totals, or totals that are not quite 1, left behind.
    delta = gap - p * xp.sum(gap, axis=-1, keepdims=True)
    most = p > 0.9
    if xp is not np or np.any(most):
        # Of one mass's own gap only the share of the others is left: 1 − p, which has lost its digits next to 1.
        others, others_gap = (xp.sum(xp.where(most, 0.0 * x, x), axis=-1, keepdims=True) for x in (p, gap))
        delta = xp.where(most, gap * others - p * others_gap, delta)
    delta = delta / total_b
    p, q = _broadcast(p, q, xp)
    return Pair(p, q, delta, xp)


def log_ratio(p: Array, q: Array, delta: Array, xp: Namespace) -> Array:
    """log(q/p): log1p(δ/p) where P and Q are close, the quotient's logarithm beyond, a difference if that overflows."""
    one, zero = xp.ones_like(p), xp.zeros_like(p)
    both = (p > 0) & (q > 0)
    safe_p, safe_q = xp.where(both, p, one), xp.where(both, q, one)
    s = delta / safe_p
    near = both & (s > -0.5) & (s < 1.0)
    close = xp.log1p(xp.where(near, s, zero))
    info = xp.finfo(p.dtype)
    huge, tiny = float(info.max) ** 0.9, float(info.smallest_normal) ** 0.9
    ratio = safe_q / safe_p
    normal = (ratio > tiny) & (ratio < huge)
    quotient = xp.log(xp.where(normal, ratio, one))
    apart = xp.log(safe_q) - xp.log(safe_p)
    u = xp.where(near, close, xp.where(normal, quotient, apart))
    infinity = zero + float("inf")
    return xp.where(both, u, xp.where(p > 0, -infinity, xp.where(q > 0, infinity, zero)))


def _pair_of_logs(a: Array, b: Array, xp: Namespace) -> Pair:
    a, b = _broadcast(a, b, xp)
    zero = xp.zeros_like(a)
    minus_infinity = zero - float("inf")
    here_a, here_b = a > minus_infinity, b > minus_infinity
    both = here_a & here_b
    p, q = _softmax(a, xp), _softmax(b, xp)
    # d = b − a is exact where the logits are close; centred at the mode of P it stays small where the mass is.
    d = xp.where(both, b, zero) - xp.where(both, a, zero)
    d = d - xp.sum(xp.where(is_top(a, xp) & both, d, zero), axis=-1, keepdims=True)
    # L = log Σ p·eᵈ, of which log1p(Σ p·expm1(d)) keeps all digits; a category that only Q has needs the other form.
    highest = xp.max(xp.where(both, d, zero), axis=-1, keepdims=True)
    gain = xp.where(both, p * expm1(xp.where(d < 50.0, d, zero), xp=xp), -p)
    only_q = xp.max(xp.where(here_b & ~here_a, 1.0 + zero, zero), axis=-1, keepdims=True) > 0
    total = xp.sum(gain, axis=-1, keepdims=True)
    exact = (highest < 50.0) & ~only_q & (total > -0.9)
    norm_a, norm_b = log_sum_exp(a, xp=xp), log_sum_exp(b, xp=xp)
    small_l = xp.log1p(xp.where(exact, total, xp.zeros_like(total)))
    shift = xp.sum(
        xp.where(is_top(a, xp) & both, xp.where(both, b, zero) - xp.where(both, a, zero), zero), axis=-1, keepdims=True
    )
    large_l = (norm_b - norm_a) - shift
    u = d - xp.where(exact, small_l, large_l)
    u = xp.where(both, u, xp.where(here_a, minus_infinity, xp.where(here_b, -minus_infinity, zero)))
    close = both & (xp.abs(u) < 0.5)
    delta = xp.where(close, p * expm1(xp.where(close, u, zero), xp=xp), q - p)
    return Pair(p, q, delta, xp, u)


def _log_masses(part: Clean, xp: Namespace) -> Array:
    if part.log:
        return part.values
    x = part.values
    empty = x == 0
    return xp.where(empty, xp.zeros_like(x) - float("inf"), xp.log(xp.where(empty, xp.ones_like(x), x)))


def _softmax(a: Array, xp: Namespace) -> Array:
    e = xp.exp(a - xp.max(a, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def is_top(x: Array, xp: Namespace) -> Array:
    """True at the first largest entry of each row and nowhere else."""
    where = xp.expand_dims(xp.argmax(x, axis=-1), axis=-1)
    index = xp.arange(x.shape[-1], dtype=where.dtype, **_on(x))
    return index == where


def _on(x: Array) -> dict[str, Any]:
    """Torch tensors may live on a GPU; other libraries place a new array beside its operand."""
    return {"device": x.device} if hasattr(x, "is_cuda") else {}


def _broadcast(a: Array, b: Array, xp: Namespace) -> tuple[Array, Array]:
    if a.shape == b.shape:
        return a, b
    x, y = xp.broadcast_arrays(a, b)
    return x, y


def difference_of_products(a: Array, b: Array, c: Array, d: Array, xp: Namespace) -> Array:
    """a·b − c·d with one rounding (Dekker's products), however many digits the two products share."""
    high_1, low_1 = two_product(a, b, xp)
    high_2, low_2 = two_product(c, d, xp)
    return (high_1 - high_2) + (low_1 - low_2)
