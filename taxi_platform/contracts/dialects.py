"""What the SQL dialects of the stores write differently in the views that all of them share.

Belongs here: names of types, and the few expressions that have no spelling in common. Does not: DDL (``schemas``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from taxi_platform.contracts.model import ColumnType
from taxi_platform.contracts.schemas import sql_literal

__all__ = ["BIGQUERY", "DIALECTS", "DUCKDB", "POSTGRES", "Dialect"]

_BIGQUERY_NAMES = {"INTEGER": "INT64", "FLOAT": "FLOAT64"}
"""Type of the REST interface → its name in SQL, where they differ."""


@dataclass(frozen=True)
class Dialect:
    """One store's SQL."""

    type_name: Callable[[ColumnType], str]
    """A column type as CAST takes it."""
    seconds: Callable[[str, str], str]
    """Whole seconds from one timestamp to another, both cut to the second; each argument is an expression."""
    literal: Callable[[str], str] = sql_literal
    """A text as a string literal."""


def _duckdb_type(column_type: ColumnType) -> str:
    return column_type.duckdb


def _postgres_type(column_type: ColumnType) -> str:
    return column_type.postgres


def _bigquery_type(column_type: ColumnType) -> str:
    return _BIGQUERY_NAMES.get(column_type.bigquery, column_type.bigquery)


def _duckdb_seconds(start: str, end: str) -> str:
    return f"date_diff('second', {start}, {end})"


def _postgres_seconds(start: str, end: str) -> str:
    # Of all that gives the same this takes least: date_part of a timestamp looks at time zones, and extract is numeric.
    cut = [f"date_bin('1 second', {time}, TIMESTAMP '1900-01-01')" for time in (end, start)]
    return f"date_part('epoch', {cut[0]} - {cut[1]})"


def _bigquery_seconds(start: str, end: str) -> str:
    return f"DATETIME_DIFF({end}, {start}, SECOND)"


def _bigquery_literal(text: str) -> str:
    """https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#escape_sequences."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


DUCKDB = Dialect(_duckdb_type, _duckdb_seconds)
POSTGRES = Dialect(_postgres_type, _postgres_seconds)
BIGQUERY = Dialect(_bigquery_type, _bigquery_seconds, _bigquery_literal)

DIALECTS: Mapping[str, Dialect] = MappingProxyType({"duckdb": DUCKDB, "postgres": POSTGRES, "bigquery": BIGQUERY})
"""Every dialect, by the name of its kind of store."""
