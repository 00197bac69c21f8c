"""Cases of this repository's own: cells, text and types that Parquet and CSV carry and not every store holds.

Belongs here: the files, and what should come of each. Does not: bringing them in (``driver``). Four trips each, as four
lines of a base's CSV file or four rows of a Parquet file.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["write_cases"]

_CSV_MONTH, _PARQUET_MONTH = "2020-02", "2024-01"
_CSV = ("dispatching_base_num", "pickup_datetime", "dropoff_datetime", "PULocationID", "DOLocationID", "SR_Flag")
_NAN, _INF = float("nan"), float("inf")
_ROWS = range(4)


def write_cases(folder: Path) -> list[dict[str, Any]]:
    """All cases below ``folder``, and their list, also as ``cases.json``."""
    cases = _Cases(folder)
    _text_in_csv(cases)
    _numbers_in_csv(cases)
    _headers_of_csv(cases)
    _text_in_parquet(cases)
    _values_in_parquet(cases)
    _columns_of_parquet(cases)
    (folder / "cases.json").write_text(json.dumps(cases.listed))
    return cases.listed


class _Cases:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.listed: list[dict[str, Any]] = []

    def csv(self, name: str, bases: list[bytes], header: tuple[str, ...] = _CSV, **expect: Any) -> None:
        """A month of for-hire trips, dispatched by those bases."""
        lines = [b",".join((base, _csv_times(n), b"7,9,")) for n, base in enumerate(bases)]
        self._add(name, "dtc", "fhv", _CSV_MONTH, expect).write_bytes(
            gzip.compress(b"\n".join([",".join(header).encode(), *lines, b""]), mtime=0)
        )

    def green_csv(self, name: str, tips: list[str], **expect: Any) -> None:
        """A month of green trips with those tips."""
        header = (
            "VendorID,lpep_pickup_datetime,lpep_dropoff_datetime,store_and_fwd_flag,RatecodeID,PULocationID,"
            "DOLocationID,passenger_count,trip_distance,fare_amount,extra,mta_tax,tip_amount,tolls_amount,ehail_fee,"
            "improvement_surcharge,total_amount,payment_type,trip_type,congestion_surcharge"
        )
        lines = [f"2,{_csv_times(n).decode()},N,1,7,9,1,1.5,7,0,0.5,{t},0,,0.3,9,1,1,0" for n, t in enumerate(tips)]
        self._add(name, "dtc", "green", _CSV_MONTH, expect).write_bytes(
            gzip.compress("\n".join([header, *lines, ""]).encode(), mtime=0)
        )

    def parquet(self, name: str, columns: dict[str, pa.Array], expect: dict[str, Any], **options: Any) -> None:
        """A month of for-hire trips with those columns in place of the usual ones, or beside them."""
        times = pa.array([_time(n) for n in _ROWS], pa.timestamp("us"))
        zones = pa.array([7 + n for n in _ROWS], pa.int64())
        usual = {"dispatching_base_num": pa.array(["B00001"] * 4), "pickup_datetime": times, "dropOff_datetime": times}
        month = pa.table({**usual, "PUlocationID": zones, "DOlocationID": zones, "SR_Flag": pa.nulls(4), **columns})
        pq.write_table(month, self._add(name, "tlc", "fhv", _PARQUET_MONTH, expect), **options)

    def fhvhv(self, name: str, columns: dict[str, pa.Array], expect: dict[str, Any], **options: Any) -> None:
        """A month of the app companies' trips, likewise."""
        from taxi_platform.contracts import CONTRACTS
        from taxi_platform.contracts.schemas import arrow_type

        contract = CONTRACTS["fhvhv"]
        given: dict[str, Any] = {c.known_as[0]: pa.nulls(4, arrow_type(c.type)) for c in contract.columns}
        given.pop("sr_flag")
        times = pa.array([_time(n) for n in _ROWS], pa.timestamp("us"))
        given |= {"hvfhs_license_num": pa.array(["HV0003"] * 4), "dispatching_base_num": pa.array(["B1"] * 4)}
        given |= {"pickup_datetime": times, "dropoff_datetime": times}
        given |= dict.fromkeys(("pulocationid", "dolocationid"), pa.array([7 + n for n in _ROWS]))
        pq.write_table(pa.table(given | columns), self._add(name, "tlc", "fhvhv", _PARQUET_MONTH, expect), **options)

    def _add(self, name: str, source: str, dataset: str, month: str, expect: dict[str, Any]) -> Path:
        file = {
            "dtc": f"{dataset}/{dataset}_tripdata_{month}.csv.gz",
            "tlc": f"trip-data/{dataset}_tripdata_{month}.parquet",
        }[source]
        path = self._folder / name / source / file
        path.parent.mkdir(parents=True)
        case = {"name": name, "source": source, "dataset": dataset, "month": month, "before": False, "expect": expect}
        self.listed.append(case)
        return path


