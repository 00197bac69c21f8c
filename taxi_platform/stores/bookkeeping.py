"""``taxi.months``: which data version of which month a store of tables holds.

Belongs here: that table, what every store decides by it, and the checks before and after a load. Does not: any SQL
dialect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType, Table
from taxi_platform.errors import StoreError
from taxi_platform.references import CleanFacts, CleanMonth, MonthCounts
from taxi_platform.stores.model import HeldMonth, LoadedMonth

__all__ = [
    "MONTHS",
    "RECORDED",
    "VIEW_DESCRIPTION",
    "LoadRecord",
    "Recorded",
    "check_conserved",
    "check_loaded",
    "counts_of",
    "held_months",
    "months_row",
    "recorded_months",
]

_NONE = MonthCounts(0, 0)

VIEW_DESCRIPTION = "Trips of all datasets in one shape, with the names of their zones."

MONTHS = Table(
    "months",
    "One row per dataset and file month that stands in this store: the data version it was loaded from, and its rows.",
    (
        Column("dataset", ColumnType.TEXT, "Dataset of the month, such as green.", nullable=False),
        FILE_MONTH,
        Column(
            "data_version",
            ColumnType.TEXT,
            "Raw version, contract, cleaning code and options that the rows came from.",
            nullable=False,
        ),
        Column("raw_rows", ColumnType.BIGINT, "Records of the upstream file.", nullable=False),
        Column("trips_rows", ColumnType.BIGINT, "Rows of the month in the trips table.", nullable=False),
        Column("quarantined_rows", ColumnType.BIGINT, "Rows of the month in the quarantine table.", nullable=False),
        Column("loaded_at", ColumnType.TIMESTAMP, "When the month was loaded, in UTC.", nullable=False),
    ),
    key=("dataset", FILE_MONTH.name),
)


@dataclass(frozen=True)
class LoadRecord:
    """A month's row in the table, with the rows that were counted in the store."""

    data_version: str
    recorded: MonthCounts
    counted: MonthCounts

    def unchanged(self, clean: CleanMonth, table: str) -> LoadedMonth | None:
        """The result of loading that month where nothing is to be done: its data version and all its rows are there.

        Args:
            clean: the month to be loaded.
            table: the name of the trips table, for the result.
        """
        is_whole = self.recorded == self.counted == _expected(clean.facts)
        if self.data_version != clean.facts.version or not is_whole:
            return None
        return LoadedMonth(self.counted, changed=False, table=table)


@dataclass(frozen=True)
class Recorded:
    """What the table says of a month."""

    data_version: str
    counts: MonthCounts

    def beside(self, counted: MonthCounts) -> LoadRecord:
        """The record beside the rows that were counted."""
        return LoadRecord(self.data_version, self.counts, counted)


RECORDED = "file_month, data_version, trips_rows, quarantined_rows"
"""The columns of the table that `recorded_months` reads, as SQL."""


def recorded_months(rows: Iterable[Sequence[Any]]) -> dict[date, Recorded]:
    """File month → what the table says of it, from rows of `RECORDED`; of several rows of a month, the last counts."""
    return {month: Recorded(version, MonthCounts(trips, rejected)) for month, version, trips, rejected in rows}


def held_months(recorded: Mapping[date, Recorded], counted: Mapping[date, MonthCounts]) -> dict[date, HeldMonth]:
    """What a store holds, sorted: every month that its table records or that has rows in it."""
    return {
        month: HeldMonth(counted.get(month, _NONE), recorded[month].data_version if month in recorded else None)
        for month in sorted({*recorded, *counted})
    }


def counts_of(held: Mapping[date, HeldMonth]) -> dict[date, MonthCounts]:
    """The rows of each month of `TableStore.held_months`, which is what `TableStore.count_months` returns."""
    return {month: holds.counts for month, holds in held.items()}


def _expected(facts: CleanFacts) -> MonthCounts:
    return MonthCounts(facts.trips_rows, facts.quarantined_rows)


def months_row(clean: CleanMonth) -> list[object]:
    """The month's row for the table, in the order of the columns, with the current time as the time of loading."""
    facts = clean.facts
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    counts = (facts.raw_rows, facts.trips_rows, facts.quarantined_rows)
    return [clean.month.dataset, clean.file_month, facts.version, *counts, now]


def check_conserved(clean: CleanMonth) -> None:
    """Check that cleaning lost and doubled no row; raises `StoreError` if it did."""
    facts = clean.facts
    if not facts.is_conserved:
        raise StoreError(
            f"{clean.month} is not loaded: its {facts.raw_rows:,} raw rows are not its {facts.trips_rows:,} trips plus "
            f"{facts.quarantined_rows:,} quarantined rows; clean the month again"
        )


def check_loaded(clean: CleanMonth, loaded: MonthCounts, store: str) -> None:
    """Check the store's count of a loaded month against the cleaning's; raises `StoreError` if they differ."""
    expected = _expected(clean.facts)
    if loaded != expected:
        raise StoreError(
            f"{clean.month} is not loaded: {store} counts {loaded.trips:,} trips and {loaded.quarantined:,} "
            f"quarantined rows of that file month where cleaning made {expected.trips:,} and {expected.quarantined:,}; "
            "clean the month again"
        )
