"""local-bigquery with partition decorators and external tables, run by the interpreter that has local-bigquery.

The package takes ``table$202003`` for a table of that name. What is added here: a WRITE_TRUNCATE load into a partition
of a table partitioned by a column replaces that partition alone, all or nothing, and may add fields; so do the results
of a query, in the fields that the table has; tables and jobs are created once, whoever asks at once; a view's query can
be updated. External tables are a module of their own (``bigquery_external``). Each behaviour has a test of its own in
``test_emulated_bigquery`` that cites Google's reference.
"""

from __future__ import annotations

import contextlib
import functools
import re
import threading
import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

import duckdb
from local_bigquery import cli
from local_bigquery.catalog import datasets, metadata, tables
from local_bigquery.engine import database
from local_bigquery.engine.database import quote
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import load, query, runner
from local_bigquery.jobs.storage import literal, paths
from local_bigquery.models import Dataset, Table, TableReference

from tools.emulators import bigquery_external

DECORATED = re.compile(r"(?P<table>.+)\$(?P<partition>\d{4}|\d{6}|\d{8})")
DIGITS = {"YEAR": 4, "MONTH": 6, "DAY": 8}
COMMIT_ATTEMPTS = 50
COLUMNS = """
    SELECT '' AS database_name, schema_name, table_name, column_name, nulls_allowed AS is_nullable
    FROM {0}.ducklake_schema s JOIN {0}.ducklake_table t USING (schema_id) JOIN {0}.ducklake_column c USING (table_id)
    WHERE s.end_snapshot IS NULL AND t.end_snapshot IS NULL AND c.end_snapshot IS NULL AND c.parent_column IS NULL
"""

connect_with_threads = database._connect
fetch_by_duckdb = database.fetch
objects_by_duckdb = database.objects
load_whole_table = load.run
projection_of_text = load._projection
write_whole_table = tables.write
create_in_catalogue = tables.create
update_catalogue = tables.update
replacing = threading.Lock()
cataloguing = threading.RLock()


def run(cursor: Any, config: Any, upload: str | None) -> Any:
    """Carry out a load job; into a partition where its destination names one."""
    destination = config.destinationTable
    match = DECORATED.fullmatch(destination.tableId)
    if match is None:
        return load_whole_table(cursor, config, upload)
    target = (destination.projectId, destination.datasetId, match["table"])
    field, bounds = partition(config, tables.get(*target), match["partition"])
    add_fields(config, target)
    standing = tables.get(*target)
    staging = (*target[:2], f"staging_{uuid.uuid4().hex}")
    reference = TableReference(projectId=staging[0], datasetId=staging[1], tableId=staging[2])
    tables.create(*staging[:2], Table(tableReference=reference, schema=standing.schema_), None)
    try:
        whole = {"destinationTable": reference, "writeDisposition": "WRITE_APPEND", "schemaUpdateOptions": None}
        config = config.replace(**whole, timePartitioning=None, clustering=None, schema=in_file(cursor, config, upload))
        statistics = load_whole_table(cursor, config, upload)
        replace_partition(target, staging, standing, field, bounds)
    finally:
        tables.delete(*staging)
    return statistics


def write(
    cursor: Any, sql: str, bound: Any, reference: tuple[str, str, str], config: Any, *rest: Any, **how: Any
) -> Any:
    """Write the results of a query; into a partition where its destination names one."""
    match = DECORATED.fullmatch(reference[2])
    if match is None:
        return write_whole_table(cursor, sql, bound, reference, config, *rest, **how)
    target = (*reference[:2], match["table"])
    standing = tables.get(*target)
    field, bounds = partition(config, standing, match["partition"])
    same_fields(cursor, sql, bound, standing)
    staging = (*reference[:2], f"staging_{uuid.uuid4().hex}")
    whole = config.replace(createDisposition="CREATE_IF_NEEDED")
    try:
        write_whole_table(cursor, sql, bound, staging, whole, isolated=True)
        replace_partition(target, staging, standing, field, bounds)
    finally:
        tables.delete(*staging)
    return False


def same_fields(cursor: Any, sql: str, bound: Any, table: Any) -> None:
    """Refuse results whose fields are not those of the table, or where one of these is required."""
    found = [name.casefold() for name in cursor.sql(sql, params=bound).columns]
    wanted = table.schema_.fields
    if required := [field.name for field in wanted if field.mode == "REQUIRED"]:
        raise BigQueryError(
            "invalid",
            f"Provided Schema does not match Table. Field {required[0]} has changed mode from REQUIRED to NULLABLE",
        )
    if found != [field.name.casefold() for field in wanted]:
        raise BigQueryError("invalid", "Provided Schema does not match Table")