def _time(number: int) -> datetime:
    return datetime(2024, 1, 9, 8) + timedelta(minutes=number)


def _csv_times(number: int) -> bytes:
    return f"2020-02-09 08:0{number}:00,2020-02-09 09:0{number}:00".encode()


def _comes(trips: int, **values: list[Any]) -> dict[str, Any]:
    """Expected: so many of four trips, and those values of them, in the order of their pickups."""
    return {"exit": 0, "trips": trips, "quarantined": 4 - trips, "values": values}


def _stops(*words: str) -> dict[str, Any]:
    return {"exit": 1, "sentence": [_PARQUET_MONTH, *words]}


def _text_in_csv(cases: _Cases) -> None:
    def bases(*values: str | None) -> dict[str, Any]:
        return _comes(len(values), dispatching_base_num=list(values))

    cases.csv("own_csv_nul", [b"B1", b"B\0", b"B3", b"B4"], **bases("B1", "B3", "B4"))
    cases.csv("own_csv_undefined_byte", [b"B1", b"B\x81", b"B\xe9", b"B4"], **bases("B1", "Bé", "B4"))
    euro = ["€", "“B”", "Ž", "é"]
    mixed = [text.encode("utf-8" if n % 2 else "cp1252") for n, text in enumerate(euro)]
    cases.csv("own_csv_two_encodings", mixed, **bases(*euro))
    cases.csv("own_csv_long_text", [b"B" * 2048, b"B" * 2049, b"B3", b"B4"], **bases("B" * 2048, "B3", "B4"))
    cases.csv("own_csv_trailing_spaces", [b"B1  ", b" B2", b"   ", b"B4"], **bases("B1", " B2", None, "B4"))
    cases.csv("own_csv_like_an_escape", [rb"B\x00", rb"\N", rb"\.", b"B4"], **bases(r"B\x00", r"\N", r"\.", "B4"))
    odd = ['"a,b"', '"say ""hi"""', "\u202e\ufeff", "\U0001f695"]
    cases.csv("own_csv_odd_characters", [text.encode() for text in odd], **bases("a,b", 'say "hi"', *odd[2:]))


def _numbers_in_csv(cases: _Cases) -> None:
    nans = ["1.5", "nan", "-NaN", "0"]
    cases.green_csv("own_csv_nan", nans, **_comes(4, tip_amount=[1.5, None, None, 0.0]))
    infinite = ["1.5", "inf", "-Infinity", "1e999"]
    cases.green_csv("own_csv_infinite", infinite, **_comes(1, tip_amount=[1.5]))
    extremes = ["1.7976931348623157e308", "5e-324", "-0.0", "0.1"]
    cases.green_csv("own_csv_extremes", extremes, **_comes(4, tip_amount=[float(text) for text in extremes]))


def _headers_of_csv(cases: _Cases) -> None:
    four = [b"B1"] * 4
    twice = (*_CSV[:5], "PULocationID")
    cases.csv("own_csv_column_twice", four, twice, exit=1, sentence=[_CSV_MONTH, "PULocationID", "twice"])
    ours = (*_CSV[:5], "_unparsed")
    cases.csv("own_csv_named_like_ours", four, ours, exit=1, sentence=[_CSV_MONTH, "_unparsed"])


def _text(*values: bytes | None) -> pa.Array:
    """Declared as text, whatever it is."""
    return pa.array(values, pa.binary()).view(pa.string())


