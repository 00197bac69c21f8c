"""Small tables in every store, each made from an object of the lake: ``zones_warehouse``, ``dates_postgres``, ….

Belongs here: the asset that they have in common. Does not: what they are made from (``zones``, ``dimensions``).

Who calls whom: a table's function returns a `ReferenceTable`, and ``TableIOManager.handle_output`` calls its ``read``.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dagster as dg

from taxi_platform.contracts.model import Table
from taxi_platform.orchestration.assets.tables import kinds_of
from taxi_platform.orchestration.automation.conditions import follows
from taxi_platform.orchestration.columns import column_schema
from taxi_platform.orchestration.io_managers.values import ReferenceTable
from taxi_platform.orchestration.keys import LOOKUP, SHAPES, asset_name
from taxi_platform.orchestration.metadata import TABLE
from taxi_platform.stores.layer import StoreAt

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.stores.lake.lake import Lake

__all__ = ["reference_table"]


def reference_table(
    store: StoreAt,
    name: str,
    table: Table,
    stored_as: type,
    read: "Callable[[Lake], pa.Table]",
    *,
    and_shapes: bool = False,
) -> dg.AssetsDefinition:
    """The asset of a small table in one store, which follows the asset ``name`` of the lake.

    Args:
        store: where the table is.
        name: of the lake's asset.
        table: the declaration.
        stored_as: the type of the reference that the lake's IO manager gives; it has ``sha256``, the rows' version.
        read: reads the rows from the lake.
        and_shapes: whether the rows depend on the zones' shapes too.
    """
    layer = store.layer

    @dg.asset(
        key=asset_name(layer.name, name),
        ins={"stored": dg.AssetIn(asset_name(name, name), dagster_type=stored_as)},
        group_name=LOOKUP,
        io_manager_key=layer.io_manager_key,
        pool=layer.name,
        deps=[asset_name(SHAPES, SHAPES)] if and_shapes else [],
        automation_condition=follows(name, and_shapes=and_shapes),
        kinds=kinds_of(store),
        metadata={TABLE: table.qualified_name, **column_schema(table)},
        description=f"{table.description} In {layer.title} as `{table.qualified_name}`.",
    )
    def loaded(stored: Any) -> ReferenceTable:
        return ReferenceTable(table, stored.sha256, read, and_shapes)

    return loaded
