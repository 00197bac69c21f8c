"""The warehouse in production: trips, quarantine and zones in one dataset of BigQuery.

Belongs here: tables and rows. Does not: the client (``connection``) and load jobs (``jobs``). One load job per table
replaces the month's partition as a whole. Trips come first, because their job is the one that can fail, and then both
tables keep the old month. Load jobs cannot be part of a transaction. So the table ``months`` says which data version is
there: its row is written last, and only if nobody else replaced the month in between.
"""
# ruff: noqa: S608 - names in SQL come from contracts and the address; values are bound

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, TypeVar

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dialects import BIGQUERY
from taxi_platform.contracts.model import Table
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.unified import UNIFIED, unified_view_sql
from taxi_platform.contracts.zones import MAPPED_ZONES, ZONE_SHAPES, ZONES
from taxi_platform.errors import StoreBusyError, StoreError
from taxi_platform.marts.model import Mart, MartView
from taxi_platform.references import CleanMonth, MonthCounts
from taxi_platform.stores.bigquery.connection import BigQueryDataset, parse_address
from taxi_platform.stores.bigquery.geography import refresh_geography
from taxi_platform.stores.bigquery.jobs import LoadedPartition, MonthLoad
from taxi_platform.stores.bigquery.marts import (
    count_views,
    current_marts,
    delete_marts_sql,
    exchange_marts,
    made_marts,
    record_marts,
    recorded_marts,
    refresh_mart_views,
)
from taxi_platform.stores.bigquery.queries import result
from taxi_platform.stores.bigquery.raw import refresh_raw_view
from taxi_platform.stores.bigquery.tables import (
    described_tables,
    ensure_table,
    existing_table,
    existing_tables,
    fill_empty,
    replace_rows,
    replace_view,
)
from taxi_platform.stores.bookkeeping import (
    MART_MONTHS,
    MONTHS,
    RECORDED,
    LoadRecord,
    Recorded,
    check_conserved,
    check_loaded,
    counts_of,
    held_months,
    months_row,
    recorded_months,
    trips_for_marts,
)
from taxi_platform.stores.catalogue import months_sql, selected
from taxi_platform.stores.model import HeldMart, HeldMonth, LoadedMonth, MadeMarts, MartCounts
from taxi_platform.transience import RACE

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.stores.lake.lake import Lake

__all__ = ["BigQueryStore"]

T = TypeVar("T")

_LOADS_OF_ONE_MONTH = replace(RACE, attempts=5, charges_attempts=False)
"""How often a month is loaded again because another run replaced it in between."""


class _ReplacedMeanwhileError(StoreBusyError):
    """Another run recorded the month while this one loaded it."""


