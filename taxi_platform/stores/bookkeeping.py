"""``taxi.months``: which data version of which month a store of tables holds. ``taxi.mart_months``: the same of marts.

Belongs here: those tables, what every store decides by them, and the checks before and after a load. Does not: any SQL
dialect.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType, Table
from taxi_platform.errors import StoreError
from taxi_platform.marts.model import Mart
from taxi_platform.marts.queries import definition
from taxi_platform.references import CleanFacts, CleanMonth, MonthCounts
from taxi_platform.stores.model import HeldMart, HeldMonth, LoadedMonth, MadeMarts, MartCounts

__all__ = [
    "MARTS_RECORDED",
    "MART_MONTHS",
    "MONTHS",
    "RECORDED",
    "RECORDS",
    "LoadRecord",
    "Recorded",
    "check_conserved",
    "check_loaded",
    "check_marts",
    "counts_of",
    "definitions",
    "held_marts",
    "held_months",
    "mart_counts",
    "mart_rows",
    "marts_version",
    "months_row",
    "recorded_months",
    "trips_for_marts",
    "unchanged_marts",
]

_NONE = MonthCounts(0, 0)

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

MART_MONTHS = Table(
    "mart_months",
    "One row per mart, dataset and file month that stands in this store: the trips and the SELECT it was made from.",
    (
        Column("dataset", ColumnType.TEXT, "Dataset of the month, such as green.", nullable=False),
        FILE_MONTH,
        Column("mart", ColumnType.TEXT, "Name of the mart's view, such as mart_service_day.", nullable=False),
        Column("data_version", ColumnType.TEXT, "Data version of the trips that it was made from.", nullable=False),
        Column("definition", ColumnType.TEXT, "Fingerprint of the SELECT that made it.", nullable=False),
        Column("mart_rows", ColumnType.BIGINT, "Rows of the month in the mart's table.", nullable=False),
        Column("made_at", ColumnType.TIMESTAMP, "When the mart's month was made, in UTC.", nullable=False),
    ),
    key=("dataset", FILE_MONTH.name, "mart"),
)

RECORDS = (MONTHS, MART_MONTHS)
"""The tables that say what a store holds. They are small, and are not partitioned by month."""


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


# ---- marts


MARTS_RECORDED = "file_month, mart, data_version, definition, mart_rows"
"""The columns of the table of marts that `held_marts` reads, as SQL."""


def held_marts(rows: Iterable[Sequence[Any]]) -> dict[date, dict[str, HeldMart]]:
    """File month → mart → what the table says of it, by month, from rows of `MARTS_RECORDED`."""
    held: dict[date, dict[str, HeldMart]] = {}
    for month, mart, data_version, made_by, count in rows:
        held.setdefault(month, {})[mart] = HeldMart(data_version, made_by, count)
    return dict(sorted(held.items()))


def mart_counts(rows: Iterable[Sequence[Any]]) -> dict[date, dict[str, MartCounts]]:
    """File month → mart or view → what was counted, from rows of ``marts.queries.counts_sql``."""
    counts: dict[date, dict[str, MartCounts]] = {}
    for name, month, count, trips in rows:
        counts.setdefault(month, {})[name] = MartCounts(int(count), int(trips or 0))
    return counts


_DEFINED: dict[tuple[int, ...], tuple[Contract, tuple[Mart, ...], Mapping[str, str]]] = {}
"""What `definitions` gave: every month asks, and the SELECTs take longer to write than to compare. Each entry keeps the
objects that its key names, so that no other object gets their identity."""


def definitions(marts: Sequence[Mart], contract: Contract) -> Mapping[str, str]:
    """Mart → the fingerprint of its definition, for that dataset."""
    key = (id(contract), *map(id, marts))
    if key not in _DEFINED:
        _DEFINED[key] = (contract, tuple(marts), {mart.name: definition(mart, contract, marts) for mart in marts})
    return _DEFINED[key][-1]


def marts_version(held: Mapping[str, HeldMart]) -> str:
    """One version for all marts of a month, by what they are: other trips or another SELECT give another.

    Args:
        held: mart → what the table says of it.
    """
    facts = sorted((name, mart.data_version, mart.definition) for name, mart in held.items())
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def trips_for_marts(recorded: Recorded | None, contract: Contract, file_month: date, store: str) -> Recorded:
    """What the store has of the month's trips; raises `StoreError` if it does not have them."""
    if recorded is None:
        month = contract.month(file_month)
        raise StoreError(f"{store} has no marts of {month}, because it does not hold that month: load it first")
    return recorded


def check_marts(contract: Contract, file_month: date, sums: Mapping[str, int], trips: int) -> None:
    """Check the trips that marts have in all against those of the month; raises `StoreError` if a mart differs."""
    for mart, found in sums.items():
        if found != trips:
            raise StoreError(
                f"{mart} of {contract.month(file_month)} is not stored: its rows have {found:,} trips in all, and the "
                f"month has {trips:,}; load the month again"
            )


def unchanged_marts(
    contract: Contract,
    marts: Sequence[Mart],
    data_version: str,
    held: Mapping[str, HeldMart],
    counted: Mapping[str, int],
) -> MadeMarts | None:
    """The result of making those marts where nothing is to be done; otherwise None.

    Args:
        contract: the dataset.
        marts: the marts to be made.
        data_version: of the trips that the store has of the month.
        held: mart → what the table says of it.
        counted: mart → rows that the store has of the month now; a mart without a table is missing.
    """
    wanted = definitions(marts, contract)
    is_current = all(
        name in held
        and (held[name].data_version, held[name].definition) == (data_version, made_by)
        and held[name].rows == counted.get(name)
        for name, made_by in wanted.items()
    )
    return (
        MadeMarts(data_version, dict(counted), changed=False) if is_current and held.keys() == wanted.keys() else None
    )


def mart_rows(contract: Contract, marts: Sequence[Mart], file_month: date, made: MadeMarts) -> list[list[object]]:
    """The rows of those marts for the table, in the order of its columns, made now."""
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    return [
        [contract.dataset, file_month, name, made.data_version, made_by, made.rows[name], now]
        for name, made_by in definitions(marts, contract).items()
    ]
