"""A cell that one of the stores cannot hold costs its own row alone, whatever Parquet carries it in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform_tests.cleaning.months import Cleaned, clean_file, table, trip
from taxi_platform_tests.support.escapes import original

_FHVHV = CONTRACTS["fhvhv"]
_AT = datetime(2020, 3, 10, 8)
_FIRST, _LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)


def _written(month: pa.Table, directory: Path, **options: Any) -> Cleaned:
    file = directory / "raw.parquet"
    pq.write_table(month, file, **options)
    return clean_file(file, directory / "clean")


def _with_column(name: str, values: pa.Array, directory: Path, **options: Any) -> Cleaned:
    month = table([trip(tip_amount=float(n)) for n in range(len(values))])
    return _written(month.set_column(month.schema.get_field_index(name), name, values), directory, **options)


def _for_hire(directory: Path, **columns: pa.Array) -> Cleaned:
    """Trips that differ in their times, with those columns."""
    rows = len(next(iter(columns.values())))
    times = pa.array([_AT.replace(minute=n) for n in range(rows)], pa.timestamp("us"))
    zones = pa.array([7] * rows, pa.int64())
    own = {"hvfhs_license_num": pa.array(["HV0003"] * rows), "dispatching_base_num": pa.array(["B00001"] * rows)}
    given = {"pickup_datetime": times, "dropoff_datetime": times, "PULocationID": zones, "DOLocationID": zones}
    file = directory / "raw.parquet"
    pq.write_table(pa.table({**own, **given, **columns}), file)
    return clean_file(file, directory / "clean", _FHVHV, date(2020, 3, 1))


def _column(cleaned: Cleaned, name: str) -> list[Any]:
    return [row[name] for row in cleaned.trips]


def _unfit(cleaned: Cleaned) -> list[int]:
    return [number for number, reasons in cleaned.reasons.items() if "unparseable" in reasons]


# ---- times


def test_times_end_where_the_first_of_the_stores_ends(tmp_path: Path) -> None:
    first, last = (int(pa.scalar(t, pa.timestamp("us")).cast(pa.int64()).as_py()) for t in (_FIRST, _LAST))
    counts = pa.array([None, first, first - 1, last, last + 1, -(2**63), 2**63 - 1])
    cleaned = _for_hire(tmp_path, request_datetime=counts.cast(pa.timestamp("us")))
    assert _unfit(cleaned) == [2, 4, 5, 6]
    assert _column(cleaned, "request_datetime") == [None, _FIRST, _LAST]
    assert [cleaned.raw[n]["request_datetime"] for n in (2, 4, 6)] == [
        "0000-12-31T23:59:59.999999",
        "10000-01-01T00:00:00",
        "294247-01-10T04:00:54.775807",
    ]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_every_unit_read_or_do_not_fit(unit: str, tmp_path: Path) -> None:
    counts = pa.array([0, 2**63 - 1, -(2**63) + 1])
    cleaned = _for_hire(tmp_path, request_datetime=counts.cast(pa.timestamp(unit)))
    far = [] if unit == "ns" else [1, 2]  # 64 bits of nanoseconds end in 2262
    assert _unfit(cleaned) == far
    assert _column(cleaned, "request_datetime")[0] == datetime(1970, 1, 1)


def test_the_times_of_older_writers_read_whatever_their_year(tmp_path: Path) -> None:
    values = pa.array([datetime(1600, 1, 1), datetime(2400, 1, 1), None], pa.timestamp("us"))
    month = table([trip(tip_amount=float(n), tpep_dropoff_datetime=v) for n, v in enumerate(values.to_pylist())])
    cleaned = _written(month, tmp_path, use_deprecated_int96_timestamps=True)
    assert pq.read_metadata(tmp_path / "raw.parquet").schema.column(1).physical_type == "INT96"
    assert cleaned.raw[0]["tpep_dropoff_datetime"] == "1600-01-01T00:00:00"
    assert cleaned.reasons == {0: ["dropoff_before_pickup"], 1: ["duration_over_24h"], 2: ["timestamp_missing"]}


# ---- text

_BAD = [
    b"B1",
    b"\xff\xfe",
    b"B\0",
    "é".encode() * 1024,
    "é".encode() * 1024 + b"x",
    b"",
    None,
    b"B\\x00",
    b"\xed\xa0\x80",
]
_TEXTS = ["B1", "é" * 1024, None, None, "B\\x00"]


def _as_bytes(kind: pa.DataType) -> pa.Array:
    """`_BAD`, whatever is wrong with it, as Parquet's writer takes it."""
    if pa.types.is_dictionary(kind):
        return pa.array(_BAD, pa.binary()).view(pa.string()).dictionary_encode()
    if pa.types.is_string_view(kind):
        return pa.array(_BAD, pa.binary_view()).view(pa.string_view())
    if pa.types.is_string(kind):
        return pa.array(_BAD, pa.binary()).view(pa.string())
    if pa.types.is_large_string(kind):
        return pa.array(_BAD, pa.large_binary()).view(pa.large_string())
    return pa.array(_BAD, kind)


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.binary(),
        pa.large_binary(),
        pa.binary_view(),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["originating_base_num", "wav_match_flag"])
