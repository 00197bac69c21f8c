"""The taxi zone lookup: 265 zones, a reference table rather than a dataset of months.

Belongs here: the table's declaration. The texts "NA" and "N/A" of zones 264 and 265 are data, never null.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from taxi_platform.contracts.model import Column, ColumnType, Table

__all__ = ["AIRPORTS", "CBD_ZONES", "ZONES", "ZONE_COUNT"]

_SOURCE = "https://www.nyc.gov/site/tlc/about/tlc-trip-record-data.page"

ZONE_COUNT = 265
"""Rows of the lookup as last published; a lookup with fewer is refused. Zone names repeat, location ids do not."""

AIRPORTS: Mapping[int, str] = MappingProxyType({1: "EWR", 132: "JFK", 138: "LGA"})
"""Location id → the airport that the zone is: Newark, John F. Kennedy, LaGuardia."""

CBD_ZONES: frozenset[int] = frozenset(
    (
        *(4, 12, 13, 45, 48, 50, 68, 79, 87, 88, 90, 100, 107, 113, 114, 125, 137, 144, 148, 158, 161, 162, 163, 164),
        *(170, 186, 209, 211, 224, 229, 230, 231, 232, 233, 234, 246, 249, 261),
    )
)
"""Location ids of the zones in Manhattan south of 60th Street, which is the congestion relief zone since 2025-01-05."""

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
