"""The divergences between a teacher's and a student's distribution, entry by entry: the formulas of the whole room.

t and s are the two distributions of one token, u = log s − log t, m = β·t + (1−β)·s. Every kind is a sum of entries
that are never negative and vanish only where t = s, built from KL(a‖b) = Σ a·φ(log b − log a), φ(u) = expm1(u) − u
(the entries differ from a·log(a/b) by b − a, which sums to nothing). Its derivative in the student's logits is
dz = s·(G − Σ s·G), where the score G is a function of u alone, again 0 where t = s.

    kind               Σ of                                          score G(u), up to a constant
    forward_kl         KL(t‖s)                                       −expm1(−u)
    reverse_kl         KL(s‖t)                                       u
    skew_kl            KL(t‖m)                                       −(1−β)·expm1(−log(m/t))
    reverse_skew_kl    KL(s‖β·s + (1−β)·t), its mirror               −log(m/s) − β·expm1(−log(m/s)), that m
    skew_js            [β·KL(t‖m) + (1−β)·KL(s‖m)] / (β(1−β))        −log(m/s)/β
    tv                 ½|t − s|                                      ½·sign(u)

skew_js is forward_kl at β → 0 and reverse_kl at β → 1; Jensen–Shannon is ¼·skew_js at β = ½.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kullback._special import phi
from kullback.errors import InvalidInput

KINDS = ("forward_kl", "reverse_kl", "js", "skew_js", "skew_kl", "tv")


def settle(kind: str, beta: float) -> tuple[str, float, float]:
    """(kind, β, factor) with `js` and the end points of the skewed kinds rewritten as what they are."""
    if kind not in KINDS:
        msg = f"kind is {kind!r}; expected one of {', '.join(KINDS)}"
        raise InvalidInput(msg)
    if kind == "js":
        return "skew_js", 0.5, 0.25
    if kind not in ("skew_js", "skew_kl"):
        return kind, 0.5, 1.0
    if not 0.0 <= beta <= 1.0:
        msg = f"beta is {beta}; expected a weight of the teacher between 0 and 1"
        raise InvalidInput(msg)
    if kind == "skew_kl" and beta == 1.0:
        msg = "skew_kl with beta=1 is KL(teacher‖teacher) = 0 for every student: choose beta < 1"
        raise InvalidInput(msg)
    if beta == 0.0:
        return "forward_kl", 0.5, 1.0
    if beta == 1.0:
        return "reverse_kl", 0.5, 1.0
    return kind, beta, 1.0


def mirror(kind: str, beta: float) -> tuple[str, float]:
    """The kind whose value is the same with teacher and student exchanged: it gives the teacher's derivative."""
    swapped = {
        "forward_kl": "reverse_kl",
        "reverse_kl": "forward_kl",
        "skew_kl": "reverse_skew_kl",
        "reverse_skew_kl": "skew_kl",
    }
    return swapped.get(kind, kind), 1.0 - beta if kind == "skew_js" else beta


def log_ratio(log_t: Tensor, log_s: Tensor) -> Tensor:
    """The ratio u = log s − log t; 0 where both are empty (−∞), because such an entry takes no part."""
    nothing = (log_t == -math.inf) & (log_s == -math.inf)
    zero = torch.zeros_like(log_s)
    return torch.where(nothing, zero, torch.where(nothing, zero, log_s) - torch.where(nothing, zero, log_t))


def log_mixture_ratio(u: Tensor, beta: float) -> Tensor:
    """log(β + (1−β)·eᵘ) = log(m/t), 0 < β < 1; exact near u = 0, finite at u = −∞, u + log(1−β) for large u."""
    large = u > 1.0
    zero = torch.zeros_like(u)
    low = torch.log1p((1.0 - beta) * torch.expm1(torch.where(large, zero, u)))
    high = torch.where(large, u, zero)
    return torch.where(large, high + torch.log1p(beta * torch.expm1(-high)), low)


def kl_entry(a: Tensor, b: Tensor, u: Tensor) -> Tensor:
    """a·φ(u) = b − a − a·u for b = a·eᵘ: b where a is 0, ∞ where b is 0 and a is not."""
    large = u > 1.0
    zero = torch.zeros_like(u)
    # The first form cannot overflow and, for u > 1, cannot cancel; an infinite u there means a = 0.
    far = b - a - a * torch.where(large & (u < math.inf), u, zero)
    near = a * phi(torch.where(large, zero, u), xp=torch)
    return torch.where(large, far, torch.where(a == 0.0, b, near))


def entries(log_t: Tensor, log_s: Tensor, *, kind: str, beta: float) -> Tensor:
    """The non-negative entries of a divergence (a kind that `settle` has returned, or a mirror)."""
    t, s, u = torch.exp(log_t), torch.exp(log_s), log_ratio(log_t, log_s)
    if kind == "forward_kl":
        return kl_entry(t, s, u)
    if kind == "reverse_kl":
        return kl_entry(s, t, -u)
    if kind == "tv":
        # |t − s| = max(t, s)·(1 − e^−|u|), without the cancellation of t − s
        return -0.5 * torch.maximum(t, s) * torch.expm1(-torch.abs(u))
    if kind == "reverse_skew_kl":
        return kl_entry(s, beta * s + (1.0 - beta) * t, log_mixture_ratio(-u, beta))
    m = beta * t + (1.0 - beta) * s
    from_teacher = kl_entry(t, m, log_mixture_ratio(u, beta))
    if kind == "skew_kl":
        return from_teacher
    return from_teacher / (1.0 - beta) + kl_entry(s, m, log_mixture_ratio(-u, 1.0 - beta)) / beta


def score(u: Tensor, *, kind: str, beta: float) -> Tensor:
    """G(u), so that dz = s·(G − Σ s·G); of forward_kl it is not needed, because there dz = s − t."""
    if kind == "reverse_kl":
        return u
    if kind == "tv":
        return 0.5 * torch.sign(u)
    if kind == "skew_kl":
        return -(1.0 - beta) * torch.expm1(-log_mixture_ratio(u, beta))
    if kind == "reverse_skew_kl":
        r = log_mixture_ratio(-u, beta)
        return -r - beta * torch.expm1(-r)
    if kind == "skew_js":
        return -log_mixture_ratio(-u, 1.0 - beta) / beta
    return -torch.expm1(-u)
