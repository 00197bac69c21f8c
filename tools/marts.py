"""Write the SELECTs of marts again in every dialect: `python -m tools.marts`.

Belongs here: translating, by sqlglot, and what it does not know of a dialect. Does not: any SELECT
(``taxi_platform/marts/sql/duckdb``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sqlglot
from sqlglot import exp

from taxi_platform.marts.queries import DIALECTS, SQL, DialectName

__all__ = ["translated", "translations", "write_translations"]

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
    """PostgreSQL's series is a relation by itself."""
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
    for dialect in DIALECTS[1:]:
        for path in set((SQL / dialect).glob("*.sql")) - wanted.keys():
            path.unlink()
            print(f"removed {path.relative_to(SQL)}")


if __name__ == "__main__":
    write_translations()