class BigQueryStore:
    """Tables in one dataset, ``bigquery://project/dataset?location=…``; the first write makes it.

    Raises:
        SettingsError: the address cannot be used.
    """

    kind = "bigquery"

    def __init__(self, url: str, *, wait_seconds: float = 600.0) -> None:
        self.url = url
        self._dataset = parse_address(url, wait_seconds)

    def __repr__(self) -> str:
        return f"BigQueryStore({self._dataset.project}.{self._dataset.name})"

    @property
    def dataset(self) -> BigQueryDataset:
        """The dataset of the platform's own tables."""
        return self._dataset

    # ---- writing

    def replace_month(self, contract: Contract, clean: CleanMonth, lake: Lake) -> LoadedMonth:
        """Load the month; `TableStore.replace_month` says what holds."""
        check_conserved(clean)
        check_loaded(clean, _footers(clean, lake), lake.url)
        for table in (contract.trips, contract.quarantine, MONTHS):
            ensure_table(self._dataset, table)
        name = self._dataset.table_id(contract.trips.name)

        def attempt() -> LoadedMonth:
            record, since = self._record(contract, clean.file_month)
            if record is not None and (unchanged := record.unchanged(clean, name)):
                return unchanged
            trips, quarantine = self._load(contract, clean, lake, since)
            if not self._recorded(clean, since):
                raise _ReplacedMeanwhileError(
                    f"other runs keep replacing {clean.month} in {self._dataset}: let them end first"
                )
            facts = {"trips": trips.facts, "quarantine": quarantine.facts}
            return LoadedMonth(MonthCounts(trips.rows, quarantine.rows), True, name, facts)

        return self._repeated(attempt)

    def _repeated(self, attempt: Callable[[], T]) -> T:
        """Call it again as long as another run replaces the month in between."""
        return _LOADS_OF_ONE_MONTH.call(
            attempt,
            wait_seconds=self._dataset.wait_seconds,
            worth=lambda error: isinstance(error, _ReplacedMeanwhileError),
        )

    def _load(
        self, contract: Contract, clean: CleanMonth, lake: Lake, since: datetime | None
    ) -> tuple[LoadedPartition, LoadedPartition]:
        """Load trips, then quarantine. What an earlier run loaded but did not record is used if it is still there."""
        pairs = ((contract.trips, clean.trips_path), (contract.quarantine, clean.quarantine_path))
        loads = [MonthLoad(self._dataset, table, clean.file_month, clean.facts.version, path) for table, path in pairs]
        for adopt in (True, False):
            trips, quarantine = (load.run(lake, since=since, adopt=adopt) for load in loads)
            counted = self._counts(contract, [clean.file_month]).get(clean.file_month, MonthCounts(0, 0))
            if counted == MonthCounts(trips.rows, quarantine.rows) or not (trips.adopted or quarantine.adopted):
                break
        check_loaded(clean, counted, str(self._dataset))
        return trips, quarantine

    def _recorded(self, clean: CleanMonth, since: datetime | None) -> bool:
        """Write the month's row, unless another run has written it since; returns whether it did."""
        dataset, file_month, version, raw_rows, trips_rows, quarantined_rows, _ = months_row(clean)
        changed = self._dataset.query(
            f"""
            MERGE {self._dataset.sql(MONTHS.name)} AS m
            USING (SELECT @dataset AS dataset, @file_month AS file_month) AS s
            ON m.dataset = s.dataset AND m.file_month = s.file_month
            WHEN MATCHED AND m.loaded_at = @since THEN UPDATE SET
                data_version = @version, raw_rows = @raw_rows, trips_rows = @trips_rows,
                quarantined_rows = @quarantined_rows, loaded_at = CURRENT_DATETIME()
            WHEN NOT MATCHED THEN INSERT
                (dataset, file_month, data_version, raw_rows, trips_rows, quarantined_rows, loaded_at)
                VALUES (@dataset, @file_month, @version, @raw_rows, @trips_rows, @quarantined_rows, CURRENT_DATETIME())
            """,
            dataset=dataset,
            file_month=file_month,
            version=version,
            raw_rows=raw_rows,
            trips_rows=trips_rows,
            quarantined_rows=quarantined_rows,
            since=since,
        )
        return changed.num_dml_affected_rows == 1

    def delete_month(self, contract: Contract, file_month: date) -> None:
        """Delete the month; `TableStore.delete_month` says what holds."""
        tables = [
            table
            for table in (contract.trips, contract.quarantine, MONTHS)
            if table.name in existing_tables(self._dataset)
        ]
        if not tables:
            return
        deletes = "".join(
            f"DELETE FROM {self._dataset.sql(table.name)} WHERE file_month = @file_month"
            f"{' AND dataset = @dataset' if table is MONTHS else ''};\n"
            for table in tables
        )
        deletes += delete_marts_sql(self._dataset, contract, file_month)
        sql = f"BEGIN TRANSACTION;\n{deletes}COMMIT TRANSACTION;"
        self._dataset.query(sql, file_month=file_month, dataset=contract.dataset)

    def replace_table(self, table: Table, rows: pa.Table | pa.RecordBatchReader, file_month: date | None = None) -> int:
        """Replace a table, or one file month of it; `TableStore.replace_table` says what holds."""
        import pyarrow as pa

        if file_month is not None:
            ensure_table(self._dataset, table)
        replaced = replace_rows(self._dataset, table, pa.RecordBatchReader.from_stream(rows), file_month)
        if table is ZONE_SHAPES:
            refresh_geography(self._dataset)
        return replaced

    def fill_table(self, table: Table, rows: pa.Table) -> bool:
        """Fill a table that has no row; see `TableStore.fill_table`."""
        return fill_empty(self._dataset, table, rows.to_reader())

    def refresh_views(self, contracts: Sequence[Contract]) -> None:
        """Create or replace ``taxi.trips``; see `TableStore.refresh_views`."""
        existing = existing_tables(self._dataset)
        # A release may have added a column that the view has.
        for table in (ZONES, *(contract.trips for contract in contracts if contract.trips.name in existing)):
            ensure_table(self._dataset, table)
        sql = unified_view_sql(contracts, existing, self._dataset.sql, BIGQUERY)
        if sql:
            replace_view(self._dataset, UNIFIED, sql)

    def refresh_raw_view(self, dataset: str, lake: Lake) -> None:
        """Make ``taxi.raw_{dataset}``; only over a lake on Cloud Storage, the only place of external tables."""
        if lake.url.startswith("gs://"):
            refresh_raw_view(self._dataset, dataset, lake)

    # ---- marts

    def make_marts(self, contract: Contract, marts: Sequence[Mart], file_month: date) -> MadeMarts:
        """Make the month's marts; `MartStore.make_marts` says what holds."""
        for table in (MONTHS, ZONES, MART_MONTHS):
            ensure_table(self._dataset, table)

        def attempt() -> MadeMarts:
            record, since = self._record(contract, file_month)
            recorded = None if record is None else Recorded(record.data_version, record.recorded)
            trips = trips_for_marts(recorded, contract, file_month, str(self._dataset))
            if unchanged := current_marts(self._dataset, contract, marts, file_month, trips):
                return unchanged
            with made_marts(self._dataset, contract, marts, file_month, trips) as (made, beside):
                if self._record(contract, file_month)[1] != since:
                    raise _ReplacedMeanwhileError(
                        f"other runs keep replacing {contract.month(file_month)} in {self._dataset}: let them end first"
                    )
                exchange_marts(self._dataset, contract, marts, file_month, beside)
            record_marts(self._dataset, contract, marts, file_month, made)
            return made

        return self._repeated(attempt)

    def held_marts(
        self, contract: Contract, months: Sequence[date] | None = None
    ) -> Mapping[date, Mapping[str, HeldMart]]:
        """What the dataset's record says of marts; see `MartStore.held_marts`."""
        return recorded_marts(self._dataset, contract, months)

    def count_marts(
        self, contract: Contract, counted: Sequence[Mart | MartView], months: Sequence[date]
    ) -> Mapping[date, Mapping[str, MartCounts]]:
        """Rows and trips of marts and views over them, counted now; see `MartStore.count_marts`."""
        return count_views(self._dataset, contract, counted, months) if months else {}

    def refresh_mart_views(self, contracts: Sequence[Contract]) -> None:
        """Create or replace the views over marts; see `MartStore.refresh_mart_views`."""
        for table in (MAPPED_ZONES, MART_MONTHS):
            ensure_table(self._dataset, table)
        refresh_mart_views(self._dataset, contracts)

    # ---- reading

    def count_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, MonthCounts]:
        """Rows of each file month, counted now; see `TableStore.count_months`."""
        return counts_of(self.held_months(contract, months))

    def held_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, HeldMonth]:
        """Rows and data version of each file month; see `TableStore.held_months`."""
        if MONTHS.name not in existing_tables(self._dataset):
            return {}
        rows = self._dataset.query(
            f"SELECT {RECORDED} FROM {self._dataset.sql(MONTHS.name)} WHERE dataset = @dataset ORDER BY loaded_at",
            dataset=contract.dataset,
        )
        recorded = recorded_months(row.values() for row in rows)
        if months is not None:
            recorded = {month: recorded[month] for month in recorded.keys() & set(months)}
        return held_months(recorded, self._counts(contract, sorted(recorded)))

    def tables(self) -> Mapping[str, str]:
        """Tables and views of the dataset; see `TableStore.tables`."""
        return described_tables(self._dataset)

    def existing_table(self, table: str) -> Table | None:
        """The declaration of a table by the catalogue; see `TableStore.existing_table`."""
        return existing_table(self._dataset, table)

    def read_months(
        self, table: str, months: Sequence[date] | None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream rows of a table; see `TableStore.read_months`."""
        import pyarrow as pa

        declared = self.existing_table(table)
        if declared is None:
            raise StoreError(f"{self._dataset} has no table {table}: materialize its months first")
        wanted = selected(declared, columns)
        schema = arrow_schema(wanted)
        listed = ", ".join(f"`{column}`" for column in wanted.column_names)

        def batches() -> Iterator[pa.RecordBatch]:
            if months is None or months:
                source = f"{self._dataset.sql(wanted.qualified_name)} {months_sql(months)}"
                for batch in self._dataset.query(f"SELECT {listed} FROM {source}").to_arrow_iterable():
                    yield batch.cast(schema)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Stream a query's result; see `TableStore.query`."""
        import pyarrow as pa

        batches = result(self._dataset, sql)
        schema = next(batches)
        return pa.RecordBatchReader.from_batches(schema, batches)

    # ---- inside

    def _record(self, contract: Contract, file_month: date) -> tuple[LoadRecord | None, datetime | None]:
        """The month's row in ``months`` with the rows counted now, and the time (UTC) of the row."""
        rows = self._dataset.query(
            f"SELECT {RECORDED}, loaded_at FROM {self._dataset.sql(MONTHS.name)} "
            "WHERE dataset = @dataset AND file_month = @file_month ORDER BY loaded_at DESC LIMIT 1",
            dataset=contract.dataset,
            file_month=file_month,
        )
        for row in rows:
            *values, since = row.values()
            recorded = recorded_months([values])[file_month]
            return recorded.beside(self._counts(contract, [file_month])[file_month]), since
        return None, None

    def _counts(self, contract: Contract, months: Sequence[date]) -> dict[date, MonthCounts]:
        """Rows of those months; a month without rows has the count 0."""
        if not months:
            return {}
        counts = " UNION ALL ".join(
            f"SELECT '{table.name}' AS name, file_month, COUNT(*) AS row_count FROM {self._dataset.sql(table.name)} "
            f"{months_sql(months)} GROUP BY file_month"
            for table in (contract.trips, contract.quarantine)
        )
        found = {(row["name"], row["file_month"]): row["row_count"] for row in self._dataset.query(counts)}
        names = (contract.trips.name, contract.quarantine.name)
        return {month: MonthCounts(*(found.get((name, month), 0) for name in names)) for month in months}


def _footers(clean: CleanMonth, lake: Lake) -> MonthCounts:
    """Rows of the pair's two objects, to refuse a month that contradicts its facts before it replaces another."""
    rows = []
    for path in (clean.trips_path, clean.quarantine_path):
        with lake.open_parquet(path) as file:
            rows.append(file.metadata.num_rows)
    return MonthCounts(*rows)
