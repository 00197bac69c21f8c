"""The SQL of marts, put together for one store: a mart's month, the union of its tables, a view over marts.

Belongs here: the relations that a mart's SELECT is over, in each dialect. Does not: running any of it (``stores``).

Each SELECT is written once, in DuckDB's dialect (``sql/duckdb``). ``tools.marts`` turns it into the other dialects by
sqlglot and writes them beside it, so that nothing is translated while the platform runs. What differs by dataset, month
and store is in the relations before the SELECT, which this module writes.
"""
# ruff: noqa: S608 - names in SQL come from contracts and declarations; months are dates

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from taxi_platform.contracts import dialects
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import FILE_MONTH, Column
from taxi_platform.contracts.unified import airports_sql, label_sql, unified_month_sql
from taxi_platform.marts.model import Mart, MartView

__all__ = [
    "DIALECTS",
    "SQL",
    "DialectName",
    "Naming",
    "counts_sql",
    "definition",
    "mart_sql",
    "measured_sql",
    "named_trips_sql",
    "origins",
    "read",
    "select",
    "union_sql",
    "view_sql",
]

DialectName = Literal["duckdb", "postgres", "bigquery"]
DIALECTS: tuple[DialectName, ...] = ("duckdb", "postgres", "bigquery")
"""The first is the one in which SELECTs are written."""
SQL = Path(__file__).with_name("sql")
"""A folder for each dialect, with a file for each SELECT."""
_DERIVED_FROM = ("pickup_hour", "pickup_location_id", "dropoff_location_id", "rate_code_id")
"""Columns of ``measured`` from which ``trips`` has columns of its own."""


@dataclass(frozen=True)
class Naming:
    """A store's dialect, and how it names tables."""

    dialect: DialectName
    table: Callable[[str], str]
    """The qualified name of one of the platform's own tables."""

    def cast(self, columns: Iterable[Column], values: Mapping[str, str] = MappingProxyType({})) -> str:
        """The columns in their declared types, as a list of SQL; ``values`` are the SQL of those not named so."""
        type_name = dialects.DIALECTS[self.dialect].type_name
        found = [(column.name, values.get(column.name, column.name), type_name(column.type)) for column in columns]
        return ", ".join(f"CAST({value} AS {kind}) AS {name}" for name, value, kind in found)


@cache
def select(name: str, dialect: DialectName) -> str:
    """The SELECT of that name as it is committed for that dialect."""
    return (SQL / dialect / f"{name}.sql").read_text()


@cache
def origins() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """``trips``, mart or view → column → the columns of what it reads that its values come from."""
    found: Mapping[str, Mapping[str, Sequence[str]]] = json.loads((SQL / "origins.json").read_text())
    return found


@cache
def read() -> Mapping[str, Sequence[str]]:
    """Mart → the columns of ``measured`` that its SELECT names."""
    found: Mapping[str, Sequence[str]] = json.loads((SQL / "read.json").read_text())
    return found


def measured_sql(marts: Iterable[Mart], contract: Contract, file_month: date, naming: Naming) -> str:
    """A SELECT of what these marts read of the month's trips, for a store that keeps it while it makes them."""
    # PostgreSQL reads a row from its first column to the last that is wanted. So the columns of marts that read few of
    # them come first.
    columns = sorted((read()[mart.name] for mart in marts if "trips" in mart.reads), key=len)
    names = dict.fromkeys([*(name for read_together in columns for name in read_together), *_DERIVED_FROM])
    relations = dict(_relations("trips", contract, file_month, naming))
    del relations["trips"]
    return _with(relations, f"SELECT {', '.join(names)} FROM measured", naming)


def mart_sql(mart: Mart, contract: Contract, file_month: date, naming: Naming, measured: str | None = None) -> str:
    """A SELECT of the mart's rows of one file month, in the columns and types of its table.

    Args:
        mart: the mart.
        contract: the dataset.
        file_month: the month.
        naming: the store's.
        measured: the qualified name of a table that has the rows of `measured_sql`, to be read instead of the trips.
    """
    relations = dict(pair for name in mart.reads for pair in _relations(name, contract, file_month, naming))
    if measured is not None and "trips" in relations:
        del relations["unified"]
        relations["measured"] = f"SELECT * FROM {measured}"
    labels = {name: label_sql(contract, of, dialects.DIALECTS[naming.dialect]) for name, of in mart.labels.items()}
    body = f"SELECT DATE '{file_month}' AS {FILE_MONTH.name}, {naming.cast(mart.columns, labels)}"
    return _with(relations, f"{body}\nFROM (\n{select(mart.name, naming.dialect)}) AS made", naming)


