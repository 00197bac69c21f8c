"""Marts in BigQuery: one query job a mart into the month's partition, and the views over them.

Belongs here: what `taxi_platform.stores.model.MartStore` promises. Does not: the client (``connection``), tables as
declared (``tables``) and any mart (``taxi_platform.marts``).

A job replaces its partition as a whole, or not at all. Jobs cannot be part of a transaction, so marts change one after
another. The month is taken out of the record first, and written into it last. So a month whose jobs broke off has no
marts by the record, and they are made again.
"""
# ruff: noqa: S608 - names in SQL come from declarations and the address; values are bound

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import Table
from taxi_platform.marts import MARTS, VIEWS
from taxi_platform.marts.model import Mart, MartView
from taxi_platform.marts.queries import Naming, counts_sql, mart_sql, union_sql, view_sql
from taxi_platform.stores.bigquery.connection import LABELS, MAXIMUM_BYTES_BILLED, BigQueryDataset
from taxi_platform.stores.bigquery.jobs import facts_of, partition
from taxi_platform.stores.bigquery.tables import add_columns, ensure_table, existing_tables, replace_view
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
    "make_marts",
    "record_marts",
    "recorded_marts",
    "refresh_mart_views",
]

_SQL_TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}


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


def make_marts(
    dataset: BigQueryDataset, contract: Contract, marts: Sequence[Mart], file_month: date, trips: Recorded
) -> MadeMarts:
    """Replace that month's marts by one job each; the record has none of them until `record_marts`."""
    ensure_table(dataset, MART_MONTHS)
    gone = recorded_marts(dataset, contract, [file_month]).get(file_month, {}).keys() - {mart.name for mart in marts}
    bound = {"dataset": contract.dataset, "file_month": file_month}
    dataset.query(
        f"DELETE FROM {dataset.sql(MART_MONTHS.name)} WHERE dataset = @dataset AND file_month = @file_month", **bound
    )
    facts = {mart.name: _made(dataset, contract, mart, file_month) for mart in marts}
    for name in sorted(gone):
        table = dataset.sql(f"{contract.dataset}_{name}")
        dataset.query(f"DELETE FROM {table} WHERE file_month = @file_month", file_month=file_month)
    counted = _counted(dataset, contract, marts, file_month)
    sums = {mart.name: counted[mart.name][1] for mart in marts if mart.adds_up}
    check_marts(contract, file_month, sums, trips.counts.trips)
    return MadeMarts(trips.data_version, {name: rows for name, (rows, _) in counted.items()}, True, facts)


def _made(dataset: BigQueryDataset, contract: Contract, mart: Mart, file_month: date) -> Mapping[str, Any]:
    """Replace the mart's month by a query job; returns what the job cost, and where to see it."""
    from google.cloud import bigquery

    table = _table(mart, contract)
    ensure_table(dataset, table)
    existing = add_columns(dataset, table)
    # In the order of the table's own columns, of which an earlier release may have had more.
    names = {column.name for column in table.columns}
    columns = ", ".join(
        field.name
        if field.name in names
        else f"CAST(NULL AS {_SQL_TYPES.get(field.field_type, field.field_type)}) AS {field.name}"
        for field in existing.schema
    )
    sql = f"SELECT {columns}\nFROM (\n{mart_sql(mart, contract, file_month, _naming(dataset))}\n) AS made"
    destination = partition(dataset.table_id(table.name), file_month)
    config = bigquery.QueryJobConfig(
        destination=destination,
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
        maximum_bytes_billed=MAXIMUM_BYTES_BILLED,
        labels={**LABELS, "table": table.name, "file_month": f"{file_month:%Y-%m}"},
    )

    def run() -> Any:
        job: Any = dataset.client.query(sql, job_config=config, job_retry=None)
        if error := job.exception():  # waits for the job's end, and reads no rows
            raise error
        return job

    job = dataset.run(f"make {destination}", run)
    return {**facts_of(job), "billed_bytes": int(job.total_bytes_billed or 0)}


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
    parts = [
        f"SELECT '{mart.name}' AS mart, COUNT(*) AS mart_rows, {'COALESCE(SUM(trips), 0)' if mart.adds_up else '0'} "
        f"AS trips FROM {dataset.sql(mart.table(contract).name)} {months_sql([file_month])}"
        for mart in marts
        if mart.table(contract).name in existing
    ]
    if not parts:
        return {}
    return {row["mart"]: (row["mart_rows"], row["trips"]) for row in dataset.query(" UNION ALL ".join(parts))}


def _table(mart: Mart, contract: Contract) -> Table:
    """The mart's table. No column is required, because a query's results never are."""
    table = mart.table(contract)
    return replace(table, columns=tuple(replace(column, nullable=True) for column in table.columns))


def _naming(dataset: BigQueryDataset) -> Naming:
    return Naming("bigquery", dataset.sql)
