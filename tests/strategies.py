"""Distributions that find bugs: zeros, ties, tiny masses, one category, wide logits, P and Q nearly equal."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

MASSES = st.one_of(
    st.floats(0.01, 1.0),
    st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0]),  # ties and zeros
    st.floats(1e-300, 1e-3),  # log-uniform enough: Hypothesis likes small exponents
    st.sampled_from([1e-300, 1e-20, 1e-8]),
)


@st.composite
def sizes(draw: st.DrawFn, at_most: int = 8) -> int:
    return draw(st.integers(1, at_most))


@st.composite
def distributions(draw: st.DrawFn, n: int) -> np.ndarray[Any, Any]:
    """One distribution on n categories."""
    masses = np.array(draw(st.lists(MASSES, min_size=n, max_size=n)))
    if not masses.any():
        masses[draw(st.integers(0, n - 1))] = 1.0
    return masses / masses.sum()


@st.composite
def near(draw: st.DrawFn, p: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A distribution within a relative 1e-2 … 1e-15 of p."""
    size = 10.0 ** -draw(st.integers(2, 15))
    steps = np.array(draw(st.lists(st.floats(-1.0, 1.0), min_size=len(p), max_size=len(p))))
    q = p * (1.0 + size * steps)
    return q / q.sum()


@st.composite
def groups(draw: st.DrawFn, how_many: int = 2, at_most: int = 8) -> tuple[np.ndarray[Any, Any], ...]:
    """Distributions on the same categories, the second often close to the first."""
    n = draw(sizes(at_most))
    first = draw(distributions(n))
    second = draw(near(first)) if draw(st.booleans()) else draw(distributions(n))
    return (first, second, *(draw(distributions(n)) for _ in range(how_many - 2)))


@st.composite
def dyadic(draw: st.DrawFn, n: int) -> np.ndarray[Any, Any]:
    """Masses k/2²⁶ that sum to exactly 1: merging, halving and multiplying two of them is exact in float64."""
    whole = 1 << 26
    cuts = sorted(
        draw(
            st.lists(
                st.one_of(st.integers(0, whole), st.sampled_from([0, whole // 2, whole])),
                min_size=n - 1,
                max_size=n - 1,
            )
        )
    )
    return np.diff([0, *cuts, whole]) / whole


@st.composite
def dyadic_groups(draw: st.DrawFn, how_many: int = 4, at_most: int = 5) -> tuple[np.ndarray[Any, Any], ...]:
    """Like `groups`; the second is often one quantum away from the first."""
    n = draw(sizes(at_most))
    first, second = draw(dyadic(n)), draw(dyadic(n))
    if draw(st.booleans()):
        i, j = draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1))
        second = first.copy()
        step = min(2.0**-26, first[i])
        second[i], second[j] = second[i] - step, second[j] + step if i != j else second[j]
    return (first, second, *(draw(dyadic(n)) for _ in range(how_many - 2)))


@st.composite
def logits(draw: st.DrawFn, n: int) -> np.ndarray[Any, Any]:
    """Log-masses: up to ±1e4 wide, shifted by up to 1e8, some masked."""
    wide = draw(st.sampled_from([1.0, 30.0, 1e4]))
    a = np.array(draw(st.lists(st.floats(-wide, wide), min_size=n, max_size=n)))
    a = a + draw(st.sampled_from([0.0, 0.0, 1e8, -1e8]))
    keep = draw(hnp.arrays(bool, n, elements=st.sampled_from([True, True, True, False])))
    keep[draw(st.integers(0, n - 1))] = True
    return np.where(keep, a, -np.inf)