def test_text_that_is_not_utf8_or_has_nul_or_no_end_costs_its_own_row(
    name: str, kind: pa.DataType, tmp_path: Path
) -> None:
    cleaned = _for_hire(tmp_path, **{name: _as_bytes(kind)})
    assert _unfit(cleaned) == [1, 2, 4, 8]
    assert _column(cleaned, name) == _TEXTS
    kept = [cleaned.raw[n][name] for n in (1, 2, 4, 8)]
    assert kept == [r"\xff\xfe", r"B\x00", "é" * 1024 + "x", r"\xed\xa0\x80"]
    assert [original(text) for text in kept] == [_BAD[n] for n in (1, 2, 4, 8)]


def test_text_that_looks_like_an_escape_is_told_from_one(tmp_path: Path) -> None:
    values = pa.array([b"\\x00", b"\0", b"\\\0", b"a\\xg", b"\\x5c"]).view(pa.string())
    cleaned = _with_column("store_and_fwd_flag", values, tmp_path)
    zones = table([trip(PULocationID=0, tip_amount=float(n)) for n in range(5)])
    rejected = _written(zones.set_column(6, "store_and_fwd_flag", values), tmp_path)
    assert _unfit(cleaned) == [1, 2]
    texts = [rejected.raw[n]["store_and_fwd_flag"] for n in range(5)]
    assert texts == [r"\x5cx00", r"\x00", r"\\x00", r"a\xg", r"\x5cx5c"]
    assert [original(text) for text in texts] == values.cast(pa.binary()).to_pylist()


def test_bytes_of_a_fixed_length_are_text(tmp_path: Path) -> None:
    cleaned = _for_hire(tmp_path, hvfhs_license_num=pa.array([b"HV0003", b"HV\xff004", None], pa.binary(6)))
    assert _unfit(cleaned) == [1]
    assert _column(cleaned, "hvfhs_license_num") == ["HV0003", None]


def test_bad_text_where_a_number_or_a_time_should_be_costs_its_own_row(tmp_path: Path) -> None:
    words = pa.array([b"7", b"\xff", b"7\0"]).view(pa.string())
    assert _unfit(_for_hire(tmp_path, PULocationID=words)) == [1, 2]
    assert _unfit(_with_column("VendorID", words, tmp_path)) == [1, 2]
    times = pa.array([b"2020-03-10 08:00:00", b"2020-03-10 08:00:00\xff", b"\0"]).view(pa.string())
    assert _unfit(_for_hire(tmp_path, request_datetime=times)) == [1, 2]


@pytest.mark.parametrize("row_group_size", [1, 100])
def test_rows_with_bad_text_are_compared_like_any_other(row_group_size: int, tmp_path: Path) -> None:
    month = table([trip()] * 3)
    flags = pa.array([b"\xff", b"\xfe", b"\xff"]).view(pa.string())
    cleaned = _written(month.set_column(6, "store_and_fwd_flag", flags), tmp_path, row_group_size=row_group_size)
    assert cleaned.reasons == {0: ["unparseable"], 1: ["unparseable"], 2: ["unparseable", "exact_duplicate"]}


def test_spaces_at_the_end_are_no_part_of_a_code_or_a_base_number(tmp_path: Path) -> None:
    cleaned = _for_hire(
        tmp_path,
        hvfhs_license_num=pa.array(["HV0003  ", "HV0004", "HV0005 "]),
        dispatching_base_num=pa.array(["B02764  ", " B0 1 ", "  "]),
        access_a_ride_flag=pa.array(["N ", " ", "Y"]),
    )
    assert cleaned.facts.unknown_codes == {}
    assert _column(cleaned, "hvfhs_license_num") == ["HV0003", "HV0004", "HV0005"]
    assert _column(cleaned, "dispatching_base_num") == ["B02764", " B0 1", None]
    assert _column(cleaned, "access_a_ride_flag") == ["N", " ", "Y"]


# ---- encodings and types


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
def test_every_encoding_of_text_reads(encoding: str, tmp_path: Path) -> None:
    values = pa.array(["Y", "N", None, "Y"])
    options = {"use_dictionary": False, "column_encoding": {"store_and_fwd_flag": encoding}}
    assert _column(_with_column("store_and_fwd_flag", values, tmp_path, **options), "store_and_fwd_flag") == [
        "Y",
        "N",
        None,
        "Y",
    ]


@pytest.mark.parametrize(
    ("name", "kind", "encoding"),
    [
        ("passenger_count", pa.float64(), "BYTE_STREAM_SPLIT"),
        ("passenger_count", pa.float32(), "BYTE_STREAM_SPLIT"),
        ("passenger_count", pa.int32(), "BYTE_STREAM_SPLIT"),
        ("passenger_count", pa.int64(), "DELTA_BINARY_PACKED"),
        ("passenger_count", pa.decimal128(5, 1), "BYTE_STREAM_SPLIT"),
        ("passenger_count", pa.bool_(), "RLE"),
    ],
    ids=str,
)
def test_every_encoding_of_numbers_reads(name: str, kind: pa.DataType, encoding: str, tmp_path: Path) -> None:
    numbers = pa.array([1.0, None, 1.0]).cast(kind)
    options = {"use_dictionary": False, "column_encoding": {name: encoding}}
    assert _column(_with_column(name, numbers, tmp_path, **options), name) == [1, None, 1]


