"""What a file of a month looks like: upstream's columns, their order, spelling and types, and a CSV file's quirks.

Belongs here: the generations of upstream's files, taken from the headers of published files. Does not: the meaning of a
column (``contracts``) and its values (``taxis``, ``hires``).

CSV files to 2021-07 follow the generation of their month. Upstream has no later ones; those are generated with the
columns of the month's parquet file. All parquet files before 2023-02 are generated as TLC wrote them from 2017 on; the
older names in those of 2009 and 2010 are not imitated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from taxi_platform.contracts.model import NEVER, Span
from taxi_platform.months import TripMonth

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DATASETS", "CsvGeneration", "csv_generation", "parquet_schema"]


@dataclass(frozen=True)
class CsvGeneration:
    """A span of months whose CSV files look alike."""

    since: date
    header: str
    """The line as it is in the file, without quotes and line end."""
    blank_line: bool = False
    """Whether a second, empty line follows. The header then ends in LF and all other lines in CRLF."""
    extra_fields: int = 0
    """Empty fields at the end of every row, beyond the header's."""
    quoted: bool = False
    """Whether every name and value is in quotes."""
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Canonical column → what the file writes for the codes 0, 1, 2, …"""
    plain_numbers: bool = False
    """Whether distances are written as ``0.4`` and ``1``; otherwise as ``.40`` and ``1.00``."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Upstream's column names, left to right."""
        return tuple(self.header.split(","))


_YELLOW_2010 = (
    "vendor_id,pickup_datetime,dropoff_datetime,passenger_count,trip_distance,pickup_longitude,pickup_latitude,"
    "rate_code,store_and_fwd_flag,dropoff_longitude,dropoff_latitude,payment_type,fare_amount,surcharge,mta_tax,"
    "tip_amount,tolls_amount,total_amount"
)
_YELLOW_2015 = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,pickup_longitude,"
    "pickup_latitude,RateCodeID,store_and_fwd_flag,dropoff_longitude,dropoff_latitude,payment_type,fare_amount,extra,"
    "mta_tax,tip_amount,tolls_amount,improvement_surcharge,total_amount"
)
_YELLOW_2016 = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,RatecodeID,store_and_fwd_flag,"
    "PULocationID,DOLocationID,payment_type,fare_amount,extra,mta_tax,tip_amount,tolls_amount,improvement_surcharge,"
    "total_amount"
)
_GREEN_2013 = (
    "VendorID,lpep_pickup_datetime,Lpep_dropoff_datetime,Store_and_fwd_flag,RateCodeID,Pickup_longitude,"
    "Pickup_latitude,Dropoff_longitude,Dropoff_latitude,Passenger_count,Trip_distance,Fare_amount,Extra,MTA_tax,"
    "Tip_amount,Tolls_amount,Ehail_fee,Total_amount,Payment_type,Trip_type "
)
_GREEN_2015 = _GREEN_2013.replace("Total_amount", "improvement_surcharge,Total_amount")
_GREEN_2016 = (
    "VendorID,lpep_pickup_datetime,lpep_dropoff_datetime,store_and_fwd_flag,RatecodeID,PULocationID,DOLocationID,"
    "passenger_count,trip_distance,fare_amount,extra,mta_tax,tip_amount,tolls_amount,ehail_fee,improvement_surcharge,"
    "total_amount,payment_type,trip_type"
)
_FHV_2017 = "Dispatching_base_num,Pickup_DateTime,DropOff_datetime,PUlocationID,DOlocationID"
_FHV_2018 = (
    "Pickup_DateTime,DropOff_datetime,PUlocationID,DOlocationID,SR_Flag,Dispatching_base_number,Dispatching_base_num"
)
_HIRED = "dispatching_base_num,pickup_datetime,dropoff_datetime,PULocationID,DOLocationID,SR_Flag"

