"""Gives stored rows to an asset in the form that its argument is annotated with.

Belongs here: what annotations mean, and which months an input covers. Does not: reading from a store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from taxi_platform.months import TripMonth, parse_month
from taxi_platform.orchestration.io_managers.failures import in_a_sentence
from taxi_platform.orchestration.io_managers.places import own_place
from taxi_platform.orchestration.partitions import check_range, tag_months

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["as_annotated", "chosen_columns", "chosen_months", "input_months", "wants_frame"]


def input_months(context: dg.InputContext) -> tuple[TripMonth, ...]:
    """The months of the upstream asset that this run needs, in calendar order."""
    dataset = own_place(context).dataset
    with in_a_sentence():
        check_range(dg.AssetExecutionContext.get().run.tags)
    months = tuple(sorted(TripMonth(dataset, parse_month(key)) for key in context.asset_partition_keys))
    tag_months(dg.AssetExecutionContext.get(), months)
    return months


def chosen_months(context: dg.InputContext) -> tuple[date, ...] | None:
    """The months whose rows are needed, in calendar order; None means all stored months.

    For an asset without partitions, Dagster names every month of a partitioned input, stored or not, unless
    ``AssetIn(partition_mapping=…)`` selects some.
    """
    if not context.has_asset_partitions:
        return None
    keys = set(context.asset_partition_keys)
    if keys.issuperset(context.asset_partitions_def.get_partition_keys()):
        return None
    return tuple(sorted(map(parse_month, keys)))


def chosen_columns(context: dg.InputContext) -> Sequence[str] | None:
    """The columns of ``AssetIn(metadata={"columns": […]})``, in that order; None means all."""
    columns: Sequence[str] | None = (context.definition_metadata or {}).get("columns")
    return columns


def as_annotated(context: dg.InputContext, rows: pa.RecordBatchReader) -> Any:
    """Rows in the type of the argument's annotation: an Arrow reader (streamed), an Arrow table or a pandas DataFrame.

    Raises:
        dagster.DagsterInvalidDefinitionError: the annotation is another; the sentence names the three.
    """
    wanted = context.dagster_type.typing_type
    name = _name_of(wanted)
    if name.startswith("pyarrow.") and name.endswith("RecordBatchReader"):
        return rows
    if name.startswith("pyarrow.") and name.endswith("Table"):
        return rows.read_all()
    if wants_frame(context):
        return rows.read_pandas()
    raise dg.DagsterInvalidDefinitionError(
        f"the argument {context.name!r} takes {context.asset_key.to_user_string()} as {name.strip('.') or wanted}: "
        "annotate it as pyarrow.RecordBatchReader, pyarrow.Table or pandas.DataFrame"
    )


def wants_frame(context: dg.InputContext) -> bool:
    """Whether the argument is annotated as a pandas DataFrame."""
    name = _name_of(context.dagster_type.typing_type)
    return name.startswith("pandas.") and name.endswith("DataFrame")


def _name_of(annotation: object) -> str:
    """The annotation's full name. Comparing names spares the import of libraries that are not used."""
    return f"{getattr(annotation, '__module__', '')}.{getattr(annotation, '__qualname__', '')}"