@pytest.mark.parametrize(
    "values",
    [
        pa.array(np.array([1, 2], np.float16)),
        pa.array([Decimal(1), Decimal(2)], pa.decimal32(5, 0)),
        pa.array([Decimal("1.00"), Decimal("2.00")], pa.decimal64(9, 2)),
        pa.array([Decimal("1.00"), Decimal("2.00")], pa.decimal128(38, 2)),
        pa.array([Decimal("1.00"), Decimal("2.00")], pa.decimal256(70, 2)),
        pa.array([1, 2], pa.uint64()),
        pa.array(["1", "2"], pa.string_view()),
        pa.array([b"1", b"2"], pa.binary(1)),
        pa.array([1, 2]).dictionary_encode(),
    ],
    ids=lambda values: str(values.type),
)
def test_every_type_of_number_reads(values: pa.Array, tmp_path: Path) -> None:
    for name, canonical in (("PULocationID", "pickup_location_id"), ("tip_amount", "tip_amount")):
        assert _column(_with_column(name, values, tmp_path), canonical) == [1, 2]


@pytest.mark.parametrize(
    ("name", "values", "unfit"),
    [
        ("PULocationID", pa.array([2**64 - 1, 7], pa.uint64()), [0]),
        ("PULocationID", pa.array(np.array([1.5, np.nan], np.float16)), [0]),
        ("tip_amount", pa.array([Decimal("9e60"), Decimal(7)], pa.decimal256(70, 0)), []),
        ("PULocationID", pa.array([Decimal("9e60"), Decimal(7)], pa.decimal256(70, 0)), [0]),
        ("tpep_pickup_datetime", pa.array([1583827200_000_000, None]), [0]),
        ("tpep_pickup_datetime", pa.array([time(8), None]), [0]),
        ("tip_amount", pa.array([_AT, None]), [0]),
        ("PULocationID", pa.array([date(2020, 3, 10), None]), [0]),
        ("PULocationID", pa.array([7, None], pa.duration("us")), [0]),
        ("PULocationID", pa.array([b"\1" * 16, None], pa.uuid()), [0]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_a_type_that_has_no_such_value_does_not_fit(
    name: str, values: pa.Array, unfit: Sequence[int], tmp_path: Path
) -> None:
    assert _unfit(_with_column(name, values, tmp_path)) == unfit


def test_a_count_of_seconds_is_no_instant_and_an_instant_no_count(tmp_path: Path) -> None:
    cleaned = _for_hire(tmp_path, trip_time=pa.array([_AT, None], pa.timestamp("us")))
    assert _unfit(cleaned) == [0]
    assert _unfit(_for_hire(tmp_path, trip_time=pa.array(["60.0", "9007199254740993", "-9e15"]))) == [1]


def test_dates_are_midnights(tmp_path: Path) -> None:
    cleaned = _with_column("tpep_pickup_datetime", pa.array([date(2020, 3, 10)] * 2), tmp_path)
    assert _column(cleaned, "pickup_datetime") == [datetime(2020, 3, 10)] * 2


def test_rejected_rows_of_every_type_are_json(tmp_path: Path) -> None:
    columns: dict[str, pa.Array] = {
        "half": pa.array(np.array([1.5, np.inf], np.float16)),
        "tiny": pa.array([Decimal("1.5"), None], pa.decimal32(5, 1)),
        "wide": pa.array([Decimal("1.50"), None], pa.decimal256(70, 2)),
        "count": pa.array([2**64 - 1, 0], pa.uint64()),
        "time": pa.array([time(8, 0, 1), None]),
        "day": pa.array([date(2020, 3, 10), None]),
        "view": pa.array(["ü", None], pa.string_view()),
        "bytes": pa.array([b"\xff\0", None]),
        "flag": pa.array([True, None]),
        "none": pa.nulls(2),
        "uuid": pa.array([b"\xff" * 16, None], pa.uuid()),
    }
    month = table([trip(PULocationID=0)] * 2)
    for name, values in columns.items():
        month = month.append_column(name, values)
    cleaned = _written(month, tmp_path)
    first = {name: cleaned.raw[0][name] for name in columns}
    assert first == {
        "half": 1.5,
        "tiny": 1.5,
        "wide": 1.5,
        "count": 2**64 - 1,
        "time": "08:00:01",
        "day": "2020-03-10",
        "view": "ü",
        "bytes": r"\xff\x00",
        "flag": True,
        "none": None,
        "uuid": r"\xff" * 16,
    }
    assert cleaned.raw[1]["half"] == "inf"
    assert json.dumps(cleaned.raw[0])
