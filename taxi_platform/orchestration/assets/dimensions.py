"""``dates`` and ``codes``: tables that the platform makes by itself, in the lake and in every store.

Belongs here: their assets. Does not: their rows (``contracts.dimensions``) and their objects
(``stores.lake.dimensions``).

Who calls whom: an asset of the lake returns a `Dimension`, and ``LakeIOManager.handle_output`` has the lake make it.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from taxi_platform.contracts.dimensions import DIMENSIONS, Dimension
from taxi_platform.errors import StoreError
from taxi_platform.orchestration.assets.reference_tables import reference_table
from taxi_platform.orchestration.columns import column_schema
from taxi_platform.orchestration.keys import LOOKUP, asset_name
from taxi_platform.stores.lake.dimensions import StoredDimension
from taxi_platform.stores.layer import StoreAt

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.stores.lake.lake import Lake

__all__ = ["dimension_assets"]


def dimension_assets(stores: Iterable[StoreAt]) -> list[dg.AssetsDefinition]:
    """The assets of every such table: one in the lake, and one in each store."""
    stores = tuple(stores)
    return [
        asset
        for name, dimension in DIMENSIONS.items()
        for asset in (
            _made(name, dimension),
            *(reference_table(store, name, dimension.table, StoredDimension, partial(_rows, name)) for store in stores),
        )
    ]


def _made(name: str, dimension: Dimension) -> dg.AssetsDefinition:
    @dg.asset(
        key=asset_name(name, name),
        # A store of tables asks which lake it belongs to, and the zone lookup is the first thing that tells.
        deps=[asset_name(LOOKUP, LOOKUP)],
        group_name=LOOKUP,
        io_manager_key="lake_io",
        kinds={"parquet"},
        metadata=column_schema(dimension.table),
        description=dimension.table.description,
    )
    def made() -> Dimension:
        return dimension

    return made


def _rows(name: str, lake: "Lake") -> "pa.Table":
    """The table's rows. Called by ``TableIOManager.handle_output`` through `ReferenceTable`."""
    rows = lake.dimensions.rows(name)
    if rows is None:
        raise StoreError(f"{lake.url} has no {name}: materialize {name} first")
    return rows
