"""Marts: what people compute from trips again and again, by month, in every store of tables.

Belongs here: the register of marts and of the views over them. A new mart is a declaration in one of the modules beside
this one, its SELECT in ``sql/duckdb``, and one line in `MARTS`. Does not: making one in a store (``stores``) and when
that happens (``orchestration``).
"""

from __future__ import annotations

from taxi_platform.contracts.contract import Contract
from taxi_platform.marts.days import AIRPORT_TRIPS, CBD_DAY, COMPANY_DAY, SERVICE_DAY, SERVICE_SHARE
from taxi_platform.marts.features import FEATURE_TRIP, FEATURE_ZONE_HOUR
from taxi_platform.marts.model import Mart, MartView
from taxi_platform.marts.money import FARE_HISTOGRAM, FARE_PERCENTILES, QUARTER_REVENUE, TIPS_MONTH
from taxi_platform.marts.quality import QUALITY_MONTH
from taxi_platform.marts.zones import PAIR_MONTH, PAIR_TIMES, ZONE_HOUR, ZONE_HOUR_GRID, ZONE_MONTH, ZONE_REVENUE

__all__ = ["MARTS", "VIEWS", "marts_of"]

MARTS: tuple[Mart, ...] = (
    CBD_DAY,
    SERVICE_DAY,
    QUALITY_MONTH,
    ZONE_HOUR,
    ZONE_MONTH,
    PAIR_MONTH,
    FARE_HISTOGRAM,
    TIPS_MONTH,
    AIRPORT_TRIPS,
    COMPANY_DAY,
)
"""Every mart; one that reads others comes after them."""
VIEWS: tuple[MartView, ...] = (
    ZONE_HOUR_GRID,
    ZONE_REVENUE,
    QUARTER_REVENUE,
    FARE_PERCENTILES,
    PAIR_TIMES,
    SERVICE_SHARE,
    FEATURE_ZONE_HOUR,
    FEATURE_TRIP,
)
"""Every view over marts; one that reads others comes after them."""


def marts_of(contract: Contract) -> tuple[Mart, ...]:
    """The marts of a dataset, in the order in which they are made."""
    return tuple(mart for mart in MARTS if mart.suits(contract))
