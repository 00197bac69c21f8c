"""For-hire vehicle trips, 2015-01 on: community cars, black cars, luxury limousines and, to 2019-01, the app companies.

Belongs here: the facts of this one dataset, with TLC's data dictionary as their source. Bases report these trips; no
meter is involved, so there is no fare.
"""

from __future__ import annotations

from datetime import date

from taxi_platform.contracts import common
from taxi_platform.contracts.common import documented, spelled
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import ALWAYS, Column, ColumnType, Span
from taxi_platform.contracts.rules import trip_rules

__all__ = ["FHV"]

_DICTIONARY = "https://www.nyc.gov/assets/tlc/downloads/pdf/data_dictionary_trip_records_fhv.pdf"
_DROPOFF_COLUMNS = Span(since=date(2017, 1, 1))
_DROPOFF_FILLED = Span(since=date(2018, 1, 1))

FHV = Contract(
    dataset="fhv",
    title="for-hire vehicle",
    description="Trips that for-hire vehicle bases report, other than the high-volume app companies' since 2019-02.",
    first_month=date(2015, 1, 1),
    # To 2017 a row is a base, a time rounded to the minute or the day and mostly no zone: many trips are equal in that.
    rules=trip_rules(telling=(("pickup_location_id", "dropoff_location_id"),)),
    unified={"vendor": "dispatching_base_num"},
    cluster_by=("pickup_datetime", "dispatching_base_num"),
    columns=documented(
        _DICTIONARY,
        # 2018 has both names, the first of them mostly empty.
        spelled(common.DISPATCHING_BASE_NUM, "dispatching_base_num", "Dispatching_base_num", "Dispatching_base_number"),
        Column(
            "affiliated_base_number",
            ColumnType.TEXT,
            "TLC licence number of the base the vehicle is affiliated with.",
            ("affiliated_base_number", "Affiliated_base_number"),
        ),
        spelled(common.PICKUP_DATETIME, "pickup_datetime", "Pickup_DateTime", "Pickup_date"),
        spelled(
            common.DROPOFF_DATETIME,
            "dropoff_datetime",
            "DropOff_datetime",
            "dropOff_datetime",
            description="When the trip ended, in New York wall-clock time; reported since 2017, always since 2018.",
            required=_DROPOFF_COLUMNS,
            filled=_DROPOFF_FILLED,
            nullable=True,
        ),
        spelled(
            common.PICKUP_LOCATION_ID,
            "PULocationID",
            "PUlocationID",
            "locationID",
            required=ALWAYS,
        ),
        spelled(common.DROPOFF_LOCATION_ID, "DOLocationID", "DOlocationID", required=_DROPOFF_COLUMNS),
        common.SR_FLAG,
    ),
)
