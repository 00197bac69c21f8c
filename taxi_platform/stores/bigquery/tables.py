"""Tables of a BigQuery dataset as declared: partitions, clustering, descriptions, labels.

Belongs here: creating and describing, and replacing small tables and views as a whole. Does not: months (``store``).
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.contracts.model import FILE_MONTH, ColumnType, Table
from taxi_platform.contracts.schemas import bigquery_schema, describe
from taxi_platform.contracts.unified import UNIFIED
from taxi_platform.errors import StoreBusyError, StoreError
from taxi_platform.marts import VIEWS, marts_of
from taxi_platform.stores.bigquery.connection import LABELS, BigQueryDataset
from taxi_platform.stores.bigquery.jobs import load_config, partition
from taxi_platform.stores.bigquery.upload import load_file
from taxi_platform.stores.bookkeeping import RECORDS
from taxi_platform.stores.catalogue import CatalogueColumn, declaration, missing_columns
from taxi_platform.transience import RACE

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud import bigquery

_LOG = logging.getLogger(__name__)

__all__ = [
    "add_columns",
    "create_dataset",
    "create_table",
    "described_tables",
    "ensure_table",
    "existing_table",
    "existing_tables",
    "fill_empty",
    "keep_for_good",
    "replace_rows",
    "replace_view",
]


class _FilledError(Exception):
    """A job that loads only into an empty table found rows there."""


class _ChangedMeanwhileError(StoreBusyError):
    """Somebody changed the table since it was read."""


def ensure_table(dataset: BigQueryDataset, table: Table) -> None:
    """Create the table, or add the columns that it lacks; update its descriptions and remove an expiry.

    Raises:
        StoreError: a column has another type than declared, or the table is not partitioned by month.
    """
    existing = _existing(dataset, table.qualified_name)
    if existing is None:
        create_table(dataset, table)
        return
    _check_partitions(dataset, existing, table)
    missing = missing_columns(table, _catalogue(existing), _type_name)
    existing = keep_for_good(dataset, add_columns(dataset, table) if missing else existing)
    with dataset.clear_errors(f"describe {table.qualified_name}"):
        _describe(dataset, existing, table)


def add_columns(dataset: BigQueryDataset, table: Table) -> bigquery.Table:
    """Add the columns that the table lacks, all of them nullable; returns the table."""
    from google.cloud import bigquery

    def change(existing: bigquery.Table) -> list[str]:
        missing = {column.name for column in missing_columns(table, _catalogue(existing), _type_name)}
        added = [field for field in bigquery_schema(table) if field["name"] in missing]
        existing.schema = [*existing.schema, *map(bigquery.SchemaField.from_api_repr, added)]
        return ["schema"] if added else []

    with dataset.clear_errors(f"extend {table.qualified_name}"):
        return _changed(dataset, dataset.client.get_table(dataset.table_id(table.qualified_name)), change)


def create_table(dataset: BigQueryDataset, table: Table) -> None:
    """Create the table and its dataset, if they do not exist."""
    from google.api_core.exceptions import Conflict, NotFound

    declared = _declared(dataset, table)
    with dataset.clear_errors(f"create the table {table.qualified_name}"), suppress(Conflict):
        try:
            created = dataset.client.create_table(declared)
        except NotFound:
            create_dataset(dataset, declared.dataset_id)
            created = dataset.client.create_table(declared)
        keep_for_good(dataset, created)


def keep_for_good(dataset: BigQueryDataset, table: bigquery.Table) -> bigquery.Table:
    """Remove the expiry that a dataset's defaults give to a table or view and its partitions.

    https://cloud.google.com/bigquery/docs/managing-tables#updating_a_tables_expiration_time
    """

    def change(table: bigquery.Table) -> list[str]:
        partitioning, changed = table.time_partitioning, []
        if table.expires is not None:
            table.expires = None
            changed.append("expires")
        if partitioning is not None and partitioning.expiration_ms is not None:
            partitioning.expiration_ms = None
            table.time_partitioning = partitioning
            changed.append("time_partitioning")
        return changed

    with dataset.clear_errors(f"keep {table.table_id} for good"):
        kept = _changed(dataset, table, change)
    if kept is not table:
        _LOG.warning("%s was to expire, as its dataset's defaults have it for new tables: it stays for good now", table)
    return kept


def _check_partitions(dataset: BigQueryDataset, existing: bigquery.Table, table: Table) -> None:
    """Refuse a table that is not partitioned by month, because a month is replaced by replacing its partition."""
    wanted = _declared(dataset, table).time_partitioning
    found = existing.time_partitioning
    if wanted is None or (found is not None and (found.type_, found.field) == (wanted.type_, wanted.field)):
        return
    how = f"by {found.type_} of {found.field or 'its time of loading'}" if found is not None else "in no partitions"
    if existing.range_partitioning is not None:
        how = f"by ranges of {existing.range_partitioning.field}"
    raise StoreError(
        f"{dataset} has a table {existing.table_id} that keeps its rows {how}, where a month is replaced as "
        f"a partition by {wanted.type_} of {wanted.field}: rename that table, or drop it, then run it again"
    )


def existing_tables(dataset: BigQueryDataset) -> frozenset[str]:
    """The names of the existing tables and views; empty if there is no dataset."""
    from google.api_core.exceptions import NotFound

    with dataset.clear_errors("list its tables"):
        try:
            return frozenset(item.table_id for item in dataset.client.list_tables(f"{dataset.project}.{dataset.name}"))
        except NotFound:
            return frozenset()


def described_tables(dataset: BigQueryDataset) -> dict[str, str]:
    """The names of the dataset's tables and views → what the platform declares of its own, in order.

    BigQuery would tell one table's description a request.
    """
    known = {table.name: table.description for table in _known_tables()}
    return {f"{dataset.name}.{name}": known.get(name, "") for name in sorted(existing_tables(dataset))}


def replace_rows(dataset: BigQueryDataset, table: Table, rows: pa.RecordBatchReader, file_month: date | None) -> int:
    """Replace a table's rows, or those of one month, by one load job, all or nothing.

    Returns the number of new rows.
    """
    table_id = dataset.table_id(table.qualified_name)
    destination = table_id if file_month is None else partition(table_id, file_month)
    with _as_parquet(rows) as file:
        replaced = _loaded(dataset, table, file, destination, load_config(table, file_month))
    with dataset.clear_errors(f"describe {table.qualified_name}"):
        _describe(dataset, dataset.client.get_table(table_id), table)
    return replaced


def fill_empty(dataset: BigQueryDataset, table: Table, rows: pa.RecordBatchReader) -> bool:
    """Fill a table that has no row, by one load job, which BigQuery refuses if there is one; returns whether it did.

    https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationLoad.FIELDS.write_disposition
    """
    from google.cloud.bigquery import WriteDisposition

    config = load_config(table, None)
    config.write_disposition = WriteDisposition.WRITE_EMPTY
    with _as_parquet(rows) as file:
        try:
            _loaded(dataset, table, file, dataset.table_id(table.qualified_name), config)
        except _FilledError:
            return False
    return True


@contextmanager
def _as_parquet(rows: pa.RecordBatchReader) -> Iterator[Path]:
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory(prefix="taxi_bigquery_") as folder:
        file = Path(folder) / "rows.parquet"
        with pq.ParquetWriter(file, rows.schema, compression="zstd") as writer:
            for batch in rows:
                writer.write_batch(batch)
        yield file


def _loaded(
    dataset: BigQueryDataset, table: Table, file: Path, destination: str, config: bigquery.LoadJobConfig
) -> int:
    """Load the file by one job, and create the table if need be; returns the rows of the job."""
    from google.api_core.exceptions import Conflict

    create_table(dataset, table)

    def load() -> int:
        job = load_file(dataset, file, destination, config)
        try:
            job.result()
        except Conflict as error:
            if config.write_disposition == "WRITE_EMPTY":
                raise _FilledError(str(dataset)) from error
            raise
        return int(job.output_rows or 0)

    return dataset.run(f"replace {table.qualified_name}", load)


def replace_view(dataset: BigQueryDataset, view: Table, sql: str) -> None:
    """Create or replace a view, with the descriptions of its columns, in one statement."""
    columns = ", ".join(f"`{c.name}` OPTIONS (description = {_literal(describe(c))})" for c in view.columns)
    described = f"({columns}) OPTIONS (description = {_literal(view.description)})"
    dataset.query(f"CREATE OR REPLACE VIEW {dataset.sql(view.name)} {described} AS\n{sql}")
    existing = _existing(dataset, view.qualified_name)
    if existing is not None:
        keep_for_good(dataset, existing)


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def create_dataset(dataset: BigQueryDataset, name: str) -> None:
    """Create the platform's own dataset, or another one beside it, if it does not exist."""
    from google.cloud import bigquery

    declared = bigquery.Dataset(f"{dataset.project}.{name}")
    declared.location = dataset.location
    declared.labels = dict(LABELS)
    if name == dataset.name:
        declared.description = "New York taxi trips: clean months, what cleaning rejected, and taxi zones."
    dataset.client.create_dataset(declared, exists_ok=True)