_VENDORS = ("", "CMT", "VTS", "DDS")
_TEXTS_2009 = {
    "vendor_id": _VENDORS,
    "payment_type": ("", "Credit", "CASH", "No Charge", "Dispute", ""),
    "store_and_fwd_flag": ("0", "1"),
}
_TEXTS_2010 = {**_TEXTS_2009, "payment_type": ("", "CRE", "CAS", "NOC", "DIS", "")}
_TEXTS_2011 = {"vendor_id": _VENDORS, "payment_type": ("", "CRD", "CSH", "NOC", "DIS", "UNK")}

_CSV: Mapping[str, tuple[CsvGeneration, ...]] = {
    "yellow": (
        CsvGeneration(
            date(2009, 1, 1),
            "vendor_name,Trip_Pickup_DateTime,Trip_Dropoff_DateTime,Passenger_Count,Trip_Distance,Start_Lon,Start_Lat,"
            "Rate_Code,store_and_forward,End_Lon,End_Lat,Payment_Type,Fare_Amt,surcharge,mta_tax,Tip_Amt,Tolls_Amt,"
            "Total_Amt",
            blank_line=True,
            texts=_TEXTS_2009,
            plain_numbers=True,
        ),
        CsvGeneration(date(2010, 1, 1), _YELLOW_2010, blank_line=True, texts=_TEXTS_2010, plain_numbers=True),
        CsvGeneration(date(2011, 1, 1), _YELLOW_2010, blank_line=True, texts=_TEXTS_2011, plain_numbers=True),
        CsvGeneration(
            date(2014, 1, 1),
            _YELLOW_2010.replace(",", ", "),
            blank_line=True,
            texts=_TEXTS_2011,
            plain_numbers=True,
        ),
        CsvGeneration(date(2015, 1, 1), _YELLOW_2015),
        CsvGeneration(date(2015, 7, 1), _YELLOW_2015.replace("RateCodeID", "RatecodeID")),
        CsvGeneration(date(2016, 7, 1), _YELLOW_2016, extra_fields=2),
        CsvGeneration(date(2017, 1, 1), _YELLOW_2016, blank_line=True),
        CsvGeneration(date(2019, 1, 1), f"{_YELLOW_2016},congestion_surcharge"),
    ),
    "green": (
        CsvGeneration(date(2013, 8, 1), _GREEN_2013, blank_line=True, extra_fields=2),
        CsvGeneration(date(2015, 1, 1), _GREEN_2015, extra_fields=2),
        CsvGeneration(date(2015, 7, 1), _GREEN_2015),
        CsvGeneration(date(2016, 1, 1), _GREEN_2015, blank_line=True),
        CsvGeneration(date(2016, 7, 1), _GREEN_2016, blank_line=True, extra_fields=2),
        CsvGeneration(date(2017, 1, 1), _GREEN_2016, blank_line=True),
        CsvGeneration(date(2019, 1, 1), f"{_GREEN_2016},congestion_surcharge"),
    ),
    "fhv": (
        CsvGeneration(date(2015, 1, 1), "Dispatching_base_num,Pickup_date,locationID"),
        CsvGeneration(date(2017, 1, 1), _FHV_2017),
        CsvGeneration(date(2017, 7, 1), f"{_FHV_2017},SR_Flag", quoted=True),
        CsvGeneration(date(2018, 1, 1), _FHV_2018, quoted=True),
        CsvGeneration(date(2019, 1, 1), _HIRED),
        CsvGeneration(
            date(2021, 1, 1),
            "dispatching_base_num,pickup_datetime,dropOff_datetime,PUlocationID,DOlocationID,SR_Flag,"
            "Affiliated_base_number",
        ),
    ),
    "fhvhv": (CsvGeneration(date(2019, 2, 1), f"hvfhs_license_num,{_HIRED}"),),
}

DATASETS = tuple(_CSV)
"""The datasets that upstream publishes and that can be generated."""

