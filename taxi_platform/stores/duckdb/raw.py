"""``taxi.raw_green``: a view over the lake's raw months, queried as upstream published them.

Belongs here: the view's SQL. Does not: when it is made (``orchestration.io_managers.raw_views``).

Schema on read: each file keeps its own columns, united by name; a column whose type changed over the years takes one
that holds them all. The files are listed, not found by a pattern: only manifests know which version is current, and a
list of 200 costs 0.1 s to bind and next to nothing to query by ``file_month``, which prunes files by their folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from taxi_platform.contracts.schemas import quoted, sql_literal
from taxi_platform.stores.model import SCHEMA

if TYPE_CHECKING:
    from taxi_platform.stores.lake.lake import Lake

__all__ = ["raw_view_sql"]


def raw_view_sql(dataset: str, lake: Lake) -> tuple[str, ...]:
    """The statements that make the view over the current version of every raw month; without one, no view."""
    current = filter(None, map(lake.readable_raw, lake.months(dataset)))
    files = ", ".join(sql_literal(lake.uri(raw.view_path)) for raw in current)
    view = f"{SCHEMA}.{quoted(f'raw_{dataset}')}"
    if not files:
        return (f"DROP VIEW IF EXISTS {view}",)
    source = (
        f"read_parquet([{files}], union_by_name = true, hive_partitioning = true, hive_types = {{'month': VARCHAR}})"
    )
    select = f"SELECT strptime(month, '%Y-%m')::DATE AS file_month, * EXCLUDE (month) FROM {source}"  # noqa: S608
    description = f"Raw {dataset} records, the current version of every month in the lake, as upstream published them."
    return (
        f"CREATE OR REPLACE VIEW {view} AS {select}",
        f"COMMENT ON VIEW {view} IS {sql_literal(description)}",
    )
