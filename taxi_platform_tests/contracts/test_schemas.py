"""One declaration in four dialects, tried on the engines themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import Column, ColumnType, Table
from taxi_platform.contracts.schemas import (
    arrow_schema,
    arrow_type,
    bigquery_schema,
    describe,
    duckdb_columns,
    postgres_columns,
    postgres_comments,
    quoted,
    sql_literal,
)
from taxi_platform.contracts.unified import UNIFIED
from taxi_platform.contracts.zones import ZONES
from taxi_platform_tests.contracts.samples import FERRY

CONTRACTED = (*CONTRACTS.values(), FERRY)
TABLES = [*(t for c in CONTRACTED for t in (c.trips, c.quarantine)), ZONES, UNIFIED]
ALL_TYPES = Table("all_types", "Every type.", tuple(Column(t.name.lower(), t, f"A {t.name}.") for t in ColumnType))

# https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#TableFieldSchema
BIGQUERY_TYPES = {"STRING", "INTEGER", "FLOAT", "DATE", "DATETIME", "BOOLEAN"}


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA taxi")
        yield connection


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None) -> list[Any]:
    return connection.execute(sql, parameters or []).fetchall()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_duckdb_takes_the_columns_and_their_comments(table: Table, database: duckdb.DuckDBPyConnection) -> None:
    name = f"taxi.{quoted(table.name)}"
    database.execute(f"CREATE TABLE {name} ({duckdb_columns(table)})")
    for statement in postgres_comments(table, name):
        database.execute(statement)

    columns = _rows(
        database,
        "SELECT column_name, is_nullable, comment FROM duckdb_columns() WHERE NOT internal ORDER BY column_index",
    )
    assert columns == [(c.name, c.nullable, describe(c)) for c in table.columns]
    assert _rows(database, "SELECT comment FROM duckdb_tables()") == [(table.description,)]


def test_what_duckdb_hands_back_has_the_arrow_schema_s_types(database: duckdb.DuckDBPyConnection) -> None:
    database.execute(f"CREATE TABLE taxi.t ({duckdb_columns(ALL_TYPES)})")

    returned = database.sql("SELECT * FROM taxi.t").to_arrow_table().schema

    assert returned.types == arrow_schema(ALL_TYPES).types


@pytest.mark.parametrize("kind", ColumnType)
def test_every_type_has_an_arrow_type(kind: ColumnType) -> None:
    assert isinstance(arrow_type(kind), pa.DataType)
    assert kind.is_integer == pa.types.is_integer(arrow_type(kind))
    assert kind.is_number == (pa.types.is_integer(arrow_type(kind)) or pa.types.is_floating(arrow_type(kind)))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_parquet_file_keeps_names_types_nullability_and_descriptions(table: Table, tmp_path: Path) -> None:
    schema = arrow_schema(table)
    pq.write_table(schema.empty_table(), tmp_path / "t.parquet")

    kept = pq.read_schema(tmp_path / "t.parquet")

    assert [(f.name, f.type, f.nullable) for f in kept] == [(f.name, f.type, f.nullable) for f in schema]
    assert [f.metadata[b"description"].decode() for f in kept] == [describe(c) for c in table.columns]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_bigquery_s_schema_has_the_shape_of_its_reference(table: Table) -> None:
    fields = bigquery_schema(table)

    assert [field["name"] for field in fields] == list(table.column_names)
    for field, column in zip(fields, table.columns, strict=True):
        assert field.keys() == {"name", "type", "mode", "description"}
        assert field["type"] in BIGQUERY_TYPES
        assert field["mode"] in {"NULLABLE", "REQUIRED", "REPEATED"}
        assert (field["mode"] == "NULLABLE") == (column.nullable and column.type is not ColumnType.TEXT_LIST)
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,299}", field["name"])
        assert 0 < len(field["description"]) <= 1024


def test_bigquery_s_own_client_reads_the_schema() -> None:
    from google.cloud.bigquery import SchemaField

    fields = [SchemaField.from_api_repr(field) for field in bigquery_schema(FERRY.quarantine)]

    assert [(f.name, f.field_type, f.mode) for f in fields] == [
        ("file_month", "DATE", "REQUIRED"),
        ("raw_row", "INTEGER", "REQUIRED"),
        ("reasons", "STRING", "REPEATED"),
        ("raw", "STRING", "REQUIRED"),
    ]


def test_postgres_gets_its_own_types() -> None:
    assert postgres_columns(FERRY.quarantine) == (
        '"file_month" date NOT NULL, "raw_row" bigint NOT NULL, "reasons" text[] NOT NULL, "raw" text NOT NULL'
    )


def test_a_description_tells_unit_and_codes_and_quotes_are_kept(database: duckdb.DuckDBPyConnection) -> None:
    boat = FERRY.column("boat")

    assert describe(FERRY.column("fare")) == "Fare of the ride. Unit: US dollars."
    assert describe(boat) == "Which boat; it's \"the\" one | none other. Codes: A = Alice; B = Bob's."
    assert _rows(database, f"SELECT {sql_literal(describe(boat))}") == [(describe(boat),)]
    assert quoted('a"b') == '"a""b"'
