"""A table's declaration translated for each store: Arrow, DuckDB, PostgreSQL, BigQuery.

Belongs here: pure translations of `Table`. Does not: running any of it (``stores``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.model import Column, ColumnType, Table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "arrow_schema",
    "arrow_type",
    "bigquery_schema",
    "describe",
    "duckdb_columns",
    "postgres_columns",
    "postgres_comments",
    "quoted",
    "sql_literal",
    "view_comments",
]


def arrow_type(column_type: ColumnType) -> pa.DataType:
    """The Arrow type of a column type."""
    import pyarrow as pa

    if column_type is ColumnType.TEXT_LIST:
        return pa.list_(pa.string())
    return pa.type_for_alias(column_type.arrow)


def arrow_schema(table: Table) -> pa.Schema:
    """The schema of a table's rows in Parquet files and record batches; descriptions are field metadata."""
    import pyarrow as pa

    return pa.schema(
        pa.field(c.name, arrow_type(c.type), c.nullable, {"description": describe(c)}) for c in table.columns
    )


def duckdb_columns(table: Table) -> str:
    """The column list of ``CREATE TABLE`` in DuckDB."""
    return ", ".join(f"{quoted(c.name)} {c.type.duckdb}{_not_null(c)}" for c in table.columns)


def postgres_columns(table: Table) -> str:
    """The column list of ``CREATE TABLE`` in PostgreSQL."""
    return ", ".join(f"{quoted(c.name)} {c.type.postgres}{_not_null(c)}" for c in table.columns)


def postgres_comments(table: Table, qualified_name: str) -> tuple[str, ...]:
    """``COMMENT ON`` statements (PostgreSQL and DuckDB share the syntax) for the table and each of its columns."""
    return (
        f"COMMENT ON TABLE {qualified_name} IS {sql_literal(table.description)}",
        *(f"COMMENT ON COLUMN {qualified_name}.{quoted(c.name)} IS {sql_literal(describe(c))}" for c in table.columns),
    )


def view_comments(table: Table, qualified_name: str) -> tuple[str, ...]:
    """The same for a view."""
    on_table, *on_columns = postgres_comments(table, qualified_name)
    return (on_table.replace("COMMENT ON TABLE", "COMMENT ON VIEW", 1), *on_columns)


def bigquery_schema(table: Table) -> list[dict[str, Any]]:
    """The ``schema.fields`` of a BigQuery table resource (REST reference, TableFieldSchema)."""
    return [
        {
            "name": c.name,
            "type": c.type.bigquery,
            "mode": "REPEATED" if c.type is ColumnType.TEXT_LIST else "NULLABLE" if c.nullable else "REQUIRED",
            "description": describe(c),
        }
        for c in table.columns
    ]


def describe(column: Column) -> str:
    """Description, unit and codes as one line of text, for the stores' catalogues."""
    parts = [column.description]
    if column.unit:
        parts.append(f"Unit: {column.unit}.")
    if column.codes:
        parts.append("Codes: " + "; ".join(f"{code} = {meaning}" for code, meaning in column.codes.items()) + ".")
    return " ".join(parts)


def quoted(identifier: str) -> str:
    """An SQL identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def sql_literal(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _not_null(column: Column) -> str:
    return "" if column.nullable else " NOT NULL"
