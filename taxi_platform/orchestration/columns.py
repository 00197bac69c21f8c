"""The columns of assets, and the columns that they come from, as metadata of definitions.

Belongs here: turning contracts and marts into that. Does not: what is recorded of months (``metadata``).

It is metadata of definitions and not of materializations, because it is the same for every month, and an event would
repeat it for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import FILE_MONTH, Table
from taxi_platform.contracts.schemas import describe
from taxi_platform.marts import marts_of
from taxi_platform.marts.model import Mart
from taxi_platform.marts.queries import origins
from taxi_platform.orchestration.keys import SHAPES, asset_key

__all__ = ["column_schema", "mart_columns", "table_columns", "trips_columns"]

COLUMNS = "dagster/column_schema"
LINEAGE = "dagster/column_lineage"


def column_schema(table: Table) -> Mapping[str, Any]:
    """The table's columns, with types and descriptions, as an asset's definition metadata."""
    columns = [
        dg.TableColumn(
            c.name,
            c.type.postgres,
            description=describe(c),
            constraints=dg.TableColumnConstraints(nullable=c.nullable),
        )
        for c in table.columns
    ]
    return {
        COLUMNS: dg.TableSchema(
            columns=columns, constraints=dg.TableConstraints(other=[f"clustered by {', '.join(table.cluster_by)}"])
        )
        if table.cluster_by
        else dg.TableSchema(columns=columns)
    }


def trips_columns(contract: Contract) -> Mapping[str, Any]:
    """The columns of a dataset's trips with the columns of upstream's files, in every spelling, that they come from."""
    raw, shapes = asset_key("raw", contract.dataset), asset_key(SHAPES, SHAPES)
    lineage: dict[str, list[dg.TableColumnDep]] = {FILE_MONTH.name: []}
    for column in contract.columns:
        of = [contract.column(name) for name in column.derived_from] or [column]
        lineage[column.name] = [
            dg.TableColumnDep(raw, spelling) for one in of for spelling in one.spellings or (one.name,)
        ]
        if column.derived_from:
            lineage[column.name].append(dg.TableColumnDep(shapes, "geometry_feet"))
    return {**column_schema(contract.trips), LINEAGE: dg.TableColumnLineage(lineage)}


def table_columns(contract: Contract) -> Mapping[str, Any]:
    """The columns of a dataset's trips in a store of tables, each of which comes from the lake's of that name."""
    trips = asset_key("trips", contract.dataset)
    lineage = {name: [dg.TableColumnDep(trips, name)] for name in contract.trips.column_names}
    return {**column_schema(contract.trips), LINEAGE: dg.TableColumnLineage(lineage)}


def mart_columns(contract: Contract, tables: dg.AssetKey) -> Mapping[str, Any]:
    """Columns of a dataset's marts with the columns of its tables that they come from, as definition metadata.

    A column's name is ``mart_service_day.trips``, because one asset has all marts of a dataset.
    """
    marts = {mart.name: mart for mart in marts_of(contract)}
    columns = [
        dg.TableColumn(f"{mart.name}.{c.name}", c.type.postgres, description=describe(c))
        for mart in marts.values()
        for c in mart.columns
    ]
    lineage = {
        f"{name}.{column}": [
            dg.TableColumnDep(tables, own)
            for own in dict.fromkeys(contract.unified.get(of, of) for of in _trips_columns(sources, marts))
            if own in contract.trips.column_names
        ]
        for name in marts
        for column, sources in origins()[name].items()
    }
    return {COLUMNS: dg.TableSchema(columns=columns), LINEAGE: dg.TableColumnLineage(lineage)}


def _trips_columns(sources: Sequence[str], marts: Mapping[str, Mart]) -> Iterator[str]:
    """The columns of trips that these columns come from, through other marts if need be."""
    for source in sources:
        relation, _, column = source.partition(".")
        if relation in marts:
            yield from _trips_columns(origins()[relation][column], marts)
        elif relation == "trips":
            yield column
