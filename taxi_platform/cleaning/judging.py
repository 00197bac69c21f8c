"""Which rows of a batch each rule rejects.

Belongs here: one function per kind of rule, over columns. Does not: what the rules are (``contracts.rules``), how
repeats are found (``repeats``), and what becomes of a rejected row (``writing``).

A rule sees only values that fit their type: a cell that does not fit is neither missing nor out of range. Only
`TimestampMissing` rejects a null.
"""
# ruff: noqa: TID253 - imported only once a month is being cleaned

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from taxi_platform.cleaning.casting import Cells
from taxi_platform.contracts import rules
from taxi_platform.months import TripMonth

__all__ = ["Evidence", "ZeroPassengers", "hits"]

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ZeroPassengers(rules.Rule):
    """Rejects trips reported with 0 passengers. A run option (``options``), never part of a contract."""

    passengers: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The column of the passengers."""
        return (self.passengers,)

    @property
    def description(self) -> str:
        """The condition, naming the column."""
        return f"{self.passengers} is 0, where the run was asked to drop such trips"


@dataclass(frozen=True)
class Evidence:
    """What the rules judge a batch by: its canonical columns, and what the whole month says about its rows."""

    month: TripMonth
    cells: Mapping[str, Cells]
    filled: frozenset[str]
    """Timestamps that the contract says are never null in this month."""
    copies: Flags
    paired: Flags

    def values(self, column: str) -> pa.Array:
        """The values of a canonical column, null where a cell does not fit."""
        return self.cells[column].values


@singledispatch
def hits(rule: rules.Rule, evidence: Evidence) -> Flags:
    """The rows of the batch that the rule rejects, as flags."""
    raise NotImplementedError(f"no way to judge by the rule {rule.reason!r} ({type(rule).__name__})")


@hits.register
def _(rule: rules.TimestampMissing, evidence: Evidence) -> Flags:
    missing = np.zeros(len(evidence.copies), np.bool_)
    for name in evidence.filled.intersection(rule.timestamps):
        cells = evidence.cells[name]
        if cells.values.null_count:
            missing |= _flags(cells.values.is_null()) & ~_unfit(cells)
    return missing


@hits.register
def _(rule: rules.PickupOutsideFileMonth, evidence: Evidence) -> Flags:
    pickups = evidence.values(rule.pickup)
    start, end = evidence.month.accepted_pickups
    return _flags(pc.or_(pc.less(pickups, start), pc.greater_equal(pickups, end)))


@hits.register
def _(rule: rules.DropoffBeforePickup, evidence: Evidence) -> Flags:
    return _flags(pc.less(evidence.values(rule.dropoff), evidence.values(rule.pickup)))


@hits.register
def _(rule: rules.DurationOver, evidence: Evidence) -> Flags:
    duration = pc.subtract(evidence.values(rule.dropoff), evidence.values(rule.pickup))
    return _flags(pc.greater(duration, pa.scalar(rule.limit, duration.type)))


@hits.register
def _(rule: rules.OutsideRange, evidence: Evidence) -> Flags:
    outside = np.zeros(len(evidence.copies), np.bool_)
    for name in rule.values:
        values = evidence.values(name)
        outside |= _flags(pc.or_(pc.less(values, rule.low), pc.greater(values, rule.high)))
    return outside


@hits.register
def _(rule: rules.ExactDuplicate, evidence: Evidence) -> Flags:
    return evidence.copies & _tells_apart(rule, evidence) if evidence.copies.any() else evidence.copies


@hits.register
def _(_rule: rules.VoidPair, evidence: Evidence) -> Flags:
    return evidence.paired


@hits.register
def _(rule: rules.NegativeTotal, evidence: Evidence) -> Flags:
    return _flags(pc.less(evidence.values(rule.amount), 0)) & ~evidence.paired


@hits.register
def _(rule: ZeroPassengers, evidence: Evidence) -> Flags:
    return _flags(pc.equal(evidence.values(rule.passengers), 0))


def _tells_apart(rule: rules.ExactDuplicate, evidence: Evidence) -> Flags:
    """Rows that say enough to identify a trip. Of equal rows either all do or none."""
    every_row = np.ones(len(evidence.copies), np.bool_)
    if not rule.details:
        return every_row
    known = {name: _known(evidence.values(name), rule.unknown) for name in rule.columns}
    detailed = np.logical_or.reduce([_all_of(known, names) for names in rule.details])
    says_enough: Flags = _all_of(known, rule.filled) & detailed
    return says_enough


def _all_of(known: Mapping[str, Flags], names: Sequence[str]) -> Flags:
    flags: Flags = np.logical_and.reduce([known[name] for name in names])
    return flags


def _known(values: pa.Array, unknown: Sequence[int]) -> Flags:
    """Flags of values that are filled and not one of the numbers that mean "unknown"."""
    filled = _flags(values.is_valid())
    if not pa.types.is_integer(values.type):
        return filled
    return filled & ~_flags(pc.is_in(values, pa.array(unknown, values.type)))


def _flags(mask: pa.BooleanArray) -> Flags:
    """A mask as NumPy flags; null counts as false."""
    flags: Flags = mask.fill_null(False).to_numpy(zero_copy_only=False)
    return flags


def _unfit(cells: Cells) -> Flags:
    return np.zeros(len(cells.values), np.bool_) if cells.unfit is None else _flags(cells.unfit)
