"""Trips on hired bicycles: a made-up dataset of the same kind, as a module beside the other contracts.

Belongs here: the facts of this one dataset.
"""

from __future__ import annotations

from datetime import date

from taxi_platform.contracts import common
from taxi_platform.contracts.common import documented, money, spelled
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import ALWAYS, Column, ColumnType
from taxi_platform.contracts.rules import trip_rules

__all__ = ["BIKE"]

BIKE = Contract(
    dataset="bike",
    title="bicycle",
    description="Trips on bicycles that are hired at one dock and given back at another.",
    first_month=date(2020, 1, 1),
    rules=trip_rules(total="total_amount"),
    unified={"vendor": "operator"},
    columns=documented(
        "https://example.org/bike-dictionary",
        Column("operator", ColumnType.TEXT, "Who hires the bicycle out.", codes={"CB": "City Bikes"}, required=ALWAYS),
        spelled(common.PICKUP_DATETIME, "started_at"),
        spelled(common.DROPOFF_DATETIME, "ended_at"),
        spelled(common.PICKUP_LOCATION_ID, "start_zone"),
        spelled(common.DROPOFF_LOCATION_ID, "end_zone"),
        money("total_amount", "The price of the hire.", "price"),
    ),
)
