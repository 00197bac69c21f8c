"""``raw_green`` on BigQuery: a view over external tables, one per generation of upstream's columns.

Belongs here: which objects are in it, and the order of changes. Does not: columns and SQL (``raw_sql``), and when it is
made (``orchestration.io_managers.raw_views``).

An external table has one type per column for all its files, and a query fails if a file has another
(https://cloud.google.com/bigquery/docs/external-tables). Raw files are as upstream made them. So files with the same
columns and types share a table, named ``raw_green__`` and a fingerprint of those. The view unites the tables by column
name, with types that hold all the tables' values. Table and view name exact objects, because only manifests say which
version is current.

Readers see the lake's state before a refresh or after it. First each table gets the new objects besides the old ones.
Then the view, which says which objects count, changes in one request. Last the tables lose the superseded objects.
Every change has the condition that nobody changed the table since the manifests were read. So no refresh can replace a
newer state by an older one, and a refresh that is killed leaves a correct view.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from taxi_platform.errors import StoreBusyError
from taxi_platform.references import RawMonth
from taxi_platform.stores.bigquery.connection import LABELS, BigQueryDataset
from taxi_platform.stores.bigquery.raw_sql import Generation, bigquery_columns, create_sql, view_sql
from taxi_platform.stores.bigquery.tables import create_dataset, keep_for_good
from taxi_platform.transience import RACE

if TYPE_CHECKING:
    from google.cloud import bigquery

    from taxi_platform.stores.lake.lake import Lake

__all__ = ["refresh_raw_view"]


_AT_ONCE = 16
"""Manifests read in parallel; a dataset has up to 200."""


class _RefreshedMeanwhileError(StoreBusyError):
    """Another refresh changed what was read; read it again."""


def refresh_raw_view(dataset: BigQueryDataset, name: str, lake: Lake) -> None:
    """Make the view ``raw_{name}`` show the current version of every raw month; nothing is written if it already does.

    Raises:
            StoreBusyError: other processes keep refreshing it.
            StoreError: BigQuery refuses.
    """
    from google.api_core.exceptions import Conflict, PreconditionFailed

    def attempt() -> None:
        with dataset.clear_errors(f"refresh raw_{name}"):
            # The order matters: read the tables first, then the manifests. So a later change of a table makes its
            # condition fail.
            existing = _existing_tables(dataset, name)
            generations = _generations(lake, name)
            try:
                done = not (existing or generations) or _refreshed(dataset, name, lake, existing, generations)
            except (Conflict, PreconditionFailed) as error:
                raise _RefreshedMeanwhileError(
                    f"other runs keep refreshing raw_{name} in {dataset}: let them end first"
                ) from error
        if not done:
            raise _RefreshedMeanwhileError(
                f"tables of raw_{name} in {dataset} keep coming and going: let other runs end first"
            )

    RACE.call(
        attempt,
        wait_seconds=dataset.wait_seconds,
        worth=lambda error: isinstance(error, _RefreshedMeanwhileError),
    )


def _refreshed(
    dataset: BigQueryDataset,
    name: str,
    lake: Lake,
    existing: dict[str, bigquery.Table],
    generations: list[Generation],
) -> bool:
    """Change what differs; False if tables were created, so that the manifests must be read again."""
    missing = [generation for generation in generations if generation.table not in existing]
    if missing and not existing:
        create_dataset(dataset, dataset.name)
    for generation in missing:
        dataset.query(create_sql(dataset, generation, lake.uri(f"raw/{name}")))
    if missing:
        return False
    for generation in generations:
        table = existing[generation.table]
        existing[generation.table] = _with_uris(dataset, table, {*_uris(table), *generation.uris})
    _replace_view(dataset, name, existing.get(f"raw_{name}"), view_sql(dataset, generations))
    for generation in generations:
        _with_uris(dataset, existing[generation.table], set(generation.uris))
    return True


# ---- the lake


def _generations(lake: Lake, name: str) -> list[Generation]:
    """The current raw months grouped by the columns of their files, with the newest month's group first."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        current = [raw for raw in pool.map(lake.readable_raw, reversed(lake.months(name))) if raw is not None]
        examples = {raw.schema_fingerprint: raw for raw in current}
        columns = dict(zip(examples, pool.map(lambda raw: _columns(lake, raw), examples.values()), strict=True))
    groups: dict[str, list[Generation]] = {}
    for raw in current:
        single = Generation(name, columns[raw.schema_fingerprint], (lake.uri(raw.view_path),))
        groups.setdefault(single.table, []).append(single)
    return [
        Generation(name, group[0].columns, tuple(sorted(uri for single in group for uri in single.uris)))
        for group in groups.values()
    ]


def _columns(lake: Lake, raw: RawMonth) -> dict[str, str]:
    with lake.open_parquet(raw.view_path) as file:
        return bigquery_columns(file.schema_arrow)


# ---- BigQuery


def _existing_tables(dataset: BigQueryDataset, name: str) -> dict[str, bigquery.Table]:
    """The existing view and its external tables, by name."""
    from google.api_core.exceptions import NotFound

    mine = re.compile(rf"raw_{re.escape(name)}(__[0-9a-f]{{12}})?")
    try:
        items = list(dataset.client.list_tables(f"{dataset.project}.{dataset.name}"))
        names = [item.table_id for item in items if mine.fullmatch(item.table_id)]
        tables = {found: dataset.client.get_table(dataset.table_id(found)) for found in names}
    except NotFound:
        return {}
    return {found: keep_for_good(dataset, table) for found, table in tables.items()}


def _uris(table: bigquery.Table) -> set[str]:
    config: Any = table.external_data_configuration
    return set(config.source_uris or ())


def _with_uris(dataset: BigQueryDataset, table: bigquery.Table, uris: set[str]) -> bigquery.Table:
    """Make the table cover those objects; fails if somebody changed the table since it was read."""
    if uris == _uris(table):
        return table
    config: Any = table.external_data_configuration
    config.source_uris = sorted(uris)
    table.external_data_configuration = config
    return dataset.client.update_table(table, ["external_data_configuration"])


def _replace_view(dataset: BigQueryDataset, name: str, existing: bigquery.Table | None, sql: str) -> None:
    from google.cloud import bigquery

    if existing is None:
        view = bigquery.Table(dataset.table_id(f"raw_{name}"))
        view.view_query = sql
        view.description = (
            f"Raw {name} records, the current version of every month in the lake, as upstream published them. "
            "Filter by month ('2020-03') to read, and pay for, that month alone."
        )
        view.labels = dict(LABELS)
        keep_for_good(dataset, dataset.client.create_table(view))
    elif existing.view_query != sql:
        existing.view_query = sql
        dataset.client.update_table(existing, ["view_query"])
