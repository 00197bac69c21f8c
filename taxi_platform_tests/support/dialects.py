"""Upstream's CSV generations, written down apart from the contracts, with a writer and a reader of their own.

A generation is declared from the published files alone (their first lines, byte by byte): names in upstream's spelling,
what each column holds, and the quirks. The reader uses Python's own csv, int, Decimal and datetime, so that it shares
nothing with the code it is to check.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

Value = int | float | str | datetime | None

_YELLOW_2010 = (
    "vendor_id:s,pickup_datetime:t,dropoff_datetime:t,passenger_count:i,trip_distance:d,pickup_longitude:d,"
    "pickup_latitude:d,rate_code:i,store_and_fwd_flag:s,dropoff_longitude:d,dropoff_latitude:d,payment_type:s,"
    "fare_amount:d,surcharge:d,mta_tax:d,tip_amount:d,tolls_amount:d,total_amount:d"
)
_YELLOW_2009 = (
    "vendor_name:s,Trip_Pickup_DateTime:t,Trip_Dropoff_DateTime:t,Passenger_Count:i,Trip_Distance:d,Start_Lon:d,"
    "Start_Lat:d,Rate_Code:i,store_and_forward:s,End_Lon:d,End_Lat:d,Payment_Type:s,Fare_Amt:d,surcharge:d,mta_tax:d,"
    "Tip_Amt:d,Tolls_Amt:d,Total_Amt:d"
)
_YELLOW_2015 = (
    "VendorID:i,tpep_pickup_datetime:t,tpep_dropoff_datetime:t,passenger_count:i,trip_distance:d,pickup_longitude:d,"
    "pickup_latitude:d,RatecodeID:i,store_and_fwd_flag:s,dropoff_longitude:d,dropoff_latitude:d,payment_type:i,"
    "fare_amount:d,extra:d,mta_tax:d,tip_amount:d,tolls_amount:d,improvement_surcharge:d,total_amount:d"
)
_YELLOW_2017 = (
    "VendorID:i,tpep_pickup_datetime:t,tpep_dropoff_datetime:t,passenger_count:i,trip_distance:d,RatecodeID:i,"
    "store_and_fwd_flag:s,PULocationID:i,DOLocationID:i,payment_type:i,fare_amount:d,extra:d,mta_tax:d,tip_amount:d,"
    "tolls_amount:d,improvement_surcharge:d,total_amount:d"
)
_GREEN_2013 = (
    "VendorID:i,lpep_pickup_datetime:t,Lpep_dropoff_datetime:t,Store_and_fwd_flag:s,RateCodeID:i,Pickup_longitude:d,"
    "Pickup_latitude:d,Dropoff_longitude:d,Dropoff_latitude:d,Passenger_count:i,Trip_distance:d,Fare_amount:d,Extra:d,"
    "MTA_tax:d,Tip_amount:d,Tolls_amount:d,Ehail_fee:d,Total_amount:d,Payment_type:i,Trip_type :i"
)
_GREEN_2015 = _GREEN_2013.replace("Ehail_fee:d,", "Ehail_fee:d,improvement_surcharge:d,")
_GREEN_2017 = (
    "VendorID:i,lpep_pickup_datetime:t,lpep_dropoff_datetime:t,store_and_fwd_flag:s,RatecodeID:i,PULocationID:i,"
    "DOLocationID:i,passenger_count:i,trip_distance:d,fare_amount:d,extra:d,mta_tax:d,tip_amount:d,tolls_amount:d,"
    "ehail_fee:d,improvement_surcharge:d,total_amount:d,payment_type:i,trip_type:i"
)
_FHV_2017 = "Dispatching_base_num:s,Pickup_DateTime:t,DropOff_datetime:t,PUlocationID:i,DOlocationID:i"
_FHV_2018 = (
    "Pickup_DateTime:t,DropOff_datetime:t,PUlocationID:i,DOlocationID:i,SR_Flag:i,Dispatching_base_number:s,"
    "Dispatching_base_num:s"
)
_FHV_2019 = "dispatching_base_num:s,pickup_datetime:t,dropoff_datetime:t,PULocationID:i,DOLocationID:i,SR_Flag:i"
_FHVHV = (
    "hvfhs_license_num:s,dispatching_base_num:s,pickup_datetime:t,dropoff_datetime:t,PULocationID:i,DOLocationID:i,"
    "SR_Flag:i"
)


@dataclass(frozen=True)
class Generation:
    """Months whose files are laid out alike."""

    dataset: str
    first: date
    last: date
    columns: tuple[tuple[str, str], ...]
    """Upstream's name and what the column holds: i(nteger), d(ecimal), t(imestamp) or s(tring)."""
    after_header: bytes = b"\r\n"
    """Every byte from the header's last letter to the first record."""
    spare: int = 0
    """Empty fields that every record has beyond the header."""
    quoted: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Of the raw month's columns: some of upstream's have spaces around them."""
        return tuple(name.strip() for name, _ in self.columns)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(kind for _, kind in self.columns)

    def __str__(self) -> str:
        return f"{self.dataset} {self.first:%Y-%m}"

    def header(self) -> bytes:
        return ",".join(self._quoted(name) for name, _ in self.columns).encode() + self.after_header

    def record(self, cells: Sequence[str]) -> bytes:
        """One line, without its end."""
        return ",".join([*map(self._quoted, cells), *[""] * self.spare]).encode()

    def file(self, rows: Sequence[Sequence[str]], line_end: bytes = b"\r\n") -> bytes:
        """A whole file of rows of cells as text."""
        return self.header() + b"".join(self.record(cells) + line_end for cells in rows)

    def _quoted(self, text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if self.quoted else text


def _generation(
    dataset: str,
    first: str,
    last: str,
    columns: str,
    after_header: bytes = b"\r\n",
    spare: int = 0,
    quoted: bool = False,
) -> Generation:
    pairs = tuple((name, kind) for name, _, kind in (column.rpartition(":") for column in columns.split(",")))
    start, end = (date.fromisoformat(f"{month}-01") for month in (first, last))
    return Generation(dataset, start, end, pairs, after_header, spare, quoted)


_BLANK = b"\n\r\n"
_TWO_BLANKS = b"\n\n\r\n"

GENERATIONS: tuple[Generation, ...] = (
    _generation("yellow", "2009-01", "2009-12", _YELLOW_2009, _BLANK),
    _generation("yellow", "2010-01", "2013-12", _YELLOW_2010, _BLANK),
    _generation("yellow", "2014-01", "2014-12", _YELLOW_2010.replace(",", ", "), _BLANK),
    _generation("yellow", "2015-01", "2015-06", _YELLOW_2015.replace("Ratecode", "RateCode")),
    _generation("yellow", "2015-07", "2016-06", _YELLOW_2015),
    _generation("yellow", "2016-07", "2016-12", _YELLOW_2017, spare=2),
    _generation("yellow", "2017-01", "2018-12", _YELLOW_2017, _BLANK),
    _generation("yellow", "2019-01", "2021-07", _YELLOW_2017 + ",congestion_surcharge:d"),
    _generation("green", "2013-08", "2013-12", _GREEN_2013, _BLANK, spare=2),
    _generation("green", "2014-01", "2014-12", _GREEN_2013, _TWO_BLANKS, spare=2),
    _generation("green", "2015-01", "2015-06", _GREEN_2015, spare=2),
    _generation("green", "2015-07", "2015-12", _GREEN_2015),
    _generation("green", "2016-01", "2016-06", _GREEN_2015, _BLANK),
    _generation("green", "2016-07", "2016-12", _GREEN_2017, _BLANK, spare=2),
    _generation("green", "2017-01", "2018-12", _GREEN_2017, _BLANK),
    _generation("green", "2019-01", "2021-07", _GREEN_2017 + ",congestion_surcharge:d"),
    _generation("fhv", "2015-01", "2016-12", "Dispatching_base_num:s,Pickup_date:t,locationID:i"),
    _generation("fhv", "2017-01", "2017-06", _FHV_2017),
    _generation("fhv", "2017-07", "2017-12", _FHV_2017 + ",SR_Flag:i", quoted=True),
    _generation("fhv", "2018-01", "2018-12", _FHV_2018, quoted=True),
    _generation("fhv", "2019-01", "2020-12", _FHV_2019),
    _generation("fhv", "2021-01", "2021-07", _FHV_2019 + ",Affiliated_base_number:s"),
    _generation("fhvhv", "2019-02", "2021-07", _FHVHV),
)


def generation_of(dataset: str, month: date) -> Generation:
    (found,) = (g for g in GENERATIONS if g.dataset == dataset and g.first <= month <= g.last)
    return found


def read_plainly(data: bytes, kinds: Sequence[str]) -> list[list[Value]]:
    """Values column by column, read slowly: the header and blank lines are left out, spare fields must be empty."""
    lines = [line for line in data.decode().replace("\r\n", "\n").split("\n") if line]
    records = list(csv.reader(lines[1:]))
    for record in records:
        assert not any(record[len(kinds) :]), record
    return [_column([record[i] for record in records], kind) for i, kind in enumerate(kinds)]


def _column(texts: list[str], kind: str) -> list[Value]:
    values = {text: PARSERS[kind](text) if text else None for text in set(texts)}
    return [values[text] for text in texts]


def _decimal(text: str) -> float:
    return float(Decimal(text))


PARSERS: dict[str, Callable[[str], Value]] = {"i": int, "d": _decimal, "t": datetime.fromisoformat, "s": str}
"""What a cell that is not empty stands for."""
