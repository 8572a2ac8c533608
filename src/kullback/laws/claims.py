"""What is often said of cross-entropy and KL divergence: true or false, why, and the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from kullback.measures.cross_entropy import cross_entropy
from kullback.measures.entropy import entropy
from kullback.measures.kl_divergence import kl_divergence

_P, _Q, _R = (0.5, 0.5), (0.9, 0.1), (0.99, 0.01)
_FAR = (0.01, 0.99)


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence about KL or cross-entropy; whether it is true; why; the numbers that show it."""

    statement: str
    true: bool
    reason: str
    numbers: str


def claims() -> list[Claim]:
    """Settle the common claims, computing every number now (nats).

    Examples
    --------
    >>> import kullback as kb
    >>> [c.true for c in kb.laws.claims() if "symmetric" in c.statement]
    [False, False]
    """
    return [Claim(statement, true, reason, numbers()) for statement, true, reason, numbers in _CLAIMS]


def _pair(p: tuple[float, ...], q: tuple[float, ...]) -> str:
    return f"P = {_list(p)}, Q = {_list(q)}"


def _list(p: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{x:g}" for x in p) + ")"


def _symmetric_cross_entropy() -> str:
    return f"{_pair(_P, _Q)}: H(P, Q) = {cross_entropy(_P, _Q):.4f}, H(Q, P) = {cross_entropy(_Q, _P):.4f}"


def _cross_entropy_at_equal() -> str:
    return f"H(P, P) = H(P) = {cross_entropy(_P, _P):.4f} at P = {_list(_P)}"


def _sign_of_cross_entropy() -> str:
    density = 0.5 * math.log(2 * math.pi * math.e * 0.1**2)
    lowest = min(cross_entropy(p, q) for p in (_P, _Q, (1.0, 0.0)) for q in (_P, _Q, (1.0, 0.0)))
    return f"smallest of nine pairs of masses: {lowest + 0.0:.4f}; H(N(0, 0.1²), N(0, 0.1²)) = {density:.4f}"


def _triangle_of_cross_entropy() -> str:
    direct = cross_entropy((1.0, 0.0), _FAR)
    round_about = cross_entropy((1.0, 0.0), _R) + cross_entropy(_R, _FAR)
    return (
        f"P = (1, 0), Q = {_list(_R)}, R = {_list(_FAR)}: H(P, R) = {direct:.4f} > "
        f"H(P, Q) + H(Q, R) = {round_about:.4f}; and H(Q, Q) = {cross_entropy(_R, _R):.4f}, not 0"
    )


def _sign_of_kl() -> str:
    near = (0.5 + 1e-12, 0.5 - 1e-12)
    return f"KL = {kl_divergence(_P, _Q):.4f} for {_pair(_P, _Q)}; {kl_divergence(_P, near):.3g} at a distance of 1e-12"


def _zero_of_kl() -> str:
    near = (0.5 + 1e-12, 0.5 - 1e-12)
    return f"KL(P‖P) = {kl_divergence(_P, _P):g}; moved by 1e-12 it is {kl_divergence(_P, near):.3g}, above 0"


def _triangle_of_kl() -> str:
    middle = (0.75, 0.25)
    direct = kl_divergence(_P, _R)
    round_about = kl_divergence(_P, middle) + kl_divergence(middle, _R)
    return (
        f"P = {_list(_P)}, Q = {_list(middle)}, R = {_list(_R)}: KL(P‖R) = {direct:.4f} > "
        f"KL(P‖Q) + KL(Q‖R) = {round_about:.4f}"
    )


def _symmetric_kl() -> str:
    return f"{_pair(_P, _Q)}: KL(P‖Q) = {kl_divergence(_P, _Q):.4f}, KL(Q‖P) = {kl_divergence(_Q, _P):.4f}"


def _identity() -> str:
    ce, h, kl = cross_entropy(_P, _Q), entropy(_P), kl_divergence(_P, _Q)
    return f"{ce:.12f} − {h:.12f} = {ce - h:.12f}; KL = {kl:.12f}"


def _same_minimum() -> str:
    gaps = [f"{cross_entropy(_Q, q) - kl_divergence(_Q, q):.6f}" for q in (_P, _Q, _R, _FAR)]
    return f"H(P, Q) − KL(P‖Q) at four models Q of P = {_list(_Q)}: {', '.join(gaps)}"


_CLAIMS: tuple[tuple[str, bool, str, Callable[[], str]], ...] = (
    (
        "Cross-entropy is symmetric (commutative).",
        False,
        "Swapping P and Q changes what the data are and what the code was made for.",
        _symmetric_cross_entropy,
    ),
    (
        "Cross-entropy is zero exactly when P = Q.",
        False,
        "At P = Q it is H(P), the least it can be over Q; zero only where P is a single category.",
        _cross_entropy_at_equal,
    ),
    (
        "Cross-entropy is non-negative.",
        True,
        "For masses: no code has negative length. For densities it is false: a density may exceed 1.",
        _sign_of_cross_entropy,
    ),
    (
        "Cross-entropy is no metric because it lacks the triangle inequality.",
        True,
        "It lacks it, but that is the least: it is not symmetric, and not zero at P = Q either.",
        _triangle_of_cross_entropy,
    ),
    (
        "KL divergence is never negative.",
        True,
        "Each category contributes p·log(p/q) − p + q ≥ 0 (Gibbs). A negative value is a rounding error.",
        _sign_of_kl,
    ),
    (
        "KL divergence is zero exactly when P = Q.",
        True,
        "p·log(p/q) − p + q = 0 only at q = p.",
        _zero_of_kl,
    ),
    (
        "KL divergence is a metric.",
        False,
        "It is neither symmetric nor does it obey the triangle inequality; √JS is a metric.",
        _triangle_of_kl,
    ),
    (
        "KL divergence is symmetric.",
        False,
        "KL(P‖Q) averages over what P draws, KL(Q‖P) over what Q draws.",
        _symmetric_kl,
    ),
    (
        "KL divergence = cross-entropy − entropy.",
        True,
        "Σ p log(p/q) = −Σ p log q + Σ p log p. (Compute KL directly: the difference loses digits.)",
        _identity,
    ),
    (
        "Minimising cross-entropy and minimising KL divergence over Q are the same.",
        True,
        "They differ by H(P), which does not depend on Q: same minimiser, same gradient.",
        _same_minimum,
    ),
)
