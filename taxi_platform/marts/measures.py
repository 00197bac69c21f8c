"""The measures that marts have in common: counts and sums with their units.

Belongs here: columns of several marts. Does not: columns of one mart alone.
"""

from __future__ import annotations

from taxi_platform.contracts.model import Column, ColumnType

__all__ = ["SUMS", "count", "mean", "total"]


def count(name: str, description: str) -> Column:
    """A number of rows, which is never null."""
    return Column(name, ColumnType.BIGINT, description)


def total(name: str, description: str, unit: str) -> Column:
    """A sum of whole numbers; null where no trip has the number."""
    return Column(name, ColumnType.BIGINT, f"{description} Null where no trip has it.", unit=unit)


def mean(name: str, description: str, unit: str) -> Column:
    """A number that a view computes from sums; null where there is nothing to compute it from."""
    return Column(name, ColumnType.DOUBLE, description, unit=unit)


SUMS = (
    count("trips", "Trips."),
    total("passengers", "Passengers of all trips, as drivers reported them.", "passengers"),
    total("distance_hundredths", "Distance of all trips, each rounded.", "hundredths of a mile"),
    total("duration_seconds", "Time from pickup to drop-off of all trips.", "seconds"),
    total("fare_cents", "Fares without tips, tolls, taxes and fees, each rounded.", "US cents"),
    total("tip_cents", "Tips, each rounded; of taxis those paid by card only.", "US cents"),
    total("tolls_cents", "Tolls, each rounded.", "US cents"),
    total("total_cents", "Amounts charged in all, each rounded.", "US cents"),
)
