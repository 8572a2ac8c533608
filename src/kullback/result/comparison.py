"""`Comparison`: two tables, column by column."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from kullback.result.base import Result, finite_or_none

SCHEMA_VERSION = 1

CellKind = Literal["bin", "value", "missing", "nan", "inf", "-inf", "empty", "other"]
ColumnKind = Literal["numeric", "categorical", "boolean", "datetime"]


@dataclass(frozen=True, slots=True)
class Sides:
    """One count per side."""

    reference: int
    current: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where a table came from, and how many rows it has."""

    source: str
    rows: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A column that was not measured, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One bin, value or state of a column: rows on each side and its share of the column's `kl_smoothed`."""

    kind: CellKind
    label: str
    low: float | None
    high: float | None
    reference: int
    current: int
    contribution: float


@dataclass(frozen=True, slots=True)
class Column:
    """How the distribution of one column differs between the sides; field by field as in the JSON.

    Divergences and entropies are in the unit of the `Comparison`. An infinite value is `inf` here, and null beside a
    flag `<name>_infinite` in the JSON. `ks` and `wasserstein` are None where the column has no order or a side has no
    finite value. Times are in seconds (since 1970-01-01 UTC, or since midnight for times of day).

    Attributes
    ----------
    name : str
        The column.
    kind : {"numeric", "categorical", "boolean", "datetime"}
        How it was read.
    rows, missing : Sides
        All rows, and those that are null.
    kl, kl_reverse, js, psi : float
        KL(P‖Q), KL(Q‖P), Jensen–Shannon and the population stability index (Jeffreys' divergence) of the smoothed
        cells, less what chance alone puts there ((K−1)/(2n_eff), the same, (K−1)/(8n_eff), (K−1)/n_eff), not below 0.
    kl_smoothed : float
        KL(P‖Q) of the cells with ½ added to each on both sides; the contributions of the cells add up to it.
    kl_raw, kl_reverse_raw : float
        KL of the counts as they are; infinite where a cell vanished, or is new.
    entropy_reference, entropy_current, cross_entropy : float
        H(P), H(Q) and H(P, Q) of the counts as they are.
    hellinger, total_variation : float
        Of the counts as they are; between 0 and 1, without a unit.
    ks, wasserstein : float or None
        Kolmogorov–Smirnov and W₁ distance of the binned finite values, linear within bins, the outer bins ending at
        `min` and `max`; W₁ in units of the column.
    vanished_mass, new_mass : float
        Share of reference rows in cells empty on the current side, and of current rows in cells empty in reference.
    d_eq : float
        √(2·kl) with kl in nats: the mean shift of a bell curve, in standard deviations, that has this divergence.
    cells : tuple of Cell
        Every cell that is not empty on both sides; the counts add up to the rows.
    edges : tuple of float
        Finite inner edges of the bins [low, high); empty for columns without bins.
    min, max : float or None
        Least and greatest finite value of both sides together; None for columns without order.
    """

    name: str
    kind: ColumnKind
    rows: Sides
    missing: Sides
    kl: float
    kl_reverse: float
    js: float
    psi: float
    kl_smoothed: float
    kl_raw: float
    kl_reverse_raw: float
    entropy_reference: float
    entropy_current: float
    cross_entropy: float
    hellinger: float
    total_variation: float
    ks: float | None
    wasserstein: float | None
    vanished_mass: float
    new_mass: float
    d_eq: float
    cells: tuple[Cell, ...]
    edges: tuple[float, ...] = ()
    min: float | None = None
    max: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data: one key per field, and a flag beside each infinite value."""
        plain: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float):
                plain |= finite_or_none(field.name, value)
            elif isinstance(value, Sides):
                plain[field.name] = asdict(value)
            elif field.name == "cells":
                plain["cells"] = [{slot: getattr(cell, slot) for slot in Cell.__slots__} for cell in value]
            else:
                plain[field.name] = list(value) if isinstance(value, tuple) else value
        return plain


# Every field of a column that is one number about the difference: what a threshold can be set on.
MEASURES = (
    "kl",
    "kl_reverse",
    "js",
    "psi",
    "kl_smoothed",
    "kl_raw",
    "kl_reverse_raw",
    "entropy_reference",
    "entropy_current",
    "cross_entropy",
    "hellinger",
    "total_variation",
    "ks",
    "wasserstein",
    "vanished_mass",
    "new_mass",
    "d_eq",
)


@dataclass(frozen=True, slots=True)
class Comparison(Result):
    """Two tables, column by column, what moved most first (`kullback.compare`).

    Attributes
    ----------
    reference, current : Source
        What was compared: P is the reference, Q the current table.
    columns : tuple of Column
        The columns that both tables have, by falling `kl`.
    only_in_reference, only_in_current : tuple of str
        Columns that one table lacks.
    skipped : tuple of Skipped
        Columns that both have and that could not be measured, with the reason.
    unit : str
        Unit of divergences and entropies.
    kullback : str
        The version that measured.
    schema_version : int
        Of the JSON; raised when a key changes its meaning or goes.
    """

    reference: Source
    current: Source
    columns: tuple[Column, ...]
    only_in_reference: tuple[str, ...] = ()
    only_in_current: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unit: str = "nats"
    kullback: str = ""
    schema_version: int = SCHEMA_VERSION

    def __getitem__(self, name: str) -> Column:
        """The column of that name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; the keys are those of this class and of `Column`."""
        return {
            "schema_version": self.schema_version,
            "kullback": self.kullback,
            "unit": self.unit,
            "reference": asdict(self.reference),
            "current": asdict(self.current),
            "columns": [column.to_dict() for column in self.columns],
            "only_in_reference": list(self.only_in_reference),
            "only_in_current": list(self.only_in_current),
            "skipped": [asdict(column) for column in self.skipped],
        }
