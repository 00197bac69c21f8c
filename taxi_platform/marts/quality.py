"""Marts of quality.

Belongs here: their declarations. Does not: their SQL (``sql``).
"""

from __future__ import annotations

from taxi_platform.contracts.model import Column, ColumnType
from taxi_platform.marts.measures import count
from taxi_platform.marts.model import Mart

__all__ = ["QUALITY_MONTH"]

QUALITY_MONTH = Mart(
    "mart_quality_month",
    "What a file month holds: raw records, trips, quarantine with its reasons, and nulls by column of taxi.trips.",
    columns=(
        Column(
            "kind",
            ColumnType.TEXT,
            "What is counted.",
            codes={
                "raw": "records of the upstream file",
                "trips": "rows in trips",
                "quarantine": "rows in quarantine",
                "reason": "rows in quarantine for a reason; a row with several counts under each",
                "null": "trips without a value in a column",
            },
        ),
        Column("name", ColumnType.TEXT, "The reason, or the column of taxi.trips; null for the other kinds."),
        count("row_count", "How many."),
    ),
    key=("kind", "name"),
    reads=("trips", "quarantine"),
    adds_up=False,
)
