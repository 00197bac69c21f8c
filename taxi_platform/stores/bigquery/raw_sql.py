"""What ``raw_green`` is made of on BigQuery: columns, external tables and the view, as SQL.

Belongs here: values and text alone. Does not: the lake, and any request (``raw``).
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
"""What an external table may call a column (https://cloud.google.com/bigquery/docs/schemas#column_names)."""
_OWN = {"file_month": "DATE", "month": "STRING", "file_name": "STRING"}
"""The view's own columns, before upstream's."""


@dataclass(frozen=True)
class Generation:
    """Current raw months of a dataset whose files have the same columns to BigQuery."""

    dataset: str
    columns: Mapping[str, str]
    """Upstream's name → BigQuery type; without columns that are null-typed or that BigQuery has no name or type for."""
    uris: tuple[str, ...]

    @property
    def table(self) -> str:
        """Named by its columns, which a standing table is never given others of."""
        return f"raw_{self.dataset}__{hashlib.sha256(repr(sorted(self.columns.items())).encode()).hexdigest()[:12]}"


def bigquery_columns(schema: pa.Schema) -> dict[str, str]:
    """Upstream's names of those columns that BigQuery can read, and their types.

    Names that differ in case only are one to BigQuery: the first is taken.
    """
    columns: dict[str, tuple[str, str]] = {}
    for field in schema:
        kind = _type(field.type)
        if kind is not None and _NAME.fullmatch(field.name) and field.name.casefold() not in _OWN:
            columns.setdefault(field.name.casefold(), (field.name, kind))
    return dict(columns.values())


def _type(kind: pa.DataType) -> str | None:
    """https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet#parquet_conversions."""
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
    """The statement that creates an external table; by its column ``month``, files are left unread.

    Types are declared: what BigQuery would infer from a column without a value is not what later files have.
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
    """The query that unites the generations, columns in the order of the first that has them; no rows without any."""
    if not generations:
        own = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in _OWN.items())
        return f"SELECT {own} FROM (SELECT 1) WHERE FALSE"  # noqa: S608
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
    """Name in lower case → the newest spelling, and a type that holds all: the one, a double for numbers, else text."""
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
