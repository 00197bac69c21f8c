"""Marts in BigQuery: a query job a mart into a table beside it, one transaction for all, and the views over them.

Belongs here: what `taxi_platform.stores.model.MartStore` promises. Does not: the client (``connection``), tables as
declared (``tables``) and any mart (``taxi_platform.marts``).

Results of jobs cannot be part of a transaction, but DML can
(https://cloud.google.com/bigquery/docs/transactions). So each mart's rows are made as a table of its own, which is
removed again, and expires where a killed run leaves it. They are checked there, and one transaction exchanges the month
of all marts for them. It is short, because transactions that delete from the same table cancel each other: the one that
is cancelled is tried again.
"""
# ruff: noqa: S608 - names in SQL come from declarations and the address; values are bound

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import Table
from taxi_platform.marts import MARTS, VIEWS
from taxi_platform.marts.model import Mart, MartView
from taxi_platform.marts.queries import Naming, counts_sql, mart_sql, union_sql, view_sql
from taxi_platform.stores.bigquery.connection import LABELS, MAXIMUM_BYTES_BILLED, BigQueryDataset
from taxi_platform.stores.bigquery.jobs import facts_of
from taxi_platform.stores.bigquery.tables import ensure_table, existing_tables, replace_view
from taxi_platform.stores.bookkeeping import (
    MART_MONTHS,
    MARTS_RECORDED,
    Recorded,
    check_marts,
    held_marts,
    mart_counts,
    mart_rows,
    unchanged_marts,
)
from taxi_platform.stores.catalogue import months_sql
from taxi_platform.stores.model import HeldMart, MadeMarts, MartCounts

__all__ = [
    "count_views",
    "current_marts",
    "delete_marts_sql",
    "exchange_marts",
    "made_marts",
    "record_marts",
    "recorded_marts",
    "refresh_mart_views",
]

_LEFTOVERS_STAY = timedelta(days=1)


def recorded_marts(
    dataset: BigQueryDataset, contract: Contract, months: Sequence[date] | None
) -> dict[date, dict[str, HeldMart]]:
    """File month → mart → what the dataset's record says of it."""
    if MART_MONTHS.name not in existing_tables(dataset) or (months is not None and not months):
        return {}
    chosen = months_sql(months).replace("WHERE", "AND")
    sql = f"SELECT {MARTS_RECORDED} FROM {dataset.sql(MART_MONTHS.name)} WHERE dataset = @dataset {chosen}"
    return held_marts(row.values() for row in dataset.query(sql, dataset=contract.dataset))


def current_marts(
    dataset: BigQueryDataset, contract: Contract, marts: Sequence[Mart], file_month: date, trips: Recorded
) -> MadeMarts | None:
    """The month's marts where nothing is to be done; otherwise None."""
    held = recorded_marts(dataset, contract, [file_month]).get(file_month, {})
    if not held:
        return None
    counted = {name: rows for name, (rows, _) in _counted(dataset, contract, marts, file_month).items()}
    return unchanged_marts(contract, marts, trips.data_version, held, counted)


@contextmanager
def made_marts(
    dataset: BigQueryDataset, contract: Contract, marts: Sequence[Mart], file_month: date, trips: Recorded
) -> Iterator[tuple[MadeMarts, Mapping[str, str]]]:
    """Make the month's marts, each in a table that nobody reads and that is gone afterwards.

    Yields:
        The result, checked, and for each table of a mart the name of the one that has its new rows.
    """
    run = uuid4().hex[:8]
    beside = {table.name: f"{table.name}_{file_month:%Y_%m}_new_{run}" for table in (m.table(contract) for m in marts)}
    naming = Naming("bigquery", lambda name: dataset.sql(beside.get(name, name)))
    try:
        facts = {mart.name: _made(dataset, contract, mart, file_month, naming) for mart in marts}
        counted = _counted_in(dataset, contract, marts, file_month, beside)
        sums = {mart.name: counted[mart.name][1] for mart in marts if mart.adds_up}
        check_marts(contract, file_month, sums, trips.counts.trips)
        rows = {name: rows for name, (rows, _) in counted.items()}
        yield MadeMarts(trips.data_version, rows, True, facts), beside
    finally:
        with dataset.clear_errors("remove the tables in which marts were made"):
            for name in beside.values():
                dataset.client.delete_table(dataset.table_id(name), not_found_ok=True)


def _made(
    dataset: BigQueryDataset, contract: Contract, mart: Mart, file_month: date, naming: Naming
) -> Mapping[str, Any]:
    """Make the mart's rows by a query job; returns what the job cost, and where to see it."""
    from google.cloud import bigquery

    table = mart.table(contract)
    until = datetime.now(timezone.utc) + _LEFTOVERS_STAY
    sql = (
        f"CREATE OR REPLACE TABLE {naming.table(table.name)} "
        f"OPTIONS (expiration_timestamp = TIMESTAMP '{until:%Y-%m-%d %H:%M:%S}+00') AS\n"
        f"{mart_sql(mart, contract, file_month, naming)}"
    )
    config = bigquery.QueryJobConfig(
        maximum_bytes_billed=MAXIMUM_BYTES_BILLED,
        labels={**LABELS, "table": table.name, "file_month": f"{file_month:%Y-%m}"},
    )

    def run() -> Any:
        job: Any = dataset.client.query(sql, job_config=config, job_retry=None)
        if error := job.exception():  # waits for the job's end, and reads no rows
            raise error
        return job

    job = dataset.run(f"make {table.name} of {file_month:%Y-%m}", run)
    return {**facts_of(job), "billed_bytes": int(job.total_bytes_billed or 0)}