def _declared(dataset: BigQueryDataset, table: Table) -> bigquery.Table:
    from google.cloud import bigquery

    declared = bigquery.Table(dataset.table_id(table.qualified_name), schema=_schema(table))
    declared.description = table.description
    declared.labels = dict(LABELS)
    if FILE_MONTH.name in table.column_names and table not in RECORDS:
        declared.time_partitioning = bigquery.TimePartitioning(
            type_=bigquery.TimePartitioningType.MONTH, field=FILE_MONTH.name
        )
        declared.clustering_fields = list(table.cluster_by) or None
    return declared


def _describe(dataset: BigQueryDataset, existing: bigquery.Table, table: Table) -> None:
    """Update the descriptions that the declaration has changed."""
    from google.cloud import bigquery

    described = {field["name"]: field["description"] for field in bigquery_schema(table)}

    def change(existing: bigquery.Table) -> list[str]:
        fields = [
            {**field.to_api_repr(), "description": described.get(field.name, field.description)}
            for field in existing.schema
        ]
        changed = []
        if [field["description"] for field in fields] != [field.description for field in existing.schema]:
            existing.schema = [bigquery.SchemaField.from_api_repr(field) for field in fields]
            changed.append("schema")
        if existing.description != table.description:
            existing.description = table.description
            changed.append("description")
        return changed

    _changed(dataset, existing, change)


