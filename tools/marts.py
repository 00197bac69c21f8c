"""Write the SELECTs of marts again in every dialect: `python -m tools.marts`.

Belongs here: translating, by sqlglot, and what it does not know of a dialect. Does not: any SELECT
(``taxi_platform/marts/sql/duckdb``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.lineage import Node, lineage

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dialects import DUCKDB
from taxi_platform.contracts.dimensions import DATES
from taxi_platform.contracts.model import Table
from taxi_platform.contracts.unified import UNIFIED, unified_month_sql, unified_view_sql
from taxi_platform.contracts.zones import MAPPED_ZONES, ZONES
from taxi_platform.marts import MARTS, VIEWS
from taxi_platform.marts.model import Mart, MartView
from taxi_platform.marts.queries import DIALECTS, SQL, DialectName, named_trips_sql, select
from taxi_platform.stores.bookkeeping import MART_MONTHS

__all__ = ["origins", "read", "translated", "translations", "write_translations"]
_HOUR, _BEFORE_ALL = sqlglot.parse_one("INTERVAL '1 hour'"), sqlglot.parse_one("TIMESTAMP '1900-01-01'")
_HEADER = "-- Written by `make docs` from sql/duckdb; not to be edited by hand.\n"


def translations() -> dict[Path, str]:
    """Every generated file → its text as it must be."""
    written, *others = DIALECTS
    return {
        SQL / dialect / file.name: _HEADER + translated(file.read_text(), dialect)
        for file in sorted((SQL / written).glob("*.sql"))
        for dialect in others
    }


def translated(sql: str, dialect: DialectName) -> str:
    """The SELECT in that dialect; raises `sqlglot.errors.SqlglotError` for what it does not have."""
    tree = sqlglot.parse_one(sql, read=DIALECTS[0]).transform(_CHANGES[dialect])
    text = tree.sql(dialect=dialect, pretty=True, comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE)
    return f"{text}\n"


def origins() -> str:
    """Relation → column → the columns of the relations it reads that its values come from, as JSON.

    Columns of trips have the names of ``taxi.trips``, of all that the datasets' own tables tell.
    """
    found = {
        UNIFIED.name: _of_trips(),
        **{mart.name: _of_mart(mart) for mart in MARTS},
        **{view.name: _of_view(view) for view in VIEWS},
    }
    return json.dumps(found, indent=2) + "\n"


Origins = dict[str, list[str]]


def _of_trips() -> Origins:
    each = [
        _leaves(unified_view_sql([contract], [contract.trips.name], str, DUCKDB), [contract.trips, ZONES])
        for contract in CONTRACTS.values()
    ]
    return {name: sorted({leaf for found in each for leaf in found[name]}) for name in UNIFIED.column_names}


def _of_mart(mart: Mart) -> Origins:
    read = [other.view for other in MARTS if other.name in mart.reads]
    found: dict[str, set[str]] = {column.name: set() for column in mart.columns}
    for contract in filter(mart.suits, CONTRACTS.values()):
        sources = {
            "unified": unified_month_sql(contract, contract.first_month, str, DUCKDB),
            "measured": select("measured", DIALECTS[0]),
            "trips": named_trips_sql(DUCKDB),
        }
        tables = [replace(contract.quarantine, name="quarantine"), ZONES, contract.trips, *read]
        leaves = _leaves(select(mart.name, DIALECTS[0]), tables, sources if "trips" in mart.reads else {})
        for name, of in found.items():
            of.update(_unified(leaf, contract) for leaf in leaves[mart.labels.get(name, name)])
    return {name: sorted(of) for name, of in found.items()}


def _of_view(view: MartView) -> Origins:
    """Of what the view reads, down to the stored marts and tables."""
    marts, views = [mart.view for mart in MARTS], [other.view for other in VIEWS]
    tables = [*marts, *views, MAPPED_ZONES, DATES, MART_MONTHS]
    leaves = _leaves(select(view.name, DIALECTS[0]), tables)
    return {name: leaves[name] for name in view.view.column_names}


def _leaves(sql: str, tables: Iterable[Table], sources: Mapping[str, str] | None = None) -> Origins:
    """Column of the SELECT → the columns of those tables that its values come from."""
    schema = {table.name: dict.fromkeys(table.column_names, "unknown") for table in tables}
    found = lineage(None, sql, schema, sources=sources or {}, dialect=DIALECTS[0], trim_selects=False)
    return {name: sorted({*filter(None, map(_leaf, node.walk()))}) for name, node in found.items()}


def read() -> str:
    """Mart → the columns of ``measured`` that its SELECT names, as JSON."""
    contract = next(iter(CONTRACTS.values()))  # every dataset's trips have the same columns here
    stored = sqlglot.parse_one(select("measured", DIALECTS[0]), read=DIALECTS[0]).named_selects
    month = sqlglot.parse_one(unified_month_sql(contract, contract.first_month, str, DUCKDB), read=DIALECTS[0])
    known = {*month.named_selects, *stored}
    found = {mart.name: sorted(_named(mart) & known) for mart in MARTS if "trips" in mart.reads}
    return json.dumps(found, indent=2) + "\n"


def _named(mart: Mart) -> set[str]:
    tree = sqlglot.parse_one(select(mart.name, DIALECTS[0]), read=DIALECTS[0])
    return {column.name for column in tree.find_all(exp.Column)}


def _leaf(node: Node) -> str | None:
    """The column of a relation at an end of a lineage."""
    if node.downstream or not isinstance(node.expression, exp.Table):
        return None
    return f"{node.expression.name}.{node.name.rpartition('.')[2]}"


def _unified(leaf: str, contract: Contract) -> str:
    """A column of the dataset's trips by the name that ``taxi.trips`` has for it."""
    relation, _, column = leaf.partition(".")
    if relation != contract.trips.name:
        return leaf
    return f"trips.{next((name for name, own in contract.unified.items() if own == column), column)}"