# Parquet columns as name:kind; the kinds become types in `_type`.
_PARQUET: Mapping[str, str] = {
    "yellow": "VendorID:id tpep_pickup_datetime:time tpep_dropoff_datetime:time passenger_count:count "
    "trip_distance:double RatecodeID:count store_and_fwd_flag:text PULocationID:id DOLocationID:id payment_type:int "
    "fare_amount:double extra:double mta_tax:double tip_amount:double tolls_amount:double improvement_surcharge:double "
    "total_amount:double congestion_surcharge:double airport_fee:double",
    "green": "VendorID:id lpep_pickup_datetime:time lpep_dropoff_datetime:time store_and_fwd_flag:text "
    "RatecodeID:count PULocationID:id DOLocationID:id passenger_count:count trip_distance:double fare_amount:double "
    "extra:double "
    "mta_tax:double tip_amount:double tolls_amount:double ehail_fee:double improvement_surcharge:double "
    "total_amount:double payment_type:count trip_type:count congestion_surcharge:double",
    "fhv": "dispatching_base_num:text pickup_datetime:time dropOff_datetime:time PUlocationID:count DOlocationID:count "
    "SR_Flag:count Affiliated_base_number:text",
    "fhvhv": "hvfhs_license_num:text dispatching_base_num:text originating_base_num:text request_datetime:time "
    "on_scene_datetime:time pickup_datetime:time dropoff_datetime:time PULocationID:id DOLocationID:id "
    "trip_miles:double trip_time:int base_passenger_fare:double tolls:double bcf:double sales_tax:double "
    "congestion_surcharge:double airport_fee:double tips:double driver_pay:double shared_request_flag:text "
    "shared_match_flag:text access_a_ride_flag:text wav_request_flag:text wav_match_flag:text",
}
_LAST_CSV = date(2021, 7, 1)
_MODERN_SINCE = date(2023, 2, 1)
_NULL_TYPED: Mapping[tuple[str, str], Span] = {
    ("yellow", "airport_fee"): Span(until=date(2020, 11, 1)),
    ("green", "ehail_fee"): Span(until=date(2023, 1, 1)),
    ("fhv", "SR_Flag"): Span(date(2019, 3, 1), date(2023, 1, 1)),
    ("fhvhv", "airport_fee"): Span(until=date(2021, 3, 1)),
}
_ADDED: tuple[tuple[tuple[str, ...], date, str], ...] = (
    (("yellow", "green", "fhvhv"), date(2025, 1, 1), "cbd_congestion_fee:double"),
    (("yellow", "green"), date(2026, 6, 1), "request_source:text"),
)


def csv_generation(month: TripMonth) -> CsvGeneration:
    """The generation of that month's CSV file; after upstream's last one, the columns of the month's parquet file."""
    if month.first_day > _LAST_CSV:
        return CsvGeneration(month.first_day, ",".join(name for name, _ in _parquet_columns(month)))
    return next(g for g in reversed(_CSV[month.dataset]) if g.since <= month.first_day)


def parquet_schema(month: TripMonth) -> pa.Schema:
    """Upstream's columns and types in that month's parquet file."""
    import pyarrow as pa

    return pa.schema(
        (name, pa.null() if month.first_day in _NULL_TYPED.get((month.dataset, name), NEVER) else _type(kind, month))
        for name, kind in _parquet_columns(month)
    )


def _parquet_columns(month: TripMonth) -> list[tuple[str, str]]:
    """Name and kind of each column."""
    columns = _PARQUET[month.dataset].split()
    columns += [column for datasets, since, column in _ADDED if month.dataset in datasets and month.first_day >= since]
    named = [(name, kind) for name, _, kind in (column.partition(":") for column in columns)]
    if month.dataset == "yellow" and month.first_day >= _MODERN_SINCE:
        return [("Airport_fee" if name == "airport_fee" else name, kind) for name, kind in named]
    return named


def _type(kind: str, month: TripMonth) -> pa.DataType:
    import pyarrow as pa

    modern = month.first_day >= _MODERN_SINCE
    return {
        "id": pa.int32() if modern else pa.int64(),
        "count": pa.int64() if modern else pa.float64(),
        "int": pa.int64(),
        "double": pa.float64(),
        "text": pa.large_string() if modern else pa.string(),
        "time": pa.timestamp("us"),
    }[kind]
