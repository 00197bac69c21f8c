"""``zones``, ``zones_warehouse``, ``zones_postgres``, …: the taxi zone lookup in every store; ``zone_shapes`` in the
lake.

Belongs here: whether lookup and shapes have to be fetched. Does not: reading them (``stores.lake.zones``,
``stores.lake.shapes``).

Who calls whom: ``zones`` returns a `ZonesFile`, ``zone_shapes`` a `ZoneShapesFile`, and ``LakeIOManager.handle_output``
opens it, which calls ``fetch``. The lookup's tables are those of ``reference_tables``. Those of the shapes are like
them, but empty where the lake has no shapes.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
import contextlib
import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import dagster as dg

from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.zones import MAPPED_ZONES, ZONE_SHAPES, ZONES
from taxi_platform.errors import StoreError
from taxi_platform.orchestration.assets.raw import UPSTREAM_POOL
from taxi_platform.orchestration.assets.reference_tables import reference_table
from taxi_platform.orchestration.assets.tables import kinds_of
from taxi_platform.orchestration.automation.conditions import follows
from taxi_platform.orchestration.columns import column_schema
from taxi_platform.orchestration.io_managers.values import ReferenceTable, ZonesFile, ZoneShapesFile
from taxi_platform.orchestration.keys import LOOKUP, SHAPES, asset_name
from taxi_platform.orchestration.metadata import NO_SHAPES, TABLE
from taxi_platform.orchestration.resources import LakeResource, SourceResource, StagingResource
from taxi_platform.stores.lake.zones import StoredZones
from taxi_platform.stores.layer import StoreAt

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.sources.model import Download
    from taxi_platform.stores.lake.lake import Lake

__all__ = ["zones_assets"]

_LOG = logging.getLogger(__name__)


def zones_assets(stores: Iterable[StoreAt]) -> list[dg.AssetsDefinition]:
    """The assets of the lookup: one in the lake, and a table in each store; and the zones' shapes in the lake."""
    stores = tuple(stores)
    tables = [reference_table(store, LOOKUP, MAPPED_ZONES, StoredZones, _rows, and_shapes=True) for store in stores]
    return [_zones(), _zone_shapes(), *tables, *map(_zone_shapes_table, stores)]


def _zones() -> dg.AssetsDefinition:
    @dg.asset(
        key=asset_name(LOOKUP, LOOKUP),
        group_name=LOOKUP,
        io_manager_key="lake_io",
        pool=UPSTREAM_POOL,
        kinds={"parquet"},
        metadata=column_schema(ZONES),
        description=ZONES.description,
    )
    def zones(source: SourceResource, lake: LakeResource, staging: StagingResource) -> ZonesFile:
        # Called by LakeIOManager.handle_output; None means that the lake has upstream's version already.
        @contextlib.contextmanager
        def fetch() -> "Iterator[Download | None]":
            upstream = source.open()
            version = upstream.stat_zones()
            stored = lake.open().stored_zones()
            if stored is not None and stored.source_token == version.token:
                yield None
                return
            with staging.open() as folder:
                yield upstream.fetch_zones(version, folder)

        return ZonesFile(fetch)

    return zones


def _zone_shapes() -> dg.AssetsDefinition:
    @dg.asset(
        key=asset_name(SHAPES, SHAPES),
        group_name=LOOKUP,
        io_manager_key="lake_io",
        pool=UPSTREAM_POOL,
        kinds={"parquet"},
        description=(
            "The shapes of New York's taxi zones, in degrees and in feet of EPSG:2263, with centre and area. Every "
            "version stays in the lake. Nothing if upstream has no file of them."
        ),
    )
    def zone_shapes(source: SourceResource, lake: LakeResource, staging: StagingResource) -> ZoneShapesFile:
        # Called by LakeIOManager.handle_output; None means that there is nothing new, or nothing at all.
        @contextlib.contextmanager
        def fetch() -> "Iterator[Download | None]":
            upstream = source.open()
            version, stored = upstream.stat_zone_shapes(), lake.open().stored_zone_shapes()
            if version is None:
                _LOG.warning("the %s source has no file of the zones' shapes: they stay as they are", upstream.name)
            if version is None or (stored is not None and stored.source_token == version.token):
                yield None
                return
            with staging.open() as folder:
                yield upstream.fetch_zone_shapes(version, folder)

        return ZoneShapesFile(fetch)

    return zone_shapes


def _zone_shapes_table(store: StoreAt) -> dg.AssetsDefinition:
    layer = store.layer

    @dg.asset(
        key=asset_name(layer.name, SHAPES),
        # A store asks which lake it belongs to. Where upstream has no shapes, the lookup is the first thing that tells.
        deps=[asset_name(SHAPES, SHAPES), asset_name(LOOKUP, LOOKUP)],
        group_name=LOOKUP,
        io_manager_key=layer.io_manager_key,
        pool=layer.name,
        automation_condition=follows(SHAPES),
        kinds=kinds_of(store),
        metadata={TABLE: ZONE_SHAPES.qualified_name, **column_schema(ZONE_SHAPES)},
        description=f"{ZONE_SHAPES.description} In {layer.title} as `{ZONE_SHAPES.qualified_name}`.",
    )
    def zone_shapes_table(lake: LakeResource) -> ReferenceTable:
        stored = lake.open().stored_zone_shapes()
        return ReferenceTable(ZONE_SHAPES, stored.sha256 if stored else NO_SHAPES, _shape_rows)

    return zone_shapes_table


def _shape_rows(lake: "Lake") -> "pa.Table":
    """The shapes' rows, none where the lake has no shapes."""
    shapes, schema = lake.zone_shapes(ZONE_SHAPES.column_names), arrow_schema(ZONE_SHAPES)
    return schema.empty_table() if shapes is None else shapes.cast(schema)


def _rows(lake: "Lake") -> "pa.Table":
    """The lookup's rows. Called by ``TableIOManager.handle_output`` through `ReferenceTable`."""
    rows = lake.mapped_zones()
    if rows is None:
        raise StoreError(f"{lake.url} has no zone lookup: materialize zones first")
    return rows
