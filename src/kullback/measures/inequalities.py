"""What one measure says about the others: certified intervals, and a KL divergence read in other units.

Each inequality b ≥ L(a) or b ≤ U(a) holds for all pairs of distributions, L and U never decrease; intervals are passed
along them until nothing tightens any more. All in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from kullback._special import SKEW_RADIUS, skew
from kullback.errors import InvalidDistribution, InvalidForm

_LN2 = math.log(2.0)
_RANGES = {
    "kl_divergence": (0.0, math.inf),
    "reverse_kl_divergence": (0.0, math.inf),
    "jeffreys_divergence": (0.0, math.inf),
    "js_divergence": (0.0, _LN2),
    "js_distance": (0.0, math.sqrt(_LN2)),
    "total_variation": (0.0, 1.0),
    "hellinger_distance": (0.0, 1.0),
    "bhattacharyya_distance": (0.0, math.inf),
    "chi2_divergence": (0.0, math.inf),
}
Bound = Callable[[float], float]


def bounds(
    *,
    kl_divergence: float | None = None,
    reverse_kl_divergence: float | None = None,
    jeffreys_divergence: float | None = None,
    js_divergence: float | None = None,
    js_distance: float | None = None,
    total_variation: float | None = None,
    hellinger_distance: float | None = None,
    bhattacharyya_distance: float | None = None,
    chi2_divergence: float | None = None,
) -> dict[str, tuple[float, float]]:
    """The interval in which every other measure of the same pair must lie, given one of them (in nats).

    Parameters
    ----------
    kl_divergence, reverse_kl_divergence, jeffreys_divergence, js_divergence, js_distance
        Exactly one of these or of the next, by its name. `reverse_kl_divergence` is KL(Q‖P).
    total_variation, hellinger_distance, bhattacharyya_distance, chi2_divergence
        As above.

    Returns
    -------
    dict
        Measure → (low, high), certified for all pairs of distributions; the measure given → (value, value).

    Raises
    ------
    InvalidForm
        None or more than one is given.
    InvalidDistribution
        A value outside the measure's range.

    Notes
    -----
    Pinsker KL ≥ 2TV² (with Topsøe's 4/9 TV⁴ + 32/135 TV⁶); Vajda KL ≥ log((1+TV)/(1−TV)) − 2TV/(1+TV);
    Bretagnolle–Huber KL ≥ −log(1−TV²); KL ≤ log(1+χ²); Hellinger H² ≤ TV ≤ H√(2−H²) and KL ≥ −2 log(1−H²);
    H² ln 2 ≤ JS ≤ H²; ln 2 − h((1+TV)/2) ≤ JS ≤ TV ln 2. Sources: Tsybakov 2009, §2.4, doi:10.1007/b13794; Vajda
    1970, doi:10.1109/TIT.1970.1054557; Canonne 2022, arXiv:2202.07198; Topsøe 2000, doi:10.1109/18.850703.

    Examples
    --------
    >>> import kullback as kb
    >>> low, high = kb.bounds(kl_divergence=0.5)["total_variation"]
    >>> round(low, 3), round(high, 3)
    (0.0, 0.486)
    """
    given = {k: v for k, v in locals().items() if v is not None}
    if len(given) != 1:
        msg = f"bounds got {len(given)} measures; expected exactly one of {', '.join(_RANGES)}."
        raise InvalidForm(msg)
    (name, value) = next(iter(given.items()))
    low, high = _RANGES[name]
    value = float(value)
    if not low <= value <= high:
        msg = f"{name}={value}; expected a number in [{low:g}, {high:.17g}] (nats)."
        raise InvalidDistribution(msg)
    intervals = dict(_RANGES)
    intervals[name] = (value, value)
    while _tighten(intervals, fixed=name):
        pass
    return intervals


def _tighten(intervals: dict[str, tuple[float, float]], *, fixed: str) -> bool:
    changed = False
    for a, b, lower, upper in _INEQUALITIES:
        if b == fixed:
            continue
        (a_low, a_high), (low, high) = intervals[a], intervals[b]
        # A few ulp outwards: the bounds are certified, their evaluation is rounded.
        new_low = max(low, lower(a_low) * (1 - 1e-14)) if lower else low
        new_high = min(high, upper(a_high) * (1 + 1e-14)) if upper else high
        if new_low > low * (1 + 1e-12) + 1e-300 or new_high < high * (1 - 1e-12):
            intervals[b] = (new_low, max(new_low, new_high))
            changed = True
    return changed


@dataclass(frozen=True, slots=True)
class Reading:
    """A KL divergence in everyday units.

    Attributes
    ----------
    kl_divergence
        The value read, in nats.
    extra_bits
        Bits wasted for each symbol coded with Q's code instead of P's.
    samples_at_least
        Draws that any test needs to tell P from Q at errors α and β (certified).
    samples_about
        Draws that the best test needs, to first order: ln(1/β)/KL (Chernoff–Stein).
    accuracy_at_most
        Accuracy that no classifier of single draws from P or Q can exceed, (1+TV)/2.
    mean_shift
        Shift of a bell curve, in standard deviations, with this KL: √(2·KL).
    """

    kl_divergence: float
    extra_bits: float
    samples_at_least: float
    samples_about: float
    accuracy_at_most: float
    mean_shift: float


def interpret(kl_divergence: float, /, *, alpha: float = 0.05, beta: float = 0.05) -> Reading:
    """What a KL divergence (nats) means: extra bits, draws needed to notice, best accuracy of a discriminator.

    Parameters
    ----------
    kl_divergence
        KL(P‖Q) ≥ 0 in nats; P is what the data really come from.
    alpha
        Allowed probability of rejecting P although the data come from it.
    beta
        Allowed probability of accepting P although the data come from Q.

    Returns
    -------
    Reading
        Every field in its unit.

    Raises
    ------
    InvalidDistribution
        A negative divergence; errors that are not in (0, 1) or with α + β ≥ 1.

    Notes
    -----
    A test with errors α, β of n draws satisfies n·KL ≥ (1−α)log((1−α)/β) + α log(α/(1−β)) by data processing; Stein's
    lemma says that ln(1/β)/KL suffices to first order. Cover & Thomas, chapter 11, doi:10.1002/047174882X.

    Examples
    --------
    >>> import kullback as kb
    >>> round(kb.interpret(0.02).samples_about)
    150
    """
    kl = float(kl_divergence)
    if not kl >= 0:
        msg = f"kl_divergence={kl_divergence!r}; expected a number ≥ 0, in nats."
        raise InvalidDistribution(msg)
    if not (0 < alpha < 1 and 0 < beta < 1 and alpha + beta < 1):
        msg = f"alpha={alpha!r}, beta={beta!r}; expected error probabilities in (0, 1) with alpha + beta < 1."
        raise InvalidDistribution(msg)
    needed = (1 - alpha) * math.log((1 - alpha) / beta) + alpha * math.log(alpha / (1 - beta))
    per_draw = math.inf if kl == 0 else 1.0 / kl
    return Reading(
        kl_divergence=kl,
        extra_bits=kl / _LN2,
        samples_at_least=needed * per_draw,
        samples_about=-math.log(beta) * per_draw,
        accuracy_at_most=0.5 + 0.5 * bounds(kl_divergence=kl)["total_variation"][1],
        mean_shift=math.sqrt(2.0 * kl),
    )


def _inverse(f: Bound, high: float = 1.0, *, downwards: bool = False) -> Bound:
    """The a in [0, high] at which f, which never decreases, passes y; by halving, rounded up, or down."""

    def inverse(y: float) -> float:
        if f(high) <= y:
            return high
        low, top = 0.0, high
        for _ in range(200):
            middle = 0.5 * (low + top)
            if f(middle) <= y:
                low = middle
            else:
                top = middle
        return low if downwards else top

    return inverse


def _pinsker(t: float) -> float:
    """KL ≥ each of Pinsker (with Topsøe's further terms), Vajda, Bretagnolle–Huber."""
    if t >= 1.0:
        return math.inf
    # Vajda's is the largest only for large t, and its difference loses digits for small ones.
    vajda = math.log1p(t) - math.log1p(-t) - 2 * t / (1 + t) if t > 0.5 else 0.0
    pinsker = 2 * t**2 + 4 / 9 * t**4 + 32 / 135 * t**6
    return max(pinsker, vajda, -math.log1p(-t * t))


def _chi2_from_tv(t: float) -> float:
    if t >= 1.0:
        return math.inf
    return 4 * t * t if t < 0.5 else t / (1 - t)


def _jeffreys_from_tv(t: float) -> float:
    return math.inf if t >= 1.0 else 2 * t * (math.log1p(t) - math.log1p(-t))


def _js_from_tv(t: float) -> float:
    """Ln 2 − h((1+t)/2) = ½[(1+t)log1p t + (1−t)log1p(−t)]."""
    if t >= 1.0:
        return _LN2
    if t < SKEW_RADIUS:
        return float(skew(t, xp=None))
    return 0.5 * ((1 + t) * math.log1p(t) + (1 - t) * math.log1p(-t))


def _bhattacharyya(h: float) -> float:
    return math.inf if h >= 1.0 else -math.log1p(-h * h)


def _hellinger(b: float) -> float:
    return math.sqrt(-math.expm1(-b))


def _exp_minus_one(k: float) -> float:
    return math.expm1(k) if k < 700 else math.inf


# (a, b, L, U): b ≥ L(a) and b ≤ U(a); None where nothing is known in that direction.
_INEQUALITIES: list[tuple[str, str, Bound | None, Bound | None]] = [
    ("total_variation", "kl_divergence", _pinsker, None),
    ("kl_divergence", "total_variation", None, _inverse(_pinsker)),
    ("total_variation", "reverse_kl_divergence", _pinsker, None),
    ("reverse_kl_divergence", "total_variation", None, _inverse(_pinsker)),
    ("total_variation", "chi2_divergence", _chi2_from_tv, None),
    ("chi2_divergence", "total_variation", None, _inverse(_chi2_from_tv)),
    ("total_variation", "jeffreys_divergence", _jeffreys_from_tv, None),
    ("jeffreys_divergence", "total_variation", None, _inverse(_jeffreys_from_tv)),
    ("total_variation", "js_divergence", _js_from_tv, lambda t: _LN2 * t),
    ("js_divergence", "total_variation", lambda j: j / _LN2, _inverse(_js_from_tv)),
    ("hellinger_distance", "total_variation", lambda h: h * h, lambda h: h * math.sqrt(2 - h * h)),
    ("total_variation", "hellinger_distance", _inverse(lambda h: h * math.sqrt(2 - h * h), downwards=True), math.sqrt),
    ("hellinger_distance", "js_divergence", lambda h: _LN2 * h * h, lambda h: h * h),
    ("js_divergence", "hellinger_distance", math.sqrt, lambda j: math.sqrt(j / _LN2)),
    ("js_divergence", "js_distance", math.sqrt, math.sqrt),
    ("js_distance", "js_divergence", lambda d: d * d, lambda d: d * d),
    ("hellinger_distance", "bhattacharyya_distance", _bhattacharyya, _bhattacharyya),
    ("bhattacharyya_distance", "hellinger_distance", _hellinger, _hellinger),
    # Rényi's divergence never decreases in its order: ½ ≤ 1 ≤ 2.
    ("bhattacharyya_distance", "kl_divergence", lambda b: 2 * b, None),
    ("kl_divergence", "bhattacharyya_distance", None, lambda k: k / 2),
    ("bhattacharyya_distance", "reverse_kl_divergence", lambda b: 2 * b, None),
    ("reverse_kl_divergence", "bhattacharyya_distance", None, lambda k: k / 2),
    ("bhattacharyya_distance", "jeffreys_divergence", lambda b: 4 * b, None),
    ("jeffreys_divergence", "bhattacharyya_distance", None, lambda j: j / 4),
    ("kl_divergence", "chi2_divergence", _exp_minus_one, None),
    ("chi2_divergence", "kl_divergence", None, math.log1p),
    ("kl_divergence", "jeffreys_divergence", lambda k: k, None),
    ("jeffreys_divergence", "kl_divergence", None, lambda j: j),
    ("reverse_kl_divergence", "jeffreys_divergence", lambda k: k, None),
    ("jeffreys_divergence", "reverse_kl_divergence", None, lambda j: j),
    ("jeffreys_divergence", "js_divergence", None, lambda j: j / 4),
    ("js_divergence", "jeffreys_divergence", lambda s: 4 * s, None),
]
