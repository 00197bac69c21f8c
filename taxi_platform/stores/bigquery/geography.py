"""The zones' shapes as GEOGRAPHY: a view over the table of their well-known binary.

Belongs here: that view. Does not: the table, which has the same columns in every store (``contracts.zones``).

A load of Parquet fills BYTES, so that the type is made where the shapes are read
(https://cloud.google.com/bigquery/docs/reference/standard-sql/geography_functions#st_geogfromwkb).
"""

from __future__ import annotations

from taxi_platform.contracts.model import Column, ColumnType, Table
from taxi_platform.contracts.zones import ZONE_SHAPES
from taxi_platform.stores.bigquery.connection import BigQueryDataset
from taxi_platform.stores.bigquery.tables import replace_view

__all__ = ["ZONE_GEOGRAPHY", "refresh_geography"]

ZONE_GEOGRAPHY = Table(
    "zone_geography",
    "The polygons of New York's taxi zones, as GEOGRAPHY; a view over zone_shapes.",
    (ZONE_SHAPES.columns[0], Column("geography", ColumnType.BINARY, "Polygons in longitude and latitude, GEOGRAPHY.")),
)


def refresh_geography(dataset: BigQueryDataset) -> None:
    """Create or replace the view; the table of shapes must exist."""
    sql = f"SELECT location_id, ST_GEOGFROMWKB(geometry) AS geography\nFROM {dataset.sql(ZONE_SHAPES.name)}"
    replace_view(dataset, ZONE_GEOGRAPHY, sql)
