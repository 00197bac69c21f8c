"""The language contracts are written in: types, columns and tables.

Belongs here: immutable declarations and what follows from one declaration alone. Does not: a dataset's contract as a
whole (``contract``), rules (``rules``), and the dialects a declaration is translated into (``schemas``).
Nothing here imports Arrow, a database or Dagster, so that any program can read a contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import cached_property
from types import MappingProxyType

__all__ = [
    "ALWAYS",
    "FILE_MONTH",
    "NEVER",
    "SCHEMA",
    "Column",
    "ColumnType",
    "Span",
    "Table",
    "normalised",
]

SCHEMA = "taxi"
"""The schema (PostgreSQL, DuckDB) of every table and view of the platform; in BigQuery the dataset of the address."""


class ColumnType(Enum):
    """A column's type in every dialect: Arrow's alias, then DuckDB, PostgreSQL and BigQuery.

    Timestamps carry no zone: upstream writes New York wall-clock time (TLC data dictionaries).
    """

    SMALLINT = ("int16", "SMALLINT", "smallint", "INTEGER")
    INTEGER = ("int32", "INTEGER", "integer", "INTEGER")
    BIGINT = ("int64", "BIGINT", "bigint", "INTEGER")
    DOUBLE = ("float64", "DOUBLE", "double precision", "FLOAT")
    TEXT = ("string", "VARCHAR", "text", "STRING")
    TEXT_LIST = ("list<string>", "VARCHAR[]", "text[]", "STRING")
    TIMESTAMP = ("timestamp[us]", "TIMESTAMP", "timestamp", "DATETIME")
    DATE = ("date32", "DATE", "date", "DATE")
    BOOLEAN = ("bool", "BOOLEAN", "boolean", "BOOLEAN")
    BINARY = ("binary", "BLOB", "bytea", "BYTES")

    def __init__(self, arrow: str, duckdb: str, postgres: str, bigquery: str) -> None:
        self.arrow = arrow
        self.duckdb = duckdb
        self.postgres = postgres
        self.bigquery = bigquery

    @property
    def is_number(self) -> bool:
        """Whether values are whole numbers or doubles."""
        return self in (ColumnType.SMALLINT, ColumnType.INTEGER, ColumnType.BIGINT, ColumnType.DOUBLE)

    @property
    def is_integer(self) -> bool:
        """Whether values are whole numbers."""
        return self.is_number and self is not ColumnType.DOUBLE


@dataclass(frozen=True)
class Span:
    """File months from ``since`` to ``until``, both included; None is open-ended."""

    since: date | None = None
    until: date | None = None

    def __contains__(self, first_day: date) -> bool:
        return (self.since is None or first_day >= self.since) and (self.until is None or first_day <= self.until)

    @property
    def is_always(self) -> bool:
        """Whether the span has every month."""
        return self == ALWAYS

    @property
    def is_never(self) -> bool:
        """Whether the span has no month."""
        return self.since is not None and self.until is not None and self.since > self.until

    def __str__(self) -> str:
        if self.is_never:
            return "never"
        ends = (f"from {self.since:%Y-%m}" if self.since else "", f"to {self.until:%Y-%m}" if self.until else "")
        return " ".join(filter(None, ends)) or "always"


ALWAYS = Span()
NEVER = Span(date(9999, 1, 1), date(1, 1, 1))


def normalised(spelling: str) -> str:
    """The form in which upstream's column names and text codes are compared: lower case, without outer spaces."""
    return spelling.strip().casefold()


@dataclass(frozen=True)
class Column:
    """One canonical column, with the names and codes that upstream has used for it."""

    name: str
    type: ColumnType
    description: str
    spellings: tuple[str, ...] = ()
    """Every name upstream has used, compared by `normalised`; empty if upstream uses the canonical name. If a file has
    several of them, the first that is not null gives the value."""
    unit: str | None = None
    source: str | None = None
    """Where the meaning is documented, as a URL."""
    codes: Mapping[int | str, str] = field(default_factory=dict)
    """Every value that the documentation allows → its meaning; empty if any value is allowed."""
    recodes: Mapping[str, int | str] = field(default_factory=dict)
    """Upstream's text, `normalised` → the canonical value it stands for."""
    text_until: date | None = None
    """CSV files up to this month carry a numeric column as text (``CMT``, ``CSH``): read as text, then recoded."""
    required: Span = NEVER
    """File months whose files must carry the column."""
    unless: tuple[str, ...] = ()
    """If the file has any of these columns, the required column may be absent."""
    derived_from: tuple[str, ...] = ()
    """Columns that the value is computed from (longitude and latitude of a point → its zone); no file has a derived
    column."""
    filled: Span = NEVER
    """File months in which a null sends the row to quarantine (timestamps only)."""
    nullable: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", MappingProxyType(dict(self.codes)))
        object.__setattr__(self, "recodes", MappingProxyType({normalised(k): v for k, v in self.recodes.items()}))

    @cached_property
    def known_as(self) -> tuple[str, ...]:
        """The normalised spellings, most trusted first; none of a derived column."""
        if self.derived_from:
            return ()
        return tuple(dict.fromkeys(normalised(spelling) for spelling in self.spellings or (self.name,)))

    def is_text_in(self, first_day: date) -> bool:
        """Whether a CSV file of that month carries the column as text."""
        return self.type is ColumnType.TEXT or (self.text_until is not None and first_day <= self.text_until)


@dataclass(frozen=True)
class Table:
    """A table, or view, as every store creates it."""

    name: str
    description: str
    columns: tuple[Column, ...]
    cluster_by: tuple[str, ...] = ()
    """Columns that queries filter by, most selective use first: BigQuery clustering, Postgres indexes."""
    key: tuple[str, ...] = ()
    """Columns whose values together identify a row, if there are any: PostgreSQL's primary key."""
    schema: str = SCHEMA
    """The schema that the table is in. A user's own tables are in other schemas than the platform's."""

    @property
    def qualified_name(self) -> str:
        """``taxi.green_trips``, the form for people and messages."""
        return f"{self.schema}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, left to right."""
        return tuple(column.name for column in self.columns)


FILE_MONTH = Column(
    "file_month",
    ColumnType.DATE,
    "First day of the month of the upstream file that brought this row (not the month of the pickup).",
    nullable=False,
)
