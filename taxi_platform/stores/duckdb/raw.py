"""``taxi.raw_green``: a view over the lake's raw months, queried as upstream published them.

Belongs here: the view's SQL. Does not: when it is made (``orchestration.io_managers.raw_views``).

Each file keeps its own columns, and the view matches them by name. A column whose type changed over the years gets a
type that holds all of them. The files are listed, not found by a pattern, because only manifests say which version is
current. A list of 200 files costs 0.1 s to bind and almost nothing to query by ``file_month``, which selects the files
by their folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from taxi_platform.contracts.schemas import quoted, sql_literal
from taxi_platform.stores.model import SCHEMA

if TYPE_CHECKING:
    from taxi_platform.stores.lake.lake import Lake

__all__ = ["raw_view_sql"]


def raw_view_sql(dataset: str, lake: Lake) -> tuple[str, ...]:
    """The statements that make the view over the current version of every raw month; without any month, no view."""
    current = filter(None, map(lake.readable_raw, lake.months(dataset)))
    files = ", ".join(sql_literal(lake.uri(raw.view_path)) for raw in current)
    view = f"{SCHEMA}.{quoted(f'raw_{dataset}')}"
    if not files:
        return (f"DROP VIEW IF EXISTS {view}",)
    source = (
        f"read_parquet([{files}], union_by_name = true, hive_partitioning = true, hive_types = {{'month': VARCHAR}})"
    )
    select = f"SELECT strptime(month, '%Y-%m')::DATE AS file_month, * EXCLUDE (month) FROM {source}"  # noqa: S608 - literals
    description = f"Raw {dataset} records, the current version of every month in the lake, as upstream published them."
    return (
        f"CREATE OR REPLACE VIEW {view} AS {select}",
        f"COMMENT ON VIEW {view} IS {sql_literal(description)}",
    )