def union_sql(mart: Mart, contracts: Sequence[Contract], existing: Collection[str], naming: Naming) -> str:
    """The SELECT of the mart's view, over the datasets whose table is in ``existing``; empty text if there are none."""
    columns = ", ".join((FILE_MONTH.name, *(column.name for column in mart.columns)))
    parts = [
        f"SELECT '{contract.dataset}' AS dataset, {columns}\nFROM {naming.table(mart.table(contract).name)}"
        for contract in contracts
        if mart.table(contract).name in existing
    ]
    return "\nUNION ALL\n".join(parts)


def view_sql(view: MartView, naming: Naming) -> str:
    """The SELECT of a view over marts; what it reads must exist."""
    relations = {name: f"SELECT * FROM {naming.table(name)}" for name in view.reads}
    body = f"SELECT {naming.cast(view.columns)}\nFROM (\n{select(view.name, naming.dialect)}) AS made"
    return _with(relations, body, naming)


def counts_sql(contract: Contract, counted: Sequence[Mart | MartView], months: Sequence[date], naming: Naming) -> str:
    """A SELECT of name, file month, rows and trips in all, of those views of marts that have a column ``trips``."""
    days = ", ".join(f"DATE '{month}'" for month in months)
    where = f"WHERE dataset = '{contract.dataset}' AND {FILE_MONTH.name} IN ({days}) GROUP BY {FILE_MONTH.name}"
    return " UNION ALL ".join(
        f"SELECT '{each.name}' AS name, {FILE_MONTH.name}, COUNT(*) AS row_count, SUM(trips) AS trips "
        f"FROM {naming.table(each.name)} {where}"
        for each in counted
    )


def definition(mart: Mart, contract: Contract, marts: Iterable[Mart]) -> str:
    """Twelve hex digits that change exactly when the mart's rows could be others for the same trips.

    Args:
        mart: the mart.
        contract: the dataset.
        marts: the dataset's marts, among which are those that this one reads.
    """
    by_name = {other.name: other for other in marts}
    parts = [mart_sql(mart, contract, contract.first_month, Naming(DIALECTS[0], str))]
    parts += [definition(by_name[name], contract, by_name.values()) for name in mart.reads if name in by_name]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def named_trips_sql(dialect: dialects.Dialect) -> str:
    """A SELECT of ``trips``, as marts read them: what was measured, with the day and the airports."""
    own = {name: name for name in _DERIVED_FROM}
    derived = {"pickup_date": "CAST(pickup_hour AS DATE)", **airports_sql(own, dialect)}
    return f"SELECT *, {', '.join(f'{value} AS {name}' for name, value in derived.items())}\nFROM measured"


def _relations(name: str, contract: Contract, file_month: date, naming: Naming) -> Iterable[tuple[str, str]]:
    """The relation of that name, with those before it that it is over."""
    where = f"WHERE {FILE_MONTH.name} = DATE '{file_month}'"
    if name == "trips":
        dialect = dialects.DIALECTS[naming.dialect]
        yield "unified", unified_month_sql(contract, file_month, naming.table, dialect)
        yield "measured", select("measured", naming.dialect)
        yield name, named_trips_sql(dialect)
    elif name == "zones":
        yield name, f"SELECT * FROM {naming.table(name)}"
    elif name == "quarantine":
        yield name, f"SELECT * FROM {naming.table(contract.quarantine.name)} {where}"
    else:
        yield name, f"SELECT * FROM {naming.table(f'{contract.dataset}_{name}')} {where}"


def _with(relations: Mapping[str, str], body: str, naming: Naming) -> str:
    # PostgreSQL would write down a relation that is read twice, and then scan that.
    how = "AS NOT MATERIALIZED" if naming.dialect == "postgres" else "AS"
    return f"WITH {', '.join(f'{name} {how} ({sql})' for name, sql in relations.items())}\n{body}"
