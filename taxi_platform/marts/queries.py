"""The SQL of marts, put together for one store: a mart's month, the union of its tables, a view over marts.

Belongs here: the relations that a mart's SELECT is over, in each dialect. Does not: running any of it (``stores``).

Each SELECT is written once, in DuckDB's dialect (``sql/duckdb``). ``tools.marts`` turns it into the other dialects by
sqlglot and writes them beside it, so that nothing is translated while the platform runs. What differs by dataset, month
and store is in the relations before the SELECT, which this module writes.
"""
# ruff: noqa: S608 - names in SQL come from contracts and declarations; months are dates

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

from taxi_platform.contracts import dialects
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import FILE_MONTH, ColumnType
from taxi_platform.contracts.unified import unified_month_sql
from taxi_platform.marts.model import Mart, MartView

__all__ = ["DIALECTS", "SQL", "Dialect", "DialectName", "definition", "mart_sql", "select", "union_sql", "view_sql"]

DialectName = Literal["duckdb", "postgres", "bigquery"]
DIALECTS: tuple[DialectName, ...] = ("duckdb", "postgres", "bigquery")
"""The first is the one in which SELECTs are written."""
SQL = Path(__file__).with_name("sql")
"""A folder for each dialect, with a file for each SELECT."""


@dataclass(frozen=True)
class Dialect:
    """A store's dialect, and how it names tables and types."""

    name: DialectName
    table: Callable[[str], str]
    """The qualified name of one of the platform's own tables."""
    type_name: Callable[[ColumnType], str]


@cache
def select(name: str, dialect: DialectName) -> str:
    """The SELECT of that name as it is committed for that dialect."""
    return (SQL / dialect / f"{name}.sql").read_text()


def mart_sql(mart: Mart, contract: Contract, file_month: date, dialect: Dialect) -> str:
    """A SELECT of the mart's rows of one file month, in the columns and types of its table."""
    relations = dict(pair for name in mart.reads for pair in _relations(name, contract, file_month, dialect))
    columns = ", ".join(f"CAST({c.name} AS {dialect.type_name(c.type)}) AS {c.name}" for c in mart.columns)
    body = f"SELECT DATE '{file_month}' AS {FILE_MONTH.name}, {columns}"
    return _with(relations, f"{body}\nFROM (\n{select(mart.name, dialect.name)}) AS made", dialect)


def union_sql(mart: Mart, contracts: Sequence[Contract], existing: Collection[str], dialect: Dialect) -> str:
    """The SELECT of the mart's view, over the datasets whose table is in ``existing``; empty text if there are none."""
    columns = ", ".join((FILE_MONTH.name, *(column.name for column in mart.columns)))
    parts = [
        f"SELECT '{contract.dataset}' AS dataset, {columns}\nFROM {dialect.table(mart.table(contract).name)}"
        for contract in contracts
        if mart.table(contract).name in existing
    ]
    return "\nUNION ALL\n".join(parts)


def view_sql(view: MartView, dialect: Dialect) -> str:
    """The SELECT of a view over marts; what it reads must exist."""
    relations = {name: f"SELECT * FROM {dialect.table(name)}" for name in view.reads}
    columns = ", ".join(f"CAST({c.name} AS {dialect.type_name(c.type)}) AS {c.name}" for c in view.columns)
    return _with(relations, f"SELECT {columns}\nFROM (\n{select(view.name, dialect.name)}) AS made", dialect)


def definition(mart: Mart, contract: Contract, marts: Iterable[Mart]) -> str:
    """Twelve hex digits that change exactly when the mart's rows could be others for the same trips.

    Args:
        mart: the mart.
        contract: the dataset.
        marts: the dataset's marts, among which are those that this one reads.
    """
    by_name = {other.name: other for other in marts}
    plain = Dialect(DIALECTS[0], str, lambda column_type: column_type.duckdb)
    parts = [mart_sql(mart, contract, contract.first_month, plain)]
    parts += [definition(by_name[name], contract, by_name.values()) for name in mart.reads if name in by_name]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _relations(name: str, contract: Contract, file_month: date, dialect: Dialect) -> Iterable[tuple[str, str]]:
    """The relation of that name, with those before it that it is over."""
    where = f"WHERE {FILE_MONTH.name} = DATE '{file_month}'"
    if name == "trips":
        yield "unified", unified_month_sql(contract, file_month, dialect.table, dialects.DIALECTS[dialect.name])
        yield name, select("trips", dialect.name)
    elif name == "zones":
        yield name, f"SELECT * FROM {dialect.table(name)}"
    elif name == "quarantine":
        yield name, f"SELECT * FROM {dialect.table(contract.quarantine.name)} {where}"
    else:
        yield name, f"SELECT * FROM {dialect.table(f'{contract.dataset}_{name}')} {where}"


def _with(relations: Mapping[str, str], body: str, dialect: Dialect) -> str:
    # PostgreSQL would write down a relation that is read twice, and then scan that.
    how = "AS NOT MATERIALIZED" if dialect.name == "postgres" else "AS"
    return f"WITH {', '.join(f'{name} {how} ({sql})' for name, sql in relations.items())}\n{body}"
