"""Tables of a BigQuery dataset as their declarations say: partitions, clustering, descriptions, labels.

Belongs here: creating and describing, and replacing small tables and views as a whole. Does not: months (``bigquery``).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import FILE_MONTH, ColumnType, Table
from taxi_platform.contracts.schemas import bigquery_schema
from taxi_platform.contracts.unified import UNIFIED
from taxi_platform.errors import StoreError
from taxi_platform.stores.bigquery_client import LABELS, BigQueryDataset
from taxi_platform.stores.bookkeeping import MONTHS
from taxi_platform.stores.catalogue import CatalogueColumn, declaration, missing_columns
from taxi_platform.stores.model import SCHEMA

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud import bigquery

__all__ = ["ensure_table", "existing_tables", "replace_rows", "replace_view", "standing_table"]


def ensure_table(dataset: BigQueryDataset, table: Table) -> None:
    """Create the table, and the dataset if need be; bring descriptions up to date. New columns come with a load."""
    from google.api_core.exceptions import NotFound

    with dataset.clear_errors(f"create the table {table.name}"):
        try:
            _describe(dataset, dataset.client.get_table(dataset.table_id(table.name)), table)
        except NotFound:
            _create_dataset(dataset)
            dataset.client.create_table(_declared(dataset, table), exists_ok=True)


def existing_tables(dataset: BigQueryDataset) -> frozenset[str]:
    """Names of the tables and views there are; none where there is no dataset."""
    from google.api_core.exceptions import NotFound

    with dataset.clear_errors("list its tables"):
        try:
            return frozenset(item.table_id for item in dataset.client.list_tables(f"{dataset.project}.{dataset.name}"))
        except NotFound:
            return frozenset()


def replace_rows(dataset: BigQueryDataset, table: Table, rows: pa.Table) -> int:
    """Replace a small table's rows by one load job, all or nothing; returns their number."""
    import pyarrow.parquet as pq
    from google.cloud import bigquery

    content = io.BytesIO()
    pq.write_table(rows, content)
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        schema=_schema(table),
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
        labels={**LABELS, "table": table.name},
    )
    with dataset.clear_errors(f"replace {table.name}"):
        job = dataset.client.load_table_from_file(
            content, dataset.table_id(table.name), rewind=True, size=content.tell(), job_config=config
        )
        job.result()
    return int(job.output_rows or 0)


def replace_view(dataset: BigQueryDataset, name: str, sql: str, description: str) -> None:
    """Create or replace a view, in one statement."""
    text = description.replace("\\", "\\\\").replace('"', '\\"')
    dataset.query(f'CREATE OR REPLACE VIEW {dataset.sql(name)} OPTIONS (description = "{text}") AS\n{sql}')


def _create_dataset(dataset: BigQueryDataset) -> None:
    from google.cloud import bigquery

    declared = bigquery.Dataset(f"{dataset.project}.{dataset.name}")
    declared.location = dataset.location
    declared.description = "New York taxi trips: clean months, what cleaning rejected, and taxi zones."
    declared.labels = dict(LABELS)
    dataset.client.create_dataset(declared, exists_ok=True)


def _declared(dataset: BigQueryDataset, table: Table) -> bigquery.Table:
    from google.cloud import bigquery

    declared = bigquery.Table(dataset.table_id(table.name), schema=_schema(table))
    declared.description = table.description
    declared.labels = dict(LABELS)
    if FILE_MONTH.name in table.column_names and table is not MONTHS:
        declared.time_partitioning = bigquery.TimePartitioning(
            type_=bigquery.TimePartitioningType.MONTH, field=FILE_MONTH.name
        )
        declared.clustering_fields = list(table.cluster_by) or None
    return declared


def _describe(dataset: BigQueryDataset, standing: bigquery.Table, table: Table) -> None:
    """Bring descriptions up to date; raises `StoreError` where a column's type contradicts the declaration."""
    from google.cloud import bigquery

    missing_columns(table, _catalogue(standing), _type_name)
    described = {field["name"]: field["description"] for field in bigquery_schema(table)}
    fields = [
        {**field.to_api_repr(), "description": described.get(field.name, field.description)}
        for field in standing.schema
    ]
    changed = []
    if [field["description"] for field in fields] != [field.description for field in standing.schema]:
        standing.schema = [bigquery.SchemaField.from_api_repr(field) for field in fields]
        changed.append("schema")
    if standing.description != table.description:
        standing.description = table.description
        changed.append("description")
    if changed:
        dataset.client.update_table(standing, changed)


def standing_table(dataset: BigQueryDataset, name: str) -> Table:
    """The declaration of a table that is there; raises `StoreError` where there is none.

    BigQuery has one type of integers: columns of a contract read in the contract's type.
    """
    from google.api_core.exceptions import NotFound

    with dataset.clear_errors(f"read {name}"):
        try:
            standing = dataset.client.get_table(dataset.table_id(name))
        except NotFound as error:
            raise StoreError(f"{dataset} has no table {SCHEMA}.{name}: materialize its months first") from error
    declared = declaration(name, _catalogue(standing), _type_name, str(dataset))
    known = {column.name: column.type for table in _known_tables() if table.name == name for column in table.columns}
    columns = tuple(
        replace(column, type=known[column.name])
        if column.name in known and known[column.name].bigquery == column.type.bigquery
        else column
        for column in declared.columns
    )
    return replace(declared, columns=columns)


def _known_tables() -> Iterator[Table]:
    for contract in CONTRACTS.values():
        yield contract.trips
        yield contract.quarantine
    yield UNIFIED


def _catalogue(standing: bigquery.Table) -> list[CatalogueColumn]:
    return [
        CatalogueColumn(
            field.name,
            f"{field.field_type}{' REPEATED' if field.mode == 'REPEATED' else ''}",
            field.mode == "NULLABLE",
            field.description,
        )
        for field in standing.schema
    ]


def _schema(table: Table) -> list[bigquery.SchemaField]:
    from google.cloud import bigquery

    return [bigquery.SchemaField.from_api_repr(field) for field in bigquery_schema(table)]


def _type_name(column_type: ColumnType) -> str:
    """A column type as the catalogue writes it, of a repeated field with its mode."""
    return column_type.bigquery + (" REPEATED" if column_type is ColumnType.TEXT_LIST else "")
