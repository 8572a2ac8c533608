"""What holds for every pair of tables."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kullback as kb
from kullback.result.comparison import Column, Comparison

floats = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 1.0, 2.5, 5e-324, -1e308, 1e308]),
    st.floats(-10, 10).map(lambda x: round(x, 1)),
)
integers = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.integers(-3, 3), st.sampled_from([2**53, 2**53 + 1])
)
texts = st.one_of(st.none(), st.sampled_from(["", "a", "b", "(missing)", "(other)", "ä", "a "]), st.text(max_size=3))
times = st.one_of(st.none(), st.integers(-(2**50), 2**52), st.sampled_from([0, 86_400_000_000]))
TYPES = {
    "f": (floats, pa.float64()),
    "i": (integers, pa.int64()),
    "s": (texts, pa.string()),
    "b": (st.sampled_from([True, False, None]), pa.bool_()),
    "t": (times, pa.timestamp("us")),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    n = draw(st.integers(1, 12))
    return pa.table(
        {name: pa.array(draw(st.lists(values, min_size=n, max_size=n)), kind) for name, (values, kind) in TYPES.items()}
    )


def compared(reference: pa.Table, current: pa.Table, **options: object) -> Comparison | None:
    if all(table[name].null_count == table.num_rows for table in (reference, current) for name in table.schema.names):
        with pytest.raises(kb.InvalidInput, match="missing throughout"):
            kb.compare(reference, current)
        return None
    return kb.compare(reference, current, threads=1, **options)


def counts(column: Column) -> tuple[np.ndarray, np.ndarray]:
    return np.array([cell.reference for cell in column.cells]), np.array([cell.current for cell in column.cells])


def close(a: float, b: float, tolerance: float = 1e-14) -> bool:
    return a == b or abs(a - b) <= tolerance * max(abs(a), abs(b), 1e-300) or abs(a - b) < 1e-16


@given(tables(), tables())
def test_the_cells_give_every_number(reference: pa.Table, current: pa.Table) -> None:
    result = compared(reference, current)
    for column in result.columns if result else ():
        r, c = counts(column)
        assert r.sum() == reference.num_rows == column.rows.reference
        assert c.sum() == current.num_rows == column.rows.current
        assert ((r > 0) | (c > 0)).all()
        p, q = kb.Counts(r), kb.Counts(c)
        smooth = kb.Counts(r, smoothing="jeffreys"), kb.Counts(c, smoothing="jeffreys")
        assert close(column.kl_raw, float(kb.kl_divergence(p, q)))
        assert close(column.kl_reverse_raw, float(kb.kl_divergence(q, p)))
        assert close(column.kl_smoothed, float(kb.kl_divergence(*smooth)))
        assert close(sum(cell.contribution for cell in column.cells), column.kl_smoothed)
        assert all(cell.contribution >= 0 for cell in column.cells)
        chance = (len(r) - 1) * (1 / r.sum() + 1 / c.sum())
        assert close(column.kl, max(0.0, column.kl_smoothed - chance / 2))
        assert close(column.kl_reverse, max(0.0, float(kb.kl_divergence(*smooth[::-1])) - chance / 2))
        assert close(column.js, max(0.0, float(kb.js_divergence(*smooth)) - chance / 8))
        assert close(column.psi, max(0.0, float(kb.jeffreys_divergence(*smooth)) - chance))
        assert close(column.entropy_reference, float(kb.entropy(p)))
        assert close(column.entropy_current, float(kb.entropy(q)))
        assert close(column.cross_entropy, float(kb.cross_entropy(p, q)))
        assert close(column.hellinger, float(kb.hellinger_distance(p, q)))
        assert close(column.total_variation, float(kb.total_variation(p, q)))
        assert close(column.vanished_mass, r[c == 0].sum() / r.sum())
        assert close(column.new_mass, c[r == 0].sum() / c.sum())
        assert math.isinf(column.kl_raw) == (column.vanished_mass > 0)
        assert math.isinf(column.kl_reverse_raw) == (column.new_mass > 0)
        assert close(column.d_eq, math.sqrt(2 * column.kl))


@given(tables(), tables())
def test_swapping_the_sides_swaps_the_numbers(reference: pa.Table, current: pa.Table) -> None:
    there, back = compared(reference, current), compared(current, reference)
    if there is None or back is None:
        assert there is back
        return
    for column in there.columns:
        other = back[column.name]
        assert column.edges == other.edges
        assert (column.min, column.max) == (other.min, other.max)
        r, c = counts(column)
        assert [(cell.label, cell.kind) for cell in column.cells] == [(cell.label, cell.kind) for cell in other.cells]
        assert tuple(map(list, counts(other))) == (list(c), list(r))
        for forth, reverse in (("kl", "kl_reverse"), ("kl_raw", "kl_reverse_raw"), ("vanished_mass", "new_mass")):
            assert getattr(column, forth) == getattr(other, reverse)
        for same in ("js", "psi", "hellinger", "total_variation", "ks", "wasserstein"):
            a, b = getattr(column, same), getattr(other, same)
            assert (a is None and b is None) or close(a, b, 1e-12)


@given(tables(), st.randoms(use_true_random=False))
def test_a_table_is_at_no_distance_from_itself_in_another_order(table: pa.Table, random: object) -> None:
    order = list(range(table.num_rows))
    random.shuffle(order)
    result = compared(table, table.take(order))
    for column in result.columns if result else ():
        assert column.kl == column.kl_raw == column.kl_smoothed == column.js == column.total_variation == 0
        assert column.vanished_mass == column.new_mass == 0
        assert not column.ks
        assert not column.wasserstein


@given(tables(), tables())
def test_every_value_lies_in_its_cell(reference: pa.Table, current: pa.Table) -> None:
    result = compared(reference, current)
    for column in result.columns if result else ():
        if column.name not in ("f", "i"):
            continue
        for side, table in (("reference", reference), ("current", current)):
            values = [x for x in table[column.name].to_pylist() if x is not None and math.isfinite(x)]
            cells = [cell for cell in column.cells if cell.kind in ("bin", "value")]
            assert sum(getattr(cell, side) for cell in cells) == len(values)
            for cell in cells:
                if cell.kind == "bin":
                    last = cell.high == column.max
                    inside = [x for x in values if cell.low <= x < cell.high or (last and x == cell.high)]
                else:
                    inside = [x for x in values if x == (int if column.name == "i" else float)(cell.label)]
                    assert float(cell.label) == 0 or len(set(inside)) <= 1
                others = sum(
                    getattr(other, side)
                    for other in cells
                    if other is not cell
                    and other.kind == "value"
                    and cell.kind == "bin"
                    and cell.low <= float(other.label) <= cell.high
                    and float(other.label) in inside
                )
                assert getattr(cell, side) == len(inside) - others


@settings(max_examples=20)
@given(tables(), tables(), st.sampled_from([2, 10, "bits", 3.5]))
def test_the_unit_scales_divergences_only(reference: pa.Table, current: pa.Table, base: float | str) -> None:
    plain, scaled = compared(reference, current), compared(reference, current, base=base)
    if plain is None:
        return
    unit = math.log(2 if base == "bits" else base)
    divergences = ("kl", "kl_reverse", "js", "psi", "kl_smoothed", "kl_raw", "kl_reverse_raw", "entropy_reference",
                   "entropy_current", "cross_entropy")  # fmt: skip
    for column in plain.columns:
        other = scaled[column.name]
        for name in divergences:
            # 1e-15: where the correction leaves nearly nothing, the last bits of what it was taken from remain.
            assert getattr(other, name) * unit == pytest.approx(getattr(column, name), rel=1e-13, abs=1e-15)
        assert other.d_eq == pytest.approx(column.d_eq, rel=1e-6, abs=1e-7)
        for name in ("hellinger", "total_variation", "ks", "wasserstein", "new_mass", "edges", "min", "max"):
            assert getattr(other, name) == getattr(column, name)


def test_results_hold_numbers_only() -> None:
    result = kb.compare(pa.table({"x": [1.0, 2.0]}), pa.table({"x": [1.0, 3.0]}))
    kinds = {type(getattr(result["x"], field.name)).__name__ for field in dataclasses.fields(result["x"])}
    assert kinds <= {"str", "Sides", "float", "int", "tuple", "NoneType"}