def partition(config: Any, table: Any, digits: str) -> tuple[str, tuple[date, date]]:
    """The partitioning column and the first and following first day of the partition a decorator names."""
    partitioning = table.timePartitioning
    if config.writeDisposition != "WRITE_TRUNCATE" or not partitioning or not partitioning.field:
        raise BigQueryError("invalid", f"Invalid load into partition {digits}")
    if DIGITS.get(partitioning.type) != len(digits):
        raise BigQueryError("invalid", f"Invalid {partitioning.type} partition {digits}")
    year, month, day = int(digits[:4]), int(digits[4:6] or 1), int(digits[6:] or 1)
    first = date(year, month, day)
    following = {
        "YEAR": date(year + 1, 1, 1),
        "MONTH": date(year + month // 12, month % 12 + 1, 1),
        "DAY": date.fromordinal(first.toordinal() + 1),
    }[partitioning.type]
    return partitioning.field, (first, following)


def add_fields(config: Any, target: tuple[str, str, str]) -> None:
    """Fields of the job's schema that the table lacks, where the job allows them."""
    given = (config.schema_ and config.schema_.fields) or []
    standing = tables.get(*target).schema_.fields
    known = {field.name.casefold() for field in standing}
    added = [field for field in given if field.name.casefold() not in known]
    if added and "ALLOW_FIELD_ADDITION" not in (config.schemaUpdateOptions or []):
        raise BigQueryError(
            "invalid", f"Provided Schema does not match Table. Cannot add fields (field: {added[0].name})"
        )
    if added:
        changed = Table.model_validate({"schema": {"fields": [f.dump() for f in (*standing, *added)]}})
        tables.update(*target, changed, None, False)


def projection(config: Any, fields: list[Any], columns: list[str]) -> tuple[str, str]:
    """The columns of a load, and which rows are bad: BYTES are base64 in files of text, and as they are in Parquet."""
    selected, bad = projection_of_text(config, fields, columns)
    if config.sourceFormat == "PARQUET":
        for field in fields:
            selected = selected.replace(f"from_base64({quote(field.name)})", quote(field.name))
    return selected, bad


def in_file(cursor: Any, config: Any, upload: str | None) -> Any:
    """The job's schema without fields that the Parquet files lack: they are null."""
    if not config.schema_:
        return None
    files = [upload] if upload else [path for uri in config.sourceUris for path in paths(cursor, uri)]
    with load._reading({}):
        names = cursor.sql(f"SELECT * FROM read_parquet([{', '.join(map(literal, files))}]) LIMIT 0").columns
    return {"fields": [field for field in config.schema_.fields if field.name in names]}


def replace_partition(
    target: tuple[str, str, str], staging: tuple[str, str, str], table: Any, field: str, bounds: tuple[date, date]
) -> None:
    """Exchange the rows of one partition in one transaction; tried again where DuckLake refuses the commit."""
    inside = f"{quote(field)} >= DATE '{bounds[0]}' AND {quote(field)} < DATE '{bounds[1]}'"
    old, new = tables.name(*target), tables.name(*staging)
    columns = ", ".join(quote(f.name) for f in table.schema_.fields)
    exchange = f"DELETE FROM {old} WHERE {inside}; INSERT INTO {old} ({columns}) SELECT {columns} FROM {new}"
    with replacing, database.writing(*target), database.cursor() as cursor:
        if cursor.execute(f"SELECT count(*) FROM {new} WHERE ({inside}) IS NOT TRUE").fetchone()[0]:
            raise BigQueryError("invalid", f"Some rows belong to different partitions rather than {bounds[0]}")
        for attempt in range(COMMIT_ATTEMPTS):
            try:
                cursor.execute(f"BEGIN TRANSACTION; {exchange}; COMMIT")
                break
            except duckdb.TransactionException:
                with contextlib.suppress(duckdb.TransactionException):
                    cursor.execute("ROLLBACK")
                if attempt == COMMIT_ATTEMPTS - 1:
                    raise


class CommitRefusedError(Exception):
    """DuckLake refused a commit because another one came between."""


def refusals_told(change: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Carry out a change; raises `CommitRefusedError` where trying again makes sense."""
    try:
        return change(*arguments, **options)
    except duckdb.Error as error:
        if "Failed to commit" in str(error):
            raise CommitRefusedError from error
        raise


def settled(change: Callable[..., Any]) -> Callable[..., Any]:
    """One change of the catalogue at a time, tried again where DuckLake refuses the commit beside a load's."""

    @functools.wraps(change)
    def tried(*arguments: Any, **options: Any) -> Any:
        for _ in range(COMMIT_ATTEMPTS):
            with contextlib.suppress(CommitRefusedError), cataloguing:
                return refusals_told(change, *arguments, **options)
        return change(*arguments, **options)

    return tried


def objects(project: str, dataset: str, table: str | None = None) -> Any:
    """The package's answer from DuckLake's own catalogue: for DuckDB's, every dataset there is would be read anew."""
    if project not in database._attached:
        return objects_by_duckdb(project, dataset, table)
    lake = quote(f"__ducklake_metadata_{project}")
    return database.fetch(
        f"""
        WITH dataset AS (SELECT schema_id FROM {lake}.ducklake_schema WHERE schema_name = $1 AND end_snapshot IS NULL)
        SELECT table_name, 'TABLE', coalesce(record_count, 0)
        FROM dataset JOIN {lake}.ducklake_table USING (schema_id) LEFT JOIN {lake}.ducklake_table_stats USING (table_id)
        WHERE end_snapshot IS NULL AND table_name = coalesce($2, table_name)
        UNION ALL SELECT view_name, 'VIEW', 0
        FROM dataset JOIN {lake}.ducklake_view USING (schema_id)
        WHERE end_snapshot IS NULL AND view_name = coalesce($2, view_name)
        ORDER BY 1
        """,
        [dataset, table],
    )


@functools.cache
def connect() -> Any:
    """The package's connection, with one thread: its statements are too small to share."""
    connection = connect_with_threads()
    connection.execute("SET threads = 1")
    return connection


def fetch(sql: str, parameters: Any = None) -> Any:
    """The package's answer; what it asks of a table's columns comes from DuckLake's own catalogue too."""
    if "FROM duckdb_columns()" in sql and parameters[0] in database._attached:
        sql = sql.replace("duckdb_columns()", f"({COLUMNS.format(quote(f'__ducklake_metadata_{parameters[0]}'))})")
        return fetch_by_duckdb(sql, ["", *parameters[1:]])
    return fetch_by_duckdb(sql, parameters)


def one_at_a_time(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let no two callers in at once, and none while the catalogue changes: the package looks first, and then acts."""

    @functools.wraps(function)
    def locked(*arguments: Any, **options: Any) -> Any:
        with cataloguing:
            return function(*arguments, **options)

    return locked


def update(*arguments: Any) -> Any:
    """Carry out ``tables.update`` or ``tables.patch`` where it changes what a view or an external table reads."""
    *target, body, etag, _ = arguments
    standing = tables.load(*target)
    metadata.check_etag(standing, etag)
    if body.view and body.view.query:
        sql = query.translate_view(*target[:2], body.view.query)
        database.execute(f"CREATE OR REPLACE VIEW {tables.name(*target)} AS {sql}")
    if body.externalDataConfiguration:
        bigquery_external.define(tuple(target), standing.merged(body))
    return update_catalogue(*arguments)


def create(project_id: str, dataset_id: str, body: Any, translate: Any) -> Any:
    """Create a table; a partitioned one gets the dataset's default expiration of partitions, not that of tables."""
    dataset = metadata.load(Dataset, project_id, dataset_id)
    default = dataset and dataset.defaultPartitionExpirationMs
    if default and body.timePartitioning and not body.timePartitioning.expirationMs:
        body = body.replace(timePartitioning=body.timePartitioning.replace(expirationMs=default))
    return create_in_catalogue(project_id, dataset_id, body, translate)


database._connect = connect
database.fetch = fetch
database.objects = objects
bigquery_external.install()
bigquery_external.create = settled(bigquery_external.create)
tables.create = create
tables.update = update
tables.write = write
load._projection = projection
load.run = runner.HANDLERS["load"] = run
runner.submit = one_at_a_time(runner.submit)
tables.load = one_at_a_time(tables.load)  # a table is made first, and how it is partitioned is written after
datasets.create, tables.create, tables.update = map(settled, (datasets.create, tables.create, tables.update))

if __name__ == "__main__":
    cli.main()