def _changed(
    dataset: BigQueryDataset, existing: bigquery.Table, change: Callable[[bigquery.Table], list[str]]
) -> bigquery.Table:
    """The table after ``change``, which returns the properties that it has set.

    Repeated if somebody else was faster.
    """
    from google.api_core.exceptions import PreconditionFailed

    def attempt() -> bigquery.Table:
        nonlocal existing
        if not (changed := change(existing)):
            return existing
        try:
            return dataset.client.update_table(existing, changed)
        except PreconditionFailed as error:
            existing = dataset.client.get_table(existing.reference)
            raise _ChangedMeanwhileError(
                f"other runs keep changing {existing.table_id} in {dataset}: let them end first"
            ) from error

    return RACE.call(
        attempt,
        wait_seconds=dataset.wait_seconds,
        worth=lambda error: isinstance(error, _ChangedMeanwhileError),
    )


def existing_table(dataset: BigQueryDataset, qualified_name: str) -> Table | None:
    """The declaration of an existing table; None if there is none.

    BigQuery has only one integer type. A column of a contract gets the contract's type.
    """
    existing = _existing(dataset, qualified_name)
    if existing is None:
        return None
    declared = declaration(qualified_name, _catalogue(existing), _type_name, str(dataset))
    known = {
        column.name: column.type
        for table in _known_tables()
        if table.qualified_name == declared.qualified_name
        for column in table.columns
    }
    columns = tuple(
        replace(column, type=known[column.name])
        if column.name in known and known[column.name].bigquery == column.type.bigquery
        else column
        for column in declared.columns
    )
    return replace(declared, columns=columns)


def _existing(dataset: BigQueryDataset, qualified_name: str) -> bigquery.Table | None:
    from google.api_core.exceptions import NotFound

    with dataset.clear_errors(f"look at {qualified_name}"):
        try:
            return dataset.client.get_table(dataset.table_id(qualified_name))
        except NotFound:
            return None


def _known_tables() -> Iterator[Table]:
    for contract in CONTRACTS.values():
        yield contract.trips
        yield contract.quarantine
        for mart in marts_of(contract):
            yield mart.table(contract)
            yield mart.view
    for view in VIEWS:
        yield view.view
    yield UNIFIED
    yield from (dimension.table for dimension in DIMENSIONS.values())


def _catalogue(existing: bigquery.Table) -> list[CatalogueColumn]:
    return [
        CatalogueColumn(
            field.name,
            f"{field.field_type}{' REPEATED' if field.mode == 'REPEATED' else ''}",
            field.mode == "NULLABLE",
            field.description,
        )
        for field in existing.schema
    ]


def _schema(table: Table) -> list[bigquery.SchemaField]:
    from google.cloud import bigquery

    return [bigquery.SchemaField.from_api_repr(field) for field in bigquery_schema(table)]


def _type_name(column_type: ColumnType) -> str:
    """A column type's name in the catalogue, with the mode of a repeated field."""
    return column_type.bigquery + (" REPEATED" if column_type is ColumnType.TEXT_LIST else "")
