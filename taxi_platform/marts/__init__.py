"""Marts: what people compute from trips again and again, by month, in every store of tables.

Belongs here: the register of marts and of the views over them. A new mart is a declaration in one of the modules beside
this one, its SELECT in ``sql/duckdb``, and one line in `MARTS`. Does not: making one in a store (``stores``) and when
that happens (``orchestration``).
"""

from __future__ import annotations

from taxi_platform.contracts.contract import Contract
from taxi_platform.marts.days import SERVICE_DAY
from taxi_platform.marts.model import Mart, MartView
from taxi_platform.marts.quality import QUALITY_MONTH
from taxi_platform.marts.zones import ZONE_HOUR, ZONE_HOUR_GRID

__all__ = ["MARTS", "VIEWS", "marts_of"]

MARTS: tuple[Mart, ...] = (SERVICE_DAY, QUALITY_MONTH, ZONE_HOUR)
"""Every mart; one that reads others comes after them."""
VIEWS: tuple[MartView, ...] = (ZONE_HOUR_GRID,)
"""Every view over marts; one that reads others comes after them."""


def marts_of(contract: Contract) -> tuple[Mart, ...]:
    """The marts of a dataset, in the order in which they are made."""
    return tuple(mart for mart in MARTS if mart.suits(contract))