def exchange_marts(
    dataset: BigQueryDataset,
    contract: Contract,
    marts: Sequence[Mart],
    file_month: date,
    beside: Mapping[str, str],
) -> None:
    """Replace the month in all marts by the rows of the tables beside them, and take out what is no mart any more.

    Whoever reads sees all of it or nothing. The record says still what was there, and `record_marts` comes after.
    """
    for mart in marts:
        ensure_table(dataset, _table(mart, contract))
    known = existing_tables(dataset)
    held = recorded_marts(dataset, contract, [file_month]).get(file_month, {})
    gone = {f"{contract.dataset}_{name}" for name in held} - beside.keys()
    statements = [f"DELETE FROM {dataset.sql(name)} WHERE file_month = @file_month" for name in sorted(gone & {*known})]
    for mart in marts:
        own = mart.table(contract)
        table, made, columns = dataset.sql(own.name), dataset.sql(beside[own.name]), ", ".join(own.column_names)
        statements += [
            f"DELETE FROM {table} WHERE file_month = @file_month",
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {made}",
        ]
    sql = ";\n".join(("BEGIN TRANSACTION", *statements, "COMMIT TRANSACTION;"))
    dataset.query(sql, file_month=file_month)


def record_marts(
    dataset: BigQueryDataset, contract: Contract, marts: Sequence[Mart], file_month: date, made: MadeMarts
) -> None:
    """Write the month's marts into the record, in one statement."""
    rows = mart_rows(contract, marts, file_month, made)
    names = MART_MONTHS.column_names
    # Names, versions and fingerprints are the platform's own words, without quotes.
    values = ", ".join(
        f"STRUCT('{mart}' AS mart, '{definition}' AS definition, {count} AS mart_rows)"
        for _, _, mart, _, definition, count, _ in rows
    )
    dataset.query(
        f"""
        MERGE {dataset.sql(MART_MONTHS.name)} AS m
        USING (SELECT mart, definition, mart_rows FROM UNNEST([{values}])) AS s
        ON m.dataset = @dataset AND m.file_month = @file_month AND m.mart = s.mart
        WHEN MATCHED THEN UPDATE SET
            data_version = @version, definition = s.definition, mart_rows = s.mart_rows, made_at = CURRENT_DATETIME()
        WHEN NOT MATCHED THEN INSERT ({", ".join(names)})
            VALUES (@dataset, @file_month, s.mart, @version, s.definition, s.mart_rows, CURRENT_DATETIME())
        WHEN NOT MATCHED BY SOURCE AND m.dataset = @dataset AND m.file_month = @file_month THEN DELETE
        """,
        dataset=contract.dataset,
        file_month=file_month,
        version=made.data_version,
    )


def delete_marts_sql(dataset: BigQueryDataset, contract: Contract, file_month: date) -> str:
    """The statements that delete the month's marts and their record; empty if the dataset has none of them."""
    held = recorded_marts(dataset, contract, [file_month]).get(file_month)
    if not held:
        return ""
    tables = [f"{contract.dataset}_{name}" for name in held]
    existing = existing_tables(dataset)
    deletes = [
        f"DELETE FROM {dataset.sql(name)} WHERE file_month = @file_month;\n" for name in tables if name in existing
    ]
    record = f"DELETE FROM {dataset.sql(MART_MONTHS.name)} WHERE file_month = @file_month AND dataset = @dataset;\n"
    return "".join((*deletes, record))


def count_views(
    dataset: BigQueryDataset, contract: Contract, counted: Sequence[Mart | MartView], months: Sequence[date]
) -> dict[date, dict[str, MartCounts]]:
    """File month → mart or view → its rows and trips now."""
    sql = counts_sql(contract, counted, months, _naming(dataset))
    return mart_counts(row.values() for row in dataset.query(sql))


def refresh_mart_views(dataset: BigQueryDataset, contracts: Sequence[Contract]) -> None:
    """Create or replace the views over marts."""
    naming = _naming(dataset)
    existing = set(existing_tables(dataset))
    for mart in MARTS:
        if sql := union_sql(mart, contracts, existing, naming):
            replace_view(dataset, mart.view, sql)
            existing.add(mart.name)
    for view in VIEWS:
        if existing.issuperset(view.reads):
            replace_view(dataset, view.view, view_sql(view, naming))
            existing.add(view.name)


def _counted(
    dataset: BigQueryDataset, contract: Contract, marts: Sequence[Mart], file_month: date
) -> dict[str, tuple[int, int]]:
    """Mart → its rows of that month now, and the trips that these have in all; a mart without a table is missing."""
    existing = existing_tables(dataset)
    tables = {table.name: table.name for table in (mart.table(contract) for mart in marts) if table.name in existing}
    return _counted_in(dataset, contract, marts, file_month, tables)


def _counted_in(
    dataset: BigQueryDataset, contract: Contract, marts: Sequence[Mart], file_month: date, tables: Mapping[str, str]
) -> dict[str, tuple[int, int]]:
    """The same in those tables, by the name of the mart's own."""
    parts = [
        f"SELECT '{mart.name}' AS mart, COUNT(*) AS mart_rows, {'COALESCE(SUM(trips), 0)' if mart.adds_up else '0'} "
        f"AS trips FROM {dataset.sql(tables[name])} {months_sql([file_month])}"
        for mart in marts
        if (name := mart.table(contract).name) in tables
    ]
    if not parts:
        return {}
    return {row["mart"]: (row["mart_rows"], row["trips"]) for row in dataset.query(" UNION ALL ".join(parts))}


def _table(mart: Mart, contract: Contract) -> Table:
    """The mart's table. No column is required, as in those that earlier releases made."""
    table = mart.table(contract)
    return replace(table, columns=tuple(replace(column, nullable=True) for column in table.columns))


def _naming(dataset: BigQueryDataset) -> Naming:
    return Naming("bigquery", dataset.sql)
