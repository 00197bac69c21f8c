"""``taxi.months``: which data version of which month a store of tables holds.

Belongs here: that table, and the checks that every store makes before and after a load. Does not: any SQL dialect.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType, Table
from taxi_platform.errors import StoreError
from taxi_platform.references import CleanFacts, CleanMonth, MonthCounts

__all__ = [
    "MONTHS",
    "VIEW_DESCRIPTION",
    "LoadRecord",
    "check_conserved",
    "check_loaded",
    "months_row",
]

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

    def is_current(self, facts: CleanFacts) -> bool:
        """Whether the data version is the same and the rows are really there."""
        return self.data_version == facts.version and self.recorded == self.counted == _expected(facts)


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
