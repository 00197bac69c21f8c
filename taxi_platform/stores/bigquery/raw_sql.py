"""What ``raw_green`` consists of on BigQuery: columns, external tables and the view, as SQL.

Belongs here: values and text only. Does not: the lake and requests (``raw``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxi_platform.contracts.model import FILE_MONTH
from taxi_platform.stores.bigquery.connection import LABELS, BigQueryDataset

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Generation", "bigquery_columns", "create_sql", "view_sql"]

_RESERVED = "_table_|_file_|_partition|_row_timestamp|__root__|_colidentifier"
_NAME = re.compile(rf"(?!{_RESERVED})[a-z_]\w{{0,299}}", re.IGNORECASE | re.ASCII)
"""The column names that an external table can have (https://cloud.google.com/bigquery/docs/schemas#column_names)."""
_OWN = {"file_month": "DATE", "month": "STRING", "file_name": "STRING"}
"""The view's own columns, which come before upstream's."""


@dataclass(frozen=True)
class Generation:
    """Current raw months of a dataset whose files have the same columns for BigQuery."""

    dataset: str
    columns: Mapping[str, str]
    """Upstream's name → BigQuery type; columns without a type, or without a name that BigQuery allows, are left out."""
    uris: tuple[str, ...]

    @property
    def table(self) -> str:
        """The table's name, made from its columns; an existing table never gets other columns."""
        return f"raw_{self.dataset}__{hashlib.sha256(repr(sorted(self.columns.items())).encode()).hexdigest()[:12]}"


def bigquery_columns(schema: pa.Schema) -> dict[str, str]:
    """The columns that BigQuery can read: upstream's names → types.

    Names that differ only in case are one name for BigQuery; the first is taken.
    """
    columns: dict[str, tuple[str, str]] = {}
    for field in schema:
        kind = _type(field.type)
        if kind is not None and _NAME.fullmatch(field.name) and field.name.casefold() not in _OWN:
            columns.setdefault(field.name.casefold(), (field.name, kind))
    return dict(columns.values())


def _type(kind: pa.DataType) -> str | None:
    """The BigQuery type of an Arrow type; None if there is none.

    https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet#parquet_conversions
    """
    import pyarrow as pa

    types = pa.types
    if types.is_timestamp(kind):
        return "DATETIME" if kind.tz is None else "TIMESTAMP"
    for fits, name in (
        (types.is_integer, "INT64"),
        (types.is_floating, "FLOAT64"),
        (types.is_boolean, "BOOL"),
        (types.is_date, "DATE"),
    ):
        if fits(kind):
            return name
    return "STRING" if types.is_string(kind) or types.is_large_string(kind) else None


def create_sql(dataset: BigQueryDataset, generation: Generation, prefix: str) -> str:
    """The statement that creates an external table; a condition on its column ``month`` leaves other files unread.

    Types are declared, because BigQuery would guess wrong for a column without any value.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#create_external_table_statement
    """
    columns = ", ".join(f"`{name}` {kind}" for name, kind in generation.columns.items())
    options = {
        "format": '"PARQUET"',
        "uris": json.dumps(generation.uris),
        "hive_partition_uri_prefix": json.dumps(prefix),
        "description": '"Raw months of one set of columns; the view raw_… unites all of them."',
        "labels": json.dumps(list(LABELS.items())).replace("[[", "[(").replace("]]", ")]"),
    }
    listed = ", ".join(f"{name} = {value}" for name, value in options.items())
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS {dataset.sql(generation.table)} ({columns}) "
        f"WITH PARTITION COLUMNS (month STRING) OPTIONS ({listed})"
    )


def view_sql(dataset: BigQueryDataset, generations: list[Generation]) -> str:
    """The query that unites the generations; columns are in the order of the first generation that has them."""
    if not generations:
        own = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in _OWN.items())
        return f"SELECT {own} FROM (SELECT 1) WHERE FALSE"  # noqa: S608 - constants
    united = _united(generations)
    return "\nUNION ALL\n".join(_branch(dataset, generation, united) for generation in generations)


def _branch(dataset: BigQueryDataset, generation: Generation, united: Mapping[str, tuple[str, str]]) -> str:
    own = {name.casefold(): (name, kind) for name, kind in generation.columns.items()}
    columns = [f"PARSE_DATE('%Y-%m', month) AS {FILE_MONTH.name}", "month", "_FILE_NAME AS file_name"]
    for folded, (name, kind) in united.items():
        source, found = own.get(folded, ("", ""))
        value = f"`{source}`" if found == kind else f"CAST({f'`{source}`' if source else 'NULL'} AS {kind})"
        columns.append(f"{value} AS `{name}`")
    files = ", ".join(map(json.dumps, generation.uris))
    return f"SELECT {', '.join(columns)}\nFROM {dataset.sql(generation.table)}\nWHERE _FILE_NAME IN ({files})"


def _united(generations: Iterable[Generation]) -> dict[str, tuple[str, str]]:
    """Name in lower case → the newest spelling, and a common type: the only one, a double for numbers, else text."""
    spellings: dict[str, str] = {}
    kinds: dict[str, set[str]] = {}
    for generation in generations:
        for name, kind in generation.columns.items():
            spellings.setdefault(name.casefold(), name)
            kinds.setdefault(name.casefold(), set()).add(kind)
    return {folded: (spelling, _common(kinds[folded])) for folded, spelling in spellings.items()}


def _common(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    return "FLOAT64" if kinds == {"INT64", "FLOAT64"} else "STRING"
