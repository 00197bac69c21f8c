"""The taxi zones: the lookup of 265 zones, and what their shapes tell; reference tables rather than datasets of months.

Belongs here: the tables' declarations, and which zones are special. The texts "NA" and "N/A" of zones 264 and 265 are
data, never null.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from taxi_platform.contracts.model import Column, ColumnType, Table

__all__ = ["AIRPORTS", "CONGESTION_ZONE", "MAPPED_ZONES", "ZONES", "ZONE_COUNT", "ZONE_SHAPES"]

_SOURCE = "https://www.nyc.gov/site/tlc/about/tlc-trip-record-data.page"

ZONE_COUNT = 265
"""Rows of the lookup as last published; a lookup with fewer is refused. Zone names repeat, location ids do not."""

AIRPORTS: Mapping[int, str] = MappingProxyType({1: "EWR", 132: "JFK", 138: "LGA"})
"""Location id → the airport that the zone is: Newark, John F. Kennedy, LaGuardia."""

CONGESTION_ZONE = frozenset(
    {4, 12, 13, 45, 48, 50, 68, 79, 87, 88, 90, 100, 107, 113, 114, 125, 137, 144, 148, 158, 161, 162, 163, 164, 170}
    | {186, 209, 211, 224, 229, 230, 231, 232, 233, 234, 246, 249, 261}
)
"""Location ids of the congestion relief zone, Manhattan south of and including 60th Street: MTA's "CBD Taxi Zones"
(https://data.ny.gov/d/yfdc-w5jh). By the shapes these are the zones of Manhattan that lie south of 60th Street as a
whole, without the islands of zones 103 to 105. Of no other zone is more than a third south of it."""

ZONES = Table(
    "zones",
    "New York's taxi zones: what the location ids of trips stand for.",
    (
        Column(
            "location_id",
            ColumnType.SMALLINT,
            "Number of the zone, as trips carry it.",
            ("LocationID",),
            source=_SOURCE,
            nullable=False,
        ),
        Column(
            "borough", ColumnType.TEXT, "Borough; EWR is Newark Airport.", ("Borough",), source=_SOURCE, nullable=False
        ),
        Column(
            "zone",
            ColumnType.TEXT,
            "Name of the zone; several zones share one.",
            ("Zone",),
            source=_SOURCE,
            nullable=False,
        ),
        Column(
            "service_zone",
            ColumnType.TEXT,
            "Who may pick up there by street hail.",
            ("service_zone",),
            source=_SOURCE,
            nullable=False,
        ),
    ),
    key=("location_id",),
)
"""The lookup as upstream publishes it."""

MAPPED_ZONES = Table(
    ZONES.name,
    "New York's taxi zones: what the location ids of trips stand for, and where and how large they are.",
    (
        *ZONES.columns,
        Column(
            "centroid_longitude",
            ColumnType.DOUBLE,
            "Centre of the zone's area, which may be outside of it; null where there is no shape, as for 264 and 265.",
            unit="degrees (WGS 84)",
        ),
        Column("centroid_latitude", ColumnType.DOUBLE, "As centroid_longitude.", unit="degrees (WGS 84)"),
        Column("area_square_miles", ColumnType.DOUBLE, "Area of the zone; null without a shape.", unit="square miles"),
        Column("is_airport", ColumnType.BOOLEAN, f"Whether the zone is an airport: {', '.join(AIRPORTS.values())}."),
        Column(
            "is_congestion_zone",
            ColumnType.BOOLEAN,
            "Whether the zone is in the congestion relief zone, Manhattan south of and including 60th Street, by MTA's "
            "CBD Taxi Zones (data.ny.gov yfdc-w5jh).",
        ),
    ),
    key=ZONES.key,
)
"""The table in every store: the lookup with what the shapes tell."""

ZONE_SHAPES = Table(
    "zone_shapes",
    "The polygons of New York's taxi zones; without a row where upstream has none. Zones 264 and 265 have no shape.",
    (
        ZONES.columns[0],
        Column(
            "geometry",
            ColumnType.BINARY,
            "Polygons in longitude and latitude, as well-known binary (in BigQuery as GEOGRAPHY: taxi.zone_geography).",
            nullable=False,
        ),
    ),
    key=ZONES.key,
)
