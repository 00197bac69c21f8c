"""What every store holds of every month, counted in the store itself.

Belongs here: counting and comparing. Does not: showing it (``cli``). Nothing is taken from what a run once recorded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from taxi_platform.contracts.model import Contract
from taxi_platform.months import TripMonth
from taxi_platform.settings import Settings
from taxi_platform.stores.lake import Lake
from taxi_platform.stores.model import MonthCounts, TableStore

__all__ = ["MonthStatus", "month_statuses"]


@dataclass(frozen=True)
class MonthStatus:
    """One month's rows in each store; None where a store does not have the month."""

    dataset: str
    file_month: date
    raw_rows: int | None
    trips_rows: int | None
    quarantined_rows: int | None
    warehouse_rows: int | None
    postgres_rows: int | None
    source_etag: str | None
    is_withdrawn: bool = False
    """Upstream has withdrawn the month: no store is to have it."""
    is_selected: bool = False
    """Somebody has made another version current than upstream's."""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "file_month": self.file_month.isoformat()}

    @property
    def rows(self) -> tuple[int | None, ...]:
        """Raw, trips, quarantined, in the warehouse, in PostgreSQL."""
        return (self.raw_rows, self.trips_rows, self.quarantined_rows, self.warehouse_rows, self.postgres_rows)

    @property
    def is_everywhere(self) -> bool:
        """Every store has the month, whatever it holds of it."""
        return None not in self.rows

    @property
    def is_gone(self) -> bool:
        """Withdrawn, and no store has anything of it."""
        return self.is_withdrawn and not any(rows is not None for rows in self.rows)

    @property
    def is_whole(self) -> bool:
        """Every store has the month, and raw = trips + quarantine, warehouse = PostgreSQL = trips."""
        if self.raw_rows is None or self.trips_rows is None or self.quarantined_rows is None:
            return False
        return (
            self.raw_rows == self.trips_rows + self.quarantined_rows
            and self.warehouse_rows == self.trips_rows
            and self.postgres_rows == self.trips_rows
        )


def month_statuses(
    settings: Settings, contracts: Collection[Contract], only: Mapping[str, Collection[date]] | None = None
) -> list[MonthStatus]:
    """Every month that any store has, or just the months in ``only``, sorted by dataset and month."""
    from taxi_platform.stores import open_warehouse

    lake = Lake(settings.lake, wait_seconds=settings.wait_seconds)
    warehouse = open_warehouse(settings.warehouse, wait_seconds=settings.wait_seconds)
    statuses: list[MonthStatus] = []
    with _postgres(settings) as postgres:
        for contract in sorted(contracts, key=lambda c: c.dataset):
            chosen = None if only is None else sorted(only.get(contract.dataset, ()))
            in_warehouse = warehouse.count_months(contract, chosen)
            in_postgres = postgres.count_months(contract, chosen) if postgres is not None else {}
            in_lake = [month.first_day for month in lake.months(contract.dataset)] if chosen is None else []
            months = {*(chosen or ()), *in_lake, *in_warehouse, *in_postgres}
            statuses += [_status(contract.month(m), lake, in_warehouse, in_postgres) for m in sorted(months)]
    return statuses


def _status(
    month: TripMonth, lake: Lake, warehouse: Mapping[date, MonthCounts], postgres: Mapping[date, MonthCounts]
) -> MonthStatus:
    found = lake.look(month)
    raw = found.manifest.current_version
    return MonthStatus(
        dataset=month.dataset,
        file_month=month.first_day,
        raw_rows=found.raw_rows,
        trips_rows=found.trips_rows,
        quarantined_rows=found.quarantined_rows,
        warehouse_rows=_trips(warehouse.get(month.first_day)),
        postgres_rows=_trips(postgres.get(month.first_day)),
        source_etag=raw.etag if raw else None,
        is_withdrawn=found.manifest.is_withdrawn,
        is_selected=found.manifest.is_selected,
    )


def _trips(counts: MonthCounts | None) -> int | None:
    return counts.trips if counts else None


@contextlib.contextmanager
def _postgres(settings: Settings) -> Iterator[TableStore | None]:
    """The store, or None where the embedded server has never been used: looking must not create one."""
    from taxi_platform.stores import open_postgres

    url, folder = settings.postgres.get_secret_value(), settings.data / "postgres"
    if url.startswith("embedded") and not Path(folder).exists():
        yield None
        return
    with open_postgres(url, folder, wait_seconds=settings.wait_seconds) as store:
        yield store