def _bigquery(node: exp.Expression) -> exp.Expression:
    """The trips' times are of the type DATETIME, for which BigQuery has functions of their own."""
    if isinstance(node, exp.DateDiff) and node.text("unit").upper() in ("HOUR", "MINUTE", "SECOND"):
        return exp.DatetimeDiff(this=node.this, expression=node.expression, unit=node.args["unit"])
    if isinstance(node, exp.TimestampTrunc):
        return exp.DatetimeTrunc(this=node.this, unit=node.args["unit"])
    if isinstance(node, exp.Interval) and node.this.is_string:
        return exp.Interval(this=exp.Literal.number(node.this.name), unit=node.args["unit"])
    return node


def _postgres(node: exp.Expression) -> exp.Expression:
    """PostgreSQL's series is a relation by itself. Its div() computes in numeric, and date_trunc() by the calendar."""
    if isinstance(node, exp.IntDiv):
        return exp.Div(this=node.this, expression=node.expression, typed=True)
    if isinstance(node, exp.TimestampTrunc) and node.text("unit").upper() == "HOUR":
        return exp.func("DATE_BIN", _HOUR, node.this, _BEFORE_ALL)
    if isinstance(node, exp.Unnest) and isinstance(node.expressions[0], exp.GenerateSeries):
        return exp.Table(this=node.expressions[0], alias=node.args["alias"])
    return node


_CHANGES: dict[DialectName, Callable[[exp.Expression], exp.Expression]] = {
    "bigquery": _bigquery,
    "postgres": _postgres,
}


def write_translations() -> None:
    """Write the files that are not current, and remove those of SELECTs that are no more."""
    wanted = translations()
    for path, text in wanted.items():
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote {path.relative_to(SQL)}")
    (SQL / "origins.json").write_text(origins())
    (SQL / "read.json").write_text(read())
    for dialect in DIALECTS[1:]:
        for path in set((SQL / dialect).glob("*.sql")) - wanted.keys():
            path.unlink()
            print(f"removed {path.relative_to(SQL)}")


if __name__ == "__main__":
    write_translations()
