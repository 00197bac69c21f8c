"""``raw_green`` on BigQuery: a view over external tables, one per generation of upstream's columns.

Belongs here: which objects, which columns, and the order of changes. Does not: when it is made
(``io_managers.raw_views``).

An external table takes one type per column for all of its files and fails at query time where a file disagrees
(https://cloud.google.com/bigquery/docs/external-tables). Raw files are as upstream made them, so that files of the same
columns and types share a table, ``raw_green__{fingerprint}``, and the view unites them: by name, in a type that holds
all of a column's. Tables and view name exact objects, for only manifests know which version is current.

Readers see one state of the lake or the next: tables first take what is new beside what they have, then the view, which
says which of it counts, changes in one request, then tables let go of what is superseded. Every change is conditional
on nobody else having made one since the manifests were read, so that no refresh can put an older state in place of a
newer one, and a refresh killed half-way leaves a view that is right.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.model import FILE_MONTH
from taxi_platform.errors import StoreBusyError
from taxi_platform.references import RawMonth
from taxi_platform.stores.bigquery_client import LABELS, BigQueryDataset
from taxi_platform.stores.bigquery_tables import create_dataset

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud import bigquery

    from taxi_platform.stores.lake import Lake

__all__ = ["Generation", "create_sql", "refresh_raw_view", "view_sql"]

_RACES = 10
_AT_ONCE = 16
"""Manifests read at a time: a dataset has up to 200."""

_RESERVED = "_table_|_file_|_partition|_row_timestamp|__root__|_colidentifier"
_NAME = re.compile(rf"(?!{_RESERVED})[a-z_]\w{{0,299}}", re.IGNORECASE | re.ASCII)
"""What an external table may call a column (https://cloud.google.com/bigquery/docs/schemas#column_names)."""
_OWN = {"file_month": "DATE", "month": "STRING", "file_name": "STRING"}
"""The view's own columns, before upstream's."""


@dataclass(frozen=True)
class Generation:
    """Current raw months whose files have the same columns."""

    table: str
    columns: Mapping[str, str]
    """Upstream's name → BigQuery type; without columns that are null-typed or that BigQuery has no name or type for."""
    uris: tuple[str, ...]


def refresh_raw_view(dataset: BigQueryDataset, name: str, lake: Lake) -> None:
    """Make the view ``raw_{name}`` the current version of every raw month; nothing is written where it is already.

    Raises:
        StoreBusyError: others keep refreshing it.
        StoreError: BigQuery refuses.
    """
    from google.api_core.exceptions import Conflict, PreconditionFailed

    for attempt in range(_RACES):
        time.sleep(random.uniform(0, attempt))  # noqa: S311 (no secret: writers must fall out of step)
        with dataset.clear_errors(f"refresh raw_{name}"), suppress(Conflict, PreconditionFailed):
            # The order matters: what stands first, then the manifests, so that a change made on them is the newer one.
            standing = _standing(dataset, name)
            generations = _generations(lake, name)
            if not (standing or generations) or _refreshed(dataset, name, lake, standing, generations):
                return
    raise StoreBusyError(f"other runs keep refreshing raw_{name} in {dataset}: let them end first")


def _refreshed(
    dataset: BigQueryDataset,
    name: str,
    lake: Lake,
    standing: dict[str, bigquery.Table],
    generations: list[Generation],
) -> bool:
    """Change what differs; False where tables were created, whose state was unknown when the manifests were read."""
    missing = [generation for generation in generations if generation.table not in standing]
    if missing and not standing:
        create_dataset(dataset, dataset.name)
    for generation in missing:
        dataset.query(create_sql(dataset, generation, lake.uri(f"raw/{name}")))
    if missing:
        return False
    for generation in generations:
        table = standing[generation.table]
        standing[generation.table] = _with_uris(dataset, table, {*_uris(table), *generation.uris})
    _replace_view(dataset, name, standing.get(f"raw_{name}"), view_sql(dataset, generations))
    for generation in generations:
        _with_uris(dataset, standing[generation.table], set(generation.uris))
    return True


# ---- the lake


def _generations(lake: Lake, name: str) -> list[Generation]:
    """The current raw months by the columns of their files, the generation of the newest month first."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        current = [raw for raw in pool.map(lake.current_raw, reversed(lake.months(name))) if raw is not None]
        groups: dict[str, list[RawMonth]] = {}
        for raw in current:
            groups.setdefault(raw.schema_fingerprint, []).append(raw)
        schemas = pool.map(lambda group: _schema(lake, group[0]), groups.values())
        return [
            Generation(f"raw_{name}__{fingerprint}", _columns(schema), tuple(sorted(lake.uri(r.path) for r in group)))
            for (fingerprint, group), schema in zip(groups.items(), schemas, strict=True)
        ]


def _schema(lake: Lake, raw: RawMonth) -> pa.Schema:
    with lake.open_parquet(raw.path) as file:
        return file.schema_arrow


def _columns(schema: pa.Schema) -> dict[str, str]:
    """Names that differ in case only are one to BigQuery: the first is taken."""
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


# ---- SQL


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


# ---- BigQuery


def _standing(dataset: BigQueryDataset, name: str) -> dict[str, bigquery.Table]:
    """The view and its external tables as they stand."""
    from google.api_core.exceptions import NotFound

    mine = re.compile(rf"raw_{re.escape(name)}(__.+)?")
    try:
        items = list(dataset.client.list_tables(f"{dataset.project}.{dataset.name}"))
        names = [item.table_id for item in items if mine.fullmatch(item.table_id)]
        return {found: dataset.client.get_table(dataset.table_id(found)) for found in names}
    except NotFound:
        return {}


def _uris(table: bigquery.Table) -> set[str]:
    config: Any = table.external_data_configuration
    return set(config.source_uris or ())


def _with_uris(dataset: BigQueryDataset, table: bigquery.Table, uris: set[str]) -> bigquery.Table:
    """The table over those objects, changed unless somebody else has changed it since it was read."""
    if uris == _uris(table):
        return table
    config: Any = table.external_data_configuration
    config.source_uris = sorted(uris)
    table.external_data_configuration = config
    return dataset.client.update_table(table, ["external_data_configuration"])


def _replace_view(dataset: BigQueryDataset, name: str, standing: bigquery.Table | None, sql: str) -> None:
    from google.cloud import bigquery

    if standing is None:
        view = bigquery.Table(dataset.table_id(f"raw_{name}"))
        view.view_query = sql
        view.description = (
            f"Raw {name} records, the current version of every month in the lake, as upstream published them. "
            "Filter by month ('2020-03') to read, and pay for, that month alone."
        )
        view.labels = dict(LABELS)
        dataset.client.create_table(view)
    elif standing.view_query != sql:
        standing.view_query = sql
        dataset.client.update_table(standing, ["view_query"])