def _text_in_parquet(cases: _Cases) -> None:
    name = "dispatching_base_num"
    bad = (b"B1", b"\xff", b"B\0", b"B4")
    kept = _comes(2, dispatching_base_num=["B1", "B4"])
    cases.parquet("own_text_bad", {name: _text(*bad)}, kept)
    cases.parquet("own_text_bad_and_coded", {name: _text(*bad).dictionary_encode()}, kept, row_group_size=2)
    plain = {"use_dictionary": False, "column_encoding": {name: "DELTA_BYTE_ARRAY"}}
    cases.parquet("own_text_bad_and_delta", {name: _text(*bad)}, kept, **plain)
    cases.parquet("own_text_undeclared", {name: pa.array(bad)}, kept)
    cases.parquet("own_text_fixed", {name: pa.array([b"B1", b"B2", b"B\xff", None], pa.binary(2))}, _comes(3))
    cases.parquet("own_text_bad_in_unknown_column", {"note": _text(*bad)}, _comes(4))
    cases.parquet("own_text_bad_in_a_number", {"PUlocationID": _text(b"7", b"\xff", b"8.0", b"nan")}, _comes(3))


def _values_in_parquet(cases: _Cases) -> None:
    def of(make: Callable[[int], Any], kind: pa.DataType) -> pa.Array:
        return pa.array([make(n) for n in _ROWS], kind)

    far = [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)]
    counts = [*pa.array(far, pa.timestamp("us")).cast(pa.int64()).to_pylist(), 2**62, -(2**62)]
    requests = {"request_datetime": pa.array(counts).cast(pa.timestamp("us"))}
    cases.fhvhv("own_times_beyond", requests, _comes(2, request_datetime=[str(time) for time in far]))
    old = {"request_datetime": of(lambda n: datetime(1600 + 400 * n, 1, 1), pa.timestamp("us"))}
    years = ["1600-01-01 00:00:00", "2000-01-01 00:00:00", "2400-01-01 00:00:00", "2800-01-01 00:00:00"]
    wanted = _comes(4, request_datetime=years)
    cases.fhvhv("own_times_int96", old, wanted, use_deprecated_int96_timestamps=True)
    floats = {"tips": pa.array([_NAN, _INF, 1.5, None]), "trip_time": pa.array([_NAN, 60.0, 60.0, 60.0])}
    cases.fhvhv("own_nan_and_infinite", floats, _comes(3, tips=[None, 1.5, None], trip_time=[None, 60, 60]))
    halves = {"tips": pa.array(np.array([_NAN, _INF, 1.5, 2], np.float16))}
    cases.fhvhv("own_half_floats", halves, _comes(3, tips=[None, 1.5, 2.0]))
    exact = {"tips": of(lambda n: Decimal(n) / 4, pa.decimal128(30, 2)), "trip_time": of(Decimal, pa.decimal256(60, 0))}
    cases.fhvhv("own_decimals", exact, _comes(4, tips=[0.0, 0.25, 0.5, 0.75], trip_time=[0, 1, 2, 3]))
    split = {"tips": of(float, pa.float64()), "trip_time": of(int, pa.int64()), "bcf": of(bool, pa.bool_())}
    encodings = {"tips": "BYTE_STREAM_SPLIT", "trip_time": "DELTA_BINARY_PACKED", "bcf": "RLE"}
    wanted = _comes(4, tips=[0.0, 1.0, 2.0, 3.0], trip_time=[0, 1, 2, 3], bcf=[0.0, 1.0, 1.0, 1.0])
    cases.fhvhv("own_encodings", split, wanted, use_dictionary=False, column_encoding=encodings)
    whole = {"trip_time": pa.array([2**63, 2**63 - 1, 0, 2**53 + 1], pa.uint64())}
    cases.fhvhv("own_large_numbers", whole, _comes(3, trip_time=[2**63 - 1, 0, 2**53 + 1]))
    days = {"request_datetime": pa.array([date(2024, 1, 9)] * 4)}
    cases.fhvhv("own_days", days, _comes(4, request_datetime=["2024-01-09 00:00:00"] * 4))


def _columns_of_parquet(cases: _Cases) -> None:
    four = pa.array(["a", "b", "c", "d"])
    cases.parquet("own_nested", {"fares": pa.array([[1.0]] * 4)}, _stops("fares", "nested"))
    cases.parquet("own_named_like_ours", {"_unparsed": four}, _stops("_unparsed"))
    cases.parquet("own_named_like_a_views", {"File_Month": four}, _stops("File_Month"))
